"""What is strange in a sound folder is told, with the images it is of; what is in it, too, in numbers counted apart."""

import re
import unicodedata

import numpy as np
import pytest
from PIL import Image

from sadanet_lab.images.folder_check import examine_folder, open_folder
from sadanet_lab.images.png import read_image, read_mask
from sadanet_lab.images.vpi_folder import read_lists
from sadanet_lab.spine.classes import CLASSES


def paths_of(folder, split="train"):
    """Image and mask path of a list's first image."""
    sample = getattr(read_lists(folder), split)[0]
    return sample.image_path, sample.mask_path


def change_masks(folder, change):
    data = read_lists(folder)
    for sample in (*data.train, *data.test):
        Image.fromarray(change(sample.mask())).save(sample.mask_path)


def one_class_missing(folder):
    change_masks(folder, lambda labels: np.where(labels == 3, 0, labels))
    return "no pixel of lump in any mask; expected all of rib, thoracic_process, lump"


def ids_off_by_one(folder):
    change_masks(folder, lambda labels: (labels + 1) % 4)
    return (
        r"masks with less background than bone of one kind: 'phantom_0001', .* \(6 in all\); expected ids 0 background"
    )


def a_test_image_to_train_on(folder):
    image, _ = paths_of(folder, "test")
    pixels = read_image(image)
    Image.fromarray(pixels).convert("RGB").save(paths_of(folder)[0])  # other bytes, the same picture
    return rf"{image.relative_to(folder)}: the same picture as dataset/train/phantom_0001.png; expected it once"


def no_list_names_it(folder):
    image, _ = paths_of(folder)
    image.with_name("forgotten.png").write_bytes(image.read_bytes())
    image.with_name("notes.txt").write_text("not an image")
    return r"dataset/train: images that no list names: 'forgotten'; expected in train\.txt"


def stretched(folder):
    for path in paths_of(folder):
        with Image.open(path) as picture:
            picture.resize((64, 330), Image.Resampling.NEAREST).save(path)
    return (
        "images of other proportions, which are stretched .*: 'phantom_0001'; expected about 4.0 times as high as wide"
    )


def background_alone(folder):
    Image.fromarray(np.zeros((256, 64), np.uint8)).save(paths_of(folder)[1])
    return r"train\.txt: 1 of 4 masks are background alone: 'phantom_0001'"


@pytest.mark.parametrize(
    "spoil",
    [one_class_missing, ids_off_by_one, a_test_image_to_train_on, no_list_names_it, stretched, background_alone],
    ids=lambda f: f.__name__,
)
def test_what_is_strange_is_one_line_and_the_folder_can_still_be_used(copy_of_phantoms, spoil, capsys):
    assert examine_folder(copy_of_phantoms).warnings == []
    expected = spoil(copy_of_phantoms)
    found = examine_folder(copy_of_phantoms)
    assert found.problems == []
    (warning,) = found.warnings
    assert warning.startswith(str(copy_of_phantoms))
    assert re.search(expected, warning), warning
    open_folder(copy_of_phantoms)
    assert capsys.readouterr().err == f"warning: {warning}\n"


def test_what_is_in_it_is_counted(copy_of_phantoms):
    for path in paths_of(copy_of_phantoms):
        with Image.open(path) as picture:
            picture.resize((72, 256), Image.Resampling.NEAREST).save(path)
    masks = [read_mask(path) for path in (copy_of_phantoms / "groundtruth").rglob("*.png")]
    pixels = [sum((labels == class_id).sum() for labels in masks) for class_id in range(4)]
    shares = (f"{name} {100 * count / sum(pixels):.1f} %" for name, count in zip(CLASSES, pixels, strict=True))
    assert examine_folder(copy_of_phantoms).summary == [
        "4 training and 2 test images",
        "images: 64 to 72 pixels wide, 256 high, 3.6 to 4.0 times as high as wide",
        f"masks: {', '.join(shares)} of the pixels",
        f"data: {read_lists(copy_of_phantoms).fingerprint}, as `sadanet runs` calls it",
    ]


def test_validation_images_are_counted_and_an_empty_list_of_them_is_told(copy_of_phantoms):
    stems = (copy_of_phantoms / "train.txt").read_text().split()
    for name in ("dataset", "groundtruth"):
        (copy_of_phantoms / name / "val").mkdir()
        for path in (copy_of_phantoms / name / "train").glob(f"{stems[-1]}*"):
            path.rename(copy_of_phantoms / name / "val" / path.name)
    (copy_of_phantoms / "train.txt").write_text("\n".join(stems[:-1]))
    (copy_of_phantoms / "val.txt").write_bytes(stems[-1].encode("utf-16"))  # as PowerShell writes it
    assert examine_folder(copy_of_phantoms).summary[0] == "3 training, 2 test and 1 validation images"
    (copy_of_phantoms / "val.txt").write_text("\n")
    (problem,) = examine_folder(copy_of_phantoms).problems
    assert problem.endswith("val.txt: the list is empty; expected one stem per line, or no such file")


NFD = unicodedata.normalize("NFD", "für")


@pytest.mark.parametrize(
    ("listed", "there", "told"),
    [
        ("a", "train/A.PNG", "found train/A.PNG; "),
        ("a", "train/a.jpg", "found train/a.jpg; "),
        ("a", "train/a_mask.png", "found train/a_mask.png; "),
        ("a", "a.png", "found a.png; "),
        ("für", f"train/{NFD}.png", f"found train/{NFD}.png in another Unicode form; "),
        ("a", "train/ab.png", ""),
    ],
)
def test_a_file_under_another_name_is_named(copy_of_phantoms, listed, there, told):
    image, mask = paths_of(copy_of_phantoms)
    stems = (copy_of_phantoms / "train.txt").read_text()
    (copy_of_phantoms / "train.txt").write_text(stems.replace(image.stem, listed))
    wanted = mask.with_name(f"{listed}_bone_3.png")
    mask.rename(wanted)
    image.rename(copy_of_phantoms / "dataset" / there)
    (problem,) = examine_folder(copy_of_phantoms).problems
    missing = image.with_name(f"{listed}.png")
    assert problem == f"{missing}: no such file; {told}expected a PNG image" + " of that very name" * bool(told)


def test_a_file_of_another_kind_is_named_by_its_kind(copy_of_phantoms):
    image, _ = paths_of(copy_of_phantoms)
    Image.fromarray(read_image(image)).save(image, format="JPEG")
    assert examine_folder(copy_of_phantoms).problems == [f"{image}: a JPEG file; expected a PNG image"]


def test_a_name_too_long_for_the_disk_is_said_to_be(copy_of_phantoms):
    with (copy_of_phantoms / "train.txt").open("a") as file:
        file.write("a" * 300 + "\n")
    problems = examine_folder(copy_of_phantoms).problems
    assert ["File name too long" in problem for problem in problems] == [True, True]
