"""Scores against numbers worked out by hand, and what an absent class counts as."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

from sadanet_lab.errors import BadInput
from sadanet_lab.metrics import scores
from sadanet_lab.metrics.scores import AVERAGES, counts_array, score_of
from sadanet_lab.spine.classes import CLASSES

METRICS, BASES, REGIONS = scores.METRICS, scores.BASES, (*CLASSES, *AVERAGES)
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
    process = pooled.loc["thoracic_process", ["dice", "iou", "recall", "accuracy"]]
    assert process.tolist() == pytest.approx([1 / 2, 1 / 3, 1 / 2, 6 / 8])


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


# --- whole arrays of counts ---


def as_table(counts):
    """counts (images, classes, 4) -> the table that a run stores."""
    rows = [(f"image{i}", c, *counts[i, k]) for i in range(len(counts)) for k, c in enumerate(CLASSES)]
    return pd.DataFrame(rows, columns=["stem", "class", "tp", "fp", "fn", "tn"])


def random_counts(seeds=2, images=5):
    """Any counts; lump is in no image of the last seed, process in some, and rib is once predicted and not there."""
    rng = np.random.default_rng(3)
    counts = rng.integers(0, 50, (seeds, images, len(CLASSES), 4))
    counts[-1, :, 3, :3] = 0
    counts[:, 1:3, 2, :3] = 0
    counts[:, 0, 1, [0, 2]] = 0
    return counts


def score_by_hand(counts, region, metric, basis):
    """Of counts (images, classes, 4), in plain Python; None where there is none. A new metric's ratio goes here too."""

    def ratio(tp, fp, fn, tn):
        part, whole = {
            "dice": (2 * tp, 2 * tp + fp + fn),
            "iou": (tp, tp + fp + fn),
            "recall": (tp, tp + fn),
            "accuracy": (tp + tn, tp + fp + fn + tn),
        }[metric]
        return part / whole if whole else None

    def mean(values):
        values = [value for value in values if value is not None]
        return sum(values) / len(values) if values else None

    def of_class(name):
        rows = [tuple(map(int, image[CLASSES.index(name)])) for image in counts]
        if not any(tp + fn for tp, _, fn, _ in rows):
            return None
        return ratio(*map(sum, zip(*rows, strict=True))) if basis == "pooled" else mean([ratio(*row) for row in rows])

    return mean([of_class(name) for name in AVERAGES.get(region, [region])])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("basis", BASES)
def test_scores_are_those_written_out_for_every_region_and_metric(basis):
    counts = random_counts()
    for region, metric in product(REGIONS, METRICS):
        expected = [score_by_hand(each, region, metric, basis) for each in counts]
        expected = [np.nan if value is None else value for value in expected]
        np.testing.assert_allclose(score_of(region, metric, basis)(counts), expected, rtol=1e-12)
    assert np.isnan(score_of("lump", "dice", basis)(counts)).tolist() == [False, True]


@pytest.mark.parametrize("basis", BASES)
def test_scores_of_a_stack_are_the_stacked_scores(basis):
    stack = np.stack([random_counts(), random_counts()[::-1], random_counts() + 1])
    for region, metric in product(REGIONS, METRICS):
        score = score_of(region, metric, basis)
        assert score(stack).shape == (3, 2)
        np.testing.assert_array_equal(score(stack), [[score(seed) for seed in each] for each in stack])


def test_an_unknown_basis_is_refused_by_name():
    with pytest.raises(BadInput, match=r"'median'.*pooled or per-image"):
        score_of("rib", "dice", "median")


def test_counts_keep_the_order_of_seeds_images_classes_and_columns():
    counts = random_counts()
    np.testing.assert_array_equal(counts_array(as_table(each) for each in counts), counts)


def test_counts_of_different_images_are_refused():
    table = as_table(random_counts()[0])
    for other in (table.iloc[4:], table.assign(stem=table.stem + "x"), table.iloc[::-1]):
        with pytest.raises(ValueError, match="same images"):
            counts_array([table, other])
