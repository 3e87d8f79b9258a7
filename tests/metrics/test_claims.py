"""The paper's claims on simulated counts in which the answer is planted."""

import re

import numpy as np
import pandas as pd
import pytest

from sadanet_lab import methods
from sadanet_lab.metrics.claims import CLAIMS, REFERENCES, SmallEffect, check, p_told, remark_idle
from sadanet_lab.metrics.scores import BONE_AVERAGE, score_of
from sadanet_lab.metrics.statistics import VERDICTS, Comparison, compare, differences_to, holm
from sadanet_lab.spine.classes import CLASSES
from sadanet_lab.studies.published import published_scores

TABLES = ("I", "II", "IV")
GAINS = "SADANet gains over 4 % on RSNU and SEAM on the average metrics"
LUMP = "SCA raises the IoU of lumps by over 2 % (w/o SAA above DANet)"


def named(table):
    return {name for claim in CLAIMS if claim.table == table for c in claim.comparisons for name in (c.method, c.other)}


def simulated(gains, images=29, seeds=3, noise=0.002):
    """name -> counts; a gain is added to the share of pixels found, 0.6 or so by the image's difficulty."""
    rng = np.random.default_rng(0)
    shape = (images, len(CLASSES))
    base = 0.6 + 0.06 * rng.normal(size=shape) + 0.01 * rng.normal(size=(seeds, 1, 1))
    counts = {}
    for name, gain in gains.items():
        own = noise * (rng.normal(size=(seeds, 1, 1)) + rng.normal(size=(seeds, *shape)))
        tp = np.round(10_000 * (base + gain + own)).astype(int)
        counts[name] = np.stack([tp, 10_000 - tp, 10_000 - tp, 200_000 + tp], -1)
    return counts


def about(said, table, counts, **options):
    """(the comparisons of a claim, its summary)."""
    found, claims = check(table, counts, published_scores(table), **options)
    (summary,) = claims[claims.said == said].verdict
    return found[found.said == said], summary


def gain_claim(gain, **sizes):
    """Of "over 4 %" on SEAM: (its comparison in Dice, the summary)."""
    rows, summary = about(GAINS, "I", simulated({"SADANet": gain, "SEAM": 0}, **sizes))
    (row,) = rows[rows.metric == "dice"].itertuples()
    return row, summary


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


def test_no_claim_counts_iou_beside_dice():
    for claim in CLAIMS:
        dice, iou = (
            {(c.method, c.other, c.region) for c in claim.comparisons if c.metric == m} for m in ("dice", "iou")
        )
        assert not dice & iou


@pytest.mark.parametrize("region", ["rib", "thoracic_process", "lump"])
def test_pooled_iou_is_a_function_of_dice(region):
    counts = simulated({"SADANet": 0.1})["SADANet"]
    dice = score_of(region, "dice")(counts)
    np.testing.assert_allclose(score_of(region, "iou")(counts), dice / (2 - dice))


# --- verdicts ---


@pytest.mark.parametrize(
    ("gain", "noise", "verdict", "margin"),
    [
        (0.1, 0.002, "above", "holds by the margin"),
        (0.041, 0.004, "above", "margin not assured"),
        (0.02, 0.002, "above", "margin excluded"),
        (-0.1, 0.002, "below", "margin excluded"),
        (0, 0.0002, "equivalent", "margin excluded"),
        (0, 0.004, "undecided", "margin excluded"),
        (0.02, 0.05, "undecided", "margin not assured"),
    ],
)
def test_a_planted_gain_gets_its_verdict_and_margin(gain, noise, verdict, margin):
    row, summary = gain_claim(gain, noise=noise)
    assert (row.verdict, row.margin) == (verdict, margin)
    told = f"{row.difference:+.2f} ({row.low:+.2f} to {row.high:+.2f}), corrected p {p_told(row.p_corrected)}"
    assert row.told.startswith(f"SADANet > SEAM on average 3 bones dice: {verdict}, {told}, ")
    assert row.told.endswith(f"{row.smallest:.2f} could have been found, {margin}")
    assert summary == f"of 1 primary comparison 1 {verdict}; 1 {margin}; 1 exploratory (3 seeds, 29 images)"


@pytest.mark.parametrize("gain", [-0.1, 0, 0.1])
def test_one_seed_gives_no_verdict_and_no_margin(gain):
    row, summary = gain_claim(gain, seeds=1)
    assert (row.verdict, row.margin) == ("undecided", "")
    assert row.told.endswith(f"undecided, {row.difference:+.2f} ({row.low:+.2f} to {row.high:+.2f}), one seed")
    assert summary == "of 1 primary comparison 1 undecided; 1 exploratory (1 seed, 29 images)"


@pytest.mark.parametrize(("gain", "where"), [(0.1, "below"), (0.016, "inside"), (0, "above")])
def test_a_claim_about_a_bone_is_exploratory(gain, where):
    rows, summary = about(LUMP, "II", simulated({"SADANet w/o SAA": gain, "DANet": 0}, noise=0.003))
    (row,) = rows.itertuples()
    assert row.role == "exploratory"
    assert row.verdict == ""
    assert "lump iou: exploratory, " in row.told
    assert row.told.endswith(f", 2 points lie {where} the interval")
    assert summary == "no verdict: 1 exploratory (3 seeds, 29 images)"
    assert not any(word in f"{row.told} {summary}".split(": ", 1)[1] for word in ("holds", "undecided", "equivalent"))


def test_a_single_image_gives_its_difference_and_no_interval():
    row, summary = gain_claim(0.1, images=1)
    assert row.told.endswith(f"undecided, {row.difference:+.2f} (no interval: a single image)")
    assert summary == "of 1 primary comparison 1 undecided; 1 exploratory (3 seeds, 1 image)"


def without_lumps(counts, images):
    for each in counts.values():
        each[:, images, CLASSES.index("lump"), :3] = 0
    return counts


def test_a_region_in_no_image_gives_no_number_and_one_in_a_single_image_no_interval():
    rows, _ = about(LUMP, "II", without_lumps(simulated({"SADANet w/o SAA": 0.1, "DANet": 0}), slice(None)))
    assert rows.told.item().endswith("lump iou: n/a, there is nothing to score")
    rows, _ = about(LUMP, "II", without_lumps(simulated({"SADANet w/o SAA": 0.1, "DANet": 0}), slice(1, None)))
    assert rows.difference.item() > 2
    assert rows.told.item().endswith(f"exploratory, {rows.difference.item():+.2f} (no interval: in too few images)")


# --- attention that does nothing ---


def test_of_modules_that_cost_nothing_to_remove_there_is_no_verdict_and_the_methods_keep_theirs():
    counts = simulated({"SADANet": 0.1, "DANet": 0, "SADANet w/o SCA": 0, "SADANet w/o SAA": 0})
    said = "As the table shows, SADANet is above both ablations and DANet on average"
    small = {("SADANet", "GCA"): SmallEffect(0.0, True), ("DANet", "PAM"): SmallEffect(0.02, True)}
    rows, summary = about(said, "II", counts, small=small)
    primary = rows[rows.role == "primary"].set_index("other")
    assert (primary.verdict == "above").all()
    assert primary.remark.to_dict() == {
        "DANet": "DANet loses +0.02 without PAM and no bone 0.1: no verdict on the module",
        "SADANet w/o SCA": "",  # GCA, which does nothing, stands in both
        "SADANet w/o SAA": "",  # is about SAA, which runs in training only
    }
    assert summary.startswith(
        "of 3 primary comparisons 3 above, 1 without a verdict on the module (attention that hardly moves Dice)"
    )
    rows, summary = about(said, "II", counts, small=small | {("SADANet", "SCA"): SmallEffect(-0.05, True)})
    assert "SADANet loses -0.05 without SCA and DANet loses +0.02 without PAM" in rows.told.iloc[0]
    assert not rows[rows.role == "primary"].set_index("other").idle["SADANet w/o SAA"]


def test_where_single_bones_or_seeds_move_the_module_is_not_idle_and_the_mean_is_told():
    found = differences_to("SADANet", simulated({"SADANet": 0.1, "DANet": 0}))
    table = remark_idle(found, {("SADANet", "SCA"): SmallEffect(-0.09, False)})
    assert not table.idle.any()
    remarks = table.groupby("role").remark.unique().map(list).to_dict()
    said = "SADANet loses -0.09 without SCA on average, single bones or seeds more"
    assert remarks == {"primary": [said], "exploratory": [""]}


def test_without_that_table_or_of_other_methods_modules_nothing_is_remarked():
    found = differences_to("SADANet", simulated({"SADANet": 0.1, "DANet": 0}))
    for small in ({}, {("CCNet", "SCA"): SmallEffect(0.0, True)}):
        pd.testing.assert_frame_equal(remark_idle(found, small), found.assign(remark="", idle=False))


# --- families ---


@pytest.mark.parametrize("table", TABLES)
def test_primary_are_mean_bone_dice_against_the_reference_corrected_over_the_whole_table(table):
    """Over rows that no claim names, too: SA2Net in Table I, lambda 2 and 2.5 against 3 in Table IV."""
    names = [*dict.fromkeys(published_scores(table).method), *(["SA2Net"] if table == "I" else [])]
    counts = simulated({name: 0.002 * i for i, name in enumerate(names)})
    found, _ = check(table, counts, published_scores(table))
    primary = found[found.role == "primary"]
    assert set(primary.method) == {REFERENCES[table]}
    assert set(primary.region) == {BONE_AVERAGE}
    assert set(primary.metric) == {"dice"}
    whole = differences_to(REFERENCES[table], counts)
    whole = whole[whole.role == "primary"].set_index("other")
    assert len(whole) == len(names) - 1
    np.testing.assert_allclose(whole.p_corrected, holm(whole.p))
    for column in ("p_corrected", "p_equivalent_corrected", "smallest", "verdict"):
        assert (primary.set_index("other")[column] == whole.loc[primary.other, column]).all()
    assert (found[found.role != "primary"].verdict == "").all()


def test_exploratory_comparisons_are_those_of_compare():
    counts = simulated(dict.fromkeys(named("II"), 0) | {"SADANet": 0.005})
    found, _ = check("II", counts, published_scores("II"))
    rest = found[found.role == "exploratory"]
    asked = [Comparison(*row) for row in rest[["method", "other", "region", "metric"]].itertuples(index=False)]
    alone = compare(counts, [], asked)
    pd.testing.assert_frame_equal(rest[list(alone)].reset_index(drop=True), alone, check_dtype=False)


@pytest.mark.parametrize("table", TABLES)
def test_a_summary_counts_each_comparison_of_its_claim_once(table):
    gains = {name: 0.01 * i for i, name in enumerate(sorted(named(table)))}
    found, claims = check(table, simulated(gains), published_scores(table))
    wanted = {claim.said: claim for claim in CLAIMS if claim.table == table}
    assert claims.said.tolist() == list(wanted)
    for claim in claims.itertuples():
        rows = found[found.said == claim.said]
        counted = {
            word: int(n)
            for n, word in re.findall(r"(\d+) (above|below|equivalent|undecided|exploratory)", claim.verdict)
        }
        assert sum(counted.values()) == len(rows) == len(wanted[claim.said].comparisons)
        assert counted.get("exploratory", 0) == (rows.role == "exploratory").sum()
        for word in VERDICTS:
            assert counted.get(word, 0) == (rows.verdict == word).sum()
        assert (rows.at_least == wanted[claim.said].at_least).all()


def test_each_comparison_is_told_as_the_paper_has_it():
    """By hand from Table II: lump IoU 76.68 - 74.65, rib Dice 78.56 - 78.36 and the other way round."""
    found, _ = check("II", simulated(dict.fromkeys(named("II"), 0)), published_scores("II"))
    paper = found.set_index(["method", "other", "region", "metric"]).paper
    assert paper["SADANet w/o SAA", "DANet", "lump", "iou"] == pytest.approx(2.03)
    assert paper["DANet", "SADANet w/o SCA", "rib", "dice"] == pytest.approx(0.20)
    dice = [(78.82 + 77.64 + 86.96) / 3, (78.56 + 77.29 + 85.49) / 3]
    assert paper["SADANet", "DANet", "average_3_bones", "dice"] == pytest.approx(dice[0] - dice[1])


def test_methods_that_are_not_there_drop_their_comparisons_alone():
    found, claims = check("I", simulated({"SADANet": 0.05, "UNet": 0, "DANet": 0}), published_scores("I"))
    assert set(found.other) == {"UNet", "DANet"}
    assert len(found) == 2 * 4 * 2
    assert len(claims) == 2
    assert (found[found.role == "primary"].verdict == "above").all()


def test_without_the_reference_all_is_exploratory():
    found, claims = check("IV", simulated({"λ = 2": 0.1, "λ = 0": 0}), published_scores("IV"))
    assert set(found.role) == {"exploratory"}
    assert claims.verdict.tolist() == ["no verdict: 2 exploratory (3 seeds, 29 images)"]


@pytest.mark.parametrize("there", [(), ("SADANet",), ("UNet", "FPN"), ("sadanet", "unet")])
def test_no_comparison_left_gives_empty_tables(there):
    found, claims = check("I", simulated(dict.fromkeys(there, 0)), published_scores("I"))
    assert found.empty
    assert claims.empty
    assert list(claims) == ["said", "verdict"]
