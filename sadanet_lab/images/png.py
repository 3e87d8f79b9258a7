"""Grey images and label maps as PNG files, read and checked."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from sadanet_lab.errors import BadInput
from sadanet_lab.images.content import read_content
from sadanet_lab.images.picture import LARGEST, check_content, check_pixels, check_size
from sadanet_lab.spine.classes import CLASSES, COLOUR_BLIND_SAFE, PALETTES, rgb_to_labels

EXPECTED = "a PNG image"
MM_PER_INCH = 25.4
FINEST_MM = 1e-6
"""Spacing from which a PNG file can hold it: whole pixels a metre, in 31 bits."""
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
    """Mask PNG -> label map, uint8 (H, W), ids 0..3. Takes ids (8-bit grey or palette) and the colours of ``PALETTES``.

    A palette in one of these is read by its colours, in whatever order an editor left them; any other by its ids.

    Raises ``BadInput`` naming the file: missing, no PNG, truncated, other kinds, ids above 3, unknown colours.
    """
    return decode_mask(read_content(path, EXPECTED), str(path))


def decode_mask(content: bytes, name: str) -> np.ndarray:
    """As ``read_mask``, of a PNG file's bytes; ``name`` is what faults call it."""
    picture = _decoded(content, name, check_pixels)
    if picture.mode == "P" and _has_our_colours(picture):
        picture = picture.convert("RGB")
    if picture.mode == "RGB":
        try:
            return rgb_to_labels(np.asarray(picture))
        except BadInput as error:
            raise BadInput(f"{name}: {error}") from None
    if picture.mode not in ("L", "P"):
        raise BadInput(f"{name}: {kind_of(picture)}; expected class ids 0..3 (8-bit grey) or the RGB form")
    labels = np.asarray(picture)
    if labels.max(initial=0) >= len(CLASSES):
        unknown = np.setdiff1d(labels, range(len(CLASSES)))
        found = ", ".join(map(str, unknown[:5])) + (", ..." if unknown.size > 5 else "")
        raise BadInput(f"{name}: class id {found}; expected 0..3 ({', '.join(CLASSES)})")
    return labels


def _has_our_colours(picture: Image.Image) -> bool:
    used = picture.convert("RGB").getcolors(maxcolors=256)
    assert used is not None  # no palette has more
    found = {colour for _, colour in used}
    return any(found <= {tuple(colour) for colour in colours.tolist()} for colours in PALETTES.values())


def png_bytes(picture: np.ndarray) -> bytes:
    """uint8 (H, W) or (H, W, 3) -> the bytes of its PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="PNG", compress_level=3)
    return buffer.getvalue()


def labels_png(
    labels: np.ndarray, colours: np.ndarray = COLOUR_BLIND_SAFE, spacing_mm: tuple[float, float] | None = None
) -> bytes:
    """Label map uint8 (H, W) -> a palette PNG: seen in colours when opened, and its indices are the class ids.

    ``read_mask`` reads it back. colours: uint8 (4, 3), RGB of each id; spacing_mm: of rows and columns, kept as the
    file's resolution (pHYs).
    """
    picture = Image.fromarray(labels)
    picture.putpalette(colours.tobytes())
    buffer = io.BytesIO()
    if spacing_mm is not None and min(spacing_mm) > FINEST_MM:
        picture.info["dpi"] = tuple(MM_PER_INCH / side for side in reversed(spacing_mm))
    picture.save(buffer, format="PNG", dpi=picture.info.get("dpi"))
    return buffer.getvalue()


def pixel_of(content: bytes) -> tuple[float, float] | None:
    """A pixel's height and width, in any unit, by the resolution (pHYs) in a PNG file; None where it has none."""
    with Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
        across, down = picture.info.get("dpi") or picture.info.get("aspect") or (0, 0)
    return (1 / down, 1 / across) if across > 0 and down > 0 else None


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
    """check: of width, height and name, before the pixels are decoded."""
    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
            check(*picture.size, name)
            picture.load()
            return picture
    except BadInput:
        raise
    except Image.DecompressionBombError:
        raise BadInput(f"{name}: {TOO_LARGE}") from None
    except (OSError, SyntaxError, ValueError) as error:  # what Pillow raises
        begins_as_png = content.startswith(b"\x89PNG\r\n\x1a\n")
        raise BadInput(f"{name}: {'damaged or truncated PNG' if begins_as_png else 'not a PNG image'}") from error


def kind_of(picture: Image.Image) -> str:
    """What a picture is, in words and by Pillow's mode."""
    names = {"RGB": "colour image", "RGBA": "image with transparency", "LA": "grey image with transparency",
             "P": "palette image", "1": "1-bit image"}  # fmt: skip
    if picture.mode.startswith("I"):
        return f"16-bit image (mode {picture.mode})"
    return f"{names.get(picture.mode, 'image')} (mode {picture.mode})"
