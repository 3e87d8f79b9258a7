"""The single bones of a label map: pieces of a class, crumbs left out, bones that run into each other cut apart."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import distance_transform_edt, find_objects, generate_binary_structure, label

SPECK = 1e-4
"""Share of the image's pixels below which a piece is no bone: a bone has some 0.3 to 1 % of them."""
SMALLEST_SHARE = 0.25
"""Of the median area of its class, below which a piece is a crumb."""
MERGED = 1.6
"""Pieces that are so many times longer and larger than the median of their class are several bones."""
NECK = 0.7
"""Of the half-width of the thinner of two parts, below which what joins them is a neck: the parts are two bones."""
OVER_SIDES, OVER_CORNERS = generate_binary_structure(2, 1), generate_binary_structure(2, 2)
"""Which pixels hang together."""


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
    pieces, count = label(mask, OVER_CORNERS)  # pyright: ignore[reportGeneralTypeIssues]
    return pieces, np.bincount(pieces[mask], minlength=count + 1)[1:]


def connected_bones(mask: np.ndarray, smallest: float = SPECK) -> tuple[np.ndarray, np.ndarray]:
    """``label_pieces``, and in place of the areas the numbers of those pieces that are no specks.

    This is what "a bone" is wherever bones are counted; smallest: share of the image's pixels.
    """
    pieces, areas = label_pieces(mask)
    return pieces, np.flatnonzero(areas >= smallest * mask.size) + 1


def find_bones(labels: np.ndarray, class_id: int) -> list[Bone]:
    """The bones of a class in a label map (H, W), from top to bottom; those that have run into each other are cut."""
    pieces, areas = label_pieces(labels == class_id)
    if len(areas) == 0:
        return []
    # Of a few pieces the median may be a crumb's: the larger half tells what a bone is like.
    usual = float(np.median(areas[areas >= np.median(areas)]))
    smallest = max(SMALLEST_SHARE * usual, SPECK * labels.size)
    parts = []
    for i, box in enumerate(find_objects(pieces), start=1):
        if areas[i - 1] >= smallest:
            parts += _cut_at_necks(pieces[box] == i, _corner(box), smallest)
    if not parts:
        return []
    heights = [np.ptp(points[:, 1]) + 1 for points in parts]
    usual_area, usual_height = np.median([len(points) for points in parts]), np.median(heights)
    bones = []
    for points, height in zip(parts, heights, strict=True):
        merged = height > MERGED * usual_height and len(points) > MERGED * usual_area
        bones += [_bone(each) for each in _cut_evenly(points, max(2, round(len(points) / usual_area)) if merged else 1)]
    return sorted(bones, key=lambda bone: bone.centre[1])


def _cut_at_necks(piece: np.ndarray, corner: np.ndarray, smallest: float) -> list[np.ndarray]:
    """The pixels (N, 2) of each bone of a piece, bool (h, w), whose corner is at (x, y) in the image."""
    whole, bones = [(piece, corner)], []
    while whole:  # no recursion: noise may hang together as a thousand bones
        piece, corner = whole.pop()
        halves = _halves(piece, smallest)
        if halves is None:
            bones.append(_pixels(piece, corner))
            continue
        for half in reversed(halves):
            box = find_objects(half.astype(int))[0]
            whole.append((half[box], corner + _corner(box)))
    return bones


def _halves(piece: np.ndarray, smallest: float) -> tuple[np.ndarray, np.ndarray] | None:
    """(upper, lower) part of a piece, bool (h, w), if a neck joins them and each has ``smallest`` pixels.

    A neck is looked for by peeling: whether what is left of the piece, a few pixels further in, hangs together no more.
    """
    if piece.sum() < 2 * smallest:
        return None
    inside = np.asarray(distance_transform_edt(np.pad(piece, 1)))[1:-1, 1:-1]
    in_one = 0
    for depth in np.linspace(0, NECK * inside.max(), 12)[1:-1]:
        core = inside > depth
        if (pixels := np.count_nonzero(core)) == in_one:  # the same core as a step before
            continue
        cores, count = label(core, OVER_SIDES)  # pyright: ignore[reportGeneralTypeIssues]
        if count < 2:
            in_one = pixels
            continue
        boxes = dict(enumerate(find_objects(cores), start=1))
        wide = [i for i, box in boxes.items() if NECK * inside[box][cores[box] == i].max() > depth]
        if len(wide) < 2:
            continue
        cores = np.where(np.isin(cores, wide), cores, 0)
        nearest = distance_transform_edt(cores == 0, return_distances=False, return_indices=True)
        nearest = cores[tuple(np.asarray(nearest))]
        first = min(wide, key=lambda i: boxes[i][0].start + np.nonzero(cores[boxes[i]] == i)[0].mean())
        upper, lower = piece & (nearest == first), piece & (nearest != first)
        across, down = np.abs(np.mean(np.nonzero(lower), axis=1) - np.mean(np.nonzero(upper), axis=1))[::-1]
        if min(upper.sum(), lower.sum()) >= smallest and down > across:
            return upper, lower
    return None


def _corner(box: tuple[slice, slice]) -> np.ndarray:
    return np.array([box[1].start, box[0].start])


def _pixels(piece: np.ndarray, corner: np.ndarray) -> np.ndarray:
    """The middles (x, y) of a piece's pixels (N, 2) in the image."""
    y, x = np.nonzero(piece)
    return np.stack([x, y], axis=1) + corner + 0.5


def _cut_evenly(points: np.ndarray, parts: int) -> list[np.ndarray]:
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
