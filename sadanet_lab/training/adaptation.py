"""A trained network, adapted to another scanner by pictures without masks."""

import copy
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from sadanet_lab.errors import BadInput
from sadanet_lab.inference.framing import PictureSettings, network_input
from sadanet_lab.inference.segmentation import as_tensor
from sadanet_lab.progress import progress


def adapt(network: nn.Module, images: Sequence[np.ndarray], settings: PictureSettings) -> nn.Module:
    """A copy of a network in evaluation mode whose batch norms expect what these images show; all weights stay.

    Each norm's mean and variance become the means, over the images, of those of the features that reach it, as in
    Schneider et al., NeurIPS 2020. A norm that meets a picture pooled to one pixel, as in SA2Net's pyramid, or none,
    as in an auxiliary head, stays as it is: one value has no variance. images: grey uint8 (H, W). Raises ``BadInput``
    for a network without batch norms.
    """
    network = copy.deepcopy(network)
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    if not norms:
        raise BadInput("the network has no batch norms; expected some, whose statistics are what adapts")
    for norm in _of_maps(norms, network, network_input(images[0], settings).picture):
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over all pictures
        norm.train()
    with torch.inference_mode(), progress(len(images), "adapting", "images") as bar:
        for image in images:
            network(as_tensor(network_input(image, settings).picture))
            bar.update()
    return network.eval()


def _of_maps(norms: list[nn.BatchNorm2d], network: nn.Module, picture: np.ndarray) -> list[nn.BatchNorm2d]:
    """Those that more than one pixel of a picture reaches."""
    found = set()

    def look(norm: nn.Module, features: tuple[Tensor]) -> None:
        if features[0].shape[-2:].numel() > 1:
            found.add(norm)

    hooks = [norm.register_forward_pre_hook(look) for norm in norms]
    with torch.inference_mode():
        network.eval()(as_tensor(picture))
    for hook in hooks:
        hook.remove()
    return [norm for norm in norms if norm in found]
