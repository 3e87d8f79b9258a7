"""Which differences between methods survive: intervals, tests, and a verdict in a line.

The scores of a method are an array ``counts`` (seeds, images, classes, 4) of TP, FP, FN, TN; all methods share their
images. A difference is the mean over seeds of one method's score minus the other's.

- **Interval**, 95 %. Test images are resampled together for both methods (paired bootstrap). With one seed the interval
  is that bootstrap's percentiles and speaks of these two trained networks alone. With several, the variance between
  seeds is added to the bootstrap's, and the interval is Student's with Welch and Satterthwaite's degrees of freedom:
  three seeds say little of the spread of a training, and the interval is as wide as that.
- **Test**: paired permutation over images. Were these networks alike, each image's counts could be exchanged between
  them; p is the share of exchanges whose difference is at least as large, two-sided (scipy). It knows images only: a
  lucky seed is the same on all of them, and only the interval can tell.
- **Correction**: Holm's, over all comparisons made together, so that a false alarm anywhere among them is
  as rare as alpha.

A difference is called separable if its interval leaves out 0 and its corrected p is below alpha; of one seed each, this
is said of the networks, not of the methods.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import permutation_test, t

from sadanet_lab.errors import BadInput
from sadanet_lab.metrics.scores import BONE_REGIONS, Score, nanmean, score_of

ALPHA = 0.05
RESAMPLES = 2000
PERMUTATIONS = 9999
"""Enough that the smallest p there can be, 2 in 10,000, outlives the correction for some hundred comparisons."""


def interval(one: np.ndarray, other: np.ndarray, score: Score, seed: int = 0) -> tuple[float, float]:
    """95 % interval of score(one) - score(other); (NaN, NaN) with a single image or an undefined score."""
    images = one.shape[1]
    if images < 2:
        return np.nan, np.nan
    rng = np.random.default_rng(seed)
    differences = []
    for _ in range(0, RESAMPLES, 250):  # in parts, for the memory's sake
        weights = _times_chosen(rng.integers(images, size=(250, images)), images)
        parts = [nanmean(score(counts, weights), 0) for counts in (one, other)]
        differences.append(parts[0] - parts[1])
    differences = np.concatenate(differences)
    if np.isnan(differences).mean() > ALPHA:  # in so few images that many resamples lack it
        return np.nan, np.nan
    # Variance and degrees of freedom: of the images, then of each method's seeds.
    terms = [(np.nanvar(differences), images - 1)]
    terms += [(np.nanvar(score(c), ddof=1) / len(c), len(c) - 1) for c in (one, other) if len(c) > 1]
    total = sum(variance for variance, _ in terms)
    if len(terms) == 1 or total == 0:
        low, high = np.nanpercentile(differences, [100 * ALPHA / 2, 100 * (1 - ALPHA / 2)])
        return float(low), float(high)
    freedom = total**2 / sum(variance**2 / df for variance, df in terms)
    half = t.ppf(1 - ALPHA / 2, freedom) * np.sqrt(total)
    middle = _difference(one, other, score)
    return float(middle - half), float(middle + half)


def permutation_p(one: np.ndarray, other: np.ndarray, score: Score, seed: int = 0) -> float:
    """Two-sided p of the paired permutation test over images; NaN with a single image or an undefined score.

    Both have the same number of seeds, exchanged together; raises ``BadInput`` otherwise.
    """
    if len(one) != len(other):
        raise BadInput(f"seeds: found {len(one)} of one method and {len(other)} of the other; expected as many of each")
    images = one.shape[1]
    if images < 2 or np.isnan(_difference(one, other, score)):
        return np.nan
    both = np.concatenate([one, other], axis=1)  # images of the one, then of the other

    def statistic(x: np.ndarray, y: np.ndarray, axis: int) -> np.ndarray:
        sides = [np.moveaxis(each, axis, -1) for each in (x, y)]
        scores = [score(both, _times_chosen(side.reshape(-1, images), 2 * images)) for side in sides]
        return nanmean(scores[0] - scores[1], 0).reshape(sides[0].shape[:-1])

    found = permutation_test(
        (np.arange(images), np.arange(images, 2 * images)),
        statistic,
        permutation_type="samples",
        vectorized=True,
        n_resamples=PERMUTATIONS,
        batch=500,
        rng=np.random.default_rng(seed),
    )
    return float(found.pvalue)


def _times_chosen(chosen: np.ndarray, number: int) -> np.ndarray:
    """Rows of indices (R, n) -> how often each of 0..number - 1 stands in a row, (R, number)."""
    rows = np.repeat(np.arange(len(chosen)), chosen.shape[1])
    return np.bincount(rows * number + chosen.ravel(), minlength=len(chosen) * number).reshape(-1, number).astype(float)


def _difference(one: np.ndarray, other: np.ndarray, score: Score) -> float:
    return float(nanmean(score(one), -1) - nanmean(score(other), -1))


def holm(p: Iterable[float]) -> np.ndarray:
    """Holm's corrected p of comparisons made together; a NaN stays one and is not counted as a comparison.

    The k-th smallest of n is multiplied by n - k + 1, made no smaller than those before it, and cut at 1 (Holm, 1979).
    """
    p = np.asarray(list(p), float)
    order = np.argsort(p)[: (~np.isnan(p)).sum()]  # numpy sorts NaN to the end
    corrected = np.full(len(p), np.nan)
    corrected[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1)), 1)
    return corrected


@dataclass(frozen=True)
class Comparison:
    """What is compared: ``method`` minus ``other``, in a region and metric."""

    method: str
    other: str
    region: str
    metric: str = "dice"


_COMPARED = ["method", "other", "region", "metric", "mean", "mean_other", "difference", "low", "high", "p"]
_COMPARED += ["seeds", "images"]


def compare(counts: dict[str, np.ndarray], comparisons: Iterable[Comparison], basis: str = "pooled") -> pd.DataFrame:
    """Each comparison with its interval and corrected p, scores in percent.

    counts: method -> (seeds, images, classes, 4). Columns method, other, region, metric, mean, mean_other,
    difference, low, high, p, p_corrected, seeds, images, separable.
    """
    rows = []
    for comparison in comparisons:
        one, other = counts[comparison.method], counts[comparison.other]
        score = score_of(comparison.region, comparison.metric, basis)
        low, high = interval(one, other, score)
        rows.append(
            {
                **vars(comparison),
                "mean": 100 * float(nanmean(score(one), -1)),
                "mean_other": 100 * float(nanmean(score(other), -1)),
                "difference": 100 * _difference(one, other, score),
                "low": 100 * low,
                "high": 100 * high,
                "p": permutation_p(one, other, score),
                "seeds": len(one),
                "images": one.shape[1],
            }
        )
    table = pd.DataFrame(rows, columns=_COMPARED)
    table["p_corrected"] = holm(table.p)
    table["separable"] = ((table.low > 0) | (table.high < 0)) & (table.p_corrected < ALPHA)
    return table


def differences_to(method: str, counts: dict[str, np.ndarray], basis: str = "pooled") -> pd.DataFrame:
    """``compare`` of a method with every other on the Dice of each bone and their average, corrected together.

    If the method is not among ``counts``, the first takes its place. A method alone has no differences: no rows.
    """
    method = method if method in counts else next(iter(counts))
    return compare(counts, [Comparison(method, o, r) for r in BONE_REGIONS for o in counts if o != method], basis)
