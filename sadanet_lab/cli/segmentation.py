"""The commands that a clinic would use: from pictures to label maps, overlays, curve angles and a report."""

from pathlib import Path

import click

from sadanet_lab.cli.options import FOLDER, JOBS, RESULTS, Shard, check_onnx_name, main, naming, results_folder
from sadanet_lab.errors import BadInput, one_line
from sadanet_lab.spine.names import Convention


@main.command()
@click.argument("images", type=FOLDER, nargs=-1, required=True)
@click.option("--run", type=FOLDER, default="shipped", help='"shipped", a run of results/runs/, or a file of `export`.')
@click.option("--out", type=FOLDER, required=True, help="Folder for the label maps, overlays and angles.")
@click.option("--tta", is_flag=True, help="Average over mirror images and three scales: six views of each picture.")
@JOBS
@click.option(
    "--shard", type=Shard(), default="1/1", help="Do only this part, such as 3/16: the others are other machines'."
)
@click.option(
    "--colours",
    type=click.Choice(["safe", "field"]),
    default="safe",
    help="Of overlays: colour-blind safe, or red, green, blue.",
)
@RESULTS
@naming
def predict(
    images: tuple[Path, ...],
    run: Path,
    out: Path,
    tta: bool,
    jobs: int,
    shard: tuple[int, int],
    colours: str,
    results: Path | None,
    convention: Convention,
) -> None:
    """Segment IMAGES and measure their curve angles: files, or folders of them; cut at any moment, it goes on.

    An image shows a whole spine in grey: PNG, TIFF, BMP, JPEG or DICOM. Files of other kinds in a folder are left
    aside; of a dataset's folder its test images are taken. Written of each, to the folder
    OUT: label map (PNG, and .seg.nrrd for 3D Slicer; of DICOM also a DICOM segmentation), overlay, thumbnail and
    angles (JSON); of all, cohort.csv and report.html. A label map that was corrected there is not written over.
    Files that cannot be read are listed, a line each, and the exit code is 1; if none can, nothing is written, and the
    exit code is 2.
    The model in the package was trained on phantoms alone; it is no medical device.

    Machines that share a cohort and the folder OUT take a --shard each, in any order; the same command without --shard
    then does what is missing and writes the tables of all.

    Example: sadanet predict scans/ more.png --out predictions
    """
    from sadanet_lab.files import writable_folder
    from sadanet_lab.reporting.cohort import Settings, segment_all
    from sadanet_lab.reporting.cohort_pictures import find_pictures, shard_of
    from sadanet_lab.reporting.cohort_report import summary_lines, write_summary

    if out.exists() and not out.is_dir():
        raise BadInput(f"--out {out}: a file; expected a folder, or a name that is free")
    if out.is_dir():
        writable_folder(out)
    entries, ending = find_pictures(images, out), ""
    if shard != (1, 1):
        entries, ending = shard_of(entries, *shard), "_{}_of_{}".format(*shard)
        if not entries:
            raise BadInput(f"--shard: found fewer than {shard[0]} pictures; expected one for each shard at least")
    settings = Settings(str(run), str(results_folder(results)), str(Path().absolute()), tta, convention, colours)
    failed = segment_all(entries, settings, out, jobs)
    if len(failed) < len(entries):  # or nothing is written at all
        write_summary(entries, failed, out, str(run), ending, colours)
        for line in summary_lines(entries, failed, out, ending):
            click.echo(line)
    for reason in failed.values():
        click.echo(f"error: {one_line(reason)}", err=True)
    if failed:
        raise SystemExit(2 if len(failed) == len(entries) else 1)


@main.command()
@click.argument("images", type=FOLDER, nargs=-1, required=True)
@click.option("--start", default="shipped", help='"shipped", or a run of results/runs/.')
@click.option("--out", type=FOLDER, required=True, help="ONNX file to write.")
@RESULTS
def adapt(images: tuple[Path, ...], start: str, out: Path, results: Path | None) -> None:
    """Adapt a model to another scanner with about 20 IMAGES without masks: files, or folders.

    Compare its angles before you rely on them: on phantoms of another scanner Dice rose and the angles' error too.

    Of a dataset's folder its test images are taken, as `predict` does; DATASET/dataset/train gives those of training.

    Its batch norms take the statistics of these images; its weights stay. Written is a file that `sadanet predict
    --run` takes. How far its angles can be trusted is not known: they come without intervals, until `sadanet
    calibrate`.

    Example: sadanet adapt scans/ --out mine.onnx
    """
    from sadanet_lab.files import writable_folder, write_atomically
    from sadanet_lab.images.formats import read_picture
    from sadanet_lab.inference.onnx_export import export_onnx
    from sadanet_lab.reporting.cohort_pictures import find_pictures
    from sadanet_lab.training.adaptation import adapt as adapted
    from sadanet_lab.training.runs import find_run

    check_onnx_name(out)
    run = find_run(start, results_folder(results), start=Path())
    pictures = [read_picture(entry.path).square_image for entry in find_pictures(images, out)]
    network = run.network()
    writable_folder(out.parent)  # after what may be wrong, which leaves no folder; before what takes long
    network = adapted(network, pictures, run.recipe)
    write_atomically(out, export_onnx(network, run.recipe, str(out)))
    click.echo(f"{out}: {run.recipe.method} adapted to {len(pictures)} images")


@main.command()
@click.argument("labels", type=FOLDER, nargs=-1, required=True)
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table")
@naming
def angles(labels: tuple[Path, ...], form: str, convention: Convention) -> None:
    """Measure the curve angles of LABELS: masks as PNG, of class ids or in colours (see data/README.md), as
    `sadanet predict` writes them; or segmentations of 3D Slicer (.seg.nrrd).

    Each curve is told as a clinician would: side of the patient, region by the apex, angle, ends and apex. Levels are
    named by counting alone; where what was found does not fit, the names are said to be doubtful.

    Example: sadanet angles predictions/image_labels.png --format json
    """
    from sadanet_lab.images.label_files import read_labels
    from sadanet_lab.images.picture import check_large_enough
    from sadanet_lab.spine import description
    from sadanet_lab.spine.curve_angles import measure_curves

    masks = [read_labels(path) for path in labels]  # all are read before anything is written
    for path, mask in zip(labels, masks, strict=True):
        check_large_enough(mask.shape[1], mask.shape[0], str(path))
    entries = [
        description.describe(str(path), measure_curves(mask), convention)
        for path, mask in zip(labels, masks, strict=True)
    ]
    click.echo(description.as_json(entries) if form == "json" else description.as_table(entries))
