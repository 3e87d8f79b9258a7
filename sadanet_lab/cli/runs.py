"""Commands that make runs and test them."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sadanet_lab.cli.options import (
    DEVICE,
    FOLDER,
    FORMAT,
    HEAD,
    METHODS,
    PROFILE,
    RESULTS,
    SEED,
    Number,
    Size,
    existing_results,
    main,
    named_run,
    results_folder,
)
from sadanet_lab.errors import BadInput
from sadanet_lab.paths import PHANTOM

if TYPE_CHECKING:
    from sadanet_lab.images.vpi_folder import VpiFolder
    from sadanet_lab.training.runs import Run


@main.command()
@click.option("--method", help=f"{METHODS} Not needed where --start says it.")
@HEAD
@click.option("--normalisation", help="Form of the channel attention's softmax.  [default: the method's first]")
@click.option("--loss", help="Loss of the method.  [default: the method's first]")
@click.option("--data", default=PHANTOM, help='Dataset folder, or "phantom" for the profile\'s own.')
@PROFILE
@click.option("--seed", type=SEED, default=0, help="Seed of the first weights and of the patches.")
@click.option(
    "--learning-rate", type=Number(0, 100, min_open=True), help="First learning rate.  [default: the paper's]"
)
@click.option("--lambda-dice", type=Number(0, 1e6), help="Weight of the Dice loss, Eq. (7).  [default: the paper's]")
@click.option(
    "--gamma", type=Number(-1e6, 1e6), help="First value of the attention's learned scalar.  [default: the method's]"
)
@click.option("--first-weights", help="released (by each method's authors) or pytorch.  [default: the profile's]")
@click.option(
    "--margin",
    type=click.IntRange(0, 4096),
    help="Black rows above and below, a multiple of 16.  [default: the profile's]",
)
@click.option("--augmentation", help="paper, upright, rescaled (SA2Net's) or randomised.  [default: the profile's]")
@click.option(
    "--test-scale", "test_scales", type=Number(0.25, 4), multiple=True, help="Test at this scale; several are averaged."
)
@click.option("--test-flip", is_flag=True, default=None, help="Test with the mirror image too, averaged.")
@click.option("--length", type=Number(0, 1000, min_open=True), help="Share of the profile's iterations.")
@click.option("--backbone", help="Any timm backbone, in place of the profile's.")
@click.option("--backbone-weights", type=FOLDER, help="File with timm's state dict, in place of the profile's weights.")
@click.option("--start", help="Train on from these weights: shipped, a run, or a file that ends in .safetensors.")
@click.option(
    "--training-images",
    type=click.IntRange(1, 1_000_000),
    help="Only the first so many of the training list.  [default: all]",
)
@click.option(
    "--image",
    type=Size(),
    help="Resize images to this; patches as large follow.  [default: the profile's]",
)
@click.option("--patch", type=Size(), help="Size of the patches to train on.  [default: the profile's]")
@click.option(
    "--width", type=click.IntRange(16, 4096), help="Channels of the heads, a multiple of 16.  [default: the profile's]"
)
@click.option("--batch", type=click.IntRange(2, 4096), help="Patches in a step.  [default: the profile's]")
@click.option("--checkpoint-seconds", type=Number(0, 86400), default=30.0, help="Seconds between checkpoints.")
@click.option("--snapshots", type=click.IntRange(0, 1000), default=0, help="States to keep for the attention explorer.")
@DEVICE
@RESULTS
def train(
    method: str | None,
    data: str,
    profile: str,
    seed: int,
    backbone_weights: Path | None,
    start: str | None,
    checkpoint_seconds: float,
    snapshots: int,
    device: str,
    results: Path | None,
    **changes: Any,
) -> None:
    """Train a method, test it and keep the run; cut at any moment, the same command goes on where it was.

    Example: sadanet train --method sadanet --data data/scoliosis3classes --profile gpu --seed 0
    """
    from sadanet_lab.files import writable_folder
    from sadanet_lab.training.datasets import open_data
    from sadanet_lab.training.recipe import make_recipe
    from sadanet_lab.training.run_store import get_or_train
    from sadanet_lab.training.runs import is_complete, run_folder
    from sadanet_lab.training.start import settings_of
    from sadanet_lab.training.trainer import check_network

    # Made before the data is read, so that a fault shows at once.
    chosen = {name: value for name, value in {"method": method, **changes}.items() if value not in (None, ())}
    results = results_folder(results)
    settings = settings_of(start, results, Path()) if start else {}
    if method not in (None, settings.get("method", method)):
        raise BadInput(f"train: found --method {method}; expected {settings['method']}, which {start} is of")
    settings |= chosen
    if "method" not in settings:
        raise BadInput("train: found no method; expected --method, or a --start that has one")
    recipe = make_recipe(settings.pop("method"), profile, "not read yet", backbone_weights, seed=seed, **settings)
    check_network(recipe)
    results = writable_folder(results)
    folder = open_data(data if data == PHANTOM else Path(data).absolute(), profile)
    recipe = recipe.model_copy(update={"data": folder.fingerprint})
    was_there = is_complete(run_folder(recipe, results))
    run = get_or_train(recipe, folder, results, device, checkpoint_seconds, snapshots)
    if was_there:
        at, _, edited = str(run.environment.get("commit")).partition("+")
        made = f"{run.environment['finished'][:10]}, commit {at[:7]}{' with changes' if edited else ''}"
        no_snapshots = ", without snapshots: take another --seed for some" if snapshots and not run.snapshots else ""
        click.echo(f"{run.folder}: was trained already ({made}){no_snapshots}; to train it anew, delete it", err=True)
    click.echo(str(run.folder))
    _print_scores(run.counts, "pooled", "table")


@main.command()
@click.argument("run", type=FOLDER, required=False)
@click.option("--all", "every", is_flag=True, help="Every run in results/runs/: bring its evaluation up to date.")
@click.option("--update", is_flag=True, help="If RUN's evaluation is of another version, make it again first.")
@click.option("--data", type=FOLDER, help="Dataset: test on its test images; with --update or --all, the runs' own.")
@click.option(
    "--basis",
    type=click.Choice(["pooled", "per-image"]),
    default="pooled",
    help="Score of all test pixels together, or mean score of the images.",
)
@DEVICE
@FORMAT
@RESULTS
def evaluate(
    run: Path | None,
    every: bool,
    update: bool,
    data: Path | None,
    basis: str,
    device: str,
    form: str,
    results: Path | None,
) -> None:
    """Print the scores of RUN: a folder of results/runs/, its name, or "shipped" for the model inside the package.

    With --data of phantoms, whose angles are known, also how well the curve angles are met. --update and --all
    evaluate stored runs again from their weights, where this version would measure otherwise; nothing is trained.

    Example: sadanet evaluate sadanet-0123456789ab --basis per-image
    """
    from sadanet_lab.training.run_store import update_evaluation

    if (run is None) != every:
        raise BadInput("evaluate: expected either a RUN or --all")
    if run is None:
        _update_all(existing_results(results), data, device)
        return
    trained = named_run(run, results)
    if update and str(run) == "shipped":
        raise BadInput("shipped: the model inside the package is not changed; expected a run of results/runs/")
    if update and not trained.evaluation_is_current:
        update_evaluation(trained, _own_data(trained, data), device)
        trained = named_run(run, results)
    if data is None or update:
        _print_scores(trained.counts, basis, form)
    else:
        _test_on(trained, data, basis, form)


def _test_on(trained: "Run", data: Path, basis: str, form: str) -> None:
    """Scores on another dataset, and of phantoms the agreement of angles; nothing is stored."""
    from sadanet_lab.images.folder_check import open_folder
    from sadanet_lab.studies.angle_agreement import CLOSE, agreement, compare_with_truth
    from sadanet_lab.training.evaluation import evaluate

    folder = open_folder(data)
    tables = evaluate(trained.network(), folder.test, trained.recipe, knock_out=False)
    _print_scores(tables["counts"], basis, form)
    if form == "table" and folder.is_phantom:
        angles = compare_with_truth(tables["angles"].assign(source="run"), folder)
        (found,) = agreement(angles).to_dict("records")
        if not found["measurable"]:
            click.echo(f"largest curve angle: not measurable in any of {found['images']} images")
            return
        click.echo(
            f"largest curve angle: mean absolute error {found['mae']:.2f} degrees, "
            f"{100 * found['share_close']:.1f} % of {found['images']} images within {CLOSE:g} degrees, "
            f"{found['images'] - found['measurable']} not measurable, "
            f"{100 * tables['angles'].flagged.mean():.1f} % flagged"
        )


def _own_data(trained: "Run", data: Path | None) -> "VpiFolder":
    """What a run was trained on: the folder named, or its profile's phantoms."""
    from sadanet_lab.training.datasets import open_data

    folder = open_data(PHANTOM if data is None else str(data.absolute()), trained.recipe.profile)
    if folder.fingerprint != trained.recipe.data:
        raise BadInput(
            f"{trained.folder}: trained on other data than {folder.root}; expected its own, by --data FOLDER"
        )
    return folder


def _update_all(results: Path, data: Path | None, device: str) -> None:
    """Every complete run; those of other data are named and left as they are."""
    from sadanet_lab.training.run_store import update_evaluation
    from sadanet_lab.training.runs import list_runs, open_run

    for folder in list_runs(results):
        try:
            trained = open_run(folder)
            is_new = not trained.evaluation_is_current and update_evaluation(trained, _own_data(trained, data), device)
        except BadInput as error:
            click.echo(f"left as it is: {error}", err=True)
        else:
            click.echo(f"{folder}: {'evaluated again' if is_new else 'up to date'}")


def _print_scores(counts, basis: str, form: str) -> None:
    from sadanet_lab.metrics.scores import scores_of

    scores = scores_of(counts, basis)
    if form == "csv":
        click.echo(scores.to_csv(index_label="region", float_format="%.6g"), nl=False)
    elif form == "json":
        click.echo(json.dumps(json.loads(scores.to_json(orient="index")), indent=2))
    else:
        percent = (100 * scores).map(lambda value: "n/a" if value != value else f"{value:.2f}")
        click.echo(f"{basis} scores in percent")
        click.echo(percent.to_string())
