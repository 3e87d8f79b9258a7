"""Which pictures a cohort has, and what each is called below the output folder."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sadanet_lab.errors import BadInput
from sadanet_lab.images.file_search import ENDINGS, files_below, is_picture, without_ending
from sadanet_lab.images.vpi_folder import list_problems, read_lists

ANGLES = "_angles.json"
OURS = ("_labels.png", "_overlay.png", "_thumbnail.jpg", "_seg.dcm")
"""How pictures end that an earlier cohort left, beside their ``ANGLES``."""


@dataclass(frozen=True)
class Entry:
    """A picture of a cohort: where its files are written, below the output folder, and where it is."""

    name: str
    path: Path


def find_pictures(inputs: Iterable[Path], out: Path) -> list[Entry]:
    """The pictures of files and folders, each once, in order.

    A folder gives its own and its subfolders' pictures (``ENDINGS``, or DICOM), linked ones too; hidden ones, ``out``,
    a DICOMDIR and what an earlier cohort wrote are left aside. A dataset in the published layout gives its test images.
    What ends as a picture and cannot be read is among them, to be told, and so is a subfolder that cannot be. Two of
    one name keep their endings in theirs. Raises ``BadInput`` for a path that does not exist, a folder without a
    picture, one that is ``out`` itself, and a list of test images that is not sound.
    """
    found: dict[Path, Entry] = {}
    for given in inputs:
        for entry in _pictures_of(Path(given), Path(out)):
            found.setdefault(entry.path.resolve(), entry)
    times = Counter(entry.name for entry in found.values())
    entries = [_with_ending(entry) if times[entry.name] > 1 else entry for entry in found.values()]
    first: dict[str, Entry] = {}
    for entry in entries:
        if (other := first.setdefault(entry.name, entry)) is not entry:
            beside = entry.path.parent == other.path.parent
            otherwise = "" if beside else ", or the folder that both are below"
            raise BadInput(f"{entry.path}: has the same name as {other.path}; expected names that differ{otherwise}")
    return entries


def shard_of(entries: Sequence[Entry], number: int, count: int) -> list[Entry]:
    """Of a cohort that ``count`` machines share, what the one with this number (1 to ``count``) does.

    Every ``count``-th in the order of names: the same whatever the order in which the pictures were given.
    """
    return sorted(entries, key=lambda entry: entry.name)[number - 1 :: count]


def _pictures_of(given: Path, out: Path) -> list[Entry]:
    if not given.is_dir():
        if not given.exists():
            raise BadInput(f"{given}: no such file; expected a picture or a folder of pictures")
        return [Entry(without_ending(Path(given.name)).as_posix(), given)]
    if (given / "test.txt").is_file() and (given / "dataset" / "test").is_dir():
        if problems := list_problems(given, "test")[1]:
            raise BadInput(problems[0])
        return [Entry(sample.stem, sample.image_path) for sample in read_lists(given).test]
    if given.resolve() == out.resolve():
        raise BadInput(f"{given}: is the output folder too; expected another, or its pictures could not be told apart")
    closed: list[Path] = []
    files = [path for path in files_below(given, [out], closed.append) if is_picture(path) and not _is_ours(path)]
    files = sorted([*files, *closed])
    if not files:
        raise BadInput(f"{given}: no picture in it; expected {', '.join(ENDINGS)} or DICOM files")
    return [Entry(without_ending(path.relative_to(given)).as_posix(), path) for path in files]


def _is_ours(path: Path) -> bool:
    return any(
        path.name.endswith(end) and path.with_name(path.name.removesuffix(end) + ANGLES).is_file() for end in OURS
    )


def _with_ending(entry: Entry) -> Entry:
    return Entry(f"{entry.name}_{entry.path.suffix[1:].lower()}", entry.path)
