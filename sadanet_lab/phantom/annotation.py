"""The outlines that one annotator draws round the bones: the mask, while the picture keeps the bones as they are."""

import numpy as np
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from sadanet_lab.phantom.ranges import Annotator

SPACING = 3.0
"""Between the points of an outline, reference pixels."""
WAVERING = 12.0
"""Length over which a hand wavers, reference pixels."""
FEWEST_CLICKS = 5
SHORTEST_RIB = 0.5
"""Share of a rib that is drawn at least, where one stops short of the strip's edge."""


def redrawn(rng: np.random.Generator, outline: np.ndarray, hand: Annotator, rib_side: int = 0) -> np.ndarray:
    """``outline`` (N, 2) in reference pixels as ``hand`` draws it, (M, 2).

    ``rib_side``: of a rib -1 left, 1 right; 0 of other bones.
    """
    points = _evenly_spaced(_ended(outline, rib_side, hand.rib_end) if rib_side else outline)
    points = gaussian_filter(points, (hand.smoothing / SPACING, 0), mode="wrap")
    tangent = np.roll(points, -1, axis=0) - np.roll(points, 1, axis=0)
    outward = np.stack([tangent[:, 1], -tangent[:, 0]], axis=1) / np.maximum(np.hypot(*tangent.T), 1e-6)[:, None]
    outward *= np.sign(((points - points.mean(0)) * outward).sum())  # twice the area where they do point outward
    waver = gaussian_filter1d(rng.standard_normal(len(points)), WAVERING / SPACING, mode="wrap")
    points = points + outward * (hand.margin + hand.tremor * waver / waver.std())[:, None]
    clicks = max(FEWEST_CLICKS, round(len(points) * SPACING / hand.side))
    chosen = (np.arange(clicks) + rng.random()) * len(points) / clicks
    return points[chosen.astype(int)] + rng.normal(0, hand.misplacing, 2)


def _ended(rib: np.ndarray, side: int, further: float) -> np.ndarray:
    """``rib`` (N, 2) drawn out by ``further`` at its outer end; its inner end stays."""
    outward = side * rib[:, 0]
    share = (outward - outward.min()) / np.ptp(outward)
    along = rib[share > 0.8].mean(0) - rib[share < 0.2].mean(0)
    along = along / np.hypot(*along)
    return rib + share[:, None] * along * max(further, (SHORTEST_RIB - 1) * np.ptp(rib @ along))


def _evenly_spaced(outline: np.ndarray) -> np.ndarray:
    """Points ``SPACING`` apart along the closed ``outline`` (N, 2)."""
    closed = np.concatenate([outline, outline[:1]])
    along = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(closed, axis=0).T))])
    places = np.linspace(0, along[-1], max(12, round(along[-1] / SPACING)), endpoint=False)
    return np.stack([np.interp(places, along, closed[:, axis]) for axis in (0, 1)], axis=1)
