"""The bytes of files that come from outside: of files alone, and no more of them than a picture can have."""

import re
import stat
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from pathlib import Path
from typing import Protocol

from sadanet_lab.errors import BadInput

LARGEST_FILE = 1 << 28
"""Bytes of a file that is read: 256 MiB, twice the largest picture that is decoded, in colour and 16 bits."""
LARGEST_MODEL = 1 << 33
"""The same of a file of weights."""
PICTURES = {"PNG": (b"\x89PNG",), "TIFF": (b"II*\0", b"MM\0*"), "BMP": (b"BM",), "JPEG": (b"\xff\xd8",)}
"""How a picture's file may begin, by kind in Pillow's words; DICOM beside them."""
DICOM, _PREAMBLE = "DICOM", 128
_UNREAD = {
    "an empty file": re.compile(rb"\Z"),
    "a BigTIFF": re.compile(rb"II\+\0|MM\0\+"),
    f"DICOM without the {_PREAMBLE + 4} bytes before its data": re.compile(
        rb"[\x02\x08]\0.\0(?:[A-Z]{2}|.\0\0\0)", re.DOTALL
    ),
}
"""How files begin that are easily taken for one that is read; of DICOM a first element of group 2 or 8 (PS3.5, 7.1)."""
_KINDS = ((stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"), (stat.S_ISCHR, "a device"), (stat.S_ISBLK, "a disk"))


class Decompressor(Protocol):
    """Such as ``zlib.decompressobj()``."""

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def read_content(path: Path, expected: str, most: int = LARGEST_FILE) -> bytes:
    """What a file holds; raises ``BadInput`` naming it and what was ``expected`` if it cannot be read.

    A pipe or a device is not opened: it could keep its reader waiting for ever.
    """
    try:
        found = path.stat()
        for is_kind, kind in _KINDS:
            if is_kind(found.st_mode):
                raise BadInput(f"{path}: {kind}, no file; expected {expected}")
        if found.st_size > most:
            raise BadInput(f"{path}: too large, {found.st_size:,} bytes; expected at most {most:,}")
        return path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}); expected {expected}") from None
    except BadInput:
        raise
    except ValueError:  # a null byte in the name
        raise BadInput(f"{str(path)!r}: no name of a file; expected {expected}") from None


def picture_kind(content: bytes) -> str | None:
    """One of ``PICTURES``, or ``DICOM``, by how a file begins; None of any other file."""
    if content.startswith(b"DICM", _PREAMBLE):
        return DICOM
    return next((kind for kind, begins in PICTURES.items() if content.startswith(begins)), None)


def what_it_is(content: bytes) -> str | None:
    """What a file is, in words, where it can be told by how it begins: of a picture, or of what is not read here."""
    kind = picture_kind(content)
    return f"a {kind} file" if kind else next((said for said, begins in _UNREAD.items() if begins.match(content)), None)


def read_text(path: Path, expected: str) -> str:
    """As ``read_content``, of a text in UTF-8, or as Windows programs leave it: with a mark in front, or in UTF-16."""
    content = read_content(path, expected)
    try:
        return content.decode("utf-16" if content.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: not readable as text ({error}); expected {expected}") from None


def grows_too_large(content: bytes, decompressor: Decompressor) -> bool:
    """Whether compressed bytes become more than ``LARGEST_FILE``; no more than these are made of them."""
    return len(decompressor.decompress(content, LARGEST_FILE + 1)) > LARGEST_FILE
