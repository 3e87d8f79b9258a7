"""The commands that a clinic would use: from an image to its label map, overlay and curve angles."""

from pathlib import Path

import click

from sadanet_lab.cli.options import FOLDER, RESULTS, main, named_run
from sadanet_lab.errors import BadInput


@main.command()
@click.argument("images", type=FOLDER, nargs=-1, required=True)
@click.option("--run", type=FOLDER, default="shipped", help='Folder of results/runs/, its name, or "shipped".')
@click.option("--out", type=FOLDER, required=True, help="Folder for the label maps, overlays and angles.")
@click.option("--tta", is_flag=True, help="Average over sideways flips and three scales: six times slower.")
@RESULTS
def predict(images: tuple[Path, ...], run: Path, out: Path, tta: bool, results: Path | None) -> None:
    """Segment IMAGES (a whole spine in grey, any size: PNG, TIFF, BMP, JPEG or DICOM) and measure their curve angles.

    Writes <stem>_labels.png (its palette's indices are class ids), <stem>_overlay.png and <stem>_angles.json for each.
    The model in the package was trained on phantoms alone; it is no medical device.

    Example: sadanet predict image.png --out predictions
    """
    from sadanet_lab.files import writable_folder, write_atomically
    from sadanet_lab.images.formats import read_picture
    from sadanet_lab.inference.segmenter import Segmenter
    from sadanet_lab.views.segmented_image import SegmentedImage

    trained = named_run(run, results)
    stems = [path.stem for path in images]
    for path in images:
        if stems.count(path.stem) > 1:
            raise BadInput(f"{path}: another image has the same name; expected names that differ")
    pictures = [read_picture(path).image for path in images]  # all are read before anything is written
    segmenter = Segmenter(trained.network(), trained.recipe, averaged=tta)
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
    """Measure the curve angles of LABELS: masks of class ids, or in the field's red, green and blue, as PNG; or
    segmentations of 3D Slicer (.seg.nrrd).

    Example: sadanet angles predictions/image_labels.png --format json
    """
    from sadanet_lab.images.label_files import read_labels
    from sadanet_lab.spine import description
    from sadanet_lab.spine.curve_angles import measure_curves

    masks = [read_labels(path) for path in labels]  # all are read before anything is written
    entries = [description.describe(str(path), measure_curves(mask)) for path, mask in zip(labels, masks, strict=True)]
    click.echo(description.as_json(entries) if form == "json" else description.as_table(entries))
