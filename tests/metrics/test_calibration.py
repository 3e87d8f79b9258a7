"""Calibration of made-up networks whose confidence is known."""

import numpy as np
import pytest

from sadanet_lab.metrics.calibration import BINS, calibration, expected_calibration_error, pool, reliability
from sadanet_lab.spine.classes import CLASSES


def made_up(seed=0, shape=(200, 200), share_right=lambda confidence: confidence, lowest=0.3):
    """(truth, labels, confidence) of a network that is right with a probability given by its confidence."""
    rng = np.random.default_rng(seed)
    labels, confidence = rng.integers(len(CLASSES), size=shape), rng.uniform(lowest, 1, shape)
    right = rng.random(shape) < share_right(confidence)
    truth = np.where(right, labels, (labels + rng.integers(1, len(CLASSES), shape)) % len(CLASSES))
    return truth.astype(np.uint8), labels, confidence


def by_hand():
    """Rows: region, bin -> pixels, confidence, correct of 2 x 2 pixels; the last column are the only bones."""
    truth = np.array([[0, 1], [0, 2]], np.uint8)
    labels, confidence = np.array([[0, 1], [0, 1]]), np.array([[0.95, 0.65], [0.45, 0.65]])
    return calibration(truth, labels, confidence)


def test_four_pixels_by_hand():
    """Right at 0.95, 0.65 and 0.45, wrong at 0.65: gaps of 0.05, 0.15 (twice) and 0.55."""
    table = by_hand().set_index(["region", "bin"])
    filled = {("all", 9): (1, 0.95, 1), ("all", 6): (2, 1.3, 1), ("all", 4): (1, 0.45, 1), ("bones", 6): (2, 1.3, 1)}
    for place, sums in table.iterrows():
        assert sums.tolist() == pytest.approx(filled.get(place, (0, 0, 0)), abs=1e-6)
    error = expected_calibration_error(by_hand())
    assert error["all"] == pytest.approx((0.05 + 2 * 0.15 + 0.55) / 4)
    assert error["bones"] == pytest.approx(0.15)


def test_a_table_has_a_row_a_region_and_bin():
    table = by_hand()
    assert list(table) == ["region", "bin", "pixels", "confidence", "correct"]
    assert table.region.tolist() == ["all"] * BINS + ["bones"] * BINS
    assert table.bin.tolist() == [*range(BINS)] * 2


def test_a_network_as_sure_as_it_is_right_has_no_error():
    assert expected_calibration_error(calibration(*made_up()))["all"] < 0.01


def test_an_overconfident_network_has_the_error_planted():
    error = expected_calibration_error(calibration(*made_up(share_right=lambda c: c - 0.2)))
    assert error["all"] == pytest.approx(0.2, abs=0.01)


def test_always_sure_and_half_right_is_an_error_of_one_half():
    labels = np.full((10, 10), 1)
    truth = np.where(np.arange(100).reshape(10, 10) % 2 == 0, 1, 2).astype(np.uint8)
    table = calibration(truth, labels, np.ones((10, 10)))
    assert expected_calibration_error(table).tolist() == pytest.approx([0.5, 0.5])


def test_a_probability_of_one_is_in_the_last_bin():
    labels = np.full((10, 10), 3)
    last = calibration(labels.astype(np.uint8), labels, np.ones((10, 10))).query("bin == 9")
    assert last[["pixels", "confidence", "correct"]].to_numpy().tolist() == [[100, 100, 100]] * 2


def test_sums_hold_every_pixel_in_the_bin_of_its_probability():
    truth, labels, probability = made_up(shape=(37, 53), lowest=0.26)
    regions = {"all": np.full(truth.shape, True), "bones": labels != 0}
    table = calibration(truth, labels, probability)
    for region, inside in regions.items():
        rows = table[table.region == region]
        assert rows.pixels.sum() == inside.sum()
        assert rows.correct.sum() == (truth == labels)[inside].sum()
        assert rows.confidence.sum() == pytest.approx(probability[inside].sum(), rel=1e-5)
        means = reliability(rows).dropna()
        assert len(means) == 8
        assert means.confidence.between(means.bin / BINS, (means.bin + 1) / BINS).all()


def test_bones_are_those_of_the_prediction():
    truth, labels = np.array([[0, 0, 2, 2, 0]], np.uint8), np.array([[0, 1, 0, 3, 0]])
    table = calibration(truth, labels, np.full(truth.shape, 0.85))
    assert table[table.region == "bones"].pixels.sum() == 2
    assert table[table.region == "bones"].correct.sum() == 0
    assert table[table.region == "all"].correct.sum() == 2


def test_pooled_images_are_as_one_image():
    images = [made_up(seed, (20, 30)) for seed in range(3)]
    one_image = [np.concatenate(parts) for parts in zip(*images, strict=True)]
    together, at_once = pool([calibration(*image) for image in images]), calibration(*one_image)
    assert list(together) == list(at_once)
    assert together[["region", "bin", "pixels", "correct"]].equals(at_once[["region", "bin", "pixels", "correct"]])
    np.testing.assert_allclose(together.confidence, at_once.confidence)


def test_an_empty_bin_has_no_confidence_and_no_accuracy():
    bins = reliability(by_hand())
    assert list(bins) == ["region", "bin", "pixels", "confidence", "accuracy"]
    empty = bins.pixels == 0
    assert empty.sum() == 16
    assert bins.loc[empty, ["confidence", "accuracy"]].isna().all(axis=None)
    assert bins.loc[~empty, "accuracy"].tolist() == pytest.approx([1, 0.5, 1, 0.5])
    assert bins.loc[~empty, "confidence"].tolist() == pytest.approx([0.45, 0.65, 0.95, 0.65])


def test_an_image_without_bones_has_no_error_for_them():
    labels = np.zeros((4, 4), int)
    error = expected_calibration_error(calibration(labels.astype(np.uint8), labels, np.full((4, 4), 0.75)))
    assert error["all"] == pytest.approx(0.25)
    assert np.isnan(error["bones"])
