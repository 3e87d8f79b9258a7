"""The published dataset layout, read (``folder_check`` checks it):

FOLDER/dataset/{train,test,val}/<stem>.png             8-bit grey VPI images of any size
FOLDER/groundtruth/{train,test,val}/<stem>_bone_3.png  masks of the same size; see ``png.read_mask``
FOLDER/test.txt                                        one stem per line
FOLDER/train.txt                                       the same; may be absent where nothing is trained
FOLDER/val.txt                                         may be absent: images on which settings are chosen
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path

import numpy as np

from sadanet_lab.errors import BadInput
from sadanet_lab.images.content import read_text
from sadanet_lab.images.png import read_image, read_mask

SPLITS = ("train", "test", "val")
REQUIRED = "test"
"""The list that every folder has. A demonstration has no other; ``require_training_images`` asks for train.txt."""


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
    """A dataset in the published layout; made by ``folder_check.open_folder``, which checks it."""

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


def listed_sample(root: Path, split: str, stem: str) -> Sample:
    """Where the image and the mask of a listed stem are to be."""
    return Sample(
        stem, split, root / "dataset" / split / f"{stem}.png", root / "groundtruth" / split / f"{stem}_bone_3.png"
    )


def is_stem(text: str) -> bool:
    """Whether it can stand in a list: text in one line, with no blank at its ends, and naming a file in its folder."""
    is_text = not any("\ud800" <= character <= "\udfff" for character in text)  # of bytes that are no UTF-8
    is_plain = text.splitlines() == [text.strip()] and not any(part in text for part in ("..", "/", "\\", "\0"))
    return is_text and is_plain


def list_problems(root: Path, split: str) -> tuple[list[str], list[str]]:
    """(usable stems, problems, one line each) of train.txt, test.txt or val.txt."""
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
    expected = "one stem per line" + ("" if split == REQUIRED else ", or no such file")
    problems = [] if stems else [f"{path}: the list is empty; expected {expected}"]
    for stem, times in Counter(stems).items():
        if times > 1:
            problems.append(f"{path}: stem {stem!r} is listed {times} times; expected once")
    strange = {stem for stem in stems if not is_stem(stem)}
    problems += [
        f"{path}: stem {stem!r} is not a plain file name; expected one without folders" for stem in sorted(strange)
    ]
    return [stem for stem in dict.fromkeys(stems) if stem not in strange], problems


def in_two_lists(stems: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str, str]]:
    """(stem, one split, other split) of every stem in the lists of two splits; stems: split -> its list."""
    for one, other in combinations(stems, 2):
        listed = set(stems[other])
        yield from ((stem, one, other) for stem in stems[one] if stem in listed)


def require_training_images(data: VpiFolder, count: int | None = None) -> None:
    """Raises ``BadInput`` for a folder with fewer than ``count`` images to train on; of some there is no such list."""
    if not data.train:
        raise BadInput(f"{data.root / 'train.txt'}: no such file; expected one stem per line, the images to train on")
    if count is not None and count > len(data.train):
        raise BadInput(f"{data.root / 'train.txt'}: found {len(data.train)} images; expected {count} to train on")


def read_lists(root: Path) -> VpiFolder:
    """The dataset in ``root`` as its lists say, unchecked: for those who know that it is sound."""
    listed = (tuple(listed_sample(root, split, stem) for stem in list_problems(root, split)[0]) for split in SPLITS)
    return VpiFolder(root, *listed)
