"""From an image to the picture that a network takes, Sec. IV-A: numpy alone, so that segmenting needs no torch."""

import math

import numpy as np

GREY_MEAN, GREY_SD = 75.99, 84.15
"""Of the authors' 109 images, whole pictures (given in the lab's released configuration)."""
WEIGHT_BITS, FRACTION_BITS = 15, 22
"""Of the whole numbers that ``resize`` rounds weights to: all of their bits, and at most so many behind the point."""


def resize(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Grey image uint8 (H, W) -> uint8 (height, width), bilinear with antialiasing.

    In whole numbers, so on every processor the same: across, rounded to uint8, then down. Byte for byte what
    ``torchvision.transforms.v2.functional.resize`` gives on those that it has 8-bit code for (AVX2).
    """
    return _resized_rows(_resized_rows(image.T, width).T, height)


def _resized_rows(image: np.ndarray, size: int) -> np.ndarray:
    """uint8 (N, M) -> uint8 (size, M): every new row is a mean of the old ones around it, weighted by a triangle.

    The triangle falls to 0 one new row away, or one old row where these are taller: Pillow's bilinear filter.
    """
    scale = len(image) / size
    reach = max(scale, 1.0)
    centres = scale * (np.arange(size)[:, None] + 0.5)
    first = np.maximum(centres - reach + 0.5, 0).astype(int)
    rows = first + np.arange(2 * math.ceil(reach) + 1)
    weights = np.maximum(1 - np.abs((rows - centres + 0.5) * (1 / reach)), 0) * (rows < len(image))
    weights /= weights.sum(1, keepdims=True)
    bits = min(FRACTION_BITS, math.ceil(math.log2((2**WEIGHT_BITS - 0.5) / weights.max())) - 1)
    whole = (weights * 2**bits + 0.5).astype(np.int32)
    total = np.full((size, image.shape[1]), 2 ** (bits - 1), np.int32)
    for row, weight in zip(np.minimum(rows, len(image) - 1).T, whole.T, strict=True):
        total += weight[:, None] * image[row]  # below 2**31: 255 times weights whose sum is 2**22
    return np.minimum(total >> bits, 255).astype(np.uint8)


def fit(image: np.ndarray, height: int, multiple: int = 8) -> tuple[np.ndarray, int]:
    """Grey image uint8 (H, W) -> (uint8 (height, w) in the image's proportions, w without the black beside it).

    w is rounded up to a ``multiple`` with black background on the right, as beyond the scanned strip.
    """
    width = max(1, round(image.shape[1] * height / image.shape[0]))
    return np.pad(resize(image, height, width), [(0, 0), (0, -width % multiple)]), width


def add_margin(picture: np.ndarray, rows: int) -> np.ndarray:
    """(H, W) -> (H + 2 rows, W): black, or background, above and below.

    Patches cut out of an image hardly ever show its first and last rows, where networks then see bones. Of an image
    with a margin they show them, and what lies beyond.
    """
    return np.pad(picture, [(rows, rows), (0, 0)])


def normalise(image: np.ndarray, channels: int = 1) -> np.ndarray:
    """Grey uint8 (..., 1, H, W) -> float32 (..., channels, H, W) of mean 0 and sd 1 over the authors' images."""
    grey = (image.astype(np.float32) - GREY_MEAN) / GREY_SD
    return np.repeat(grey, channels, axis=-3)
