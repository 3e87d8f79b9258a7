"""The published dataset layout, read and checked:

FOLDER/dataset/{train,test,val}/<stem>.png             8-bit grey VPI images of any size
FOLDER/groundtruth/{train,test,val}/<stem>_bone_3.png  masks of the same size: ids 0..3, or black, red, green, blue
FOLDER/test.txt                                        one stem per line
FOLDER/train.txt                                       the same; may be absent where nothing is trained
FOLDER/val.txt                                         may be absent: images on which settings are chosen
"""

import hashlib
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path

import numpy as np

from sadanet_lab.errors import BadInput, one_line
from sadanet_lab.images.content import read_text
from sadanet_lab.images.png import read_image, read_mask, read_vpi

SPLITS = ("train", "test", "val")
REQUIRED = "test"
"""The list that every folder has. A demonstration has no other; ``require_training_images`` asks for train.txt."""
MOST_NAMED = 5
"""Stems that a warning names."""


@dataclass(frozen=True)
class Sample:
    """One image and where its mask is."""

    stem: str
    split: str
    image_path: Path
    mask_path: Path

    @property
    def root(self) -> Path:
        """The dataset's folder."""
        return self.image_path.parents[2]

    def image(self) -> np.ndarray:
        """Grey image, uint8 (H, W)."""
        return read_image(self.image_path)

    def mask(self) -> np.ndarray:
        """Expert's label map, uint8 (H, W), ids 0..3."""
        return read_mask(self.mask_path)

    @property
    def bones_path(self) -> Path:
        """Of the picture of ``bone_numbers``, which only some phantoms have."""
        return self.root / "bones" / self.split / f"{self.stem}.png"

    def bone_numbers(self) -> np.ndarray | None:
        """Which bone of ``bones.csv`` each pixel belongs to, uint8 (H, W), 0 none; None where no such is known."""
        return read_image(self.bones_path) if self.bones_path.is_file() else None


@dataclass(frozen=True)
class VpiFolder:
    """A dataset in the published layout; made by ``open_folder``, which checks it."""

    root: Path
    train: tuple[Sample, ...]
    test: tuple[Sample, ...]
    val: tuple[Sample, ...] = ()

    @cached_property
    def fingerprint(self) -> str:
        """16 hex digits over every listed stem, image and mask, and over what is known of single bones."""
        digest = hashlib.sha256()
        for sample in (*self.train, *self.test, *self.val):
            digest.update(f"{sample.split}/{sample.stem}\n".encode())
            for path in (sample.image_path, sample.mask_path, sample.bones_path):
                if path != sample.bones_path or path.is_file():
                    digest.update(hashlib.sha256(path.read_bytes()).digest())
        if (bones := self.root / "bones.csv").is_file():
            digest.update(bones.read_bytes())
        return digest.hexdigest()[:16]

    @property
    def is_phantom(self) -> bool:
        """Whether ``sadanet phantom`` wrote it: then its true angles are known and no patient is in it."""
        return (self.root / "truth.csv").is_file() and (self.root / "levels.csv").is_file()


def _sample(root: Path, split: str, stem: str) -> Sample:
    return Sample(
        stem, split, root / "dataset" / split / f"{stem}.png", root / "groundtruth" / split / f"{stem}_bone_3.png"
    )


def _list_problems(root: Path, split: str) -> tuple[list[str], list[str]]:
    """(usable stems, problems) of train.txt, test.txt or val.txt."""
    path = root / f"{split}.txt"
    if split != REQUIRED and not path.exists():
        return [], []
    if not path.exists():
        return [], [f"{path}: no such file; expected one stem per line"]
    try:
        lines = read_text(path, "one stem per line").splitlines()
    except BadInput as error:
        return [], [str(error)]
    stems = [line.strip() for line in lines if line.strip()]
    problems = [] if stems else [f"{path}: the list is empty; expected one stem per line"]
    for stem, times in Counter(stems).items():
        if times > 1:
            problems.append(f"{path}: stem {stem!r} is listed {times} times; expected once")
    strange = {stem for stem in stems if ".." in stem or "/" in stem or "\\" in stem or "\0" in stem}
    problems += [f"{path}: stem {stem!r} is not a plain file name" for stem in sorted(strange)]
    return [stem for stem in dict.fromkeys(stems) if stem not in strange], problems


def _examine(sample: Sample) -> tuple[list[str], bool]:
    """(what is wrong with an image and its mask, whether the mask is background alone)."""
    problems, read = [], []
    for reader, path in ((read_vpi, sample.image_path), (read_mask, sample.mask_path)):
        try:
            read.append(reader(path))
        except BadInput as error:
            problems.append(str(error))
    if problems:
        return problems, False
    image, mask = read
    if image.shape != mask.shape:
        found, expected = (f"{each.shape[1]} x {each.shape[0]}" for each in (mask, image))
        problems = [f"{sample.mask_path}: mask is {found}, its image {expected}; expected the same size"]
    return problems, not mask.any()


def in_two_lists(stems: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str, str]]:
    """(stem, one split, other split) of every stem in the lists of two splits; stems: split -> its list."""
    for one, other in combinations(stems, 2):
        listed = set(stems[other])
        yield from ((stem, one, other) for stem in stems[one] if stem in listed)


def examine_folder(root: Path) -> tuple[list[str], list[str]]:
    """(everything that is wrong with a dataset folder, what is strange in one that can be used), one line each.

    Decodes every listed image and mask.
    """
    root = Path(root)
    if not root.is_dir():
        return [f"{root}: no such folder"], []
    if not (root / "dataset").is_dir() and not any((root / f"{split}.txt").exists() for split in SPLITS):
        return [f"{root}: not a dataset folder; expected dataset/, groundtruth/ and test.txt in it"], []
    problems, warnings, stems = [], [], {}
    for split in SPLITS:
        stems[split], found = _list_problems(root, split)
        problems += found
    problems += [
        f"{root}: stem {stem!r} is in both {one}.txt and {other}.txt; expected in one"
        for stem, one, other in in_two_lists(stems)
    ]
    for split in SPLITS:
        empty = []
        for stem in stems[split]:
            found, without_bones = _examine(_sample(root, split, stem))
            problems += found
            empty += [stem] if without_bones else []
        if empty:
            named = ", ".join(map(repr, empty[:MOST_NAMED])) + (", ..." if len(empty) > MOST_NAMED else "")
            warnings.append(
                f"{root / f'{split}.txt'}: {len(empty)} of {len(stems[split])} masks are background alone: {named}"
            )
    return problems, warnings


def require_training_images(data: VpiFolder, count: int | None = None) -> None:
    """Raises ``BadInput`` for a folder with fewer than ``count`` images to train on; of some there is no such list."""
    if not data.train:
        raise BadInput(f"{data.root / 'train.txt'}: no such file; expected one stem per line, the images to train on")
    if count is not None and count > len(data.train):
        raise BadInput(f"{data.root / 'train.txt'}: found {len(data.train)} images; expected {count} to train on")


def open_folder(root: Path) -> VpiFolder:
    """The dataset in ``root``, checked throughout; raises ``BadInput`` with its first problem.

    What is strange in it is written to stderr.
    """
    root = Path(root)
    problems, warnings = examine_folder(root)
    if problems:
        more = f" (and {len(problems) - 1} more: `sadanet check {root}` lists them)" if len(problems) > 1 else ""
        raise BadInput(problems[0] + more)
    for warning in warnings:
        print(f"warning: {one_line(warning)}", file=sys.stderr, flush=True)
    return read_lists(root)


def read_lists(root: Path) -> VpiFolder:
    """The dataset in ``root`` as its lists say, unchecked: for those who know that it is sound."""
    listed = (tuple(_sample(root, split, stem) for stem in _list_problems(root, split)[0]) for split in SPLITS)
    return VpiFolder(root, *listed)
