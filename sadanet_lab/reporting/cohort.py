"""Many pictures segmented by one model, each result on disk as soon as it is there; cut anywhere, it goes on.

<out>/<name>_labels.png, _overlay.png, .seg.nrrd, _thumbnail.jpg, of DICOM _seg.dcm    of each picture,
<out>/<name>_angles.json                                                              written last of these,
<out>/cohort.csv, report.html                                                         of all, see ``cohort_report``
<out>/cohort_3_of_16.csv, report_3_of_16.html                                         of a shard

name: the file's, without its ending, below the folder that was given. The JSON holds the sum over the picture's bytes,
the model and the settings: a picture is done again only if one of these changed. A label map that is no longer as it
was written, or that something else wrote, is left as it is, and told (``EDITED``): the JSON holds their sums too, and
until it is there, <out>/.<name>.unfinished.
"""

import hashlib
import json
import os
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sadanet_lab.errors import BadInput, Failed
from sadanet_lab.files import sum_of, write_atomically
from sadanet_lab.images.content import read_content
from sadanet_lab.images.formats import decode_picture
from sadanet_lab.inference.segmenter import Segmenter
from sadanet_lab.processes import pool_of, undisturbed
from sadanet_lab.progress import progress
from sadanet_lab.reporting.cohort_pictures import ANGLES, Entry
from sadanet_lab.spine.description import as_json
from sadanet_lab.spine.names import USUAL, Convention
from sadanet_lab.training.models import find_model
from sadanet_lab.views.segmented_image import SegmentedImage

VERSION = 6
"""Raised whenever the same picture, model and settings would give other files: pictures are then done again."""
EDITED = ("_labels.png", ".seg.nrrd")
"""What a person may correct, or have made: not written over."""
LONGEST_NAME = 200
"""Bytes of a picture's name: the files that are named after it have more, and file systems take 255."""


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
    return {entry.name: failed[entry.name] for entry in entries if entry.name in failed}  # whoever was done first


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
            "a process died; memory may have run out. What is done is kept: the command goes on, with fewer --jobs"
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
            self._segment(entry)
            return None
        except BadInput as error:
            said = str(error)
            return said if said.startswith(str(entry.path)) else f"{entry.path}: {said}"

    def _segment(self, entry: Entry) -> None:
        angles = self.out / f"{entry.name}{ANGLES}"
        stem = angles.name.removesuffix(ANGLES)
        if (length := len(os.fsencode(stem))) > LONGEST_NAME:
            raise BadInput(f"{entry.path}: a name of {length} bytes; expected at most {LONGEST_NAME}")
        if entry.path.is_dir():  # see ``find_pictures``
            raise BadInput(f"{entry.path}: cannot be read (Permission denied); expected a folder of pictures")
        content, before = read_content(entry.path, "a picture"), _read(angles)
        unfinished = angles.with_name(f".{stem}.unfinished")
        cut = _read(unfinished)
        hashed = self.sum.copy()
        hashed.update(content)
        made_of = hashed.hexdigest()
        if _is_done(before, made_of, angles.parent) and cut.get("made_of") in (None, made_of):
            if before.get("file") != str(entry.path):  # it was moved
                write_atomically(angles, as_json([{**before, "file": str(entry.path)}]) + "\n")
            return
        picture = decode_picture(content, str(entry.path))
        found = self.segmenter(picture.square_image)
        segmented = SegmentedImage(str(entry.path), picture, found, self.settings.convention, self.settings.colours)
        files = {f"{stem}{end}": file for end, file in segmented.files(Path(self.settings.model).name).items()}
        sums = {name: sum_of(file) for name, file in files.items() if name.endswith(EDITED)}
        _check_untouched(sums, [before, cut], angles.parent)
        angles.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(unfinished, as_json([{"sums": cut.get("sums", {}) | sums, "made_of": made_of}]))
        for name, file in files.items():
            write_atomically(angles.with_name(name), file)
        for name in set(before.get("files", ())) - set(files):
            angles.with_name(name).unlink(missing_ok=True)
        told = {"files": list(files), "sums": sums, "made_of": made_of}
        write_atomically(angles, as_json([segmented.angles | told]) + "\n")
        unfinished.unlink()


def _read(angles: Path) -> dict[str, Any]:
    """What a picture's JSON says; nothing, if there is none, or none that can be read."""
    try:
        (found,) = json.loads(angles.read_text(encoding="utf-8"))
        return found if isinstance(found, dict) else {}
    except (OSError, ValueError, TypeError):
        return {}


def _is_done(found: Mapping[str, Any], made_of: str, folder: Path) -> bool:
    """Whether a picture's files are those that would be written; the JSON is the last of them."""
    return found.get("made_of") == made_of and all((folder / name).is_file() for name in found.get("files", ()))


def _check_untouched(sums: Mapping[str, str], written: Sequence[Mapping[str, Any]], folder: Path) -> None:
    """Raises ``BadInput`` where a file that a person may have made would be lost: none that this program wrote.

    sums: of what is to be written, by name; written: what was, as JSON files say. Earlier versions kept no sums.
    """
    for name in filter(lambda name: (folder / name).exists(), sums):
        known = {sums[name], *(one.get("sums", {}).get(name) for one in written)}
        ours = any("sums" not in one and name in one.get("files", ()) for one in written)
        if not ours and sum_of((folder / name).read_bytes()) not in known:
            raise BadInput(
                f"{folder / name} was changed since it was written, or made by something else; expected it as it was: "
                "move it away, or give another --out"
            )


_worker: _Worker | None = None


def _start_worker(settings: Settings, out: Path) -> None:
    global _worker
    _worker = _Worker(settings, out)


def _segment(entry: Entry) -> str | None:
    assert _worker is not None
    return _worker.segment(entry)
