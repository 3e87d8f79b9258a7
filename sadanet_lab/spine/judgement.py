"""How far a measurement can be trusted, in plain values."""

from dataclasses import dataclass

SHARE = 0.9
"""Of true angles that intervals are to hold."""


@dataclass(frozen=True)
class Interval:
    """Degrees between which the true angle is to lie in ``SHARE`` of all cases."""

    low: float
    high: float


@dataclass(frozen=True)
class Judgement:
    """Of one picture; made by ``inference.limits``."""

    largest: Interval | None
    """Of the largest angle; None where there is none."""
    curves: tuple[Interval, ...]
    """Of each curve's angle, in their order."""
    strange: bool
    """Whether the picture is unlike those that the model was trained on: then intervals may not hold."""
    reasons: tuple[str, ...]
    """What stands out in a strange picture, most of all first."""
