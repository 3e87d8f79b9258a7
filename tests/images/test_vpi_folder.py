"""The published layout is read exactly, at any size and in both mask forms; every fault is named."""

import shutil
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps

from sadanet_lab.errors import BadInput
from sadanet_lab.images.folder_check import examine_folder, open_folder
from sadanet_lab.images.png import read_image, read_mask
from sadanet_lab.images.vpi_folder import require_training_images
from sadanet_lab.spine.classes import COLOURS, rgb_to_labels


def first(folder, split="train"):
    """Stem, image path and mask path of a list's first image."""
    stem = (folder / f"{split}.txt").read_text().split()[0]
    return stem, folder / "dataset" / split / f"{stem}.png", folder / "groundtruth" / split / f"{stem}_bone_3.png"


def save(array, path, mode=None):
    Image.fromarray(array, mode).save(path) if mode else Image.fromarray(array).save(path)


def test_images_and_masks_come_back_as_stored(tmp_path):
    rng = np.random.default_rng(0)
    image, labels = rng.integers(0, 256, (97, 71), np.uint8), rng.integers(0, 4, (97, 71), np.uint8)
    for name in ("dataset", "groundtruth"):
        for split in ("train", "test"):
            (tmp_path / name / split).mkdir(parents=True)
    for split, stem, mask in (("train", "a b", labels), ("test", "ü", COLOURS[labels])):
        save(image, tmp_path / "dataset" / split / f"{stem}.png")
        save(mask, tmp_path / "groundtruth" / split / f"{stem}_bone_3.png")
        (tmp_path / f"{split}.txt").write_bytes(f"\ufeff{stem}\r\n\r\n".encode())  # as Windows editors leave it
    data = open_folder(tmp_path)
    for sample in (*data.train, *data.test):
        np.testing.assert_array_equal(sample.image(), image)
        np.testing.assert_array_equal(sample.mask(), labels)


def test_rgb_and_ids_are_inverse():
    labels = np.arange(4, dtype=np.uint8).reshape(2, 2)
    np.testing.assert_array_equal(rgb_to_labels(COLOURS[labels]), labels)
    assert COLOURS[1].tolist() == [255, 0, 0], "rib is red"


def test_palette_mask_is_read_by_its_ids(tmp_path):
    labels = np.array([[0, 1], [2, 3]], np.uint8)
    picture = Image.fromarray(labels).convert("P")
    picture.putdata(labels.ravel().tolist())
    picture.putpalette(list(COLOURS.ravel()) + [7] * (768 - 12))
    picture.save(tmp_path / "m.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png"), labels)


def test_palette_of_the_fields_colours_in_another_order_is_read_by_colour(tmp_path):
    labels = np.array([[0, 1], [2, 3]], np.uint8)
    order = [3, 1, 0, 2]  # palette entry -> class
    picture = Image.fromarray(np.argsort(order).astype(np.uint8)[labels], "L").convert("P")
    picture.putdata(np.argsort(order)[labels].ravel().tolist())
    picture.putpalette(list(COLOURS[order].ravel()))
    picture.save(tmp_path / "m.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png"), labels)


GREYS = np.arange(4, dtype=np.uint8)[:, None].repeat(3, axis=1)
VOC = np.array([[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0]], np.uint8)
"""The first entries of Pascal VOC's palette: bit 7 of red, green, blue is bit 0, 1, 2 of the index."""


@pytest.mark.parametrize("colours", [COLOURS, GREYS, VOC], ids=["field", "greys", "voc"])
def test_an_editors_palette_is_read_by_colour_where_the_order_of_colours_is_certain(tmp_path, colours):
    labels = np.repeat(np.array([[3, 3, 3], [1, 1, 2], [0, 2, 2]], np.uint8), 8, axis=0)
    for picture in (Image.fromarray(colours[labels]), Image.fromarray(colours[labels]).quantize(4)):
        picture.save(tmp_path / "m.png")
        np.testing.assert_array_equal(read_mask(tmp_path / "m.png"), labels)
    assert not np.array_equal(np.asarray(picture), labels), "the palette's order must differ for this to tell anything"


def test_a_palette_of_other_colours_is_refused_since_its_order_says_nothing(tmp_path):
    colours = COLOURS // 2 + 9
    Image.fromarray(colours[np.arange(4, dtype=np.uint8)[None]]).quantize(4).save(tmp_path / "m.png")
    with pytest.raises(BadInput, match=r"m\.png: palette of unknown colours #090909, .*; expected grey 0"):
        read_mask(tmp_path / "m.png")


def test_a_turned_image_is_read_as_a_person_sees_it(tmp_path):
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4)
    exif = Image.Exif()
    exif[274] = 6  # shown after a quarter turn clockwise
    Image.fromarray(np.rot90(grey)).save(tmp_path / "i.png", exif=exif)
    np.testing.assert_array_equal(read_image(tmp_path / "i.png"), grey)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_each_turn_is_pillows(tmp_path, orientation):
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4)
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(grey).save(tmp_path / "i.png", exif=exif)
    with Image.open(tmp_path / "i.png") as picture:
        expected = np.asarray(ImageOps.exif_transpose(picture))
    np.testing.assert_array_equal(read_image(tmp_path / "i.png"), expected)


@pytest.mark.parametrize("exif", [b"II*\0\xff\xff\xff\xff", b"no exif at all", b"Exif\0\0II*\0\x08\0\0\0\x01"])
def test_damaged_exif_turns_nothing_and_says_nothing(tmp_path, exif, recwarn):
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4)
    Image.fromarray(grey).save(tmp_path / "i.png", exif=exif)
    np.testing.assert_array_equal(read_image(tmp_path / "i.png"), grey)
    assert not recwarn.list


@pytest.mark.parametrize("bits", [2, 4])
def test_masks_of_few_bits_hold_ids_all_the_same(tmp_path, bits):
    labels = np.array([[0, 1, 2, 3, 3]], np.uint8)
    digits = "".join(f"{value:0{bits}b}" for value in labels[0])
    row = int(digits.ljust(-(-len(digits) // 8) * 8, "0"), 2).to_bytes(-(-len(digits) // 8), "big")
    (tmp_path / "m.png").write_bytes(png_of(5, 1, bits, 0, b"\0" + row))
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png"), labels)


def test_grey_stored_as_rgb_is_grey(tmp_path):
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4)
    save(np.repeat(grey[..., None], 3, axis=2), tmp_path / "i.png")
    np.testing.assert_array_equal(read_image(tmp_path / "i.png"), grey)


def test_fingerprint_follows_every_pixel_and_the_split(copy_of_phantoms):
    before = open_folder(copy_of_phantoms).fingerprint
    assert open_folder(copy_of_phantoms).fingerprint == before
    _, _, mask_path = first(copy_of_phantoms, "test")
    labels = read_mask(mask_path).copy()
    labels[0, 0] = 3 - labels[0, 0]
    save(labels, mask_path)
    assert open_folder(copy_of_phantoms).fingerprint != before


def png_of(width, height, bits, kind, raw):
    """A PNG file by the specification; kind: 0 grey, 2 colours; raw: its rows, each with its filter in front."""
    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(raw)), (b"IEND", b""))
    packed = (struct.pack(">I", len(of)) + name + of + struct.pack(">I", zlib.crc32(name + of)) for name, of in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def png_of_16_bit_colours(grey):
    """Three equal channels, which Pillow can read but not write."""
    rows = (grey.astype(">u2")[..., None] * 257 + 5).repeat(3, axis=2)
    return png_of(grey.shape[1], grey.shape[0], 16, 2, b"".join(b"\0" + row.tobytes() for row in rows))


def missing_mask(folder):
    _, _, mask = first(folder)
    mask.unlink()
    return mask, "no such file; expected a PNG image"


def truncated_image(folder):
    _, image, _ = first(folder)
    image.write_bytes(image.read_bytes()[:200])
    return image, "truncated"


def text_named_png(folder):
    _, image, _ = first(folder)
    image.write_text("not a picture")
    return image, "not a PNG"


def mask_of_another_size(folder):
    _, _, mask = first(folder)
    save(read_mask(mask)[:-1], mask)
    return mask, "mask is 64 x 255, its image 64 x 256"


def id_seven(folder):
    _, _, mask = first(folder)
    labels = read_mask(mask).copy()
    labels[5, 5] = 7
    save(labels, mask)
    return mask, "class id 7; expected 0..3"


def unknown_colour(folder):
    _, _, mask = first(folder)
    rgb = COLOURS[read_mask(mask)]
    rgb[0, 0] = (255, 255, 0)
    save(rgb, mask)
    return mask, "#ffff00"


def sixteen_bit(folder):
    _, image, _ = first(folder)
    save(read_image(image).astype(np.uint16) * 257, image)
    return image, "16-bit image"


def sixteen_bit_colours(folder):
    _, image, _ = first(folder)
    image.write_bytes(png_of_16_bit_colours(read_image(image)))
    return image, "16-bit colour image (mode RGB)"


def black_image(folder):
    _, image, _ = first(folder)
    save(np.zeros_like(read_image(image)), image)
    return image, "every pixel has grey 0"


def colour_image(folder):
    _, image, _ = first(folder)
    rgb = np.repeat(read_image(image)[..., None], 3, axis=2)
    rgb[0, 0, 0] ^= 1
    save(rgb, image)
    return image, "colour image"


def empty_list(folder):
    (folder / "test.txt").write_text("\n")
    return folder / "test.txt", "the list is empty"


def missing_list(folder):
    (folder / "test.txt").unlink()
    return folder / "test.txt", "no such file"


def listed_twice(folder):
    stem, _, _ = first(folder)
    with (folder / "train.txt").open("a") as file:
        file.write(stem + "\n")
    return folder / "train.txt", "listed 2 times"


def in_both_lists(folder):
    stem, _, _ = first(folder)
    with (folder / "test.txt").open("a") as file:
        file.write(stem + "\n")
    return folder, "in both train.txt and test.txt"


def outside_the_folder(folder):
    with (folder / "train.txt").open("a") as file:
        file.write("../../secret\n")
    return folder / "train.txt", "'../../secret' is not a plain file name"


FAULTS = [
    missing_mask, truncated_image, text_named_png, mask_of_another_size, id_seven, unknown_colour, sixteen_bit,
    sixteen_bit_colours, black_image, colour_image, empty_list, missing_list, listed_twice, in_both_lists,
    outside_the_folder,
]  # fmt: skip


@pytest.mark.parametrize("spoil", FAULTS, ids=lambda f: f.__name__)
def test_every_fault_is_one_line_that_names_the_file_and_what_was_found(copy_of_phantoms, spoil):
    assert examine_folder(copy_of_phantoms).problems == []
    where, found = spoil(copy_of_phantoms)
    problems = examine_folder(copy_of_phantoms).problems
    assert any(p.startswith(f"{where}: ") and found in p and "\n" not in p for p in problems), problems
    with pytest.raises(BadInput):
        open_folder(copy_of_phantoms)


def test_all_problems_are_found_at_once(copy_of_phantoms):
    missing_mask(copy_of_phantoms)
    empty_list(copy_of_phantoms)
    outside_the_folder(copy_of_phantoms)
    assert len(examine_folder(copy_of_phantoms).problems) == 3


def test_a_folder_that_is_no_dataset(tmp_path):
    assert "not a dataset folder" in examine_folder(tmp_path).problems[0]
    assert "no such folder" in examine_folder(tmp_path / "nowhere").problems[0]


@pytest.fixture
def only_tests(copy_of_phantoms):
    """As the field's demonstration is published: one test image and its mask, and no other list."""
    stem, _, _ = first(copy_of_phantoms, "test")
    (copy_of_phantoms / "test.txt").write_text(stem)
    (copy_of_phantoms / "train.txt").unlink()
    for part in ("dataset", "groundtruth"):
        shutil.rmtree(copy_of_phantoms / part / "train")
    return copy_of_phantoms


def test_a_folder_with_a_test_list_alone_is_sound_and_nothing_can_be_trained_on_it(only_tests):
    assert examine_folder(only_tests).problems == []
    data = open_folder(only_tests)
    assert (len(data.train), len(data.test), len(data.val)) == (0, 1, 0)
    with pytest.raises(
        BadInput, match=r"train\.txt: no such file; expected one stem per line, the images to train on$"
    ):
        require_training_images(data)


def test_its_faults_are_still_found_and_an_empty_training_list_is_one(only_tests):
    _, image, _ = first(only_tests, "test")
    image.unlink()
    (only_tests / "train.txt").write_text("")
    assert [problem.split(": ")[0] for problem in examine_folder(only_tests).problems] == [
        str(only_tests / "train.txt"),
        str(image),
    ]
