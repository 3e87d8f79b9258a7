"""More than overlap: how far the outlines lie apart, and which bones were missed or invented.

A table of surfaces has one row per image and bone class, with the columns

    stem, class, height, width
    hd95              95th percentile of the distances between the outlines, the larger direction, in pixels
    surface_distance  their mean over both directions, in pixels
    bones, missed     bones in the mask, and those of them that no predicted pixel of their class touches
    false             predicted bones that touch none of the mask

A bone is what it is in ``spine.bones.connected_bones``.

A class that is in the mask and not predicted, or the other way round, has the image's diagonal for both distances; one
that is in neither has NaN.
"""

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree  # pyright: ignore[reportAttributeAccessIssue]  # compiled, has no stub

from sadanet_lab.spine.bones import connected_bones
from sadanet_lab.spine.classes import BONES, CLASSES


def surfaces(truth: np.ndarray, predicted: np.ndarray, stem: str) -> pd.DataFrame:
    """The rows of one image, from two label maps (H, W)."""
    rows = []
    for name in BONES:
        there, found = truth == CLASSES.index(name), predicted == CLASSES.index(name)
        hd95, mean = distances(there, found)
        bones, missed = _untouched(there, found)
        _, false = _untouched(found, there)
        rows.append((stem, name, *truth.shape, hd95, mean, bones, missed, false))
    columns = ["stem", "class", "height", "width", "hd95", "surface_distance", "bones", "missed", "false"]
    return pd.DataFrame(rows, columns=columns)


def distances(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """(95 % Hausdorff distance, average symmetric surface distance) of two masks bool (H, W), in pixels."""
    if not one.any() and not other.any():
        return np.nan, np.nan
    if not one.any() or not other.any():
        diagonal = float(np.hypot(*one.shape))
        return diagonal, diagonal
    outlines = [np.argwhere(_outline(mask)) for mask in (one, other)]
    there, back = (cKDTree(b).query(a)[0] for a, b in (outlines, outlines[::-1]))
    return max(np.percentile(d, 95) for d in (there, back)), float(np.concatenate([there, back]).mean())


def _outline(mask: np.ndarray) -> np.ndarray:
    """Pixels of the mask with one of four neighbours outside it, or at the image's edge."""
    p = np.pad(mask, 1)
    return mask & ~(p[:-2, 1:-1] & p[2:, 1:-1] & p[1:-1, :-2] & p[1:-1, 2:])


def _untouched(mask: np.ndarray, other: np.ndarray) -> tuple[int, int]:
    """(bones of ``mask``, those of them that ``other`` does not touch)."""
    parts, bones = connected_bones(mask)
    touched = np.isin(bones, parts[other])
    return len(bones), int((~touched).sum())
