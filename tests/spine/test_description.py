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
    assert second.keys() == first.keys()
    assert (second["file"], second["measurable"], second["reason"]) == ("b.png", False, not_measured.reason)
    assert second["largest_angle_degrees"] is second["severity"] is second["confidence"] is None
    assert second["raw_angle_degrees"] is None
    assert second["flagged"] is False
    assert second["curves"] == second["levels"] == []


def test_the_table_has_a_line_a_file():
    maps = {"a": painted(spine_of(*DOUBLE)), "b": NOT_MEASURABLE["empty"], "c": painted(spine_of([0.0] * 17, 11))}
    entries = [description.describe(f"{name}.png", measure_curves(labels)) for name, labels in maps.items()]
    lines = description.as_table(entries).split("\n")
    assert lines[0].startswith(f"a.png: {entries[0]['largest_angle_degrees']:.1f}° mild, confidence 1.00, raw ")
    assert f", raw {entries[0]['raw_angle_degrees']:.1f}°; " in lines[0]
    assert "left (levels 0-6, apex 3)" in lines[0]
    assert "right (levels 6-12, apex 9)" in lines[0]
    assert lines[1] == "b.png: not measurable: no thoracic process and no lump in the mask"
    assert lines[2] == "c.png: 0.0° none, confidence 1.00, raw 0.0°; no curve of 3° or more"


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
