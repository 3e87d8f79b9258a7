"""Outlines of single bones, as polygons (N, 2) of (x, y) in reference pixels, and the pixels inside one."""

import numpy as np
from matplotlib.path import Path


def rotate(points: np.ndarray, angle: float) -> np.ndarray:
    """``points`` (N, 2) turned about the origin by ``angle`` radians, from x toward y (clockwise as seen)."""
    c, s = np.cos(angle), np.sin(angle)
    return points @ np.array([[c, s], [-s, c]])


def oval(rng: np.random.Generator, width: float, height: float, wobble: float = 0.03) -> np.ndarray:
    """A process: an ellipse about the origin whose radius wobbles by the share ``wobble``."""
    around = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    # Only the second to fourth harmonic: the first would move the centre, which is the level's truth.
    order = np.arange(2, 5)[:, None]
    phase = rng.uniform(0, 2 * np.pi, (3, 1))
    radius = 1 + wobble * (rng.standard_normal((3, 1)) * np.cos(order * around + phase)).sum(0)
    return np.stack([width / 2 * np.cos(around), height / 2 * np.sin(around)], axis=1) * radius[:, None]


def rib(rng: np.random.Generator, inner: float, reach: float, height: float, ragged: float) -> np.ndarray:
    """A rib pointing to +x: a quadrilateral with concave ends and ragged sides.

    ``inner`` is the radius of the process at the origin that the medial end clasps, ``reach`` the distance of the
    lateral end, ``height`` the extent across, ``ragged`` the sd of the outline's displacement.
    """
    half = height / 2 * rng.uniform(0.85, 1.15, 4)
    across = np.linspace(-1, 1, 7)
    clasp = np.sqrt(np.clip(1 - (0.9 * across) ** 2, 0, None))
    medial = np.stack([0.9 * inner * clasp, np.interp(across, [-1, 1], [-half[0], half[1]])], axis=1)
    hollow = rng.uniform(0, 0.15) * height * (1 - across**2)
    lateral = np.stack([reach - hollow, np.interp(across, [-1, 1], [-half[2], half[3]])], axis=1)[::-1]
    share = np.linspace(0, 1, 6)[1:-1, None]
    lower = medial[-1] + share * (lateral[0] - medial[-1])
    upper = lateral[-1] + share * (medial[0] - lateral[-1])
    outline = np.concatenate([medial, lower, lateral, upper])
    return outline + rng.normal(0, ragged, outline.shape)


def bend(rib: np.ndarray, reach: float, hang: float, taper: float) -> np.ndarray:
    """``rib`` that hangs down by the share ``hang`` of its reach at its outer end, and is lower there by ``taper``."""
    outward = np.clip(rib[:, 0] / reach, 0, 1)
    return np.stack([rib[:, 0], rib[:, 1] * (1 - taper * outward) + hang * reach * outward**2], axis=1)


def arch(
    rng: np.random.Generator, width: float, thickness: float, hump: float, droop: float, wobble: float = 2.0
) -> np.ndarray:
    """A lump: an arch whose ends lie at (-width / 2, droop) and (width / 2, droop), exactly.

    ``thickness`` is that of the limbs, ``hump`` the extra height of the upper edge's middle, ``droop`` how far the
    ends hang below the middle, ``wobble`` the sd of the outline's displacement.
    """
    u = -np.cos(np.linspace(0, np.pi, 33))
    half = thickness / 2 * (1 - np.abs(u) ** 5) ** 0.5
    axis = droop * np.abs(u) ** 1.6
    bumps = wobble * (rng.standard_normal((2, 4, 1)) * np.sin(np.arange(1, 5)[:, None] * np.pi * (u + 1) / 2)).sum(1)
    upper = axis - half - hump * np.exp(-((u / 0.24) ** 2)) * (1 - u**2) + bumps[0]
    lower = axis + half + bumps[1]
    x = width / 2 * u
    return np.concatenate([np.stack([x, upper], axis=1), np.stack([x, lower], axis=1)[-2:0:-1]])


def pixels_inside(polygon: np.ndarray, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """(rows, columns) of the pixels of a picture of ``shape`` (H, W) whose middle lies in ``polygon`` (N, 2), (x, y).

    The middle of row i, column j is (j + 0.5, i + 0.5). Pillow's own polygons are half a pixel too wide all around.
    """
    first = np.clip(np.floor(polygon.min(0)), 0, shape[::-1]).astype(int)
    last = np.clip(np.ceil(polygon.max(0)), 0, shape[::-1]).astype(int)
    rows, columns = np.mgrid[first[1] : last[1], first[0] : last[0]].reshape(2, -1)
    inside = Path(polygon).contains_points(np.stack([columns, rows], axis=1) + 0.5)
    return rows[inside], columns[inside]
