"""The commands that a clinic would use: from pictures to label maps, overlays, curve angles and a report."""

from pathlib import Path

import click

from sadanet_lab.cli.options import FOLDER, RESULTS, main, named_run, naming
from sadanet_lab.errors import BadInput
from sadanet_lab.spine.names import Convention


@main.command()
@click.argument("images", type=FOLDER, nargs=-1, required=True)
@click.option("--run", type=FOLDER, default="shipped", help='Folder of results/runs/, its name, or "shipped".')
@click.option("--out", type=FOLDER, required=True, help="Folder for the label maps, overlays and angles.")
@click.option("--tta", is_flag=True, help="Average over sideways flips and three scales: six times slower.")
@RESULTS
@naming
def predict(
    images: tuple[Path, ...], run: Path, out: Path, tta: bool, results: Path | None, convention: Convention
) -> None:
    raise NotImplementedError


@main.command()
@click.argument("labels", type=FOLDER, nargs=-1, required=True)
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table")
@naming
def angles(labels: tuple[Path, ...], form: str, convention: Convention) -> None:
    """Measure the curve angles of LABELS: masks of class ids, or in the field's red, green and blue, as PNG; or
    segmentations of 3D Slicer (.seg.nrrd).

    Each curve is told as a clinician would: side of the patient, region by the apex, angle, ends and apex. Levels are
    named by counting alone; where what was found does not fit, the names are said to be doubtful.

    Example: sadanet angles predictions/image_labels.png --format json
    """
    from sadanet_lab.images.label_files import read_labels
    from sadanet_lab.spine import description
    from sadanet_lab.spine.curve_angles import measure_curves

    masks = [read_labels(path) for path in labels]  # all are read before anything is written
    entries = [
        description.describe(str(path), measure_curves(mask), convention)
        for path, mask in zip(labels, masks, strict=True)
    ]
    click.echo(description.as_json(entries) if form == "json" else description.as_table(entries))
