"""The pictures below a folder: by their endings, DICOM by content; links are followed, hidden files left aside."""

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePath
from typing import NoReturn

from sadanet_lab.errors import BadInput
from sadanet_lab.images.content import DICOM, picture_kind

ENDINGS = (".png", ".tif", ".tiff", ".bmp", ".jpg", ".jpeg", ".dcm", ".dicom")
"""Of files that are taken from a folder; others are, too, if they begin as DICOM does."""


def files_below(
    folder: Path, aside: Iterable[Path] = (), on_closed: Callable[[Path], object] | None = None
) -> Iterator[Path]:
    """Every file of a folder and its subfolders, linked ones too, each folder once; not those below ``aside``.

    on_closed: called with each folder that cannot be read. Without, such a one raises ``BadInput``.
    """
    seen = {Path(one).resolve() for one in aside}
    on_error = _refuse_folder if on_closed is None else lambda error: on_closed(Path(error.filename))
    for root, folders, files in os.walk(folder, onerror=on_error, followlinks=True):
        here = Path(root).resolve()
        if here in seen:  # a link may lead back
            folders.clear()
            continue
        seen.add(here)
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(root, name) for name in files if not name.startswith("."))


def _refuse_folder(error: OSError) -> NoReturn:
    raise BadInput(f"{error.filename}: cannot be read ({error.strerror}); expected a folder of pictures") from None


def is_picture(path: Path) -> bool:
    """Whether a file is to be read as a picture; a DICOMDIR, which only lists some, is none."""
    if path.name.upper() == "DICOMDIR":
        return False
    return path.suffix.lower() in ENDINGS or (path.is_file() and _is_dicom(path))


def _is_dicom(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return picture_kind(file.read(132)) == DICOM
    except OSError:
        return True  # it may be one; that it cannot be read is told


def without_ending(path: PurePath) -> PurePath:
    """A picture's path without its ending: what follows the last dot of 1.2.840.10008 is none."""
    return path.with_suffix("") if path.suffix.lower() in ENDINGS else path
