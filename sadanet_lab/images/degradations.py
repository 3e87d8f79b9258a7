"""What can go wrong with an image, as functions of one strength: 0 leaves the image as it is.

Each takes a grey image uint8 (H, W), its label map uint8 (H, W), a strength and a random stream, and gives both back;
the mask changes only where the bones themselves move or are cut off. Lengths are shares of the image's height.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter, rotate

from sadanet_lab.phantom.appearance import lost_frames as lost_share
from sadanet_lab.phantom.ranges import REFERENCE_HEIGHT

Pair = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Degradation:
    """One effect, with the strengths at which a model is tested, in order."""

    title: str
    apply: Callable[[np.ndarray, np.ndarray, float, np.random.Generator], Pair]
    strengths: tuple[float, ...]
    unit: str

    @property
    def mild(self) -> tuple[float, ...]:
        """The smallest of the strengths that change anything, either way."""
        smallest = min(abs(strength) for strength in self.strengths if strength)
        return tuple(strength for strength in self.strengths if abs(strength) == smallest)


def noise(image: np.ndarray, mask: np.ndarray, sd: float, rng: np.random.Generator) -> Pair:
    """Independent noise of ``sd`` greys in every pixel of the strip."""
    return _grey(image + sd * rng.standard_normal(image.shape) * (image > 0)), mask


def gain(image: np.ndarray, mask: np.ndarray, octaves: float, rng: np.random.Generator) -> Pair:
    """Every grey times 2 ** octaves, cut at 255."""
    return _grey(image * 2.0**octaves), mask


def blur(image: np.ndarray, mask: np.ndarray, sigma: float, rng: np.random.Generator) -> Pair:
    """Gaussian blur; ``sigma`` in thousandths of the height."""
    return _grey(gaussian_filter(image.astype(np.float32), sigma * image.shape[0] / 1000)), mask


def resolution(image: np.ndarray, mask: np.ndarray, factor: float, rng: np.random.Generator) -> Pair:
    """Reduced by 1 + factor and enlarged again."""
    height, width = image.shape
    small = Image.fromarray(image).resize((max(1, round(width / (1 + factor))), max(1, round(height / (1 + factor)))))
    return np.asarray(small.resize((width, height), Image.Resampling.BICUBIC)), mask


def lost_frames(image: np.ndarray, mask: np.ndarray, bundles: float, rng: np.random.Generator) -> Pair:
    """Bundles of black dashed lines across the image, ``bundles`` of them on average."""
    width = round(image.shape[1] * REFERENCE_HEIGHT / image.shape[0])
    share = Image.fromarray(lost_share(rng, (REFERENCE_HEIGHT, width), bundles)).resize(
        image.shape[::-1], Image.Resampling.BOX
    )
    return _grey(image * (1 - np.asarray(share))), mask


def turn(image: np.ndarray, mask: np.ndarray, degrees: float, rng: np.random.Generator) -> Pair:
    """The whole image turned about its middle, bones and all, one way or the other."""
    degrees = degrees * rng.choice([-1, 1])
    return (
        _grey(rotate(image.astype(np.float32), degrees, reshape=False, order=1)),
        rotate(mask, degrees, reshape=False, order=0),
    )


def cut(image: np.ndarray, mask: np.ndarray, share: float, rng: np.random.Generator) -> Pair:
    """``share`` of the height lost, at the top and at the bottom together, in random proportion."""
    lost = round(share * image.shape[0])
    top = int(rng.integers(0, lost + 1))
    rows = slice(top, image.shape[0] - (lost - top))
    return np.ascontiguousarray(image[rows]), np.ascontiguousarray(mask[rows])


def _grey(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


DEGRADATIONS = {
    "noise": Degradation("Noise", noise, (0, 20, 40, 80), "sd in greys"),
    "gain": Degradation("Gain", gain, (-2, -1, 0, 1), "octaves"),
    "blur": Degradation("Blur", blur, (0, 2, 4, 8), "sigma, 1/1000 of the height"),
    "resolution": Degradation("Resolution", resolution, (0, 3, 7, 15), "reduced by 1 + ..."),
    "lost_frames": Degradation("Lost frames", lost_frames, (0, 5, 10, 20), "bundles"),
    "rotation": Degradation("Rotation", turn, (0, 5, 10, 20), "degrees"),
    "cut_off": Degradation("Cut-off", cut, (0, 0.1, 0.2, 0.4), "share of the height"),
}
