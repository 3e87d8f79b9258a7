"""Limits of agreement and ICC(2,1): published examples, an analysis of variance written out, and simulated coverage."""

import numpy as np
import pytest

from sadanet_lab.metrics.agreement import intraclass_correlation, limits_of_agreement

SHROUT_AND_FLEISS = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], dtype=float
)
"""Table 2 of their paper: six things, four judges. ICC(2,1) is 0.29 there."""


def test_the_published_examples():
    icc, low, high = intraclass_correlation(SHROUT_AND_FLEISS)
    assert icc == pytest.approx(0.29, abs=0.005)
    # The interval that R's psych gives of these data.
    assert (low, high) == pytest.approx((0.019, 0.761), abs=0.0005)
    # McGraw and Wong: 2, 4, 6 against the same plus 2 are 1.00 in consistency and 0.67 in agreement.
    assert intraclass_correlation(np.array([[2.0, 4], [4, 6], [6, 8]]))[0] == pytest.approx(2 / 3)


def residual(ratings: np.ndarray, *factors: np.ndarray) -> float:
    """Sum of squares that a linear model of these columns leaves."""
    design, y = np.hstack(factors), ratings.ravel()
    return ((y - design @ np.linalg.lstsq(design, y, rcond=None)[0]) ** 2).sum()


def test_the_mean_squares_are_those_of_an_analysis_of_variance_of_two_factors():
    """Least squares with dummy variables: what each factor takes off the residuals, over its degrees of freedom."""
    rng = np.random.default_rng(0)
    for n, k in ((12, 2), (7, 3)):
        ratings = rng.normal(20, 8, (n, 1)) + rng.normal(0, 2, (1, k)) + rng.normal(0, 3, (n, k))
        thing, rater = (factor.ravel() for factor in np.indices((n, k)))
        one, things, raters = np.ones((n * k, 1)), np.eye(n)[thing], np.eye(k)[rater]
        both = residual(ratings, one, things, raters)
        error = both / ((n - 1) * (k - 1))
        of_things = (residual(ratings, one, raters) - both) / (n - 1)
        of_raters = (residual(ratings, one, things) - both) / (k - 1)
        # Components of variance from the expected mean squares.
        component, component_of_raters = (of_things - error) / k, (of_raters - error) / n
        expected = component / (component + component_of_raters + error)
        assert intraclass_correlation(ratings)[0] == pytest.approx(expected)


@pytest.mark.parametrize("bias", [0, 2])
def test_the_interval_covers_the_truth_95_times_in_a_hundred(bias):
    """Raters are drawn anew each time, as the model says."""
    rng, covered = np.random.default_rng(1), []
    true = 8**2 / (8**2 + bias**2 + 3**2)
    for _ in range(1000):
        ratings = rng.normal(20, 8, (30, 1)) + rng.normal(0, bias, (1, 2)) + rng.normal(0, 3, (30, 2))
        _, low, high = intraclass_correlation(ratings)
        covered.append(low <= true <= high)
    assert np.mean(covered) == pytest.approx(0.95, abs=0.02)


def test_equal_ratings_agree_fully_and_a_bias_between_raters_counts():
    first = np.array([10.0, 20, 30, 45])
    assert intraclass_correlation(np.stack([first, first], 1)) == (1, 1, 1)
    icc, low, high = intraclass_correlation(np.stack([first, first + 5], 1))
    assert low < icc < high < 1


@pytest.mark.parametrize("ratings", [np.zeros((0, 2)), np.ones((1, 2)), np.ones((5, 2)), np.ones((5, 1))])
def test_what_cannot_be_known_is_nan(ratings):
    assert np.isnan(intraclass_correlation(ratings)).all()


def test_limits_of_agreement_by_hand():
    bias, low, high = limits_of_agreement(np.array([2.0, -8, 0]))
    assert (bias, low, high) == pytest.approx((-2, -2 - 1.96 * 28**0.5, -2 + 1.96 * 28**0.5))
    assert np.isnan(limits_of_agreement(np.array([]))).all()
    assert np.isnan(limits_of_agreement(np.array([3.0]))[1:]).all()
