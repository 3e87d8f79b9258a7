"""Every score from the stored counts: TP, FP, FN, TN of each test image and class, in pixels.

A table of counts has the columns stem, class, tp, fp, fn, tn. The scores, as fractions 0..1:

    dice      2 TP / (2 TP + FP + FN)              Eq. (8)
    iou       TP / (TP + FP + FN)                  Eq. (9)
    recall    TP / (TP + FN)                       what the paper's tables print as "Acc"
    accuracy  (TP + TN) / (TP + TN + FP + FN)      Eq. (10), what the paper's text calls "Acc"

**Absent classes.** A class that is in no mask has no score (NaN), whatever is predicted: there is nothing to find. One
that is in some masks, but not in this image's, has no recall in this image; its dice and iou are NaN if it is not
predicted either, and 0 if it is. NaN is left out of every mean, never counted as 0 or 1.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd

from sadanet_lab.errors import BadInput
from sadanet_lab.spine.classes import BONES, CLASSES

BONE_AVERAGE, CLASS_AVERAGE = "average_3_bones", "average_4_classes"
AVERAGES = {BONE_AVERAGE: BONES, CLASS_AVERAGE: CLASSES}
"""Both bases that the paper's "Ave." columns mix."""
REGIONS = {name: name.replace("_", " ").capitalize() for name in BONES}
REGIONS |= {BONE_AVERAGE: "Average (3 bones)", CLASS_AVERAGE: "Average (4 classes)"}
"""What the paper's tables score, and its title."""
BONE_REGIONS = (*BONES, BONE_AVERAGE)
"""Those of them that do not need the background."""
BASES = ("pooled", "per-image")


@dataclass(frozen=True)
class Metric:
    """A score of a class: a ratio of two sums of its counts. To add one, add a line to ``METRICS``."""

    title: str
    ratio: Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
    """(tp, fp, fn, tn) -> (part, whole)."""


METRICS = {
    "dice": Metric("Dice", lambda tp, fp, fn, tn: (2 * tp, 2 * tp + fp + fn)),
    "iou": Metric("IoU", lambda tp, fp, fn, tn: (tp, tp + fp + fn)),
    "recall": Metric("Acc (recall)", lambda tp, fp, fn, tn: (tp, tp + fn)),
    "accuracy": Metric("Accuracy", lambda tp, fp, fn, tn: (tp + tn, tp + fp + fn + tn)),
}
PAPER_METRICS = ("dice", "iou", "recall")
"""The paper's three columns; its "Acc" behaves like recall, not like Eq. (10)."""
TABLE_METRICS = PAPER_METRICS
"""The columns of our tables; beside one that the paper does not print, its rows are "n/a"."""
COLUMNS = ("tp", "fp", "fn", "tn")


class Score(Protocol):
    """counts (seeds, images, classes, 4) -> score (seeds), a fraction, NaN where it is not defined.

    weights (R, images): how often each image is counted, R times anew -> (seeds, R). A resampled or exchanged test set
    is a row of weights: one matrix product in place of R copies of the counts.
    """

    def __call__(self, counts: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray: ...


def confusion(truth: np.ndarray, predicted: np.ndarray, stem: str) -> pd.DataFrame:
    """Pixels of one image by true and predicted class, from two label maps (H, W).

    Columns stem, class (of the mask), then one of pixels for each predicted class.
    """
    n = len(CLASSES)
    pixels = np.bincount(truth.ravel().astype(np.intp) * n + predicted.ravel(), minlength=n * n).reshape(n, n)
    return pd.DataFrame({"stem": stem, "class": CLASSES, **dict(zip(CLASSES, pixels.T, strict=True))})


def counts_of(confusion: pd.DataFrame) -> pd.DataFrame:
    """Counts of one image from its ``confusion``: one row per class."""
    pixels = confusion[list(CLASSES)].to_numpy()
    tp = pixels.diagonal()
    fp, fn = pixels.sum(0) - tp, pixels.sum(1) - tp
    counts = {"tp": tp, "fp": fp, "fn": fn, "tn": pixels.sum() - tp - fp - fn}
    return confusion[["stem", "class"]].assign(**counts)


def count(truth: np.ndarray, predicted: np.ndarray, stem: str) -> pd.DataFrame:
    """Counts of one image from two label maps (H, W): one row per class."""
    return counts_of(confusion(truth, predicted, stem))


def counts_array(tables: Iterable[pd.DataFrame]) -> np.ndarray:
    """Tables of counts, one a seed, all of the same images in the same order -> (seeds, images, classes, 4)."""
    tables = list(tables)
    stems = [list(table.stem.unique()) for table in tables]
    if any(each != stems[0] for each in stems):
        raise ValueError("the tables of counts are not of the same images")
    return np.stack([t[list(COLUMNS)].to_numpy().reshape(-1, len(CLASSES), len(COLUMNS)) for t in tables])


def check_basis(basis: str) -> None:
    """Raises ``BadInput`` for one that is not in ``BASES``."""
    if basis not in BASES:
        raise BadInput(f"basis: found {basis!r}; expected {' or '.join(BASES)}")


def score_of(region: str, metric: str, basis: str = "pooled") -> Score:
    """One of ``METRICS`` of a class or an average (``AVERAGES``); raises ``BadInput`` for an unknown ``basis``.

    "pooled": of all test pixels taken together, as MMSegmentation prints it. "per-image": the mean over images of each
    image's score.
    """
    check_basis(basis)
    members = [CLASSES.index(name) for name in AVERAGES.get(region, (region,))]

    def score(counts: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        counts = counts[..., members, :].astype(float)
        total = _sum_images(counts, weights)
        if basis == "pooled":
            of_classes = _ratio(total, metric)
        else:
            of_images = _ratio(counts, metric)[..., None]
            there = ~np.isnan(of_images)
            number = _sum_images(there.astype(float), weights)[..., 0]
            of_classes = _divide(_sum_images(np.where(there, of_images, 0), weights)[..., 0], number)
        mean = nanmean(np.where(_in_some_mask(total), of_classes, np.nan), -1)
        if weights is None:
            return mean
        # A resample that has lost a class has another average: of fewer classes.
        lost = _in_some_mask(_sum_images(counts, None))[:, None] & ~_in_some_mask(total)
        return np.where(lost.any(-1), np.nan, mean)

    return score


def _in_some_mask(total: np.ndarray) -> np.ndarray:
    """Of counts summed over images, (..., classes, 4): which classes any of the masks has."""
    return total[..., 0] + total[..., 2] > 0


def _ratio(counts: np.ndarray, metric: str) -> np.ndarray:
    part, whole = METRICS[metric].ratio(*np.moveaxis(counts, -1, 0))
    return _divide(part, whole)


def _sum_images(values: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """Sum of values (seeds, images, classes, n) over the images -> (seeds, classes, n); weighted, (seeds, R, ...)."""
    if weights is None:
        return values.sum(-3)
    seeds, images, *rest = values.shape
    return (weights @ values.reshape(seeds, images, -1)).reshape(seeds, len(weights), *rest)


def _divide(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """``part / whole``; NaN, and no warning, where there is nothing to divide by."""
    return np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0)


def nanmean(values: np.ndarray, axis: int) -> np.ndarray:
    """Mean without NaN; NaN, and no warning, where there is nothing else."""
    there = ~np.isnan(values)
    return _divide(np.where(there, values, 0).sum(axis), there.sum(axis))


def bone_dice(counts: pd.DataFrame) -> float:
    """Mean Dice of the bones in percent, pooled over the images of a table of counts."""
    return 100 * float(score_of(BONE_AVERAGE, "dice")(counts_array([counts]))[0])


def scores_of(counts: pd.DataFrame, basis: str = "pooled") -> pd.DataFrame:
    """All scores of a table of counts: one row per class and average (``AVERAGES``), one column per metric."""
    (array,) = counts_array([counts])
    regions = (*CLASSES, *AVERAGES)
    return pd.DataFrame(
        {metric: [float(score_of(region, metric, basis)(array)) for region in regions] for metric in METRICS},
        index=pd.Index(regions, name="region"),
    )
