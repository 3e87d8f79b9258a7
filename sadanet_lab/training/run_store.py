"""Trained runs on disk, made: each is trained once, whoever asks for it. See ``runs`` for what is stored."""

import json
import shutil
import sys
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pandas as pd
from torch import nn

from sadanet_core.blocks import SegmentationNetwork
from sadanet_lab import methods
from sadanet_lab.errors import BadInput, Failed, one_line
from sadanet_lab.files import lock, writable_folder, write_atomically
from sadanet_lab.images.vpi_folder import VpiFolder, require_training_images
from sadanet_lab.paths import resolve
from sadanet_lab.training import devices, trainer
from sadanet_lab.training.checkpoints import remove_checkpoints
from sadanet_lab.training.environment import code_of, environment
from sadanet_lab.training.evaluation import evaluate
from sadanet_lab.training.recipe import Recipe, make_recipe
from sadanet_lab.training.run_files import WEIGHTS, add, complete
from sadanet_lab.training.runs import Run, evaluation_record, is_complete, open_run, record_files, run_folder


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
    if is_complete(folder):
        _tell_of_changed_code(open_run(folder))
    else:
        require_training_images(data, recipe.training_images)
        trainer.check_device(device)
        network = trainer.build_network(recipe)  # before the folder is made: weights may be missing
        writable_folder(folder)
        with _lock_run(folder):
            if not is_complete(folder):
                try:
                    _train_and_test(network, recipe, data, folder, device, checkpoint_seconds, snapshots)
                except (RuntimeError, MemoryError) as error:
                    if not devices.ran_out_of_memory(error):
                        raise
                    less = "try a smaller --image, --batch or, where patches are parts of images, --patch"
                    raise Failed(f"{recipe.name}: memory ran out ({one_line(str(error))[:200]}); {less}") from None
    remove_checkpoints(folder)
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
        draft = run.folder / ".evaluation"  # for minutes: who reads the run meanwhile finds the one before
        shutil.rmtree(draft, ignore_errors=True)
        _evaluate(network, run.recipe, data, draft)
        for path in sorted(path for path in draft.rglob("*") if path.is_file()):
            place = run.folder / path.relative_to(draft)
            place.parent.mkdir(exist_ok=True)
            path.replace(place)
        shutil.rmtree(draft)
        _complete(run.recipe, run.folder)
    return True


def kept_table(run: Run, name: str, make: Callable[[], pd.DataFrame]) -> pd.DataFrame:
    """What a study measures of a run at length: made once, kept with it as ``<name>.csv`` until it is evaluated anew.

    name: another one wherever ``make`` looks at something else than the run and the images it was tested on. A run
    outside of a results folder, such as the shipped one, keeps nothing.
    """
    if run.folder.parent.name != "runs":
        return make()
    if f"{name}.csv" not in run.files.sums:
        with _lock_run(run.folder):
            if f"{name}.csv" not in run.files.sums:
                add(run.files, f"{name}.csv", make().to_csv(index=False, float_format="%.6g"))
    return run.table(name)


def _check_data(recipe: Recipe, data: VpiFolder) -> None:
    if recipe.data != data.fingerprint:
        raise BadInput(f"{data.root}: has fingerprint {data.fingerprint}; expected the run's data, {recipe.data}")


def _tell_of_changed_code(run: Run) -> None:
    """A run's name goes by its settings: of code that was edited since, a person must say what it changes."""
    now = code_of(run.recipe.method)
    if run.environment.get("code", now) != now:  # earlier runs have none
        told = "trained by other code of its network or loss than there is now; to train it anew, delete it"
        print(f"{run.folder}: {told}", file=sys.stderr)


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
    pretrained = (r for r in recipes if r.weights != "none" and not is_complete(run_folder(r, results)))
    for recipe in {r.backbone: r for r in pretrained}.values():
        trainer.build_network(recipe)
    return [get_or_train(recipe, data, results) for recipe in recipes]


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
    write_atomically(folder / WEIGHTS, trainer.weights_content(network))
    write_atomically(folder / "history.csv", history.to_csv(index=False))
    start = time.monotonic()
    _evaluate(network, recipe, data, folder)
    took = {"training_seconds": round(seconds, 1), "testing_seconds": round(time.monotonic() - start, 1)}
    made_with = environment(device_used) | took | {"code": code_of(recipe.method)}
    write_atomically(folder / "environment.json", json.dumps(made_with, indent=2) + "\n")
    _complete(recipe, folder)


def _complete(recipe: Recipe, folder: Path) -> None:
    many = [path for pattern in ("snapshots/step-*", "predictions/*.png") for path in sorted(folder.glob(pattern))]
    names = [*record_files(), WEIGHTS, *(path.relative_to(folder).as_posix() for path in many)]
    complete(folder, recipe.digest, names)


def _evaluate(network: nn.Module, recipe: Recipe, data: VpiFolder, folder: Path) -> None:
    for name, table in evaluate(network, data.test, recipe, folder / "predictions", data.val).items():
        write_atomically(folder / f"{name}.csv", table.to_csv(index=False, float_format="%.6g"))
    write_atomically(folder / "evaluation.json", json.dumps(evaluation_record()) + "\n")
