"""What Dice, IoU and recall owe each other: against counts, and the bound on the deviation against a linear program."""

import numpy as np
import pytest
from scipy.optimize import linprog

from sadanet_lab.metrics import consistency


def test_iou_and_precision_from_counts():
    tp, fp, fn = 70.0, 20.0, 10.0
    dice, recall = 2 * tp / (2 * tp + fp + fn), tp / (tp + fn)
    assert consistency.pooled_iou(dice) == pytest.approx(tp / (tp + fp + fn))
    assert consistency.precision(dice, recall) == pytest.approx(tp / (tp + fp))


def least_by_program(dice, iou, steps=4000):
    """The smallest deviation of any distribution on a fine grid of 0..1 that has this mean Dice and mean IoU."""
    x = np.linspace(0, 1, steps + 1)
    constraints = [np.ones_like(x), x, x / (2 - x)]
    found = linprog((x - dice) ** 2, A_eq=constraints, b_eq=[1, dice, iou], bounds=(0, None), method="highs")
    return np.sqrt(found.fun) if found.success else np.inf


@pytest.mark.parametrize(("dice", "iou"), [(0.8440, 0.7652), (0.7636, 0.6424), (0.7838, 0.6592), (0.3, 0.25)])
def test_the_bound_is_the_least_of_all_distributions(dice, iou):
    assert consistency.smallest_deviation(dice, iou) == pytest.approx(least_by_program(dice, iou), abs=2e-4)


def test_the_bound_written_out_for_seams_lump():
    """D = 84.40, IoU 76.52: E = 0.7652 - 0.8440 / 1.1560 = 0.035096; variance u E s^2 / (2 u - E s)."""
    excess = 0.7652 - 0.8440 / 1.1560
    variance = 0.1560 * excess * 1.1560**2 / (2 * 0.1560 - excess * 1.1560)
    assert consistency.smallest_deviation(0.8440, 0.7652) == pytest.approx(np.sqrt(variance))
    assert np.sqrt(variance) == pytest.approx(0.1642, abs=5e-5)
    assert consistency.deviation_to_second_order(0.8440, 0.7652) == pytest.approx(np.sqrt(excess * 1.1560**3 / 2))
    assert np.sqrt(excess * 1.1560**3 / 2) == pytest.approx(0.1646, abs=5e-5)


def test_no_images_lie_below_the_bound_and_two_values_reach_it():
    random = np.random.default_rng(0)
    for _ in range(300):
        x = random.beta(*random.uniform(0.2, 8, 2), 40)
        least = consistency.smallest_deviation(x.mean(), consistency.pooled_iou(x).mean())
        assert least <= x.std() + 1e-12
        two = np.where(np.arange(40) < random.integers(1, 40), 1.0, random.uniform(0, 0.9))
        least = consistency.smallest_deviation(two.mean(), consistency.pooled_iou(two).mean())
        assert least == pytest.approx(two.std())


def test_nothing_is_needed_below_the_pooled_iou_and_too_much_is_impossible():
    assert consistency.smallest_deviation(0.8, 0.8 / 1.2) == 0
    assert consistency.smallest_deviation(0.8, 0.5) == 0
    assert consistency.deviation_to_second_order(0.8, 0.5) == 0
    assert np.isinf(consistency.smallest_deviation(0.8, 0.81))  # a mean IoU above the mean Dice
    assert consistency.smallest_deviation(0.8, 0.8) == pytest.approx(np.sqrt(0.8 * 0.2))  # every image 0 or 1
