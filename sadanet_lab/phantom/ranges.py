"""What differs from one phantom to the next, and how far: every strength of every effect, with its two ranges.

"usual" ranges spread around what is known of real images; "wide" ones go well beyond, for training a model that must
not mind which scanner, gain or patient it meets (domain randomisation). Lengths are in reference pixels, those of a
real picture of 640 x 2574.
"""

from dataclasses import dataclass, field, fields
from typing import Literal, TypeVar

import numpy as np

REFERENCE_WIDTH, REFERENCE_HEIGHT = 640, 2574

Spread = Literal["usual", "wide"]
SPREADS: tuple[Spread, ...] = ("usual", "wide")

Cases = Literal["usual", "demanding"]
CASES: tuple[Cases, ...] = ("usual", "demanding")
"""Whose spines: "usual", as a clinic sees them, small curves more often than large ones, all of them smooth; or
"demanding", for comparisons that must tell methods apart: as many of every severity, some bent at single levels, and
bones that cannot be seen (see ``axis`` and ``hiding``)."""


def _drawn(usual: tuple[float, float], wide: tuple[float, float]):
    return field(metadata={"usual": usual, "wide": wide})


@dataclass(frozen=True, kw_only=True)
class Body:
    """One patient's build and how it lies in the frame."""

    kyphosis: float = _drawn((15, 50), (5, 65))
    """Degrees of the thoracic bend seen from the side; it shortens the distance of levels that slope in depth."""
    rotation: float = _drawn((0.6, 2.4), (0, 3.5))
    """Degrees of axial rotation for each degree of tilt from one level to the next."""
    pitch: float = _drawn((0.92, 1.08), (0.85, 1.15))
    """Distance of levels, against that of a patient whose 17 levels fill the picture."""
    breadth: float = _drawn((0.94, 1.1), (0.85, 1.2))
    """Size across, against the distance of levels."""
    processes_apart: float = _drawn((102, 118), (94, 126))
    """Half the distance of a pair's processes."""
    process_size: float = _drawn((0.92, 1.08), (0.85, 1.15))
    rib_size: float = _drawn((0.86, 1.1), (0.7, 1.25))
    lump_size: float = _drawn((0.92, 1.06), (0.8, 1.15))
    unevenness: float = _drawn((0.04, 0.11), (0.02, 0.14))
    """Sd of single bones' sizes within a patient, as a share."""
    strip_width: float = _drawn((0.9, 1.1), (0.85, 1.22))
    offset: float = _drawn((-40, 22), (-60, 60))
    """Of the spine from the middle of the picture."""
    top: float = _drawn((105, 190), (-60, 230))
    """Row of the first level; below 0 it is cut off."""
    drift: float = _drawn((-45, 45), (-70, 70))
    """Sideways drift of the strip in its lowest fifth."""
    edge_step: float = _drawn((0.8, 2.4), (0.3, 4))
    """Sd of the strip's edge from row to row."""


@dataclass(frozen=True, kw_only=True)
class Style:
    """How a patient looks in the picture: the scanner, the tissue, and how much of the bones is seen."""

    gain: float = _drawn((0.8, 1.14), (0.6, 1.7))
    gamma: float = _drawn((0.92, 1.08), (0.6, 1.6))
    """Exponent of the light: above 1 the picture is harder."""
    cloudiness: float = _drawn((0.14, 0.28), (0.05, 0.5))
    """Sd of the logarithm of the tissue's brightness."""
    sideways: float = _drawn((-0.12, 0.12), (-0.5, 0.5))
    """How much brighter the strip's right edge is than its left: the probe presses unevenly."""
    lumbar_light: float = _drawn((0.8, 1.05), (0.5, 1.2))
    """Light of the tissue beside the lumps, against that beside the processes."""
    fade: float = _drawn((40, 160), (0, 300))
    """Rows below the last lump at which the picture fades out."""
    bone_contrast: float = _drawn((0.8, 1.2), (0.35, 1.6))
    """Optical depth of all bones, against the range of their class."""
    lump_contrast: float = _drawn((0.85, 1.15), (0.5, 1.5))
    unlike: float = _drawn((0.7, 1.0), (0.3, 1.0))
    """How far bones of a class differ in depth: 1 the whole range of their class, 0 not at all."""
    displacement: float = _drawn((4, 9), (2, 11))
    """Sd between where a bone is seen and where the expert, who knows the anatomy, draws it."""
    bone_blur: float = _drawn((5, 9), (3, 15))
    bone_patchiness: float = _drawn((0.15, 0.35), (0.05, 0.6))
    """Sd of the logarithm of the depth within a bone."""
    halo: float = _drawn((0.12, 0.4), (0, 0.6))
    """How much brighter the tissue is right around a bone."""
    midline: float = _drawn((1.4, 2.2), (0.4, 3))
    """Optical depth of the midline's shadow."""
    midline_width: float = _drawn((0.85, 1.15), (0.5, 1.7))
    knot: float = _drawn((0.5, 1.5), (0, 2.5))
    """How far the midline swells above the first lump, where it is easily taken for one more lump."""
    decoys: float = _drawn((0, 0.25), (0, 0.9))
    """Optical depth of dark blotches that are no bones."""
    texture: float = _drawn((12, 22), (3, 32))
    """Sd of the fine texture, in greys."""
    row_noise: float = _drawn((0.3, 0.6), (0.1, 0.8))
    """Share of the fine texture's sd that differs from row to row: the streaks of the sweep."""
    blur: float = _drawn((0.2, 0.6), (0.2, 4))
    """Sigma of the blur of the whole picture."""
    lost_bundles: float = _drawn((0, 3), (0, 5))
    """Mean number of bundles of lost frames."""


Drawn = TypeVar("Drawn", Body, Style)


def draw(kind: type[Drawn], rng: np.random.Generator, spread: Spread = "usual") -> Drawn:
    """Every value of a ``Body`` or a ``Style`` drawn evenly from its range, one after the other."""
    return kind(**{one.name: float(rng.uniform(*one.metadata[spread])) for one in fields(kind)})
