"""Whole tables: false alarms and power in simulations, Holm's correction, the primary family, the columns."""

import json

import numpy as np
import pandas as pd
import pytest
from simulated_scores import DICE, SPREADS, TABLES, simulated, table

from sadanet_lab.metrics import statistics
from sadanet_lab.metrics.scores import AVERAGES, BASES, BONE_AVERAGE, score_of
from sadanet_lab.metrics.statistics import (
    ALPHA,
    MARGIN,
    POWER,
    VERDICTS,
    Comparison,
    compare,
    differences_to,
    estimate,
    holm,
    primary_comparisons,
)
from sadanet_lab.paths import STANDARD
from sadanet_lab.spine.classes import BONES, CLASSES
from sadanet_lab.studies import run_scores
from sadanet_lab.training.runs import open_run

REGIONS = (*CLASSES, *AVERAGES)


@pytest.fixture
def few_resamples(monkeypatch):
    """For speed: a variance from 400 resamples is known to 7 %, more than enough beside one from 3 seeds."""
    monkeypatch.setattr(statistics, "RESAMPLES", 400)
    statistics._resampled.cache_clear()
    yield
    statistics._resampled.cache_clear()


@pytest.mark.parametrize(("notebook", "spreads"), [("02_table2_ablation", "alike"), ("01_table1_comparison", "unlike")])
def test_the_simulated_spreads_are_those_of_standard(notebook, spreads):
    """Of each difference's table seeds x images: variances of rows, columns and what is left (two-way, unbiased)."""
    names = json.loads((STANDARD / f"{notebook}.json").read_text())["findings"]["runs"]
    counts = run_scores.counts_by_label(open_run(STANDARD / "runs" / name) for name in names)
    dice = {
        name: np.concatenate([np.c_[DICE(array[:, [i]])] for i in range(array.shape[1])], axis=1)
        for name, array in counts.items()
    }
    found = []
    for name in set(dice) - {"SADANet"}:
        table = 100 * (dice["SADANet"] - dice[name])
        seeds, images = table.shape
        left = table - table.mean(0) - table.mean(1, keepdims=True) + table.mean()
        both = (left**2).sum() / ((seeds - 1) * (images - 1))
        found.append((table.mean(1).var(ddof=1) - both / images, table.mean(0).var(ddof=1) - both / seeds, both))
    assert np.sqrt(np.mean(found, axis=0)) == pytest.approx(SPREADS[spreads], abs=0.005)


# --- what is promised of whole tables ---


@pytest.mark.slow
@pytest.mark.parametrize("spreads", SPREADS)
@pytest.mark.parametrize(("seeds", "images"), [(3, 29), (3, 300), (5, 29), (5, 300)])
def test_nine_methods_that_are_one_are_told_apart_in_few_tables(seeds, images, spreads, few_resamples):
    """The promise is 5 %; 7 % of 300 tables leaves room for chance."""
    rng = np.random.default_rng(1)
    tables = [table(rng, [0] * 10, seeds=seeds, images=images, spreads=SPREADS[spreads]) for _ in range(TABLES)]
    assert sum(each.verdict.isin(("above", "below")).any() for each in tables) <= 0.07 * TABLES


@pytest.mark.slow
@pytest.mark.parametrize("spreads", SPREADS)
@pytest.mark.parametrize(("seeds", "images"), [(3, 29), (5, 300)])
def test_twice_the_stated_smallest_difference_is_found_by_new_trainings(seeds, images, spreads, few_resamples):
    """Each comparison states one; then new networks, that far apart, are scored on new images."""
    rng = np.random.default_rng(2)
    sizes = {"seeds": seeds, "images": images, "spreads": SPREADS[spreads]}
    found = []
    for _ in range(60):
        stated = table(rng, [0] * 10, **sizes).smallest
        again = table(rng, [0, *(-2 * stated)], **sizes)
        found += list((again.p_corrected < ALPHA) & (again.difference > 0))
    assert np.mean(found) >= POWER


@pytest.mark.slow
def test_methods_the_margin_apart_are_called_equivalent_in_few_tables(few_resamples):
    rng = np.random.default_rng(3)
    gains = [0, *[MARGIN, -MARGIN] * 4]
    tables = [table(rng, gains, seeds=5, images=300, spreads=(0.05, 0.5, 0.5)) for _ in range(TABLES)]
    assert sum((each.verdict == "equivalent").any() for each in tables) <= 0.07 * TABLES


# --- Holm's correction and the tables ---


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
    one, other = simulated(np.random.default_rng(0), (2, 0), spreads=SPREADS["alike"])
    asked = [Comparison("a", "b", "rib", "iou"), Comparison("b", "a", "average_4_classes", "recall")]
    found = compare({"a": one, "b": other}, asked, basis=basis)
    named = found[["method", "other", "region", "metric"]]
    assert [Comparison(*row) for row in named.itertuples(index=False)] == asked
    assert (found[["seeds", "images"]] == [3, 29]).all(axis=None)
    mean, mean_other = (score_of("rib", "iou", basis)(each).mean() for each in (one, other))
    assert found.iloc[0][["mean", "mean_other"]].tolist() == pytest.approx([100 * mean, 100 * mean_other])
    np.testing.assert_allclose(found.difference, found["mean"] - found.mean_other)
    np.testing.assert_allclose(found.high + found.low, 2 * found.difference)


def test_primary_comparisons_alone_are_corrected_and_judged():
    counts = dict(
        zip("abcd", simulated(np.random.default_rng(0), (3, 0, 0, 0), seeds=5, spreads=SPREADS["alike"]), strict=True)
    )
    found = differences_to("a", counts)
    first, rest = found[found.role == "primary"], found[found.role == "exploratory"]
    assert [Comparison(*row) for row in first[["method", "other", "region", "metric"]].itertuples(index=False)] == [
        Comparison("a", other, BONE_AVERAGE, "dice") for other in "bcd"
    ]
    assert set(rest.region) == set(BONES)
    assert len(rest) == 9
    np.testing.assert_allclose(first.p_corrected, holm(first.p))
    np.testing.assert_allclose(first.p_equivalent_corrected, holm(first.p_equivalent))
    assert set(first.verdict) <= set(VERDICTS)
    assert (rest.verdict == "").all()
    assert rest[["p_corrected", "p_equivalent_corrected"]].isna().all(axis=None)
    alone = compare(counts, primary_comparisons("a", counts))
    pd.testing.assert_frame_equal(first, alone)


def test_the_smallest_difference_is_that_of_the_strictest_of_holm_s_levels():
    counts = dict(zip("abcd", simulated(np.random.default_rng(0), (0, 0, 0, 0), spreads=SPREADS["alike"]), strict=True))
    comparison = Comparison("a", "b", BONE_AVERAGE)
    alone = estimate(counts["a"], counts["b"], DICE)
    assert compare(counts, primary_comparisons("a", counts)).smallest[0] == alone.smallest(ALPHA / 3)
    assert compare(counts, [], [comparison]).smallest[0] == alone.smallest(ALPHA)


def test_no_comparisons_give_the_same_columns_and_no_rows():
    one, other = simulated(np.random.default_rng(0), (0, 0))
    none, some = (compare({"a": one, "b": other}, asked) for asked in ([], [Comparison("a", "b", "rib")]))
    assert list(none) == list(some)
    assert none.empty


def test_differences_are_to_the_method_asked_for_or_the_first():
    counts = dict(zip("abc", simulated(np.random.default_rng(0), (0, 1, 2)), strict=True))
    assert set(differences_to("b", counts).method) == {"b"}
    assert set(differences_to("b", counts).other) == {"a", "c"}
    assert set(differences_to("SADANet", counts).method) == {"a"}
    assert differences_to("a", {"a": counts["a"]}).empty


@pytest.mark.parametrize("basis", BASES)
def test_a_large_planted_difference_is_found_in_every_region(basis):
    counts = dict(zip("ab", simulated(np.random.default_rng(0), (8, 0), spreads=SPREADS["alike"]), strict=True))
    found = compare(counts, [Comparison("a", "b", region) for region in REGIONS], basis=basis)
    assert (found.verdict == "above").all()


def test_the_same_counts_give_the_same_table():
    first = table(np.random.default_rng(0), (0, 1), spreads=SPREADS["alike"])
    statistics._resampled.cache_clear()
    pd.testing.assert_frame_equal(first, table(np.random.default_rng(0), (0, 1), spreads=SPREADS["alike"]))
