"""Recall of hidden bones, scores inside the strip, and what is invented in the frame, by hand."""

import numpy as np
import pandas as pd

from sadanet_lab.images.strip import scanned_strip
from sadanet_lab.metrics.hidden import found_bones
from sadanet_lab.metrics.measures import Prediction, hidden_bones, in_strip
from sadanet_lab.metrics.scores import count

RIB, PROCESS, LUMP = 1, 2, 3


def bones_of(*rows):
    return pd.DataFrame(rows, columns=["bone", "class", "hidden"])


def test_a_bone_is_found_from_half_its_pixels_of_its_own_class():
    numbers = np.zeros((4, 10), np.uint8)
    for row, number in enumerate((1, 2, 3, 5)):
        numbers[row] = number
    labels = np.zeros((4, 10), np.uint8)
    labels[0, :5], labels[1, :4], labels[2], labels[3] = RIB, RIB, PROCESS, LUMP
    bones = bones_of(
        (1, "rib", "level"), (2, "rib", "level"), (3, "lump", ""), (4, "rib", "pair"), (5, "lump", "level")
    )
    found = found_bones(bones, numbers, labels, "x")
    assert found.to_dict("split")["data"] == [  # none of a bone without a pixel: it is outside the strip
        ["x", "lump", "level", 1, 1, 10, 10],
        ["x", "lump", "seen", 1, 0, 10, 0],
        ["x", "rib", "level", 2, 1, 20, 9],
    ]


def prediction(image, truth, labels, **others):
    return Prediction("x", image, truth, labels, np.ones(truth.shape, np.float32), **others)


def test_where_nothing_is_known_of_hidden_bones_there_are_no_rows():
    blank = np.zeros((8, 8), np.uint8)
    assert hidden_bones(prediction(blank, blank, blank)).empty


def test_scores_inside_the_strip_leave_the_frame_out_and_tell_what_is_invented_there():
    image = np.zeros((60, 60), np.uint8)
    image[:, 20:40] = 90
    truth, labels = np.zeros((60, 60), np.uint8), np.zeros((60, 60), np.uint8)
    truth[10:20, 25:35] = labels[10:20, 25:35] = RIB
    labels[30:40, 45:55] = LUMP  # in the frame
    labels[45:50, 36:46] = LUMP  # across the edge: 4 of 10 columns inside
    labels[10:20, 37:42] = RIB  # 3 of 5 columns inside
    inside = in_strip(prediction(image, truth, labels)).set_index("class")
    whole = count(truth, labels, "x").set_index("class")
    assert inside.loc["rib", ["tp", "fp", "fn"]].tolist() == [100, 30, 0]
    assert inside.loc["lump", ["tp", "fp"]].tolist() == [0, 20]
    assert whole.loc["lump", "fp"] - inside.loc["lump", "fp"] == 130
    assert inside.invented.to_dict() == {"background": 0, "rib": 0, "thoracic_process": 0, "lump": 2}
    assert (inside[["tp", "fp", "fn", "tn"]].sum(1) == 60 * 20).all()


def test_the_strip_bridges_black_in_it_and_leaves_specks_out():
    image = np.zeros((40, 60), np.uint8)
    image[:, 20:40] = 120
    image[10:12, 25:35] = 0
    image[5, 3] = 255
    strip = scanned_strip(image)
    assert strip[:, 20:40].all()
    assert not strip[:, :19].any()
    assert not strip[:, 41:].any()
