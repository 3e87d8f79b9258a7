"""What differs from one phantom to the next, and how far: every strength of every effect, with its ranges.

"usual" ranges spread around what is known of real images; "wide" ones go well beyond, for training a model that must
not mind which scanner, gain or patient it meets (domain randomisation). "varied" ones hold the wide ones and add
shapes, framings, annotators, and a picture made as a scanner makes it (``scan``). "scanner2" is another scanner, never
trained on: what ``OUTSIDE`` names lies outside of all the others there. Lengths are in reference pixels, those of a
real picture of 640 x 2574.
"""

from dataclasses import dataclass, field, fields
from typing import Literal, TypeVar

import numpy as np

REFERENCE_WIDTH, REFERENCE_HEIGHT = 640, 2574

Spread = Literal["usual", "wide", "varied", "scanner2"]
SPREADS: tuple[Spread, ...] = ("usual", "wide", "varied", "scanner2")
SCANNED: tuple[Spread, ...] = ("varied", "scanner2")
"""Those with framings, annotators and scanned pictures."""

Cases = Literal["usual", "demanding"]
CASES: tuple[Cases, ...] = ("usual", "demanding")
"""Whose spines: "usual", as a clinic sees them, small curves more often than large ones, all of them smooth; or
"demanding", for comparisons that must tell methods apart: as many of every severity, some bent at single levels, and
bones that cannot be seen (see ``axis`` and ``hiding``)."""

Range = tuple[float, float]

OUTSIDE = {
    "Body": [
        *("processes_apart", "process_size", "process_flatness", "rib_size", "rib_bend", "rib_taper"),
        *("lump_size", "lump_thickness", "lump_arch"),
        *("strip_width", "clearance", "edge_step", "edge_wander", "zoom", "stretch"),
    ],
    "Annotator": ["margin", "side", "rib_end"],
    "Scanner": [
        *("tissue_grey", "speckle", "grain_across", "fibre", "divergence", "rim"),
        *("interspinous", "frame_gain", "beside"),
    ],
}
"""The values whose scanner2 range meets no other spread's: shapes of bones, framing, the annotator's style, contrast,
texture, resolution and how sweeps are joined. What is the patient's (curves, levels, build) is as varied as ever."""


def _drawn(usual: Range, wide: Range, varied: Range | None = None, scanner2: Range | None = None):
    """Ranges of a value that every spread draws; if None, varied is as wide, and scanner2 as varied."""
    varied = varied or wide
    return field(metadata={"usual": usual, "wide": wide, "varied": varied, "scanner2": scanner2 or varied})


def _scanned(varied: Range, scanner2: Range, otherwise: float | None = None):
    """Ranges of a value that only scanned spreads draw; ``otherwise`` is that of the others."""
    metadata = {"varied": varied, "scanner2": scanner2}
    return field(metadata=metadata) if otherwise is None else field(default=otherwise, metadata=metadata)


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
    processes_apart: float = _drawn((102, 118), (94, 126), (92, 128), (74, 86))
    """Half the distance of a pair's processes."""
    process_size: float = _drawn((0.92, 1.08), (0.85, 1.15), (0.82, 1.2), (0.66, 0.76))
    rib_size: float = _drawn((0.86, 1.1), (0.7, 1.25), (0.66, 1.3), (0.44, 0.58))
    lump_size: float = _drawn((0.92, 1.06), (0.8, 1.15), (0.78, 1.16), (1.22, 1.32))
    unevenness: float = _drawn((0.04, 0.11), (0.02, 0.14))
    """Sd of single bones' sizes within a patient, as a share."""
    strip_width: float = _drawn((0.9, 1.1), (0.85, 1.22), (0.8, 1.26), (1.34, 1.46))
    offset: float = _drawn((-40, 22), (-60, 60))
    """Of the spine from the middle of the picture."""
    top: float = _drawn((105, 190), (-60, 230))
    """Row of the first level; below 0 it is cut off."""
    drift: float = _drawn((-45, 45), (-70, 70))
    """Sideways drift of the strip in its lowest fifth."""
    edge_step: float = _drawn((0.8, 2.4), (0.3, 4), (0.3, 4.5), (0, 0.15))
    """Sd of the strip's edge from row to row."""
    clearance: float = _scanned((175, 193), (195, 208), otherwise=160)
    """Least distance of the strip's edge from the axis: where the body bends, the operator follows."""
    edge_wander: float = _scanned((0.3, 1.6), (0, 0.15), otherwise=1)
    """How far the strip's edge wanders over tens of rows, as the hand that leads the probe does."""
    process_flatness: float = _scanned((0.8, 1.2), (1.45, 1.75), otherwise=1)
    """Width of a process against its height, beyond the usual."""
    rib_bend: float = _scanned((-0.12, 0.2), (0.26, 0.38), otherwise=0)
    """How far a rib's outer end hangs below its straight line, against its length: ribs curve round the body."""
    rib_taper: float = _scanned((-0.2, 0.35), (0.45, 0.65), otherwise=0)
    """By which share a rib is lower at its outer end."""
    lump_thickness: float = _scanned((0.76, 1.08), (0.5, 0.64), otherwise=1)
    lump_arch: float = _scanned((0.6, 1.4), (-0.7, -0.3), otherwise=1)
    """How far a lump's ends droop, against the usual; below 0 they rise, as wings."""
    zoom: float = _scanned((0.78, 1.14), (0.66, 0.73), otherwise=1)
    """Of the frame; above 1 the ends are cropped, below 1 black borders are left."""
    stretch: float = _scanned((0.84, 1.2), (1.26, 1.34), otherwise=1)
    """Size across against size along, of a pixel: frames may lie closer or farther apart than lines."""
    raised: float = _scanned((-110, 110), (-110, 110), otherwise=0)
    """How far the patient lies above the middle of the picture."""


@dataclass(frozen=True, kw_only=True)
class Annotator:
    """How one person draws the outlines of bones."""

    margin: float = _scanned((-6, 8), (10, 14))
    """How far outside the bone, all around; below 0 inside."""
    smoothing: float = _scanned((0, 14), (0, 4))
    """Sigma, along the outline, of what is smoothed away."""
    side: float = _scanned((6, 34), (40, 54))
    """Length of the straight lines from click to click."""
    rib_end: float = _scanned((-40, 35), (-72, -52))
    """How far a rib's outline goes beyond the strip's edge, where it is cut; below 0 it stops short of it."""
    tremor: float = _scanned((0, 2.5), (0, 1.5))
    """Sd of the hand's wavering across the outline."""
    misplacing: float = _scanned((0, 3.5), (0, 2.5))
    """Sd of a whole outline's place."""


@dataclass(frozen=True, kw_only=True)
class Style:
    """How a painted picture looks (``appearance``): the scanner, the tissue, and how much of the bones is seen."""

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


@dataclass(frozen=True, kw_only=True)
class Scanner:
    """How a scanned picture comes about (``scan``). dB are of echo power; a field named as one of ``Style`` is that."""

    tissue_grey: float = _scanned((130, 245), (85, 110))
    """Grey of an echo of 0 dB, that of common tissue: the gain."""
    range: float = _scanned((14, 44), (22, 28))
    """dB from black to white: the dynamic range."""
    speckle: float = _scanned((3, 30), (38, 46))
    """Sd of the speckle, in greys like ``Style.texture``."""
    grain_across: float = _scanned((1.2, 4.6), (6.5, 9))
    """Sigma of a speckle grain along a frame: the width of the beam."""
    grain_down: float = _scanned((1.2, 4.5), (2, 4))
    """The same along the sweep: the thickness of a frame."""
    defocus: float = _scanned((1.1, 2.2), (1.1, 1.6))
    """How much larger grains are in the lumbar part, which lies deeper."""
    cloudiness: float = _scanned((0.5, 2.4), (0.7, 2))
    """Sd of the tissue's echo in dB."""
    fibre: float = _scanned((0.7, 1.8), (2.6, 3.4))
    """Length of the tissue's patches along the spine, against their width: muscles run along it."""
    lumbar_loss: float = _scanned((-1, 6), (-1, 4))
    """dB lost in the muscles above the lumbar layer, beyond what the time-gain compensation gives back."""
    fade: float = _scanned((0, 300), (0, 150))
    edge_loss: float = _scanned((-2, 6), (0, 3))
    """dB lost at the strip's edges, where the probe touches the back at an angle."""
    sideways: float = _scanned((-3, 3), (-2, 2))
    """dB by which the right edge is brighter than the left: the probe is pressed unevenly."""
    contact: float = _scanned((0, 14), (0, 6))
    """dB lost in patches at the edges where the probe lifts off the skin."""
    noise: float = _scanned((-34, -14), (-30, -18))
    """dB of the electronics' noise, which fills the shadows."""
    bone_contrast: float = _scanned((0.7, 1.9), (1.6, 2.1))
    lump_contrast: float = _scanned((0.7, 1.9), (1.1, 1.5))
    unlike: float = _scanned((0.3, 1.0), (0.3, 0.8))
    displacement: float = _scanned((2, 10), (3, 7))
    bone_blur: float = _scanned((3, 15), (4, 9))
    """Half-shade at a shadow's rim: of a wide aperture only a part is covered there."""
    bone_patchiness: float = _scanned((0.05, 0.6), (0.05, 0.3))
    divergence: float = _scanned((0, 0.08), (0.11, 0.15))
    """By which share shadows spread outward from under the probe, whose beams fan out."""
    lean: float = _scanned((-8, 8), (-4, 4))
    """How far shadows fall along the spine behind their bones: the probe leans."""
    rim: float = _scanned((0, 6), (8, 11))
    """dB by which a bone's edge on one side outshines the tissue: it throws the sound back like a mirror."""
    midline: float = _scanned((0.4, 3), (0.8, 2.4))
    midline_width: float = _scanned((0.5, 1.7), (0.6, 1.2))
    knot: float = _scanned((0, 2.5), (0, 1.5))
    interspinous: float = _scanned((0, 0.7), (0.8, 0.95))
    """How much of the midline's shadow is missing between two spinous processes, where sound passes."""
    frame_gain: float = _scanned((0.15, 1.4), (0, 0.1))
    """Sd in dB from frame to frame: the streaks of the sweep."""
    tremor: float = _scanned((0, 5), (0, 4))
    """Sd of a frame's sideways place: breath and hand."""
    sweeps: float = _scanned((1, 4), (2, 3))
    """Number of sweeps that the picture is joined of, rounded down."""
    beside: float = _scanned((0, 0.49), (0.51, 1))
    """Above a half the sweeps lie side by side, else one below the other."""
    sweep_gain: float = _scanned((0, 2), (0.5, 1.5))
    """Sd of a sweep's gain in dB."""
    sweep_focus: float = _scanned((0, 0.5), (0, 0.3))
    """Sd of a sweep's focus, as a share of ``defocus``: it was set anew."""
    sweep_offset: float = _scanned((0, 7), (2, 6))
    """Sd of how far a sweep is misregistered, each way."""
    gap_bundles: float = _scanned((0, 4), (0, 2))
    """Mean number of bundles of gaps, where the probe went too fast or turned."""


Drawn = TypeVar("Drawn", Body, Annotator, Style, Scanner)


def draw(kind: type[Drawn], rng: np.random.Generator, spread: Spread = "usual") -> Drawn:
    """Every value of ``kind`` that this spread draws, drawn evenly from its range, one after the other."""
    ranges = {one.name: one.metadata[spread] for one in fields(kind) if spread in one.metadata}
    return kind(**{name: float(rng.uniform(*ends)) for name, ends in ranges.items()})
