"""Is a network as sure as it is right? Its confidence against its accuracy, in ten bins.

A table of calibration has one row per region and bin, with the columns

    region          "all", or "bones": the pixels that are predicted to be one
    bin             0..9, the tenth of 0..1 in which the probability of the predicted class lies
    pixels, confidence, correct     sums over the pixels: their number, those probabilities, and how many are right
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

BINS = 10


def calibration(truth: np.ndarray, labels: np.ndarray, confidence: np.ndarray) -> pd.DataFrame:
    """The sums of one image: its mask, the predicted label map and the probabilities of those labels, each (H, W)."""
    p, labels, truth = confidence.ravel(), labels.ravel(), truth.ravel()
    # One count by bin, rightness and bone, for speed: an image has a million pixels.
    right, bone = labels == truth, labels > 0
    cell = np.minimum((p * BINS).astype(np.intp), BINS - 1) * 4 + right * 2 + bone
    pixels, confidence = (np.bincount(cell, weights, 4 * BINS).reshape(BINS, 2, 2) for weights in (None, p))
    regions = {"all": slice(None), "bones": slice(1, None)}
    return pd.concat(
        pd.DataFrame(
            {
                "region": region,
                "bin": range(BINS),
                "pixels": pixels[..., inside].sum((1, 2)),
                "confidence": confidence[..., inside].sum((1, 2)),
                "correct": pixels[:, 1, inside].sum(1),
            }
        )
        for region, inside in regions.items()
    ).reset_index(drop=True)


def pool(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Sums over images, or over runs."""
    together = pd.concat(tables).groupby(["region", "bin"], sort=False)[["pixels", "confidence", "correct"]]
    return together.sum().reset_index()


def reliability(table: pd.DataFrame) -> pd.DataFrame:
    """region, bin, pixels, and as fractions confidence and accuracy (NaN where a bin is empty)."""
    sums = table.set_index(["region", "bin"])
    filled = sums.pixels.where(sums.pixels > 0)
    means = {"confidence": sums.confidence / filled, "accuracy": sums.correct / filled}
    return sums[["pixels"]].assign(**means).reset_index()


def expected_calibration_error(table: pd.DataFrame) -> pd.Series:
    """For each region, the mean over its pixels of |confidence - accuracy| of their bin; a fraction."""
    bins = reliability(table)
    gaps = (bins.confidence - bins.accuracy).abs() * bins.pixels
    totals = bins.groupby("region", sort=False).pixels.sum()
    return gaps.groupby(bins.region, sort=False).sum() / totals.where(totals > 0)
