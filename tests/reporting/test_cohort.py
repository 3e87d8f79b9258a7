"""Cohorts: what is a picture, what is written, what is a line and not the end, and that a cut run goes on."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from sadanet_lab.cli import main
from sadanet_lab.errors import BadInput
from sadanet_lab.images.png import read_mask
from sadanet_lab.phantom import write_folder
from sadanet_lab.reporting.cohort import ANGLES, Entry, Settings, find_pictures, segment_all
from sadanet_lab.reporting.cohort_report import warnings_of, write_summary


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Five test phantoms in the published layout, without a training list."""
    folder = tmp_path_factory.mktemp("cohort") / "data"
    write_folder(folder, train=1, test=5, width=96, height=384)
    (folder / "train.txt").unlink()  # as a published demo comes
    return folder


@pytest.fixture
def pictures(folder, tmp_path):
    """The five pictures in a plain folder."""
    return Path(shutil.copytree(folder / "dataset" / "test", tmp_path / "pictures"))


def predict(*words):
    return CliRunner().invoke(main, ["predict", *map(str, words)])


def names(entries):
    return [entry.name for entry in entries]


class TestWhatIsAPicture:
    def test_a_folder_gives_its_pictures_below_it_and_nothing_else(self, pictures, tmp_path):
        (first, second, *_) = sorted(pictures.iterdir())
        (pictures / "sub").mkdir()
        first.rename(pictures / "sub" / "a.b.png")
        Image.open(second).save(pictures / "scan.TIF", format="TIFF")
        (pictures / "1.2.840").write_bytes(bytes(128) + b"DICM")
        for other in ("notes.txt", ".hidden.png"):
            (pictures / other).write_bytes(b"x")
        (pictures / "out").mkdir()
        shutil.copy(second, pictures / "out" / "earlier_overlay.png")
        found = find_pictures([pictures], pictures / "out")
        assert names(found) == [
            "1.2.840",
            "phantom_100002",
            "phantom_100003",
            "phantom_100004",
            "phantom_100005",
            "scan",
            "sub/a.b",
        ]

    def test_of_a_dataset_its_test_images_are_taken_without_a_training_list(self, folder, tmp_path):
        assert names(find_pictures([folder], tmp_path)) == [f"phantom_10000{i}" for i in range(1, 6)]

    def test_a_picture_named_twice_is_one_and_two_of_one_name_keep_their_endings(self, pictures, tmp_path):
        first = pictures / "phantom_100001.png"
        assert len(find_pictures([first, pictures, first], tmp_path)) == 5
        Image.open(first).save(pictures / "phantom_100001.bmp")
        found = names(find_pictures([pictures], tmp_path))
        assert found[:2] == ["phantom_100001_bmp", "phantom_100001_png"]
        assert found[2] == "phantom_100002"

    def test_what_would_overwrite_another_is_refused(self, pictures, tmp_path):
        other = tmp_path / "other"
        shutil.copytree(pictures, other)
        with pytest.raises(BadInput, match="same name as"):
            find_pictures([pictures, other], tmp_path / "out")

    def test_a_folder_that_is_written_to_is_refused_and_one_around_it_is_not(self, pictures, tmp_path):
        with pytest.raises(BadInput, match="output folder too"):
            find_pictures([pictures], pictures)
        assert len(find_pictures([pictures], tmp_path)) == 5

    @pytest.mark.parametrize("given", ["empty", "no such folder"])
    def test_nothing_to_segment_is_refused(self, given, tmp_path):
        (tmp_path / "empty").mkdir()
        with pytest.raises(BadInput, match=r"no picture in it|no such file"):
            find_pictures([tmp_path / given], tmp_path / "out")


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


def test_what_is_done_is_not_done_again_unless_something_changed(pictures, tmp_path):
    out = tmp_path / "out"
    entries = find_pictures([pictures], out)

    def written():
        return {path.name: path.stat().st_mtime_ns for path in out.glob("*[!v]")}

    segment_all(entries, Settings(), out, 1)
    before = written()
    segment_all(entries, Settings(), out, 1)
    assert written() == before

    (out / "phantom_100002_overlay.png").unlink()
    content = np.asarray(Image.open(pictures / "phantom_100003.png")).copy()
    content[0, 0] ^= 1
    Image.fromarray(content).save(pictures / "phantom_100003.png")
    segment_all(entries, Settings(), out, 1)
    again = {name[:14] for name, when in written().items() if before.get(name) != when}
    assert again == {"phantom_100002", "phantom_100003"}

    now = written()
    segment_all(entries, Settings(colours="field"), out, 1)
    assert all(when != now[name] for name, when in written().items())


@pytest.mark.slow
def test_many_processes_give_the_same_bytes_as_one(pictures, tmp_path):
    entries = find_pictures([pictures], tmp_path)
    for jobs in (1, 2):
        segment_all(entries, Settings(), tmp_path / str(jobs), jobs)
    one, two = ({p.name: p.read_bytes() for p in (tmp_path / str(jobs)).iterdir()} for jobs in (1, 2))
    assert one == two


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_killed_and_started_again_it_ends_the_same(pictures, tmp_path, jobs):
    """30 files, five of them bad, SIGKILL in the middle: the same files, nothing done twice, no process left behind."""
    good = sorted(pictures.iterdir())
    for i in range(20):
        shutil.copy(good[i % 5], pictures / f"more_{i:02d}.png")
    for i in range(5):
        (pictures / f"bad_{i}.png").write_bytes(b"bad")
    whole, out = tmp_path / "whole", tmp_path / "out"
    command = [sys.executable, "-m", "sadanet_lab", "predict", str(pictures), "--jobs", str(jobs), "--out"]
    assert subprocess.run([*command, whole], capture_output=True, check=False).returncode == 1

    process = subprocess.Popen([*command, out], stderr=subprocess.DEVNULL, start_new_session=True)
    while len(done := list(out.glob(f"*{ANGLES}"))) < 6:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    before = {path: path.stat().st_mtime_ns for path in done}
    deadline = time.monotonic() + 30
    while _alive(process.pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not _alive(process.pid), "its processes live on"

    again = subprocess.run([*command, out], capture_output=True, text=True, check=False)
    assert again.returncode == 1
    assert again.stderr.count("error: ") == 5
    assert {path: path.stat().st_mtime_ns for path in done} == before
    one, two = (
        {p.name: p.read_bytes() for p in folder.iterdir() if p.name != "report.html"} for folder in (whole, out)
    )
    assert one.keys() == two.keys()
    assert one == two
    assert len(list(out.glob(f"*{ANGLES}"))) == 25


def _alive(session: int) -> bool:
    """Whether a process of the killed one's session is left."""
    listed = subprocess.run(["ps", "-eo", "sid=,stat="], capture_output=True, text=True, check=True).stdout
    return any(line.split()[0] == str(session) and "Z" not in line.split()[1] for line in listed.splitlines())


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
