"""Fig. 6: one image, its mask and every method's, with the places found where they differ and fail."""

from collections.abc import Iterable, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle
from matplotlib.patheffects import withStroke

from sadanet_lab.images.vpi_folder import Sample, VpiFolder
from sadanet_lab.spine.classes import COLOUR_BLIND_SAFE
from sadanet_lab.studies.disagreement import BOX, box_of_disagreement, dice_of_images, worst_place
from sadanet_lab.studies.run_scores import method_label
from sadanet_lab.training.runs import Run
from sadanet_lab.views import style
from sadanet_lab.views.overlays import overlay

ERROR = "#D000B0"
"""Of the circle: like no class, and no grey."""
CIRCLE = 2.0
"""Its radius, in those of ``worst_place``."""


def segmentations(sample: Sample, runs: Iterable[Run], colours: np.ndarray = COLOUR_BLIND_SAFE) -> Figure:
    """The image, its mask and each run's label map; below, the box of most disagreement enlarged.

    White box: where the methods differ most from each other; none, and nothing enlarged, if they are alike. Purple
    circle: where that method errs most. No class has these colours. Below each name, the mean Dice of the bones in this
    image.
    """
    runs = list(runs)
    image, truth = sample.image(), sample.mask()
    predicted = [run.prediction(sample.stem) for run in runs]
    shown = [np.repeat(image[..., None], 3, axis=2), *(overlay(image, mask, colours) for mask in (truth, *predicted))]
    titles = [
        "image\n",
        "mask\n",
        *(f"{_short(method_label(r))}\n{dice_of_images(r)[sample.stem]:.1f} %" for r in runs),
    ]
    circles = [worst_place(truth, labels) for labels in predicted]
    box = box_of_disagreement(predicted)
    (left, right), (top, bottom) = _limits(image.shape, circles)
    ratios = [(bottom - top) / (right - left), BOX[0] * image.shape[0] / (BOX[1] * image.shape[1])]
    width = style.TWO_COLUMNS / len(shown) - 0.06
    figure, axes = style.panels(2, len(shown), width * sum(ratios) + 1.0, height_ratios=ratios)
    for column, (panel, title) in enumerate(zip(shown, titles, strict=True)):
        whole, enlarged = axes[:, column]
        whole.imshow(panel)
        whole.set_title(title, fontsize=style.SMALL)
        whole.set(xlim=(left, right), ylim=(bottom, top), facecolor="0.75")
        if box is None:
            enlarged.axis("off")
            continue
        row, start, height, across = box
        frame = Rectangle((start, row), across, height, fill=False, edgecolor="white", linewidth=0.9)
        frame.set_path_effects([withStroke(linewidth=1.9, foreground="black")])
        whole.add_patch(frame)
        enlarged.imshow(panel[row : row + height, start : start + across])
    for axis, place in zip(axes[0, 2:], circles, strict=True):
        if place is not None:
            row, column, radius = place
            axis.add_patch(Circle((column, row), CIRCLE * radius, fill=False, edgecolor="white", linewidth=2.2))
            axis.add_patch(Circle((column, row), CIRCLE * radius, fill=False, edgecolor=ERROR, linewidth=1.2))
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
    style.class_legend(figure, colours)
    seeds = ", ".join(str(seed) for seed in sorted({run.recipe.seed for run in runs}))
    style.note(
        figure,
        f"n = 1 test image, {sample.stem}, networks of seed {seeds}. Below each name: mean Dice of the three bones "
        "in this image. White box, enlarged below: where the methods differ most from each other. Purple circle: "
        "where that method errs most.",
    )
    return figure


def _short(title: str) -> str:
    """ "SADANet w/o SAA" on a line as narrow as a panel."""
    return title.replace("SADANet w/o", "w/o")


def _limits(
    shape: tuple[int, ...], circles: Sequence[tuple[int, int, int] | None]
) -> tuple[tuple[float, float], tuple[float, float]]:
    """(left, right), (top, bottom) of the panels: the image's, and as far beyond as a circle reaches."""
    rows, columns = [0.0, float(shape[0])], [0.0, float(shape[1])]
    for row, column, radius in filter(None, circles):
        reach = CIRCLE * radius * 1.1
        rows += [row - reach, row + reach]
        columns += [column - reach, column + reach]
    return (min(columns) - 0.5, max(columns) - 0.5), (min(rows) - 0.5, max(rows) - 0.5)


def contact_sheet(
    data: VpiFolder, run: Run, most: int = 40, columns: int = 10, colours: np.ndarray = COLOUR_BLIND_SAFE
) -> Figure:
    """Test images with the run's label map, from the lowest mean bone Dice to the highest.

    Of more than ``most`` images so many are shown, at equal steps from the worst to the best.
    """
    dice = dice_of_images(run)
    samples = sorted(data.test, key=lambda sample: np.nan_to_num(dice[sample.stem]))
    places = np.linspace(0, len(samples) - 1, min(most, len(samples))).round().astype(int)
    rows = -(-len(places) // columns)
    tall, wide = samples[0].image().shape
    panel = style.TWO_COLUMNS / columns - 0.06
    figure, axes = style.panels(rows, columns, rows * (panel * tall / wide + 0.33) + 0.6)
    for axis in axes.flat:
        axis.axis("off")
    for axis, sample in zip(axes.flat, (samples[place] for place in places), strict=False):
        axis.imshow(overlay(sample.image(), run.prediction(sample.stem), colours))
        axis.set_title(f"{sample.stem.removeprefix('phantom_')}\n{dice[sample.stem]:.1f} %", fontsize=style.SMALL)
    style.class_legend(figure, colours)
    shown = "all" if len(places) == len(samples) else f"{len(places)} at equal steps"
    style.note(
        figure,
        f"n = {len(samples)} test images, {shown}, from the lowest mean Dice of the three bones to the highest (%), as "
        f"segmented by {method_label(run)}, seed {run.recipe.seed}.",
    )
    return figure
