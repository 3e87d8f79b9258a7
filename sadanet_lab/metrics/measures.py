"""What is measured of every test image: ``MEASURES``, one table each, stored with the run.

To add one: a function from a ``Prediction`` to the rows of its table, and a line in ``MEASURES``. Runs that are stored
are then evaluated again from their weights; nothing is trained. Those committed in results/reference/ have none there,
and the shipped model's record lacks the table too: see "A metric from images" in CONTRIBUTING.md. A score that follows
from the counts needs no table of its own: see ``scores.METRICS``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from sadanet_lab.images.strip import scanned_strip
from sadanet_lab.metrics import calibration
from sadanet_lab.metrics.hidden import COLUMNS as HIDDEN_COLUMNS
from sadanet_lab.metrics.hidden import found_bones
from sadanet_lab.metrics.scores import confusion, count, counts_of
from sadanet_lab.metrics.surfaces import surfaces
from sadanet_lab.spine.bones import connected_bones
from sadanet_lab.spine.classes import CLASSES
from sadanet_lab.spine.curve_angles import Measurement, measure_curves


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
    bones: pd.DataFrame | None = None
    bone_numbers: np.ndarray | None = None
    """Of demanding phantoms: which bones there are, hidden ones too, and whose a pixel is: see ``metrics.hidden``."""

    @cached_property
    def confusion(self) -> pd.DataFrame:
        """See ``scores.confusion``."""
        return confusion(self.truth, self.labels, self.stem)


def stack_rows(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The rows of all images, one below the other."""
    return pd.concat(tables, ignore_index=True)


@dataclass(frozen=True)
class Measure:
    """A table: its rows of one image, and how those of all images are brought together.

    knocked_out: measured, too, of the network without each of its attention modules, in a table "<name>_without" of the
    same columns and ``without``, the module's title.
    """

    of_image: Callable[[Prediction], pd.DataFrame]
    combine: Callable[[Sequence[pd.DataFrame]], pd.DataFrame] = stack_rows
    knocked_out: bool = False


def angle_of(found: Measurement, stem: str) -> pd.DataFrame:
    """One row: stem, measured (largest curve angle in degrees, NaN if not measurable), raw (the same before levels are
    smoothed), flagged (bool: these two differ), confidence, reason. See ``curve_angles.Measurement``."""
    angles = {"measured": found.largest_angle_degrees, "raw": found.raw_angle_degrees}
    row = {name: np.nan if angle is None else angle for name, angle in angles.items()}
    told = {"flagged": found.flagged, "confidence": found.confidence, "reason": found.reason}
    return pd.DataFrame([{"stem": stem, **row, **told}])


def in_strip(prediction: Prediction) -> pd.DataFrame:
    """Counts inside the scanned strip alone, and ``invented``: predicted bones of which most lies in the frame.

    Columns as ``counts``, then invented; what ``counts`` has beyond them lies in the frame.
    """
    strip = scanned_strip(prediction.image)
    inside = count(prediction.truth[strip], prediction.labels[strip], prediction.stem)
    invented = [0]
    for class_id in range(1, len(CLASSES)):
        pieces, bones = connected_bones(prediction.labels == class_id)
        areas, areas_inside = (
            np.bincount(where.ravel(), minlength=pieces.max() + 1) for where in (pieces, pieces[strip])
        )
        invented.append(int((2 * areas_inside[bones] < areas[bones]).sum()))
    return inside.assign(invented=invented)


def hidden_bones(prediction: Prediction) -> pd.DataFrame:
    """See ``metrics.hidden``; no rows where it is not known which bones are hidden."""
    if prediction.bones is None or prediction.bone_numbers is None:
        return pd.DataFrame(columns=list(HIDDEN_COLUMNS))
    return found_bones(prediction.bones, prediction.bone_numbers, prediction.labels, prediction.stem)


MEASURES = {
    "counts": Measure(lambda p: counts_of(p.confusion), knocked_out=True),
    "confusion": Measure(lambda p: p.confusion),
    "surfaces": Measure(lambda p: surfaces(p.truth, p.labels, p.stem)),
    "strip": Measure(in_strip),
    "hidden": Measure(hidden_bones, knocked_out=True),
    "angles": Measure(lambda p: angle_of(measure_curves(p.labels), p.stem)),
    "calibration": Measure(lambda p: calibration.calibration(p.truth, p.labels, p.confidence), calibration.pool),
}
