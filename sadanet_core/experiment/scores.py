"""Every score from the stored counts: TP, FP, FN, TN of each test image and class, in pixels.

A table of counts has the columns stem, class, tp, fp, fn, tn. The scores, as fractions 0..1:

    dice      2 TP / (2 TP + FP + FN)              Eq. (8)
    iou       TP / (TP + FP + FN)                  Eq. (9)
    recall    TP / (TP + FN)                       what the paper's tables print as "Acc"
    accuracy  (TP + TN) / (TP + TN + FP + FN)      Eq. (10), what the paper's text calls "Acc"

**Absent classes.** A class that is neither in the masks nor predicted scores NaN, and NaN is left out of every mean,
never counted as 0 or 1. One that is predicted but not there has dice and iou 0 and recall NaN.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from sadanet_core.errors import BadInput
from sadanet_core.images.classes import BONES, CLASSES

AVERAGES = {"average_3_bones": list(BONES), "average_4_classes": list(CLASSES)}
"""Both bases that the paper's "Ave." columns mix."""


def confusion(truth: np.ndarray, predicted: np.ndarray, stem: str) -> pd.DataFrame:
    """Pixels of one image by true and predicted class, from two label maps (H, W).

    Columns stem, class (of the mask), then one of pixels for each predicted class.
    """
    n = len(CLASSES)
    pixels = np.bincount(truth.ravel().astype(np.intp) * n + predicted.ravel(), minlength=n * n).reshape(n, n)
    return pd.DataFrame({"stem": stem, "class": CLASSES, **dict(zip(CLASSES, pixels.T, strict=True))})


def counts_of(confusion: pd.DataFrame) -> pd.DataFrame:
    """Counts of one image from its ``confusion``: a row a class."""
    pixels = confusion[list(CLASSES)].to_numpy()
    tp = pixels.diagonal()
    fp, fn = pixels.sum(0) - tp, pixels.sum(1) - tp
    counts = {"tp": tp, "fp": fp, "fn": fn, "tn": pixels.sum() - tp - fp - fn}
    return confusion[["stem", "class"]].assign(**counts)


def count(truth: np.ndarray, predicted: np.ndarray, stem: str) -> pd.DataFrame:
    """Counts of one image from two label maps (H, W): a row a class."""
    return counts_of(confusion(truth, predicted, stem))


def ratios(counts: pd.DataFrame) -> pd.DataFrame:
    """The four scores of each row of a table with the columns tp, fp, fn, tn."""
    tp, fp, fn, tn = (counts[c].astype(float) for c in ("tp", "fp", "fn", "tn"))

    def share(part: pd.Series, whole: pd.Series) -> pd.Series:
        return part / whole.where(whole > 0)

    return pd.DataFrame(
        {
            "dice": share(2 * tp, 2 * tp + fp + fn),
            "iou": share(tp, tp + fp + fn),
            "recall": share(tp, tp + fn),
            "accuracy": share(tp + tn, tp + tn + fp + fn),
        }
    )


def pooled(counts: pd.DataFrame) -> pd.DataFrame:
    """Scores of all test pixels taken together, as MMSegmentation prints them.

    A row a class and a row an average (``AVERAGES``), a column a score.
    """
    totals = counts.groupby("class", sort=False)[["tp", "fp", "fn", "tn"]].sum()
    return _with_averages(ratios(totals))


def per_image(counts: pd.DataFrame) -> pd.DataFrame:
    """Mean over images of each image's scores; same form as ``pooled``."""
    scored = ratios(counts).assign(**{"class": counts["class"]})
    return _with_averages(scored.groupby("class", sort=False).mean())


def _with_averages(scores: pd.DataFrame) -> pd.DataFrame:
    averages = {name: scores.loc[members].mean() for name, members in AVERAGES.items()}
    return pd.concat([scores, pd.DataFrame(averages).T])


BASES = {"pooled": pooled, "per-image": per_image}


def scorer(basis: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """``pooled`` or ``per_image`` by name; raises ``BadInput`` for another."""
    if basis not in BASES:
        raise BadInput(f"basis: found {basis!r}; expected {' or '.join(BASES)}")
    return BASES[basis]
