"""Commands on images and masks: make phantoms, check a dataset, measure angles."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sadanet_lab.cli.options import FOLDER, SEED, Size, main
from sadanet_lab.errors import one_line
from sadanet_lab.images.picture import check_size

if TYPE_CHECKING:
    from sadanet_lab.phantom import Cases, Spread

IMAGES, MAY_BE_NONE = click.IntRange(1, 100_000), click.IntRange(0, 100_000)


@main.command()
@click.argument("out", type=FOLDER)
@click.option("--train", type=IMAGES, default=80, help="Training images.")
@click.option("--test", type=IMAGES, default=29, help="Test images.")
@click.option("--seed", type=SEED, default=0, help="Seed of all draws.")
@click.option("--size", type=Size(), default="512x2048", help="Width x height in pixels.")
@click.option("--val", type=MAY_BE_NONE, default=0, help="Validation images.")
@click.option(
    "--spread",
    type=click.Choice(["usual", "wide", "varied", "scanner2"]),
    default="usual",
    help="How much the training images vary (the others stay usual); scanner2: all images are another scanner's.",
)
@click.option(
    "--cases",
    type=click.Choice(["usual", "demanding"]),
    default="usual",
    help="usual: spines as a clinic sees them; demanding: every severity, and bones that cannot be seen.",
)
def phantom(
    out: Path, train: int, test: int, seed: int, size: tuple[int, int], val: int, spread: "Spread", cases: "Cases"
) -> None:
    """Write phantom images with known masks and angles to OUT, a new folder in the published layout.

    Example: sadanet phantom data/my-phantoms --train 80 --test 29 --seed 1 --size 512x2048
    """
    from sadanet_lab.phantom import write_folder
    from sadanet_lab.progress import progress

    width, height = size
    check_size(width, height, "--size")
    with progress(train + test + val, "phantoms", "images") as bar:
        write_folder(out, train, test, seed, width, height, spread, cases, val, on_image_done=bar.update)
    numbers = f"{train} training and {test} test" if val == 0 else f"{train} training, {test} test and {val} validation"
    click.echo(f"{out}: {numbers} phantoms of {width} x {height} pixels")


@main.command()
@click.argument("folder", type=FOLDER)
def check(folder: Path) -> None:
    """Check a dataset in the published layout, and say what is in it; every problem is listed, one line each.

    Example: sadanet check data/scoliosis3classes
    """
    from sadanet_lab.images.folder_check import examine_folder

    found = examine_folder(folder)
    for kind, lines in (("error", found.problems), ("warning", found.warnings)):
        for line in lines:
            click.echo(f"{kind}: {one_line(line)}", err=True)
    if found.problems:
        raise SystemExit(2)
    for line in (f"{folder}: valid; {found.summary[0]}", *found.summary[1:]):
        click.echo(line)
