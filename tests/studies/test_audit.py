"""The audit of Tables I, II and IV: each finding's numbers, against arithmetic written out."""

import numpy as np
import pandas as pd
import pytest

from sadanet_lab.paths import PUBLISHED
from sadanet_lab.studies import audit
from sadanet_lab.views import tables


def test_three_rows_average_three_bones_and_two_cells_are_off():
    found = audit.averages()
    table = found.evidence.set_index("row")
    assert set(found.flagged) == {"UNet", "RSNU", "SEAM"}
    assert set(table.index[table["average of"] == "the 3 classes printed"]) == {"UNet", "RSNU", "SEAM"}
    assert {m: cells for m, cells in table["cells off"].items() if cells} == {"RSNU": "Dice", "SEAM": "IoU"}
    # (78.82 + 77.64 + 86.96 - 78.38 - 77.45 - 85.85) / 3, the same with SEAM's, and the IoUs
    for said in ("+0.58 Dice on RSNU", "+1.62 on SEAM", "-0.39 against SEAM"):
        assert said in found.verdict


def test_iou_follows_from_dice_but_in_three_rows_of_all_tables():
    found = audit.iou_from_dice()
    table = found.evidence.set_index("row")
    assert len(table) == 16
    assert found.flagged == ("UNet", "RSNU", "SEAM")
    assert all(name in found.verdict for name in found.flagged)
    assert table.loc["RSNU", ["IoU printed", "IoU from Dice"]].astype(float).round(2).tolist() == [65.92, 64.45]
    assert table.difference.drop(["UNet", "RSNU", "SEAM"]).abs().max() < 0.015


def test_seam_would_need_images_that_differ_by_13_to_16_points():
    """Second order, sqrt(E (2 - D)^3 / 2): rib E = 0.6583 - 0.7779 / 1.2221; process 0.6424 - 0.7636 / 1.2364."""
    found = audit.averaging_over_images()
    table = found.evidence.set_index(["row", "class"])
    by_hand = {
        "rib": np.sqrt((0.6583 - 0.7779 / 1.2221) * 1.2221**3 / 2),
        "thoracic_process": np.sqrt((0.6424 - 0.7636 / 1.2364) * 1.2364**3 / 2),
        "lump": np.sqrt((0.7652 - 0.8440 / 1.1560) * 1.1560**3 / 2),
    }
    for name, deviation in by_hand.items():
        assert table["deviation, second order"]["SEAM", name] == pytest.approx(100 * deviation)
        assert table["deviation, at least"]["SEAM", name] < 100 * deviation
    assert sorted(by_hand.values()) == pytest.approx([0.141, 0.153, 0.165], abs=5e-4)
    assert "SEAM 13.1 to 16.4 points" in found.verdict
    assert "UNet 5.0 to 5.7 points" in found.verdict


def test_acc_is_recall_by_the_counts_that_dice_and_recall_imply():
    """For one row, counts built by hand: a picture of 10^6 pixels, UNet's rib."""
    row = audit.acc_is_recall().evidence.query("row == 'UNet' and `class` == 'rib'").iloc[0]
    share = pd.read_csv(PUBLISHED / "real_vpi_statistics.csv").set_index("quantity").real["rib_percent"] / 100
    positives = share * 1e6
    tp = 0.7637 * positives
    fn = positives - tp
    fp = 2 * tp / 0.7737 - 2 * tp - fn
    assert 100 * (1e6 - fp - fn) / 1e6 == pytest.approx(row["accuracy by Eq. (10), if Acc is recall"])
    assert 100 * tp / (tp + fp) == pytest.approx(row["precision, if Acc is recall"])


def test_two_backgrounds_contradict_themselves_and_the_others():
    """w/o SCA: 4 x 84.46 - (78.36 + 77.52 + 86.51) and its IoU; w/o SAA: 4 x 84.72 - (78.06 + 77.06 + 86.80)."""
    found = audit.backgrounds()
    assert found.flagged == ("~ w/o SCA", "~ w/o SAA")
    table = found.evidence.set_index("row")
    assert table.loc["~ w/o SCA", ["Dice", "IoU from that Dice", "IoU"]].tolist() == pytest.approx(
        [95.45, 100 * 0.9545 / 1.0455, 4 * 73.90 - (64.42 + 63.29 + 76.23)]
    )
    assert table.loc["~ w/o SAA", ["Dice", "IoU from that Dice", "IoU"]].tolist() == pytest.approx(
        [96.96, 100 * 0.9696 / 1.0304, 4 * 74.29 - (64.02 + 62.68 + 76.68)]
    )
    others = table.Dice.drop(list(found.flagged))
    assert (others.min(), others.max()) == pytest.approx((4 * 84.90 - 243.42, 4 * 84.85 - 242.90))
    assert "96.18 to 96.50" in found.verdict


def test_on_the_bones_the_ablation_of_sca_stands_above_that_of_saa():
    """(78.36 + 77.52 + 86.51) / 3 = 80.80 above (78.06 + 77.06 + 86.80) / 3 = 80.64; printed 84.46 below 84.72."""
    found = audit.order_of("II")
    dice = found.evidence.query("metric == 'Dice'").iloc[0]
    assert (dice["above as printed"], dice["below"]) == ("~ w/o SAA", "~ w/o SCA")
    numbers = dice[["average above", "average below", "classes above", "classes below"]]
    assert numbers.astype(float).round(2).tolist() == [84.72, 84.46, 80.64, 80.80]
    assert len(audit.order_of("I").evidence) == 18


def test_the_pixels_do_not_balance_and_nine_rows_do_without_four():
    found = audit.pixels_predicted_once()
    assert found.flagged == ("CCNet", "SADANet", "~ w/o SCA", "~ w/o SAA")
    for said in ("at least one of 5 rows predicts 0.38 %", "at least one of 13 rows predicts 0.73 %"):
        assert said in found.verdict
    # SADANet at 5.7, 7.2, 8.8 and 78.3 %: the background's recall is 4 x 86.15 - 250.00, its Dice 4 x 84.90 - 243.42
    e = 5.7 * 79.64 / 78.82 + 7.2 * 79.70 / 77.64 + 8.8 * 90.66 / 86.96 + 78.3 * 94.60 / 96.18
    column = found.evidence.set_index("row")["pixels too many (%), at the real image's shares"]
    assert column["SADANet"] == pytest.approx(2 * e - 200)
    assert column[list(found.flagged)].round(1).tolist() == [0.9, -1.3, 1.5, -1.1]
    assert "SADANet (-1.3)" in found.verdict
    assert "the other 8 rows balance" in found.verdict


def scores(*by_seed):
    rows = [("dice", "average_4_classes", "softmax", seed, percent) for seed, percent in enumerate(by_seed)]
    return pd.DataFrame(rows, columns=["metric", "region", "method", "seed", "percent"])


def test_lambda_2_has_the_best_iou_and_lambda_0_is_a_twentieth_of_a_point_below():
    verdict = audit.lambdas(scores(80.0)).verdict
    for said in ("λ = 2 has", "74.55 against 74.54", "0.05 Dice below", "0.31 points", "One seed"):
        assert said in verdict


def test_the_spread_between_seeds_is_measured_not_told():
    assert (
        "3 seeds (table eq3_scores) has a standard deviation of 1.00 points"
        in audit.lambdas(scores(79, 80, 81)).verdict
    )
    both = pd.concat([scores(79, 81), scores(60, 62, 64).assign(method="max-minus")])
    spread, seeds = audit.between_seeds(both)
    assert (spread, seeds) == (pytest.approx(np.sqrt((2 + 8) / (1 + 2))), 3)


def test_every_finding_has_its_text():
    for finding in audit.of_tables():
        text = tables.finding_markdown(finding)
        assert finding.verdict in text
        assert "nan" not in finding.verdict
