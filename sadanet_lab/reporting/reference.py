"""Results for the record: tables and figures, and of each run the small files that every table is computed from.

<folder>/
    <notebook>.json, *.csv, ...    as the notebooks left them: results, tables, figures
    articles/<notebook>.json       the executed notebooks, no picture in them: see ``article``; `make site` reads them
    runs/<method>-<digest>/        recipe, counts and the other tables, history, environment; no weights

A run kept so opens like any other (``runs.open_run``), all but its network. Where training takes days, runs are kept
as they get ready (``keep_runs``); copied into a results folder they need not be trained there.
"""

import json
import shutil
from pathlib import Path
from typing import NamedTuple

from sadanet_lab.errors import BadInput
from sadanet_lab.files import writable_folder, write_atomically
from sadanet_lab.images.vpi_folder import read_lists
from sadanet_lab.paths import PHANTOM, ROOT, STANDARD, resolve
from sadanet_lab.reporting.report import NO_CLAIM
from sadanet_lab.training.datasets import open_data
from sadanet_lab.training.profiles import find_profile, gives_verdicts
from sadanet_lab.training.run_files import RunFiles, complete
from sadanet_lab.training.runs import Run, is_complete, list_runs, open_run, small_files
from sadanet_lab.words import counted


def freeze(results: Path, runs: Path, out: Path) -> list[str]:
    """Copy a results folder to ``out``, with the runs that its notebooks used; returns their names.

    results: ``results/<data>-<profile>``, with the executed notebooks in ``results/executed/<data>-<profile>``; runs:
    the folder of runs. ``out`` may hold other notebooks' results already. Raises ``BadInput`` before anything is
    written: if it holds these, for a folder without a notebook's results, for runs, executed notebooks and figures that
    are missing, for runs that another version evaluated, and for results that are not of phantoms, whose images must
    not leave the machine. A notebook's result file comes last: cut short, the same call begins again.
    """
    # Loads nbformat, two seconds, which the notebooks that read the reference are spared.
    from sadanet_lab.reporting.article import article_file, light_copy, results_of_phantoms, without_paths

    _check_apart(out, Path(runs))
    contents = results_of_phantoms(results)
    executed = Path(results).parent / "executed" / Path(results).name
    articles = {path: light_copy(executed / f"{path.stem}.ipynb", path) for path in contents}
    names = sorted({name for content in contents.values() for name in content["findings"].get("runs", [])})
    kept = [open_run(Path(runs) / name) for name in names]
    if others := [problem for problem in map(_not_current, kept) if problem]:
        raise BadInput(others[0])
    if there := [out / path.name for path in contents if (out / path.name).exists()]:
        raise BadInput(f"{there[0]}: already exists; delete what is of this notebook, or freeze to a new folder")
    written = {out / name: _content(path.parent / name) for path, told in contents.items() for name in told["files"]}
    written |= {article_file(out / path.name): article for path, article in articles.items()}
    for path, content in contents.items():
        written[out / path.name] = without_paths(path.read_text(), content["parameters"]["results"])
    for run in kept:
        _keep_run(run, out)
    for path, content in written.items():
        _write(path, content)
    return names


def _check_apart(out: Path, runs: Path) -> None:
    """What is kept has no weights: written over the runs themselves, it would take theirs."""
    if (out / "runs").resolve() == runs.resolve():
        raise BadInput(f"{out}: its runs are those that are to be copied; expected another folder")


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}); expected what the notebook wrote") from None


class Kept(NamedTuple):
    """What ``keep_runs`` has done."""

    names: list[str]
    """Of the runs that it copied."""
    left_out: list[str]
    """One line for each that cannot be opened or read, or that another version evaluated."""


def keep_runs(profile: str, results: Path, out: Path) -> Kept:
    """Copy the complete runs of a profile on its own phantoms to ``out``, all but those that are there as they are now.

    results: the folder that ``runs`` is in. Runs on other data, which may be patients', are left out without a word.
    Raises ``BadInput`` if ``out`` cannot be written to, or holds the very runs that are to be copied.
    """
    _check_apart(out, results / "runs")
    if out.exists():
        writable_folder(out)
    phantoms, names, left_out = open_data(PHANTOM, profile).fingerprint, [], []
    for folder in list_runs(results):
        try:
            run = open_run(folder)
            if run.recipe.profile != profile or run.recipe.data != phantoms:
                continue
            if problem := _not_current(run):
                left_out.append(problem)
            elif not _is_kept(run, out):
                _keep_run(run, out)
                names.append(folder.name)
        except BadInput as error:
            left_out.append(str(error))
    return Kept(names, left_out)


def _not_current(run: Run) -> str:
    """Why a run's tables cannot stand beside others'; "" where they can."""
    if run.evaluation_is_current:
        return ""
    return f"{run.folder}: damaged, or evaluated by another version; expected this one's: sadanet evaluate --all"


def _is_kept(run: Run, out: Path) -> bool:
    folder = out / "runs" / run.folder.name
    return is_complete(folder) and RunFiles(folder).sums == {name: run.files.sums[name] for name in small_files(run)}


def _keep_run(run: Run, out: Path) -> None:
    """All of it or nothing: a run that was kept before stays until the new one is whole."""
    folder, draft = (out / "runs" / name for name in (run.folder.name, f".{run.folder.name}"))
    if folder.is_symlink():
        raise BadInput(f"{folder}: is a link; expected a folder that runs can be copied to")
    contents = {name: run.files.read(name) for name in small_files(run)}
    shutil.rmtree(draft, ignore_errors=True)
    for name, content in contents.items():
        _write(draft / name, content)
    complete(draft, run.files.record["recipe"], contents)
    shutil.rmtree(folder, ignore_errors=True)
    draft.rename(folder)


def reference_runs(notebook: str, reference: Path = STANDARD) -> list[Run]:
    """The runs that a notebook's committed results are made of; none, if there are no such results."""
    path = reference / f"{notebook}.json"
    if not path.is_file():
        return []
    return [open_run(reference / "runs" / name) for name in json.loads(path.read_text())["findings"]["runs"]]


class Judged(NamedTuple):
    """The runs that a notebook's verdicts are drawn from, and what is to be said of that."""

    runs: list[Run]
    """The notebook's own; of a profile that gives no verdicts the committed ones, if there are any."""
    about: str | None
    """Why no verdict is drawn from the notebook's own runs, and from which it is; None where they are judged by."""
    whose: str
    """What the committed ones are: "phantoms, profile `standard`, 5 seeds"; "" of the notebook's own, or of none."""


def judged_runs(notebook: str, profile: str, runs: list[Run], data: str, reference: Path = STANDARD) -> Judged:
    """Which runs verdicts are drawn from, and why; ``runs``: the notebook's own, of ``profile`` and ``data``.

    Of images that are no phantoms never the committed ones.
    """
    if gives_verdicts(profile):
        return Judged(runs, None, "")
    why = f"No verdict is drawn from runs of profile `{profile}`: {find_profile(profile)['no_verdicts']}."
    if data != PHANTOM and not read_lists(resolve(data)).is_phantom:
        return Judged([], f"{why} The committed results are of phantoms, and say nothing of these images.", "")
    kept, place = reference_runs(notebook, reference), f"`{reference.relative_to(ROOT)}`"
    if not kept:
        return Judged([], f"{why} No results of a longer training are kept in {place} yet.", "")
    seeds = len({run.recipe.seed for run in kept})
    whose = f"phantoms, profile `{kept[0].recipe.profile}`, {counted(seeds, 'seed')}"
    return Judged(kept, f"{why} What follows is of the committed results {place} ({whose}). {NO_CLAIM}", whose)


def _write(path: Path, content: str | bytes) -> None:
    write_atomically(writable_folder(path.parent) / path.name, content)
