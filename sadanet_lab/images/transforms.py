"""Patches of a VPI image and its label map, as training shows them, Sec. IV-B. Masks stay label maps throughout."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as TF


def resize_mask(mask: np.ndarray, height: int, width: int) -> np.ndarray:
    """Label map uint8 (H, W) -> uint8 (height, width), nearest neighbour: no id is ever mixed.

    As torch's and OpenCV's "nearest", and so the code family's, it takes the pixel at the upper left of each new one's
    place, not the middle one: labels made four times smaller lie 3/8 of a new pixel lower and further right than the
    image. Profile ``standard`` resizes nothing.
    """
    return TF.resize_mask(torch.from_numpy(mask.copy())[None], [height, width])[0].numpy()


class TrainingPatch:
    """A random patch of an image and its label map: rotation, crop, horizontal and vertical flip.

    image (1, H, W) uint8, mask (H, W) uint8 -> the same of (height, width). What lies outside the image
    is black background, as outside the scanned strip. Randomness comes from ``generator`` alone.

    Assumption: each flip has probability 1/2, and every second patch is rotated by up to ``rotation_degrees`` either
    way; the paper names the three augmentations without figures.

    upright: without the vertical flip, which shows the network spines upside down.
    """

    def __init__(self, height: int, width: int, rotation_degrees: float = 20.0, upright: bool = False):
        self.height, self.width = height, width
        self.upright = upright
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
        if flip_y < 0.5 and not self.upright:
            pair = [TF.vertical_flip(part) for part in pair]
        return pair[0].as_subclass(Tensor), pair[1].as_subclass(Tensor)

    def _margins(self, degrees: float) -> tuple[int, int]:
        sine, cosine = abs(math.sin(math.radians(degrees))), math.cos(math.radians(degrees))
        height = self.height * cosine + self.width * sine
        width = self.width * cosine + self.height * sine
        return (max(0, math.ceil((height - self.height) / 2)), max(0, math.ceil((width - self.width) / 2)))


class RescaledPatch:
    """A random patch as SA2Net's released pipeline cuts it: scale 0.5 to 2, crop, horizontal flip, other light.

    image (1, H, W) uint8, mask (H, W) uint8 -> the same of (height, width); what lies outside is black background. Of
    up to ten crops the first of which no class fills more than ``MOST``. Brightness by up to 32 greys and contrast of
    0.5 to 1.5 have probability 1/2 each; the released colour changes have no meaning in a grey image.
    """

    SCALES, MOST, BRIGHTNESS, CONTRAST = (0.5, 2.0), 0.75, 32.0, (0.5, 1.5)
    TRIES = 10

    def __init__(self, height: int, width: int):
        self.height, self.width = height, width

    def __call__(self, image: Tensor, mask: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        scale, flip, brighter, delta, harder, factor = torch.rand(6, generator=generator).tolist()
        scale = self.SCALES[0] + (self.SCALES[1] - self.SCALES[0]) * scale
        size = [max(1, round(side * scale)) for side in image.shape[-2:]]
        image, masks = TF.resize(image, size, antialias=True), TF.resize_mask(mask[None], size)
        missing = [max(0, self.width - size[1]), max(0, self.height - size[0])]
        image, masks = (TF.pad(part, [0, 0, *missing]) for part in (image, masks))
        top = left = 0
        for _ in range(self.TRIES):
            down, across = torch.rand(2, generator=generator).tolist()
            top = int(down * (image.shape[-2] - self.height + 1))
            left = int(across * (image.shape[-1] - self.width + 1))
            patch = masks[:, top : top + self.height, left : left + self.width]
            if torch.bincount(patch.flatten()).max() <= self.MOST * patch.numel():
                break
        pair = [TF.crop(part, top, left, self.height, self.width) for part in (image, masks)]
        if flip < 0.5:
            pair = [TF.horizontal_flip(part) for part in pair]
        light = pair[0].float()
        if brighter < 0.5:
            light = light + self.BRIGHTNESS * (2 * delta - 1)
        if harder < 0.5:
            light = light * (self.CONTRAST[0] + (self.CONTRAST[1] - self.CONTRAST[0]) * factor)
        return light.round().clamp(0, 255).to(torch.uint8), pair[1][0]


class RandomisedView:
    """A whole picture seen anew: turned, shifted, scaled, flipped sideways, with another gain, sharpness and noise.

    image (1, H, W) uint8, mask (H, W) uint8 -> the same of (height, width); what lies outside is black background. For
    a model that must not mind who framed the picture and which scanner made it; not in the paper. Every value is drawn
    evenly from its range. Randomness comes from ``generator`` alone.
    """

    DEGREES, SHIFT, SCALE, ASPECT = 6.0, 0.06, 0.16, 0.07
    """Largest rotation, shift (share of the side), and logarithms of scale and of across against down, either way."""
    GAMMA, GAIN, NOISE, BLUR = 0.3, 0.2, 10.0, 1.0
    """Largest logarithm of gamma and gain either way; largest sd of the noise in greys, and sigma of the blur in
    pixels, to which 0.1 is added."""

    def __init__(self, height: int, width: int):
        self.height, self.width = height, width

    def __call__(self, image: Tensor, mask: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        turn, across, down, scale, aspect, flip = (2 * torch.rand(6, generator=generator) - 1).tolist()
        angle = math.radians(self.DEGREES * turn)
        scales = [math.exp(-self.SCALE * scale + sign * self.ASPECT * aspect) for sign in (1, -1)]
        place = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        place = place * torch.tensor(scales)
        place[:, 0] *= 1 if flip < 0 else -1
        # From pixels to grid_sample's coordinates, in which each picture reaches from -1 to 1.
        seen, there = torch.tensor([self.width, self.height]), torch.tensor([image.shape[-1], image.shape[-2]])
        shift = 2 * self.SHIFT * torch.tensor([[across], [down]])
        theta = torch.cat([place * seen / there[:, None], shift], dim=1)
        grid = F.affine_grid(theta[None], [1, 1, self.height, self.width], align_corners=False)
        light = F.grid_sample(image[None].float(), grid, "bilinear", align_corners=False)[0]
        labels = F.grid_sample(mask[None, None].float(), grid, "nearest", align_corners=False)[0, 0]
        return self._lit_otherwise(light, generator), labels.to(torch.uint8)

    def _lit_otherwise(self, grey: Tensor, generator: torch.Generator) -> Tensor:
        """Grey float (1, H, W) -> uint8, with another tone curve, blur and noise; black stays black."""
        gamma, gain, noise, blur = torch.rand(4, generator=generator).tolist()
        there = grey > 0
        light = math.exp(self.GAIN * (2 * gain - 1)) * (grey / 255) ** math.exp(self.GAMMA * (2 * gamma - 1))
        light = TF.gaussian_blur(light, [7, 7], [0.1 + self.BLUR * blur] * 2)
        light = 255 * light + self.NOISE * noise * torch.randn(light.shape, generator=generator)
        return (light * there).round().clamp(0, 255).to(torch.uint8)
