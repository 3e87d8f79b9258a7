"""Cohorts: what is a picture, what is written, what is a line and not the end, and that a cut run goes on."""

import csv
import html
import json
import re
import shutil

import numpy as np
import pytest
from click.testing import CliRunner
from dicom_files import dicom
from PIL import Image

from sadanet_lab.cli import main
from sadanet_lab.errors import BadInput
from sadanet_lab.images.png import read_mask
from sadanet_lab.inference.segmenter import Segmenter
from sadanet_lab.reporting import cohort
from sadanet_lab.reporting.cohort import Settings, segment_all
from sadanet_lab.reporting.cohort_pictures import ANGLES, Entry, find_pictures
from sadanet_lab.reporting.cohort_report import cohort_csv, warnings_of, write_summary


def predict(*words):
    return CliRunner().invoke(main, ["predict", *map(str, words)])


def test_what_is_written_of_each_and_of_all(pictures, tmp_path):
    out = tmp_path / "out"
    told = predict(pictures, "--out", out, "--jobs", 1)
    assert told.exit_code == 0, told.output
    for picture in pictures.iterdir():
        (found,) = json.loads((out / f"{picture.stem}{ANGLES}").read_text())
        assert found["file"] == str(picture)
        assert sorted(found["files"]) == sorted(
            f"{picture.stem}{end}" for end in ("_labels.png", "_overlay.png", "_thumbnail.jpg", ".seg.nrrd")
        )
        assert all((out / name).stat().st_size > 0 for name in found["files"])
        assert read_mask(out / f"{picture.stem}_labels.png").shape == (384, 96)
    rows = list(csv.DictReader((out / "cohort.csv").open()))
    assert [row["name"] for row in rows] == [f"phantom_10000{i}" for i in range(1, 6)]
    assert {row["status"] for row in rows} <= {"measured", "not measurable"}
    assert "5 of 5 pictures segmented" in told.output


def test_bad_files_are_lines_and_not_the_end(pictures, tmp_path):
    bad = {
        "empty.png": b"",
        "text.jpg": b"no picture",
        "cut.png": (pictures / "phantom_100001.png").read_bytes()[:500],
        "1.dcm": bytes(128) + b"DICM" + b"junk",
    }
    for name, content in bad.items():
        (pictures / name).write_bytes(content)
    Image.fromarray(np.zeros((384, 96), np.uint8)).save(pictures / "black.png")
    told = predict(pictures, "--out", tmp_path / "out", "--jobs", 1)
    assert told.exit_code == 1
    assert "5 of 10 pictures segmented" in told.stdout
    lines = [line for line in told.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 5
    rows = {row["name"]: row for row in csv.DictReader((tmp_path / "out" / "cohort.csv").open())}
    for name in [*bad, "black.png"]:
        row = rows[name.rpartition(".")[0]]
        assert row["status"] == "failed"
        assert str(pictures / name) in row["reason"]
    assert len(list((tmp_path / "out").glob(f"*{ANGLES}"))) == 5


def test_where_nothing_can_be_read_the_exit_code_is_2(tmp_path):
    (tmp_path / "bad.png").write_bytes(b"x")
    told = predict(tmp_path / "bad.png", "--out", tmp_path / "out")
    assert told.exit_code == 2
    assert "bad.png" in told.stderr


def test_what_of_one_picture_cannot_be_done_is_its_line_and_not_the_end(pictures, tmp_path, monkeypatch):
    long = pictures / f"{230 * 'a'}.png"
    shutil.copy(pictures / "phantom_100001.png", long)
    segment = Segmenter.__call__

    def no_memory_for_the_third(self, image):
        if (image == np.asarray(Image.open(pictures / "phantom_100003.png"))).all():
            raise BadInput("model.onnx: cannot run it (allocation failed)")
        return segment(self, image)

    monkeypatch.setattr(Segmenter, "__call__", no_memory_for_the_third)
    failed = segment_all(find_pictures([pictures], tmp_path / "out"), Settings(), tmp_path / "out", 1)
    assert failed == {
        long.stem: f"{long}: a name of 230 bytes; expected at most 200",
        "phantom_100003": f"{pictures / 'phantom_100003.png'}: model.onnx: cannot run it (allocation failed)",
    }
    assert len(list((tmp_path / "out").glob(f"*{ANGLES}"))) == 4


def test_sides_that_contradict_the_file_are_a_warning(pictures, tmp_path):
    image = np.asarray(Image.open(pictures / "phantom_100001.png"))
    (tmp_path / "x.dcm").write_bytes(dicom(image, PatientOrientation=["L", "F"]))
    for view, warned in (("back", True), ("front", False)):
        assert predict(tmp_path / "x.dcm", "--out", tmp_path / "out", "--viewed-from", view).exit_code == 0
        (found,) = json.loads((tmp_path / "out" / f"x{ANGLES}").read_text())
        assert any("PatientOrientation" in line for line in warnings_of(found)) == warned


def test_vectors_that_contradict_the_sides_and_a_picture_upside_down_are_warnings(pictures, tmp_path):
    image, out = np.asarray(Image.open(pictures / "phantom_100001.png")), tmp_path / "out"
    sides = "sides are told as seen from the back, but the file's ImageOrientationPatient says from the front"
    head = "upside-down, as the file's ImageOrientationPatient says: levels are named from the wrong end"
    for across, down, expected in ((1, -1, [sides]), (-1, -1, []), (-1, 1, [head]), (1, 1, [sides, head])):
        (tmp_path / "x.dcm").write_bytes(dicom(image, ImageOrientationPatient=[across, 0, 0, 0, 0, down]))
        assert predict(tmp_path / "x.dcm", "--out", out).exit_code == 0
        (found,) = json.loads((out / f"x{ANGLES}").read_text())
        assert found["file_upside_down"] == (down == 1)
        (row,) = csv.DictReader((out / "cohort.csv").open())
        for told in ("; ".join(warnings_of(found)), row["warnings"], html.unescape((out / "report.html").read_text())):
            assert [line for line in (sides, head) if line in told] == expected


def test_a_name_is_no_formula_to_a_spreadsheet_and_a_row_is_one_line(pictures, tmp_path):
    (pictures / "phantom_100001.png").rename(pictures / "=cmd|x.png")
    assert predict(pictures, "--out", tmp_path / "out", "--jobs", 1).exit_code == 0
    assert (tmp_path / "out" / "cohort.csv").read_text().splitlines()[1].startswith("'=cmd|x,")
    rows = cohort_csv([{"name": "a", "warnings": "one\ntwo"}]).splitlines()
    assert len(rows) == 2


def test_a_file_in_the_place_of_the_output_folder_is_refused(pictures, tmp_path):
    (tmp_path / "out").write_text("mine")
    told = predict(pictures, "--out", tmp_path / "out")
    assert told.exit_code == 2
    assert f"{tmp_path / 'out'}: a file; expected a folder" in told.stderr


def test_what_failed_is_told_in_the_order_of_the_pictures_whichever_was_done_first(pictures, tmp_path, monkeypatch):
    entries = [Entry(name, pictures / f"{name}.png") for name in "cab"]
    done = ((entries[i], f"reason {i}") for i in (2, 0, 1))
    monkeypatch.setattr(cohort, "_side_by_side", lambda *_: (each for each in done))
    assert list(segment_all(entries, Settings(), tmp_path, 2)) == ["c", "a", "b"]


@pytest.mark.parametrize("words", [["", "--out", "x"], ["x.png", "--out", ""]])
def test_an_empty_text_is_no_path(words, tmp_path, monkeypatch):
    """As of a shell's variable that is not set: it would mean the current folder."""
    monkeypatch.chdir(tmp_path)
    told = predict(*words)
    assert told.exit_code == 2
    assert "found an empty text; expected a path" in told.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_many_processes_give_the_same_bytes_as_one(pictures, tmp_path):
    entries = find_pictures([pictures], tmp_path)
    for jobs in (1, 2):
        segment_all(entries, Settings(), tmp_path / str(jobs), jobs)
    one, two = ({p.name: p.read_bytes() for p in (tmp_path / str(jobs)).iterdir()} for jobs in (1, 2))
    assert one == two


class TestReport:
    @pytest.fixture
    def out(self, pictures, tmp_path):
        (pictures / "phantom_100005.png").rename(pictures / "<b>&.png")
        Image.fromarray(np.random.default_rng(0).integers(0, 9, (384, 96), np.uint8)).save(pictures / "zz_noise.png")
        entries = find_pictures([pictures], tmp_path / "out")
        segment_all(entries, Settings(), tmp_path / "out", 1)
        write_summary(entries, {"gone": "gone.png: <cannot> be read"}, tmp_path / "out", "shipped")
        return tmp_path / "out"

    def test_it_is_one_file_that_needs_no_other(self, out):
        text = (out / "report.html").read_text()
        assert set(re.findall(r'(?:src|href)="([^":]*:[^,"]*)', text)) == {"data:image/jpeg;base64"}
        assert "http" not in re.sub(r'src="[^"]*"', "", text)

    def test_names_and_reasons_are_text_and_not_markup(self, out):
        text = (out / "report.html").read_text()
        assert "<b>" not in text
        assert "&lt;b&gt;&amp;" in text
        assert "&lt;cannot&gt;" in text

    def test_the_doubtful_come_first(self, out):
        text = (out / "report.html").read_text()
        shown = re.findall(r"<h2>(.*?)</h2>", text)
        assert len(shown) == 6
        found = [json.loads((out / f"{name}{ANGLES}").read_text())[0] for name in map(_unescaped, shown)]
        keys = [(f["measurable"], not f["flagged"], not warnings_of(f), f["confidence"] or 0) for f in found]
        assert keys == sorted(keys)
        assert shown[0] == "zz_noise"

    def test_warnings_are_said_in_report_and_table_alike(self, out):
        rows = {row["name"]: row for row in csv.DictReader((out / "cohort.csv").open()) if row["status"] != "failed"}
        for name, row in rows.items():
            (found,) = json.loads((out / f"{name}{ANGLES}").read_text())
            assert row["warnings"] == "; ".join(warnings_of(found))


def _unescaped(name: str) -> str:
    return name.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def test_a_model_that_is_not_there_is_told_before_anything_is_written(pictures, tmp_path):
    told = predict(pictures, "--out", tmp_path / "out", "--run", "no-such-run", "--jobs", 2)
    assert told.exit_code == 2
    assert "no-such-run" in told.stderr
    assert not list((tmp_path / "out").glob("*"))


def test_entries_name_files_below_the_output_folder(pictures, tmp_path):
    (pictures / "deep" / "er").mkdir(parents=True)
    shutil.move(pictures / "phantom_100001.png", pictures / "deep" / "er" / "x.png")
    entries = [entry for entry in find_pictures([pictures], tmp_path) if entry.name.startswith("deep")]
    assert entries == [Entry("deep/er/x", pictures / "deep" / "er" / "x.png")]
    segment_all(entries, Settings(), tmp_path / "out", 1)
    assert (tmp_path / "out" / "deep" / "er" / "x_labels.png").is_file()
