"""Outlines as annotators draw them: against areas known from geometry, and nothing but the mask differs."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import label

from sadanet_lab.phantom import draw_picture, draw_spine, scan
from sadanet_lab.phantom.anatomy import annotate
from sadanet_lab.phantom.annotation import redrawn
from sadanet_lab.phantom.ranges import SCANNED, Annotator, Scanner, draw
from sadanet_lab.phantom.shapes import bend
from sadanet_lab.spine.classes import CLASSES

EXACT = Annotator(margin=0, smoothing=0, side=1, rib_end=0, tremor=0, misplacing=0)


def area(polygon):
    x, y = polygon.T
    return abs((x * np.roll(y, -1) - y * np.roll(x, -1)).sum()) / 2


def test_annotators_differ_in_the_mask_alone():
    for spread in SCANNED:
        spine = draw_spine(np.random.default_rng([9, 0]), 256, 1024, spread)
        hands = [draw(Annotator, np.random.default_rng(0), each) for each in SCANNED]
        one, other = (annotate(np.random.default_rng(1), spine, hand) for hand in hands)
        assert (one.labels() != other.labels()).mean() > 0.01
        assert one.levels == other.levels
        for draw_it in (draw_picture, lambda rng, drawn, each: scan(rng, drawn, draw(Scanner, rng, each))):
            images = [draw_it(np.random.default_rng(2), drawn, spread) for drawn in (one, other)]
            assert (images[0] == images[1]).all()


def circle(radius, count=400):
    around = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.stack([300 + radius * np.cos(around), 700 + radius * np.sin(around)], axis=1)


@pytest.mark.parametrize("margin", [-6, 0, 12])
@pytest.mark.parametrize("turn", [1, -1])
def test_an_outline_with_a_margin_is_that_much_wider(margin, turn):
    drawn = redrawn(np.random.default_rng(0), circle(40)[::turn], replace(EXACT, margin=margin))
    assert area(drawn) == pytest.approx(np.pi * (40 + margin) ** 2, rel=0.01)


def test_straight_sides_cut_a_circle_to_a_polygon():
    side, radius = 40.0, 45.0
    drawn = redrawn(np.random.default_rng(0), circle(radius), replace(EXACT, side=side))
    sides = round(2 * np.pi * radius / side)
    assert len(drawn) == sides
    assert area(drawn) == pytest.approx(sides / 2 * radius**2 * np.sin(2 * np.pi / sides), rel=0.02)


def test_smoothing_takes_ragged_edges_away_and_tremor_makes_them():
    rough = circle(40) + np.random.default_rng(1).normal(0, 3, (400, 2))
    for outline, hand, rougher in (
        (rough, replace(EXACT, smoothing=12), False),
        (circle(40), replace(EXACT, tremor=3), True),
    ):
        drawn = redrawn(np.random.default_rng(0), outline, hand)
        before, after = (np.linalg.norm(line - [300, 700], axis=1).std() for line in (outline, drawn))
        assert (after > before + 1) if rougher else (after < 0.5 * before)


@pytest.mark.parametrize("side", [-1, 1])
def test_a_rib_is_drawn_out_or_stops_short_at_its_outer_end_alone(side):
    """Of a bar 120 long, 40 high."""
    along = np.linspace(0, 120, 60)
    bar = np.concatenate([np.stack([along, along * 0 - 20], 1), np.stack([along[::-1], along * 0 + 20], 1)])
    bar = bar * [side, 1] + 500
    for further, reach in ((30, 150), (-40, 80), (-100, 60)):  # half of it is drawn at least
        drawn = redrawn(np.random.default_rng(0), bar, replace(EXACT, rib_end=further), side)
        outward = side * (drawn[:, 0] - 500)
        assert (outward.min(), outward.max()) == pytest.approx((0, reach), abs=3)


def test_bones_of_a_kind_are_not_drawn_into_one_another():
    """With the widest margin there are as many lumps as with none."""
    wide = replace(EXACT, margin=14)
    lumps = CLASSES.index("lump")
    for spine in (draw_spine(np.random.default_rng([9, i]), 256, 1024, "scanner2") for i in range(10)):
        counts = [label(annotate(np.random.default_rng(0), spine, hand).labels() == lumps)[1] for hand in (EXACT, wide)]
        assert counts[0] == counts[1]


def test_a_bent_rib_hangs_down_at_its_outer_end():
    bar = np.array([(0.0, -10), (100, -10), (100, 10), (0, 10)])
    assert bend(bar, 100, 0, 0) == pytest.approx(bar)
    assert bend(bar, 100, 0.4, 0.5) == pytest.approx(np.array([(0, -10), (100, 35), (100, 45), (0, 10)]))
