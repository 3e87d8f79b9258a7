"""Results for the record: tables and figures, and of each run the small files that every table is computed from.

<folder>/
    <notebook>.json, *.csv, ...    as the notebooks left them: results, tables, figures
    articles/<notebook>.json       the executed notebooks, no picture in them: see ``article``; `make site` reads them
    runs/<method>-<digest>/        recipe, counts and the other tables, history, environment; no weights

A run kept so opens like any other (``runs.open_run``), all but its network. Where training takes days, runs are kept
as they get ready (``keep_runs``); copied into a results folder they need not be trained there.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from sadanet_lab.errors import BadInput
from sadanet_lab.files import writable_folder, write_atomically
from sadanet_lab.paths import PHANTOM, ROOT, STANDARD
from sadanet_lab.reporting.article import article_file, light_copy, results_of_phantoms, without_paths
from sadanet_lab.reporting.report import NO_CLAIM
from sadanet_lab.studies.finding import counted
from sadanet_lab.training.datasets import open_data
from sadanet_lab.training.profiles import find_profile, gives_verdicts
from sadanet_lab.training.run_files import RunFiles, complete
from sadanet_lab.training.runs import Run, is_complete, list_runs, open_run, small_files


def freeze(results: Path, runs: Path, out: Path) -> list[str]:
    """Copy a results folder to ``out``, with the runs that its notebooks used; returns their names.

    results: ``results/<data>-<profile>``, with the executed notebooks in ``results/executed/<data>-<profile>``; runs:
    the folder of runs. ``out`` may hold other notebooks' results already. Raises ``BadInput`` before anything is
    written: if it holds these, for a folder without a notebook's results, for runs and executed notebooks that are
    missing, and for results that are not of phantoms, whose images must not leave the machine.
    """
    contents = results_of_phantoms(results)
    executed = Path(results).parent / "executed" / Path(results).name
    articles = {path: light_copy(executed / f"{path.stem}.ipynb", path) for path in contents}
    names = sorted({name for content in contents.values() for name in content["findings"].get("runs", [])})
    kept = [open_run(Path(runs) / name) for name in names]
    if there := [out / path.name for path in contents if (out / path.name).exists()]:
        raise BadInput(f"{there[0]}: already exists; delete the folder, or freeze to a new one")
    for path, content in contents.items():
        for name in content["files"]:
            _write(out / name, (path.parent / name).read_bytes())
        told = without_paths(path.read_text(), content["parameters"]["results"])
        _write(out / path.name, told)
        _write(article_file(out / path.name), articles[path])
    for run in kept:
        _keep_run(run, out)
    return names


def keep_runs(profile: str, results: Path, out: Path) -> list[str]:
    """Copy the complete runs of a profile on its own phantoms to ``out``, all but those that are there as they are now;
    returns their names.

    results: the folder that ``runs`` is in. Runs on other data, which may be patients', are left out.
    """
    phantoms = open_data(PHANTOM, profile).fingerprint
    runs = [open_run(folder) for folder in list_runs(results)]
    runs = [run for run in runs if run.recipe.profile == profile and run.recipe.data == phantoms]
    kept = [run for run in runs if not _is_kept(run, out)]
    for run in kept:
        _keep_run(run, out)
    return [run.folder.name for run in kept]


def _is_kept(run: Run, out: Path) -> bool:
    folder = out / "runs" / run.folder.name
    return is_complete(folder) and RunFiles(folder).sums == {name: run.files.sums[name] for name in small_files(run)}


def _keep_run(run: Run, out: Path) -> None:
    folder = out / "runs" / run.folder.name
    for name in small_files(run):
        _write(folder / name, run.files.read(name))
    complete(folder, run.files.record["recipe"], small_files(run))


def reference_runs(notebook: str, reference: Path = STANDARD) -> list[Run]:
    """The runs that a notebook's committed results are made of; none, if there are no such results."""
    path = reference / f"{notebook}.json"
    if not path.is_file():
        return []
    return [open_run(reference / "runs" / name) for name in json.loads(path.read_text())["findings"]["runs"]]


def judged_runs(notebook: str, profile: str, runs: list[Run], reference: Path = STANDARD) -> list[Run]:
    """The runs that methods are judged by: a notebook's own, or, of a profile without verdicts, the committed ones."""
    return runs if gives_verdicts(profile) else reference_runs(notebook, reference)


def about_verdicts(profile: str, runs: Sequence[Run], reference: Path = STANDARD) -> str:
    """Why methods are not judged by the profile's own runs, and by which they are; "" where they are."""
    if gives_verdicts(profile):
        return ""
    why = f"Runs of profile `{profile}` are not judged by: {find_profile(profile)['no_verdicts']}."
    if not runs:
        return f"{why} No results of a longer training are kept in `{reference.relative_to(ROOT)}` yet."
    of = f"`{reference.relative_to(ROOT)}` ({committed(profile, runs)})"
    return f"{why} What follows is of the committed results {of}. {NO_CLAIM}"


def committed(profile: str, runs: Sequence[Run]) -> str:
    """Whose results are shown where a profile gives no verdicts: "profile `standard`, 5 seeds"; "" where they are its
    own, or where there are none."""
    if gives_verdicts(profile) or not runs:
        return ""
    return f"profile `{runs[0].recipe.profile}`, {counted(len({run.recipe.seed for run in runs}), 'seed')}"


def _write(path: Path, content: str | bytes) -> None:
    write_atomically(writable_folder(path.parent) / path.name, content)
