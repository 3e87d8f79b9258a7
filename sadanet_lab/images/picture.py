"""A picture of a spine as a network takes it, and the rules that hold whatever file it came from."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image

from sadanet_lab.errors import BadInput
from sadanet_lab.images.preparation import resize

if TYPE_CHECKING:
    from pydicom import Dataset

SMALLEST_VPI = 64
"""Pixels either way below which a picture of a whole spine shows no bones."""
LARGEST = 1 << 24
"""Pixels beyond which no picture is decoded: ten times those of a scanner's, 640 x 2574."""
TALLEST, WIDEST = 16, 2
"""Times its width that a picture is tall at most, and its height that it is wide.

A scanner's is 4 times as tall as wide, the scanned strip alone about 7 times; a screen with one on it is 1.8 times as
wide as tall. A network sees every picture at the same height, so that its work grows with the square of the width.
"""
SIDEWAYS = 1.5
"""Times that what a picture shows in its frame is wider than tall, beyond which a spine in it would lie on its side."""
DARK, LINE = 24, 0.02
"""Greys that still count as the frame's black; share of brighter ones from which a row or column shows something."""
MOST_UNEVEN = 16
"""Times that pixels are taller than wide, or wider than tall, at most; those of ultrasound are up to about 6 times."""
NEARLY_SQUARE = 0.01
"""Share by which pixels of a mask's file may be taller than wide, or wider, and count as square: print is rounded."""
ASPECT = "PixelAspectRatio"
"""The DICOM attribute that gives a pixel's form and no length."""
NEARLY_GREY = 8
"""Greys by which the three channels of a lossy file may differ: JPEG keeps colour coarsely."""


class Orientation(NamedTuple):
    """Where in the patient a picture's file says that it lies: letters L, R, A, P, H (head) or F (feet), "" of neither.

    Letters are those of the direction that a picture's axis is nearest to.
    """

    along_rows: str
    """Where pixels of one row run to, from the picture's left to its right."""
    down_columns: str
    """Where those of one column run to, from top to bottom."""
    said_by: str
    """The DICOM attribute that says it."""


@dataclass(frozen=True)
class Picture:
    """A grey image and what its file says of it."""

    image: np.ndarray
    """uint8 (H, W): at least ``SMALLEST_VPI`` pixels either way, and not all of one grey."""
    kind: str
    """PNG, TIFF, BMP, JPEG or DICOM."""
    pixel: tuple[float, float] | None = None
    """A pixel's height and width, in millimetres but from ``ASPECT``, where the shorter is 1; None where the file says
    neither."""
    pixel_from: str | None = None
    """The DICOM attribute that says it. The resolution in other files is that of print, and is not taken."""
    orientation: Orientation | None = None
    """None where the file says nothing of it."""
    source: "Dataset | None" = None
    """Of DICOM: all but the pixels, patient and study among it; what a DICOM segmentation is written with."""

    @property
    def spacing_mm(self) -> tuple[float, float] | None:
        """Millimetres from row to row and from column to column; None where the file does not say."""
        return None if self.pixel_from == ASPECT else self.pixel

    @property
    def aspect(self) -> float | None:
        """How many times as tall as wide a pixel is, where the file says that alone."""
        return self.pixel[0] / self.pixel[1] if self.pixel and self.pixel_from == ASPECT else None

    @property
    def viewed_from(self) -> str | None:
        """Whether the spine is seen from its "back" or "front", where the file says to which side of the patient a row
        runs. It is said of the picture as it lies, also where it is ``upside_down``."""
        return {"R": "back", "L": "front"}.get(self.orientation.along_rows) if self.orientation else None

    @property
    def upside_down(self) -> bool | None:
        """Whether the head is at the bottom, where the file says whether columns run to head or feet."""
        return {"H": True, "F": False}.get(self.orientation.down_columns) if self.orientation else None

    @property
    def square_image(self) -> np.ndarray:
        """The image with square pixels, as a network sees it: angles are those of the body."""
        height, width = square_size(self.image.shape, self.pixel)
        return self.image if (height, width) == self.image.shape else resize(self.image, height, width)


def square_size(shape: tuple[int, ...], pixel: tuple[float, float] | None) -> tuple[int, int]:
    """(height, width) at which the pixels of a picture (H, W) are square: the side of the wider spacing has more."""
    height, width = shape
    rows, columns = pixel or (1.0, 1.0)
    return round(height * max(rows / columns, 1)), round(width * max(columns / rows, 1))


def resize_labels(labels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Label map uint8 (H, W) -> (height, width), each pixel the nearest."""
    if labels.shape == (height, width):
        return labels
    return np.asarray(Image.fromarray(labels).resize((width, height), Image.Resampling.NEAREST))


def check_size(width: int, height: int, name: str, pixel: tuple[float, float] | None = None) -> None:
    """Raises ``BadInput`` for a picture that is too small for a spine or too large to be one, or of other proportions.

    Too large, and of other proportions, is also one that is so once its pixels are square. Only numbers are looked at:
    this comes before anything is decoded.
    """
    found = f"{width} x {height} pixels"
    check_large_enough(width, height, name)
    check_pixels(width, height, name)
    width, height = check_square_size(width, height, name, pixel)
    if pixel is not None:
        found += f", {width} x {height} with square ones"
    if height > TALLEST * width:
        raise BadInput(f"{name}: {found}; expected a spine, at most {TALLEST} times as tall as wide")
    if width > WIDEST * height:
        raise BadInput(
            f"{name}: {found}: it lies on its side, or shows no whole spine; expected one upright, at most {WIDEST} "
            "times as wide as tall"
        )


def check_large_enough(width: int, height: int, name: str) -> None:
    """Raises ``BadInput`` for a picture, or a mask, that is too small for a spine."""
    if width < SMALLEST_VPI or height < SMALLEST_VPI:
        found = f"{width} x {height} pixels"
        raise BadInput(f"{name}: {found}; expected {SMALLEST_VPI} or more either way for a spine")


def check_square_size(width: int, height: int, name: str, pixel: tuple[float, float] | None) -> tuple[int, int]:
    """(width, height) once pixels are square; raises ``BadInput`` if they can hardly be, or become too many."""
    rows, columns = pixel or (1.0, 1.0)
    if not 1 / MOST_UNEVEN <= rows / columns <= MOST_UNEVEN:  # nor is it so of what is no number
        raise BadInput(
            f"{name}: pixels {rows:g} high and {columns:g} wide; expected sides that differ at most {MOST_UNEVEN} times"
        )
    height, width = square_size((height, width), pixel)
    check_pixels(width, height, name)
    return width, height


def check_pixels(width: int, height: int, name: str) -> None:
    """Raises ``BadInput`` for a picture of more than ``LARGEST`` pixels."""
    if width * height > LARGEST:
        raise BadInput(f"{name}: too large, {width} x {height} pixels; expected at most {LARGEST:,} in all")


def check_content(values: np.ndarray, name: str) -> None:
    """Raises ``BadInput`` for a picture (H, W) that is all of one grey."""
    if values.min() == values.max():
        raise BadInput(f"{name}: every pixel has grey {values[0, 0]}; expected an ultrasound picture")


def check_upright(image: np.ndarray, name: str, pixel: tuple[float, float] | None = None) -> None:
    """Raises ``BadInput`` for a picture uint8 (H, W) in which what is seen is a wide strip: a spine on its side."""
    lit = image > DARK
    rows, columns = (np.flatnonzero(lit.mean(axis) > LINE) for axis in (1, 0))
    if not rows.size or not columns.size:
        return  # too dark to say
    height, width = square_size((int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1), pixel)
    if width > SIDEWAYS * height:
        raise BadInput(
            f"{name}: what it shows is {width} x {height} pixels: a picture that lies on its side; expected the spine "
            "upright, turn it by 90 degrees"
        )


def eight_bits(values: np.ndarray, black: float, white: float) -> np.ndarray:
    """Greys of any range (H, W) -> uint8: from ``black`` to ``white`` in even steps to 0..255, rounded."""
    scaled = (values.astype(np.float64) - black) * (255 / (white - black))
    return scaled.round().clip(0, 255).astype(np.uint8)


def own_range(values: np.ndarray, name: str, shown: np.ndarray | None = None) -> np.ndarray:
    """Greys of more than 8 bits (H, W) -> uint8: the darkest becomes 0, the brightest 255, evenly between.

    That is the rule for 16 bits wherever the file names no window: scanners seldom use all of the bits.
    shown: bool (H, W), False of pixels that are no picture: the range is that of the others.
    """
    picture = values if shown is None or not shown.any() else values[shown]
    check_content(picture.reshape(1, -1), name)
    return eight_bits(values, float(picture.min()), float(picture.max()))


def one_channel(colours: np.ndarray, name: str, lossy: bool) -> np.ndarray:
    """Grey content of a colour picture (H, W, 3) -> (H, W): the channels are equal, of a lossy file nearly so.

    Raises ``BadInput`` for a picture with colour in it.
    """
    apart = np.ptp(colours, axis=2)
    limit = NEARLY_GREY if lossy else 0
    if (strays := apart > limit).any():
        expected = f"a grey picture, channels within {limit} greys" if lossy else "a grey picture, channels equal"
        rows, columns = (np.flatnonzero(strays.any(axis))[[0, -1]] for axis in (1, 0))
        where = f"rows {rows[0]} to {rows[1]}, columns {columns[0]} to {columns[1]}"
        found = f"colour in {strays.sum():,} of {apart.size:,} pixels ({where})"
        raise BadInput(f"{name}: {found}; expected {expected}: crop it, or convert it to grey")
    return colours.mean(axis=2).round().astype(colours.dtype)
