"""How well two readings of the same things agree: limits of agreement and intraclass correlation."""

import numpy as np
from scipy.stats import f

WITHIN = 1.96
"""Standard deviations either side of the bias within which 95 % of differences lie, if they are normal."""


def limits_of_agreement(differences: np.ndarray) -> tuple[float, float, float]:
    """(bias, low, high): mean of the differences (N,) and their 95 % limits of agreement (Bland and Altman, 1986).

    NaN where there are too few: none for the bias, fewer than two for the limits.
    """
    bias = float(np.mean(differences)) if len(differences) else np.nan
    reach = WITHIN * float(np.std(differences, ddof=1)) if len(differences) > 1 else np.nan
    return bias, bias - reach, bias + reach


def intraclass_correlation(ratings: np.ndarray, confidence: float = 0.95) -> tuple[float, float, float]:
    """(ICC(2,1), low, high) of n things rated by k raters, (n, k): how well one rating agrees with another.

    Two-way random effects, absolute agreement, single rater: Shrout and Fleiss, Psychol. Bull. 1979, 86; the interval
    is McGraw and Wong's, Psychol. Methods 1996, 1, table 7, ICC(A,1). A bias between raters counts against agreement.
    All three are 1 where all raters say the same, NaN below two things or two raters, or where nothing differs at all.
    """
    n, k = ratings.shape
    if n < 2 or k < 2:
        return np.nan, np.nan, np.nan
    mean, of_things, of_raters = ratings.mean(), ratings.mean(1), ratings.mean(0)
    things = k * ((of_things - mean) ** 2).sum() / (n - 1)
    raters = n * ((of_raters - mean) ** 2).sum() / (k - 1)
    residual = ((ratings - of_things[:, None] - of_raters + mean) ** 2).sum() / ((n - 1) * (k - 1))
    if (ratings == ratings[:, :1]).all():
        return (1.0, 1.0, 1.0) if things > 0 else (np.nan, np.nan, np.nan)
    icc = (things - residual) / (things + (k - 1) * residual + k * (raters - residual) / n)
    a, b = k * icc / (n * (1 - icc)), 1 + k * icc * (n - 1) / (n * (1 - icc))
    # Satterthwaite's degrees of freedom of a raters + b residual.
    df = (a * raters + b * residual) ** 2 / ((a * raters) ** 2 / (k - 1) + (b * residual) ** 2 / ((n - 1) * (k - 1)))
    above, below = f.ppf((1 + confidence) / 2, (n - 1, df), (df, n - 1))
    within = k * raters + (k * n - k - n) * residual
    low = n * (things - above * residual) / (above * within + n * things)
    high = n * (below * things - residual) / (within + n * below * things)
    return float(icc), float(low), float(high)
