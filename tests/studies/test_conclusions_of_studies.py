"""Sentences of costs, angles, training and bad images: of small tables told by hand, and of nothing."""

import numpy as np
import pandas as pd

from sadanet_lab.studies import robustness, table3
from sadanet_lab.studies.conclusions import angles, costs, training
from sadanet_lab.studies.curve_agreement import COLUMNS
from sadanet_lab.studies.few_images import NEW_LONGER

NO_RUNS = " nothing can be said: there are no runs from which a verdict may be drawn."
NOTHING_MEASURED = " nothing can be said: nothing could be measured."

# --- costs ---


def test_table_iii_counts_what_agrees_in_both_decimals():
    rows = pd.DataFrame({"flops_here": [1.004, 2.0], "flops_published": [1.0, 2.5], "params_here": [3.0, 4.0],
                         "params_published": [3.01, 4.0]})  # fmt: skip
    assert costs.printed(rows).startswith("2 of 4 numbers agree")
    pairs = pd.DataFrame({"configurations": ["none", "X", "Y"], "flops_row": list("abc"), "params_row": list("aac")})
    assert costs.traced(pairs) == (
        "2 pairs of printed numbers are exactly those of a network here, 1 of them printed in one row."
    )


def test_what_table_iii_has_beyond_the_text():
    published = table3.published_table3().set_index("method").loc["SADANet"]
    here = pd.DataFrame({"method": ["sadanet"], "head": ["text"], "paper_macs": [(published.flops_giga - 2) * 1e9],
                         "parameters": [(published.params_million - 1) * 1e6]})  # fmt: skip
    told = costs.beyond_the_text(here)
    assert told.startswith("The row SADANet has 2.00 G multiply-adds and 1.00 M parameters beyond the text; ")
    assert told.endswith(f"{9 * 3072 * 512 * 64**2 / 1e9:.2f} G and {9 * 3072 * 512 / 1e6:.2f} M.")


def test_position_attention_over_criss_cross_attention():
    rows = [("PAM", 256, 6, 8), ("SCA x 2", 256, 3, 4), ("PAM", 2048, 50, 30), ("SCA x 2", 2048, 5, 3)]
    table = pd.DataFrame([*rows, ("GCA", 256, 1, 1)], columns=["attention", "image_height", "macs", "peak_bytes"])
    told = costs.attention(table)
    assert "2.0 times its multiply-adds and 2.0 times its memory at 256 pixels" in told
    assert "10.0 times its multiply-adds and 10.0 times its memory at 2,048 pixels" in told


def test_speed():
    table = pd.DataFrame({"method": ["A", "B"], "seconds_per_step": [0.5, 0.25], "hours_here": 1.5, "hours_gpu": 0.1})
    assert costs.speed(table, "quick") == (
        "A step of profile `quick` takes 0.25 s (B) to 0.5 s (A); Tables I to IV, one seed, take 3 hours at this rate "
        "and 0.2 on the assumed GPU."
    )
    assert costs.speed(table[:0], "quick").endswith(NOTHING_MEASURED)


# --- angles ---


def angles_of(*rows):
    table = pd.DataFrame(rows, columns=["source", "stem", "true", "measured", "raw", "flagged"])
    return table.assign(seed=0)


MEASURED = angles_of(
    ("mask", "p1", 20.0, 20.5, 20.5, False), ("mask", "p2", 30.0, 29.5, 29.5, False),
    ("A", "p1", 20.0, 24.0, 30.0, True), ("A", "p2", 30.0, 32.0, 30.0, False),
    ("B", "p1", 20.0, np.nan, np.nan, False), ("B", "p2", 30.0, 23.0, 22.0, False),
)  # fmt: skip


def test_angles_of_masks_and_networks_apart():
    assert angles.agreement(MEASURED) == (
        "The mean error of the largest angle is 0.50° in the masks and 3.00° (A) to 7.00° (B) from networks (2 test "
        "images, 1 seed; an order that no test stands behind); measurable are 50 % at least (B)."
    )
    assert angles.close(MEASURED) == (
        "Within 5° of the truth lie, of all images, 100 % in the masks and 0 % (B) to 100 % (A) from networks."
    )
    assert angles.agreement(MEASURED[:4]).endswith("every angle is measurable.")


def test_smoothing_and_flags():
    assert angles.smoothing(MEASURED) == (
        "Smoothing lowers the mean error of 2 of 3 sources, from a mean of 4.50° to 3.50°; in 1 of 1 the "
        "flagged angles are further off than the others."
    )


def test_bias_severity_and_the_worst():
    assert angles.bias(MEASURED[:4]) == (
        "1 of 2 sources measure too large on average, the bias being +0.0° (mask) to +3.0° (A); the limits "
        "of agreement "
        f"are widest for A (± {1.96 * 2**0.5:.1f}°)."
    )
    told = angles.severity(MEASURED, ["mask", "B", "C"])
    assert told == "In their true severity band are 100 % (mask) and 0 % (B) (2 test images, 1 seed)."
    again = pd.concat([MEASURED, MEASURED[MEASURED.source == "B"].assign(seed=1)])
    assert angles.severity(again, ["B"]).endswith("0 % (B) (2 test images, 2 seeds).")
    assert angles.worst(MEASURED, "A", 0) == (
        "A is furthest off in p1: 24.0° for 20.0°; half of the 2 measured images are off by 3.0° or less."
    )
    assert angles.worst(MEASURED, "B", 0).endswith("; 1 could not be measured.")


def test_angles_of_which_none_is_measurable_or_true():
    none = MEASURED.assign(measured=np.nan, raw=np.nan)
    for table in (none, MEASURED[:0]):
        assert angles.agreement(table).endswith(NOTHING_MEASURED)
        assert angles.smoothing(table).endswith(NOTHING_MEASURED)
        assert angles.bias(table).endswith(NOTHING_MEASURED)
        assert angles.worst(table, "A", 0).endswith(NOTHING_MEASURED)
    assert angles.close(none).endswith("0 % in the masks and 0 % (all 2) from networks.")
    assert angles.close(MEASURED[:0]).endswith(NOTHING_MEASURED)
    assert angles.severity(MEASURED[:0], ["A"]).endswith(NOTHING_MEASURED)


def test_curves_missed_and_false():
    rows = [("mask", 20.0, 20.0), ("mask", 30.0, 31.0), ("A", 20.0, np.nan), ("A", 30.0, 33.0), ("A", np.nan, 15.0)]
    table = pd.DataFrame(rows, columns=["source", "true", "measured"]).reindex(columns=list(COLUMNS))
    told = angles.curves(table.assign(true_apex="T8", apex="T8", true_region="thoracic", region="thoracic"))
    assert told.startswith(
        "Of the true curves, missed are 0 % in the masks and 50 % (A) from networks; for each 100 of them, "
        "false are 0 in the masks and 50 (A) from networks; of those found the ICC is "
    )
    assert "nan" not in told
    assert angles.curves(table[:0]).endswith(NOTHING_MEASURED)


def test_coverage():
    table = pd.DataFrame({"kind": ["usual", "wide", "odd"], "covered": [0.95, 0.875, np.nan]})
    assert angles.coverage(table) == (
        "Intervals that are to hold 90 % of the largest angles hold 88 % (wide) to 95 % (usual), fewer than "
        "that in 1 of 2 kinds of phantoms."
    )
    assert angles.coverage(table[2:]).endswith(NOTHING_MEASURED)


# --- training and bad images ---


def test_convergence():
    rows = [("A", 100, 60.0), ("A", 400, 70.0), ("B", 100, 65.0), ("B", 400, 66.5)]
    dice = pd.DataFrame(rows, columns=["method", "iterations", "dice"]).assign(seed=0)
    assert training.lengths(dice) == (
        "From 100 to 400 steps mean bone Dice changes by +1.50 (B) to +10.00 (A) points (1 seed)."
    )
    assert training.lengths(dice[dice.iterations == 100]).startswith("Trainings of one length, 100 steps")
    assert training.lengths(dice[:0]).endswith(NO_RUNS)
    gains = pd.DataFrame({"method": ["A", "B", "C"], "gained": [0.9, 0.4, np.nan], "seeds": [1, 1, 0]})
    assert training.last_doubling(gains.assign(noise=np.nan)) == (
        "The last doubling gained more than 0.5 points in 1 of 2 methods: A; gains of 1 seed and ranks are no verdict."
    )
    assert training.last_doubling(gains.assign(noise=0.1)) == (
        "The last doubling gained more than 0.5 points in 1 of 2 methods: A; so near the mark that the seed may have "
        "decided: B; gains of 1 seed and ranks are no verdict."
    )
    assert training.last_doubling(gains[2:]).endswith(NO_RUNS)


def test_choices():
    table = pd.DataFrame({"method": ["A", "B"], "change": ["gamma 0", "margin 0"], "dice_difference": [-1.0, 0.25]})
    assert training.choices(table.assign(seeds=2)) == (
        "Of 2 changed settings the difference to the profile's own is -1.00 (A, gamma 0) to +0.25 (B, margin "
        "0) points of mean bone Dice (2 seeds); sizes, no verdicts."
    )
    assert "(2 to 5 seeds)" in training.choices(table.assign(seeds=[5, *[2] * (len(table) - 1)]))
    assert training.choices(table[:0]).endswith(NO_RUNS)


def test_few_images():
    table = pd.DataFrame({"start": 3 * ["shipped model"] + 2 * ["random weights"], "images": [0, 2, 5, 2, 5]})
    table = table.assign(seed=0, dice=[50.0, 60.0, 70.0, 40.0, 55.0], mae=[3.0, 2.0, 1.0, 4.0, 5.0])
    assert training.few_images(table) == (
        "Mean bone Dice (%) on the other scanner (annotated images): shipped model 50.0 (0), 60.0 (2), 70.0 (5); "
        "random weights 40.0 (2), 55.0 (5); the shipped model needs 2 for what random weights reach with 5 in as many "
        "steps; its largest angle is off by 3.00° with 0 and 1.00° with 5; one seed each gives no verdict."
    )
    assert "nothing is trained here" in training.few_images(table[:1])
    assert training.few_images(table[:0]).endswith(NOTHING_MEASURED)


def test_few_images_of_several_seeds_are_means_and_random_weights_may_win():
    table = pd.DataFrame({"start": 2 * ["shipped model"] + 4 * ["random weights"], "images": [5, 5, 5, 5, 20, 20]})
    table = table.assign(seed=[0, 1] * 3, dice=[60.0, 62.0, 50.0, 52.0, 70.0, 71.0], mae=2.0)
    longer = pd.DataFrame({"start": [NEW_LONGER], "images": [5], "seed": 0, "dice": 66, "mae": 2})
    table = pd.concat([table, longer])
    told = training.few_images(table)
    assert f"shipped model 61.0 (5); random weights 51.0 (5), 70.5 (20); {NEW_LONGER} 66.0 (5)" in told
    assert "the shipped model does not reach what random weights do with 20 in as many steps" in told
    assert "2 seeds, the same images in each" in told


def degraded(dice_at_worst, angle_at_worst):
    rows = [("A", "noise", 0, 0.8, 1.0), ("A", "noise", 80, dice_at_worst, angle_at_worst), ("A", "gain", -2, 0.7, 1.0)]
    table = pd.DataFrame(rows, columns=["network", "degradation", "strength", "dice", "angle_error"])
    return table.assign(stem="p1", seed=0, measurable=table.angle_error.notna().astype(float))


def test_bad_images():
    told = training.degradations(degraded(0.5, 1.0))
    assert told == "Most mean bone Dice is lost by: A 30 points by noise 80 (1 image)."
    assert training.measurable(robustness.over_seeds(degraded(0.5, np.nan))) == (
        "Angles that are measurable, where it is worst: A 0 % (noise 80) (1 image)."
    )
    assert training.measurable(robustness.over_seeds(degraded(0.5, 1.0))).endswith(": A 100 % (1 image).")
    weaker = degraded(0.75, 1.0).replace({"strength": {-2: 1}})  # what costs most is not the strongest that is tested
    assert training.degradations(weaker) == "Most mean bone Dice is lost by: A 10 points by gain 1 (1 image)."
    assert training.degradations(degraded(0.9, 1.0)[:2]) == "Most mean bone Dice is lost by: A nothing (1 image)."
    assert training.degradations(degraded(np.nan, 1.0).assign(dice=np.nan)).endswith(NOTHING_MEASURED)
    unknown = degraded(0.5, np.nan).assign(measurable=np.nan)  # of such images the mask's angle is not measurable
    assert training.measurable(robustness.over_seeds(unknown)).endswith(NOTHING_MEASURED)


def test_faint_bones_are_a_quarter():
    bones = pd.DataFrame({"contrast": [1.0, 2, 3, 4, 5], "recall": [0.25, 0.5, 0.75, 1, 1], "network": "A"})
    bones = bones.assign(seed=0)
    assert robustness.recall_of_faint(bones).to_dict() == {"A": 0.25}
    assert robustness.faint_difference(bones) is None
    assert training.faint(bones, None) == (
        "Of the faintest quarter of the bones the networks find: A 25.0 % (of all bones 70.0 %); one seed gives no "
        "verdict on SAA."
    )
    assert training.faint(bones[:0], robustness.faint_difference(bones[:0])).endswith(NOTHING_MEASURED)


def test_two_networks_are_compared_on_faint_bones_seed_by_seed():
    """By Student's t written out: what one image's bones say of the networks, three seeds do not."""
    recalls = {("A", 0): 0.5, ("A", 1): 0.7, ("A", 2): 0.6, ("B", 0): 0.4, ("B", 1): 0.4, ("B", 2): 0.6}
    rows = [(name, seed, at, recall) for (name, seed), recall in recalls.items() for at in (1.0, 2, 3, 4, 5)]
    bones = pd.DataFrame(rows, columns=["network", "seed", "contrast", "recall"])
    told = training.faint(bones, robustness.faint_difference(bones))
    differences = np.array([10, 30, 0])
    half = 4.302653 * differences.std(ddof=1) / np.sqrt(3)  # t of 2 degrees of freedom, 97.5 %
    low, high = 40 / 3 - half, 40 / 3 + half
    assert told.endswith(f"; A minus B is +13.3 points ({low:+.1f} to {high:+.1f}, 95 % interval over 3 seeds).")
