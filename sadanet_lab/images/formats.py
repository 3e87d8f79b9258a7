"""Any picture of a spine that a lab or clinic may have: PNG, TIFF, BMP, JPEG or DICOM, told by content, not by name.

Training data are read by ``png``, which takes 8-bit PNG alone. Here 8 bits stay as they are; of more bits the picture's
own range becomes 0..255, of DICOM the window that the file names (see ``dicom``). Sizes are checked before anything is
decoded.
"""

import io
import warnings
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from sadanet_lab.errors import BadInput
from sadanet_lab.images.content import DICOM, PICTURES, picture_kind, read_content, what_it_is
from sadanet_lab.images.picture import (
    Picture,
    check_content,
    check_pixels,
    check_size,
    check_upright,
    one_channel,
    own_range,
)
from sadanet_lab.images.png import TOO_LARGE, as_seen, check_depth, kind_of, size_as_seen

KINDS = f"{', '.join(PICTURES)} or {DICOM}"
_PHOTOMETRIC, _WHITE_IS_ZERO = 262, 0
"""TIFF's tag of what its numbers mean, and the value that says that they count from white."""


def read_picture(path: Path) -> Picture:
    """A picture file as a grey image; raises ``BadInput``, one line that names the file, for what is none.

    None is: a missing, damaged or truncated file, a pipe or a device; another kind; several frames or pages; colour or
    transparency; a size or proportions that ``picture.check_size`` refuses; all of one grey.
    """
    return decode_picture(read_content(Path(path), f"a picture: {KINDS}"), str(path))


def decode_picture(content: bytes, name: str) -> Picture:
    """As ``read_picture``, of a file's bytes; ``name`` is what faults call it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the libraries: a fault is one line, of this program
        picture = _read(content, name)
    check_content(picture.image, name)
    check_upright(picture.image, name, picture.pixel)
    return picture


def _read(content: bytes, name: str) -> Picture:
    file, kind = io.BytesIO(content), picture_kind(content)
    if kind == DICOM:
        from sadanet_lab.images import dicom  # half a second, which other pictures need not pay

        return dicom.read(file, name)
    if kind is not None:
        return _read_by_pillow(file, name, kind)
    found = what_it_is(content)
    raise BadInput(f"{name}: no picture of a kind that is read here{f' ({found})' * bool(found)}; expected {KINDS}")


def _read_by_pillow(file: BinaryIO, name: str, kind: str) -> Picture:
    try:
        with Image.open(file, formats=[kind]) as picture:
            check_pixels(*picture.size, name)
            check_size(*size_as_seen(picture), name)
            frames = getattr(picture, "n_frames", 1)
            if frames > 1:
                raise BadInput(f"{name}: {frames} pictures in one file; expected one")
            image = _grey(picture, name, kind)
    except BadInput:
        raise
    except Image.DecompressionBombError:
        raise BadInput(f"{name}: {TOO_LARGE}") from None
    except Exception as error:  # of a damaged file Pillow raises nearly anything
        expected = "a whole file of a grey picture of 8 or 16 bits"
        raise BadInput(f"{name}: damaged or truncated {kind}, or an unusual one; expected {expected}") from error
    return Picture(image, kind)


def _grey(picture: Image.Image, name: str, kind: str) -> np.ndarray:
    """The picture as a person sees it, turned as its file says; uint8 (H, W)."""
    check_depth(picture, name)
    from_white = getattr(picture, "tag_v2", {}).get(_PHOTOMETRIC) == _WHITE_IS_ZERO
    picture.load()
    upright = as_seen(picture)
    if upright.mode == "P":
        upright = upright.convert("RGBA" if "transparency" in upright.info else "RGB")
    if upright.mode in ("LA", "RGBA"):
        upright = _without_alpha(upright, name)
    if upright.mode == "L":
        return np.asarray(upright)
    if upright.mode == "RGB":
        return one_channel(np.asarray(upright), name, lossy=kind == "JPEG")
    if upright.mode.startswith("I"):
        grey = own_range(np.asarray(upright), name)
        return 255 - grey if from_white else grey
    raise BadInput(f"{name}: {kind_of(upright)}; expected a grey picture of 8 or 16 bits")


def _without_alpha(picture: Image.Image, name: str) -> Image.Image:
    if picture.getextrema()[-1] != (255, 255):
        raise BadInput(f"{name}: {kind_of(picture)}; expected an opaque grey picture: flatten it onto black")
    return picture.convert(picture.mode[:-1])
