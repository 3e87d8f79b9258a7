"""What the user is told of a measurement: entries as JSON, lines of a table, and the command that prints them."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from spine_drawings import DOUBLE, NOT_MEASURABLE, painted, spine_of

from sadanet_lab.cli import main
from sadanet_lab.spine import description
from sadanet_lab.spine.classes import COLOURS
from sadanet_lab.spine.curve_angles import measure_curves
from sadanet_lab.spine.judgement import Interval, Judgement
from sadanet_lab.spine.names import Convention


def test_an_entry_survives_json_and_holds_what_was_measured():
    measured, not_measured = measure_curves(painted(spine_of(*DOUBLE))), measure_curves(NOT_MEASURABLE["lumps"])
    entries = [description.describe("a.png", measured), description.describe("b.png", not_measured)]
    assert json.loads(description.as_json(entries)) == entries
    first, second = entries
    assert (first["file"], first["measurable"], first["reason"]) == ("a.png", True, None)
    assert first["largest_angle_degrees"] == pytest.approx(measured.largest_angle_degrees, abs=0.005)
    assert first["raw_angle_degrees"] == pytest.approx(measured.raw_angle_degrees, abs=0.005)
    assert first["flagged"] is False
    assert [c["raw_angle_degrees"] for c in first["curves"]] == pytest.approx([24, 24], abs=0.5)
    assert (first["severity"], first["confidence"]) == ("mild", 1)
    kept = [(c["angle_degrees"], c["side"], c["upper_end"], c["apex"], c["lower_end"]) for c in first["curves"]]
    assert [c[1:] for c in kept] == [("left", 0, 3, 6), ("right", 6, 9, 12)]
    assert [c[0] for c in kept] == pytest.approx([c.angle_degrees for c in measured.curves], abs=0.005)
    assert len(first["levels"]) == 13
    names = [(c["upper_end_name"], c["apex_name"], c["lower_end_name"]) for c in first["curves"]]
    assert names == [("T5", "T8", "T11"), ("T11", "L2", "L5")]
    assert [(c["region"], c["patient_side"]) for c in first["curves"]] == [("thoracic", "left"), ("lumbar", "right")]
    assert [level["name"] for level in first["levels"]] == [
        *[f"T{i}" for i in range(5, 13)],
        *[f"L{i}" for i in range(1, 6)],
    ]
    assert (first["names_doubtful"], first["names_reason"]) == (True, "4 lumps, while L1 to L5 are 5")
    assert (first["lowest"], first["viewed_from"], first["severity_limits_degrees"]) == ("L5", "back", [10, 25, 45])
    assert second.keys() == first.keys()
    assert (second["file"], second["measurable"], second["reason"]) == ("b.png", False, not_measured.reason)
    assert second["largest_angle_degrees"] is second["severity"] is second["confidence"] is None
    assert second["raw_angle_degrees"] is None
    assert second["flagged"] is False
    assert second["curves"] == second["levels"] == []
    assert (second["names_doubtful"], second["names_reason"]) == (False, None)


def test_a_convention_changes_names_and_nothing_else():
    measured = measure_curves(painted(spine_of(*DOUBLE)))
    usual = description.describe("a.png", measured)
    other = description.describe("a.png", measured, Convention("L4", "front", (10, 20, 40)))
    assert (other["names_doubtful"], other["names_reason"]) == (False, None)
    assert (other["lowest"], other["viewed_from"], other["severity_limits_degrees"]) == ("L4", "front", [10, 20, 40])
    assert (usual["severity"], other["severity"]) == ("mild", "moderate")  # 24 degrees
    assert [(c["region"], c["patient_side"], c["apex_name"]) for c in other["curves"]] == [
        ("thoracic", "right", "T7"),
        ("thoracolumbar", "left", "L1"),
    ]
    named = {"severity", "severity_limits_degrees", "lowest", "viewed_from", "names_doubtful", "names_reason"}
    assert {key for key in usual if usual[key] != other[key]} == named | {"curves", "levels"}
    of_curve = {"region", "patient_side", "apex_name", "upper_end_name", "lower_end_name"}
    for one, another in zip(usual["curves"], other["curves"], strict=True):
        assert {key for key in one if one[key] != another[key]} <= of_curve


def test_the_table_has_a_line_a_file():
    maps = {"a": painted(spine_of(*DOUBLE)), "b": NOT_MEASURABLE["empty"], "c": painted(spine_of([0.0] * 17, 11))}
    entries = [description.describe(f"{name}.png", measure_curves(labels)) for name, labels in maps.items()]
    lines = description.as_table(entries).split("\n")
    assert lines[0].startswith(
        f"a.png: {entries[0]['largest_angle_degrees']:.1f}°, severity mild, confidence 1.00, raw "
    )
    assert f", raw {entries[0]['raw_angle_degrees']:.1f}°; " in lines[0]
    upper, lower = (f"{c['angle_degrees']:.1f}°" for c in entries[0]["curves"])
    raw, lower_raw = (f"(raw {c['raw_angle_degrees']:.1f}°)" for c in entries[0]["curves"])
    assert lines[0].split("; ")[1:] == [
        f"left thoracic curve, {upper}, T5 to T11, apex T8 {raw}",
        f"right lumbar curve, {lower}, T11 to L5, apex L2 {lower_raw}",
        "sides are the patient's, seen from the back",
        "levels counted up from L5",
        "names doubtful: 4 lumps, while L1 to L5 are 5",
    ]
    assert lines[1] == "b.png: not measurable: no thoracic process and no lump in the mask"
    assert lines[2] == "c.png: 0.0°, severity none, confidence 1.00, raw 0.0°; no curve of 3° or more"


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


def test_the_command_names_as_it_is_told(tmp_path):
    labels, file = painted(spine_of(*DOUBLE)), tmp_path / "a.png"
    Image.fromarray(labels).save(file)
    options = ["--lowest", "L4", "--viewed-from", "front", "--severity", "10,20,40"]
    told = CliRunner().invoke(main, ["angles", str(file), "--format", "json", *options])
    assert (told.exit_code, told.stderr) == (0, "")
    convention = Convention("L4", "front", (10, 20, 40))
    assert json.loads(told.stdout) == [description.describe(str(file), measure_curves(labels), convention)]
    told = CliRunner().invoke(main, ["angles", str(file), *options])
    assert "; right thoracic curve, " in told.stdout
    assert told.stdout.endswith("; sides are the patient's, seen from the front; levels counted up from L4\n")


@pytest.mark.parametrize("severity", ["10,45,25", "10,25", "mild", ""])
def test_a_bad_convention_ends_with_one_line_and_nothing_else(tmp_path, severity):
    file = tmp_path / "a.png"
    Image.fromarray(painted(spine_of(*DOUBLE))).save(file)
    told = CliRunner().invoke(main, ["angles", str(file), "--severity", severity])
    assert (told.exit_code, told.stdout) == (2, "")
    assert "10,25,45" in told.stderr.splitlines()[-1]


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


def test_intervals_and_what_is_strange_are_told_where_they_are_known():
    found = measure_curves(painted(spine_of(*DOUBLE)))
    intervals = Interval(20.04, 29.96), (Interval(20.04, 29.96), Interval(1.0, 30.0))
    judged = description.describe("a.png", found, judgement=Judgement(*intervals, True, ("more: noise",)))
    unknown = description.describe("a.png", found)
    assert (judged["interval_degrees"], unknown["interval_degrees"]) == ([20.04, 29.96], None)
    assert [c["interval_degrees"] for c in judged["curves"]] == [[20.04, 29.96], [1.0, 30.0]]
    assert [c["interval_degrees"] for c in unknown["curves"]] == [None, None]
    assert (judged["strange"], judged["strange_reasons"]) == (True, ["more: noise"])
    assert (unknown["strange"], unknown["strange_reasons"]) == (None, [])
    assert f"curve, {found.curves[1].angle_degrees:.1f}° (1.0° to 30.0°), " in description.as_table([judged])
    assert "to 30.0°" not in description.as_table([unknown])
    assert description.UNKNOWN in description.as_table([judged])
    assert description.UNKNOWN not in description.as_table([unknown])
