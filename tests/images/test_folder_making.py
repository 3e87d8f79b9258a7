"""A dataset made of pictures and masks as they lie in two folders: what belongs together is found, or told."""

import os
import unicodedata
from itertools import chain

import numpy as np
import pytest
from click.testing import CliRunner
from dicom_files import dicom
from PIL import Image

from sadanet_lab.cli import main
from sadanet_lab.errors import BadInput
from sadanet_lab.images.folder_check import examine_folder, open_folder
from sadanet_lab.images.folder_making import draw_patients, images_of_patients, pair_up
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
    assert told.stdout.splitlines() == [
        f"{tmp_path / 'out'}: {examine_folder(data.root).summary[0]}",
        "patients (images of each): 4, such as P1 (2), P2 (1), P3 (1); 2 to train on",
    ]
    splits = [data.train, data.test, data.val]
    assert sorted(sample.stem for split in splits for sample in split) == sorted(content)
    patients = [{sample.stem[:2] for sample in split} for split in splits]
    assert [len(each) for each in patients] == [2, 1, 1]
    assert set.union(*patients) == {"P1", "P2", "P3", "P4"}
    for sample in (*data.train, *data.test, *data.val):
        np.testing.assert_array_equal(sample.image(), content[sample.stem][0])
        np.testing.assert_array_equal(sample.mask(), content[sample.stem][1])


def test_the_seed_draws_and_the_same_seed_draws_the_same():
    patients = [f"P{i}" for i in range(20)]
    drawn = [draw_patients(patients, {"test": 0.25}, seed) for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert [len(drawn[0][split]) for split in ("train", "test", "val")] == [15, 5, 0]
    assert sorted(chain(*drawn[0].values())) == sorted(patients)


@pytest.mark.parametrize("shares", [{"test": 0.5, "val": 0.5}, {"test": 0.9}])
def test_a_draw_that_leaves_none_to_train_on_is_refused(shares):
    with pytest.raises(BadInput, match=r"patients: found 2, and (1 for test and 1 for val|2 for test); "):
        draw_patients(["a", "b"], shares, 0)


def test_capitals_and_forms_of_unicode_make_no_other_patient():
    """Or one could be trained on and tested."""
    assert images_of_patients(["p1_2", "P1_1", "P2_1"], "^[Pp][0-9]+") == {"P1": ["P1_1", "p1_2"], "P2": ["P2_1"]}
    found = images_of_patients(["Mü_1", f"M{NFD}_2"], "^[^_]+")
    assert [len(stems) for stems in found.values()] == [2]
    assert len(images_of_patients(["a", "A"], None)) == 2


def test_patients_are_what_the_expression_finds():
    assert images_of_patients(["a", "b"], None) == {"a": ["a"], "b": ["b"]}
    assert images_of_patients(["P1_b", "P1_a", "P2_a"], "^P[0-9]") == {"P1": ["P1_a", "P1_b"], "P2": ["P2_a"]}
    assert images_of_patients(["P1_a", "V1_a", "V2_a"], "(P[0-9])|(V[0-9])").keys() == {"P1", "V1", "V2"}


@pytest.mark.parametrize("patient", ["^Q", "[0-9]*$", "P(Q?)", "P(Q)?"])
def test_an_expression_that_finds_nothing_in_a_name_is_refused(patient):
    with pytest.raises(BadInput, match="finds nothing in 'P_'; expected what tells whose image it is"):
        images_of_patients(["P_"], patient)


def test_what_is_no_regular_expression_is_refused():
    with pytest.raises(BadInput, match=r"--patient: '\(' is no regular expression"):
        images_of_patients(["P_"], "(")


def touched(folder, names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def paired(tmp_path, images, masks):
    """Picture -> mask, of files of these names in two folders."""
    folders = touched(tmp_path / "i", images), touched(tmp_path / "m", masks)
    pairs, left_out = pair_up(*folders, tmp_path / "out")
    found = {str(p.image.relative_to(folders[0])): str(p.mask.relative_to(folders[1])) for p in pairs}
    lost = [folders[0] / name for name in {*images} - {*found}] + [folders[1] / n for n in {*masks} - {*found.values()}]
    assert all(any(str(path) in line for line in left_out) for path in lost), left_out
    return found


NFD = unicodedata.normalize("NFD", "ü")


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("a.tif", "a.png"),
        ("a.PNG", "A_Mask.PNG"),
        ("a.dcm", "a.seg.nrrd"),
        ("a_bone.png", "a_bone_labels.png"),  # the picture's own name is never shortened
        ("1.2.840.png", "1.2.840.png"),
        ("x/a.png", "x/a.png"),
        ("x/a.png", "a_gt.png"),
        ("a.png", "x/a.png"),
        ("ü.png", f"{NFD}.png"),
        ("ü/a.png", f"{NFD}/a.png"),
        ("P01.png", "P01mask.png"),
    ],
)
def test_a_mask_is_known_by_its_name(tmp_path, image, mask):
    assert paired(tmp_path, [image, "b.png"], [mask, "b.png"]) == {image: mask, "b.png": "b.png"}


@pytest.mark.parametrize(
    ("image", "mask"),
    [("a.png", "ab.png"), ("a_mask.png", "a.png"), ("x/a.png", "y/a.png"), ("ben.png", "bengt.png")],
)
def test_another_name_or_another_patients_folder_is_none(tmp_path, image, mask):
    assert paired(tmp_path, [image, "b.png"], [mask, "b.png"]) == {"b.png": "b.png"}


def test_the_nearest_mask_of_the_very_name_is_taken(tmp_path):
    names = ["x.png", "x_seg.png", "p/a.png", "q/a.png"]
    assert paired(tmp_path, names, names) == {name: name for name in names}


def test_one_mask_is_not_taken_for_two_pictures_and_of_two_none_is_taken(tmp_path):
    assert paired(tmp_path / "1", ["x/a.png", "y/a.png", "b.png"], ["a.png", "b.png"]) == {"b.png": "b.png"}
    assert paired(tmp_path / "0", ["a.png", "x/a.png"], ["x/a.png"]) == {"x/a.png": "x/a.png"}
    assert paired(tmp_path / "2", ["a.png", "b.png"], ["a_mask.png", "a_gt.png", "b.png"]) == {"b.png": "b.png"}


def test_a_mask_of_the_very_name_goes_before_one_that_fits_too(tmp_path):
    names = ["A.png", "a.png"]
    assert paired(tmp_path / "capitals", names, names) == {name: name for name in names}
    assert paired(tmp_path / "longer", ["a.png", "a_mask.png"], ["a_mask.png"]) == {"a_mask.png": "a_mask.png"}


def test_a_mask_in_no_folder_is_not_taken_for_a_picture_whose_namesake_has_one_in_its_own(tmp_path):
    """Subfolders are patients there: a mask that lies above them is of none of them for certain."""
    found = paired(tmp_path, ["P1/01.png", "P2/01.png", "P3/02.png"], ["P1/01.png", "01.png", "P3/02.png"])
    assert found == {"P1/01.png": "P1/01.png", "P3/02.png": "P3/02.png"}


def test_one_folder_may_be_written_in_two_ways(tmp_path):
    folder = touched(tmp_path / "both", ["a.tif", "a.png", "1.2.840.05.png"])
    (folder / "1.2.840.05").write_bytes(bytes(128) + b"DICM")
    (tmp_path / "link").symlink_to(folder)
    pairs, left_out = pair_up(folder, tmp_path / "link", tmp_path / "out")
    assert {pair.image.name: pair.mask.name for pair in pairs} == {"a.tif": "a.png", "1.2.840.05": "1.2.840.05.png"}
    assert left_out == []


def test_one_folder_in_the_other_is_not_taken_for_the_other(tmp_path):
    folder = touched(tmp_path, ["a.png", "masks/a.png"])
    for images, masks, expected in (
        (folder, folder / "masks", ("a.png", "masks/a.png")),
        (folder / "masks", folder, ("masks/a.png", "a.png")),
    ):
        ((pair,), left_out) = pair_up(images, masks, tmp_path / "out")
        assert (pair.image, pair.mask) == tuple(folder / name for name in expected)
        assert left_out == []


def test_in_one_folder_the_png_beside_another_kind_is_the_mask(tmp_path):
    names = ["a.dcm", "a.png", "b.png", "b_mask.png", "c.tif", "c.seg.nrrd", "d_mask.png"]
    folder = touched(tmp_path / "both", names)
    pairs, left_out = pair_up(folder, folder, tmp_path / "out")
    assert {pair.image.name: pair.mask.name for pair in pairs} == {
        "a.dcm": "a.png", "b.png": "b_mask.png", "c.tif": "c.seg.nrrd",
    }  # fmt: skip
    assert [line.split(": ")[0] for line in left_out] == [str(folder / "d_mask.png")]


def test_links_that_lead_back_are_followed_once(tmp_path):
    touched(tmp_path / "m", ["a.png", "b.png"])
    (tmp_path / "m" / "loop").symlink_to(tmp_path / "m")
    assert paired(tmp_path, ["a.png"], ["a.png", "b.png"]) == {"a.png": "a.png"}


@pytest.mark.parametrize("name", ["a..b.png", " a.png", "a\nb.png", os.fsdecode(b"M\xfcller.png")])
def test_a_name_that_no_list_can_hold_is_refused_before_anything_is_made(tmp_path, name):
    folders = touched(tmp_path / "i", [name]), touched(tmp_path / "m", [name])
    told = prepare(*folders, tmp_path / "out")
    assert told.exit_code == 2
    assert "cannot stand in a list; expected a plain name" in told.stderr
    assert not (tmp_path / "out").exists()


def test_folders_without_a_pair_and_a_dataset_are_told(tmp_path, phantoms):
    folders = touched(tmp_path / "i", ["a.png"]), touched(tmp_path / "m", ["b.png"])
    told = prepare(*folders, tmp_path / "out")
    assert (told.exit_code, told.stderr.count("\n")) == (2, 1)
    assert "found no picture with a mask" in told.stderr
    assert "in the published layout already" in prepare(phantoms, phantoms, tmp_path / "out").stderr


def test_a_link_in_the_place_of_the_new_folder_is_told_before_anything_is_read(tmp_path):
    folders = touched(tmp_path / "i", ["a.png"]), touched(tmp_path / "m", ["a.png"])
    (tmp_path / "out").symlink_to(tmp_path)
    told = prepare(*folders, tmp_path / "out")
    assert told.stderr == f"error: {tmp_path / 'out'}: a link; expected a new or an empty folder\n"


def test_pictures_and_masks_may_share_a_folder(pictures, tmp_path):
    content, images, masks = pictures
    for path in masks.iterdir():
        path.rename(images / path.name)
    told = prepare(images, images, tmp_path / "out")
    assert told.exit_code == 0, told.stderr
    assert sum(map(len, (open_folder(tmp_path / "out").train, open_folder(tmp_path / "out").test))) == len(content)
    assert "each image was taken as another patient's" in told.stderr


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


def test_what_a_png_mask_says_of_print_does_not_make_it_another_size(pictures, tmp_path):
    content, images, masks = pictures
    Image.fromarray(content["P1_a"][1]).save(masks / "P1_a_mask.png", dpi=(72, 36))
    told = prepare(images, masks, tmp_path / "out")
    assert told.exit_code == 0, told.stderr
    data = open_folder(tmp_path / "out")
    (sample,) = [sample for sample in (*data.train, *data.test) if sample.stem == "P1_a"]
    np.testing.assert_array_equal(sample.mask(), content["P1_a"][1])


def test_what_a_killed_process_left_beside_the_new_folder_is_told(pictures, tmp_path):
    _, images, masks = pictures
    left = tmp_path / ".out.a1b2c3d4"
    left.mkdir()
    (tmp_path / ".out.lock").write_text("")
    told = prepare(images, masks, tmp_path / "out")
    assert told.exit_code == 0, told.stderr
    assert [line for line in told.stderr.splitlines() if ".out." in line] == [
        f"{left}: left by a process that was killed, or written by another one now; if by none, delete it"
    ]


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
