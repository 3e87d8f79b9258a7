"""Trained runs on disk: each is trained once, whoever asks for it, and is whole or not there.

results/runs/<method>-<digest of the recipe>/
    recipe.json          the settings
    history.csv          step, learning_rate, loss
    checkpoint.pt        while training: enough to go on bit for bit; gone once the run is complete
    model.safetensors    the weights
    snapshots/*          weights on the way there, where training was asked to keep some
    predictions/*.png    label maps of the test images, ids 0..3, at their own resolution
    <table>.csv          what was measured of the test images, each of ``evaluation.table_names``
    evaluation.json      version and tables of that evaluation; another version, and it is made again from the weights
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
from safetensors.torch import save_file
from torch import nn

from sadanet_core.blocks import SegmentationNetwork
from sadanet_lab import methods
from sadanet_lab.errors import BadInput
from sadanet_lab.files import lock, writable_folder, write_atomically
from sadanet_lab.images.vpi_folder import VpiFolder, require_training_images
from sadanet_lab.paths import resolve
from sadanet_lab.training import devices, trainer
from sadanet_lab.training.environment import environment
from sadanet_lab.training.evaluation import VERSION as EVALUATION_VERSION
from sadanet_lab.training.evaluation import evaluate, table_names
from sadanet_lab.training.recipe import Recipe, make_recipe


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
        """One of the tables of ``evaluation.table_names``."""
        return pd.read_csv(self.folder / f"{name}.csv", dtype={"stem": str})

    @property
    def evaluation_is_current(self) -> bool:
        """Whether what was measured of it is what ``evaluate`` would measure now."""
        try:
            return json.loads((self.folder / "evaluation.json").read_text()) == _evaluation_record()
        except (OSError, ValueError):
            return False

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
        network = methods.find_method(self.recipe.method).build(settings)
        weights = self.folder / "model.safetensors" if step is None else self.snapshots[step]
        trainer.load_weights(network, weights, self.recipe.method)
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


def list_runs(results: Path) -> list[Path]:
    """The folder of every complete run in a results folder, by name, whether it opens or not."""
    return [path.parent for path in sorted((Path(results) / "runs").glob("*/complete.json"))]


def record_files() -> list[str]:
    """The small files of a complete run, all but its weights and predictions: every table is computed from them."""
    measured = [f"{name}.csv" for name in table_names()]
    return ["recipe.json", *measured, "evaluation.json", "history.csv", "environment.json", "complete.json"]


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

    A stored run whose evaluation is of another version is evaluated again from its weights; it is never trained for
    that. snapshots: how many states of the weights training keeps on its way; a run that is stored already stays as it
    is. Two processes that want the same run do not collide: the second waits and takes what the first made.
    """
    _check_data(recipe, data)
    folder = run_folder(recipe, results)
    if not _is_complete(folder):
        require_training_images(data, recipe.training_images)
        trainer.check_device(device)
        network = trainer.build_network(recipe)  # before the folder is made: weights may be missing
        writable_folder(folder)
        with _lock_run(folder):
            if not _is_complete(folder):
                _train_and_test(network, recipe, data, folder, device, checkpoint_seconds, snapshots)
    (folder / "checkpoint.pt").unlink(missing_ok=True)  # of no more use once the run is complete
    update_evaluation(open_run(folder), data, device)
    return open_run(folder)


def update_evaluation(run: Run, data: VpiFolder, device: str = "auto") -> bool:
    """Evaluate a complete run again from its weights if its evaluation is of another version; whether it was.

    data: what it was trained on; raises ``BadInput`` if that has changed, or if the run has no weights.
    """
    if run.evaluation_is_current:
        return False
    _check_data(run.recipe, data)
    with _lock_run(run.folder):
        if run.evaluation_is_current:
            return False
        network = run.network().to(trainer.find_device(device))
        _evaluate(network, run.recipe, data, run.folder)
    return True


def _check_data(recipe: Recipe, data: VpiFolder) -> None:
    if recipe.data != data.fingerprint:
        raise BadInput(f"{data.root}: has fingerprint {data.fingerprint}; expected the run's data, {recipe.data}")


def _lock_run(folder: Path):
    devices.release()  # never wait for a run with a GPU in hand: the process that makes it may wait for that GPU
    return lock(folder.with_name(f".{folder.name}.lock"), folder.name)


def get_or_train_each(
    method_names: list[str],
    seeds: list[int],
    profile: str,
    data: VpiFolder,
    results: str | Path,
    backbone_weights: str = "",
    backbone: str = "",
    **changes,
) -> list[Run]:
    """The runs of several methods and seeds in a profile, method by method; see ``get_or_train``.

    method_names: see ``methods.expand_names``. backbone: any of timm's, or "" for the profile's own.
    results, backbone_weights (a file, or "" for what the profile says): relative paths start at the project's folder.
    changes: single settings of every recipe; of a list, each in its turn, with all seeds. Raises ``BadInput`` before
    anything is trained: for an empty list or an item named twice (which would pass for a spread of nothing), for a bad
    recipe, for weights that cannot be downloaded.
    """
    method_names = methods.expand_names(method_names)
    changes |= {"backbone": backbone or None}
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
    network: SegmentationNetwork,
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
    device_used = next(network.parameters()).device
    save_file({k: v.contiguous() for k, v in network.state_dict().items()}, folder / "model.safetensors")
    write_atomically(folder / "history.csv", history.to_csv(index=False))
    start = time.monotonic()
    _evaluate(network, recipe, data, folder)
    took = {"training_seconds": round(seconds, 1), "testing_seconds": round(time.monotonic() - start, 1)}
    write_atomically(folder / "environment.json", json.dumps(environment(device_used) | took, indent=2) + "\n")
    write_atomically(folder / "complete.json", json.dumps({"recipe": recipe.digest}) + "\n")


def _evaluate(network: nn.Module, recipe: Recipe, data: VpiFolder, folder: Path) -> None:
    for name, table in evaluate(network, data.test, recipe, folder / "predictions", data.val).items():
        write_atomically(folder / f"{name}.csv", table.to_csv(index=False, float_format="%.6g"))
    write_atomically(folder / "evaluation.json", json.dumps(_evaluation_record()) + "\n")


def _evaluation_record() -> dict:
    return {"version": EVALUATION_VERSION, "tables": sorted(table_names())}
