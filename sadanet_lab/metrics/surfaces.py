"""More than overlap: how far the outlines lie apart, and which bones were missed or invented.

A table of surfaces has one row per image and bone class, with the columns

    stem, class, height, width
    hd95              95th percentile of the distances between the outlines, the larger direction, in pixels
    surface_distance  their mean over both directions, in pixels
    bones, missed     bones in the mask, and those of them that are matched by no predicted one
    false             predicted bones that match none of the mask

A bone is what it is in ``spine.bones.connected_bones``. Two match if their IoU is above 1/2, so that no bone can match
two (as in panoptic quality, Kirillov et al., CVPR 2019): of two bones predicted as one, one at least is missed.

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
        bones, found_bones, matches = match_bones(there, found)
        rows.append((stem, name, *truth.shape, hd95, mean, bones, bones - matches, found_bones - matches))
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


def match_bones(there: np.ndarray, found: np.ndarray) -> tuple[int, int, int]:
    """(bones of the mask ``there``, bones of ``found``, pairs of them that match) of two masks bool (H, W)."""
    (parts, bones), (found_parts, found_bones) = connected_bones(there), connected_bones(found)
    both = there & found
    overlap = np.zeros((parts.max() + 1, found_parts.max() + 1))
    np.add.at(overlap, (parts[both], found_parts[both]), 1)
    areas, found_areas = np.bincount(parts.ravel()), np.bincount(found_parts.ravel())
    overlap = overlap[np.ix_(bones, found_bones)]
    union = areas[bones][:, None] + found_areas[found_bones] - overlap
    return len(bones), len(found_bones), int((overlap > union / 2).sum())
