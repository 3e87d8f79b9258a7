"""A dataset folder in the published layout, made of pictures and masks of any kind that is read here."""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np

from sadanet_lab.errors import BadInput
from sadanet_lab.files import new_folder
from sadanet_lab.images.folder_check import bare_name, plain_name
from sadanet_lab.images.formats import read_picture
from sadanet_lab.images.label_files import read_labels
from sadanet_lab.images.picture import resize_labels
from sadanet_lab.images.png import png_bytes
from sadanet_lab.images.vpi_folder import SPLITS, listed_sample

MASK_ENDINGS = (".png", ".seg.nrrd")


@dataclass(frozen=True)
class Pair:
    """A picture and its mask, as they lie somewhere."""

    stem: str
    """In the folder that is made: the picture's path below the folder given, "/" as "_", without its ending."""
    image: Path
    mask: Path

    def read(self) -> tuple[np.ndarray, np.ndarray]:
        """Grey image and label map, uint8 (H, W), with square pixels; raises ``BadInput`` naming the file at fault."""
        picture, labels = read_picture(self.image), read_labels(self.mask)
        image = picture.square_image
        if labels.shape == picture.image.shape:  # drawn on pixels that are not square, and not said to be so
            labels = resize_labels(labels, *image.shape)
        if labels.shape != image.shape:
            found, expected = (f"{each.shape[1]} x {each.shape[0]}" for each in (labels, image))
            raise BadInput(f"{self.mask}: mask is {found}, its image {expected}; expected the same size")
        return image, labels


def pair_up(pictures: Mapping[str, Path], masks: Path) -> tuple[list[Pair], list[str]]:
    """(pictures with their masks, a line for each picture and each mask that is left without).

    pictures: name, with "/" below subfolders and without its ending -> file. masks: a folder, which may be the
    pictures' own. A mask is named like its picture, but for capitals and an addition such as "_mask" (see
    ``folder_check.bare_name``); it lies in the same subfolder, or anywhere if no other has its name. Raises
    ``BadInput`` for one that fits two pictures.
    """
    files = sorted(_masks_below(masks))
    named_as_masks = {path.resolve() for path in files if bare_name(path) != plain_name(path)}
    own = {name: path for name, path in pictures.items() if path.resolve() not in named_as_masks}
    pictured = {path.resolve() for path in own.values()}
    files = [path for path in files if path.resolve() not in pictured]
    pairs, left_out = [], []
    used: dict[Path, Path] = {}
    for name, image in own.items():
        where = PurePath(name)
        fitting = [path for path in files if plain_name(where.name + ".png") in (plain_name(path), bare_name(path))]
        beside = [path for path in fitting if path.parent.relative_to(masks) == where.parent]
        fitting = beside or fitting
        if len(fitting) == 1:
            pairs.append(Pair("_".join(where.parts), image, fitting[0]))
            if (other := used.setdefault(fitting[0], image)) is not image:
                raise BadInput(f"{fitting[0]}: fits {other} and {image}; expected a mask for each")
        else:
            told = f"{len(fitting)} masks, {', '.join(map(str, fitting[:2]))}" if fitting else "no mask"
            left_out.append(f"{image}: found {told}; expected one of its name in {masks}")
    return pairs, [*left_out, *(f"{path}: found no picture of its name" for path in files if path not in used)]


def _masks_below(folder: Path) -> Iterator[Path]:
    for root, _, names in os.walk(folder, followlinks=True):
        yield from (Path(root, name) for name in names if name.lower().endswith(MASK_ENDINGS) and name[0] != ".")


def split_by_patient(
    stems: Iterable[str], patient: str | None, shares: Mapping[str, float], seed: int
) -> dict[str, list[str]]:
    """Split -> its stems, for each of ``SPLITS``; all images of a patient are in one.

    patient: a regular expression that finds in a stem whose it is (its first group, or all that it finds); None: each
    image is of another patient. shares: of the patients, drawn for "test" and "val"; one at least where it is above 0.
    Raises ``BadInput`` for an expression that finds nothing in a stem, and where no patient is left to train on.
    """
    of_patient: dict[str, list[str]] = {}
    for stem in sorted(stems):
        of_patient.setdefault(_patient_of(stem, patient), []).append(stem)
    drawn = [list(of_patient)[i] for i in np.random.default_rng(seed).permutation(len(of_patient))]
    splits, rest = {}, drawn
    for split, share in shares.items():
        count = max(1, round(share * len(drawn))) if share > 0 else 0
        splits[split], rest = rest[:count], rest[count:]
    if not rest:
        raise BadInput(f"found {len(drawn)} patients; expected more, for some to train on besides those that test")
    splits["train"] = rest
    return {split: sorted(stem for one in splits.get(split, ()) for stem in of_patient[one]) for split in SPLITS}


def _patient_of(stem: str, patient: str | None) -> str:
    try:
        found = re.search(patient or ".*", stem)
    except re.error as error:
        raise BadInput(f"--patient: {patient!r} is no regular expression ({error})") from None
    if found is None:
        raise BadInput(f"--patient: {patient!r} finds nothing in {stem!r}; expected what tells whose image it is")
    return found[1] if found.re.groups else found[0]


def check_pairs(pairs: Iterable[Pair], on_pair_done: Callable[[], object]) -> list[str]:
    """A line for each pair that cannot be read."""
    problems = []
    for pair in pairs:
        try:
            pair.read()
        except BadInput as error:
            problems.append(str(error))
        on_pair_done()
    return problems


def make_folder(
    out: Path, pairs: Sequence[Pair], splits: Mapping[str, Sequence[str]], on_pair_done: Callable[[], object]
) -> None:
    """Write ``out``, a new folder: images as 8-bit grey PNG, masks as class ids, both with square pixels, and lists.

    Whole or not at all. Raises ``BadInput`` if ``out`` is there already, or a pair cannot be read.
    """
    of_stem: dict[str, Pair] = {}
    for pair in pairs:
        if (other := of_stem.setdefault(pair.stem, pair)) is not pair:
            raise BadInput(f"{pair.image}: would be named {pair.stem!r} as {other.image}; expected names that differ")
    with new_folder(out) as draft:
        for split in SPLITS:
            for stem in splits[split]:
                sample = listed_sample(draft, split, stem)
                for path, content in zip((sample.image_path, sample.mask_path), of_stem[stem].read(), strict=True):
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(png_bytes(content))
                on_pair_done()
            if splits[split]:
                (draft / f"{split}.txt").write_text("".join(f"{stem}\n" for stem in splits[split]), encoding="utf-8")
