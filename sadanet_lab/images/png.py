"""Grey images and label maps as PNG files, read and checked."""

import io
import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from sadanet_lab.errors import BadInput
from sadanet_lab.images.content import picture_kind, read_content
from sadanet_lab.images.picture import LARGEST, NEARLY_SQUARE, check_content, check_pixels, check_size
from sadanet_lab.spine.classes import CLASSES, COLOUR_BLIND_SAFE, rgb_to_labels

EXPECTED = "a PNG image"
_STORED = "stored"
"""Under what ``_decoded`` notes in a picture how its file stores it."""
MM_PER_METRE = 1000
PER_UNKNOWN_UNIT = 10_000
"""Pixels' shorter sides that make a unit where none is known: their form to four digits."""
MOST_STRAYS = 8
"""Unknown class ids from which on they seem to be edges that an editor smoothed."""
AFTER_HEADER = 33
"""Bytes of a PNG file's signature and first chunk."""
FINEST_MM = 1e-6
"""Spacing from which a PNG file can hold it: whole pixels a metre, in 31 bits."""
_ORIENTATION = 274
"""EXIF's tag of how a picture is to be turned to be seen as meant."""
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""Its values but 1, as it is, and what each asks for; from 5 on width and height are exchanged."""
_EXCHANGED = 5
_GREYS = {"L;2": 3, "L;4": 15}
"""PNG's greys of fewer bits, which Pillow spreads over 0..255, and the largest that each can hold."""
TOO_LARGE = f"too large, far too many pixels; expected at most {LARGEST:,} in all"
"""Said where Pillow itself refuses to open a picture, without its size."""


def read_image(path: Path) -> np.ndarray:
    """8-bit grey PNG -> uint8 (H, W). An RGB file whose three channels are equal counts as grey.

    Raises ``BadInput`` naming the file for anything else: missing, no PNG, truncated, 16-bit, colour.
    """
    return _grey(_open_png(path), str(path))


def read_vpi(path: Path) -> np.ndarray:
    """``read_image`` of a picture that could be a whole spine; raises ``BadInput`` naming the file if it cannot be.

    That is: of a size and proportions that ``picture.check_size`` lets pass, and not all of one grey.
    """
    return decode_vpi(read_content(path, EXPECTED), str(path))


def decode_vpi(content: bytes, name: str) -> np.ndarray:
    """As ``read_vpi``, of a PNG file's bytes; ``name`` is what faults call it."""
    image = _grey(_decoded(content, name, check_size), name)
    check_content(image, name)
    return image


def read_mask(path: Path) -> np.ndarray:
    """Mask PNG -> label map, uint8 (H, W), ids 0..3. Takes ids (8-bit grey) and the colours of ``rgb_to_labels``.

    A palette is read by its colours, in whatever order an editor left them. In other colours it is refused, since
    nothing says that its order is that of the classes.

    Raises ``BadInput`` naming the file: missing, no PNG, truncated, other kinds, ids above 3, unknown colours.
    """
    return decode_mask(read_content(path, EXPECTED), str(path))


def decode_mask(content: bytes, name: str) -> np.ndarray:
    """As ``read_mask``, of a PNG file's bytes; ``name`` is what faults call it."""
    picture = _decoded(content, name, check_pixels)
    if picture.mode in ("P", "RGB"):
        try:
            return rgb_to_labels(np.asarray(picture.convert("RGB")))
        except BadInput as error:
            raise BadInput(f"{name}: {'palette of ' * (picture.mode == 'P')}{error}") from None
    if picture.mode != "L":
        raise BadInput(f"{name}: {kind_of(picture)}; expected class ids 0..3 (8-bit grey) or the RGB form")
    labels = np.asarray(picture)
    if (largest := _GREYS.get(picture.info.get(_STORED, ""))) is not None:
        labels = labels // (255 // largest)
    if labels.max(initial=0) >= len(CLASSES):
        unknown = np.setdiff1d(labels, range(len(CLASSES)))
        found = ", ".join(map(str, unknown[:5])) + (", ..." if unknown.size > 5 else "")
        smoothed = ", and no smoothed edges" if unknown.size > MOST_STRAYS else ""
        raise BadInput(f"{name}: class id {found}; expected 0..3 ({', '.join(CLASSES)}){smoothed}")
    return labels


def png_bytes(picture: np.ndarray) -> bytes:
    """uint8 (H, W) or (H, W, 3) -> the bytes of its PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="PNG", compress_level=3)
    return buffer.getvalue()


def labels_png(
    labels: np.ndarray,
    colours: np.ndarray = COLOUR_BLIND_SAFE,
    pixel: tuple[float, float] | None = None,
    in_mm: bool = True,
) -> bytes:
    """Label map uint8 (H, W) -> a palette PNG: seen in colours when opened, and its indices are the class ids.

    ``read_mask`` reads it back. colours: uint8 (4, 3), RGB of each id; pixel: its height and width, in millimetres or,
    unless ``in_mm``, in a unit that nobody knows, kept as the file's resolution (pHYs), whose unit says so too.
    """
    picture = Image.fromarray(labels)
    picture.putpalette(colours.tobytes())
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    if pixel is None or min(pixel) <= FINEST_MM:
        return buffer.getvalue()
    return _with_resolution(buffer.getvalue(), pixel, in_mm)


def _with_resolution(png: bytes, pixel: tuple[float, float], in_mm: bool) -> bytes:
    """A PNG file with a pixel's height and width in it (pHYs); Pillow writes none whose unit is unknown."""
    per_unit = MM_PER_METRE if in_mm else PER_UNKNOWN_UNIT * min(pixel)
    across, down = (round(per_unit / side) for side in reversed(pixel))
    chunk = b"pHYs" + struct.pack(">IIB", across, down, 1 if in_mm else 0)
    whole = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return png[:AFTER_HEADER] + whole + png[AFTER_HEADER:]


def pixel_of(content: bytes) -> tuple[float, float] | None:
    """A pixel's height and width, in any unit, by the resolution (pHYs) in a PNG file; None where it has none.

    None also where they differ by no more than ``NEARLY_SQUARE``: 96 by 95.9 dots an inch mean square pixels.
    """
    with Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
        across, down = picture.info.get("dpi") or picture.info.get("aspect") or (0, 0)
    told = across > 0 and down > 0 and abs(across / down - 1) > NEARLY_SQUARE
    return (1 / down, 1 / across) if told else None


def _grey(picture: Image.Image, name: str) -> np.ndarray:
    if picture.mode == "L":
        return np.asarray(picture)
    if picture.mode == "RGB":
        channels = np.asarray(picture)
        if (channels == channels[..., :1]).all():
            return np.ascontiguousarray(channels[..., 0])
    raise BadInput(f"{name}: {kind_of(picture)}; expected an 8-bit grey PNG")


def _open_png(path: Path) -> Image.Image:
    return _decoded(read_content(path, EXPECTED), str(path), check_pixels)


def _decoded(content: bytes, name: str, check: Callable[[int, int, str], None]) -> Image.Image:
    """The picture as a person sees it. check: of width, height and name, before the pixels are decoded."""
    try:
        # Pillow warns of many pixels, in two lines; ``check`` refuses them in one.
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
            check(*size_as_seen(picture), name)
            check_depth(picture, name)
            stored = _stored_as(picture)
            picture.load()
            seen = as_seen(picture)
            seen.info[_STORED] = stored
            return seen
    except BadInput:
        raise
    except Image.DecompressionBombError:
        raise BadInput(f"{name}: {TOO_LARGE}") from None
    except (OSError, SyntaxError, ValueError) as error:  # what Pillow raises
        kind = picture_kind(content)
        found = "damaged or truncated PNG" if kind == "PNG" else f"a {kind} file" if kind else "not a PNG image"
        raise BadInput(f"{name}: {found}; expected {EXPECTED}") from error


def size_as_seen(picture: Image.Image) -> tuple[int, int]:
    """(width, height) once the picture is turned as its file says."""
    width, height = picture.size  # of a TIFF Pillow has turned it already
    said = picture.format == "JPEG" or "exif" in picture.info  # of a PNG Pillow would look behind the pixels, too
    turned = picture.format != "TIFF" and said and _orientation(picture) >= _EXCHANGED
    return (height, width) if turned else (width, height)


def as_seen(picture: Image.Image) -> Image.Image:
    """A loaded picture, turned as its file says."""
    turn = _TURNS.get(_orientation(picture))
    return picture if turn is None else picture.transpose(turn)


def _orientation(picture: Image.Image) -> int:
    """1, as it is, where the file says nothing, or nothing that can be read: its pixels may be sound all the same."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = picture.getexif().get(_ORIENTATION)
        except Exception:  # of damaged EXIF Pillow raises nearly anything
            return 1
    return found if isinstance(found, int) and found in _TURNS else 1


def check_depth(picture: Image.Image, name: str) -> None:
    """Raises ``BadInput`` for colours of 16 bits, of which Pillow would drop 8; before the pixels are loaded."""
    if picture.mode in ("LA", "RGB", "RGBA") and ";16" in _stored_as(picture):
        raise BadInput(f"{name}: 16-bit {kind_of(picture)}; expected 16 bits in grey alone, or 8 bits")


def _stored_as(picture: Image.Image) -> str:
    """How the pixels of a picture that is not loaded yet are stored, in Pillow's words, such as "RGB;16B"."""
    args = (tile.args for tile in getattr(picture, "tile", []))
    return " ".join(str(arg[0] if isinstance(arg, tuple | list) else arg) for arg in args)


def kind_of(picture: Image.Image) -> str:
    """What a picture is, in words and by Pillow's mode."""
    names = {"RGB": "colour image", "RGBA": "image with transparency", "LA": "grey image with transparency",
             "P": "palette image", "1": "1-bit image"}  # fmt: skip
    if picture.mode.startswith("I"):
        return f"16-bit image (mode {picture.mode})"
    return f"{names.get(picture.mode, 'image')} (mode {picture.mode})"
