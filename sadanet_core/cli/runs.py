"""Commands on runs: train, evaluate, keep for the record, ship."""

import json
from pathlib import Path

import click

from sadanet_core.cli.base import DEVICE, FOLDER, FORMAT, METHODS, RESULTS, main, results_folder, stored


@main.command()
@click.option("--method", required=True, help=METHODS)
@click.option("--head", help="sadanet: text or table3.  [default: text]")
@click.option("--normalisation", help="Of the channel attention: softmax or max-minus.  [default: the method's own]")
@click.option("--loss", help="sa2net: equation-7 or mixed.  [default: the method's own]")
@click.option("--data", default="phantom", help='Dataset folder, or "phantom" for the profile\'s own.')
@click.option("--profile", default="quick", help="smoke, quick, gpu, paper or shipped.")
@click.option("--seed", type=int, default=0)
@click.option("--learning-rate", type=float, help="At the start, of the backbone and the heads.  [default: 0.001]")
@click.option("--lambda-dice", type=float, default=3.0, help="Weight of the Dice loss, Eq. (7).")
@click.option("--backbone", help="Any timm backbone, in place of the profile's.")
@click.option("--backbone-weights", type=FOLDER, help="File with timm's state dict, in place of the profile's weights.")
@click.option("--checkpoint-seconds", type=float, default=30.0, help="Seconds between checkpoints.")
@click.option("--snapshots", type=click.IntRange(min=0), default=0, help="States to keep for the attention explorer.")
@DEVICE
@RESULTS
def train(
    method: str,
    head: str | None,
    normalisation: str | None,
    loss: str | None,
    data: str,
    profile: str,
    seed: int,
    learning_rate: float | None,
    lambda_dice: float,
    backbone: str | None,
    backbone_weights: Path | None,
    checkpoint_seconds: float,
    snapshots: int,
    device: str,
    results: Path | None,
) -> None:
    """Train a method, test it and keep the run; cut at any moment, the same command goes on where it was.

    Example: sadanet train --method sadanet --data data/scoliosis3classes --profile gpu --seed 0
    """
    from sadanet_core.experiment.datasets import PHANTOM, open_data
    from sadanet_core.experiment.recipe import make_recipe
    from sadanet_core.experiment.run_store import get_or_train
    from sadanet_core.experiment.trainer import check_network
    from sadanet_core.places import writable_folder

    # Made before the data is read, so that a fault shows at once.
    choices = {"head": head, "normalisation": normalisation, "loss": loss, "backbone": backbone}
    choices |= {"learning_rate": learning_rate}
    recipe = make_recipe(
        method, profile, "not read yet", backbone_weights, seed=seed, lambda_dice=lambda_dice, **choices
    )
    check_network(recipe)
    results = writable_folder(results_folder(results))
    folder = open_data(data if data == PHANTOM else Path(data).absolute(), profile)
    recipe = recipe.model_copy(update={"data": folder.fingerprint})
    run = get_or_train(recipe, folder, results, device, checkpoint_seconds, snapshots)
    if snapshots and not run.snapshots:
        click.echo(f"{run.folder}: was trained already, without snapshots; take another --seed for some", err=True)
    click.echo(str(run.folder))
    _print_scores(run.counts, "pooled", "table")


@main.command()
@click.argument("run", type=FOLDER)
@click.option("--data", type=FOLDER, help="Test on this dataset's test images in place of the run's own.")
@click.option("--basis", type=click.Choice(["pooled", "per-image"]), default="pooled", help="How counts are averaged.")
@FORMAT
@RESULTS
def evaluate(run: Path, data: Path | None, basis: str, form: str, results: Path | None) -> None:
    """Print the scores of RUN: a folder of results/runs/, its name, or "shipped" for the model inside the package.

    With --data of phantoms, whose angles are known, also how well the curve angles are met.

    Example: sadanet evaluate sadanet-0123456789ab --basis per-image
    """
    from sadanet_core.experiment.angles import CLOSE, agreement, beside_truth
    from sadanet_core.experiment.evaluation import evaluate as evaluated
    from sadanet_core.images.vpi_folder import open_folder

    trained = stored(run, results)
    if data is None:
        _print_scores(trained.counts, basis, form)
        return
    folder = open_folder(data)
    tables = evaluated(trained.network(), folder.test, trained.recipe)
    _print_scores(tables["counts"], basis, form)
    if form == "table" and folder.is_phantom:
        angles = beside_truth(tables["angles"].assign(source="run"), folder)
        (found,) = agreement(angles).to_dict("records")
        click.echo(
            f"largest curve angle: mean absolute error {found['mae']:.2f} degrees, "
            f"{100 * found['share_close']:.1f} % of {found['images']} images within {CLOSE:g} degrees"
        )


@main.command()
@click.argument("run", type=FOLDER)
@RESULTS
def ship(run: Path, results: Path | None) -> None:
    """Make RUN, one of profile shipped, the model inside the package; for maintainers.

    Example: sadanet ship sadanet-0123456789ab
    """
    from sadanet_core.experiment import shipped

    shipped.ship(stored(run, results))
    click.echo(f"{shipped.SHIPPED}: made of {run}; now bring its README.md up to date")


@main.command()
@click.argument("folder", type=FOLDER)
@click.argument("out", type=FOLDER)
@RESULTS
def freeze(folder: Path, out: Path, results: Path | None) -> None:
    """Copy FOLDER, results of phantoms, to OUT for the record, with what its tables can be computed from again.

    Example: sadanet freeze results/phantom-quick results/reference/quick-cpu
    """
    from sadanet_core.experiment import reference

    names = reference.freeze(folder, results_folder(results) / "runs", out)
    click.echo(f"{out}: tables, figures and {len(names)} runs without their weights")


def _print_scores(counts, basis: str, form: str) -> None:
    from sadanet_core.experiment.scores import scores_of

    scores = scores_of(counts, basis)
    if form == "csv":
        click.echo(scores.to_csv(index_label="region", float_format="%.6g"), nl=False)
    elif form == "json":
        click.echo(json.dumps(json.loads(scores.to_json(orient="index")), indent=2))
    else:
        percent = (100 * scores).map(lambda value: "n/a" if value != value else f"{value:.2f}")
        click.echo(f"{basis} scores in percent")
        click.echo(percent.to_string())
