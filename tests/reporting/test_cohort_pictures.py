"""Which pictures a cohort takes from files and folders, and what they are called."""

import errno
import os
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from sadanet_lab.cli import main
from sadanet_lab.errors import BadInput
from sadanet_lab.images.file_search import files_below
from sadanet_lab.reporting.cohort_pictures import ANGLES, find_pictures


def names(entries):
    return [entry.name for entry in entries]


def predict(*words):
    return CliRunner().invoke(main, ["predict", *map(str, words)])


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

    def test_of_a_dataset_its_test_images_are_taken_without_a_training_list(self, demo, tmp_path):
        assert names(find_pictures([demo], tmp_path)) == [f"phantom_10000{i}" for i in range(1, 6)]

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

    def test_a_stray_list_makes_no_dataset(self, pictures, tmp_path):
        (pictures / "test.txt").write_text("hello notes")
        assert len(find_pictures([pictures], tmp_path)) == 5

    def test_links_are_followed_once_and_a_broken_one_is_told(self, pictures, tmp_path):
        ward = tmp_path / "ward"
        ward.mkdir()
        shutil.copy(pictures / "phantom_100001.png", ward / "other.png")
        (pictures / "ward").symlink_to(ward)
        (ward / "back").symlink_to(pictures)
        (pictures / "gone.png").symlink_to(tmp_path / "nowhere.png")
        found = find_pictures([pictures], tmp_path / "out")
        assert names(found) == ["gone", *(f"phantom_10000{i}" for i in range(1, 6)), "ward/other"]
        told = predict(pictures / "gone.png", pictures / "phantom_100001.png", "--out", tmp_path / "out")
        assert told.exit_code == 2  # named by itself, it is a mistake

    def test_what_an_earlier_cohort_left_and_a_dicomdir_are_no_pictures(self, pictures, tmp_path):
        shutil.copy(pictures / "phantom_100001.png", pictures / "mine_labels.png")  # without angles: a picture
        for end in ("_labels.png", "_overlay.png", "_thumbnail.jpg", "_seg.dcm"):
            (pictures / f"x{end}").write_bytes(b"earlier")
        (pictures / f"x{ANGLES}").write_text("[{}]")
        (pictures / "DICOMDIR").write_bytes(bytes(128) + b"DICM")
        assert names(find_pictures([pictures], tmp_path)) == [
            "mine_labels",
            *(f"phantom_10000{i}" for i in range(1, 6)),
        ]

    def test_a_subfolder_that_cannot_be_read_is_a_line_and_not_the_end(self, pictures, tmp_path, monkeypatch):
        closed, scandir = pictures / "closed", os.scandir

        def refuse(path="."):
            if str(path) == str(closed):  # for root no folder is closed
                raise PermissionError(errno.EACCES, "Permission denied", str(closed))
            return scandir(path)

        closed.mkdir()
        monkeypatch.setattr(os, "scandir", refuse)
        told = predict(pictures, "--out", tmp_path / "out", "--jobs", 1)
        assert told.exit_code == 1
        assert "5 of 6 pictures segmented" in told.stdout
        assert f"error: {closed}: cannot be read (Permission denied); expected a folder of pictures" in told.stderr
        with pytest.raises(BadInput, match=r"closed: cannot be read .* expected a folder of pictures"):
            list(files_below(pictures))

    @pytest.mark.parametrize(
        ("listed", "said"),
        [
            (b"", "the list is empty"),
            (b"phantom_100001\n../x\nsub/phantom_100002\n", "stem '../x' is not a plain file name"),
            (b"phantom_100001\nphantom_100001\n", "is listed 2 times"),
            (b"\xff\xfe\x00", "test.txt: "),
        ],
    )
    def test_a_faulty_list_of_test_images_is_one_line_and_no_picture_is_left_out(self, listed, said, demo, tmp_path):
        (demo / "test.txt").write_bytes(listed)
        told = predict(demo, "--out", tmp_path / "out")
        assert told.exit_code == 2
        assert told.stderr.startswith(f"error: {demo / 'test.txt'}: ")
        assert said in told.stderr
        assert not (tmp_path / "out").exists()

    def test_of_names_that_clash_the_way_out_is_told(self, pictures, tmp_path):
        other = Path(shutil.copytree(pictures, tmp_path / "other"))
        with pytest.raises(BadInput, match="or the folder that both are below"):
            find_pictures([pictures, other], tmp_path / "out")
        below = find_pictures([tmp_path], tmp_path / "out")
        assert names(below)[:2] == ["other/phantom_100001", "other/phantom_100002"]
        assert len(below) == 10
