"""What an answer is worth: intervals of angles, and whether a picture is like those that a model knows.

Both are learned from phantoms whose truth is known (``studies.limits``) and kept beside the model as JSON.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from scipy.special import softmax

from sadanet_lab.errors import BadInput
from sadanet_lab.files import sum_of
from sadanet_lab.images.content import read_text
from sadanet_lab.inference import doubt
from sadanet_lab.spine.curve_angles import Measurement
from sadanet_lab.spine.judgement import Interval, Judgement
from sadanet_lab.spine.levels import largest_span

STANDS_OUT = 3.0
"""Standard deviations from the phantoms' mean at which a statistic is given as a reason."""
REASONS = 3
DOUBTS = ("always", "spread", "raw", "confidence", "uncertainty")
"""What an interval's half width is a weighted sum of, see ``doubts_of``; and of the picture, see ``Limits.doubts``."""


@dataclass(frozen=True)
class Limits:
    """Of one model; made by ``studies.limits``."""

    model: str
    """``identity`` of the model; of another one nothing of this holds."""
    share: float
    """Of true angles that intervals hold."""
    weights: dict[str, float]
    """Degrees of half width for each doubt, see ``doubts``; those that are not named have none."""
    largest_distance: float
    """Beyond which a picture is called strange."""
    statistics: tuple[str, ...]
    """Names of the picture's statistics, in the order of the arrays below."""
    mean: tuple[float, ...]
    sd: tuple[float, ...]
    precision: tuple[tuple[float, ...], ...]
    """Inverse of their covariance, each divided by its sd."""
    made_of: dict[str, int]
    """What kinds of phantoms they were learned from -> how many pictures."""

    def judge(self, image: np.ndarray, logits: np.ndarray, found: Measurement) -> Judgement:
        """Of a grey image uint8 (H, W), its logits float32 (classes, H, W) and what was measured."""
        told, doubts = look_at(image, logits, found)
        strange = self.distance(told) > self.largest_distance
        intervals = [self.interval(each, told) for each in doubts]
        return Judgement(
            intervals[0] if intervals else None, tuple(intervals[1:]), strange, self._reasons(told) if strange else ()
        )

    def distance(self, told: Mapping[str, float]) -> float:
        """Mahalanobis distance of a picture's statistics from the phantoms', per statistic."""
        away = self._standard(told)
        return float(np.sqrt(away @ np.array(self.precision) @ away / len(away)))

    def doubts(self, doubts: Mapping[str, float], told: Mapping[str, float]) -> dict[str, float]:
        """One of ``doubts_of``, and by how many sd each of the picture's statistics is "more" or "less" than usual."""
        away = self._standard(told)
        more = {f"more: {name}": max(value, 0.0) for name, value in zip(self.statistics, away, strict=True)}
        less = {f"less: {name}": max(-value, 0.0) for name, value in zip(self.statistics, away, strict=True)}
        return {name: doubts[name] for name in DOUBTS} | more | less

    def interval(self, doubts: Mapping[str, float], told: Mapping[str, float]) -> Interval:
        """Of the angle of one of ``doubts_of``, in a picture with these statistics."""
        found = self.doubts(doubts, told)
        half = sum(weight * found[name] for name, weight in self.weights.items())
        return Interval(max(doubts["angle"] - half, 0.0), doubts["angle"] + half)

    def _standard(self, told: Mapping[str, float]) -> np.ndarray:
        return (np.array([told[name] for name in self.statistics]) - self.mean) / np.array(self.sd)

    def _reasons(self, told: Mapping[str, float]) -> tuple[str, ...]:
        """The statistics that stand out most."""
        away = self._standard(told)
        order = [i for i in np.argsort(-np.abs(away))[:REASONS] if abs(away[i]) >= STANDS_OUT]
        return tuple(f"{'more' if away[i] > 0 else 'less'}: {self.statistics[i]}" for i in order)

    def to_json(self) -> str:
        content = asdict(self)
        return json.dumps(content | {"sum": _sum_of(content)}, indent=1) + "\n"

    @classmethod
    def read(cls, path: Path, model: str) -> Self | None:
        """Those of a file; None if there is none, or of another model. Raises ``BadInput`` for a damaged one."""
        expected = "what `sadanet calibrate` writes"
        if not path.exists():
            return None
        try:
            said: dict[str, Any] = json.loads(read_text(path, expected))
            if said.pop("sum") != _sum_of(said):
                raise ValueError("its sum is not that of its content")
            for name in ("statistics", "mean", "sd"):
                said[name] = tuple(said[name])
            said["precision"] = tuple(map(tuple, said["precision"]))
            limits = cls(**said)
        except BadInput:
            raise
        except (ValueError, KeyError, TypeError) as error:
            raise BadInput(f"{path}: damaged ({error}); expected {expected}") from None
        return limits if limits.model == model else None


def _sum_of(content: dict[str, Any]) -> str:
    return sum_of(json.dumps(content, sort_keys=True).encode())


def look_at(
    image: np.ndarray, logits: np.ndarray, found: Measurement
) -> tuple[dict[str, float], list[dict[str, float]]]:
    """(statistics of the picture, ``doubts_of`` its angles) of an image uint8 (H, W) and logits (classes, H, W)."""
    image, small = doubt.reduced(image, logits)
    return doubt.describe_picture(image, small, found), doubts_of(logits.shape[1], small, found)


def doubts_of(height: int, logits: np.ndarray, found: Measurement) -> list[dict[str, float]]:
    """The doubts about the largest angle, then about each curve's; none where nothing could be measured. Those about
    the curve that has the largest angle are the same.

    height: rows of the label map that was measured; logits: reduced (classes, h, w). Of each: angle in degrees; always
    1; spread, see ``doubt.spread_of_angle``; raw: degrees by which the raw angle differs; confidence: what is missing
    of 1; uncertainty, see ``doubt.uncertainty``. All but the first grow with doubt.
    """
    if found.largest_angle_degrees is None or found.raw_angle_degrees is None or found.confidence is None:
        return []
    samples = doubt.sample_levels(logits)
    shared = {"always": 1.0, "confidence": 1 - found.confidence, "uncertainty": doubt.uncertainty(softmax(logits, 0))}
    curves = [(c.upper_end, c.lower_end, c.angle_degrees, c.raw_angle_degrees) for c in found.curves]
    span = largest_span(found.levels)
    raw_of_largest = next((curve[3] for curve in curves if curve[:2] == span), found.raw_angle_degrees)
    spans = [(*span, found.largest_angle_degrees, raw_of_largest), *curves]
    doubts = []
    for upper, lower, angle, raw in spans:
        top, bottom = (found.levels[i].centre[1] / height for i in (upper, lower))
        spread = doubt.spread_of_angle(samples, top, bottom, angle, logits.shape[1])
        doubts.append({"angle": angle, "spread": spread, "raw": abs((raw or angle) - angle)} | shared)
    return doubts
