"""Pictures of every kind become the same 8-bit grey image; what is no picture of a spine is refused in one line."""

import io
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from damage import assert_read_or_refused, damaged
from PIL import Image, ImageOps

from sadanet_lab.errors import BadInput
from sadanet_lab.images.formats import decode_picture, read_picture
from sadanet_lab.images.picture import NEARLY_GREY
from sadanet_lab.images.png import read_image, read_vpi


@pytest.fixture(scope="module")
def image(phantoms):
    """A phantom in which the darkest grey is 0 and the brightest 255."""
    found = read_image(next((phantoms / "dataset" / "test").glob("*.png"))).copy()
    found[0, 0], found[1, 1] = 0, 255
    return found


def saved(picture, kind, **options):
    buffer = io.BytesIO()
    picture.save(buffer, format=kind, **options)
    return buffer.getvalue()


def rgb(image):
    return np.repeat(image[..., None], 3, axis=2)


def with_palette(image):
    """Its palette is no ramp: index i stands for grey 255 - i."""
    picture = Image.fromarray(255 - image)
    picture.putpalette(np.repeat(np.arange(256, dtype=np.uint8)[::-1], 3).tobytes())
    return picture


def opaque(image, mode):
    picture = Image.fromarray(image).convert(mode)
    picture.putalpha(255)
    return picture


def written_tiff(values, order="<", photometric=1):
    """A TIFF of one strip, byte by byte, independent of Pillow. photometric 0: the values count from white."""
    height, width = values.shape
    data = values.astype(values.dtype.newbyteorder(order)).tobytes()
    shorts = {258: 8 * values.itemsize, 259: 1, 262: photometric, 277: 1}
    longs = {256: width, 257: height, 273: 8, 278: height, 279: len(data)}
    entries = {tag: struct.pack(order + "HHIHH", tag, 3, 1, value, 0) for tag, value in shorts.items()}
    entries |= {tag: struct.pack(order + "HHII", tag, 4, 1, value) for tag, value in longs.items()}
    begin = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 8 + len(data))
    directory = b"".join(entries[tag] for tag in sorted(entries))
    return begin + data + struct.pack(order + "H", len(entries)) + directory + bytes(4)


EIGHT_BITS = {
    "png": lambda image: saved(Image.fromarray(image), "PNG"),
    "png rgb": lambda image: saved(Image.fromarray(rgb(image)), "PNG"),
    "png palette": lambda image: saved(with_palette(image), "PNG"),
    "png rgba": lambda image: saved(opaque(image, "RGBA"), "PNG"),
    "png la": lambda image: saved(opaque(image, "LA"), "PNG"),
    "tiff": lambda image: saved(Image.fromarray(image), "TIFF"),
    "tiff lzw": lambda image: saved(Image.fromarray(image), "TIFF", compression="tiff_lzw"),
    "tiff rgb": lambda image: saved(Image.fromarray(rgb(image)), "TIFF"),
    "tiff palette": lambda image: saved(with_palette(image), "TIFF"),
    "tiff from white": lambda image: written_tiff(255 - image, photometric=0),
    "bmp": lambda image: saved(Image.fromarray(image), "BMP"),
    "bmp rgb": lambda image: saved(Image.fromarray(rgb(image)), "BMP"),
}


@pytest.mark.parametrize("made", EIGHT_BITS)
def test_eight_bits_stay_as_they_are_in_every_lossless_kind(image, made, tmp_path):
    path = tmp_path / "named otherwise.dcm"  # told by content, not by name
    path.write_bytes(EIGHT_BITS[made](image))
    found = read_picture(path)
    np.testing.assert_array_equal(found.image, image)
    assert found.image.dtype == np.uint8
    assert found.kind == made.split()[0].upper()
    assert found.spacing_mm is None
    assert found.source is None


@pytest.mark.parametrize("made", ["bmp rgb", "tiff rgb"])
def test_the_width_does_not_matter(made):
    """72 pixels of three bytes are 216 bytes a row, 544 are 1632: no 16-bit colour."""
    for width in (72, 533, 544):
        image = np.random.default_rng(0).integers(0, 256, (400, width), np.uint8)
        np.testing.assert_array_equal(decode_picture(EIGHT_BITS[made](image), "x").image, image)


def test_a_png_is_read_as_training_data_are(phantoms):
    for path in (phantoms / "dataset" / "test").glob("*.png"):
        np.testing.assert_array_equal(read_picture(path).image, read_vpi(path))


SIXTEEN_BITS = {
    "png": lambda values: saved(Image.fromarray(values), "PNG"),
    "tiff": lambda values: saved(Image.fromarray(values), "TIFF"),
    "tiff big endian": lambda values: written_tiff(values, ">"),
    "tiff from white": lambda values: written_tiff(65535 - values, photometric=0),
}


@pytest.mark.parametrize("made", SIXTEEN_BITS)
def test_of_sixteen_bits_the_pictures_own_range_becomes_eight(image, made):
    values = image.astype(np.uint16)
    for stored in (values * 257, values * 3 + 1000, values + 40000):
        np.testing.assert_array_equal(decode_picture(SIXTEEN_BITS[made](stored), "x").image, image)


def test_sixteen_bits_are_rounded_to_the_nearest_of_even_steps():
    values = np.random.default_rng(0).integers(500, 4000, (70, 80)).astype(np.uint16)
    low, high = int(values.min()), int(values.max())
    expected = [[round(255 * (int(v) - low) / (high - low)) for v in row] for row in values]
    np.testing.assert_array_equal(decode_picture(SIXTEEN_BITS["png"](values), "x").image, expected)


@pytest.mark.parametrize("colours", [False, True])
def test_jpeg_is_what_its_decoder_gives(image, colours):
    content = saved(Image.fromarray(rgb(image) if colours else image), "JPEG", quality=95)
    found = decode_picture(content, "x")
    assert found.kind == "JPEG"
    np.testing.assert_array_equal(found.image, np.asarray(Image.open(io.BytesIO(content)).convert("L")))
    assert np.abs(found.image.astype(int) - image).mean() < 5, "JPEG's own loss"


def test_jpeg_may_stray_from_grey_a_little(image):
    for tint, is_grey in ((NEARLY_GREY // 2, True), (4 * NEARLY_GREY, False)):
        tinted = rgb(image // 2 + 60)
        tinted[..., 0] += tint
        content = saved(Image.fromarray(tinted), "JPEG", quality=100, subsampling=0)
        if is_grey:
            assert np.abs(decode_picture(content, "x").image - tinted.mean(axis=2)).max() <= NEARLY_GREY
        else:
            with pytest.raises(
                BadInput, match=r"^x: colour in [\d,]+ of [\d,]+ pixels \(rows 0 to \d+, col.*; expected"
            ):
                decode_picture(content, "x")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_as_its_file_says(image, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = image if orientation <= 4 else image.T
    content = saved(Image.fromarray(stored), "TIFF", exif=exif)
    seen = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(content))))
    np.testing.assert_array_equal(decode_picture(content, "x").image, seen)
    assert seen.shape == image.shape


def deep_png(image, channels, opaque=False):
    """16 bits in each of two (with alpha) to four channels; Pillow cannot write it."""
    height, width = image.shape
    values = np.repeat(image[..., None].astype(">u2") * 257, channels, axis=2)
    if opaque:
        values[..., -1] = 65535
    rows, kind = values.reshape(height, -1), {2: 4, 3: 2, 4: 6}[channels]
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)), (b"IDAT", data), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )


def coloured(image):
    picture = rgb(image)
    picture[5, 5, 0] ^= 1
    return picture


def transparent(image):
    picture = opaque(image, "RGBA")
    picture.putpixel((3, 3), (0, 0, 0, 0))
    return picture


FAULTS = {
    "empty": (lambda _: b"", "no picture of a kind that is read here (an empty file); expected PNG"),
    "big tiff": (lambda image: saved(Image.fromarray(image), "TIFF", big_tiff=True), "read here (a BigTIFF); expected"),
    "cut in the header": (lambda image: saved(Image.fromarray(image), "PNG")[:40], "truncated PNG"),
    "text": (lambda _: b"not a picture", "expected PNG, TIFF, BMP, JPEG or DICOM"),
    "gif": (lambda image: saved(Image.fromarray(image), "GIF"), "no picture of a kind that is read here"),
    "two pages": (
        lambda image: saved(Image.fromarray(image), "TIFF", save_all=True, append_images=[Image.fromarray(image)]),
        "2 pictures in one file",
    ),
    "colour": (lambda image: saved(Image.fromarray(coloured(image)), "PNG"), "colour in 1 of 16,384 pixels"),
    "transparent": (lambda image: saved(transparent(image), "PNG"), "transparency (mode RGBA)"),
    "1 bit": (lambda image: saved(Image.fromarray(image > 99), "PNG"), "1-bit image"),
    "cmyk": (lambda image: saved(Image.fromarray(image).convert("CMYK"), "JPEG"), "(mode CMYK)"),
    "float": (lambda image: saved(Image.fromarray(image.astype(np.float32)), "TIFF"), "(mode F)"),
    "16-bit colour": (lambda image: deep_png(image, 3), "16-bit colour image"),
    "16-bit alpha": (lambda image: deep_png(image, 2, opaque=True), "16-bit image with transparency"),
    "16-bit colour and alpha": (lambda image: deep_png(image, 4, opaque=True), "16-bit image with transparency"),
    "small": (lambda image: saved(Image.fromarray(image[:, :63]), "BMP"), "63 x 256 pixels; expected 64 or more"),
    "flat": (lambda image: saved(Image.fromarray(np.full_like(image, 9)), "TIFF"), "every pixel has grey 9"),
    "flat 16 bits": (lambda image: saved(Image.fromarray(np.full(image.shape, 777, np.uint16)), "PNG"), "grey 777"),
}


def assert_refused(path, *said):
    with pytest.raises(BadInput) as caught:
        read_picture(path)
    line = str(caught.value)
    assert line.startswith(f"{path}: ")
    assert "\n" not in line
    for part in said:
        assert part in line


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_one_line_that_names_the_file_and_what_was_found(image, fault, tmp_path):
    make, said = FAULTS[fault]
    (tmp_path / "x.png").write_bytes(make(image))
    assert_refused(tmp_path / "x.png", said)


def test_a_file_that_cannot_be_opened(tmp_path):
    assert_refused(tmp_path / "none.png", "No such file")
    assert_refused(tmp_path, "Is a directory")


def claiming(content, width, height):
    """The same file, whose header names another size."""
    if content.startswith(b"BM"):
        return content[:18] + struct.pack("<ii", width, height) + content[26:]
    if content.startswith(b"\xff\xd8"):
        at = content.index(b"\xff\xc0") + 5
        return content[:at] + struct.pack(">HH", height, width) + content[at + 4 :]
    header = b"IHDR" + struct.pack(">II", width, height) + content[24:29]
    return content[:12] + header + struct.pack(">I", zlib.crc32(header)) + content[33:]


@pytest.mark.parametrize("kind", ["PNG", "BMP", "JPEG"])
@pytest.mark.parametrize("side", [9_000, 12_000, 60_000])
def test_a_bomb_is_refused_by_its_header(image, kind, side, tmp_path):
    """Its pixels are not there, which decoding would find."""
    content = claiming(saved(Image.fromarray(image), kind), side, side)
    (tmp_path / "bomb").write_bytes(content)
    assert_refused(tmp_path / "bomb", "pixels; expected at most 16,777,216 in all")


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "JPEG"])
def test_a_truncated_picture_is_one_line_that_says_so(image, kind, tmp_path):
    content = saved(Image.fromarray(image), kind)
    for share in (0.1, 0.5, 0.9):
        (tmp_path / "cut").write_bytes(content[: int(share * len(content))])
        assert_refused(tmp_path / "cut", f"damaged or truncated {kind}")


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "JPEG"])
def test_a_damaged_picture_is_read_or_one_line(image, kind, recwarn, capfd):
    content = saved(Image.fromarray(image[:70]), kind)
    for spoilt in damaged(content, 0, 600):
        assert_read_or_refused(lambda spoilt=spoilt: decode_picture(spoilt, "x"), "x")
    assert not recwarn.list
    assert capfd.readouterr() == ("", "")


def test_other_pictures_do_not_pay_for_what_dicom_and_slicer_need(image, tmp_path):
    (tmp_path / "x.png").write_bytes(EIGHT_BITS["png"](image))
    code = "import sys; from pathlib import Path; from sadanet_lab.images.formats import read_picture; "
    code += "from sadanet_lab.images.label_files import read_labels; "
    code += f"read_picture(Path({str(tmp_path / 'x.png')!r})); "
    code += "print(*{'pydicom', 'highdicom', 'nrrd', 'torch', 'scipy'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
