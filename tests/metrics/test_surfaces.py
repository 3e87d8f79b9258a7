"""Outline distances against MONAI and by hand; bones missed and invented, on masks drawn by hand."""

import numpy as np
import pytest
import torch
from monai.metrics import compute_average_surface_distance, compute_hausdorff_distance
from scipy import ndimage

from sadanet_lab.metrics.surfaces import distances, surfaces
from sadanet_lab.spine.bones import SPECK
from sadanet_lab.spine.classes import BONES

RIB, PROCESS, LUMP = 1, 2, 3
NO_BONE = np.zeros((200, 200), np.uint8)


def drawn(*boxes, label=RIB):
    """A label map with filled boxes (top, left, height, width)."""
    labels = NO_BONE.copy()
    for top, left, height, width in boxes:
        labels[top : top + height, left : left + width] = label
    return labels


def row(truth, predicted, name="rib"):
    return surfaces(truth, predicted, "x").set_index("class").loc[name]


def patches(truth, predicted, name="rib"):
    return row(truth, predicted, name)[["bones", "missed", "false"]].tolist()


def blobs(rng, shape, share):
    field = ndimage.gaussian_filter(rng.normal(size=shape), 3)
    return field > np.quantile(field, 1 - share)


def square(top, left, side=10):
    mask = np.zeros((60, 80), bool)
    mask[top : top + side, left : left + side] = True
    return mask


def at_border(mask):
    return mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any()


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("share", [0.05, 0.3, 0.7])
def test_distances_are_those_of_monai(share):
    rng = np.random.default_rng(0)
    pairs = [(blobs(rng, (40, 56), share), blobs(rng, (40, 56), share)) for _ in range(8)]
    assert any(at_border(mask) for pair in pairs for mask in pair)
    one, other = (torch.tensor(np.array(each))[:, None] for each in zip(*pairs, strict=True))
    hd95 = compute_hausdorff_distance(one, other, include_background=True, percentile=95)
    mean = compute_average_surface_distance(one, other, include_background=True, symmetric=True)
    expected = torch.cat([hd95, mean], 1).numpy()
    np.testing.assert_allclose([distances(*pair) for pair in pairs], expected, atol=1e-3)


@pytest.mark.parametrize(("k", "mean"), [(1, 0.5), (12, 12 - 4.5)])
def test_distances_of_a_shifted_square_by_hand(k, mean):
    """Sides of 10 pixels, 36 in the outline. By 1: the 18 of the two sides across lie 1 apart. By 12: k - 4.5."""
    for shifted in (square(20, 20 + k), square(20 + k, 20)):
        assert distances(square(20, 20), shifted) == pytest.approx((k, mean))
        assert distances(shifted, square(20, 20)) == pytest.approx((k, mean))


@pytest.mark.parametrize("mask", [square(20, 20), square(0, 0), np.ones((60, 80), bool)])
def test_a_mask_lies_no_distance_from_itself(mask):
    assert distances(mask, mask) == (0, 0)


def test_the_image_s_border_is_an_outline_too():
    """The whole image against all but its first column: only that column's outline lies apart, by 1, off its ends."""
    whole = np.ones((60, 80), bool)
    cut = whole.copy()
    cut[:, 0] = False
    assert distances(whole, cut)[0] == pytest.approx(1)
    assert distances(whole, cut)[1] == pytest.approx((60 + 58) / (2 * 276 - 2))


def test_a_mask_against_none_is_as_far_as_the_diagonal_and_none_against_none_is_nowhere():
    none = np.zeros((60, 80), bool)
    assert distances(square(5, 5), none) == distances(none, square(5, 5)) == (100, 100)
    assert np.isnan(distances(none, none)).all()


def test_a_mask_has_a_row_a_bone_and_the_columns_told():
    table = surfaces(drawn((10, 10, 20, 30))[:150], drawn((10, 13, 20, 30))[:150], "x")
    columns = ["stem", "class", "height", "width", "hd95", "surface_distance", "bones", "missed", "false"]
    assert list(table) == columns
    assert table["class"].tolist() == list(BONES)
    assert (table[["stem", "height", "width"]] == ["x", 150, 200]).all(axis=None)
    assert table.hd95.tolist() == pytest.approx([3, np.nan, np.nan], nan_ok=True)


def test_each_bone_s_distances_are_of_its_class_alone():
    truth, predicted = drawn((10, 10, 20, 30)), drawn((10, 10, 20, 30))
    truth[100:120, 100:120] = predicted[105:125, 100:120] = PROCESS
    predicted[180:190, 0:10] = LUMP
    table = surfaces(truth, predicted, "x").set_index("class")
    assert table.hd95.tolist() == pytest.approx([0, 5, 200 * 2**0.5])
    assert table.surface_distance.rib == 0
    assert table[["bones", "missed", "false"]].to_numpy().tolist() == [[1, 0, 0], [1, 0, 0], [0, 0, 1]]


def test_bones_found_missed_and_invented_are_counted():
    truth = drawn((10, 10, 10, 30), (50, 10, 10, 30), (90, 10, 10, 30))
    assert patches(truth, truth) == [3, 0, 0]
    assert patches(truth, NO_BONE) == [3, 3, 0]
    assert patches(NO_BONE, truth) == [0, 0, 3]
    assert patches(truth, drawn((12, 12, 10, 30), (150, 10, 10, 30))) == [3, 2, 1]
    assert patches(NO_BONE, NO_BONE) == [0, 0, 0]


def test_two_bones_predicted_as_one_are_not_both_found():
    truth = drawn((10, 10, 10, 30), (22, 10, 10, 30))
    assert patches(truth, drawn((10, 10, 22, 30))) == [2, 2, 1]
    assert patches(truth, drawn((10, 10, 15, 30))) == [2, 1, 0]


def test_a_bone_found_in_two_pieces_is_found_once_and_the_smaller_piece_is_false():
    assert patches(drawn((10, 10, 10, 60)), drawn((10, 10, 10, 40), (10, 52, 10, 18))) == [1, 0, 1]


@pytest.mark.parametrize(("shift", "found"), [(3, True), (4, False)])
def test_bones_match_from_an_iou_above_a_half(shift, found):
    """10 x 10 shifted by s: IoU (10 - s) / (10 + s), 7 / 13 and 6 / 14."""
    assert patches(drawn((10, 10, 10, 10)), drawn((10, 10 + shift, 10, 10))) == [1, 1 - found, 1 - found]


def test_an_iou_of_exactly_a_half_is_no_match():
    assert patches(drawn((10, 10, 10, 30)), drawn((10, 20, 10, 30))) == [1, 1, 1]


def test_a_bone_of_another_class_is_both_missed_and_false():
    truth, predicted = drawn((10, 10, 10, 10), label=RIB), drawn((10, 10, 10, 10), label=LUMP)
    assert patches(truth, predicted, "rib") == [1, 1, 0]
    assert patches(truth, predicted, "lump") == [0, 0, 1]


def test_specks_are_no_bones_on_either_side_but_patches_from_that_size_are():
    smallest = round(SPECK * NO_BONE.size)
    assert smallest == 4
    specks, patch = drawn((50, 50, 1, smallest - 1), (80, 50, 1, 1)), drawn((50, 50, 1, smallest))
    assert patches(NO_BONE, specks) == patches(specks, NO_BONE) == [0, 0, 0]
    assert patches(NO_BONE, patch) == [0, 0, 1]
    assert patches(patch, NO_BONE) == [1, 1, 0]


def test_a_speck_finds_no_bone_and_justifies_none():
    bone, speck = drawn((10, 10, 10, 10)), drawn((15, 15, 1, 1))
    assert patches(bone, speck) == [1, 1, 0]
    assert patches(speck, bone) == [0, 0, 1]


def test_pieces_that_meet_at_a_corner_are_one_bone_and_pieces_a_pixel_apart_are_two():
    assert patches(drawn((10, 10, 10, 10), (20, 20, 10, 10)), NO_BONE) == [1, 1, 0]
    assert patches(drawn((10, 10, 10, 10), (10, 21, 10, 10)), NO_BONE) == [2, 2, 0]
