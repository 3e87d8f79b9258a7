"""What is too large, of other proportions than a spine, on its side, or no file at all is refused in one line, and
before anything is decoded: memory is bounded, and nothing is waited for."""

import bz2
import gzip
import io
import os
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from dicom_files import dicom
from PIL import Image
from pydicom import dcmread
from pydicom.uid import DeflatedExplicitVRLittleEndian

from sadanet_lab.errors import BadInput
from sadanet_lab.images import content
from sadanet_lab.images.folder_check import examine_folder
from sadanet_lab.images.formats import decode_picture, read_picture
from sadanet_lab.images.label_files import read_labels
from sadanet_lab.images.picture import LARGEST, MOST_UNEVEN, SMALLEST_VPI, TALLEST, WIDEST, check_size
from sadanet_lab.images.png import read_image, read_mask, read_vpi
from sadanet_lab.phantom import draw_picture, draw_spine


def png_header(width, height, depth=8, colour=0):
    """A PNG whose pixels are not there: only its header says what it is."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    begin = b"\x89PNG\r\n\x1a\n"
    return (
        begin + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk)) + struct.pack(">I", 99) + b"IDAT"
    )


def refusal(read, *given):
    with pytest.raises(BadInput) as caught:
        read(*given)
    assert "\n" not in str(caught.value)
    return str(caught.value)


SIDES = ("width", "height", "said")
TOO_LARGE, TALL, WIDE = "too large", "times as tall as wide", "lies on its side"
REFUSED = [
    (5000, 64, WIDE),
    (64, 5000, TALL),
    (2574, 640, WIDE),
    (5000, 5000, TOO_LARGE),
    (30_000, 30_000, TOO_LARGE),
    (2**31 - 1, 2**31 - 1, TOO_LARGE),
]


@pytest.mark.parametrize(SIDES, REFUSED)
def test_the_header_alone_refuses_a_picture(width, height, said, tmp_path):
    (tmp_path / "x.png").write_bytes(png_header(width, height))
    for read in (read_picture, read_vpi):
        line = refusal(read, tmp_path / "x.png")
        assert line.startswith(f"{tmp_path / 'x.png'}: ")
        assert said in line
        assert "expected" in line
    if said == TOO_LARGE:
        for read in (read_mask, read_image, read_labels):
            assert said in refusal(read, tmp_path / "x.png")


@pytest.mark.parametrize("colour", [0, 2, 6])
def test_the_limits_themselves_pass(colour):
    """Such pictures are only refused because their pixels are not there."""
    side = int(LARGEST**0.5)
    for width, height in ((side, side), (64 * WIDEST, 64), (SMALLEST_VPI, TALLEST * SMALLEST_VPI)):
        check_size(width, height, "x")
        assert "damaged or truncated" in refusal(decode_picture, png_header(width, height, colour=colour), "x")
    for width, height in ((side, side + 1), (64 * WIDEST + 1, 64), (SMALLEST_VPI, TALLEST * SMALLEST_VPI + 1)):
        with pytest.raises(BadInput):
            check_size(width, height, "x")


def test_sizes_of_scanners_screens_and_their_halves_pass():
    for width, height in ((640, 2574), (512, 2048), (364, 2574), (1920, 1080), (2560, 1440), (640, 1287), (256, 1024)):
        check_size(width, height, "x")


def test_pixels_that_are_not_square_count_as_they_will_be():
    check_size(640, 640, "x", (4.0, 1.0))  # a spine of 640 x 2560
    for width, height, spacing, said in (
        (640, 640, (1.0, 4.0), WIDE),
        (640, 640, (1.0, 1e-9), f"differ at most {MOST_UNEVEN} times"),
        (640, 640, (1e-308, 1e308), f"differ at most {MOST_UNEVEN} times"),
        (640, 640, (float("nan"), 1.0), f"differ at most {MOST_UNEVEN} times"),
        (2048, 4096, (8.0, 1.0), TOO_LARGE),
    ):
        assert said in refusal(check_size, width, height, "x", spacing)


@pytest.fixture(scope="module")
def image():
    rng = np.random.default_rng(0)
    return draw_picture(rng, draw_spine(rng, 96, 384))


def test_a_dicom_with_pixel_spacing_that_makes_a_giant_picture_is_refused(image):
    for spacing in ([1e-6, 1], [1, 1e6], [0.01, 1]):
        said = refusal(decode_picture, dicom(image, PixelSpacing=spacing), "x")
        assert "expected sides that differ at most 16 times" in said


def test_a_dicom_of_giant_rows_is_refused_by_its_header(image):
    dataset = dcmread(io.BytesIO(dicom(image)))
    dataset.Rows, dataset.Columns = 60_000, 60_000
    buffer = io.BytesIO()
    dataset.save_as(buffer)
    assert TOO_LARGE in refusal(decode_picture, buffer.getvalue(), "x")


def deflated(zeros, image):
    """A DICOM file that is compressed as a whole, with so many zeros in a private element before its pixels."""
    dataset = dcmread(io.BytesIO(dicom(image)))
    block = dataset.private_block(0x0009, "sadanet", create=True)
    block.add_new(1, "OB", bytes(zeros))
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    buffer = io.BytesIO()
    dataset.save_as(buffer)
    return buffer.getvalue()


def test_a_deflated_dicom_is_read_unless_it_is_a_bomb(image, monkeypatch):
    np.testing.assert_array_equal(decode_picture(deflated(10, image), "x").image, image)
    bomb = deflated(1 << 22, image)
    assert len(bomb) < 1 << 18
    monkeypatch.setattr(content, "LARGEST_FILE", 1 << 20)
    assert TOO_LARGE in refusal(decode_picture, bomb, "x")


@pytest.mark.parametrize(("encoding", "compress"), [("gzip", gzip.compress), ("bzip2", bz2.compress)])
def test_a_slicer_file_that_decompresses_to_more_than_its_volume_is_a_bomb(encoding, compress, tmp_path, monkeypatch):
    header = f"NRRD0004\ntype: uchar\ndimension: 3\nsizes: 64 64 1\nencoding: {encoding}\n\n".encode()
    (tmp_path / "x.seg.nrrd").write_bytes(header + compress(bytes(64 * 64)))
    assert read_labels(tmp_path / "x.seg.nrrd").shape == (64, 64)
    (tmp_path / "x.seg.nrrd").write_bytes(header + compress(bytes(1 << 22)))
    monkeypatch.setattr(content, "LARGEST_FILE", 1 << 20)
    assert TOO_LARGE in refusal(read_labels, tmp_path / "x.seg.nrrd")


def test_a_slicer_file_that_skips_lines_without_end_is_refused(tmp_path):
    header = b"NRRD0004\ntype: uchar\ndimension: 3\nsizes: 64 64 1\nencoding: raw\nline skip: 999999999999\n\n"
    (tmp_path / "x.seg.nrrd").write_bytes(header)
    assert "skips lines" in refusal(read_labels, tmp_path / "x.seg.nrrd")


def test_what_is_no_label_map_is_named_and_so_is_what_would_be_one(tmp_path):
    others = {"an empty file": b"", "a DICOM file": bytes(128) + b"DICM", "neither PNG nor NRRD": b"text"}
    for said, begins in (others | {"a JPEG file": b"\xff\xd8", "a BigTIFF": b"II+\0"}).items():
        (tmp_path / "x.seg.nrrd").write_bytes(begins)
        line = refusal(read_labels, tmp_path / "x.seg.nrrd")
        assert line == f"{tmp_path / 'x.seg.nrrd'}: {said}; expected a mask PNG or a .seg.nrrd"


@pytest.mark.parametrize(("width", "height"), [(9500, 9500), (13_000, 13_000)])
def test_where_pillow_would_warn_of_a_mask_s_size_nothing_else_is_said(width, height, tmp_path, recwarn):
    """From 89 to 178 million pixels; beyond, Pillow refuses."""
    assert Image.MAX_IMAGE_PIXELS is not None
    assert 1 < width * height / Image.MAX_IMAGE_PIXELS < 2
    (tmp_path / "x.png").write_bytes(png_header(width, height))
    for read in (read_mask, read_image, read_labels, read_vpi):
        assert TOO_LARGE in refusal(read, tmp_path / "x.png")
    assert not recwarn.list


def test_a_file_of_too_many_bytes_is_not_read(tmp_path):
    for name, read in (("x.png", read_picture), ("m.png", read_mask), ("x.seg.nrrd", read_labels)):
        with (tmp_path / name).open("wb") as file:
            file.truncate(content.LARGEST_FILE + 1)  # a hole, which takes no room
        assert TOO_LARGE in refusal(read, tmp_path / name)


@pytest.mark.parametrize("read", [read_picture, read_vpi, read_image, read_mask, read_labels])
def test_a_pipe_or_a_device_is_refused_and_not_waited_for(read, tmp_path):
    os.mkfifo(tmp_path / "x.png")
    assert "a pipe, no file" in refusal(read, tmp_path / "x.png")
    for device in ("/dev/zero", "/dev/null"):
        (tmp_path / "link.png").unlink(missing_ok=True)
        (tmp_path / "link.png").symlink_to(device)
        assert "a device, no file" in refusal(read, tmp_path / "link.png")


def test_pipes_in_a_dataset_are_problems_of_it(copy_of_phantoms):
    stem = (copy_of_phantoms / "train.txt").read_text().split()[0]
    paths = [
        copy_of_phantoms / "dataset" / "train" / f"{stem}.png",
        copy_of_phantoms / "groundtruth" / "train" / f"{stem}_bone_3.png",
        copy_of_phantoms / "test.txt",
    ]
    for path in paths:
        path.unlink()
        os.mkfifo(path)
    assert {line.split(": ")[0] for line in examine_folder(copy_of_phantoms).problems} == set(map(str, paths))


@pytest.mark.parametrize("turns", [1, 3])
def test_a_spine_on_its_side_is_named_whatever_lies_around_it(image, turns):
    on_its_side = np.rot90(image, turns)
    square = np.zeros((384, 384), np.uint8)
    square[144:240] = on_its_side
    for picture in (on_its_side, square):
        said = refusal(decode_picture, png(picture), "x")
        assert "on its side" in said
    upright = np.rot90(square, -turns)
    np.testing.assert_array_equal(decode_picture(png(upright), "x").image, upright)


def png(image):
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(buffer, "PNG")
    return buffer.getvalue()


ONE_TILE = """
import resource, sys, io
import numpy as np
from PIL import Image
from sadanet_lab.errors import BadInput
from sadanet_lab.images.formats import decode_picture
buffer = io.BytesIO()
values = np.random.default_rng(0).integers(0, 256, (256, 64)).astype(np.uint8)
Image.fromarray(values).save(buffer, "TIFF", compression="tiff_adobe_deflate", tiffinfo={322: 60000, 323: 60000})
resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
try:
    decode_picture(buffer.getvalue(), "x")
except BadInput as error:
    print(error)
"""


def test_a_tiff_of_one_giant_tile_takes_no_more_than_two_gibibytes():
    done = subprocess.run([sys.executable, "-c", ONE_TILE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
