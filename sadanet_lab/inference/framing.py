"""An image as a network takes it: its size, its frame, and where in the picture it is. Numpy alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

import numpy as np

from sadanet_lab.images import preparation

if TYPE_CHECKING:
    from torch import Tensor

Map = TypeVar("Map", np.ndarray, "Tensor")


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
    def test_scales(self) -> tuple[float, ...]: ...
    @property
    def test_flip(self) -> bool: ...


@dataclass(frozen=True)
class FramedPicture:
    """An image as a network takes it, and where in that picture it is; the rest is black."""

    picture: np.ndarray
    """float32 (1, channels, h, w), normalised."""
    margin: int
    """Rows of it above the image, and as many below."""
    width: int
    """Columns of it that the image fills, from the left."""

    def grid(self, shape: Sequence[int]) -> tuple[slice, slice]:
        """Rows and columns, of a map (..., h', w') of the whole picture at any stride, that lie on the image."""
        (height, width), (rows, columns) = self.picture.shape[-2:], shape[-2:]
        top = round(rows * self.margin / height)
        return slice(top, rows - top), slice(0, max(1, round(columns * self.width / width)))

    def on_image(self, found: Map) -> Map:
        """That part of a map (..., h', w')."""
        return found[..., *self.grid(found.shape)]


def network_input(image: np.ndarray, settings: PictureSettings, scale: float = 1.0) -> FramedPicture:
    """A grey image uint8 (H, W), resized, framed and normalised as the settings say, at a scale of their size.

    As in Sec. IV-A the whole image is resized to the settings' size (framing "fit": to its height, keeping the image's
    proportions). A margin of the settings is put above and below it.
    """
    sides = settings.image_height, settings.image_width, settings.margin
    height, width, margin = sides if scale == 1 else (8 * round(scale * side / 8) for side in sides)
    if settings.framing == "fit":
        resized, width = preparation.fit(image, height)
    else:
        resized = preparation.resize(image, height, width)
    framed = preparation.add_margin(resized, margin)[None, None]
    return FramedPicture(preparation.normalise(framed, settings.input_channels), margin, width)


def at_full_size(logits: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """float32 (classes, h, w) -> (classes, H, W), bilinear, as ``segmentation.at_full_size`` in torch."""
    return _interpolated(_interpolated(logits, 2, shape[1]), 1, shape[0])


def _interpolated(values: np.ndarray, axis: int, size: int) -> np.ndarray:
    """float32 values along one axis at ``size`` places: between the two cells around each, at the ends the last cell.

    Places are float32 too, as torch's are: at odd sizes they are off by as much as torch's.
    """
    half, cells = np.float32(0.5), values.shape[axis]
    places = np.clip(np.float32(cells / size) * (np.arange(size, dtype=np.float32) + half) - half, 0, cells - 1)
    before = places.astype(int)
    share = np.expand_dims(places - before.astype(np.float32), [i for i in range(values.ndim) if i != axis])
    low, high = (values.take(cell, axis, mode="clip") for cell in (before, before + 1))
    low *= 1 - share
    high *= share
    low += high
    return low
