"""One comparison: intervals, tests, power and verdicts, on simulated scores of known truth, and by other means."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from simulated_scores import DICE, SPREADS, TABLES, at_most, simulated, table

from sadanet_lab.errors import BadInput
from sadanet_lab.metrics.scores import BONE_AVERAGE, score_of
from sadanet_lab.metrics.statistics import (
    ALPHA,
    MARGIN,
    POWER,
    Comparison,
    Estimate,
    compare,
    differences_to,
    estimate,
    estimate_of_seeds,
    holm,
)
from sadanet_lab.spine.classes import BONES, CLASSES

# --- interval and p ---


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_without_a_spread_over_images_it_is_the_paired_t_test_over_seeds(seeds):
    counts = simulated(np.random.default_rng(0), (0.5, 0), seeds, images=1, spreads=(0.5, 0, 0))
    one, other = (np.repeat(each, 10, axis=1) for each in counts)
    found, expected = estimate(one, other, DICE), stats.ttest_rel(100 * DICE(one), 100 * DICE(other))
    assert found.p == pytest.approx(expected.pvalue)
    low, high = expected.confidence_interval()
    assert found.limits == pytest.approx((low, high))
    of_seeds = estimate_of_seeds(100 * (DICE(one) - DICE(other)))
    assert (of_seeds.difference, of_seeds.limits) == (pytest.approx(found.difference), pytest.approx((low, high)))


def test_an_average_over_a_class_in_too_few_images_has_no_interval_over_images_like_the_class():
    """Every third resample of 20 images holds none of the one that has lumps: its average is of other classes."""
    one, other = simulated(np.random.default_rng(0), (0.5, 0), 1, 20, spreads=(0, 2, 0))
    for counts in (one, other):
        counts[:, 1:, CLASSES.index("lump"), :3] = 0
    for region in ("lump", BONE_AVERAGE):
        found = estimate(one, other, score_of(region, "dice"))
        assert np.isfinite(found.difference), region
        assert np.isnan(found.limits).all(), region
    assert np.isfinite(estimate(one, other, score_of("rib", "dice")).limits).all()


def test_one_seed_has_no_spread_and_none_has_no_mean():
    assert estimate_of_seeds(np.array([2.0])).difference == 2
    assert np.isnan(estimate_of_seeds(np.array([2.0])).limits).all()
    assert np.isnan(estimate_of_seeds(np.array([])).difference)


@pytest.mark.parametrize("images", [5, 29])
def test_without_a_spread_over_seeds_it_is_the_t_test_over_images(images):
    """Of images of one size, whose pooled Dice is the mean; the bootstrap's variance is known to some percent."""
    one, other = simulated(np.random.default_rng(0), (0.5, 0), 1, images, spreads=(0, 2, 0), common=0)
    one, other = (
        np.repeat(np.round(1e6 * each / each[..., :2].sum(-1, keepdims=True)), 3, axis=0) for each in (one, other)
    )
    found = estimate(one, other, score_of("rib", "dice"))
    of_images = [100 * each[0, :, 1, 0] / each[0, :, 1, :2].sum(-1) for each in (one, other)]
    expected = stats.ttest_rel(*of_images)
    assert found.half_width() == pytest.approx(np.ptp(expected.confidence_interval()) / 2, rel=0.05)
    assert found.parts[0] == (pytest.approx(0, abs=1e-12), 2)


@pytest.mark.parametrize("alpha", [ALPHA, ALPHA / 8])
@pytest.mark.parametrize("of_seeds", [0.01, 0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_whatever_the_shares_of_seeds_and_images_it_errs_no_more_often_than_alpha(seeds, of_seeds, alpha):
    rng, trials = np.random.default_rng(0), 4000
    parts = ((of_seeds, seeds - 1), (1 - of_seeds, 299))
    scatter = [variance * rng.chisquare(df, trials) / df for variance, df in parts]
    widths = [Estimate(0, ((a, seeds - 1), (b, 299))).half_width(alpha) for a, b in zip(*scatter, strict=True)]
    assert (np.abs(rng.normal(size=trials)) > widths).sum() <= at_most(alpha, trials)


def test_p_and_interval_say_the_same():
    rng = np.random.default_rng(0)
    for _ in range(200):
        found = Estimate(rng.normal(), ((rng.exponential(0.1), 2), (rng.exponential(0.1), 28)))
        for alpha in (0.2, ALPHA, 0.001):
            assert (found.p < alpha) == (found.half_width(alpha) < abs(found.difference))
        assert found.half_width(found.p) == pytest.approx(abs(found.difference))


def test_the_interval_covers_the_true_difference_as_often_as_it_says():
    rng = np.random.default_rng(2)
    missed = 0
    for _ in range(TABLES):
        found = estimate(*simulated(rng, (1, 0), spreads=SPREADS["unlike"]), DICE)
        missed += abs(found.difference - 1) > found.half_width()
    assert 0 < missed <= at_most(ALPHA, TABLES)


def test_what_a_seed_does_to_both_methods_cancels():
    widths = []
    for common in (0, 5):
        one, other = simulated(np.random.default_rng(0), (0.5, 0), spreads=(0.3, 0.5, 0.5), common=common)
        widths.append(estimate(one, other, DICE).half_width())
    assert widths[1] == pytest.approx(widths[0], rel=0.1)
    assert estimate(one, other[[1, 2, 0]], DICE).half_width() > 3 * widths[1]  # seeds mistaken for each other


def test_images_are_paired():
    one, other = simulated(np.random.default_rng(0), (0.5, 0), spreads=(0, 0.1, 0.1))
    assert estimate(one, other, DICE).p < 0.05
    shuffled = estimate(one, other[:, np.random.default_rng(1).permutation(29)], DICE)
    assert shuffled.half_width() > 5 * estimate(one, other, DICE).half_width()


def test_a_method_and_itself_are_equivalent_for_certain():
    (one,) = simulated(np.random.default_rng(0), (0,))
    found = compare({"a": one, "b": one}, [Comparison("a", "b", BONE_AVERAGE)]).iloc[0]
    assert found[["difference", "low", "high", "smallest"]].tolist() == [0, 0, 0, 0]
    assert (found.p, found.p_equivalent, found.verdict) == (1, 0, "equivalent")


def test_exchanged_methods_give_the_mirrored_comparison():
    counts = dict(zip("ab", simulated(np.random.default_rng(0), (0.5, 0), spreads=SPREADS["alike"]), strict=True))
    there, back = (compare(counts, [Comparison(*pair, BONE_AVERAGE)]).iloc[0] for pair in ("ab", "ba"))
    assert back[["difference", "low", "high"]].tolist() == pytest.approx(
        (-there[["difference", "high", "low"]]).tolist()
    )
    assert back[["p", "smallest", "p_equivalent"]].tolist() == pytest.approx(
        there[["p", "smallest", "p_equivalent"]].tolist()
    )


# --- power and equivalence ---


@pytest.mark.parametrize("alpha", [ALPHA, ALPHA / 8])
@pytest.mark.parametrize("df", [1, 2, 4, 28])
def test_the_smallest_difference_is_that_of_the_noncentral_t(df, alpha):
    smallest = Estimate(0, ((0.09, df),)).smallest(alpha)
    assert stats.nct.sf(stats.t.isf(alpha / 2, df), df, smallest / 0.3) == pytest.approx(POWER, abs=0.005)


def test_of_two_parts_too_it_is_found_as_often_as_it_says():
    rng, trials = np.random.default_rng(0), 4000
    planted = Estimate(0, ((0.05, 2), (0.04, 28))).smallest(ALPHA / 3)
    found = 0
    for difference in rng.normal(planted, 0.3, trials):
        again = Estimate(difference, ((0.05 * rng.chisquare(2) / 2, 2), (0.04 * rng.chisquare(28) / 28, 28)))
        found += again.p < ALPHA / 3
    assert found / trials == pytest.approx(POWER, abs=0.02)


@pytest.mark.parametrize("gain", [-0.8, -0.4, 0, 0.1, 0.49, 0.7])
def test_equivalence_is_schuirmann_s_two_one_sided_tests(gain):
    counts = simulated(np.random.default_rng(1), (gain, 0), seeds=5, images=1, spreads=(0.3, 0, 0))
    one, other = (np.repeat(each, 10, axis=1) for each in counts)
    by_seed = 100 * (DICE(one) - DICE(other))
    above = stats.ttest_1samp(by_seed, -MARGIN, alternative="greater").pvalue
    below = stats.ttest_1samp(by_seed, MARGIN, alternative="less").pvalue
    assert estimate(one, other, DICE).p_equivalent() == pytest.approx(max(above, below))


@pytest.mark.parametrize(
    ("gain", "spread", "verdict"),
    [(3, 0.2, "above"), (-3, 0.2, "below"), (0, 0.05, "equivalent"), (0.2, 0.02, "equivalent"), (0, 3, "undecided")],
)
def test_each_verdict_is_given_where_it_is_planted(gain, spread, verdict):
    found = table(np.random.default_rng(0), (gain, 0), seeds=5, spreads=(spread, 0.1, 0.1)).iloc[0]
    assert found.verdict == verdict


@pytest.mark.parametrize(
    ("gain", "column", "verdicts"), [(0.5, "p", ("above", "below")), (0, "p_equivalent", ("equivalent",))]
)
def test_what_only_the_uncorrected_p_shows_is_undecided(gain, column, verdicts):
    rng = np.random.default_rng(0)
    found = pd.concat(table(rng, [0] + [gain] * 8, seeds=5, images=300, spreads=SPREADS["alike"]) for _ in range(5))
    lost = found[(found[column] < ALPHA) & (found[f"{column}_corrected"] >= ALPHA)]
    assert len(lost)
    assert not lost.verdict.isin(verdicts).any()
    assert found.verdict.isin(verdicts).any()


def test_more_seeds_find_less():
    rng = np.random.default_rng(0)
    few, many = (table(rng, [0] * 9, seeds=n, spreads=SPREADS["alike"]).smallest.median() for n in (3, 5))
    assert many < few / 2


# --- what is said of what is not there ---


def test_one_seed_gives_an_interval_over_images_and_no_verdict():
    counts = dict(zip("ab", simulated(np.random.default_rng(0), (10, 0), seeds=1, spreads=(0, 1, 0)), strict=True))
    found = differences_to("a", counts)
    assert (found.low > 0).all()
    assert (
        found[["p", "p_corrected", "p_equivalent", "p_equivalent_corrected", "smallest", "se_seeds"]]
        .isna()
        .all(axis=None)
    )
    assert found.verdict.tolist() == ["undecided", "", "", ""]


def test_as_many_seeds_of_each_are_expected():
    one, other = simulated(np.random.default_rng(0), (1, 0))
    with pytest.raises(BadInput, match="found 3 of one method and 2 of the other"):
        estimate(one, other[:2], DICE)


def test_a_single_image_has_no_interval_and_no_p():
    found = table(np.random.default_rng(0), (20, 0), images=1).iloc[0]
    assert found.difference > 10
    assert found[["low", "high", "p", "p_corrected", "p_equivalent", "smallest"]].isna().all()
    assert found.verdict == "undecided"


@pytest.mark.parametrize("seeds", [1, 3])
@pytest.mark.parametrize("false_pixels", [(0, 0), (5, 5), (5, 0)])
def test_a_region_absent_from_all_images_is_nan_and_no_comparison(false_pixels, seeds):
    """Whether or not a method invents it."""
    one, other = simulated(np.random.default_rng(0), (1, 0), seeds, spreads=SPREADS["alike"])
    for counts, false in zip((one, other), false_pixels, strict=True):
        counts[:, :, CLASSES.index("lump"), :3] = 0, false, 0
    comparisons = [Comparison("a", "b", region) for region in (*BONES, BONE_AVERAGE)]
    found = compare({"a": one, "b": other}, comparisons).set_index("region")
    told = ["mean", "mean_other", "difference", "low", "high", "p", "p_corrected", "p_equivalent", "smallest"]
    assert found.loc["lump", told].isna().all()
    assert found.verdict["lump"] == "undecided"
    there = found.drop("lump")
    np.testing.assert_allclose(there.p_corrected, holm(there.p))
    assert there.difference.notna().all()


def test_a_region_in_one_image_of_many_has_no_interval():
    one, other = simulated(np.random.default_rng(0), (1, 0), spreads=SPREADS["alike"])
    for counts in (one, other):
        counts[:, 1:, CLASSES.index("lump"), :3] = 0
    found = compare({"a": one, "b": other}, [Comparison("a", "b", "lump")]).iloc[0]
    assert not np.isnan(found.difference)
    assert found[["low", "high", "p"]].isna().all()
