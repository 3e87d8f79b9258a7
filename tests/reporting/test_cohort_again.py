"""Cohorts again: what is done is not done twice, a cut run goes on, and nothing that a person made is lost."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from click.testing import CliRunner
from dicom_files import dicom
from PIL import Image

from sadanet_lab.cli import main
from sadanet_lab.files import write_atomically
from sadanet_lab.images.label_files import read_labels
from sadanet_lab.images.slicer import seg_nrrd
from sadanet_lab.reporting.cohort import Settings, segment_all
from sadanet_lab.reporting.cohort_pictures import ANGLES, find_pictures


def predict(*words):
    return CliRunner().invoke(main, ["predict", *map(str, words)])


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


def test_a_label_map_that_a_person_corrected_is_never_written_over(pictures, tmp_path):
    out = tmp_path / "out"
    entries = find_pictures([pictures], out)[:2]
    assert segment_all(entries, Settings(), out, 1) == {}
    ours = (out / "phantom_100001_labels.png").read_bytes()
    for end in (".seg.nrrd", "_labels.png"):
        corrected = out / f"phantom_100001{end}"
        before = corrected.read_bytes()
        corrected.write_bytes(b"corrected")
        assert segment_all(entries, Settings(), out, 1) == {}  # nothing is to be done
        failed = segment_all(entries, Settings(colours="field"), out, 1)
        assert list(failed) == ["phantom_100001"]
        assert f"{corrected} was changed since it was written" in failed["phantom_100001"]
        assert failed["phantom_100001"].startswith(str(entries[0].path))
        assert corrected.read_bytes() == b"corrected"
        corrected.write_bytes(before)
    assert (out / "phantom_100001_labels.png").read_bytes() == ours
    assert (out / "phantom_100002_labels.png").read_bytes() != ours
    assert segment_all(entries, Settings(colours="field"), out, 1) == {}


def test_what_a_person_corrected_is_said_beside_the_network_s_angles(pictures, tmp_path):
    out, picture = tmp_path / "out", pictures / "phantom_100001.png"
    command = ["predict", str(picture), "--out", str(out)]
    assert CliRunner().invoke(main, command).exit_code == 0
    assert "changed since" not in (out / "cohort.csv").read_text()
    corrected = out / "phantom_100001.seg.nrrd"
    labels = read_labels(corrected)
    labels[len(labels) // 2 :] = 0
    corrected.write_bytes(seg_nrrd(labels, None))
    assert CliRunner().invoke(main, command).exit_code == 0
    for name in ("cohort.csv", "report.html"):
        assert "phantom_100001.seg.nrrd changed since: what is said here is the network" in (out / name).read_text()


def test_a_mask_that_was_there_before_is_not_written_over(pictures, tmp_path):
    shutil.copy(pictures / "phantom_100002.png", pictures / "phantom_100001_labels.png")
    expert = (pictures / "phantom_100001_labels.png").read_bytes()
    told = predict(pictures / "phantom_100001.png", "--out", pictures)
    assert told.exit_code == 2
    assert "phantom_100001_labels.png was changed since it was written, or made by something else" in told.stderr
    assert (pictures / "phantom_100001_labels.png").read_bytes() == expert
    assert len(list(pictures.iterdir())) == 6


@pytest.mark.parametrize("written", [1, 3, 5])
def test_a_picture_cut_between_its_files_is_done_again_and_no_mix_is_taken_for_done(
    pictures, tmp_path, monkeypatch, written
):
    out = tmp_path / "out"
    entries = find_pictures([pictures], out)[:1]
    segment_all(entries, Settings(), tmp_path / "whole", 1)

    def cut_after(number):
        left = iter(range(number))

        def write(*given):
            if next(left, None) is None:
                raise KeyboardInterrupt
            write_atomically(*given)

        return write

    for settings in (Settings(), Settings(colours="field")):
        with monkeypatch.context() as patch:
            patch.setattr("sadanet_lab.reporting.cohort.write_atomically", cut_after(written))
            with pytest.raises(KeyboardInterrupt):
                segment_all(entries, settings, out, 1)
        assert segment_all(entries, Settings(), out, 1) == {}
        assert contents(out) == contents(tmp_path / "whole")


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_picture_that_was_moved_is_told_where_it_is(pictures, tmp_path):
    out = tmp_path / "out"
    segment_all(find_pictures([pictures], out)[:1], Settings(), out, 1)
    before = {path: path.stat().st_mtime_ns for path in out.glob("*.*") if not path.name.endswith(ANGLES)}
    moved = pictures.rename(tmp_path / "moved")
    segment_all(find_pictures([moved], out)[:1], Settings(), out, 1)
    (found,) = json.loads((out / f"phantom_100001{ANGLES}").read_text())
    assert found["file"] == str(moved / "phantom_100001.png")
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_file_that_is_no_longer_made_goes(pictures, tmp_path):
    image, out = np.asarray(Image.open(pictures / "phantom_100001.png")), tmp_path / "out"
    (tmp_path / "x.dcm").write_bytes(dicom(image))
    assert predict(tmp_path / "x.dcm", "--out", out).exit_code == 0
    assert (out / "x_seg.dcm").is_file()
    (tmp_path / "x.dcm").unlink()
    Image.fromarray(image).save(tmp_path / "x.png")
    assert predict(tmp_path / "x.png", "--out", out).exit_code == 0
    assert not (out / "x_seg.dcm").exists()


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
