"""Fig. 6: where the box, the circles and their colours are; the contact sheet."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.patches import Circle, Rectangle
from printed import check_print

from sadanet_lab.errors import BadInput
from sadanet_lab.images.folder_check import open_folder
from sadanet_lab.spine.classes import COLOUR_BLIND_SAFE
from sadanet_lab.studies.selection import pick_sample
from sadanet_lab.views import fig6


def test_the_box_is_where_label_maps_differ_most():
    masks = [np.zeros((100, 50), np.uint8) for _ in range(3)]
    masks[0][60:70, 20:40] = 1
    masks[1][62:72, 20:40] = 2
    masks[2][5, 5] = 3  # a lone pixel elsewhere
    top, left, height, width = fig6.box_of_disagreement(masks)
    assert (height, width) == (16, 30)
    assert top <= 60
    assert top + height >= 72
    assert left <= 20
    assert left + width >= 40
    assert top + height <= 100
    assert left + width <= 50


def test_there_is_no_box_where_label_maps_are_alike(runs, phantoms):
    assert fig6.box_of_disagreement([np.ones((100, 50), np.uint8)] * 2) is None
    figure = fig6.segmentations(open_folder(phantoms).test[0], runs[:1])
    assert not any(isinstance(patch, Rectangle) for axis in figure.axes for patch in axis.patches)


def test_the_circle_is_where_a_prediction_errs_most_and_nowhere_if_it_does_not():
    truth, predicted = np.zeros((200, 60), np.uint8), np.zeros((200, 60), np.uint8)
    predicted[150:165, 30:45] = 1
    predicted[10:12, 10:12] = 2
    row, column, radius = fig6.worst_place(truth, predicted)
    assert abs(row - 157) < 8
    assert abs(column - 37) < 8
    assert radius == 4
    assert fig6.worst_place(truth, truth) is None


def test_the_sample_is_the_one_named_or_that_of_median_dice(runs, phantoms):
    data = open_folder(phantoms)
    assert pick_sample(data, runs[0], data.test[1].stem) == data.test[1]
    dice = fig6.dice_of_images(runs[0])
    assert dice[pick_sample(data, runs[0]).stem] == sorted(dice.values())[len(dice) // 2]
    with pytest.raises(BadInput, match="no test image 'nonsense'"):
        pick_sample(data, runs[0], "nonsense")


def test_fig6_has_a_column_an_image_the_mask_and_each_method(runs, phantoms):
    data = open_folder(phantoms)
    figure = fig6.segmentations(data.test[0], runs)
    assert len(figure.axes) == 2 * (2 + len(runs))
    sheet = fig6.contact_sheet(data, runs[0])
    assert len([axis for axis in sheet.axes if axis.images]) == len(data.test)
    assert len([axis for axis in fig6.contact_sheet(data, runs[0], most=1).axes if axis.images]) == 1
    check_print(figure)
    check_print(sheet)


def test_box_and_circle_have_no_class_s_colour_and_no_circle_is_cut(runs, phantoms):
    figure = fig6.segmentations(open_folder(phantoms).test[0], runs)
    figure.draw_without_rendering()
    classes = [tuple(colour / 255) for colour in COLOUR_BLIND_SAFE[1:]]
    for axis in figure.axes:
        for patch in axis.patches:
            if isinstance(patch, Rectangle | Circle):
                assert to_rgb(patch.get_edgecolor()) not in classes
            if isinstance(patch, Circle):
                (column, row), (left, right), (bottom, top) = patch.center, axis.get_xlim(), axis.get_ylim()
                assert left <= column - patch.radius
                assert column + patch.radius <= right
                assert top <= row - patch.radius
                assert row + patch.radius <= bottom
