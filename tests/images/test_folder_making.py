"""A dataset made of pictures and masks as they lie in two folders: what belongs together is found, or told."""

import numpy as np
import pytest
from click.testing import CliRunner
from dicom_files import dicom
from PIL import Image

from sadanet_lab.cli import main
from sadanet_lab.errors import BadInput
from sadanet_lab.images.folder_check import examine_folder, open_folder
from sadanet_lab.images.folder_making import pair_up, split_by_patient
from sadanet_lab.images.slicer import seg_nrrd
from sadanet_lab.images.vpi_folder import read_lists
from sadanet_lab.spine.classes import COLOURS


def prepare(*arguments):
    return CliRunner().invoke(main, ["prepare", *map(str, arguments)])


@pytest.fixture
def pictures(phantoms, tmp_path):
    """(stem -> image and labels, folder of images, folder of masks) of six pictures of four patients."""
    data = read_lists(phantoms)
    samples = zip(("P1_a", "P1_b", "P2_a", "P3_a", "P4_a", "P4_b"), (*data.train, *data.test), strict=True)
    content = {stem: (sample.image(), sample.mask()) for stem, sample in samples}
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    for stem, (image, labels) in content.items():
        Image.fromarray(image).save(tmp_path / "images" / f"{stem}.tif")
        Image.fromarray(COLOURS[labels]).save(tmp_path / "masks" / f"{stem}_mask.png")
    return content, tmp_path / "images", tmp_path / "masks"


def test_what_is_made_holds_every_picture_and_mask_and_no_patient_twice(pictures, tmp_path):
    content, images, masks = pictures
    told = prepare(images, masks, tmp_path / "out", "--patient", "^P[0-9]+", "--val", 0.25, "--test", 0.3)
    assert told.exit_code == 0, told.stderr
    done = [line.partition(",")[0] for line in told.stderr.splitlines()]
    assert done == ["reading: 6/6 images", "writing: 6/6 images"]
    data = open_folder(tmp_path / "out")
    assert told.stdout == f"{tmp_path / 'out'}: {examine_folder(data.root).summary[0]}\n"
    splits = [data.train, data.test, data.val]
    assert sorted(sample.stem for split in splits for sample in split) == sorted(content)
    patients = [{sample.stem[:2] for sample in split} for split in splits]
    assert [len(each) for each in patients] == [2, 1, 1]
    assert set.union(*patients) == {"P1", "P2", "P3", "P4"}
    for sample in (*data.train, *data.test, *data.val):
        np.testing.assert_array_equal(sample.image(), content[sample.stem][0])
        np.testing.assert_array_equal(sample.mask(), content[sample.stem][1])


def test_the_seed_draws_and_the_same_seed_draws_the_same():
    stems = [f"image{i}" for i in range(20)]
    drawn = [split_by_patient(stems, None, {"test": 0.25}, seed) for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert [len(drawn[0][split]) for split in ("train", "test", "val")] == [15, 5, 0]


@pytest.mark.parametrize(
    ("patient", "shares", "said"),
    [
        ("^Q", {"test": 0.5}, "--patient: '^Q' finds nothing in 'P1'"),
        ("(", {"test": 0.5}, "--patient: '(' is no regular expression"),
        (None, {"test": 0.5, "val": 0.5}, "found 2 patients; expected more"),
        ("^P", {"test": 0.01}, "found 1 patients; expected more"),
    ],
)
def test_a_split_that_cannot_be_is_refused(patient, shares, said):
    with pytest.raises(BadInput) as raised:
        split_by_patient(["P1", "P2"], patient, shares, 0)
    assert str(raised.value).startswith(said)


@pytest.mark.parametrize(
    ("name", "mask", "expected"),
    [
        ("a", "a.png", True),
        ("a", "A_Mask.PNG", True),
        ("a", "a.seg.nrrd", True),
        ("a_bone", "a_bone_labels.png", True),  # the picture's own name is never shortened
        ("scan/a", "scan/a.png", True),
        ("scan/a", "elsewhere/a_gt.png", True),
        ("a", "ab.png", False),
        ("a_mask", "a.png", False),
        ("a", "a.txt", False),
    ],
)
def test_a_mask_is_known_by_its_name(tmp_path, name, mask, expected):
    (tmp_path / mask).parent.mkdir(exist_ok=True)
    (tmp_path / mask).touch()
    image = tmp_path / "images" / name
    pairs, left_out = pair_up({name: image}, tmp_path)
    assert [(pair.stem, pair.image, pair.mask) for pair in pairs] == (
        [(name.replace("/", "_"), image, tmp_path / mask)] if expected else []
    )
    assert bool(left_out) != expected


def test_in_subfolders_each_has_its_own_and_where_several_fit_none_is_taken(tmp_path):
    for mask in ("x/a.png", "y/a.png"):
        (tmp_path / mask).parent.mkdir()
        (tmp_path / mask).touch()
    image = tmp_path / "a.tif"
    pairs, _ = pair_up({"x/a": image, "y/a": image}, tmp_path)
    assert [(pair.stem, pair.mask) for pair in pairs] == [(f"{s}_a", tmp_path / s / "a.png") for s in "xy"]
    pairs, (first, *_) = pair_up({"a": image}, tmp_path)
    assert pairs == []
    assert (
        first
        == f"{image}: found 2 masks, {tmp_path}/x/a.png, {tmp_path}/y/a.png; expected one of its name in {tmp_path}"
    )


def test_one_mask_is_not_taken_for_two_pictures(tmp_path):
    (tmp_path / "a.png").touch()
    with pytest.raises(BadInput, match=r"a\.png: fits .*x/a\.tif and .*y/a\.tif; expected a mask for each"):
        pair_up({f"{place}/a": tmp_path / "images" / place / "a.tif" for place in "xy"}, tmp_path)


def test_pictures_and_masks_may_share_a_folder(pictures, tmp_path):
    content, images, masks = pictures
    for path in masks.iterdir():
        path.rename(images / path.name)
    told = prepare(images, images, tmp_path / "out")
    assert told.exit_code == 0, told.stderr
    assert sum(map(len, (open_folder(tmp_path / "out").train, open_folder(tmp_path / "out").test))) == len(content)
    assert "each image was taken for another patient's" in told.stderr


def test_other_kinds_and_pixels_that_are_not_square(pictures, tmp_path):
    content, images, masks = pictures
    image, labels = content["P1_a"]
    (images / "P1_a.tif").unlink()
    (masks / "P1_a_mask.png").unlink()
    (images / "P1_a.dcm").write_bytes(dicom(image, PixelSpacing=[0.5, 1.0]))
    Image.fromarray(labels).save(masks / "P1_a.png")
    (masks / "P2_a_mask.png").unlink()
    (masks / "P2_a.seg.nrrd").write_bytes(seg_nrrd(content["P2_a"][1], None))
    told = prepare(images, masks, tmp_path / "out")
    assert told.exit_code == 0, told.stderr
    data = open_folder(tmp_path / "out")
    samples = {sample.stem: sample for sample in (*data.train, *data.test)}
    np.testing.assert_array_equal(samples["P2_a"].mask(), content["P2_a"][1])
    height, width = image.shape
    assert samples["P1_a"].mask().shape == samples["P1_a"].image().shape == (height, 2 * width)
    np.testing.assert_array_equal(samples["P1_a"].mask()[:, ::2], labels)


def test_whatever_is_wrong_is_told_at_once_and_nothing_is_made(pictures, tmp_path):
    content, images, masks = pictures
    (images / "P1_a.tif").write_bytes(b"II*\0 cut")
    Image.fromarray(content["P1_b"][1][:-1]).save(masks / "P1_b_mask.png")
    told = prepare(images, masks, tmp_path / "out")
    assert told.exit_code == 2
    lines = [line for line in told.stderr.splitlines() if line.startswith("error: ")]
    assert [line.split(": ")[1] for line in lines] == [str(images / "P1_a.tif"), str(masks / "P1_b_mask.png")]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images", "masks"]


def test_a_picture_without_mask_is_left_out_and_a_folder_that_is_there_stays(pictures, tmp_path):
    _, images, masks = pictures
    (masks / "P1_a_mask.png").rename(masks / "nobody.png")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    told = prepare(images, masks, tmp_path / "out")
    assert told.exit_code == 2
    assert (
        told.stderr.splitlines()[-1] == f"error: {tmp_path / 'out'}: exists already; expected a new or an empty folder"
    )
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]
    told = prepare(images, masks, tmp_path / "new")
    assert told.exit_code == 0
    assert told.stderr.splitlines()[:2] == [
        f"left out: {images / 'P1_a.tif'}: found no mask; expected one of its name in {masks}",
        f"left out: {masks / 'nobody.png'}: found no picture of its name",
    ]
    assert "P1_a" not in {
        sample.stem for sample in (*read_lists(tmp_path / "new").train, *read_lists(tmp_path / "new").test)
    }
