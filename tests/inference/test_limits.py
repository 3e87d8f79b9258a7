"""Limits of a model as they are used: intervals, distances, reasons, and their file."""

import os
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.distance import mahalanobis

from sadanet_lab.errors import BadInput
from sadanet_lab.inference import doubt
from sadanet_lab.inference.limits import DOUBTS, Limits, doubts_of
from sadanet_lab.phantom import draw_picture, draw_spine
from sadanet_lab.spine.curve_angles import measure_curves
from sadanet_lab.spine.judgement import Interval
from sadanet_lab.spine.levels import Level, largest_angle, largest_span

SURE = 12.0
"""A logit that no noise outweighs."""


def some_limits(**changes) -> Limits:
    covariance = np.array([[1.0, 0.6], [0.6, 1.0]])
    limits = Limits(
        model="this",
        share=0.9,
        weights={"always": 2.0, "spread": 0.5, "less: grey": 1.0},
        largest_distance=2.0,
        statistics=("grey", "noise"),
        mean=(100.0, 5.0),
        sd=(20.0, 1.0),
        precision=tuple(map(tuple, np.linalg.inv(covariance).tolist())),
        made_of={"usual": 3},
    )
    return replace(limits, **changes)


def spine_and_logits(certain=SURE):
    """A phantom, and logits of a network that finds it as it is."""
    spine = draw_spine(np.random.default_rng(3), 112, 448)
    logits = np.eye(4, dtype=np.float32)[spine.labels()].transpose(2, 0, 1) * certain
    return spine, draw_picture(np.random.default_rng(4), spine), logits


def test_the_half_width_is_the_weighted_sum_of_doubts():
    doubts = dict.fromkeys(DOUBTS, 0.0) | {"angle": 30.0, "always": 1.0, "spread": 3.0}
    darker, brighter = ({"grey": grey, "noise": 5.0} for grey in (70.0, 130.0))  # by 1.5 sd
    assert some_limits().interval(doubts, darker) == Interval(30 - 5, 30 + 5)
    assert some_limits().interval(doubts, brighter) == Interval(30 - 3.5, 30 + 3.5)
    assert some_limits().interval(doubts | {"angle": 1.0}, darker).low == 0  # no angle is smaller


def test_the_distance_is_that_of_mahalanobis_per_statistic():
    limits = some_limits()
    expected = mahalanobis([2.0, 1.0], [0, 0], np.array(limits.precision)) / np.sqrt(2)
    assert limits.distance({"noise": 6.0, "grey": 140.0}) == pytest.approx(expected)
    assert limits.distance({"noise": 5.0, "grey": 100.0}) == 0


def test_a_file_gives_the_same_limits_back_and_those_of_another_model_are_not_taken(tmp_path):
    path = tmp_path / "limits.json"
    assert Limits.read(path, "this") is None
    path.write_text(some_limits().to_json())
    assert Limits.read(path, "this") == some_limits()
    assert Limits.read(path, "another") is None


@pytest.mark.parametrize("content", ["no json", "[]", "{}", '{"model": "this"}'])
def test_a_damaged_file_is_refused(tmp_path, content):
    path = tmp_path / "limits.json"
    path.write_text(content)
    with pytest.raises(BadInput, match=r"limits.json: damaged .*sadanet calibrate"):
        Limits.read(path, "this")


def test_a_pipe_is_not_waited_for(tmp_path):
    path = tmp_path / "limits.json"
    os.mkfifo(path)
    with pytest.raises(BadInput, match=r"limits.json: a pipe"):
        Limits.read(path, "this")


def test_there_is_a_doubt_for_the_largest_angle_and_for_each_curve():
    _, _, logits = spine_and_logits()
    found = measure_curves(logits.argmax(0).astype(np.uint8))
    doubts = doubts_of(448, logits, found)
    assert [each["angle"] for each in doubts] == [
        found.largest_angle_degrees,
        *(curve.angle_degrees for curve in found.curves),
    ]
    for each in doubts:
        assert each["spread"] == pytest.approx(0, abs=0.05)  # nothing to doubt
        assert set(DOUBTS) <= set(each)
    assert doubts_of(448, logits, measure_curves(np.zeros((448, 112), np.uint8))) == []


def test_the_less_sure_a_network_is_the_more_the_samples_spread_and_the_larger_the_entropy():
    spreads, entropies = [], []
    for certain in (SURE, 3.0, 1.0):
        _, _, logits = spine_and_logits(certain)
        found = measure_curves(logits.argmax(0).astype(np.uint8))
        (largest, *_) = doubts_of(448, logits, found)
        spreads.append(largest["spread"])
        entropies.append(largest["uncertainty"])
    assert spreads[0] < spreads[1] < spreads[2]
    assert entropies[0] < entropies[1] < entropies[2] < np.log(4)


def test_the_spread_is_of_the_tilts_at_the_two_heights():
    def levels(tilt):
        return [Level("thoracic", (0, y - tilt), (100, y + tilt)) for y in (10, 60)] + [
            Level("lumbar", (0, 90 + tilt), (100, 90 - tilt))
        ]

    angles = [abs(levels(t)[2].tilt - levels(t)[0].tilt) for t in (5, 8)]
    spread = doubt.spread_of_angle([levels(5), levels(8)], 0.1, 0.9, angles[0], 100)
    assert spread == pytest.approx((angles[1] - angles[0]) / 2)
    assert doubt.spread_of_angle([], 0.1, 0.9, 7.0, 100) == 7.0


@pytest.mark.parametrize("tilts", [[0.0], [1.0, 2.0], [0, 10, -5, 3], [5, 4, 3, 2.5], [-20, 0, 20]])
def test_the_largest_angle_is_between_the_levels_of_the_largest_span(tilts):
    levels = [
        Level("lumbar", (0.0, 100.0 * i), (100.0, 100 * i + 100 * np.tan(np.radians(t)))) for i, t in enumerate(tilts)
    ]
    upper, lower = largest_span(levels)
    assert upper <= lower
    assert abs(levels[upper].tilt - levels[lower].tilt) == pytest.approx(largest_angle(levels))


def test_a_picture_that_stands_out_is_strange_and_says_in_what():
    _, image, logits = spine_and_logits()
    found = measure_curves(logits.argmax(0).astype(np.uint8))
    told = doubt.describe_picture(*doubt.reduced(image, logits), found)
    names = ("share of lump", "grey that 50 % are below")
    usual = some_limits(
        weights={"always": 2.0}, statistics=names, mean=tuple(told[name] for name in names), sd=(0.1, 0.1)
    )
    assert not usual.judge(image, logits, found).strange
    other = replace(usual, mean=(told[names[0]], told[names[1]] - 1))
    judged = other.judge(image, logits, found)
    assert judged.strange
    assert judged.reasons == ("more: grey that 50 % are below",)
    assert len(judged.curves) == len(found.curves)
    assert judged.largest is not None


@pytest.mark.parametrize("image", [np.zeros((100, 30), np.uint8), np.full((30, 200), 255, np.uint8)])
def test_every_picture_has_finite_statistics(image):
    logits = np.zeros((4, *image.shape), np.float32)
    told = doubt.describe_picture(*doubt.reduced(image, logits), measure_curves(np.zeros(image.shape, np.uint8)))
    assert np.isfinite(list(told.values())).all()
