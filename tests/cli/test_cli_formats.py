"""The command line on pictures and label maps of other kinds than PNG, and on a folder with a test list alone."""

import json
import shutil

import numpy as np
import pytest
import SimpleITK
from dicom_files import PATIENT, dicom
from PIL import Image
from test_cli import assert_refused, sadanet

from sadanet_lab.images.label_files import label_files
from sadanet_lab.images.picture import Picture
from sadanet_lab.phantom import draw_spine


@pytest.fixture(scope="module")
def run(phantoms, tmp_path_factory):
    """Folder of a run trained by the command line."""
    results = tmp_path_factory.mktemp("results")
    done = sadanet("train", "--method", "unet", "--profile", "smoke", "--data", phantoms, "--results", results)
    assert done.exit_code == 0, done.stderr
    return next((results / "runs").glob("unet-*"))


@pytest.fixture
def only_tests(copy_of_phantoms):
    (copy_of_phantoms / "train.txt").unlink()
    for part in ("dataset", "groundtruth"):
        shutil.rmtree(copy_of_phantoms / part / "train")
    return copy_of_phantoms


def test_the_same_picture_of_any_kind_is_segmented_alike_and_the_patient_is_not_told(run, phantoms, tmp_path):
    image = np.asarray(Image.open(next((phantoms / "dataset" / "test").glob("*.png"))))
    for kind in ("png", "tiff", "bmp"):
        Image.fromarray(image).save(tmp_path / f"{kind}.{kind}")
    (tmp_path / "dicom.dcm").write_bytes(dicom(image))
    pictures = sorted(path for path in tmp_path.iterdir() if path.is_file())
    result = sadanet("predict", *pictures, "--run", run, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.stderr
    maps = {(tmp_path / "out" / f"{path.stem}_labels.png").read_bytes() for path in pictures}
    assert len(maps) == 1
    for path in (tmp_path / "out").glob("*[!m]"):  # all but the DICOM segmentation, which belongs to the patient
        assert PATIENT["PatientID"].encode() not in path.read_bytes()
        assert b"Mustermann" not in path.read_bytes()


def test_a_picture_of_no_kind_is_one_line_before_anything_is_written(run, tmp_path):
    (tmp_path / "x.tif").write_bytes(b"II*\0no picture")
    assert_refused(sadanet("predict", tmp_path / "x.tif", "--run", run, "--out", tmp_path / "out"), tmp_path / "x.tif")
    assert not (tmp_path / "out").exists()


def test_angles_are_the_same_of_a_png_of_slicers_file_and_of_that_written_by_another_program(tmp_path):
    labels = draw_spine(np.random.default_rng(0), 256, 1024).labels()
    files, _ = label_files(labels, Picture(labels * 80, "PNG"), "x", "net")
    for end, content in files.items():
        (tmp_path / f"x{end}").write_bytes(content)
    SimpleITK.WriteImage(SimpleITK.ReadImage(tmp_path / "x.seg.nrrd"), tmp_path / "again.seg.nrrd", True)
    paths = [tmp_path / name for name in ("x_labels.png", "x.seg.nrrd", "again.seg.nrrd")]
    result = sadanet("angles", *paths, "--format", "json")
    assert result.exit_code == 0, result.stderr
    png, *others = json.loads(result.output)
    assert png["measurable"]
    for other in others:
        assert {**other, "file": png["file"]} == png


def test_angles_refuse_a_mask_that_is_smaller_than_a_picture_may_be_in_the_same_words(tmp_path):
    """A good one before it is not measured either; the smallest is."""
    said = []
    for command, rest in (("angles", ()), ("predict", ("--out", tmp_path / "out"))):
        for shape in ((64, 16), (63, 64)):
            path = tmp_path / f"{command}_{shape[0]}.png"
            Image.fromarray(np.random.default_rng(0).integers(0, 4, shape, np.uint8)).save(path)
            refused = sadanet(command, path, *rest)
            assert_refused(refused, path)
            assert not refused.stdout
            said.append(refused.stderr.replace(str(path), ""))
    assert said[:2] == said[2:]
    assert "16 x 64 pixels; expected 64 or more either way" in said[0]
    Image.fromarray(np.zeros((64, 64), np.uint8)).save(tmp_path / "smallest.png")
    assert sadanet("angles", tmp_path / "smallest.png").exit_code == 0
    assert_refused(sadanet("angles", tmp_path / "smallest.png", tmp_path / "angles_64.png"), "angles_64.png")


def test_angles_of_a_mask_upside_down_say_that_the_lumps_lie_above(tmp_path):
    labels = draw_spine(np.random.default_rng([9, 149]), 256, 1024, "wide").labels()
    for name, turned in (
        ("x", labels),
        ("mirrored", labels[:, ::-1]),
        ("down", labels[::-1]),
        ("turned", labels[::-1, ::-1]),
    ):
        Image.fromarray(turned).save(tmp_path / f"{name}.png")
    told = sadanet("angles", *(tmp_path / f"{name}.png" for name in ("x", "mirrored", "down", "turned")))
    asked = ["is the picture upside down?" in line for line in told.stdout.splitlines()]
    assert asked == [False, False, True, True]
    (entry,) = json.loads(sadanet("angles", tmp_path / "down.png", "--format", "json").stdout)
    assert entry["names_doubtful"]
    assert entry["names_reason"].endswith("lumps lie above the thoracic processes: is the picture upside down?")


def test_angles_of_a_damaged_file_are_one_line(tmp_path):
    (tmp_path / "x.seg.nrrd").write_bytes(b"NRRD0004\ntype: uchar\n\n")
    assert_refused(sadanet("angles", tmp_path / "x.seg.nrrd"), tmp_path / "x.seg.nrrd", "damaged or truncated NRRD")


def test_a_folder_with_a_test_list_alone_is_checked_evaluated_and_not_trained_on(run, only_tests, phantoms, tmp_path):
    checked = sadanet("check", only_tests)
    assert checked.exit_code == 0
    assert "valid; 0 training and 2 test images; nothing can be trained on it: no train.txt" in checked.output
    scores = [sadanet("evaluate", run, "--data", data, "--format", "json") for data in (only_tests, phantoms)]
    assert [each.exit_code for each in scores] == [0, 0]
    assert scores[0].output == scores[1].output
    results = tmp_path / "results"
    training = ("train", "--method", "unet", "--profile", "smoke", "--data", only_tests, "--results", results)
    assert_refused(sadanet(*training), only_tests / "train.txt", "expected one stem per line, the images to train on")
    assert not (results / "runs").exists()


def test_an_image_called_na_counts_and_an_angle_that_nobody_can_measure_is_no_number(run, copy_of_phantoms):
    stem = (copy_of_phantoms / "test.txt").read_text().split()[0]
    for path in [*copy_of_phantoms.glob("*.txt"), *copy_of_phantoms.glob("*.csv")]:
        path.write_text(path.read_text().replace(stem, "NA"))
    for path in [*copy_of_phantoms.rglob(f"{stem}*")]:
        path.rename(path.with_name(path.name.replace(stem, "NA")))
    told = sadanet("evaluate", run, "--data", copy_of_phantoms)
    assert told.exit_code == 0, told.stderr
    assert "nan" not in told.output
    assert told.output.endswith("largest curve angle: not measurable in any of 2 images\n")
