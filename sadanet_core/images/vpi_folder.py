"""The published dataset layout, read and checked:

FOLDER/dataset/{train,test}/<stem>.png             8-bit grey VPI images of any size
FOLDER/groundtruth/{train,test}/<stem>_bone_3.png  masks of the same size: ids 0..3, or black, red, green, blue
FOLDER/train.txt, FOLDER/test.txt                  one stem a line
"""

import hashlib
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image

from sadanet_core.errors import BadInput
from sadanet_core.images.classes import CLASSES, COLOURS, rgb_to_labels

SPLITS = ("train", "test")
SMALLEST_VPI = 64
"""Pixels either way below which a picture of a whole spine shows no bones."""


@dataclass(frozen=True)
class Sample:
    """One image and where its mask is."""

    stem: str
    split: str
    image_path: Path
    mask_path: Path

    def image(self) -> np.ndarray:
        """Grey image, uint8 (H, W)."""
        return read_image(self.image_path)

    def mask(self) -> np.ndarray:
        """Expert's label map, uint8 (H, W), ids 0..3."""
        return read_mask(self.mask_path)


@dataclass(frozen=True)
class VpiFolder:
    """A dataset in the published layout; made by ``open_folder``, which checks it."""

    root: Path
    train: tuple[Sample, ...]
    test: tuple[Sample, ...]

    @cached_property
    def fingerprint(self) -> str:
        """16 hex digits over every listed stem, image and mask: another pixel is another fingerprint."""
        digest = hashlib.sha256()
        for sample in (*self.train, *self.test):
            digest.update(f"{sample.split}/{sample.stem}\n".encode())
            for path in (sample.image_path, sample.mask_path):
                digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()[:16]

    @property
    def is_phantom(self) -> bool:
        """Whether ``sadanet phantom`` wrote it: then its true angles are known and no patient is in it."""
        return (self.root / "truth.csv").is_file() and (self.root / "levels.csv").is_file()


def read_image(path: Path) -> np.ndarray:
    """8-bit grey PNG -> uint8 (H, W). An RGB file whose three channels are equal counts as grey.

    Raises ``BadInput`` naming the file for anything else: missing, no PNG, truncated, 16-bit, colour.
    """
    return _grey(_open_png(path), str(path))


def read_vpi(path: Path) -> np.ndarray:
    """``read_image`` of a picture that could be a whole spine; raises ``BadInput`` naming the file if it can't be.

    That is: at least ``SMALLEST_VPI`` pixels wide and tall, and not all of one grey.
    """
    return decode_vpi(_content(path), str(path))


def decode_vpi(content: bytes, name: str) -> np.ndarray:
    """As ``read_vpi``, of a PNG file's bytes; ``name`` is what faults call it."""
    image = _grey(_decoded(content, name), name)
    height, width = image.shape
    if width < SMALLEST_VPI or height < SMALLEST_VPI:
        raise BadInput(f"{name}: {width} x {height} pixels; expected {SMALLEST_VPI} or more either way for a spine")
    if image.min() == image.max():
        raise BadInput(f"{name}: every pixel has grey {image[0, 0]}; expected an ultrasound picture")
    return image


def read_mask(path: Path) -> np.ndarray:
    """Mask PNG -> label map, uint8 (H, W), ids 0..3. Takes ids (8-bit grey or palette) and the RGB form.

    Raises ``BadInput`` naming the file: missing, no PNG, truncated, other kinds, ids above 3, unknown colours.
    """
    picture = _open_png(path)
    if picture.mode == "P" and _palette_is_the_fields(picture):
        picture = picture.convert("RGB")  # the colours tell the classes, in whatever order the palette has them
    if picture.mode == "RGB":
        try:
            return rgb_to_labels(np.asarray(picture))
        except BadInput as error:
            raise BadInput(f"{path}: {error}") from None
    if picture.mode not in ("L", "P"):
        raise BadInput(f"{path}: {_kind(picture)}; expected class ids 0..3 (8-bit grey) or the RGB form")
    labels = np.asarray(picture)
    if labels.max(initial=0) >= len(CLASSES):
        unknown = np.setdiff1d(labels, range(len(CLASSES)))
        found = ", ".join(map(str, unknown[:5])) + (", ..." if unknown.size > 5 else "")
        raise BadInput(f"{path}: class id {found}; expected 0..3 ({', '.join(CLASSES)})")
    return labels


def _palette_is_the_fields(picture: Image.Image) -> bool:
    used = {colour for _, colour in picture.convert("RGB").getcolors(maxcolors=256)}
    return used <= {tuple(colour) for colour in COLOURS.tolist()}


def png_bytes(picture: np.ndarray) -> bytes:
    """uint8 (H, W) or (H, W, 3) -> the bytes of its PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="PNG", compress_level=3)
    return buffer.getvalue()


def _grey(picture: Image.Image, name: str) -> np.ndarray:
    if picture.mode == "L":
        return np.asarray(picture)
    if picture.mode == "RGB":
        channels = np.asarray(picture)
        if (channels == channels[..., :1]).all():
            return np.ascontiguousarray(channels[..., 0])
    raise BadInput(f"{name}: {_kind(picture)}; expected an 8-bit grey PNG")


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path}: can't be read ({error.strerror}); expected a PNG image") from None


def _open_png(path: Path) -> Image.Image:
    return _decoded(_content(path), str(path))


def _decoded(content: bytes, name: str) -> Image.Image:
    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
            picture.load()
            return picture
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:  # what PIL raises
        begins_as_png = content.startswith(b"\x89PNG\r\n\x1a\n")
        raise BadInput(f"{name}: {'damaged or truncated PNG' if begins_as_png else 'not a PNG image'}") from error


def _kind(picture: Image.Image) -> str:
    names = {"RGB": "colour image", "RGBA": "image with transparency", "LA": "grey image with transparency",
             "P": "palette image", "1": "1-bit image"}  # fmt: skip
    if picture.mode.startswith("I"):
        return f"16-bit image (mode {picture.mode})"
    return f"{names.get(picture.mode, 'image')} (mode {picture.mode})"


def _sample(root: Path, split: str, stem: str) -> Sample:
    return Sample(
        stem, split, root / "dataset" / split / f"{stem}.png", root / "groundtruth" / split / f"{stem}_bone_3.png"
    )


def _list_problems(root: Path, split: str) -> tuple[list[str], list[str]]:
    """(usable stems, problems) of train.txt or test.txt."""
    path = root / f"{split}.txt"
    try:
        stems = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except FileNotFoundError:
        return [], [f"{path}: no such file; expected one stem a line"]
    except (OSError, UnicodeDecodeError) as error:
        return [], [f"{path}: not readable as text ({error})"]
    problems = [] if stems else [f"{path}: the list is empty; expected one stem a line"]
    for stem, times in Counter(stems).items():
        if times > 1:
            problems.append(f"{path}: stem {stem!r} is listed {times} times; expected once")
    strange = {stem for stem in stems if ".." in stem or "/" in stem or "\\" in stem or "\0" in stem}
    problems += [f"{path}: stem {stem!r} is not a plain file name" for stem in sorted(strange)]
    return [stem for stem in dict.fromkeys(stems) if stem not in strange], problems


def _sample_problems(sample: Sample) -> Iterator[str]:
    shapes = []
    for read, path in ((read_vpi, sample.image_path), (read_mask, sample.mask_path)):
        try:
            shapes.append(read(path).shape)
        except BadInput as error:
            yield str(error)
    if len(shapes) == 2 and shapes[0] != shapes[1]:
        image, mask = (f"{width} x {height}" for height, width in shapes)
        yield f"{sample.mask_path}: mask is {mask}, its image {image}; expected the same size"


def find_problems(root: Path) -> list[str]:
    """Everything that is wrong with a dataset folder, one line each; an empty list if it can be used.

    Decodes every listed image and mask.
    """
    root = Path(root)
    if not root.is_dir():
        return [f"{root}: no such folder"]
    if not (root / "dataset").is_dir() and not any((root / f"{split}.txt").exists() for split in SPLITS):
        return [f"{root}: not a dataset folder; expected dataset/, groundtruth/, train.txt and test.txt in it"]
    problems, stems = [], {}
    for split in SPLITS:
        stems[split], found = _list_problems(root, split)
        problems += found
    problems += [
        f"{root}: stem {stem!r} is in both train.txt and test.txt; expected in one"
        for stem in stems["train"]
        if stem in set(stems["test"])
    ]
    for split in SPLITS:
        for stem in stems[split]:
            problems += _sample_problems(_sample(root, split, stem))
    return problems


def open_folder(root: Path) -> VpiFolder:
    """The dataset in ``root``, checked throughout; raises ``BadInput`` with its first problem."""
    root = Path(root)
    problems = find_problems(root)
    if problems:
        more = f" (and {len(problems) - 1} more: `sadanet check {root}` lists them)" if len(problems) > 1 else ""
        raise BadInput(problems[0] + more)
    return listed(root)


def listed(root: Path) -> VpiFolder:
    """The dataset in ``root`` as its two lists say, unchecked: for those who know that it is sound."""
    train, test = (tuple(_sample(root, split, stem) for stem in _list_problems(root, split)[0]) for split in SPLITS)
    return VpiFolder(root, train, test)
