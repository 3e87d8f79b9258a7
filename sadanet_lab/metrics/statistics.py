"""Differences between methods: intervals, tests that know about seeds, what could have been found, and verdicts.

The scores of a method are an array ``counts`` (seeds, images, classes, 4) of TP, FP, FN, TN. All methods share their
images, and their seeds: patches depend on seed and step alone, so a seed deals both methods the same hand (common
random numbers). A difference is therefore taken seed by seed, d_s = one's score - other's, in points of percent, and
its mean D speaks of new trainings on the same training images, and of new test images; how much another training set
would change is not known of it. Its variance has two parts, each with its degrees of freedom:

    between seeds       A = var(d_1 ... d_S) / S                                  S - 1
    of the test set     B = variance of D in a paired bootstrap over the I images     I - 1

What a seed does to single images (the interaction) is in both. It is counted twice, which errs on the safe side, and
costs little: A, whose t is the larger by far, holds it in any case.

**Interval and p.** H(alpha)^2 = t(alpha, S - 1)^2 A + t(alpha, I - 1)^2 B, with two-sided t. The interval is D +- H(5%)
and p is the alpha at which D +- H reaches 0 (Banerjee, 1960, Sankhya 22). Without one of the parts this is Student's
own t of the other: without B, the paired t test over seeds. For normal effects it errs no more often than alpha:
(D - truth)^2 / variance is chi-squared with one degree of freedom, whose distribution function is concave, and H^2 is a
weighted mean of two squares that each err alpha of the time (Jensen). One t with Welch and Satterthwaite's degrees of
freedom does not keep that promise in the tails that Holm's correction asks for: where A is small by luck, B's many
degrees of freedom are taken for A's. By it, in simulated tables of nine equal methods with 3 seeds, some method stood
out in 8 % (29 images) to 17 % (300 images) of them; by H in about 4 %, which tests/metrics/test_statistics_of_tables.py
holds below 7 %.

**One primary question**: the mean Dice of the bones, every other method against one (``differences_to``). p is
corrected by Holm (1979) over these m comparisons. All else is exploratory: an uncorrected interval and no verdict.

**Smallest difference**: the true difference that is found with 80 % power, were the two variances as estimated. It is
computed at Holm's first step, alpha / m, which is the strictest; an exploratory one at alpha.

**Equivalence**: two one-sided tests within +-0.5 points (Schuirmann, 1987), with the same H; p is the larger of the
two. These m are a family of their own, Holm-corrected among themselves: that something differs and that something is
alike are two statements, and each is false anywhere in a table at most 5 % of the time.

**Verdict**: "equivalent", if that is shown, even where the difference is surely not zero; otherwise "above" or
"below", if a difference is shown; otherwise "undecided". One seed says nothing of a method: its interval speaks of the
images alone, there is no p, and the verdict is "undecided".
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
import pandas as pd
from scipy.optimize import root_scalar
from scipy.special import ndtr, stdtrit
from scipy.stats import chi2

from sadanet_lab.errors import BadInput
from sadanet_lab.metrics.scores import BONE_AVERAGE, Score, score_of
from sadanet_lab.spine.classes import BONES

ALPHA = 0.05
POWER = 0.8
MOST_UNDEFINED = 0.05
"""Share of resamples without a score from which on a class is in too few images for an interval."""
MARGIN = 0.5
"""Points of Dice; less than that between two methods is called equivalent."""
RESAMPLES = 2000
SCATTERED = 64
"""Values that stand for the scatter of an estimated variance."""
PRIMARY, EXPLORATORY = "primary", "exploratory"
VERDICTS = ("above", "below", "equivalent", "undecided")
_LOG_P_MIN = np.log(1e-100)


@dataclass(frozen=True)
class Estimate:
    """A difference, in points of percent, and the parts of its variance, each with its degrees of freedom."""

    difference: float
    parts: tuple[tuple[float, int], ...]

    def half_width(self, alpha: float = ALPHA) -> float:
        """H(alpha) of the module's docstring; NaN where the variance is not known."""
        return float(np.sqrt(sum(variance * stdtrit(df, alpha / 2) ** 2 for variance, df in self.parts)))

    @property
    def limits(self) -> tuple[float, float]:
        """Of the 95 % interval: the difference +- H(5%)."""
        half = self.half_width()
        return self.difference - half, self.difference + half

    def p_away(self, distance: float) -> float:
        """Two-sided p of a truth so far away from the difference: the alpha at which H is the distance."""
        if np.isnan(self.half_width()):
            return np.nan
        if distance == 0:
            return 1.0
        if self.half_width(np.exp(_LOG_P_MIN)) < distance:
            return 0.0
        return float(np.exp(_root(lambda log_p: self.half_width(np.exp(log_p)) - distance, _LOG_P_MIN, 0)))

    @property
    def p(self) -> float:
        """That the difference is zero."""
        return self.p_away(abs(self.difference))

    def p_equivalent(self) -> float:
        """That the difference is ``MARGIN`` or more, either way: the larger p of the two one-sided tests."""
        inside = MARGIN - abs(self.difference)
        p = self.p_away(abs(inside)) / 2
        return p if inside > 0 else 1 - p

    def smallest(self, alpha: float = ALPHA, power: float = POWER) -> float:
        """The true difference that is told from zero, at level ``alpha``, with this power.

        Both parts are taken as true; the widths that a repetition would find follow from their chi-squared scatter.
        """
        error = np.sqrt(sum(variance for variance, _ in self.parts))
        if not error > 0:
            return float(error)
        squares = [v * stdtrit(df, alpha / 2) ** 2 * _scatter(df) for v, df in self.parts]
        widths = np.sqrt(sum(np.ix_(*squares)))
        return _root(lambda d: float(ndtr((d - widths) / error).mean()) - power, 0, widths.max() + 5 * error)


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    return float(root_scalar(function, bracket=(low, high)).root)


@cache
def _scatter(df: int) -> np.ndarray:
    """``SCATTERED`` equally likely values of an estimated variance with ``df`` degrees of freedom whose truth is 1."""
    return chi2.ppf((np.arange(SCATTERED) + 0.5) / SCATTERED, df) / df


def estimate(one: np.ndarray, other: np.ndarray, score: Score, seed: int = 0) -> Estimate:
    """score(one) - score(other), paired by seed and by image; of one seed, with the part of the images alone.

    The variance is NaN with a single image, an undefined score, or where the score is undefined in more than 5 % of
    the resamples: a class that is in so few images. Raises ``BadInput`` if the two don't have as many seeds.
    """
    if len(one) != len(other):
        raise BadInput(f"seeds: found {len(one)} of one method and {len(other)} of the other; expected the same ones")
    seeds, images = one.shape[:2]
    by_seed = 100 * (score(one) - score(other))
    of_images = np.nan
    if images > 1:
        weights = _resampled(images, seed)
        again = 100 * (score(one, weights) - score(other, weights)).mean(0)
        if np.isnan(again).mean() <= MOST_UNDEFINED:
            of_images = float(np.nanvar(again)) * images / (images - 1)  # exact for a mean: a bootstrap's is too small
    over_seeds = estimate_of_seeds(by_seed)
    return Estimate(over_seeds.difference, (*(over_seeds.parts if seeds > 1 else ()), (of_images, images - 1)))


def estimate_of_seeds(by_seed: np.ndarray) -> Estimate:
    """The mean of differences (S,), with the part between the seeds alone: Student's; of one seed that is NaN."""
    seeds = len(by_seed)
    variance = float(np.var(by_seed, ddof=1)) / seeds if seeds > 1 else np.nan
    return Estimate(float(np.mean(by_seed)) if seeds else np.nan, ((variance, seeds - 1),))


@lru_cache(maxsize=2)
def _resampled(images: int, seed: int) -> np.ndarray:
    """How often each image is drawn, (RESAMPLES, images). All comparisons share these test sets."""
    drawn = np.random.default_rng(seed).multinomial(images, np.full(images, 1 / images), size=RESAMPLES)
    return drawn.astype(float)


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


_COMPARED = ["role", "method", "other", "region", "metric", "mean", "mean_other", "difference", "low", "high"]
_COMPARED += ["se_seeds", "se_images", "p", "p_equivalent", "smallest", "seeds", "images"]


def compare(
    counts: dict[str, np.ndarray],
    primary: Sequence[Comparison],
    exploratory: Iterable[Comparison] = (),
    basis: str = "pooled",
) -> pd.DataFrame:
    """Each comparison, scores in percent: the primary ones with a verdict, the exploratory ones with an interval.

    counts: method -> (seeds, images, classes, 4). Columns role, method, other, region, metric, mean, mean_other,
    difference, low, high, se_seeds and se_images (roots of A and B), p and p_equivalent (uncorrected), smallest, seeds,
    images, p_corrected, p_equivalent_corrected, verdict. The last three are NaN, NaN and "" where exploratory; with one
    seed each p and ``smallest`` are NaN.
    """
    rows = [_row(counts, c, PRIMARY, basis, len(primary)) for c in primary]
    rows += [_row(counts, c, EXPLORATORY, basis, 1) for c in exploratory]
    table = pd.DataFrame(rows, columns=_COMPARED)
    first = table.role == PRIMARY
    table["p_corrected"] = holm(table.p.where(first))
    table["p_equivalent_corrected"] = holm(table.p_equivalent.where(first))
    table["verdict"] = [_verdict(row) if row.role == PRIMARY else "" for row in table.itertuples()]
    return table


def _row(counts: dict[str, np.ndarray], comparison: Comparison, role: str, basis: str, together: int) -> dict:
    """together: the number of comparisons that p is corrected for."""
    one, other = counts[comparison.method], counts[comparison.other]
    score = score_of(comparison.region, comparison.metric, basis)
    found = estimate(one, other, score)
    low, high = found.limits
    *of_seeds, of_images = (variance**0.5 for variance, _ in found.parts)
    tested = bool(of_seeds)
    return {
        "role": role,
        **vars(comparison),
        "mean": 100 * float(score(one).mean()),
        "mean_other": 100 * float(score(other).mean()),
        "difference": found.difference,
        "low": low,
        "high": high,
        "se_seeds": of_seeds[0] if tested else np.nan,
        "se_images": of_images,
        "p": found.p if tested else np.nan,
        "p_equivalent": found.p_equivalent() if tested else np.nan,
        "smallest": found.smallest(ALPHA / together) if tested else np.nan,
        "seeds": len(one),
        "images": one.shape[1],
    }


def _verdict(row) -> str:
    """One of ``VERDICTS``; a NaN is below no level."""
    if row.p_equivalent_corrected < ALPHA:
        return "equivalent"
    if row.p_corrected < ALPHA:
        return "above" if row.difference > 0 else "below"
    return "undecided"


def primary_comparisons(method: str, counts: Iterable[str]) -> list[Comparison]:
    """The method against every other, on the mean Dice of the bones."""
    return [Comparison(method, other, BONE_AVERAGE) for other in counts if other != method]


def differences_to(method: str, counts: dict[str, np.ndarray], basis: str = "pooled") -> pd.DataFrame:
    """``compare`` of a method with every other: the mean Dice of the bones, and, exploratory, each bone's.

    If the method is not among ``counts``, the first takes its place. One method or none has no differences: no rows.
    """
    method = method if method in counts else next(iter(counts), method)
    bones = [Comparison(method, other, bone) for bone in BONES for other in counts if other != method]
    return compare(counts, primary_comparisons(method, counts), bones, basis)
