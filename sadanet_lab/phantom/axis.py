"""The axis of a spine: where its levels lie, how they are tilted and turned. Lengths in reference pixels.

A level turns about three axes: in the picture's plane (its tilt, which is what a curve angle is made of), about the
body's long axis (axial rotation, which goes with a curve), and forward or backward (the thoracic bend, which brings
sloping levels closer together in the picture).
"""

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

from sadanet_lab.phantom.ranges import REFERENCE_HEIGHT, REFERENCE_WIDTH, Body

LARGEST_ANGLE = 60.0
"""Degrees of the largest curve; the beta distribution that draws it favours small ones, as a clinic does."""
USUAL_PITCH = 140.0
"""Distance of levels in a patient of usual size."""
WIDEST_SWAY = 250.0
"""Between the axis's leftmost and rightmost point among the levels, at most."""
SPINOUS_DEPTH = 55.0
"""From the axis of rotation to the tip of the spinous process: turned by r, it shows depth * sin(r) aside."""


@dataclass(frozen=True)
class Axis:
    """The levels' places in the picture, from top to bottom, and the curve through them."""

    steps: np.ndarray
    """Length along the axis from each level to the next (L - 1,)."""
    centres: np.ndarray
    """(x, y) of the levels (L, 2)."""
    tilts: np.ndarray
    """Radians from the horizontal, positive where the right end is lower (L,)."""
    rotations: np.ndarray
    """Radians about the long axis, positive where the spinous process points right (L,)."""
    line: np.ndarray
    """x of the axis in each reference row (2574,)."""

    def spinous_line(self) -> np.ndarray:
        """x of the tips of the spinous processes in each reference row (2574,): the midline that is seen."""
        tips = SPINOUS_DEPTH * np.sin(self.rotations)
        return self.line + np.interp(reference_rows(), self.centres[:, 1], tips)


def reference_rows() -> np.ndarray:
    """y of the middle of each reference row (2574,)."""
    return np.arange(REFERENCE_HEIGHT) + 0.5


def draw_axis(rng: np.random.Generator, body: Body, pairs: int, lumps: int) -> Axis:
    """A random axis through ``pairs`` thoracic and ``lumps`` lumbar levels."""
    steps = _level_steps(rng, body, pairs, lumps)
    places, turns = _tilt_turns(rng)
    at_levels = np.concatenate([[0], np.cumsum(steps)])
    along = np.arange(-400, at_levels[-1] + 900)
    profile = PchipInterpolator(places, np.radians(turns))(np.clip(along / at_levels[-1], 0, 1))
    # A spine hangs about plumb: most of the mean tilt would lead it out of the picture.
    within = (along >= 0) & (along <= at_levels[-1])
    profile -= 0.9 * profile[within].mean()
    # Beyond the last levels the line straightens, or it would leave the strip.
    profile *= np.exp(-np.maximum(np.maximum(-along, along - at_levels[-1]), 0) / 150)
    # A spine that would sway out of the frame is straightened as a whole.
    sideways = np.ptp(np.cumsum(np.sin(profile))[within])
    profile *= min(1, WIDEST_SWAY / max(sideways, 1))
    x, y = np.cumsum(-np.sin(profile)), np.cumsum(np.cos(profile))
    y += body.top - np.interp(0, along, y)
    centre_y = np.interp(at_levels, along, y)
    line = np.interp(reference_rows(), y, x)
    at_centres = np.interp(centre_y, reference_rows(), line)
    line += REFERENCE_WIDTH / 2 + body.offset - (at_centres.min() + at_centres.max()) / 2
    smooth = np.interp(at_levels, along, profile)
    jitter = np.clip(rng.normal(0, np.radians(0.5), len(smooth)), *np.radians([-1, 1]))
    # Bodies turn toward the curve's outer side, so the spinous processes point to the inner one.
    rotations = np.clip(rng.normal(0, 0.03, len(smooth)) - body.rotation * np.gradient(smooth), -0.6, 0.6)
    centres = np.stack([np.interp(centre_y, reference_rows(), line), centre_y], axis=1)
    return Axis(steps, centres, smooth + jitter, rotations, line)


def _level_steps(rng: np.random.Generator, body: Body, pairs: int, lumps: int) -> np.ndarray:
    """Lengths along the axis as the picture shows them (pairs + lumps - 1,): closer at the top, and where it slopes."""
    count = pairs + lumps - 1
    profile = np.interp(np.arange(count), [0, 0.6 * count, count], [0.8, 1.04, 1.08]) * rng.normal(1, 0.03, count)
    # Seen from the side the thoracic part bends evenly, so that it slopes most at its two ends.
    slope = np.radians(body.kyphosis / 2) * np.interp(np.arange(count), [0, pairs, count], [-1, 1, 0])
    profile *= np.cos(slope)
    # A short spine is framed larger, but not so much that it fills the picture as a long one does.
    pitch = USUAL_PITCH * (16 / count) ** 0.5 * body.pitch
    return profile / profile.mean() * min(pitch, 2270 / count)


def _tilt_turns(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Turning points of the tilt: their places (0 top level .. 1 lowest) and tilts in degrees."""
    angle = LARGEST_ANGLE * rng.beta(1.3, 2.2)
    upper = rng.uniform(0.35, 0.65)
    pattern = rng.choice(["straight", "thoracic", "lumbar", "double"], p=[0.12, 0.35, 0.2, 0.33])
    if pattern == "double":
        places = [rng.uniform(0.06, 0.18), rng.uniform(0.42, 0.54), rng.uniform(0.82, 0.95)]
        # One of the two swings spans the whole angle, the other half of it or more.
        minor = upper - rng.uniform(0.05, 0.5)
        shares = rng.permutation([-upper, -minor])
        shares = np.array([shares[0], 1 - upper, shares[1]])
    else:
        places = {
            "straight": [0.2, 0.8],
            "thoracic": [rng.uniform(0.1, 0.24), rng.uniform(0.5, 0.64)],
            "lumbar": [rng.uniform(0.36, 0.54), rng.uniform(0.82, 0.95)],
        }[pattern]
        shares = np.array([-upper, 1 - upper])
        angle = angle * 0.1 if pattern == "straight" else angle
    # Beyond the outermost turning points the body comes back toward plumb, the less the fewer levels are left for it.
    left_over = np.array([places[0], 1 - places[-1]])
    ends = shares[[0, -1]] * (1 - np.minimum(left_over / 0.3, 1) * rng.uniform(0.7, 1.3, 2))
    shares = np.concatenate([ends[:1], shares, ends[1:]])
    return np.array([0, *places, 1]), shares * angle * rng.choice([-1, 1])
