"""From an image to its label map with a trained network, at the image's own resolution."""

from dataclasses import dataclass
from itertools import product
from typing import Literal, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sadanet_lab.images import transforms


class PictureSettings(Protocol):
    """What must be known of a network's pictures; a ``Recipe`` is one."""

    @property
    def image_height(self) -> int: ...
    @property
    def image_width(self) -> int: ...
    @property
    def margin(self) -> int: ...
    @property
    def framing(self) -> Literal["stretch", "fit"]: ...
    @property
    def input_channels(self) -> int: ...
    @property
    def precision(self) -> Literal["float32", "bfloat16"]: ...
    @property
    def test_scales(self) -> tuple[float, ...]: ...


SCALES = (0.9, 1.0, 1.1)
"""Of the picture that the network sees, when several views are averaged on request."""


def logits_of(network: nn.Module, image: np.ndarray, settings: PictureSettings) -> Tensor:
    """Logits (classes, H, W) in float32 of a grey image uint8 (H, W) of any size, as the settings say it is tested.

    As in Sec. IV-A: the whole image is resized to the settings' size (framing "fit": to its height, keeping the
    image's proportions), segmented, and the logits are brought back to the image's own resolution (bilinear). A margin
    of the settings is put above and below it first, and cut off the logits.
    Where the settings ask for several scales: the logarithm of their mean probability.
    ``network`` is in evaluation mode, on any device.
    """
    return _averaged(network, image, settings, [(scale, False) for scale in settings.test_scales])


def average_logits(network: nn.Module, image: np.ndarray, settings: PictureSettings) -> Tensor:
    """As ``logits_of``, the logarithm of the mean probability over sideways flips and ``SCALES``: six views."""
    return _averaged(network, image, settings, list(product(SCALES, (False, True))))


def _averaged(
    network: nn.Module, image: np.ndarray, settings: PictureSettings, views: list[tuple[float, bool]]
) -> Tensor:
    """views: (scale against the settings' size, whether flipped sideways) of each."""
    if len(views) == 1:
        return _logits_of_view(network, image, settings, *views[0])
    probability = torch.zeros(())
    for view in views:
        probability = probability + _logits_of_view(network, image, settings, *view).softmax(0)
    return (probability / len(views)).log()


def _logits_of_view(
    network: nn.Module, image: np.ndarray, settings: PictureSettings, scale: float, flipped: bool
) -> Tensor:
    device = next(network.parameters()).device
    framed = network_input(np.ascontiguousarray(image[:, ::-1]) if flipped else image, settings, scale)
    with torch.inference_mode(), in_precision_of(settings, device):
        logits = at_full_size(framed.on_image(network(framed.picture.to(device))), image.shape)
    return logits.flip(-1) if flipped else logits


def in_precision_of(settings: PictureSettings, device: torch.device) -> torch.autocast:
    """The context in which a network of these settings computes."""
    return torch.autocast(device.type, torch.bfloat16, enabled=settings.precision == "bfloat16")


def at_full_size(logits: Tensor, shape: tuple[int, int]) -> Tensor:
    """A network's logits (1, classes, h, w) at an image's resolution: (classes, H, W), float32."""
    return F.interpolate(logits.float(), shape, mode="bilinear", align_corners=False)[0]


@dataclass(frozen=True)
class FramedPicture:
    """An image as a network takes it, and where in that picture it is; the rest is black."""

    picture: Tensor
    """(1, channels, h, w), normalised."""
    margin: int
    """Rows of it above the image, and as many below."""
    width: int
    """Columns of it that the image fills, from the left."""

    def grid(self, shape: torch.Size) -> tuple[slice, slice]:
        """Rows and columns, of a map (..., h', w') of the whole picture at any stride, that lie on the image."""
        (height, width), (rows, columns) = self.picture.shape[-2:], shape[-2:]
        top = round(rows * self.margin / height)
        return slice(top, rows - top), slice(0, max(1, round(columns * self.width / width)))

    def on_image(self, found: Tensor) -> Tensor:
        """That part of a map (..., h', w')."""
        return found[..., *self.grid(found.shape)]


def network_input(image: np.ndarray, settings: PictureSettings, scale: float = 1.0) -> FramedPicture:
    """A grey image uint8 (H, W), resized, framed and normalised as the settings say, at a scale of their size."""
    sides = settings.image_height, settings.image_width, settings.margin
    height, width, margin = sides if scale == 1 else (8 * round(scale * side / 8) for side in sides)
    if settings.framing == "fit":
        resized, width = transforms.fit(image, height)
    else:
        resized = transforms.resize(image, height, width)
    picture = transforms.normalise(transforms.add_margin(resized, margin)[None], settings.input_channels)
    return FramedPicture(picture.contiguous(memory_format=torch.channels_last), margin, width)


def labels_of(network: nn.Module, image: np.ndarray, settings: PictureSettings, averaged: bool = False) -> np.ndarray:
    """Label map, uint8 (H, W), of a grey image uint8 (H, W): the class of largest logit, of one view or of six."""
    logits = (average_logits if averaged else logits_of)(network, image, settings)
    return logits.argmax(0).to(torch.uint8).cpu().numpy()
