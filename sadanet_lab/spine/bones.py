"""The single bones of a label map: pieces of a class, crumbs left out, bones that run into each other cut apart."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import find_objects, label

SPECK = 1e-4
"""Share of the image's pixels below which a piece is no bone: a bone has some 0.3 to 1 % of them."""
SMALLEST_SHARE = 0.25
"""Of the median area of its class, below which a piece is a crumb."""
MERGED = 1.6
"""Pieces that are so many times longer and larger than the median of their class are several bones."""


@dataclass(frozen=True)
class Bone:
    """One bone in pixels; x to the right, y downward, pixel (i, j) covers y in [i, i + 1) and x in [j, j + 1)."""

    centre: np.ndarray
    """(x, y)."""
    direction: np.ndarray
    """Unit vector (x, y) along the longest axis, x >= 0."""
    ends: tuple[np.ndarray, np.ndarray]
    """Left and right end of the longest axis through the centre."""

    @property
    def length(self) -> float:
        return float(np.linalg.norm(self.ends[1] - self.ends[0]))


def label_pieces(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(the number of its piece at each pixel (H, W), 0 outside; the areas of pieces 1..n) of a mask bool (H, W).

    What hangs together, over corners too, is one piece.
    """
    # scipy, unannotated, seems to return an int: it does so only where it is given an array to fill.
    pieces, count = label(mask, np.ones((3, 3)))  # pyright: ignore[reportGeneralTypeIssues]
    return pieces, np.bincount(pieces[mask], minlength=count + 1)[1:]


def connected_bones(mask: np.ndarray, smallest: float = SPECK) -> tuple[np.ndarray, np.ndarray]:
    """``label_pieces``, and in place of the areas the numbers of those pieces that are no specks.

    This is what "a bone" is wherever bones are counted; smallest: share of the image's pixels.
    """
    pieces, areas = label_pieces(mask)
    return pieces, np.flatnonzero(areas >= smallest * mask.size) + 1


def find_bones(labels: np.ndarray, class_id: int, stacked: bool = True) -> list[Bone]:
    """The bones of a class in a label map (H, W), from top to bottom.

    stacked: bones of this class that have run into each other lie one above the other (else they are left as one).
    """
    pieces, areas = label_pieces(labels == class_id)
    count = len(areas)
    if count == 0:
        return []
    boxes = find_objects(pieces)
    # Of a few pieces the median may be a crumb's: the larger half tells what a bone is like.
    usual = float(np.median(areas[areas >= np.median(areas)]))
    smallest = max(SMALLEST_SHARE * usual, SPECK * labels.size)
    kept = [i for i in range(count) if areas[i] >= smallest]
    if not kept:
        return []
    usual_area = float(np.median(areas[kept]))
    usual_height = float(np.median([boxes[i][0].stop - boxes[i][0].start for i in kept]))
    bones = []
    for i in kept:
        y, x = np.nonzero(pieces[boxes[i]] == i + 1)
        points = np.stack([x + boxes[i][1].start, y + boxes[i][0].start], axis=1) + 0.5
        height = boxes[i][0].stop - boxes[i][0].start
        parts = 1
        if stacked and height > MERGED * usual_height and areas[i] > MERGED * usual_area:
            parts = max(2, round(areas[i] / usual_area))
        bones += [_bone(part) for part in _cut(points, parts)]
    return sorted(bones, key=lambda bone: bone.centre[1])


def _cut(points: np.ndarray, parts: int) -> list[np.ndarray]:
    """Pixels (N, 2) of bones one above the other -> those of each, as many in one as in another."""
    order = np.argsort(points[:, 1], kind="stable")
    return [points[part] for part in np.array_split(order, parts)]


def _bone(points: np.ndarray) -> Bone:
    centre = points.mean(0)
    away = points - centre
    _, axes = np.linalg.eigh(away.T @ away)
    direction = axes[:, 1] if axes[0, 1] >= 0 else -axes[:, 1]
    along = away @ direction
    ends = centre + along.min() * direction, centre + along.max() * direction
    return Bone(centre, direction, ends)
