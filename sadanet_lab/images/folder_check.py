"""A dataset folder, looked at throughout: everything that is wrong with it, what is strange, and what is in it."""

import hashlib
import re
import sys
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePath

import numpy as np

from sadanet_lab.errors import BadInput, one_line
from sadanet_lab.images.png import read_mask, read_vpi
from sadanet_lab.images.vpi_folder import (
    SPLITS,
    Sample,
    VpiFolder,
    in_two_lists,
    list_problems,
    listed_sample,
    read_lists,
)
from sadanet_lab.spine.classes import BONES, CLASSES

MOST_NAMED = 5
"""Stems that a line names."""
UNLIKE = 1.2
"""How many times as elongated as the median an image may be: all are brought to one shape for the network."""
_SUFFIX = re.compile(r"([ _.-]+|(?<=\d))(bone_3|bones?|masks?|gt|labels?|seg(mentation)?)$")


@dataclass(frozen=True)
class _Seen:
    """What is kept of an image and its mask."""

    sample: Sample
    width: int
    height: int
    pixels: np.ndarray
    """Of each class, (4,)."""
    digest: bytes
    """Of the image's pixels."""


@dataclass(frozen=True)
class Examination:
    """What was found in a dataset folder, in lines."""

    problems: list[str]
    """What is wrong; none of a folder that can be used, and such a folder alone has what follows."""
    warnings: list[str] = field(default_factory=list)
    """What is strange."""
    data: VpiFolder | None = None
    seen: Sequence[_Seen] = ()

    @cached_property
    def summary(self) -> list[str]:
        """What is in it; reads every file once more, for its fingerprint."""
        return [] if self.data is None else _summary(self.seen, self.data)


def examine_folder(root: Path) -> Examination:
    """Decodes every listed image and mask of a folder in the published layout (see ``vpi_folder``)."""
    root = Path(root)
    if not root.is_dir():
        return Examination([f"{root}: no such folder"])
    if not (root / "dataset").is_dir() and not any((root / f"{split}.txt").exists() for split in SPLITS):
        problem = f"{root}: not a dataset folder; expected dataset/, groundtruth/ and test.txt in it"
        return Examination([problem])
    problems, stems, seen = [], {}, []
    for split in SPLITS:
        stems[split], found = list_problems(root, split)
        problems += found
    problems += [
        f"{root}: stem {stem!r} is in both {one}.txt and {other}.txt; expected in one"
        for stem, one, other in in_two_lists(stems)
    ]
    for split in SPLITS:
        for stem in stems[split]:
            found = _examine(listed_sample(root, split, stem))
            if isinstance(found, _Seen):
                seen.append(found)
            else:
                problems += found
    if problems:
        return Examination(problems)
    return Examination([], [*_strange_masks(root, seen), *_strange_images(root, seen, stems)], read_lists(root), seen)


def open_folder(root: Path) -> VpiFolder:
    """The dataset in ``root``, checked throughout; raises ``BadInput`` with its first problem.

    What is strange in it is written to stderr.
    """
    root = Path(root)
    found = examine_folder(root)
    if found.data is None:
        others = len(found.problems) - 1
        more = f" (and {others} more: `sadanet check {root}` lists them)" if others else ""
        raise BadInput(found.problems[0] + more)
    for warning in found.warnings:
        print(f"warning: {one_line(warning)}", file=sys.stderr, flush=True)
    return found.data


def _examine(sample: Sample) -> "_Seen | list[str]":
    """What is wrong with an image and its mask, or what is to be kept of them."""
    problems, read = [], []
    readers: tuple[tuple[Callable[[Path], np.ndarray], Path], ...]
    readers = (read_vpi, sample.image_path), (read_mask, sample.mask_path)
    for reader, path in readers:
        try:
            read.append(reader(path))
        except BadInput as error:
            problems.append(f"{path}: no such file{_instead_of(path)}" if _is_missing(path) else str(error))
    if problems:
        return problems
    image, mask = read
    if image.shape != mask.shape:
        found, expected = (f"{each.shape[1]} x {each.shape[0]}" for each in (mask, image))
        return [f"{sample.mask_path}: mask is {found}, its image {expected}; expected the same size"]
    height, width = image.shape
    pixels = np.bincount(mask.ravel(), minlength=len(CLASSES))
    return _Seen(sample, width, height, pixels, hashlib.sha256(image.tobytes()).digest())


def _is_missing(path: Path) -> bool:
    try:
        path.stat()
    except FileNotFoundError:
        return True
    except (OSError, ValueError):  # such as a name that is too long
        pass
    return False


def _instead_of(path: Path) -> str:
    """What may be meant in place of a file that is not there: of nearly its name, in its folder or the one above."""
    if path.name.lower().endswith(".png.png") and path.with_suffix("").is_file():
        return f"; found {path.stem}; expected stems in the list, without an ending"
    for folder in (path.parent, path.parent.parent):
        for found in sorted(folder.iterdir()) if folder.is_dir() else ():
            if bare_name(found) == bare_name(path) and found.is_file():
                same = unicodedata.normalize("NFC", found.name) == unicodedata.normalize("NFC", path.name)
                other = " in another Unicode form" if same and found.parent == path.parent else ""
                return f"; found {found.relative_to(path.parent.parent)}{other}; expected a PNG image of that very name"
    return "; expected a PNG image"


def plain_name(path: PurePath | str) -> str:
    """A file's name without its last ending, capitals and forms of Unicode apart."""
    return unicodedata.normalize("NFC", PurePath(path).stem).casefold()


def bare_name(path: PurePath | str) -> str:
    """The same without what tells a mask from its picture, such as "_mask" or "_bone_3"."""
    return _SUFFIX.sub("", plain_name(path))


def _strange_masks(root: Path, seen: Sequence[_Seen]) -> Iterator[str]:
    for split in SPLITS:
        listed = [one for one in seen if one.sample.split == split]
        empty = [one for one in listed if not one.pixels[1:].any()]
        if empty:
            yield f"{root / f'{split}.txt'}: {len(empty)} of {len(listed)} masks are background alone: {_named(empty)}"
    absent = [name for name, pixels in zip(BONES, _pixels(seen)[1:], strict=True) if pixels == 0]
    if absent:
        yield f"{root / 'groundtruth'}: no pixel of {', '.join(absent)} in any mask; expected all of {', '.join(BONES)}"
    odd = [one for one in seen if one.pixels.argmax() != 0]
    if odd:
        yield (
            f"{root / 'groundtruth'}: masks with less background than bone of one kind: {_named(odd)}; "
            f"expected ids {', '.join(f'{i} {name}' for i, name in enumerate(CLASSES))}"
        )


def _strange_images(root: Path, seen: Sequence[_Seen], stems: Mapping[str, Sequence[str]]) -> Iterator[str]:
    first: dict[bytes, Sample] = {}
    for one in seen:
        sample = first.setdefault(one.digest, one.sample)
        if sample is not one.sample:
            theirs = sample.image_path.relative_to(root)
            yield f"{one.sample.image_path}: the same picture as {theirs}; expected it once"
    elongation = np.array([one.height / one.width for one in seen])
    unlike = elongation / np.median(elongation)
    odd = [one for one, times in zip(seen, unlike, strict=True) if not 1 / UNLIKE <= times <= UNLIKE]
    if odd:
        yield (
            f"{root / 'dataset'}: images of other proportions, which are stretched to those of the network: "
            f"{_named(odd)}; expected about {np.median(elongation):.1f} times as high as wide"
        )
    for split in SPLITS:
        folder = root / "dataset" / split
        there = {path.stem for path in folder.iterdir() if path.suffix == ".png"} if folder.is_dir() else set()
        unlisted = sorted(there - set(stems[split]))
        if unlisted:
            yield f"{folder}: images that no list names: {_named(unlisted)}; expected in {split}.txt"


def _summary(seen: Sequence[_Seen], data: VpiFolder) -> list[str]:
    counts = {"training": len(data.train), "test": len(data.test), "validation": len(data.val)}
    *most, last = (f"{count} {name}" for name, count in counts.items() if count or name != "validation")
    width, height = _range([one.width for one in seen]), _range([one.height for one in seen])
    elongation = _range([one.height / one.width for one in seen], ".1f")
    share = _pixels(seen) / _pixels(seen).sum()
    shares = ", ".join(f"{name} {100 * part:.1f} %" for name, part in zip(CLASSES, share, strict=True))
    only_tests = "" if data.train else "; nothing can be trained on it: no train.txt"
    return [
        f"{', '.join(most)} and {last} images{only_tests}",
        f"images: {width} pixels wide, {height} high, {elongation} times as high as wide",
        f"masks: {shares} of the pixels",
        f"data: {data.fingerprint}, as `sadanet runs` calls it",
    ]


def _pixels(seen: Sequence[_Seen]) -> np.ndarray:
    return sum((one.pixels for one in seen), np.zeros(len(CLASSES), int))


def _range(values: Sequence[float], form: str = "d") -> str:
    low, high = (format(value, form) for value in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


def _named(found: Sequence["_Seen | str"]) -> str:
    stems = [one if isinstance(one, str) else one.sample.stem for one in found]
    more = f", ... ({len(stems)} in all)" if len(stems) > MOST_NAMED else ""
    return ", ".join(map(repr, stems[:MOST_NAMED])) + more
