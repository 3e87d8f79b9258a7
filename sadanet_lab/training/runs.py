"""Trained runs on disk, read: each is whole or not there, and damage is a line, never a wrong number.

results/runs/<method>-<digest of the recipe>/
    recipe.json          the settings
    history.csv          step, learning_rate, loss
    checkpoint*.pt       while training: enough to go on bit for bit, see ``checkpoints``; gone once it is complete
    model.safetensors    the weights
    snapshots/*          weights on the way there, where training was asked to keep some
    predictions/*.png    label maps of the test images, ids 0..3, at their own resolution
    <table>.csv          what was measured of the test images, each of ``evaluation.table_names``; and what studies
                         measured of the run at length, see ``run_store.kept_table``
    evaluation.json      version and tables of that evaluation; another version, and it is made again from the weights
    environment.json     versions, device, threads, commit, seconds
    complete.json        written last, with the sums of all others: without it the run is not done
"""

import io
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from pydantic import ValidationError
from torch import nn

from sadanet_lab import methods
from sadanet_lab.errors import BadInput, one_line
from sadanet_lab.images.png import decode_mask
from sadanet_lab.paths import ROOT, SHIPPED, at_home
from sadanet_lab.training import trainer
from sadanet_lab.training.evaluation import VERSION as EVALUATION_VERSION
from sadanet_lab.training.evaluation import table_names
from sadanet_lab.training.recipe import VERSION as RECIPE_VERSION
from sadanet_lab.training.recipe import Recipe
from sadanet_lab.training.run_files import COMPLETE, MEASURE_AGAIN, TRAIN_AGAIN, WEIGHTS, RunFiles

CUT = "not complete; start its training again and it goes on where it was"
"""Said of a run whose training has not ended."""


@dataclass(frozen=True)
class Run:
    """A complete run's folder."""

    folder: Path

    @property
    def files(self) -> RunFiles:
        """As they are now: another process may be evaluating the run again."""
        return RunFiles(self.folder)

    @cached_property
    def recipe(self) -> Recipe:
        """Raises ``BadInput`` if it is not one of this version, or not the one that the run was made of."""
        path = self.folder / "recipe.json"
        try:
            recipe = Recipe.model_validate_json(self.files.read(path.name))
        except ValidationError as error:
            raise BadInput(f"{path}: not a recipe of this version ({error.errors()[0]['msg']})") from None
        if recipe.version > RECIPE_VERSION:
            raise BadInput(f"{path}: of version {recipe.version}; expected at most {RECIPE_VERSION}")
        made_of = self.files.record["recipe"]
        if recipe.version == RECIPE_VERSION and recipe.digest != made_of:
            raise BadInput(f"{path}: of digest {recipe.digest}; expected {made_of}, which the run was made of")
        return recipe

    @cached_property
    def counts(self) -> pd.DataFrame:
        """Columns stem, class, tp, fp, fn, tn; see ``scores``."""
        return self.table("counts")

    def table(self, name: str) -> pd.DataFrame:
        """One of the tables of ``evaluation.table_names``, or history, or one kept by a study."""
        content = io.BytesIO(self.files.read(f"{name}.csv"))
        try:  # a stem may be called NA; a number that is missing is written as nothing
            return pd.read_csv(content, dtype={"stem": str}, keep_default_na=False, na_values=[""])
        except ValueError as error:
            path = self.folder / f"{name}.csv"
            raise BadInput(f"{path}: not a table ({one_line(str(error).strip())}); {MEASURE_AGAIN}") from None

    @property
    def evaluation_is_current(self) -> bool:
        """Whether what was measured of it is whole, and what ``evaluate`` would measure now."""
        try:
            record = json.loads(self.files.read("evaluation.json"))
        except ValueError:  # as ``BadInput`` is
            return False
        return record == evaluation_record() and bool(self.files.sums) and not self.files.problems(measured_alone=True)

    @cached_property
    def history(self) -> pd.DataFrame:
        """Columns step, learning_rate, loss."""
        return self.table("history")

    @cached_property
    def environment(self) -> dict:
        content = self.files.read("environment.json")
        try:
            return dict(json.loads(content))
        except (TypeError, ValueError) as error:
            raise BadInput(f"{self.folder / 'environment.json'}: damaged ({error}); {TRAIN_AGAIN}") from None

    def prediction(self, stem: str) -> np.ndarray:
        """Label map uint8 (H, W) of a test image, ids 0..3, at its own resolution."""
        name = f"predictions/{stem}.png"
        return decode_mask(self.files.read(name), str(self.folder / name))

    @property
    def snapshots(self) -> dict[int, Path]:
        """Step -> weights that training kept on its way, if it was asked to (``--snapshots``)."""
        return {int(path.stem.removeprefix("step-")): path for path in sorted(self.folder.glob("snapshots/step-*"))}

    def network(self, step: int | None = None) -> nn.Module:
        """The trained network, in evaluation mode, on the CPU; ``step``: as it was then, one of ``snapshots``."""
        network = methods.find_method(self.recipe.method).build(self.recipe.bare_network_settings())
        path = self.folder / WEIGHTS if step is None else self.snapshots[step]
        trainer.load_weights(network, self.weights(path.relative_to(self.folder)), path, self.recipe.method)
        return network.eval().to(memory_format=torch.channels_last)

    def weights(self, name: str | Path = WEIGHTS) -> bytes:
        """Content of its file of weights; raises ``BadInput`` if there is none, or if it is damaged."""
        if not (self.folder / name).is_file():
            raise BadInput(
                f"{self.folder / name}: no such file; a run that is kept for the record has no weights: where they are "
                "needed, or what is measured has changed since, delete its folder and it is trained again"
            )
        return self.files.read(Path(name).as_posix())


def open_run(folder: Path) -> Run:
    """The complete run in a folder; raises ``BadInput`` if it isn't one."""
    folder = Path(folder)
    if not (folder / "recipe.json").is_file():
        raise BadInput(f"{folder}: not a run; expected a folder of results/runs/ with recipe.json in it")
    if not is_complete(folder):
        raise BadInput(f"{folder}: the run is {CUT}")
    run = Run(folder)
    _ = run.recipe
    return run


def find_run(name: str | Path, results: str | Path = "results", start: Path = ROOT) -> Run:
    """The run that ``name`` names: "shipped" is the model inside the package, else its folder, or one in results/runs/.

    Relative paths start at ``start``. Raises ``BadInput`` if there is no such run.
    """
    folder = find_folder(name, results, start)
    if not folder.exists():
        raise BadInput(f"{name}: no such folder, and no run of this name in {start / results / 'runs'}")
    return open_run(folder)


def find_folder(name: str | Path, results: str | Path = "results", start: Path = ROOT) -> Path:
    """As ``find_run``, whether there is such a run or not."""
    if str(name) == "shipped":
        return SHIPPED
    folder, by_name = start / at_home(name), start / results / "runs" / name
    return by_name if by_name.exists() and not folder.exists() else folder


def verify_run(folder: Path) -> tuple[list[str], list[str]]:
    """(problems, remarks) of a run's folder, one line each.

    A problem is a file that is damaged or missing, so that the run, or a part of it, cannot be used.
    """
    if not is_complete(folder) and (folder / "recipe.json").is_file():
        return [], [f"{folder}: {CUT}"]
    try:
        run = open_run(folder)
        problems = run.files.problems()
        if not problems and WEIGHTS in run.files.sums:
            run.network()
    except BadInput as error:
        return [str(error)], []
    if not run.files.sums:
        return [], [f"{folder}: of an earlier version, without sums; `sadanet evaluate RUN --update` adds them"]
    return problems, []


def list_runs(results: Path) -> list[Path]:
    """The folder of every complete run in a results folder, by name, whether it opens or not; no draft of one."""
    return [path.parent for path in sorted((Path(results) / "runs").glob("[!.]*/complete.json"))]


def small_files(run: Run) -> list[str]:
    """``record_files`` and the tables kept by studies: every table of notebooks is computed from them."""
    names = record_files()
    return names + sorted(name for name in run.files.sums if name.endswith(".csv") and name not in names)


def record_files() -> list[str]:
    """The small files of a complete run, all but its weights and predictions.

    Beside them ``complete.json``, which tells which of the run's files there are.
    """
    measured = [f"{name}.csv" for name in table_names()]
    return ["recipe.json", *measured, "evaluation.json", "history.csv", "environment.json"]


def run_folder(recipe: Recipe, results: Path) -> Path:
    return Path(results) / "runs" / recipe.name


def is_complete(folder: Path) -> bool:
    """Whether all of a run is there."""
    return (folder / COMPLETE).is_file()


def evaluation_record() -> dict:
    """What evaluation.json says of one made by this version."""
    return {"version": EVALUATION_VERSION, "tables": sorted(table_names())}
