"""Results for the record: tables and figures, and of each run the small files that every table is computed from.

<folder>/
    *.csv, *.md, *.png, *.json     as the notebooks left them
    runs/<method>-<digest>/        recipe, counts and the other tables, history, environment; no weights

A run kept so opens like any other (``run_store.open_run``), all but its network.
"""

import json
import re
import shutil
from pathlib import Path

from sadanet_lab.errors import BadInput
from sadanet_lab.paths import PHANTOM
from sadanet_lab.training.run_store import open_run, record_files


def freeze(results: Path, runs: Path, out: Path) -> list[str]:
    """Copy a results folder to ``out``, a new folder, with the runs that its notebooks used; returns their names.

    results: ``results/<data>-<profile>``; runs: the folder of runs. Raises ``BadInput`` before anything is written: for
    a folder without a notebook's results, for runs that are missing, and for results that are not of phantoms, whose
    images must not leave the machine.
    """
    contents = {path: json.loads(path.read_text()) for path in sorted(Path(results).glob("[0-9]*.json"))}
    if not contents:
        raise BadInput(f"{results}: no notebook's results; expected a folder such as results/phantom-quick")
    for path, content in contents.items():
        if (data := content["parameters"]["data"]) != PHANTOM:
            raise BadInput(f"{path}: made of data {data!r}; expected phantoms, not patients' images")
        image = content["parameters"].get("image", "")
        if image and not re.fullmatch(r"phantom_\d+", image):
            raise BadInput(f"{path}: shows {image}; expected a phantom, not a patient's image")
    names = sorted({name for content in contents.values() for name in content["findings"].get("runs", [])})
    folders = [open_run(Path(runs) / name).folder for name in names]
    if Path(out).exists():
        raise BadInput(f"{out}: already exists; expected a new folder")
    for path, content in contents.items():
        for name in (path.name, *content["files"]):
            _copy(path.parent / name, out / name)
    for folder in folders:
        for name in record_files():
            _copy(folder / name, out / "runs" / folder.name / name)
    return names


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
