"""From the levels as they are found to those of a spine: wrong pairs left out, the scatter of single levels taken off.

An angle between the two most tilted of 17 levels picks out the largest errors, so the levels need smoothing. But a
penalty on squared bends cuts sharp bends off, and one that is set for a certain scatter does harm at another. So here
bends count as they are, which leaves a corner standing, and by as much as the levels at hand scatter.
"""

import numpy as np
from scipy.optimize import lsq_linear

from sadanet_lab.spine.levels import Level

LARGEST_BEND = 18.0
"""Degrees by which a level may stand off its neighbours before it is taken for a wrong pair."""
STIFFNESS = 0.5
"""Weight of the sizes of all bends against half the squares of single levels' errors, per degree of their scatter: less
leaves scatter, which makes angles too large, more flattens true bends. On the 80 training phantoms of profile standard,
as the shipped model segments them, the mean error of the largest angle is 4.4 degrees with 0.25 and with 0.5, 4.6 with
0.125 and with 1, 5.4 with 4."""
CLOSEST = 0.25
"""Levels closer than this share of the usual distance are taken as so far apart: what lies on one place has no bend."""


def without_outliers(levels: list[Level]) -> list[int]:
    """Indices of the levels whose tilt fits their neighbours': a wrong pair stands off both."""
    tilts = np.array([level.tilt for level in levels])
    kept = []
    for i, tilt in enumerate(tilts):
        around = np.delete(tilts[max(0, i - 2) : i + 3], min(i, 2))
        if len(around) == 0 or abs(tilt - np.median(around)) < LARGEST_BEND:
            kept.append(i)
    return kept


def smooth(levels: list[Level]) -> list[Level]:
    """Four or more levels, each turned about its centre to the tilt that a spine through all of them would have there.

    l1 trend filtering (Kim, Koh, Boyd, Gorinevsky, SIAM Review 2009) with levels at their places along the spine: the
    tilts run straight from one corner to the next, with as few corners as the levels' scatter allows. Levels without
    scatter stay as they are.
    """
    tilts, places = np.array([level.tilt for level in levels]), _places(levels)
    second, third = _differences(places, 2), _differences(places, 3)
    # A curve's third differences are scatter, hardly curve, and the median knows nothing of a few corners.
    scatter = 1.4826 * np.median(np.abs(third @ tilts) / np.linalg.norm(third, axis=1))
    limit = STIFFNESS * scatter
    if limit < 1e-6:
        return levels
    # The dual problem: least squares within a box, which has an exact solver. Forces pull the bends straight.
    forces = lsq_linear(second.T, tilts, (-limit, limit), method="bvls", max_iter=1000).x
    found = tilts - second.T @ forces
    return [_turned_to(level, np.radians(tilt)) for level, tilt in zip(levels, found, strict=True)]


def _places(levels: list[Level]) -> np.ndarray:
    """Of the levels along the spine (L,), 1 being the usual distance of neighbours."""
    steps = np.maximum(np.hypot(*np.diff([level.centre for level in levels], axis=0).T), 1e-6)
    return np.append(0, np.cumsum(np.maximum(steps / np.median(steps), CLOSEST)))


def _differences(places: np.ndarray, order: int) -> np.ndarray:
    """Matrix (L - order, L) that gives the differences of values at ``places``, per unit of length."""
    matrix = np.eye(len(places))
    for k in range(1, order + 1):
        matrix = np.diff(matrix, axis=0) / ((places[k:] - places[:-k]) / k)[:, None]
    return matrix


def _turned_to(level: Level, tilt: float) -> Level:
    half = np.hypot(level.right[0] - level.left[0], level.right[1] - level.left[1]) / 2
    (x, y), dx, dy = level.centre, float(half * np.cos(tilt)), float(half * np.sin(tilt))
    return Level(level.region, (x - dx, y - dy), (x + dx, y + dy))
