"""Levels of a spine and the ultrasound curve angles (UCA) between them: pure geometry, nothing of pictures.

Coordinates are picture coordinates: x grows to the right, y downward; left and right are those of the picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import atan2, cos, degrees, dist, sin
from statistics import median
from typing import Literal

SMALLEST_ANGLE = 3.0
"""Degrees a tilt must swing back before it counts as a curve: below it lies the scatter of single levels."""


@dataclass(frozen=True)
class Level:
    """One line across the spine: a pair of thoracic processes, or the two ends of a lump."""

    region: Literal["thoracic", "lumbar"]
    left: tuple[float, float]
    right: tuple[float, float]

    @property
    def tilt(self) -> float:
        """Degrees from the horizontal; positive where the right end is the lower one."""
        return degrees(atan2(self.right[1] - self.left[1], self.right[0] - self.left[0]))

    @property
    def centre(self) -> tuple[float, float]:
        return (self.left[0] + self.right[0]) / 2, (self.left[1] + self.right[1]) / 2


@dataclass(frozen=True)
class Curve:
    """One curve of the spine; ``apex``, ``upper_end`` and ``lower_end`` are indices into its levels, 0 on top."""

    angle_degrees: float
    side: Literal["left", "right"]
    apex: int
    upper_end: int
    lower_end: int
    raw_angle_degrees: float | None = None
    """Where the levels were smoothed: the angle between the most tilted of those that were found along this curve."""


def curves_of(levels: Sequence[Level], smallest: float = SMALLEST_ANGLE) -> list[Curve]:
    """The curves from top to bottom, each between two neighbouring turning points of the tilt.

    ``levels`` run from top to bottom. Reversals of the tilt below ``smallest`` degrees are ignored; a spine without
    a swing that large has no curve.
    """
    tilts = [level.tilt for level in levels]
    turns = _turning_points(tilts, smallest)
    return [_curve_between(levels, upper, lower) for upper, lower in pairwise(turns)]


def pitches(levels: Sequence[Level]) -> list[float]:
    """Distance from each level's centre to the next one's (L - 1), 1 being the usual one, their median."""
    steps = [dist(upper.centre, lower.centre) for upper, lower in pairwise(levels)]
    usual = median(steps) if steps else 1.0
    return [step / usual for step in steps]


def largest_angle(levels: Sequence[Level]) -> float:
    """Degrees of the largest curve; of a spine without one, the whole range of its tilts (0 below two levels)."""
    if not levels:
        return 0.0
    upper, lower = largest_span(levels)
    return abs(levels[lower].tilt - levels[upper].tilt)


def largest_span(levels: Sequence[Level]) -> tuple[int, int]:
    """Indices, upper first, of the two levels between which the largest angle is; of one level twice the same."""
    curves = curves_of(levels)
    if curves:
        largest = max(curves, key=lambda curve: curve.angle_degrees)
        return largest.upper_end, largest.lower_end
    tilts = [level.tilt for level in levels]
    first, second = sorted((tilts.index(min(tilts)), tilts.index(max(tilts))))
    return first, second


def _curve_between(levels: Sequence[Level], upper: int, lower: int) -> Curve:
    swing = levels[lower].tilt - levels[upper].tilt
    # Perpendicular to a level of tilt t the midline runs dx/dy = -tan t: with t growing downward it goes right,
    # then left again.
    side = "right" if swing > 0 else "left"
    # Between neighbouring levels no level lies off the chord; the upper one stands for the apex.
    between = range(upper + 1, lower) or [upper]
    apex = max(between, key=lambda i: _distance_from_chord(levels, i, upper, lower))
    return Curve(abs(swing), side, apex, upper, lower)


def _distance_from_chord(levels: Sequence[Level], index: int, upper: int, lower: int) -> float:
    (x0, y0), (x1, y1), (x, y) = levels[upper].centre, levels[lower].centre, levels[index].centre
    chord = atan2(y1 - y0, x1 - x0)
    return abs((y - y0) * cos(chord) - (x - x0) * sin(chord))


def _turning_points(tilts: Sequence[float], smallest: float) -> list[int]:
    """Indices of the alternate extremes ("zigzag") that lie at least ``smallest`` apart; none or at least two."""
    turns: list[int] = []
    low = high = 0  # lowest and highest tilt since the last turning point
    rising: bool | None = None
    for i, tilt in enumerate(tilts):
        if tilt > tilts[high]:
            high = i
        if tilt < tilts[low]:
            low = i
        if rising is not True and tilt - tilts[low] >= smallest:
            turns.append(low)
            rising, high = True, i
        elif rising is not False and tilts[high] - tilt >= smallest:
            turns.append(high)
            rising, low = False, i
    if turns:
        turns.append(high if rising else low)
    return turns
