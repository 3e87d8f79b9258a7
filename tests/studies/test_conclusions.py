"""Sentences below tables and figures: of small tables whose numbers can be told by hand, and of nothing at all."""

import numpy as np
import pandas as pd
import pytest

from sadanet_lab.metrics.claims import CLAIMS
from sadanet_lab.metrics.statistics import EXPLORATORY, PRIMARY
from sadanet_lab.studies.conclusions import data, scores
from sadanet_lab.studies.conclusions.scores import MIXED, NOT_IN_PAPER, WITHHELD
from sadanet_lab.studies.conclusions.wording import caution, extremes, sentence, span

NO_RUNS = " nothing can be said: there are no runs from which a verdict may be drawn."
NOTHING_MEASURED = " nothing can be said: nothing could be measured."
JUDGED, NOT_JUDGED = "standard", "quick"


def compared(here, paper=None, sd=np.nan, seeds=1):
    """What ``compare_with_paper`` gives, of the mean bone Dice alone and a trap: another region's is higher."""
    rows = [("here", name, value, sd, seeds) for name, value in here.items()]
    rows += [("paper", name, value, np.nan, np.nan) for name, value in (paper or {}).items()]
    table = pd.DataFrame(rows, columns=["source", "method", "mean", "sd", "seeds"])
    table = table.assign(region="average_3_bones", metric="dice")
    return pd.concat([table, table.assign(region="lump", mean=99.0), table.assign(metric="iou", mean=1.0)])


# --- words ---


def test_extremes_name_the_lowest_and_the_highest_and_leave_out_what_is_not_known():
    values = pd.Series({"a": 3.0, "b": np.nan, "c": 1.25, "d": 2.0})
    assert extremes(values, "{:.1f} %") == "1.2 % (c) to 3.0 % (a)"
    assert extremes(values[["a", "b"]], "{:.1f} %") == "3.0 % (a)"
    assert extremes(values[["a", "d", "b"]], "{:.0e}") == "2e+00 (d) to 3e+00 (a)"
    assert extremes(values.clip(upper=1), "{:.1f} %") == "1.0 % (all 3)"
    assert extremes(values[["b"]], "{:.1f} %") == extremes(values[:0], "{:.1f}") == "not measurable"


def test_span_puts_the_unit_once():
    assert span(pd.Series([4.2, np.nan, 10.9]), "{:.0f} %") == "4 to 11 %"
    assert span(pd.Series([4.2, 4.4]), "{:.0f} %") == "4 %"
    assert span(pd.Series([np.nan]), "{:.0f} %") == "not measurable"


def test_a_sentence_leaves_out_what_is_empty():
    assert sentence("one thing", "", "another") == "One thing; another."


@pytest.mark.parametrize(
    ("seeds", "profile", "said"),
    [
        (1, NOT_JUDGED, "profile `quick` gives no verdict on methods"),
        (9, NOT_JUDGED, "profile `quick` gives no verdict on methods"),
        (1, JUDGED, "one seed cannot tell a method from chance"),
        (2, JUDGED, ""),
    ],
)
def test_caution(seeds, profile, said):
    assert caution(seeds, profile) == said


# --- scores ---


def test_scores_are_those_of_the_bones_on_average_here_and_in_the_paper():
    told = scores.scores(compared({"UNet": 70.0, "FPN": 72.5}, {"UNet": 80.25, "FPN": 78.0}), NOT_JUDGED)
    assert told == (
        "Mean bone Dice is 70.00 % (UNet) to 72.50 % (FPN) over 2 methods, 1 seed; the paper's, of patients, "
        "is 78.00 % (FPN) to 80.25 % (UNet); profile `quick` gives no verdict on methods."
    )


def test_scores_of_several_seeds_tell_their_spread_and_of_one_method_there_is_nothing_to_be_cautious_of():
    several = scores.scores(compared({"UNet": 70.0, "FPN": 72.5}, sd=0.31, seeds=5), JUDGED)
    assert several == (
        "Mean bone Dice is 70.00 % (UNet) to 72.50 % (FPN) over 2 methods, 5 seeds; its sd over the seeds of "
        "a method is at most 0.31 points."
    )
    assert scores.scores(compared({"UNet": 70.0}), NOT_JUDGED) == "Mean bone Dice is 70.00 % (UNet), 1 seed."
    assert scores.scores(compared({"UNet": np.nan}), JUDGED).endswith(NOTHING_MEASURED)


def test_the_sweep_tells_how_far_lambdas_lie_apart():
    here, paper = {"λ = 0": 71.0, "λ = 3": 73.02}, {"λ = 0": 80.5, "λ = 3": 80.25}
    told = scores.sweep(compared(here, paper), JUDGED)
    assert told == (
        "From one lambda to another mean bone Dice moves by at most 2.02 points here (2 values, 1 seed) and "
        "0.25 in the paper (single runs); one seed cannot tell a method from chance."
    )
    assert scores.sweep(compared({"λ = 3": np.nan}), JUDGED).endswith(NOTHING_MEASURED)


def differences(verdicts, seeds=5, smallest=0.8, difference=1.0):
    primary = pd.DataFrame({"other": list(verdicts), "verdict": list(verdicts.values()), "role": PRIMARY})
    primary = primary.assign(smallest=smallest, difference=difference)
    exploratory = primary.assign(role=EXPLORATORY, verdict="", smallest=9.0, difference=-50.0)
    return pd.concat([primary, exploratory]).assign(method="SADANet", seeds=seeds, images=300)


def test_differences_are_told_by_their_verdicts_and_by_nothing_else():
    told = scores.differences(differences({"A": "above", "B": "above", "C": "below", "D": "equivalent"}))
    assert told == "In mean bone Dice SADANet is above A and B, below C, equivalent to D (5 seeds, 300 test images)."
    table = differences({"A": "undecided", "B": "below"})
    told = scores.differences(table.assign(remark=table.other.map({"A": "", "B": "B loses nothing"})))
    assert told == (
        "In mean bone Dice SADANet is below B, undecided against A (5 seeds, 300 test images); where undecided, a true "
        "difference of 0.80 points (A) would have been found with 80 % power, were the spreads as estimated; "
        "beside B, B loses nothing."
    )


def test_one_seed_gives_numbers_and_no_verdict():
    told = scores.differences(differences({"A": "undecided", "B": "undecided"}, 1, np.nan, [1.5, -0.25]))
    assert told == (
        "SADANet minus the others is -0.25 (B) to +1.50 (A) points of mean bone Dice (1 seed, 300 test "
        "images); one seed gives no verdict."
    )
    assert scores.differences(pd.DataFrame()).endswith(NO_RUNS)


def claimed(said, verdicts, margins=None, at_least=0.0, role=PRIMARY):
    margins = margins or [""] * len(verdicts)
    rows = pd.DataFrame({"said": said, "verdict": verdicts, "margin": margins, "at_least": at_least, "role": role})
    return rows.assign(
        asked=len(rows), p_corrected=0.5, difference=0.3, low=-0.1, high=0.7, paper=at_least + 1, idle=False
    )


SURELY = {"p_corrected": 0.001}


@pytest.mark.parametrize(
    ("rows", "standing"),
    [
        (claimed("x", ["above", "above"]), "borne out"),
        (claimed("x", ["above", "undecided"]), "left undecided"),
        (claimed("x", ["above", "below"]), "contradicted"),
        (claimed("x", ["above", "equivalent"]), MIXED),
        (claimed("x", ["above", "equivalent"]).assign(**SURELY), "borne out"),
        (claimed("x", ["equivalent", "equivalent"]), "of differences within half a point"),
        (claimed("x", ["equivalent"]).assign(**SURELY, difference=-0.3), "of differences within half a point"),
        (claimed("x", ["undecided", "equivalent"]), MIXED),
        (claimed("x", ["above"]).assign(asked=2), "borne out in part, for a method is missing"),
        (claimed("x", ["above"], ["holds by the margin"], 4.0), "borne out"),
        (claimed("x", ["above"], ["margin not assured"], 4.0), "left undecided"),
        (claimed("x", ["above"], ["margin excluded"], 4.0), "contradicted"),
        (claimed("x", ["above", "above"], ["margin excluded", ""], 4.0).assign(paper=[0.6, 5]), NOT_IN_PAPER),
        (claimed("x", ["above", "above"]).assign(idle=[True, False]), WITHHELD),
        (claimed("x", ["above", "below"]).assign(idle=[True, False]), "contradicted"),
        (claimed("x", [""], role=EXPLORATORY), "exploratory, without a verdict"),
    ],
)
def test_a_claim_stands_by_its_primary_comparisons_and_its_margin(rows, standing):
    verdicts = pd.DataFrame({"said": ["x"], "verdict": [""]})
    told = scores.claims(verdicts, rows.assign(seeds=5, images=300))
    assert told == f"Of 1 claim, in mean bone Dice, 1 is {standing} (5 seeds, 300 test images)."


def test_claims_of_one_seed_and_of_none():
    rows = pd.concat([claimed(c.said, ["above"]) for c in CLAIMS[:2]]).assign(seeds=1, images=300)
    verdicts = pd.DataFrame({"said": [c.said for c in CLAIMS[:2]], "verdict": ""})
    assert scores.claims(verdicts, rows) == "One seed gives no verdict on any of 2 claims."
    assert scores.claims(verdicts[:0], pd.DataFrame()).endswith(NO_RUNS)


def test_exploratory_intervals_that_speak_against_a_claim_that_is_borne_out_are_counted():
    primary, others = claimed("x", ["above"]), claimed("x", ["", "", ""], role=EXPLORATORY)
    rows = pd.concat([primary, others.assign(high=[-0.1, 0.2, -4.0])]).assign(seeds=5, images=300, asked=4)
    told = scores.claims(pd.DataFrame({"said": ["x"], "verdict": [""]}), rows)
    assert told == (
        "Of 1 claim, in mean bone Dice, 1 is borne out (5 seeds, 300 test images); against those borne out speak "
        "2 exploratory intervals."
    )


def test_intervals_of_exploratory_claims_that_lie_on_one_side_are_counted():
    """Without a verdict is not without evidence."""
    rows = claimed("x", ["", "", "", ""], role=EXPLORATORY).assign(seeds=5, images=300)
    rows = rows.assign(low=[-0.1, 0.1, -3, -2], high=[0.7, 0.7, -0.1, -1])
    told = scores.claims(pd.DataFrame({"said": ["x"], "verdict": [""]}), rows)
    assert told.endswith(
        "; of the 4 uncorrected intervals of the exploratory ones, wholly for them: 1, wholly against: 2."
    )


# --- beside overlap ---


def test_outlines_add_the_classes():
    rows = [("A", "rib", 10.0, 1.0, 4.0, 3.0), ("A", "lump", 5.0, 0.5, 1.0, 2.0), ("B", "rib", 10.0, 3.0, 0.0, 9.0)]
    table = pd.DataFrame(
        [*rows, ("B", "lump", 5.0, 0.0, 2.0, 1.0)], columns=["method", "region", "bones", "missed", "false", "hd95"]
    )
    assert scores.outlines(table, 3, JUDGED) == (
        "Of 15.0 bones an image, those missed are 1.5 (A) to 3.0 (B); those invented are 2.0 (B) to 5.0 (A), 3 seeds; "
        "the 95 % Hausdorff distance, in pixels: rib 3.0 (A) to 9.0 (B), lump 1.0 (B) to 2.0 (A)."
    )


def test_the_frame():
    table = pd.DataFrame({"method": ["A", "B"], "dice": [70.0, 60.0], "dice_in_strip": [71.0, 60.5]})
    told = scores.frame(table.assign(false_in_frame_percent=[20.0, 5.0]))
    assert told == (
        "Of the false bone pixels 5 % (B) to 20 % (A) lie in the black frame; inside the strip alone mean bone Dice "
        "differs by +0.5 to +1.0 points."
    )
    assert scores.frame(table.assign(false_in_frame_percent=np.nan)) == "No bone pixel is invented."


def test_confusion_names_the_worst_and_leaves_out_a_class_that_is_nowhere():
    names = ["background", "rib", "thoracic_process", "lump"]
    shares = pd.DataFrame(
        [[0.9, 0.1, 0, 0], [0.2, 0.7, 0.1, 0], [0.1, 0.3, 0.6, 0], [np.nan] * 4], index=names, columns=names
    )
    assert scores.confusion(shares, "UNet") == (
        "UNet finds 70 % of rib and 60 % of thoracic process pixels; most often thoracic process is taken "
        "for rib (30 %)."
    )
    assert scores.confusion(shares[3:], "UNet").endswith(NOTHING_MEASURED)


def test_reliability_weighs_bins_by_their_pixels():
    rows = [("A", 90, 0.9, 0.8), ("A", 10, 0.5, 0.5), ("B", 50, 0.6, 0.7), ("B", 0, np.nan, np.nan)]
    bins = pd.DataFrame(rows, columns=["method", "pixels", "confidence", "accuracy"]).assign(region="bones")
    assert scores.reliability(bins) == (
        "On pixels called a bone 1 of 2 methods is surer than right; confidence minus accuracy is -10.0 (B) "
        "to +9.0 (A) points."
    )
    assert scores.reliability(bins.assign(region="all")).endswith(NOTHING_MEASURED)


def test_the_end_of_training():
    losses = pd.DataFrame({"step": range(1, 11), "loss": [9.0] * 7 + [4.0, 3.0, 2.0], "method": "A", "seed": 0})
    assert scores.training(losses) == "Over the last 20 % of the steps the loss moves by -50 % (A)."
    assert "too short" in scores.training(losses[:1])


def test_one_image_and_all_of_them():
    assert scores.in_this_image({"A": 70.0, "B": 80.0}, "phantom_1") == (
        "In phantom_1 mean bone Dice is 70.0 % (A) to 80.0 % (B); one image and one seed are an anecdote."
    )
    told = scores.over_images({"p1": 60.0, "p2": np.nan, "p3": 70.0}, "UNet")
    assert told == "Over 3 test images UNet's mean bone Dice is 60.0 % (p1) to 70.0 % (p3), median 65.0 %."
    assert scores.over_images({"p1": np.nan}, "UNet").endswith(NOTHING_MEASURED)


# --- data ---


def test_masks_and_one_without_a_bone():
    full, empty = np.array([[1, 2], [0, 0]]), np.zeros((2, 2))
    assert data.masks([full, empty], "patch") == "Bones cover 0 to 50 % of these 2 patches; 1 of them has none."
    assert data.masks([full]) == "Bones cover 50 % of this 1 image."


def test_a_real_image_among_phantoms_names_what_lies_furthest_outside():
    rows = [("a_b", 0, 1, 0.5), ("c", 0, 2, 3.0), ("d", 0, 1, 3.0), ("e", 5, 5, 5), ("f", np.nan, np.nan, 1)]
    table = pd.DataFrame(rows, columns=["quantity", "low", "high", "real"])
    table["within"] = (table.low <= table.real) & (table.real <= table.high)
    assert data.real_among(table, 24) == (
        "Of 4 quantities of one real image 2 lie within the 5 to 95 % range of these 24 images; furthest "
        "outside: d and c; one image is an example, no target."
    )
    assert data.real_among(table[4:], 24).endswith(NOTHING_MEASURED)


def test_angles_by_severity():
    truth = pd.DataFrame({"largest_angle_degrees": [5.0, 10.0, 24.9, 50.0]})
    assert data.angles(truth) == (
        "Largest angles of 4 phantoms reach 5.0 to 50.0°, median 17.4°; by severity 1 none, 2 mild, 0 "
        "moderate, 1 severe."
    )
