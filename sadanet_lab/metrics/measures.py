"""What is measured of every test image: ``MEASURES``, one table each, stored with the run.

To add one: a function from a ``Prediction`` to the rows of its table, and a line in ``MEASURES``. Runs that are stored
are then evaluated again from their weights; nothing is trained. A score that follows from the counts needs no table of
its own: see ``scores.METRICS``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from sadanet_lab.metrics import calibration
from sadanet_lab.metrics.scores import confusion, counts_of
from sadanet_lab.metrics.surfaces import surfaces
from sadanet_lab.spine.curve_angles import measure_curves


@dataclass(frozen=True)
class Prediction:
    """A test image, its mask, and what a network made of it; all arrays (H, W)."""

    stem: str
    image: np.ndarray
    """Grey, uint8."""
    truth: np.ndarray
    """Mask, uint8 ids 0..3."""
    labels: np.ndarray
    """Predicted ids, uint8."""
    confidence: np.ndarray
    """Probability of the predicted class, float32."""

    @cached_property
    def confusion(self) -> pd.DataFrame:
        """See ``scores.confusion``."""
        return confusion(self.truth, self.labels, self.stem)


def stack_rows(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The rows of all images, one below the other."""
    return pd.concat(tables, ignore_index=True)


@dataclass(frozen=True)
class Measure:
    """A table: its rows of one image, and how those of all images are brought together."""

    of_image: Callable[[Prediction], pd.DataFrame]
    combine: Callable[[Sequence[pd.DataFrame]], pd.DataFrame] = stack_rows


def angle_of(labels: np.ndarray, stem: str) -> pd.DataFrame:
    """One row: stem, measured (largest curve angle in degrees, NaN if not measurable), raw (the same before levels are
    smoothed), flagged (bool: these two differ), confidence, reason. See ``curve_angles.Measurement``."""
    found = measure_curves(labels)
    angles = {"measured": found.largest_angle_degrees, "raw": found.raw_angle_degrees}
    row = {name: np.nan if angle is None else angle for name, angle in angles.items()}
    told = {"flagged": found.flagged, "confidence": found.confidence, "reason": found.reason}
    return pd.DataFrame([{"stem": stem, **row, **told}])


MEASURES = {
    "counts": Measure(lambda p: counts_of(p.confusion)),
    "confusion": Measure(lambda p: p.confusion),
    "surfaces": Measure(lambda p: surfaces(p.truth, p.labels, p.stem)),
    "angles": Measure(lambda p: angle_of(p.labels, p.stem)),
    "calibration": Measure(lambda p: calibration.calibration(p.truth, p.labels, p.confidence), calibration.pool),
}
