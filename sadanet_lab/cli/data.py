"""Commands on images and masks: make phantoms, check a dataset, measure angles."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sadanet_lab.cli.options import FOLDER, SEED, Number, Size, main
from sadanet_lab.errors import BadInput, one_line
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
@click.argument("images", type=FOLDER)
@click.argument("masks", type=FOLDER)
@click.argument("out", type=FOLDER)
@click.option(
    "--test",
    type=Number(0, 1, min_open=True, max_open=True),
    default=0.25,
    help="Share of patients in the test set.",
)
@click.option("--val", type=Number(0, 1, max_open=True), default=0.0, help="Share of patients to choose settings on.")
@click.option("--patient", help="Regular expression: what in an image's name tells whose it is.  [default: all of it]")
@click.option("--seed", type=SEED, default=0, help="Seed of the draw.")
def prepare(images: Path, masks: Path, out: Path, test: float, val: float, patient: str | None, seed: int) -> None:
    """Make OUT, a dataset in the published layout, of a folder of IMAGES and one of MASKS, split by patient.

    Images: PNG, TIFF, BMP, JPEG or DICOM. Masks: PNG (class ids, or a palette or colours whose order is certain) or
    .seg.nrrd of 3D Slicer, each named like its image, with "_mask" or the like behind if you want. --patient looks at
    the image's path below IMAGES, without its ending and with "_" for "/": P1/01.png is P1_01.

    Example: sadanet prepare scans/ masks/ data/mine --patient "^P[0-9]+"
    """
    from sadanet_lab.files import check_free
    from sadanet_lab.images.folder_check import examine_folder
    from sadanet_lab.images.folder_making import check_pairs, draw_patients, images_of_patients, make_folder, pair_up
    from sadanet_lab.progress import progress

    check_free(out)
    for folder in (images, masks):
        if not folder.is_dir():
            raise BadInput(f"{folder}: no such folder; expected images, and their masks")
    pairs, left_out = pair_up(images, masks, out)
    _tell("left out", left_out)
    of_patient = images_of_patients([pair.stem for pair in pairs], patient)
    drawn = draw_patients(of_patient, {"test": test, "val": val}, seed)
    splits = {split: [stem for name in names for stem in of_patient[name]] for split, names in drawn.items()}
    with progress(len(pairs), "reading", "images") as bar:
        problems = list(check_pairs(pairs, bar.update))
    _tell("error", problems)
    if problems:
        raise SystemExit(2)
    with progress(len(pairs), "writing", "images") as bar:
        make_folder(out, pairs, splits, bar.update)
    found = examine_folder(out)
    _tell("error", found.problems)
    _tell("warning", found.warnings)
    if found.problems:
        raise SystemExit(2)
    click.echo(f"{out}: {found.summary[0]}")
    some = ", ".join(f"{name} ({len(stems)})" for name, stems in list(of_patient.items())[:3])
    click.echo(f"patients (images of each): {len(of_patient)}, such as {some}; {len(drawn['train'])} to train on")
    if patient is None:
        click.echo("each image was taken as another patient's; if patients have several, give --patient", err=True)


def _tell(kind: str, lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(f"{kind}: {one_line(line)}", err=True)


@main.command()
@click.argument("folder", type=FOLDER)
def check(folder: Path) -> None:
    """Check a dataset in the published layout, and say what is in it; every problem is listed, one line each.

    Example: sadanet check data/scoliosis3classes
    """
    from sadanet_lab.images.folder_check import examine_folder

    found = examine_folder(folder)
    _tell("error", found.problems)
    _tell("warning", found.warnings)
    if found.problems:
        raise SystemExit(2)
    click.echo("\n".join((f"{folder}: valid; {found.summary[0]}", *found.summary[1:])))
