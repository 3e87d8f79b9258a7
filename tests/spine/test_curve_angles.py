"""From label maps to curve angles: true phantom masks, hand-drawn spines, spoilt ones, and what the user is told.

A hand-drawn spine's true angles are those of the list of tilts that it is drawn from.
"""

from math import cos, pi

import numpy as np
import pytest
from spine_drawings import APART, DOUBLE, LUMP, NOT_MEASURABLE, PITCH, PROCESS, SINGLE, centres_of, painted, spine_of

from sadanet_lab.phantom import draw_spine
from sadanet_lab.spine import description
from sadanet_lab.spine.bones import find_bones
from sadanet_lab.spine.curve_angles import Measurement, measure_curves
from sadanet_lab.spine.levels import curves_of, largest_angle
from sadanet_lab.spine.names import USUAL

NOISE = 0.5
"""Degrees by which whole pixels blur a drawn spine's angle."""


def angle_in(labels: np.ndarray) -> float:
    found = measure_curves(labels)
    assert found.measurable, found.reason
    return found.largest_angle_degrees


def ends_and_apex(found: Measurement) -> list[tuple[int, int, int]]:
    return [(curve.upper_end, curve.apex, curve.lower_end) for curve in found.curves]


@pytest.mark.slow
def test_masks_of_phantoms_give_back_the_true_angle_and_every_large_curve():
    errors, missed = [], []
    for i in range(200):
        spine = draw_spine(np.random.default_rng([7, i]).spawn(2)[0], 512, 2048)
        found = measure_curves(spine.labels())
        errors.append(abs(found.largest_angle_degrees - largest_angle(spine.levels)))
        for curve in curves_of(spine.levels):
            if curve.angle_degrees >= 10:
                near = (c for c in found.curves if c.side == curve.side and abs(c.apex - curve.apex) <= 3)
                missed.append(not any(abs(c.angle_degrees - curve.angle_degrees) <= 5 for c in near))
    assert np.mean(errors) <= 1
    assert np.mean(np.array(errors) <= 5) >= 0.99
    assert len(missed) > 200
    assert np.mean(missed) <= 0.01


@pytest.mark.parametrize("bulge", [1, -1])
@pytest.mark.parametrize(("degrees", "severity"), [(8, "none"), (18, "mild"), (35, "moderate"), (50, "severe")])
def test_a_drawn_single_curve_is_given_back(degrees, severity, bulge):
    tilts = [bulge * degrees * (i - 8) / 16 for i in range(17)]
    found = measure_curves(painted(spine_of(tilts, 11)))
    assert found.largest_angle_degrees == pytest.approx(degrees, abs=NOISE)
    assert description.describe("a.png", found)["severity"] == severity
    assert ends_and_apex(found) == [(0, 8, 16)]
    x = centres_of(tilts)[:, 0]
    assert found.curves[0].side == ("right" if x[8] > (x[0] + x[16]) / 2 else "left")


@pytest.mark.parametrize("degrees", [16, 24, 40])
def test_a_drawn_double_curve_is_given_back(degrees):
    found = measure_curves(painted(spine_of([degrees / 2 * cos(pi * i / 6) for i in range(13)], 9)))
    assert [curve.angle_degrees for curve in found.curves] == pytest.approx([degrees, degrees], abs=NOISE)
    assert ends_and_apex(found) == [(0, 3, 6), (6, 9, 12)]
    assert [curve.side for curve in found.curves] == ["left", "right"]


@pytest.mark.parametrize(("tilts", "pairs"), [SINGLE, DOUBLE])
def test_levels_are_found_where_they_were_drawn(tilts, pairs):
    levels = measure_curves(painted(spine_of(tilts, pairs))).levels
    assert [level.region for level in levels] == ["thoracic"] * pairs + ["lumbar"] * (len(tilts) - pairs)
    assert [level.tilt for level in levels] == pytest.approx(tilts, abs=NOISE)
    assert np.abs(centres_of(tilts) - [level.centre for level in levels]).max() < 0.5
    halves = [np.hypot(*np.subtract(level.right, level.left)) / 2 for level in levels]
    assert halves == pytest.approx([APART] * pairs + [60] * (len(tilts) - pairs), abs=1.5)


def test_a_mirrored_map_has_the_same_curves_on_the_other_side():
    labels = painted(spine_of([20 * cos(pi * i / 8) for i in range(17)], 11))
    found, mirrored = measure_curves(labels), measure_curves(labels[:, ::-1])
    assert [c.angle_degrees for c in mirrored.curves] == pytest.approx([c.angle_degrees for c in found.curves])
    assert [c.side for c in found.curves] == ["left", "right"]
    assert [c.side for c in mirrored.curves] == ["right", "left"]
    assert ends_and_apex(mirrored) == ends_and_apex(found)


@pytest.mark.parametrize("drawn", [SINGLE, DOUBLE])
def test_a_map_enlarged_twice_has_the_same_angles(drawn):
    labels = painted(spine_of(*drawn))
    found, enlarged = measure_curves(labels), measure_curves(labels.repeat(2, axis=0).repeat(2, axis=1))
    assert [c.angle_degrees for c in enlarged.curves] == pytest.approx([c.angle_degrees for c in found.curves])
    assert ends_and_apex(enlarged) == ends_and_apex(found)
    assert np.array([(*level.left, *level.right) for level in enlarged.levels]) == pytest.approx(
        2 * np.array([(*level.left, *level.right) for level in found.levels]), abs=1
    )


def test_scattered_bones_bend_a_straight_spine_by_less_than_their_scatter():
    rng, pairs, of_single_levels, measured = np.random.default_rng(0), 11, [], []
    for _ in range(20):
        bones = spine_of([0.0] * 17, pairs)
        for i, down in enumerate(rng.normal(0, 2, 2 * pairs)):
            bones[i] = PROCESS, bones[i][1] + np.array([0, down])
        middles = np.array([bone.mean(0) for _, bone in bones[: 2 * pairs]]).reshape(pairs, 2, 2)
        across, down = (middles[:, 1] - middles[:, 0]).T
        of_single_levels.append(np.ptp(np.degrees(np.arctan2(down, across))))
        measured.append(angle_in(painted(bones)))
    assert np.mean(measured) < 0.75 * np.mean(of_single_levels)


def test_a_spine_that_leans_has_the_same_angles():
    tilts, pairs = DOUBLE
    leaning = measure_curves(painted(spine_of([tilt + 8 for tilt in tilts], pairs)))
    assert [curve.angle_degrees for curve in leaning.curves] == pytest.approx([24, 24], abs=NOISE)


@pytest.mark.parametrize("tilts", [[0.0] * 17, [8.0] * 17, [1.0, -1.0] * 8 + [1.0]])
def test_a_straight_spine_has_no_curve_and_an_angle_below_3(tilts):
    found = measure_curves(painted(spine_of(tilts, 11)))
    assert found.measurable
    assert 0 <= found.largest_angle_degrees < 3
    assert found.curves == ()


def test_ribs_do_not_count():
    labels = painted(spine_of(*DOUBLE))
    assert measure_curves(np.where(labels == 0, 1, labels)) == measure_curves(labels)


@pytest.mark.parametrize("drawn", [SINGLE, DOUBLE])
def test_any_one_bone_may_be_missing(drawn):
    bones = spine_of(*drawn)
    whole = angle_in(painted(bones))
    for i in range(len(bones)):
        assert angle_in(painted(bones[:i] + bones[i + 1 :])) == pytest.approx(whole, abs=3), f"without bone {i}"


@pytest.mark.parametrize("drawn", [SINGLE, DOUBLE])
def test_a_false_process_off_the_axis_changes_nothing(drawn):
    bones = spine_of(*drawn)
    whole = angle_in(painted(bones))
    oval = bones[0][1] - bones[0][1].mean(0)
    for level, centre in enumerate(centres_of(drawn[0])):
        for side in (-1, 1):
            for down in (0, PITCH / 2):
                false = PROCESS, oval + centre + [side * 2.1 * APART, down]
                assert angle_in(painted([false, *bones])) == pytest.approx(whole, abs=0.5), (level, side, down)


@pytest.mark.parametrize("drawn", [SINGLE, DOUBLE])
def test_crumbs_of_a_few_pixels_change_nothing(drawn):
    labels = painted(spine_of(*drawn))
    whole = angle_in(labels)
    for seed in range(5):
        rng = np.random.default_rng(seed)
        crumbs = np.zeros_like(labels)
        for row, column in zip(rng.integers(0, 1197, 40), rng.integers(0, 397, 40), strict=True):
            crumbs[row : row + 3, column : column + 3] = rng.choice([1, PROCESS, LUMP])
        assert angle_in(np.where(labels == 0, crumbs, labels)) == pytest.approx(whole, abs=0.5)


@pytest.mark.parametrize("drawn", [SINGLE, DOUBLE])
def test_two_processes_one_above_the_other_may_have_merged(drawn):
    bones = spine_of(*drawn)
    whole = angle_in(painted(bones))
    for i in range(2 * drawn[1] - 2):
        above, below, aside = bones[i][1].mean(0), bones[i + 2][1].mean(0), np.array([8, 0])
        bridge = PROCESS, np.array([above - aside, above + aside, below + aside, below - aside])
        assert angle_in(painted([*bones, bridge])) == pytest.approx(whole, abs=3), f"processes {i} and {i + 2}"


@pytest.mark.parametrize("overlap", [0.02, 0.1, 0.18])
@pytest.mark.parametrize("drawn", [SINGLE, DOUBLE])
def test_processes_that_touch_stay_two(drawn, overlap):
    """Of ovals 52 pixels high, two so much higher that they overlap by a share of the way between them."""
    bones = spine_of(*drawn)
    count = 2 * drawn[1]
    high, higher = ([_stretched(bone, by / 40) for bone in bones[:count]] for by in (52, (1 + overlap) * PITCH))
    whole = angle_in(painted([*high, *bones[count:]]))
    for i in range(count - 2):
        labels = painted([*(higher[j] if j in (i, i + 2) else high[j] for j in range(count)), *bones[count:]])
        assert len(find_bones(labels, PROCESS)) == count, f"processes {i} and {i + 2}"
        assert angle_in(labels) == pytest.approx(whole, abs=3), f"processes {i} and {i + 2}"


def _stretched(bone: tuple[int, np.ndarray], down: float) -> tuple[int, np.ndarray]:
    centre = bone[1].mean(0)
    return bone[0], centre + (bone[1] - centre) * [1, down]


@pytest.mark.parametrize("place", [-45, 0, 45])
def test_lumps_that_touch_at_one_place_stay_two(place):
    bones = spine_of(*SINGLE)
    whole = angle_in(painted(bones))
    for i in range(22, len(bones) - 1):
        aside = np.array([[place - 8, 0], [place + 8, 0]])
        bridge = LUMP, np.concatenate([bones[i][1].mean(0) + aside, (bones[i + 1][1].mean(0) + aside)[::-1]])
        labels = painted([*bones, bridge])
        assert len(find_bones(labels, LUMP)) == len(bones) - 22
        assert angle_in(labels) == pytest.approx(whole, abs=3)


@pytest.mark.parametrize("name", NOT_MEASURABLE)
def test_without_pairs_there_is_a_reason_and_no_number(name):
    found = measure_curves(NOT_MEASURABLE[name])
    assert not found.measurable
    assert found.reason
    assert "\n" not in found.reason
    assert found.largest_angle_degrees is found.raw_angle_degrees is found.confidence is None
    assert found.curves == found.levels == ()


def test_an_angle_that_reads_10_degrees_has_the_name_of_10_degrees():
    for degrees in np.arange(9.8, 10.2, 0.02):
        found = measure_curves(painted(spine_of([degrees * (i - 8) / 16 for i in range(17)], 11)))
        entry = description.describe("a.png", found)
        read = float(description.as_table([entry]).removeprefix("a.png: ").split("°")[0])
        assert entry["severity"] == USUAL.severity_of(read)


def test_confidence_is_the_share_of_bones_in_levels_times_the_share_of_length_without_gap():
    """22 processes and 6 lumps; 16 steps from the first level to the last, of which one may be a gap."""
    bones = spine_of(*SINGLE)
    for lost, expected in (
        ([], 1),
        ([0], 26 / 27),  # the other process of the first pair lies in no level; the levels begin one later
        ([9], 26 / 27 * 15 / 16),
        ([8, 9], 15 / 16),
        ([23], 15 / 16),
        ([8, 9, 10, 11], 14 / 16),
    ):
        found = measure_curves(painted([bone for i, bone in enumerate(bones) if i not in lost]))
        assert found.confidence == pytest.approx(expected, abs=0.005), lost
