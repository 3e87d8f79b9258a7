"""A dataset folder in the published layout, made of pictures and masks of any kind that is read here."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np

from sadanet_lab.errors import BadInput
from sadanet_lab.files import new_folder
from sadanet_lab.images.file_search import files_below, is_picture, without_ending
from sadanet_lab.images.folder_check import bare_name, plain_name
from sadanet_lab.images.formats import read_picture
from sadanet_lab.images.label_files import read_labels
from sadanet_lab.images.picture import resize_labels
from sadanet_lab.images.png import png_bytes, read_mask
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
        if labels.shape != image.shape and not self.mask.name.lower().endswith(SEGMENTATION):
            labels = read_mask(self.mask)  # the resolution for print that a PNG has need not be that of its pixels
        if labels.shape == picture.image.shape:  # drawn on pixels that are not square, and not said to be so
            labels = resize_labels(labels, *image.shape)
        if labels.shape != image.shape:
            found, expected = (f"{each.shape[1]} x {each.shape[0]}" for each in (labels, image))
            raise BadInput(f"{self.mask}: mask is {found}, its image {expected}; expected the same size")
        return image, labels


def _same_forms(text: str) -> str:
    """Two ways to write one text in Unicode are one."""
    return unicodedata.normalize("NFC", text)


def _place(path: Path, folder: Path) -> str:
    """The subfolder that a file lies in, "." where it lies in none."""
    return _same_forms(path.parent.relative_to(folder).as_posix())


def _as_file(path: Path) -> PurePath:
    """A picture's name with an ending of its own, so that no part of 1.2.840.10008 passes for one."""
    return PurePath(f"{without_ending(path).name}.png")


def _names(file: PurePath) -> tuple[str, str, str]:
    """A file's name as it is written, but for capitals, and but for what tells a mask: the surest first."""
    return _same_forms(file.stem), plain_name(file), bare_name(file)


class _Masks:
    """The masks of a folder, by place (the subfolder) and name."""

    def __init__(self, folder: Path, files: Iterable[Path]):
        self._by_name: list[dict[str, list[tuple[str, Path]]]] = [{}, {}, {}]
        for path in files:
            for known, name in zip(self._by_name, _names(path), strict=True):
                known.setdefault(name, []).append((_place(path, folder), path))

    def beside(self, place: str, file: PurePath) -> list[Path]:
        """Those in an image's subfolder that fit it best: of its very name before one with "_mask"."""
        return self._first(file, lambda where: where == place)

    def elsewhere(self, place: str, file: PurePath) -> list[Path]:
        """The same in another folder, if the mask or the image lies in none: subfolders may be patients."""
        return self._first(file, lambda where: "." in (where, place))

    def _first(self, file: PurePath, fits: Callable[[str], bool]) -> list[Path]:
        written, plain, _ = _names(file)
        for known, name in zip(self._by_name, (written, plain, plain), strict=True):
            if found := [path for where, path in known.get(name, []) if fits(where)]:
                return found
        return []


def pair_up(images: Path, masks: Path, out: Path) -> tuple[list[Pair], list[str]]:
    """(the pictures below a folder with their masks, a line for each picture and each mask that is left without).

    masks: another folder, or the same. A mask (``MASK_ENDINGS``) is named like its picture, but for capitals and an
    addition such as "_mask" (see ``folder_check.bare_name``), and lies in a subfolder of the same name, or one of the
    two in none and no picture of that name has its mask in its own. In one folder, of two files of one name the PNG is
    the mask. ``out`` is left aside.
    Raises ``BadInput`` if there is no pair, or if pictures cannot be named apart.
    """
    if (images / "test.txt").is_file() and (images / "dataset").is_dir():
        raise BadInput(f"{images}: is a dataset in the published layout already; expected pictures to make one of")
    masks = images if images.resolve() == masks.resolve() else masks  # one folder may be written in two ways
    pictures, files = _pictures_and_masks(images, masks, out)
    known, left_out = _Masks(masks, files), []
    beside = {image: known.beside(_place(image, images), _as_file(image)) for image in pictures}
    at_home = {plain_name(_as_file(image)) for image, found in beside.items() if found}
    fitting: dict[Path, list[tuple[str, Path]]] = {}
    for image, found in beside.items():
        if plain_name(_as_file(image)) not in at_home:
            found = known.elsewhere(_place(image, images), _as_file(image))
        if len(found) == 1:
            stem = "_".join(without_ending(image.relative_to(images)).parts)
            fitting.setdefault(found[0], []).append((stem, image))
        else:
            told = f"{len(found)} masks, {', '.join(map(str, found[:2]))}" if found else "no mask"
            left_out.append(f"{image}: found {told}; expected one of its name in {masks}")
    pairs = []
    for mask, claims in fitting.items():
        nearest = [each for each in claims if _place(each[1], images) == _place(mask, masks)] or claims
        surest = [each for each in nearest if plain_name(_as_file(each[1])) == plain_name(mask)] or nearest
        taken = surest if len(surest) == 1 else []
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
        of_name.setdefault((path.parent, plain_name(_as_file(path))), []).append(path)
    masks = []
    for (folder, name), same in of_name.items():
        others, bare = [path for path in same if path.suffix.lower() != ".png"], bare_name(_as_file(same[0]))
        has_picture = bool(others) or (bare != name and (folder, bare) in of_name)
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
    finds; capitals do not matter); None: each image is of another patient. Raises ``BadInput`` for an expression that
    finds nothing in a stem.
    """
    if patient is None:
        return {stem: [stem] for stem in sorted(stems)}
    first_written: dict[str, str] = {}
    of_patient: dict[str, list[str]] = {}
    for stem in sorted(stems):
        found = _patient_of(stem, patient)
        name = first_written.setdefault(_same_forms(found).casefold(), found)
        of_patient.setdefault(name, []).append(stem)
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
