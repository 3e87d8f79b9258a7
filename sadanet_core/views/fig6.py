"""Fig. 6: one image, the expert's mask and every method's, with the places found where they differ and fail."""

from collections.abc import Iterable

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle
from scipy import ndimage

from sadanet_core.errors import BadInput
from sadanet_core.experiment.run_store import Run
from sadanet_core.experiment.scores import scores_of
from sadanet_core.images.classes import CLASSES, COLOUR_BLIND_SAFE
from sadanet_core.images.vpi_folder import Sample, VpiFolder, read_mask
from sadanet_core.views.figures import class_legend
from sadanet_core.views.pictures import overlay
from sadanet_core.views.tables import method_label

BOX = 0.16, 0.6
"""Height and width of the box, as shares of the image's."""


def dice_of_images(run: Run) -> dict[str, float]:
    """Stem -> mean Dice of the three bones in that test image, in percent."""
    return {
        stem: 100 * scores_of(rows).dice["average_3_bones"] for stem, rows in run.counts.groupby("stem", sort=False)
    }


def chosen_sample(data: VpiFolder, run: Run, stem: str = "") -> Sample:
    """The test image of that stem; of none, the one whose Dice is the median of the run's."""
    if stem:
        found = [sample for sample in data.test if sample.stem == stem]
        if not found:
            raise BadInput(f"{data.root}: no test image {stem!r}; the first is {data.test[0].stem!r}")
        return found[0]
    dice = dice_of_images(run)
    return sorted(data.test, key=lambda sample: np.nan_to_num(dice[sample.stem]))[len(data.test) // 2]


def box_of_disagreement(masks: list[np.ndarray]) -> tuple[int, int, int, int] | None:
    """(top, left, height, width) of the box in which label maps (H, W) differ most from each other; None if nowhere.

    A pixel's disagreement is the share of the maps that do not have its most frequent class.
    """
    stack = np.stack(masks)
    votes = np.stack([(stack == c).sum(0) for c in range(len(CLASSES))])
    disagreement = 1 - votes.max(0) / len(masks)
    if not disagreement.any():
        return None
    height, width = (max(1, round(share * side)) for share, side in zip(BOX, stack.shape[1:], strict=True))
    summed = ndimage.uniform_filter(disagreement, (height, width), mode="constant")
    # Only places where the whole box lies in the image.
    inside = summed[height // 2 : summed.shape[0] - (height - 1) // 2, width // 2 : summed.shape[1] - (width - 1) // 2]
    top, left = np.unravel_index(inside.argmax(), inside.shape)
    return int(top), int(left), height, width


def worst_place(truth: np.ndarray, predicted: np.ndarray) -> tuple[int, int, int] | None:
    """(row, column, radius) where a prediction errs most densely; None where it errs nowhere."""
    wrong = (truth != predicted).astype(float)
    if not wrong.any():
        return None
    radius = max(2, round(0.02 * truth.shape[0]))
    row, column = np.unravel_index(ndimage.gaussian_filter(wrong, radius / 2).argmax(), wrong.shape)
    return int(row), int(column), radius


def segmentations(sample: Sample, runs: Iterable[Run], colours: np.ndarray = COLOUR_BLIND_SAFE) -> Figure:
    """The image, its mask and each run's label map; below, the box of most disagreement enlarged.

    Yellow box: where the methods differ most from each other; none, and nothing enlarged, if they are alike. Orange
    circle: where that method errs most. Beside each name, the mean Dice of the bones in this image.
    """
    runs = list(runs)
    image, truth = sample.image(), sample.mask()
    predicted = [read_mask(run.prediction_path(sample.stem)) for run in runs]
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
        axis.imshow(overlay(sample.image(), read_mask(run.prediction_path(sample.stem)), colours))
        axis.set_title(f"{sample.stem}\n{dice[sample.stem]:.1f}", fontsize=6.5)
    class_legend(figure, colours)
    return figure
