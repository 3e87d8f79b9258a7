"""The command line. Bad input ends with one line on stderr and exit code 2. Heavy imports wait for their command."""

import json
from pathlib import Path

import click

from sadanet_core import __version__
from sadanet_core.errors import BadInput, Failed


class _OneLineErrors(click.Group):
    """Turns ``BadInput`` and ``Failed`` into their one line and exit code 2 or 1."""

    def invoke(self, ctx: click.Context):
        try:
            return super().invoke(ctx)
        except (BadInput, Failed) as error:
            click.echo(f"error: {error}", err=True)
            ctx.exit(2 if isinstance(error, BadInput) else 1)
        except OSError as error:
            if error.filename is None:
                raise
            click.echo(f"error: {error.filename}: {error.strerror}", err=True)
            ctx.exit(2)


@click.group(cls=_OneLineErrors, context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.version_option(__version__)
def main() -> None:
    """Segment the spine in ultrasound volume projection images (VPI) with SADANet and the methods beside it."""


class _Size(click.ParamType):
    """WIDTHxHEIGHT in pixels, as the paper writes sizes."""

    name = "WIDTHxHEIGHT"

    def convert(self, value, param, ctx) -> tuple[int, int]:
        try:
            width, height = (int(part) for part in str(value).lower().split("x"))
        except ValueError:
            self.fail(f"{value!r} is not a size; expected WIDTHxHEIGHT such as 512x2048", param, ctx)
        return width, height


FOLDER = click.Path(path_type=Path)
RESULTS = click.option(
    "--results", type=FOLDER, default=None, help="Results folder.  [default: the project's results/]"
)
METHODS = "unet, fpn, rsnu, seam, psanet, ccnet, danet, sadanet, sa2net, sadanet-without-sca or sadanet-without-saa."
FORMAT = click.option("--format", "form", type=click.Choice(["table", "csv", "json"]), default="table")
DEVICE = click.option("--device", type=click.Choice(["auto", "cpu", "cuda", "mps"]), default="auto")


def _results(results: Path | None) -> Path:
    from sadanet_core.places import resolve

    return resolve("results") if results is None else results


@main.command()
@click.argument("out", type=FOLDER)
@click.option("--train", type=int, default=80, help="Training images.")
@click.option("--test", type=int, default=29, help="Test images.")
@click.option("--seed", type=int, default=0)
@click.option("--size", type=_Size(), default="512x2048", help="Width x height in pixels.")
@click.option("--spread", type=click.Choice(["usual", "wide"]), default="usual", help="Of the training images.")
def phantom(out: Path, train: int, test: int, seed: int, size: tuple[int, int], spread: str) -> None:
    """Write phantom images with known masks and angles to OUT, a new folder in the published layout.

    Example: sadanet phantom data/my-phantoms --train 80 --test 29 --seed 1 --size 512x2048
    """
    from sadanet_core.experiment.progress import progress
    from sadanet_core.images.phantom import write_folder

    width, height = size
    with progress(train + test, "phantoms", "images") as bar:
        write_folder(out, train, test, seed, width, height, spread, on_image_done=bar.update)
    click.echo(f"{out}: {train} training and {test} test phantoms of {width} x {height} pixels")


@main.command()
@click.argument("folder", type=FOLDER)
def check(folder: Path) -> None:
    """Check a dataset in the published layout; every problem is listed, a line each.

    Example: sadanet check data/scoliosis3classes
    """
    from sadanet_core.images.vpi_folder import find_problems, listed

    problems = find_problems(folder)
    for problem in problems:
        click.echo(f"error: {problem}", err=True)
    if problems:
        raise SystemExit(2)
    data = listed(folder)
    click.echo(f"{folder}: sound; {len(data.train)} training and {len(data.test)} test images")


@main.command()
@click.option("--method", required=True, help=METHODS)
@click.option("--head", help="sadanet: text or table3.  [default: text]")
@click.option("--normalisation", help="Of the channel attention: softmax or max-minus.  [default: the method's own]")
@click.option("--loss", help="sa2net: equation-7 or mixed.  [default: the method's own]")
@click.option("--data", default="phantom", help='Dataset folder, or "phantom" for the profile\'s own.')
@click.option("--profile", default="quick", help="smoke, quick, gpu, paper or shipped.")
@click.option("--seed", type=int, default=0)
@click.option("--lambda-dice", type=float, default=3.0, help="Weight of the Dice loss, Eq. (7).")
@click.option("--backbone", help="Any timm backbone, in place of the profile's.")
@click.option("--backbone-weights", type=FOLDER, help="File with timm's state dict, in place of the profile's weights.")
@click.option("--checkpoint-seconds", type=float, default=30.0, help="Seconds between checkpoints.")
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
    lambda_dice: float,
    backbone: str | None,
    backbone_weights: Path | None,
    checkpoint_seconds: float,
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
    recipe = make_recipe(
        method, profile, "not read yet", backbone_weights, seed=seed, lambda_dice=lambda_dice, **choices
    )
    check_network(recipe)
    results = writable_folder(_results(results))
    folder = open_data(data if data == PHANTOM else Path(data).absolute(), profile)
    recipe = recipe.model_copy(update={"data": folder.fingerprint})
    run = get_or_train(recipe, folder, results, device, checkpoint_seconds)
    click.echo(str(run.folder))
    _print_scores(run.counts, "pooled", "table")


@main.command()
@click.argument("run", type=FOLDER)
@click.option("--data", type=FOLDER, help="Test on this dataset's test images in place of the run's own.")
@click.option("--basis", type=click.Choice(["pooled", "per-image"]), default="pooled", help="How counts are averaged.")
@FORMAT
@RESULTS
def evaluate(run: Path, data: Path | None, basis: str, form: str, results: Path | None) -> None:
    """Print the scores of RUN, a folder of results/runs/ or its name.

    Example: sadanet evaluate sadanet-0123456789ab --basis per-image
    """
    from sadanet_core.experiment.evaluation import evaluate as evaluated
    from sadanet_core.images.vpi_folder import open_folder

    stored = _open_run(run, results)
    counts = stored.counts
    if data is not None:
        counts = evaluated(stored.network(), open_folder(data).test, stored.recipe)["counts"]
    _print_scores(counts, basis, form)


@main.command()
@click.argument("images", type=FOLDER, nargs=-1, required=True)
@click.option("--run", type=FOLDER, required=True, help="Folder of results/runs/, or its name.")
@click.option("--out", type=FOLDER, required=True, help="Folder for <stem>_labels.png and <stem>_overlay.png.")
@RESULTS
def predict(images: tuple[Path, ...], run: Path, out: Path, results: Path | None) -> None:
    """Segment IMAGES (8-bit grey PNG, any size): a label map of class ids and an overlay each.

    Example: sadanet predict image.png --run sadanet-0123456789ab --out predictions
    """
    from sadanet_core.experiment.inference import labels_of
    from sadanet_core.images.vpi_folder import png_bytes, read_image
    from sadanet_core.places import writable_folder, write_atomically
    from sadanet_core.views.pictures import overlay

    stored = _open_run(run, results)
    stems = [path.stem for path in images]
    for path in images:
        if stems.count(path.stem) > 1:
            raise BadInput(f"{path}: another image has the same name; expected names that differ")
    pictures = [read_image(path) for path in images]  # all are read before anything is written
    network = stored.network()
    writable_folder(out)
    for stem, image in zip(stems, pictures, strict=True):
        labels = labels_of(network, image, stored.recipe)
        write_atomically(out / f"{stem}_labels.png", png_bytes(labels))
        write_atomically(out / f"{stem}_overlay.png", png_bytes(overlay(image, labels)))
        click.echo(str(out / f"{stem}_labels.png"))


@main.command()
@click.option("--method", help=METHODS)
@click.option("--all", "every", is_flag=True, help="Every method and head.")
@click.option("--head", help="sadanet: text or table3.  [default: text]")
@click.option("--height", type=click.IntRange(min=32), default=512, help="Of the picture, in pixels.")
@click.option("--width", type=click.IntRange(min=32), default=512)
@FORMAT
def complexity(method: str | None, every: bool, head: str | None, height: int, width: int, form: str) -> None:
    """Count parameters, operations and memory of a method at the paper's size, without computing anything.

    Example: sadanet complexity --method sadanet --head table3 --height 512 --width 512
    """
    import pandas as pd

    from sadanet_core.experiment import complexity as counting

    if (method is None) != every:
        raise BadInput("complexity: expected either --method or --all")
    if every and head is not None:
        raise BadInput("complexity: --all shows every head; expected --head with --method only")
    table = counting.complexity_table(height=height, width=width) if every else None
    table = pd.DataFrame([counting.complexity(method, head, height, width)]) if table is None else table
    if form == "csv":
        click.echo(table.to_csv(index=False), nl=False)
    elif form == "json":
        rows = json.loads(table.to_json(orient="records"))
        click.echo(json.dumps(rows if every else rows[0], indent=2))
    else:
        click.echo(f"one picture of {width} x {height} pixels; G = 10^9 multiply-adds; memory of activations, float32")
        click.echo(counting.readable(table).to_string(index=False))


@main.command("run")
@click.argument("notebook", type=FOLDER)
@click.option("-p", "--parameter", nargs=2, multiple=True, metavar="NAME VALUE", help="A parameter of the notebook.")
def run_(notebook: Path, parameter: tuple[tuple[str, str], ...]) -> None:
    """Execute NOTEBOOK through papermill; unknown parameters are refused, success is judged by its result file.

    Example: sadanet run notebooks/01_table1_comparison.ipynb -p profile quick -p seeds 0,1,2
    """
    from sadanet_core.experiment.notebook_runner import run_notebook

    names = [name for name, _ in parameter]
    for name in names:
        if names.count(name) > 1:
            raise BadInput(f"{notebook}: parameter {name!r} is given {names.count(name)} times; expected once")
    click.echo(str(run_notebook(notebook, dict(parameter))))


@main.command()
@click.argument("folder", type=FOLDER)
@click.argument("out", type=FOLDER)
@RESULTS
def freeze(folder: Path, out: Path, results: Path | None) -> None:
    """Copy FOLDER, results of phantoms, to OUT for the record, with what its tables can be computed from again.

    Example: sadanet freeze results/phantom-quick results/reference/quick-cpu
    """
    from sadanet_core.experiment import reference

    names = reference.freeze(folder, _results(results) / "runs", out)
    click.echo(f"{out}: tables, figures and {len(names)} runs without their weights")


def _open_run(run: Path, results: Path | None):
    from sadanet_core.experiment.run_store import open_run

    by_name = _results(results) / "runs" / run
    return open_run(by_name if not run.exists() and by_name.exists() else run)


def _print_scores(counts, basis: str, form: str) -> None:
    from sadanet_core.experiment.scores import scorer

    scores = scorer(basis)(counts)
    if form == "csv":
        click.echo(scores.to_csv(index_label="region", float_format="%.6g"), nl=False)
    elif form == "json":
        click.echo(json.dumps(json.loads(scores.to_json(orient="index")), indent=2))
    else:
        percent = (100 * scores).map(lambda value: "n/a" if value != value else f"{value:.2f}")
        click.echo(f"{basis} scores in percent")
        click.echo(percent.to_string())
