"""Levels and curves as clinicians name them: a right thoracic curve, T5 to T12, apex T8.

**Levels** are counted upward from the lowest, one vertebra each. The lowest lump is what the ``Convention`` calls it;
where no lump is found, the lowest pair of thoracic processes is T12. A gap counts as the levels that would fill it.

Assumption: the lowest lump is L5 unless the user says otherwise (``--lowest``), and each level above it the next
vertebra. Nothing in an image tells one vertebra from the next, so a lump missed at the lower end shifts all names. They
are called doubtful, with the reason, where what was found does not fit: lumps that are not five (those from L1 to the
lowest), fewer than five pairs, a gap, two levels too close together, a lump above a pair, more levels than up to T1, a
level that was left out of the curves because its tilt stands off its neighbours', most lumps above the thoracic part's
middle. Names without such a reason are not sure: of six lumps one may be missed at an end, and five look as they
should.

**Regions** go by the apex, by the Scoliosis Research Society's terms as in Lenke et al., J Bone Joint Surg Am 2001, 83:
thoracic from T2 to the disc T11-12, thoracolumbar from T12 to L1, lumbar from the disc L1-2 to L4; above it is
cervicothoracic, below lumbosacral. Here an apex is a level, never a disc: the one furthest from the chord between the
curve's ends.

**Sides** are those of the convexity. A volume projection image shows the patient from the back unless the user says
otherwise (``--viewed-from``), so that the image's left is the patient's left.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Literal

from sadanet_lab.errors import BadInput
from sadanet_lab.spine.levels import Curve, Level, pitches

Side = Literal["left", "right"]
Region = Literal["cervicothoracic", "thoracic", "thoracolumbar", "lumbar", "lumbosacral"]

LOWEST = ("L3", "L4", "L5", "L6", "S1")
"""What the lowest lump may be called. L6: of a spine with six lumbar vertebrae; S1: the sacrum's first, below L5."""
VIEWS = ("back", "front")
SEVERITIES = ("none", "mild", "moderate", "severe")
FEWEST_PAIRS = 5
"""Below which the thoracic part is too short to trust its names."""
CLOSEST = 0.5
"""Of the usual distance; two levels closer than that can hardly be two vertebrae."""


@dataclass(frozen=True)
class Convention:
    """What a reader takes for granted and no image says. Raises ``BadInput`` for what is not known."""

    lowest: str = "L5"
    """One of ``LOWEST``."""
    viewed_from: str = "back"
    """One of ``VIEWS``: from the back, the image's left is the patient's left."""
    severities: tuple[float, ...] = (10.0, 25.0, 45.0)
    """Degrees at which mild, moderate and severe begin: bands in use for the Cobb angle; 10, 25 and 40 are the other
    custom. The UCA runs a little lower than the Cobb angle; no correction is made."""

    def __post_init__(self) -> None:
        for name, value, known in (("lowest", self.lowest, LOWEST), ("viewed from", self.viewed_from, VIEWS)):
            if value not in known:
                raise BadInput(f"{name}: found {value!r}; expected {', '.join(known[:-1])} or {known[-1]}")
        limits = (0, *self.severities, float("inf"))
        if len(self.severities) != len(SEVERITIES) - 1 or not all(low < high for low, high in pairwise(limits)):
            found = ",".join(f"{limit:g}" for limit in self.severities)
            raise BadInput(f"severity: found {found}; expected three angles above 0 that rise, such as 10,25,45")

    def severity_of(self, degrees: float) -> str:
        """Name of the band that an angle lies in."""
        return SEVERITIES[bisect_right(self.severities, degrees)]

    def patient_side(self, side: Side) -> Side:
        """The patient's side of a side of the image."""
        if self.viewed_from == "back":
            return side
        return "left" if side == "right" else "right"

    def vertebrae(self) -> tuple[str, ...]:
        """From the lowest lump upward to C1."""
        lumbar = [f"L{i}" for i in range(1, 6)] + ["S1"]
        if self.lowest != "S1":
            lumbar = [f"L{i}" for i in range(1, int(self.lowest[1:]) + 1)]
        return (*reversed(lumbar), *(f"T{i}" for i in range(12, 0, -1)), *(f"C{i}" for i in range(7, 0, -1)))

    def usual_lumps(self) -> int:
        """From the lowest to L1."""
        return self.vertebrae().index("T12")


USUAL = Convention()


@dataclass(frozen=True)
class CurveName:
    """What a curve is called."""

    region: Region
    side: Side
    """The patient's, of the convexity."""
    upper_end: str
    lower_end: str
    apex: str


@dataclass(frozen=True)
class SpineNames:
    """Names of levels and curves, in their order."""

    levels: tuple[str, ...]
    curves: tuple[CurveName, ...]
    doubt: str | None
    """Why the levels' names, and with them the regions, are doubtful."""


def name_spine(
    levels: Sequence[Level],
    curves: Sequence[Curve],
    convention: Convention = USUAL,
    left_out: Sequence[Level] = (),
    lumps_above: bool = False,
) -> SpineNames:
    """Names of levels and of their curves; of no levels, none and no doubt.

    left_out: levels that were found and are counted, but no curve runs through them: see ``curve_angles.Measurement``.
    lumps_above: whether most lumps lie above the middle of the thoracic levels: no level is made of those.
    """
    if not levels:
        return SpineNames((), (), None)
    counted = sorted((*levels, *left_out), key=lambda level: level.centre[1])
    distances = pitches(counted)
    steps = [max(round(distance), 1) for distance in distances]
    all_names = _names(counted, steps, convention)
    name_of = dict(zip(counted, all_names, strict=True))
    names = tuple(name_of[level] for level in levels)
    named = [
        CurveName(
            region_of(names[curve.apex]),
            convention.patient_side(curve.side),
            names[curve.upper_end],
            names[curve.lower_end],
            names[curve.apex],
        )
        for curve in curves
    ]
    reasons = _doubts(counted, all_names, steps, convention)
    if min(distances, default=1) < CLOSEST:
        reasons.append("two levels are too close together")
    if left_out:
        tilted = ", ".join(name_of[level] for level in left_out)
        reasons.append(f"left out of the curves, since the tilt stands off the neighbours': {tilted}")
    if lumps_above:
        reasons.append("lumps lie above the thoracic processes: is the picture upside down?")
    return SpineNames(names, tuple(named), "; ".join(reasons) or None)


def region_of(apex: str) -> Region:
    """Region of a curve with that apex; see the module's docstring."""
    if apex[0] == "C" or apex == "T1":
        return "cervicothoracic"
    if apex in ("T12", "L1"):
        return "thoracolumbar"
    if apex[0] == "T":
        return "thoracic"
    return "lumbar" if apex in ("L2", "L3", "L4") else "lumbosacral"


def _lumps(levels: Sequence[Level]) -> int:
    return sum(level.region == "lumbar" for level in levels)


def _names(levels: Sequence[Level], steps: list[int], convention: Convention) -> tuple[str, ...]:
    """steps: vertebrae from each level to the next."""
    lowest = 0 if _lumps(levels) else convention.usual_lumps()
    vertebrae = convention.vertebrae()
    places = list(accumulate(reversed(steps), initial=lowest))[::-1]
    return tuple(vertebrae[min(place, len(vertebrae) - 1)] for place in places)


def _doubts(levels: Sequence[Level], names: Sequence[str], steps: list[int], convention: Convention) -> list[str]:
    lumps, usual, reasons = _lumps(levels), convention.usual_lumps(), []
    if lumps == 0:
        reasons.append("no lump, so the lowest pair was taken for T12")
    elif lumps != usual:
        reasons.append(f"{lumps} lumps, while L1 to {convention.lowest} are {usual}")
    if len(levels) - lumps < FEWEST_PAIRS:
        reasons.append(f"{len(levels) - lumps} pairs of thoracic processes, fewer than {FEWEST_PAIRS}")
    for (upper, lower), step in zip(pairwise(names), steps, strict=True):
        if step > 1:
            reasons.append(f"a gap between {upper} and {lower}")
    if any(upper.region == "lumbar" and lower.region == "thoracic" for upper, lower in pairwise(levels)):
        reasons.append("a lump lies above a pair of thoracic processes")
    if names[0][0] == "C":
        reasons.append("more levels than up to T1")
    return reasons
