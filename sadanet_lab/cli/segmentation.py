"""The commands that a clinic would use: from an image to its label map, overlay and curve angles."""

from pathlib import Path

import click

from sadanet_lab.cli.options import FOLDER, RESULTS, main, named_model
from sadanet_lab.errors import BadInput


@main.command()
@click.argument("images", type=FOLDER, nargs=-1, required=True)
@click.option("--run", type=FOLDER, default="shipped", help='"shipped", a run of results/runs/, or a file of `export`.')
@click.option("--out", type=FOLDER, required=True, help="Folder for the label maps, overlays and angles.")
@click.option("--tta", is_flag=True, help="Average over sideways flips and three scales: six times slower.")
@RESULTS
def predict(images: tuple[Path, ...], run: Path, out: Path, tta: bool, results: Path | None) -> None:
    """Segment IMAGES (8-bit grey PNG of a whole spine, any size) and measure their curve angles.

    Writes <stem>_labels.png (class ids), <stem>_overlay.png and <stem>_angles.json for each. The model in the package
    was trained on phantoms alone; it is no medical device.

    Example: sadanet predict image.png --out predictions
    """
    from sadanet_lab.files import writable_folder, write_atomically
    from sadanet_lab.images.png import read_vpi
    from sadanet_lab.inference.segmenter import Segmenter
    from sadanet_lab.views.segmented_image import SegmentedImage

    model = named_model(run, results)
    stems = [path.stem for path in images]
    for path in images:
        if stems.count(path.stem) > 1:
            raise BadInput(f"{path}: another image has the same name; expected names that differ")
    pictures = [read_vpi(path) for path in images]  # all are read before anything is written
    segmenter = Segmenter(model, averaged=tta)
    writable_folder(out)
    for path, image in zip(images, pictures, strict=True):
        segmented = SegmentedImage(str(path), image, segmenter(image))
        for end, content in segmented.files().items():
            write_atomically(out / f"{path.stem}{end}", content)
        click.echo(segmented.summary)


@main.command()
@click.argument("labels", type=FOLDER, nargs=-1, required=True)
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table")
def angles(labels: tuple[Path, ...], form: str) -> None:
    """Measure the curve angles of LABELS: masks of class ids, or in the field's red, green and blue.

    Example: sadanet angles predictions/image_labels.png --format json
    """
    from sadanet_lab.images.png import read_mask
    from sadanet_lab.spine import description
    from sadanet_lab.spine.curve_angles import measure_curves

    masks = [read_mask(path) for path in labels]  # all are read before anything is written
    entries = [description.describe(str(path), measure_curves(mask)) for path, mask in zip(labels, masks, strict=True)]
    click.echo(description.as_json(entries) if form == "json" else description.as_table(entries))
