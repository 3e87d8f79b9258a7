"""Many pictures segmented by one model, each result on disk as soon as it is there; cut anywhere, it goes on.

<out>/<name>_labels.png, _overlay.png, .seg.nrrd, _thumbnail.jpg, of DICOM _seg.dcm    of each picture,
<out>/<name>_angles.json                                                              written last of these,
<out>/cohort.csv, report.html                                                         of all, see ``cohort_report``
<out>/cohort_3_of_16.csv, report_3_of_16.html                                         of a shard

name: the file's, without its ending, below the folder that was given. The JSON holds the sum over the picture's bytes,
the model and the settings: a picture is done again only if one of these changed.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, nullcontext
from dataclasses import dataclass
from pathlib import Path

from sadanet_lab.errors import BadInput, Failed
from sadanet_lab.files import write_atomically
from sadanet_lab.images.content import read_content
from sadanet_lab.images.formats import decode_picture
from sadanet_lab.images.vpi_folder import read_lists
from sadanet_lab.inference.segmenter import Segmenter
from sadanet_lab.processes import pool_of, undisturbed
from sadanet_lab.progress import progress
from sadanet_lab.spine.description import as_json
from sadanet_lab.spine.names import USUAL, Convention
from sadanet_lab.training.models import find_model
from sadanet_lab.views.segmented_image import SegmentedImage

ENDINGS = (".png", ".tif", ".tiff", ".bmp", ".jpg", ".jpeg", ".dcm", ".dicom")
"""Of files that are taken from a folder; others are, too, if they begin as DICOM does."""
VERSION = 2
"""Raised whenever the same picture, model and settings would give other files: pictures are then done again."""
ANGLES = "_angles.json"


@dataclass(frozen=True)
class Settings:
    """What decides a picture's files beside its bytes. model: see ``training.models.find_model``."""

    model: str = "shipped"
    results: str = "results"
    start: str = "."
    """Where the model's relative path starts."""
    averaged: bool = False
    convention: Convention = USUAL
    colours: str = "safe"
    """One of ``spine.classes.PALETTES``."""


@dataclass(frozen=True)
class Entry:
    """A picture of a cohort: where its files are written, below the output folder, and where it is."""

    name: str
    path: Path


def find_pictures(inputs: Iterable[Path], out: Path) -> list[Entry]:
    """The pictures of files and folders, each once, in order.

    A folder gives its own and its subfolders' pictures (``ENDINGS``, or DICOM), hidden ones and ``out`` left aside; a
    dataset in the published layout its test images. Two of one name keep their endings in theirs. Raises ``BadInput``
    for a path that does not exist, a folder without a picture, and one that is ``out`` itself.
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
            raise BadInput(f"{entry.path}: has the same name as {other.path}; expected names that differ")
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
        return [Entry(_name(Path(given.name)), given)]
    if (given / "test.txt").is_file():
        return [Entry(sample.stem, sample.image_path) for sample in read_lists(given).test]
    inside, out = given.resolve(), out.resolve()
    if inside == out:
        raise BadInput(f"{given}: is the output folder too; expected another, or its pictures could not be told apart")
    written = out if inside in out.parents else None
    files = [
        path
        for path in sorted(given.rglob("*"))
        if not any(part.startswith(".") for part in path.relative_to(given).parts)
        and path.is_file()
        and written not in path.resolve().parents
        and (path.suffix.lower() in ENDINGS or _is_dicom(path))
    ]
    if not files:
        raise BadInput(f"{given}: no picture in it; expected {', '.join(ENDINGS)} or DICOM files")
    return [Entry(_name(path.relative_to(given)), path) for path in files]


def _name(path: Path) -> str:
    known = path.suffix.lower() in ENDINGS  # what follows the last dot of 1.2.840.10008 is no ending
    return (path.with_suffix("") if known else path).as_posix()


def _with_ending(entry: Entry) -> Entry:
    return Entry(f"{entry.name}_{entry.path.suffix[1:].lower()}", entry.path)


def _is_dicom(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(132).endswith(b"DICM")
    except OSError:
        return False


def segment_all(entries: list[Entry], settings: Settings, out: Path, jobs: int) -> dict[str, str]:
    """Segment what is not done yet, with as many processes; returns name -> reason of what could not be.

    A picture that cannot be read is such a line; a file that cannot be written ends it all (``OSError``).
    """
    jobs = min(jobs, len(entries))
    worker = _Worker(settings, out)  # here too: a model that is not there is told before processes start
    told = _one_by_one(entries, worker) if jobs == 1 else _side_by_side(entries, settings, out, jobs)
    failed: dict[str, str] = {}
    shown = progress(len(entries), "done", "pictures") if len(entries) > 1 else nullcontext()
    with closing(told), shown as bar:
        for entry, reason in told:
            if reason is not None:
                failed[entry.name] = reason
            if bar is not None:
                bar.update()
    return failed


Told = Generator[tuple[Entry, str | None], None, None]
"""Each picture, as it is done, and why it could not be."""


def _one_by_one(entries: list[Entry], worker: "_Worker") -> Told:
    for entry in entries:
        yield entry, worker.segment(entry)


def _side_by_side(entries: list[Entry], settings: Settings, out: Path, jobs: int) -> Told:
    """Processes of one thread each; only a few pictures wait in line, so that memory does not grow with the cohort."""
    left, waiting = iter(entries), dict[Future, Entry]()
    try:
        with pool_of(jobs, _start_worker, settings, out) as pool:
            while True:
                while len(waiting) < 2 * jobs and (entry := next(left, None)) is not None:
                    with undisturbed():
                        waiting[pool.submit(_segment, entry)] = entry
                if not waiting:
                    return
                for done in wait(waiting, return_when=FIRST_COMPLETED).done:
                    yield waiting.pop(done), done.result()
    except BrokenProcessPool:
        raise Failed(
            "a process died; memory may have run out. What is done is kept: the same command goes on"
        ) from None


class _Worker:
    """One process's model."""

    def __init__(self, settings: Settings, out: Path):
        model = find_model(settings.model, settings.results, Path(settings.start))
        self.segmenter, self.settings, self.out = Segmenter(model, settings.averaged), settings, out
        said = (VERSION, model.identity, model.limits, settings.averaged, settings.convention, settings.colours)
        self.sum = hashlib.sha256(repr(said).encode())

    def segment(self, entry: Entry) -> str | None:
        """Write a picture's files, if they are not there; returns why it could not be segmented, or None."""
        try:
            content = read_content(entry.path, "a picture")
        except BadInput as error:
            return str(error)
        made_of = self.sum.copy()
        made_of.update(content)
        angles = self.out / f"{entry.name}{ANGLES}"
        if _is_done(angles, made_of.hexdigest()):
            return None
        try:
            picture = decode_picture(content, str(entry.path))
        except BadInput as error:
            return str(error)
        angles.parent.mkdir(parents=True, exist_ok=True)
        angles.unlink(missing_ok=True)
        found = self.segmenter(picture.square_image)
        segmented = SegmentedImage(str(entry.path), picture, found, self.settings.convention, self.settings.colours)
        files, told = segmented.files(self.settings.model), segmented.angles
        stem = angles.name.removesuffix(ANGLES)
        told |= {"files": [f"{stem}{end}" for end in files], "made_of": made_of.hexdigest()}
        for end, file in files.items():
            write_atomically(angles.with_name(f"{stem}{end}"), file)
        write_atomically(angles, as_json([told]) + "\n")
        return None


def _is_done(angles: Path, made_of: str) -> bool:
    """Whether a picture's files are those that would be written; the JSON is the last of them."""
    try:
        (found,) = json.loads(angles.read_text(encoding="utf-8"))
        return found["made_of"] == made_of and all((angles.parent / name).is_file() for name in found["files"])
    except (OSError, ValueError, KeyError, TypeError):
        return False


_worker: _Worker | None = None


def _start_worker(settings: Settings, out: Path) -> None:
    global _worker
    _worker = _Worker(settings, out)


def _segment(entry: Entry) -> str | None:
    assert _worker is not None
    return _worker.segment(entry)
