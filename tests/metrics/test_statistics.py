"""Intervals, tests and corrections: what they promise, on simulated scores whose truth is known, and by other means."""

from itertools import chain, product

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from sadanet_lab.metrics import statistics
from sadanet_lab.metrics.claims import CLAIMS
from sadanet_lab.metrics.scores import AVERAGES, BASES, score_of
from sadanet_lab.metrics.statistics import Comparison, compare, holm, interval, permutation_p
from sadanet_lab.spine.classes import BONES, CLASSES

REGIONS = (*CLASSES, *AVERAGES)
DICE = score_of("rib", "dice")
TABLES = 200


def simulated(rng, gains, images=29, seeds=1, difficulty=0.08, noise=0.03):
    """Counts, one array a gain; the methods share the images' sizes and difficulty, noise is each image's own.

    FP equals FN, so that the pooled Dice is the mean of the shares found, weighted by size: gains are its differences.
    """
    shape = (images, len(CLASSES))
    size = rng.integers(4000, 12000, shape)
    base = 0.65 + difficulty * rng.normal(size=shape)
    arrays = []
    for gain in gains:
        found = np.clip(base + gain + noise * rng.normal(size=(seeds, *shape)), 0, 1)
        tp = np.round(found * size).astype(int)
        arrays.append(np.stack([tp, size - tp, size - tp, 200_000 - 2 * size + tp], -1))
    return arrays


def within(hits, n=TABLES, p=statistics.ALPHA):
    """Whether so many of n lie in the central 99.9 % of Binomial(n, p): 2 to 21 of 200 at 5 %."""
    return binom.ppf(0.0005, n, p) <= hits <= binom.ppf(0.9995, n, p)


@pytest.fixture(scope="module")
def equal_methods():
    """200 tables of 4 comparisons of equal methods; fewer permutations and resamples, for speed."""
    rng = np.random.default_rng(1)
    comparisons = [Comparison(f"a{i}", f"b{i}", region) for i in range(2) for region in ("rib", "lump")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(statistics, "PERMUTATIONS", 999)
        patch.setattr(statistics, "RESAMPLES", 1000)
        tables = []
        for _ in range(TABLES):
            pairs = [zip((f"a{i}", f"b{i}"), simulated(rng, (0, 0)), strict=True) for i in range(2)]
            tables.append(compare(dict(chain(*pairs)), comparisons))
        return tables


def test_equal_methods_raise_a_false_alarm_once_in_twenty(equal_methods):
    for _, rows in pd.concat(equal_methods).groupby(["method", "region"]):
        assert len(rows) == TABLES
        assert within((rows.p < statistics.ALPHA).sum())
        assert within(((rows.low > 0) | (rows.high < 0)).sum())


def test_corrected_equal_methods_raise_one_anywhere_no_more_often(equal_methods):
    """Of 200 tables at most 21; without correction, about 37 have one."""
    most = binom.ppf(0.9995, TABLES, statistics.ALPHA)
    assert sum((table.p < statistics.ALPHA).any() for table in equal_methods) > most
    assert sum((table.p_corrected < statistics.ALPHA).any() for table in equal_methods) <= most
    assert sum(table.separable.any() for table in equal_methods) <= most


def test_the_interval_covers_the_true_difference_as_often_as_it_says():
    rng = np.random.default_rng(2)
    found = [interval(*simulated(rng, (0.02, 0)), DICE) for _ in range(TABLES)]
    assert within(sum(not low <= 0.02 <= high for low, high in found))


@pytest.mark.parametrize("basis", BASES)
def test_a_planted_difference_is_found_with_its_sign(basis):
    better, worse = simulated(np.random.default_rng(0), (0.05, 0))
    comparisons = [Comparison("better", "worse", r) for r in REGIONS] + [Comparison("worse", "better", "lump")]
    found = compare({"better": better, "worse": worse}, comparisons, basis)
    assert found.separable.all()
    assert (found.low.iloc[:-1] > 0).all()
    assert found.high.iloc[-1] < 0
    assert ((found.low < found.difference) & (found.difference < found.high)).all()


def test_pairing_finds_a_small_constant_difference_among_images_of_unlike_difficulty():
    one, other = simulated(np.random.default_rng(0), (0.005, 0), noise=0.001)
    low, high = interval(one, other, DICE)
    assert 0 < low < 0.005 < high
    assert permutation_p(one, other, DICE) < 0.01
    shuffled = other[:, np.random.default_rng(1).permutation(29)]
    low, high = interval(one, shuffled, DICE)
    assert low < 0 < high
    assert permutation_p(one, shuffled, DICE) > 0.05


def test_the_same_data_give_the_same_interval_and_p():
    one, other = simulated(np.random.default_rng(0), (0.01, 0), seeds=3)
    assert interval(one, other, DICE) == interval(one.copy(), other.copy(), DICE)
    assert permutation_p(one, other, DICE) == permutation_p(one.copy(), other.copy(), DICE)


def test_exchanged_methods_give_the_mirrored_interval_and_the_same_p():
    one, other = simulated(np.random.default_rng(0), (0.01, 0))
    low, high = interval(one, other, DICE)
    assert interval(other, one, DICE) == pytest.approx((-high, -low))
    assert permutation_p(other, one, DICE) == pytest.approx(permutation_p(one, other, DICE), abs=0.03)


def test_one_seed_gives_a_plain_bootstrap_over_images():
    one, other = simulated(np.random.default_rng(0), (0.02, 0), noise=0.05)
    rng = np.random.default_rng(99)
    differences = []
    for _ in range(20_000):
        again = rng.integers(29, size=29)
        tp, fp, fn, _ = one[0, again, 1].sum(0)
        tp_, fp_, fn_, _ = other[0, again, 1].sum(0)
        differences.append(2 * tp / (2 * tp + fp + fn) - 2 * tp_ / (2 * tp_ + fp_ + fn_))
    expected = np.percentile(differences, [2.5, 97.5])
    assert interval(one, other, DICE) == pytest.approx(expected, abs=0.25 * np.std(differences))


def test_identical_images_give_an_interval_without_width():
    one, other = (np.repeat(each, 10, axis=1) for each in simulated(np.random.default_rng(0), (0.05, 0), images=1))
    low, high = interval(one, other, DICE)
    assert low == pytest.approx(high)
    assert low == pytest.approx(float(DICE(one)[0] - DICE(other)[0]))


def test_seeds_widen_the_interval_only_if_they_disagree():
    (one, other) = simulated(np.random.default_rng(0), (0, 0))
    worse, better = (simulated(np.random.default_rng(0), (gain, 0))[0] for gain in (-0.06, 0.06))
    alone = np.ptp(interval(one, other, DICE))
    agreeing = np.ptp(interval(np.concatenate([one] * 3), np.concatenate([other] * 3), DICE))
    disagreeing = np.ptp(interval(np.concatenate([worse, one, better]), np.concatenate([other] * 3), DICE))
    assert agreeing == pytest.approx(alone, rel=0.1)  # Student's in place of the percentiles
    assert disagreeing > 2 * alone


def test_luck_of_the_seeds_is_not_taken_for_a_difference():
    """Equal methods, 3 seeds each, a seed shifting all images alike by 1 point: images alone would not show it."""
    rng = np.random.default_rng(5)
    alarms = 0
    for trial in range(TABLES):
        shifted = simulated(np.random.default_rng(trial), rng.normal(0, 0.01, 6))
        low, high = interval(np.concatenate(shifted[:3]), np.concatenate(shifted[3:]), DICE)
        alarms += low > 0 or high < 0
    assert within(alarms)


def test_images_are_paired_and_seeds_are_not():
    seeds = np.concatenate([simulated(np.random.default_rng(0), (gain,))[0] for gain in (-0.05, 0, 0.05)])
    assert interval(seeds[:1], seeds[:1], DICE) == (0, 0)
    low, high = interval(seeds, seeds, DICE)
    assert low < -0.02 < 0.02 < high


@pytest.mark.parametrize("basis", BASES)
@pytest.mark.parametrize(("images", "seeds"), [(6, 1), (7, 2), (8, 1)])
def test_with_few_images_p_is_the_share_of_all_exchanges_at_least_as_far_apart(images, seeds, basis):
    one, other = simulated(np.random.default_rng(images), (0.02, 0), images, seeds)
    for region, metric in (("rib", "dice"), ("average_3_bones", "recall"), ("lump", "iou")):

        def difference(exchanged, region=region, metric=metric):
            total = 0.0
            for a, b in zip(one, other, strict=True):
                first = np.array([y if e else x for x, y, e in zip(a, b, exchanged, strict=True)])
                second = np.array([x if e else y for x, y, e in zip(a, b, exchanged, strict=True)])
                scores = [float(score_of(region, metric, basis)(each)) for each in (first, second)]
                total += (scores[0] - scores[1]) / seeds
            return total

        observed = abs(difference([False] * images))
        halves = [abs(difference((False, *rest))) for rest in product((False, True), repeat=images - 1)]
        expected = np.mean(np.array(halves) >= observed - 1e-12)  # the other half mirrors this one
        assert permutation_p(one, other, score_of(region, metric, basis)) == pytest.approx(expected)


def test_a_single_image_has_no_interval_and_no_p_and_is_not_separable():
    one, other = simulated(np.random.default_rng(0), (0.2, 0), images=1, seeds=3)
    found = compare({"a": one, "b": other}, [Comparison("a", "b", "rib")]).iloc[0]
    assert found.difference > 10
    assert found[["low", "high", "p", "p_corrected"]].isna().all()
    assert not found.separable


@pytest.mark.parametrize("seeds", [1, 3])
@pytest.mark.parametrize("false_pixels", [(0, 0), (5, 5), (5, 0)])
def test_a_region_absent_from_all_images_is_nan_and_no_comparison(false_pixels, seeds):
    """Whether or not a method invents it."""
    one, other = simulated(np.random.default_rng(0), (0.01, 0), seeds=seeds)
    for counts, false in zip((one, other), false_pixels, strict=True):
        counts[:, :, 3, :3] = 0, false, 0
    comparisons = [Comparison("a", "b", region) for region in BONES]
    found = compare({"a": one, "b": other}, comparisons).set_index("region")
    empty = ["mean", "mean_other", "difference", "low", "high", "p", "p_corrected"]
    assert found.loc["lump", empty].isna().all()
    assert not found.separable["lump"]
    there = compare({"a": one, "b": other}, comparisons[:2]).set_index("region")
    pd.testing.assert_frame_equal(found.drop("lump"), there, check_dtype=False)


def test_holm_is_its_definition():
    rng = np.random.default_rng(0)
    for m in (1, 2, 5, 12):
        p = rng.random(m) ** 3
        expected, largest = np.empty(m), 0.0
        for rank, k in enumerate(np.argsort(p)):
            largest = max(largest, min(1.0, (m - rank) * p[k]))
            expected[k] = largest
        np.testing.assert_allclose(holm(p), expected)
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03]), [0.03, 0.06, 0.06])


def test_holm_keeps_nan_and_does_not_count_it():
    np.testing.assert_allclose(holm([np.nan, 0.01, np.nan, 0.04]), [np.nan, 0.02, np.nan, 0.04])
    assert np.isnan(holm([np.nan, np.nan])).all()
    assert holm([]).shape == (0,)


@pytest.mark.parametrize("basis", BASES)
def test_a_comparison_tells_means_in_percent_and_their_difference(basis):
    one, other = simulated(np.random.default_rng(0), (0.02, 0), seeds=3)
    asked = [Comparison("a", "b", "rib", "iou"), Comparison("b", "a", "average_4_classes", "recall")]
    found = compare({"a": one, "b": other}, asked, basis)
    named = ["method", "other", "region", "metric"]
    told = ["mean", "mean_other", "difference", "low", "high", "p", "seeds", "images", "p_corrected", "separable"]
    assert list(found) == named + told
    assert [Comparison(*row) for row in found[named].itertuples(index=False)] == asked
    assert (found[["seeds", "images"]] == [3, 29]).all(axis=None)
    mean, mean_other = (score_of("rib", "iou", basis)(each).mean() for each in (one, other))
    assert found.iloc[0][["mean", "mean_other"]].tolist() == pytest.approx([100 * mean, 100 * mean_other])
    np.testing.assert_allclose(found.difference, found["mean"] - found.mean_other)
    np.testing.assert_allclose(found.p_corrected, holm(found.p))


def test_no_comparisons_give_the_same_columns_and_no_rows():
    one, other = simulated(np.random.default_rng(0), (0, 0))
    none, some = (compare({"a": one, "b": other}, asked) for asked in ([], [Comparison("a", "b", "rib")]))
    assert list(none) == list(some)
    assert none.empty


def test_differences_are_to_the_method_asked_for_or_the_first():
    counts = dict(zip("abc", simulated(np.random.default_rng(0), (0, 0.01, 0.02)), strict=True))
    found = statistics.differences_to("b", counts)
    asked = [Comparison("b", other, region, "dice") for region in (*BONES, "average_3_bones") for other in "ac"]
    pd.testing.assert_frame_equal(found, compare(counts, asked))
    assert set(statistics.differences_to("SADANet", counts).method) == {"a"}
    assert statistics.differences_to("a", {"a": counts["a"]}).empty


def test_the_clearest_difference_survives_the_correction_of_the_largest_table():
    one, other = simulated(np.random.default_rng(0), (0.3, 0))
    comparisons = max(sum(len(c.comparisons) for c in CLAIMS if c.table == table) for table in ("I", "II", "IV"))
    assert holm([permutation_p(one, other, DICE)] * comparisons).max() < statistics.ALPHA
