"""The files of a complete run, each of them only as it was written: ``complete.json`` holds a sum of every one.

    {"recipe": "<digest>", "sums": {"<file>": "<16 hex digits>", ...}}

What is read goes by its sum, so that damage ends in a line and never in a wrong number. Runs of earlier versions have
no sums; nothing of them can be checked until they are evaluated again.
"""

import json
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

from sadanet_lab.errors import BadInput
from sadanet_lab.files import sum_of, write_atomically

COMPLETE, WEIGHTS = "complete.json", "model.safetensors"
TRAIN_AGAIN = "delete the run's folder and train it again, or take it from a copy"
MEASURE_AGAIN = "`sadanet evaluate RUN --update` makes it again from the weights"


class RunFiles:
    """Of a run's folder. folder: where ``complete.json`` is."""

    def __init__(self, folder: Path):
        self.folder = folder

    @cached_property
    def record(self) -> dict[str, Any]:
        """What ``complete.json`` says; raises ``BadInput`` if it cannot be read."""
        path = self.folder / COMPLETE
        try:
            record = json.loads(path.read_bytes())
            if not isinstance(record["recipe"], str) or not isinstance(record.get("sums", {}), dict):
                raise TypeError
        except (OSError, ValueError, KeyError, TypeError):
            raise BadInput(f"{path}: damaged; expected the run's digest and its files' sums; {TRAIN_AGAIN}") from None
        return record

    @property
    def sums(self) -> dict[str, str]:
        """File -> sum; empty for a run of an earlier version."""
        return self.record.get("sums", {})

    def read(self, name: str) -> bytes:
        """The content of a file; raises ``BadInput`` if it is missing or not what was written."""
        problem, content = self._look_at(name)
        if problem:
            raise BadInput(problem)
        return content

    def problems(self, measured_alone: bool = False) -> list[str]:
        """One line for every file that is missing or not what was written."""
        names = [name for name in self.sums if not measured_alone or is_measured(name)]
        return [problem for problem, _ in map(self._look_at, names) if problem]

    def _look_at(self, name: str) -> tuple[str, bytes]:
        """(problem or "", content)."""
        path, remedy = self.folder / name, MEASURE_AGAIN if is_measured(name) else TRAIN_AGAIN
        try:
            content = path.read_bytes()
        except OSError as error:
            return f"{path}: cannot be read ({error.strerror}); {remedy}", b""
        if self.sums and self.sums.get(name) != sum_of(content):
            return f"{path}: damaged, not what the run wrote; {remedy}", b""
        return "", content


def is_measured(name: str) -> bool:
    """Whether a run's file comes from testing it: then it can be made again from the weights."""
    return (
        name == "evaluation.json"
        or name.startswith("predictions/")
        or (name.endswith(".csv") and name != "history.csv")
    )


def add(files: RunFiles, name: str, content: str) -> None:
    """Write one file more of a complete run; it is the run's from when its sum is written, last."""
    write_atomically(files.folder / name, content)
    sums = files.sums | {name: sum_of(content.encode())}
    write_atomically(files.folder / COMPLETE, _record(files.record["recipe"], sums))


def complete(folder: Path, recipe: str, names: Iterable[str]) -> None:
    """Declare a run complete, last of all: write the sums of its files, of those of ``names`` that are there.

    recipe: digest of its recipe.
    """
    sums = {name: sum_of((folder / name).read_bytes()) for name in names if (folder / name).is_file()}
    write_atomically(folder / COMPLETE, _record(recipe, sums))


def _record(recipe: str, sums: dict[str, str]) -> str:
    return json.dumps({"recipe": recipe, "sums": sums}, indent=0) + "\n"
