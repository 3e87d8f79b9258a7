"""What Dice, IoU and recall of one table owe to each other. Fractions 0..1, numbers or arrays of one shape.

With the counts TP, FP, FN of a class pooled over all test pixels, T = TP + FN of them true and P = TP + FP predicted:

    Dice D = 2 TP / (P + T)        IoU I = TP / (P + T - TP)        recall R = TP / T

    I = D / (2 - D)                for TP / (P + T - TP) = (D / 2) / (1 - D / 2)
    P / T = 2 R / D - 1            for P + T = 2 TP / D and TP = R T
    I <= R                         for P + T - TP >= T: no more is found than is there

The first needs pooled counts. A mean over images of each image's scores gives I >= D / (2 - D) in place of it, for
that function is convex (Jensen); how far above is bounded by how much the images differ: ``smallest_deviation``. The
last holds for means over images too. The second is what ``pixel_balance`` builds on.
"""

from typing import Any

import numpy as np

Values = Any
"""A number, an array or a pandas Series of fractions."""


def pooled_iou(dice: Values) -> Values:
    """IoU that a Dice from pooled counts gives: D / (2 - D)."""
    return dice / (2 - dice)


def precision(dice: Values, recall: Values) -> Values:
    """TP / P of pooled counts: 1 / (2 / D - 1 / R). Above 1 where no counts have this Dice and recall."""
    return 1 / (2 / dice - 1 / recall)


def smallest_deviation(dice: Values, iou: Values) -> Values:
    """Smallest standard deviation over images of their Dice with which mean Dice and mean IoU are those given.

    Let X be an image's Dice in [0, 1], D its mean, and f(x) = x / (2 - x) the image's IoU. Exactly,

        f(x) - f(D) - f'(D) (x - D) = 2 (x - D)^2 / ((2 - D)^2 (2 - x)),

    so the excess of the mean IoU, E = mean f(X) - f(D), is the mean of that. The factor grows with x: deviations
    upwards cost least. Of all X with mean D and excess E the smallest variance has the one with two values, 1 and
    some a < D. (For this X there are alpha, beta, gamma with (x - D)^2 - gamma (f(x) - f(D) - f'(D) (x - D)) -
    beta (x - D) - alpha = (x - a)^2 (1 - x) / (2 - x), nowhere negative on [0, 1]; its mean over any other X bounds
    that X's variance from below by alpha + gamma E, and is 0 for this one.) With s = 2 - D and u = 1 - D its mean
    and excess give u v = variance, E = 2 u v / (s (s + v)), where v = D - a, hence

        variance = u E s^2 / (2 u - E s).

    0 where the IoU is at most the pooled one; inf where no images have these means, which is v > D.
    """
    dice, excess = np.asarray(dice, float), np.asarray(iou - pooled_iou(dice), float)
    s, u = 2 - dice, 1 - dice
    with np.errstate(divide="ignore", invalid="ignore"):
        v = excess * s**2 / (2 * u - excess * s)
        deviation = np.sqrt(np.where(excess > 0, u * v, 0))
    return np.where((excess > 0) & ~((v >= 0) & (v <= dice)), np.inf, deviation)[()]


def deviation_to_second_order(dice: Values, iou: Values) -> Values:
    """As ``smallest_deviation``, for small ones of any distribution: E = f''(D) variance / 2, f'' = 4 / (2 - D)^3."""
    excess = iou - pooled_iou(dice)
    return np.sqrt(np.maximum(excess, 0) * (2 - dice) ** 3 / 2)
