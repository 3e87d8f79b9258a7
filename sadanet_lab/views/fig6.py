"""Fig. 6: one image, the expert's mask and every method's, with the places found where they differ and fail."""

from collections.abc import Iterable

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle

from sadanet_lab.images.vpi_folder import Sample, VpiFolder
from sadanet_lab.spine.classes import COLOUR_BLIND_SAFE
from sadanet_lab.studies.disagreement import BOX, box_of_disagreement, dice_of_images, worst_place
from sadanet_lab.studies.run_scores import method_label
from sadanet_lab.training.runs import Run
from sadanet_lab.views.figures import class_legend
from sadanet_lab.views.overlays import overlay


def segmentations(sample: Sample, runs: Iterable[Run], colours: np.ndarray = COLOUR_BLIND_SAFE) -> Figure:
    """The image, its mask and each run's label map; below, the box of most disagreement enlarged.

    Yellow box: where the methods differ most from each other; none, and nothing enlarged, if they are alike. Orange
    circle: where that method errs most. Beside each name, the mean Dice of the bones in this image.
    """
    runs = list(runs)
    image, truth = sample.image(), sample.mask()
    predicted = [run.prediction(sample.stem) for run in runs]
    panels = [np.repeat(image[..., None], 3, axis=2), *(overlay(image, mask, colours) for mask in (truth, *predicted))]
    titles = ["image", "mask", *(f"{method_label(r)}\n{dice_of_images(r)[sample.stem]:.1f}" for r in runs)]
    box = box_of_disagreement(predicted)
    figure, axes = plt.subplots(
        2,
        len(panels),
        figsize=(1.3 * len(panels), 6.4),
        height_ratios=[image.shape[0] / image.shape[1], (BOX[0] * image.shape[0]) / (BOX[1] * image.shape[1])],
        layout="constrained",
    )
    for column, (panel, title) in enumerate(zip(panels, titles, strict=True)):
        whole, enlarged = axes[:, column]
        whole.imshow(panel)
        whole.set_title(title, fontsize=9)
        if box is None:
            enlarged.axis("off")
            continue
        top, left, height, width = box
        whole.add_patch(Rectangle((left, top), width, height, fill=False, edgecolor="yellow", linewidth=1.2))
        enlarged.imshow(panel[top : top + height, left : left + width])
        for spine in enlarged.spines.values():
            spine.set(edgecolor="gold", linewidth=1.5)
    for column, labels in enumerate(predicted, start=2):
        _circle(axes[0, column], worst_place(truth, labels))
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
    class_legend(figure, colours)
    return figure


def _circle(axis: Axes, place: tuple[int, int, int] | None) -> None:
    if place is not None:
        row, column, radius = place
        axis.add_patch(Circle((column, row), 2 * radius, fill=False, edgecolor="darkorange", linewidth=1.4))


def contact_sheet(data: VpiFolder, run: Run, columns: int = 10, colours: np.ndarray = COLOUR_BLIND_SAFE) -> Figure:
    """Every test image with the run's label map, from the lowest mean bone Dice to the highest."""
    dice = dice_of_images(run)
    samples = sorted(data.test, key=lambda sample: np.nan_to_num(dice[sample.stem]))
    rows = -(-len(samples) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(1.05 * columns, 4.3 * rows), layout="constrained", squeeze=False
    )
    for axis in axes.flat:
        axis.axis("off")
    for axis, sample in zip(axes.flat, samples, strict=False):
        axis.imshow(overlay(sample.image(), run.prediction(sample.stem), colours))
        axis.set_title(f"{sample.stem}\n{dice[sample.stem]:.1f}", fontsize=6.5)
    class_legend(figure, colours)
    return figure
