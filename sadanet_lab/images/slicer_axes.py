"""Which way the axes of a ``.seg.nrrd`` run: a program may turn or mirror a volume and leave it where it is in space.

``slicer`` writes columns to the patient's left (x), rows to the back (y), the first pixel at the origin.
"""

from typing import Any

import numpy as np

from sadanet_lab.errors import BadInput

SPACING = "sadanet_spacing"
"""The header field by which a file tells that ``slicer`` wrote it."""
OFFSET = "Segmentation_ReferenceImageExtentOffset"
_TO_LPS = {"left": 1, "right": -1, "posterior": 1, "anterior": -1, "superior": 1, "inferior": -1}
_SHORT = {name[0].upper(): name for name in _TO_LPS}
_STRAIGHT = 1e-3
"""Of a direction's length, how much of it may point elsewhere and it still runs along an axis."""
_WHOLE = 0.01
"""Pixels by which the origin may lie off the grid of the picture."""
_SQUARE = 0.01
"""Cosine of the angle between rows and columns, up to which it is a right one: half a degree."""


def as_written(layers: np.ndarray, header: dict[str, Any], name: str) -> tuple[np.ndarray, dict[str, Any]]:
    """A volume (layer, axis, axis, axis) and its header -> (layer, column, row, slice), as its picture lies.

    A volume that ``slicer`` wrote, turned, mirrored, or both since, is brought back; the header that is returned says
    so. Such is one that bears ``SPACING`` or, as SimpleITK's filters drop all fields, one slice whose uppermost left
    pixel lies at the origin. Of any other the order of the pixels counts: mirrored axes are those of a picture that has
    a place in the patient. Raises ``BadInput`` naming the file where rows and columns cannot be told.
    """
    directions = _in_lps(header)
    if directions is None:
        return layers, header
    sides = np.linalg.norm(directions, axis=1)
    towards = directions / sides[:, None]
    order = np.abs(towards).argmax(axis=1)  # of each axis of the volume: x, y or z
    straight = sorted(order) == [0, 1, 2] and np.sort(np.abs(towards), axis=1)[:, :2].max() < _STRAIGHT
    if straight and (SPACING in header or _lies_at_the_origin(layers, header, directions, order)):
        return _brought_back(layers, header, directions, order)
    if SPACING in header:
        raise BadInput(f"{name}: axes that run obliquely; expected columns and rows along x and y, as it was written")
    if abs(towards[0] @ towards[1]) > _SQUARE:
        raise BadInput(f"{name}: columns and rows that are not at right angles; expected pixels of a picture")
    if abs(towards[1][0]) > abs(towards[0][0]) + _STRAIGHT:
        raise BadInput(f"{name}: rows and columns are exchanged; expected columns side by side from left to right")
    return layers, header


def _in_lps(header: dict[str, Any]) -> np.ndarray | None:
    """Of each axis of a volume, the step from pixel to pixel along x, y and z (3, 3); None where nothing is said."""
    steps = np.array([step for step in header.get("space directions", []) if np.isfinite(step).all()], float)
    if steps.shape != (3, 3) or not steps.any(axis=1).all():
        return None
    return steps * _signs(header)


def _signs(header: dict[str, Any]) -> np.ndarray:
    """What turns the space of a header into left, posterior, superior; of a space without anatomy, nothing."""
    space = str(header.get("space", ""))
    names = [_SHORT.get(letter, "") for letter in space] if len(space) == 3 else space.lower().split("-")[:3]
    signs = [_TO_LPS.get(each, 0) for each in names]
    return np.array(signs) if len(signs) == 3 and all(signs) else np.ones(3)


def _corner(layers: np.ndarray, header: dict[str, Any], directions: np.ndarray) -> np.ndarray:
    """Where the pixel with the least x, y and z lies, (3,); nan where the header does not say."""
    origin = np.array(header.get("space origin", [np.nan] * 3), float) * _signs(header)
    last = np.array(layers.shape[1:]) - 1
    return origin + np.minimum(last[:, None] * directions, 0).sum(axis=0)


def _lies_at_the_origin(layers: np.ndarray, header: dict[str, Any], directions: np.ndarray, order: np.ndarray) -> bool:
    """Of one slice: where z runs along the rows, it is a plane of a patient, seen from front or back."""
    sides = np.linalg.norm(directions, axis=1)[np.argsort(order)]
    one_slice = layers.shape[1 + int(np.argmax(order == 2))] == 1
    return one_slice and bool((np.abs(_corner(layers, header, directions)) < _WHOLE * sides).all())


def _brought_back(
    layers: np.ndarray, header: dict[str, Any], directions: np.ndarray, order: np.ndarray
) -> tuple[np.ndarray, dict[str, Any]]:
    axis_of = np.argsort(order)  # of x, y and z
    steps = directions[axis_of, [0, 1, 2]]
    if (axis_of == [0, 1, 2]).all() and (steps > 0).all():
        return layers, header
    turned = layers.transpose(0, *(1 + axis_of))[(slice(None), *(slice(None, None, int(np.sign(s))) for s in steps))]
    corner, sides = _corner(layers, header, directions), np.abs(steps)
    header = header | {"space": "left-posterior-superior", "space directions": np.diag(sides), "space origin": corner}
    # The offset counts pixels along the axes of whoever wrote it, before the turn or after; the place in space is one.
    offset = (corner / sides)[:2]
    if np.isfinite(offset).all() and (np.abs(offset - offset.round()) < _WHOLE).all():
        header[OFFSET] = f"{round(offset[0])} {round(offset[1])} 0"
    return turned, header
