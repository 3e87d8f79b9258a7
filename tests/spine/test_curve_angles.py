"""From label maps to curve angles: true phantom masks, hand-drawn spines, spoilt ones, and what the user is told.

A hand-drawn spine's true angles are those of the list of tilts that it is drawn from.
"""

import json
from math import cos, pi

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image, ImageDraw

from sadanet_lab.cli import main
from sadanet_lab.phantom import draw_spine
from sadanet_lab.spine import description
from sadanet_lab.spine.classes import COLOURS
from sadanet_lab.spine.curve_angles import Measurement, measure_curves, severity_of
from sadanet_lab.spine.levels import curves_of, largest_angle

PROCESS, LUMP = 2, 3
PITCH, APART = 60, 52
"""Pixels from one level to the next, and from the midline to the middle of a process."""
SINGLE = [15 * (i - 8) / 8 for i in range(17)], 11
"""Tilts from -15 to 15 degrees in even steps; the number of levels that are pairs of processes."""
DOUBLE = [12 * cos(pi * i / 6) for i in range(13)], 9
"""Tilts of 12, -12 and 12 degrees at levels 0, 6 and 12, passing 0 at 3 and 9."""
NOISE = 0.5
"""Degrees by which whole pixels blur a drawn spine's angle."""


def centres_of(tilts: list[float]) -> np.ndarray:
    """(x, y) of levels whose midline is perpendicular to them and in the middle of the picture."""
    on_the_way = np.radians((np.array(tilts[1:]) + tilts[:-1]) / 2)
    steps = PITCH * np.stack([-np.sin(on_the_way), np.cos(on_the_way)], axis=1)
    centres = np.concatenate([[[0.0, 0.0]], steps.cumsum(0)])
    centres[:, 0] += 200 - (centres[:, 0].min() + centres[:, 0].max()) / 2
    return centres + np.array([0, 70])


def spine_of(tilts: list[float], pairs: int) -> list[tuple[int, np.ndarray]]:
    """(class id, polygon) of the bones from top to bottom: left and right process of each pair, then bars as lumps."""
    turn = np.linspace(0, 2 * pi, 40, endpoint=False)
    oval, bar = np.stack([17 * np.cos(turn), 20 * np.sin(turn)], axis=1), [[-60, -18], [60, -18], [60, 18], [-60, 18]]
    bones = []
    for i, (tilt, centre) in enumerate(zip(np.radians(tilts), centres_of(tilts), strict=True)):
        axes = np.array([[np.cos(tilt), np.sin(tilt)], [-np.sin(tilt), np.cos(tilt)]])
        if i < pairs:
            bones += [(PROCESS, centre + oval @ axes + side * APART * axes[0]) for side in (-1, 1)]
        else:
            bones.append((LUMP, centre + bar @ axes))
    return bones


def painted(bones: list[tuple[int, np.ndarray]]) -> np.ndarray:
    picture = Image.new("L", (400, 1200))
    for class_id, polygon in bones:
        # PIL takes whole pixels, cuts decimals off, and means a pixel's middle by its number.
        ImageDraw.Draw(picture).polygon([tuple(point) for point in np.rint(polygon - 0.5)], fill=class_id)
    return np.asarray(picture)


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
    assert found.severity == severity
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
    assert found.severity == "none"
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


NOT_MEASURABLE = {
    "empty": np.zeros((1200, 400), np.uint8),
    "all rib": np.ones((1200, 400), np.uint8),
    "lumps": painted(spine_of(*SINGLE)[22:]),
    "left processes": painted(spine_of(*SINGLE)[:22:2]),
    "left processes and lumps": painted(spine_of(*SINGLE)[:22:2] + spine_of(*SINGLE)[22:]),
    "right processes of a leaning spine": painted(spine_of([8.0] * 17, 11)[1:22:2]),
    "one process": painted(spine_of(*SINGLE)[:1]),
    "one pair": painted(spine_of(*SINGLE)[:2]),
    "one pixel": np.full((1, 1), PROCESS, np.uint8),
}


@pytest.mark.parametrize("name", NOT_MEASURABLE)
def test_without_pairs_there_is_a_reason_and_no_number(name):
    found = measure_curves(NOT_MEASURABLE[name])
    assert not found.measurable
    assert found.reason
    assert "\n" not in found.reason
    assert (found.largest_angle_degrees, found.severity, found.confidence) == (None, None, None)
    assert found.curves == found.levels == ()


def test_severity_bands_begin_at_10_25_and_45_degrees():
    names = [severity_of(degrees) for degrees in (0, 9.999, 10, 24.999, 25, 44.999, 45, 120)]
    assert names == ["none", "none", "mild", "mild", "moderate", "moderate", "severe", "severe"]


def test_an_angle_that_reads_10_degrees_has_the_name_of_10_degrees():
    for degrees in np.arange(9.8, 10.2, 0.02):
        found = measure_curves(painted(spine_of([degrees * (i - 8) / 16 for i in range(17)], 11)))
        line = description.as_table([description.describe("a.png", found)])
        assert found.severity == severity_of(float(line.removeprefix("a.png: ").split("°")[0]))


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


def test_an_entry_survives_json_and_holds_what_was_measured():
    measured, not_measured = measure_curves(painted(spine_of(*DOUBLE))), measure_curves(NOT_MEASURABLE["lumps"])
    entries = [description.describe("a.png", measured), description.describe("b.png", not_measured)]
    assert json.loads(description.as_json(entries)) == entries
    first, second = entries
    assert (first["file"], first["measurable"], first["reason"]) == ("a.png", True, None)
    assert first["largest_angle_degrees"] == pytest.approx(measured.largest_angle_degrees, abs=0.005)
    assert (first["severity"], first["confidence"]) == ("mild", 1)
    kept = [(c["angle_degrees"], c["side"], c["upper_end"], c["apex"], c["lower_end"]) for c in first["curves"]]
    assert [c[1:] for c in kept] == [("left", 0, 3, 6), ("right", 6, 9, 12)]
    assert [c[0] for c in kept] == pytest.approx([c.angle_degrees for c in measured.curves], abs=0.005)
    assert len(first["levels"]) == 13
    assert second.keys() == first.keys()
    assert (second["file"], second["measurable"], second["reason"]) == ("b.png", False, not_measured.reason)
    assert second["largest_angle_degrees"] is second["severity"] is second["confidence"] is None
    assert second["curves"] == second["levels"] == []


def test_the_table_has_a_line_a_file():
    maps = {"a": painted(spine_of(*DOUBLE)), "b": NOT_MEASURABLE["empty"], "c": painted(spine_of([0.0] * 17, 11))}
    entries = [description.describe(f"{name}.png", measure_curves(labels)) for name, labels in maps.items()]
    lines = description.as_table(entries).split("\n")
    assert lines[0].startswith(f"a.png: {entries[0]['largest_angle_degrees']:.1f}° mild, confidence 1.00; ")
    assert "left (levels 0-6, apex 3)" in lines[0]
    assert "right (levels 6-12, apex 9)" in lines[0]
    assert lines[1] == "b.png: not measurable: no thoracic process and no lump in the mask"
    assert lines[2] == "c.png: 0.0° none, confidence 1.00; no curve of 3° or more"


def test_masks_of_ids_and_of_colours_are_told_alike(tmp_path):
    labels = painted(spine_of(*DOUBLE))
    ids, colours = tmp_path / "ids.png", tmp_path / "colours.png"
    Image.fromarray(labels).save(ids)
    Image.fromarray(COLOURS[labels]).save(colours)
    told = CliRunner().invoke(main, ["angles", str(ids), str(colours), "--format", "json"])
    assert (told.exit_code, told.stderr) == (0, "")
    first, second = json.loads(told.stdout)
    assert first == description.describe(str(ids), measure_curves(labels))
    assert second == {**first, "file": str(colours)}
    table = CliRunner().invoke(main, ["angles", str(ids), str(colours)])
    assert table.stdout == description.as_table([first, second]) + "\n"


@pytest.mark.parametrize("form", ["table", "json"])
@pytest.mark.parametrize("fault", ["truncated", "unknown id", "missing"])
def test_a_bad_file_ends_with_one_line_that_names_it_and_nothing_else(tmp_path, fault, form):
    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    labels = painted(spine_of(*DOUBLE))
    Image.fromarray(labels).save(good)
    if fault == "truncated":
        bad.write_bytes(good.read_bytes()[:-300])
    elif fault == "unknown id":
        Image.fromarray(labels + np.uint8(2)).save(bad)
    told = CliRunner().invoke(main, ["angles", str(good), str(bad), "--format", form])
    assert (told.exit_code, told.stdout) == (2, "")
    assert told.stderr.count("\n") == 1
    assert str(bad) in told.stderr
