"""From an image to its label map with a trained network, at the image's own resolution."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sadanet_core.experiment.recipe import Recipe
from sadanet_core.images import transforms


def logits_of(network: nn.Module, image: np.ndarray, recipe: Recipe) -> Tensor:
    """Logits (classes, H, W) in float32 of a grey image uint8 (H, W) of any size.

    As in Sec. IV-A: the whole image is resized to the recipe's size (framing "fit": to its height, keeping the
    image's proportions), segmented, and the logits are brought back to the image's own resolution (bilinear).
    ``network`` is in evaluation mode, on any device.
    """
    device = next(network.parameters()).device
    if recipe.framing == "fit":
        resized, width = transforms.fit(image, recipe.image_height)
    else:
        resized, width = transforms.resize(image, recipe.image_height, recipe.image_width), recipe.image_width
    picture = transforms.normalise(resized[None].to(device), recipe.input_channels)
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=recipe.precision == "bfloat16"):
        logits = network(picture.contiguous(memory_format=torch.channels_last))
    return F.interpolate(logits[..., :width].float(), image.shape, mode="bilinear", align_corners=False)[0]


def labels_of(network: nn.Module, image: np.ndarray, recipe: Recipe) -> np.ndarray:
    """Label map, uint8 (H, W), of a grey image uint8 (H, W): the class of largest logit."""
    return logits_of(network, image, recipe).argmax(0).to(torch.uint8).cpu().numpy()
