"""Where networks differ from each other, and where each errs."""

import numpy as np
from scipy import ndimage

from sadanet_lab.metrics.scores import BONE_AVERAGE, scores_of
from sadanet_lab.spine.classes import CLASSES
from sadanet_lab.training.runs import Run

BOX = 0.16, 0.6
"""Height and width of the box, as shares of the image's."""


def dice_of_images(run: Run) -> dict[str, float]:
    """Stem -> mean Dice of the three bones in that test image, in percent."""
    images = run.counts.groupby("stem", sort=False)
    return {str(stem): 100 * scores_of(rows).dice[BONE_AVERAGE] for stem, rows in images}


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
    # scipy, unannotated, seems to want one size, its default being an int: it takes one for each axis as well.
    summed = ndimage.uniform_filter(disagreement, (height, width), mode="constant")  # pyright: ignore[reportArgumentType]
    # Only places where the whole box lies in the image.
    rows, columns = disagreement.shape
    inside = summed[height // 2 : rows - (height - 1) // 2, width // 2 : columns - (width - 1) // 2]
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
