"""Scores against numbers worked out by hand, and what an absent class counts as."""

import numpy as np
import pandas as pd
import pytest

from sadanet_core.experiment import scores

TRUTH = np.array([[0, 1, 1, 1], [0, 2, 2, 0]], np.uint8)
PREDICTED = np.array([[0, 1, 1, 0], [2, 2, 0, 0]], np.uint8)


def test_counts_by_hand():
    """Rib: 2 of 3 found. Process: 1 of 2 found, 1 false. Background: 2 of 3 found, 2 false."""
    counts = scores.count(TRUTH, PREDICTED, "x").set_index("class")[["tp", "fp", "fn", "tn"]]
    assert counts.loc["background"].tolist() == [2, 2, 1, 3]
    assert counts.loc["rib"].tolist() == [2, 0, 1, 5]
    assert counts.loc["thoracic_process"].tolist() == [1, 1, 1, 5]
    assert counts.loc["lump"].tolist() == [0, 0, 0, 8]


def test_scores_by_hand():
    pooled = scores.scores_of(scores.count(TRUTH, PREDICTED, "x"))
    assert pooled.loc["rib", ["dice", "iou", "recall", "accuracy"]].tolist() == pytest.approx(
        [4 / 5, 2 / 3, 2 / 3, 7 / 8]
    )
    assert pooled.loc["thoracic_process"].tolist() == pytest.approx([1 / 2, 1 / 3, 1 / 2, 6 / 8])


def test_an_absent_class_is_left_out_of_means_and_never_invented():
    pooled = scores.scores_of(scores.count(TRUTH, PREDICTED, "x"))
    assert np.isnan(pooled.loc["lump", ["dice", "iou", "recall"]].astype(float)).all()
    assert pooled.loc["average_3_bones", "dice"] == pytest.approx((4 / 5 + 1 / 2) / 2)
    assert pooled.loc["average_4_classes", "dice"] == pytest.approx((4 / 7 + 4 / 5 + 1 / 2) / 3)


@pytest.mark.parametrize("basis", scores.BASES)
def test_a_class_in_no_mask_has_no_score_even_if_it_is_predicted(basis):
    counts = scores.count(np.zeros((2, 2), np.uint8), np.array([[0, 0], [0, 3]], np.uint8), "x")
    found = scores.scores_of(counts, basis)
    assert found.loc["lump"].isna().all()
    assert found.loc["average_3_bones"].isna().all()
    assert found.loc["average_4_classes", "recall"] == pytest.approx(3 / 4)


def test_a_class_predicted_where_only_other_images_have_it_scores_zero_there():
    empty, full = np.zeros((2, 2), np.uint8), np.full((2, 2), 3, np.uint8)
    counts = pd.concat([scores.count(full, full, "a"), scores.count(empty, full, "b"), scores.count(empty, empty, "c")])
    lump = scores.scores_of(counts, "per-image").loc["lump"]
    assert (lump.dice, lump.iou, lump.recall) == (0.5, 0.5, 1)  # of a and b; of a alone


def test_pooled_and_per_image_differ_as_they_should():
    """Two images: one bone of 90 pixels found whole, one of 10 missed: pooled recall 0.9, per image 0.5."""
    large = np.zeros((10, 10), np.uint8)
    large[:9] = 1
    small = np.zeros((10, 10), np.uint8)
    small[9] = 1
    counts = pd.concat([scores.count(large, large, "a"), scores.count(small, np.zeros_like(small), "b")])
    assert scores.scores_of(counts).loc["rib", "recall"] == pytest.approx(0.9)
    assert scores.scores_of(counts, "per-image").loc["rib", "recall"] == pytest.approx(0.5)


def test_iou_follows_from_pooled_dice():
    """IoU = Dice / (2 - Dice), the identity by which the paper's rows are audited."""
    rng = np.random.default_rng(0)
    pairs = [rng.integers(0, 4, (2, 20, 20), np.uint8) for _ in range(5)]
    pooled = scores.scores_of(pd.concat([scores.count(t, p, str(i)) for i, (t, p) in enumerate(pairs)])).iloc[:4]
    np.testing.assert_allclose(pooled.iou, pooled.dice / (2 - pooled.dice))
