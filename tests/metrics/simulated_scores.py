"""Counts of methods whose true differences and spreads are known, and their primary comparisons."""

import numpy as np
from scipy import stats

from sadanet_lab.metrics.scores import BONE_AVERAGE, score_of
from sadanet_lab.metrics.statistics import compare, primary_comparisons
from sadanet_lab.spine.classes import CLASSES

DICE = score_of(BONE_AVERAGE, "dice")
TABLES = 300
SPREADS = {"alike": (0.34, 0.69, 1.02), "unlike": (0.66, 1.60, 1.18)}
"""Standard deviations of a difference in mean bone Dice, in points: between seeds, between images, and of a seed on one
image. Of results/reference/standard-cpu (5 seeds x 300 images) the roots of mean variances, as
``test_the_simulated_spreads_are_those_of_standard`` computes them: "alike" between SADANet and the other rows of Table
II, "unlike" between SADANet and those of Table I."""


def simulated(rng, gains, seeds=3, images=29, spreads=(0, 0, 0), common=1.0):
    """Counts, one array a method; its true Dice is 75 % and its gain (points).

    spreads: of a difference, as in ``SPREADS``. Methods share the images' sizes and difficulty, and, of so many points,
    what each seed does to all of them. FP equals FN, so that an image's Dice is the share found.
    """
    size = rng.integers(4000, 12000, (images, len(CLASSES)))
    of_seed, of_image, of_both = np.array(spreads) / 2**0.5  # each of the two methods has half of the variance
    base = 6 * rng.normal(size=images) + common * rng.normal(size=(seeds, 1))
    arrays = []
    for gain in gains:
        own = of_seed * rng.normal(size=(seeds, 1)) + of_image * rng.normal(size=images)
        dice = 75 + gain + base + own + of_both * rng.normal(size=(seeds, images))
        tp = np.round(np.clip(dice / 100, 0, 1)[..., None] * size).astype(int)
        arrays.append(np.stack([tp, size - tp, size - tp, 200_000 - 2 * size + tp], -1))
    return arrays


def table(rng, gains, **sizes):
    """The primary comparisons of the first method with the others."""
    counts = dict(zip("abcdefghij", simulated(rng, gains, **sizes), strict=False))
    return compare(counts, primary_comparisons("a", counts))


def at_most(share, number):
    """So many hits at the utmost, if each has this probability: all but one in a thousand."""
    return stats.binom.ppf(0.999, number, share)
