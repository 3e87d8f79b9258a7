"""The paper's claims on simulated counts in which the answer is planted."""

import re

import numpy as np
import pandas as pd
import pytest

from sadanet_lab import methods
from sadanet_lab.metrics import statistics
from sadanet_lab.metrics.claims import CLAIMS, check
from sadanet_lab.metrics.statistics import compare, holm
from sadanet_lab.spine.classes import CLASSES
from sadanet_lab.studies.published import published_scores

TABLES = ("I", "II", "IV")
LUMP = "SADANet w/o SAA > DANet on lump iou: "


def named(table):
    return {name for claim in CLAIMS if claim.table == table for c in claim.comparisons for name in (c.method, c.other)}


def simulated(gains, images=29, seeds=1):
    """name -> counts; a gain is added to the share of pixels found, 0.6 or so by the image's difficulty."""
    rng = np.random.default_rng(0)
    shape = (images, len(CLASSES))
    base = 0.6 + 0.06 * rng.normal(size=shape)
    counts = {}
    for name, gain in gains.items():
        tp = np.round(10_000 * (base + gain + 0.01 * rng.normal(size=(seeds, *shape)))).astype(int)
        counts[name] = np.stack([tp, 10_000 - tp, 10_000 - tp, 200_000 + tp], -1)
    return counts


@pytest.fixture
def quick(monkeypatch):
    """Fewer permutations, where the p is not what is tested."""
    monkeypatch.setattr(statistics, "PERMUTATIONS", 999)


def about_lumps(counts):
    """(comparison, claim) of Table II that say "by over 2 %" of lumps' IoU, on counts of the two methods."""
    found, claims = check("II", counts, published_scores("II"))
    (row,), said = (
        found[found.region == "lump"].itertuples(),
        "SCA raises the IoU of lumps by over 2 % (w/o SAA above DANet)",
    )
    return row, claims[claims.said == said]


def lump_claim(gain, **size):
    return about_lumps(simulated({"SADANet w/o SAA": gain, "DANet": 0}, **size))


def span(row):
    return f"{row.low:+.2f} to {row.high:+.2f}"


@pytest.mark.parametrize("table", TABLES)
def test_every_comparison_claimed_is_printed_in_its_table(table):
    printed = published_scores(table).set_index(["method", "region", "metric"])["mean"]
    assert printed.index.is_unique
    asked = [c for claim in CLAIMS if claim.table == table for c in claim.comparisons]
    assert asked
    for c in asked:
        for method in (c.method, c.other):
            assert 50 < printed[method, c.region, c.metric] < 100


@pytest.mark.parametrize("table", ["I", "II"])
def test_every_method_claimed_about_is_one_of_ours(table):
    assert named(table) <= {method.title for method in methods.registry().values()}


@pytest.mark.parametrize("table", TABLES)
def test_each_claim_of_a_table_has_its_own_words(table):
    said = [claim.said for claim in CLAIMS if claim.table == table]
    assert len(set(said)) == len(said)


def test_a_method_planted_better_by_enough_holds():
    row, claims = lump_claim(0.1)
    assert row.low > 2
    assert row.verdict == f"{LUMP}holds, {span(row)}, one seed"
    assert claims.verdict.tolist() == ["of 1 comparison 1 holds (1 seed, 29 images)"]


def test_a_margin_inside_the_interval_is_not_assured():
    row, claims = lump_claim(0.021)
    assert 0 < row.low < 2 < row.high
    assert row.verdict == f"{LUMP}holds, {span(row)}, 2 points not assured, one seed"
    assert claims.verdict.tolist() == ["of 1 comparison 1 holds, the margin not assured (1 seed, 29 images)"]


def test_a_method_planted_better_by_less_than_said_excludes_the_margin():
    row, claims = lump_claim(0.009)
    assert 0 < row.low < row.high < 2
    assert row.verdict == f"{LUMP}holds by less than claimed, {span(row)}, 2 points excluded, one seed"
    assert claims.verdict.tolist() == ["of 1 comparison 1 holds by less than claimed (1 seed, 29 images)"]


def test_a_method_planted_worse_is_reversed():
    row, claims = lump_claim(-0.1)
    assert row.high < 0
    assert row.verdict == f"{LUMP}reversed, {span(row)}, one seed"
    assert claims.verdict.tolist() == ["of 1 comparison 1 is reversed (1 seed, 29 images)"]


def test_methods_planted_equal_are_not_separable():
    row, claims = lump_claim(0)
    assert row.low < 0 < row.high
    assert row.verdict == f"{LUMP}not separable, {span(row)}, 2 points excluded, one seed"
    assert claims.verdict.tolist() == ["of 1 comparison 1 is not separable (1 seed, 29 images)"]


def test_an_interval_beside_zero_that_the_correction_does_not_uphold_is_told_with_its_p(quick):
    found, _ = check("IV", simulated({"λ = 3": 0.004, "λ = 0": 0, "λ = 1": 0, "λ = 4": 0}), published_scores("IV"))
    unsure = found[((found.low > 0) | (found.high < 0)) & ~found.separable]
    assert len(unsure)
    for row in unsure.itertuples():
        what = f"{row.method} > {row.other} on average 3 bones {row.metric}"
        assert row.p_corrected > 0.05
        assert row.verdict == f"{what}: not separable, {span(row)} (corrected p {row.p_corrected:.2f}), one seed"


@pytest.mark.parametrize("gain", [-0.1, 0, 0.1])
def test_only_one_seed_is_noted(gain):
    row, claims = lump_claim(gain, seeds=3)
    assert "one seed" not in row.verdict
    assert span(row) in row.verdict
    assert claims.verdict.iloc[0].endswith("(3 seeds, 29 images)")


@pytest.mark.parametrize("gain", [0, 0.1])
def test_a_single_image_gives_its_difference_and_no_interval(gain):
    row, claims = lump_claim(gain, images=1)
    assert row.verdict == f"{LUMP}{row.difference:+.2f}, no interval (a single image)"
    assert claims.verdict.tolist() == ["of 1 comparison 1 has no interval (1 seed, 1 image)"]


def without_lumps(counts, images):
    for each in counts.values():
        each[:, images, CLASSES.index("lump"), :3] = 0
    return counts


def test_a_region_in_no_image_gives_no_number():
    counts = without_lumps(simulated({"SADANet w/o SAA": 0.1, "DANet": 0}), slice(None))
    row, claims = about_lumps(counts)
    assert row.verdict == f"{LUMP}n/a, there is nothing to score"
    assert claims.verdict.tolist() == ["of 1 comparison 1 has no interval (1 seed, 29 images)"]


def test_a_region_in_one_image_of_many_has_no_interval():
    counts = without_lumps(simulated({"SADANet w/o SAA": 0.1, "DANet": 0}), slice(1, None))
    row, _ = about_lumps(counts)
    assert row.difference > 2
    assert row.verdict == f"{LUMP}{row.difference:+.2f}, no interval (in too few images)"


def test_each_comparison_is_told_as_the_paper_has_it():
    """By hand from Table II: lump IoU 76.68 - 74.65, rib Dice 78.56 - 78.36 and the other way round."""
    found, _ = check("II", simulated(dict.fromkeys(named("II"), 0)), published_scores("II"))
    paper = found.set_index(["method", "other", "region", "metric"]).paper
    assert paper["SADANet w/o SAA", "DANet", "lump", "iou"] == pytest.approx(2.03)
    assert paper["DANet", "SADANet w/o SCA", "rib", "dice"] == pytest.approx(0.20)
    dice = [(78.82 + 77.64 + 86.96) / 3, (78.56 + 77.29 + 85.49) / 3]
    assert paper["SADANet", "DANet", "average_3_bones", "dice"] == pytest.approx(dice[0] - dice[1])


def test_comparisons_are_corrected_over_the_table_and_are_those_of_compare(quick):
    counts = simulated(dict.fromkeys(named("II"), 0) | {"SADANet": 0.005})
    found, _ = check("II", counts, published_scores("II"))
    asked = [c for claim in CLAIMS if claim.table == "II" for c in claim.comparisons]
    np.testing.assert_allclose(found.p_corrected, holm(found.p))
    alone = compare(counts, asked)
    pd.testing.assert_frame_equal(found[list(alone)], alone)


@pytest.mark.parametrize("table", TABLES)
def test_a_summary_counts_each_comparison_of_its_claim_once(table, quick):
    gains = {name: 0.01 * i for i, name in enumerate(sorted(named(table)))}
    found, claims = check(table, simulated(gains), published_scores(table))
    wanted = {claim.said: claim for claim in CLAIMS if claim.table == table}
    assert claims.said.tolist() == list(wanted)
    for claim in claims.itertuples():
        total, *parts = map(int, re.findall(r"(\d+) (?:comparisons?|hold|are|have)", claim.verdict))
        rows = found[found.said == claim.said]
        assert total == sum(parts) == len(rows) == len(wanted[claim.said].comparisons)
        assert (rows.at_least == wanted[claim.said].at_least).all()


def test_a_summary_tells_held_and_reversed_apart():
    gains = {"λ = 3": 0.05, "λ = 0": 0, "λ = 1": 0.1, "λ = 4": 0.0, "λ = 5": 0.0}
    _, claims = check("IV", simulated(gains, seeds=2), published_scores("IV"))
    assert claims.verdict.tolist() == [
        "of 6 comparisons 3 hold, 3 are reversed (2 seeds, 29 images)",
        "of 6 comparisons 6 hold (2 seeds, 29 images)",
    ]


def test_methods_that_are_not_there_drop_their_comparisons_alone():
    found, claims = check("I", simulated({"SADANet": 0.05, "UNet": 0, "DANet": 0}), published_scores("I"))
    assert set(found.other) == {"UNet", "DANet"}
    assert len(found) == 2 * 4 * 3
    assert len(claims) == 2
    assert found.separable.all()


@pytest.mark.parametrize("there", [(), ("SADANet",), ("UNet", "FPN"), ("sadanet", "unet")])
def test_no_comparison_left_gives_empty_tables(there):
    found, claims = check("I", simulated(dict.fromkeys(there, 0)), published_scores("I"))
    assert found.empty
    assert claims.empty
    assert list(claims) == ["said", "verdict"]


def test_claims_about_all_of_table_i_can_hold():
    counts = simulated(dict.fromkeys(named("I"), 0) | {"SADANet": 0.2})
    assert check("I", counts, published_scores("I"))[0].separable.all()
