"""Trained runs on disk: each is trained once, whoever asks for it, and is whole or not there.

results/runs/<method>-<digest of the recipe>/
    recipe.json          the settings
    history.csv          step, learning_rate, loss
    checkpoint.pt        while training: enough to go on bit for bit; gone once the run is complete
    model.safetensors    the weights
    snapshots/*          weights on the way there, where training was asked to keep some
    predictions/*.png    label maps of the test images, ids 0..3, at their own resolution
    counts.csv           TP, FP, FN, TN of each test image and class: every score comes from it
    confusion.csv, surfaces.csv, calibration.csv     more of the test images; see the modules of these names
    angles.csv           largest curve angle of each test image as predicted; see ``evaluation.angle_of``
    environment.json     versions, device, threads, commit, seconds
    complete.json        written last: without it the run is not done
"""

import json
import time
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path

import pandas as pd
import torch
from pydantic import ValidationError
from safetensors.torch import load_file, save_file
from torch import nn

from sadanet_core import methods
from sadanet_core.errors import BadInput
from sadanet_core.experiment import trainer
from sadanet_core.experiment.environment import environment
from sadanet_core.experiment.evaluation import evaluate
from sadanet_core.experiment.recipe import Recipe, make_recipe
from sadanet_core.images.vpi_folder import VpiFolder
from sadanet_core.places import locked, resolve, writable_folder, write_atomically


@dataclass(frozen=True)
class Run:
    """A complete run's folder."""

    folder: Path

    @cached_property
    def recipe(self) -> Recipe:
        return Recipe.model_validate_json((self.folder / "recipe.json").read_text())

    @cached_property
    def counts(self) -> pd.DataFrame:
        """Columns stem, class, tp, fp, fn, tn; see ``scores``."""
        return self.table("counts")

    def table(self, name: str) -> pd.DataFrame:
        """One of the tables of ``evaluation.evaluate``: counts, confusion, surfaces, angles, calibration."""
        return pd.read_csv(self.folder / f"{name}.csv", dtype={"stem": str})

    @cached_property
    def history(self) -> pd.DataFrame:
        """Columns step, learning_rate, loss."""
        return pd.read_csv(self.folder / "history.csv")

    @cached_property
    def environment(self) -> dict:
        return json.loads((self.folder / "environment.json").read_text())

    def prediction_path(self, stem: str) -> Path:
        """Label map of a test image, ids 0..3, at its own resolution."""
        return self.folder / "predictions" / f"{stem}.png"

    @property
    def snapshots(self) -> dict[int, Path]:
        """Step -> weights that training kept on its way, if it was asked to (``--snapshots``)."""
        return {int(path.stem.removeprefix("step-")): path for path in sorted(self.folder.glob("snapshots/step-*"))}

    def network(self, step: int | None = None) -> nn.Module:
        """The trained network, in evaluation mode, on the CPU; ``step``: as it was then, one of ``snapshots``."""
        settings = self.recipe.model_copy(update={"weights": "none"}).network_settings()
        network = methods.find(self.recipe.method).build(settings)
        weights = self.folder / "model.safetensors" if step is None else self.snapshots[step]
        if not weights.is_file():
            raise BadInput(f"{weights}: no such file; a run that is kept for the record has no weights")
        network.load_state_dict(load_file(weights))
        return network.eval().to(memory_format=torch.channels_last)


def open_run(folder: Path) -> Run:
    """The complete run in a folder; raises ``BadInput`` if it isn't one."""
    folder = Path(folder)
    if not (folder / "recipe.json").is_file():
        raise BadInput(f"{folder}: not a run; expected a folder of results/runs/ with recipe.json in it")
    if not _is_complete(folder):
        raise BadInput(f"{folder}: the run is not complete; start its training again and it goes on where it was")
    run = Run(folder)
    try:
        _ = run.recipe
    except ValidationError as error:
        raise BadInput(f"{folder / 'recipe.json'}: not a recipe of this version ({error.errors()[0]['msg']})") from None
    return run


def run_folder(recipe: Recipe, results: Path) -> Path:
    return Path(results) / "runs" / recipe.name


def get_or_train(
    recipe: Recipe,
    data: VpiFolder,
    results: Path,
    device: str = "auto",
    checkpoint_seconds: float = trainer.CHECKPOINT_SECONDS,
    snapshots: int = 0,
) -> Run:
    """The run of a recipe: the stored one if it is complete, otherwise trained, going on from its checkpoint.

    snapshots: how many states of the weights training keeps on its way; a run that is stored already stays as it is.
    Two processes that want the same run do not collide: the second waits and takes what the first made.
    """
    if recipe.data != data.fingerprint:
        raise ValueError(f"the recipe is for data {recipe.data}, the folder {data.root} is {data.fingerprint}")
    folder = run_folder(recipe, results)
    if not _is_complete(folder):
        trainer.check_device(device)
        network = trainer.build_network(recipe)  # before the folder is made: weights may not be had
        writable_folder(folder)
        with locked(folder.with_name(f".{folder.name}.lock"), recipe.name):
            if not _is_complete(folder):
                _train_and_test(network, recipe, data, folder, device, checkpoint_seconds, snapshots)
    (folder / "checkpoint.pt").unlink(missing_ok=True)  # of no more use once the run is complete
    return open_run(folder)


def get_or_train_each(
    method_names: list[str],
    seeds: list[int],
    profile: str,
    data: VpiFolder,
    results: str | Path,
    backbone_weights: str = "",
    **changes,
) -> list[Run]:
    """The runs of several methods and seeds in a profile, method by method; see ``get_or_train``.

    results, backbone_weights (a file, or "" for what the profile says): relative paths start at the project's folder.
    changes: single settings of every recipe; of a list, each in its turn, with all seeds. Raises ``BadInput`` before
    anything is trained: for an empty list or an item named twice (which would pass for a spread of nothing), for a bad
    recipe, for weights that can't be had.
    """
    varied = {name: value for name, value in changes.items() if isinstance(value, list)}
    for what, items in {"methods": method_names, "seeds": seeds, **varied}.items():
        if not items or len(set(items)) < len(items):
            raise BadInput(f"{what}: found {items}; expected one or more, each once")
    weights = resolve(backbone_weights) if backbone_weights else None
    sweep = [changes | dict(zip(varied, values, strict=True)) for values in product(*varied.values())]
    recipes = [
        make_recipe(method, profile, data.fingerprint, weights, seed=seed, **settings)
        for method, settings, seed in product(method_names, sweep, seeds)
    ]
    results = resolve(results)
    for recipe in {r.method: r for r in recipes}.values():
        trainer.check_network(recipe)
    pretrained = (r for r in recipes if r.weights != "none" and not _is_complete(run_folder(r, results)))
    for recipe in {r.backbone: r for r in pretrained}.values():
        trainer.build_network(recipe)
    return [get_or_train(recipe, data, results) for recipe in recipes]


def _is_complete(folder: Path) -> bool:
    return (folder / "complete.json").is_file()


def _train_and_test(
    network: nn.Module,
    recipe: Recipe,
    data: VpiFolder,
    folder: Path,
    device: str,
    checkpoint_seconds: float,
    snapshots: int,
) -> None:
    write_atomically(folder / "recipe.json", recipe.model_dump_json(indent=2) + "\n")
    history, seconds = trainer.train(network, recipe, data, folder, device, checkpoint_seconds, snapshots)
    network.eval()
    start = time.monotonic()
    tables = evaluate(network, data.test, recipe, folder / "predictions")
    device_used = next(network.parameters()).device
    save_file({k: v.contiguous() for k, v in network.state_dict().items()}, folder / "model.safetensors")
    write_atomically(folder / "history.csv", history.to_csv(index=False))
    for name, table in tables.items():
        write_atomically(folder / f"{name}.csv", table.to_csv(index=False, float_format="%.6g"))
    took = {"training_seconds": round(seconds, 1), "testing_seconds": round(time.monotonic() - start, 1)}
    write_atomically(folder / "environment.json", json.dumps(environment(device_used) | took, indent=2) + "\n")
    write_atomically(folder / "complete.json", json.dumps({"recipe": recipe.digest}) + "\n")
