"""From a VPI image and its label map to what a network takes, Sec. IV-A and IV-B. Masks stay label maps throughout."""

import math

import numpy as np
import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as TF

GREY_MEAN, GREY_SD = 75.99, 84.15
"""Of the authors' 109 images, whole pictures (given in the lab's released configuration)."""


def resize(image: np.ndarray, height: int, width: int) -> Tensor:
    """Grey image uint8 (H, W) -> uint8 (1, height, width), bilinear with antialiasing."""
    return TF.resize(torch.from_numpy(image.copy())[None], [height, width], antialias=True)


def resize_mask(mask: np.ndarray, height: int, width: int) -> Tensor:
    """Label map uint8 (H, W) -> uint8 (height, width), nearest neighbour: no id is ever mixed."""
    return TF.resize_mask(torch.from_numpy(mask.copy())[None], [height, width])[0]


def normalise(image: Tensor, channels: int = 1) -> Tensor:
    """Grey uint8 (..., 1, H, W) -> float32 (..., channels, H, W) of mean 0 and sd 1 over the authors' images."""
    grey = (image.float() - GREY_MEAN) / GREY_SD
    return grey.expand(*grey.shape[:-3], channels, *grey.shape[-2:])


class TrainingPatch:
    """A random patch of an image and its label map: rotation, crop, horizontal and vertical flip.

    image (1, H, W) uint8, mask (H, W) uint8 -> the same of (height, width). The paper names the three augmentations
    without figures; assumed: each flip with probability 1/2, and for every second patch a rotation by up to
    ``rotation_degrees`` either way. What lies outside the image is black background, as outside the scanned strip.
    Randomness comes from ``generator`` alone.
    """

    def __init__(self, height: int, width: int, rotation_degrees: float = 20.0):
        self.height, self.width = height, width
        self.rotation_degrees = rotation_degrees

    def __call__(self, image: Tensor, mask: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        turned, angle, across, down, flip_x, flip_y = torch.rand(6, generator=generator).tolist()
        degrees = self.rotation_degrees * (2 * angle - 1) if turned < 0.5 else 0.0
        top = int(down * (image.shape[-2] - self.height + 1))
        left = int(across * (image.shape[-1] - self.width + 1))
        # Only a window around the patch is turned: as much of the image as the turned patch can reach.
        margin_y, margin_x = self._margins(degrees)
        window = (top - margin_y, left - margin_x, self.height + 2 * margin_y, self.width + 2 * margin_x)
        # torchvision treats the two by type: the image is interpolated, the mask takes its nearest id.
        pair = [TF.crop(part, *window) for part in (tv_tensors.Image(image), tv_tensors.Mask(mask))]
        if degrees:
            pair = [TF.rotate(part, degrees, InterpolationMode.BILINEAR) for part in pair]
            pair = [TF.center_crop(part, [self.height, self.width]) for part in pair]
        if flip_x < 0.5:
            pair = [TF.horizontal_flip(part) for part in pair]
        if flip_y < 0.5:
            pair = [TF.vertical_flip(part) for part in pair]
        return pair[0].as_subclass(Tensor), pair[1].as_subclass(Tensor)

    def _margins(self, degrees: float) -> tuple[int, int]:
        sine, cosine = abs(math.sin(math.radians(degrees))), math.cos(math.radians(degrees))
        height = self.height * cosine + self.width * sine
        width = self.width * cosine + self.height * sine
        return (max(0, math.ceil((height - self.height) / 2)), max(0, math.ceil((width - self.width) / 2)))
