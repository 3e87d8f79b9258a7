"""A dataset folder in the published layout, made of pictures and masks of any kind that is read here."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sadanet_lab.errors import BadInput
from sadanet_lab.files import new_folder
from sadanet_lab.images.file_search import files_below, is_picture, without_ending
from sadanet_lab.images.folder_check import bare_name, plain_name
from sadanet_lab.images.formats import read_picture
from sadanet_lab.images.label_files import read_labels
from sadanet_lab.images.picture import resize_labels
from sadanet_lab.images.png import png_bytes
from sadanet_lab.images.vpi_folder import SPLITS, is_stem, listed_sample

SEGMENTATION = ".seg.nrrd"
MASK_ENDINGS = (".png", SEGMENTATION)


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


class _Masks:
    """The masks of a folder, by place (the subfolder) and name."""

    def __init__(self, folder: Path, files: Iterable[Path]):
        self._by_name: dict[str, dict[str, list[tuple[str, Path]]]] = {"plain": {}, "bare": {}}
        for path in files:
            place = path.parent.relative_to(folder).as_posix()
            for kind, name in (("plain", plain_name(path)), ("bare", bare_name(path))):
                self._by_name[kind].setdefault(name, []).append((place, path))

    def of(self, place: str, name: str) -> list[Path]:
        """Those that fit an image best: in its subfolder before elsewhere, of its very name before one with "_mask".

        Elsewhere is another folder only if either lies in none: subfolders may be patients.
        """
        named = [self._by_name[kind].get(name, []) for kind in ("plain", "bare")]
        there = ([path for where, path in found if where == place] for found in named)
        elsewhere = ([path for where, path in found if "." in (where, place)] for found in named)
        return next((found for found in (*there, *elsewhere) if found), [])


def pair_up(images: Path, masks: Path, out: Path) -> tuple[list[Pair], list[str]]:
    """(the pictures below a folder with their masks, a line for each picture and each mask that is left without).

    masks: another folder, or the same. A mask (``MASK_ENDINGS``) is named like its picture, but for capitals and an
    addition such as "_mask" (see ``folder_check.bare_name``), and lies in a subfolder of the same name, or one of the
    two in none. In one folder, of two files of one name the PNG is the mask. ``out`` is left aside.
    Raises ``BadInput`` if there is no pair, or if pictures cannot be named apart.
    """
    if (images / "test.txt").is_file() and (images / "dataset").is_dir():
        raise BadInput(f"{images}: is a dataset in the published layout already; expected pictures to make one of")
    pictures, files = _pictures_and_masks(images, masks, out)
    known, left_out = _Masks(masks, files), []
    fitting: dict[Path, list[tuple[str, Path]]] = {}
    for image in pictures:
        where = without_ending(image.relative_to(images))
        found = known.of(where.parent.as_posix(), plain_name(f"{where.name}.png"))
        if len(found) == 1:
            fitting.setdefault(found[0], []).append(("_".join(where.parts), image))
        else:
            told = f"{len(found)} masks, {', '.join(map(str, found[:2]))}" if found else "no mask"
            left_out.append(f"{image}: found {told}; expected one of its name in {masks}")
    pairs = []
    for mask, claims in fitting.items():
        nearest = [each for each in claims if each[1].parent.relative_to(images) == mask.parent.relative_to(masks)]
        taken = nearest or claims
        taken = taken if len(taken) == 1 else []
        pairs += [Pair(stem, image, mask) for stem, image in taken]
        others = (image for stem, image in claims if (stem, image) not in taken)
        left_out += [f"{image}: {mask} fits other pictures too; expected a mask for each" for image in others]
    left_out += [f"{path}: found no picture of its name" for path in files if path not in fitting]
    _check_stems(pairs)
    if not pairs:
        first = f", such as {left_out[0]}" if left_out else ""
        raise BadInput(f"{images}: found no picture with a mask in {masks}{first}")
    return pairs, left_out


def _pictures_and_masks(images: Path, masks: Path, out: Path) -> tuple[list[Path], list[Path]]:
    """The files of each kind, sorted; of two folders one of which lies in the other, each has its own."""
    if images.resolve() != masks.resolve():
        pictures = [path for path in files_below(images, [out, masks]) if is_picture(path)]
        files = [path for path in files_below(masks, [out, images]) if path.name.lower().endswith(MASK_ENDINGS)]
        return sorted(pictures), sorted(files)
    every = list(files_below(images, [out]))
    pictures = [path for path in every if is_picture(path)]
    named = _masks_among(pictures)
    segmentations = [path for path in every if path.name.lower().endswith(SEGMENTATION)]
    return sorted({*pictures} - {*named}), sorted([*named, *segmentations])


def _masks_among(pictures: Iterable[Path]) -> list[Path]:
    """Those that are the mask of another in their folder: PNG, and named as it is, or with "_mask" or the like."""
    of_name: dict[tuple[Path, str], list[Path]] = {}
    for path in pictures:
        of_name.setdefault((path.parent, plain_name(path)), []).append(path)
    masks = []
    for (folder, name), same in of_name.items():
        others = [path for path in same if path.suffix.lower() != ".png"]
        has_picture = bool(others) or (bare_name(same[0]) != name and (folder, bare_name(same[0])) in of_name)
        masks += [path for path in same if path not in others and has_picture]
    return masks


def _check_stems(pairs: Iterable[Pair]) -> None:
    images: dict[str, Path] = {}
    for pair in pairs:
        if not is_stem(pair.stem):
            raise BadInput(f"{pair.image}: {pair.stem!r} cannot stand in a list; expected a plain name")
        if (other := images.setdefault(pair.stem, pair.image)) is not pair.image:
            raise BadInput(f"{pair.image}: would be named {pair.stem!r} as {other}; expected names that differ")


def images_of_patients(stems: Iterable[str], patient: str | None) -> dict[str, list[str]]:
    """Patient -> stems of the images.

    patient: a regular expression that finds in a stem whose it is (its first group that is found, or all that it
    finds); None: each image is of another patient. Raises ``BadInput`` for an expression that finds nothing in a stem.
    """
    of_patient: dict[str, list[str]] = {}
    for stem in sorted(stems):
        of_patient.setdefault(stem if patient is None else _patient_of(stem, patient), []).append(stem)
    return of_patient


def _patient_of(stem: str, patient: str) -> str:
    try:
        found = re.search(patient, stem)
    except re.error as error:
        raise BadInput(f"--patient: {patient!r} is no regular expression ({error})") from None
    if found is None or not found[0] or (found.re.groups and not any(found.groups())):
        raise BadInput(f"--patient: {patient!r} finds nothing in {stem!r}; expected what tells whose image it is")
    return next((group for group in found.groups() if group), found[0])


def draw_patients(patients: Iterable[str], shares: Mapping[str, float], seed: int) -> dict[str, list[str]]:
    """Split -> its patients, for each of ``SPLITS``.

    shares: of the patients, drawn for "test" and "val"; one at least where it is above 0. Raises ``BadInput`` where
    none is left to train on.
    """
    known = sorted(patients)
    drawn = [known[i] for i in np.random.default_rng(seed).permutation(len(known))]
    splits: dict[str, list[str]] = {split: [] for split in SPLITS}
    rest = drawn
    for split, share in shares.items():
        count = max(1, round(share * len(drawn))) if share > 0 else 0
        splits[split], rest = rest[:count], rest[count:]
    if not rest:
        taken = " and ".join(f"{len(splits[split])} for {split}" for split in shares if splits[split])
        raise BadInput(f"patients: found {len(drawn)}, and {taken}; expected some to train on")
    return splits | {"train": rest}


def check_pairs(pairs: Iterable[Pair], on_pair_done: Callable[[], object]) -> Iterator[str]:
    """A line for each pair that cannot be read."""
    for pair in pairs:
        try:
            pair.read()
        except BadInput as error:
            yield str(error)
        on_pair_done()


def make_folder(
    out: Path, pairs: Sequence[Pair], splits: Mapping[str, Iterable[str]], on_pair_done: Callable[[], object]
) -> None:
    """Write ``out``, a new folder: images as 8-bit grey PNG, masks as class ids, both with square pixels, and lists.

    splits: each one's stems. Whole or not at all. Raises ``BadInput`` if ``out`` is there already, or a pair cannot be
    read.
    """
    of_stem = {pair.stem: pair for pair in pairs}
    with new_folder(out) as draft:
        for split, chosen in splits.items():
            stems = sorted(chosen)
            for stem in stems:
                sample = listed_sample(draft, split, stem)
                for path, content in zip((sample.image_path, sample.mask_path), of_stem[stem].read(), strict=True):
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(png_bytes(content))
                on_pair_done()
            if stems:
                (draft / f"{split}.txt").write_text("".join(f"{stem}\n" for stem in stems), encoding="utf-8")
