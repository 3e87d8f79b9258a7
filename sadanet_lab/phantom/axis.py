"""The axis of a spine: where its levels lie, how they are tilted and turned. Lengths in reference pixels.

A level turns about three axes: in the picture's plane (its tilt, which is what a curve angle is made of), about the
body's long axis (axial rotation, which goes with a curve), and forward or backward (the thoracic bend, which brings
sloping levels closer together in the picture).
"""

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

from sadanet_lab.phantom.ranges import REFERENCE_HEIGHT, REFERENCE_WIDTH, Body, Cases

LARGEST_ANGLE = 60.0
"""Degrees of the largest curve; the beta distribution that draws it favours small ones, as a clinic does."""
USUAL_PITCH = 140.0
"""Distance of levels in a patient of usual size."""
WIDEST_SWAY = 250.0
"""Between the axis's leftmost and rightmost point among the levels, at most."""
LARGEST_DEMANDING_ANGLE, WIDEST_DEMANDING_SWAY = 72.0, 330.0
"""The same of demanding cases, whose angles are drawn evenly."""
PATTERNS = {"straight": 0.12, "thoracic": 0.35, "lumbar": 0.2, "double": 0.33}
DEMANDING_PATTERNS = {"thoracic": 0.4, "lumbar": 0.2, "double": 0.4}
"""Where the curves lie, and the share of each."""
DRAWS = 20
"""Curves tried for one that stays within that sway."""
BENDS = {"smooth": 0.6, "piecewise-straight": 0.25, "wedged": 0.15}
"""Shapes of demanding curves, and the share of each. Piecewise-straight: straight stretches that meet within about one
level. Wedged: one vertebra is wedge-shaped, so that two neighbouring levels differ by ``WEDGE`` degrees at once."""
WEDGE = (12.0, 30.0)
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


def draw_axis(rng: np.random.Generator, body: Body, pairs: int, lumps: int, cases: Cases = "usual") -> Axis:
    """A random axis through ``pairs`` thoracic and ``lumps`` lumbar levels."""
    steps = _level_steps(rng, body, pairs, lumps)
    at_levels = np.concatenate([[0], np.cumsum(steps)])
    along = np.arange(-400, at_levels[-1] + 900)
    profile = (_demanding_profile if cases == "demanding" else _usual_profile)(rng, at_levels, along)
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


def _usual_profile(rng: np.random.Generator, at_levels: np.ndarray, along: np.ndarray) -> np.ndarray:
    """Tilt in radians at the places ``along`` the axis, of a patient as a clinic sees them."""
    places, turns = _tilt_turns(rng, LARGEST_ANGLE * rng.beta(1.3, 2.2), PATTERNS)
    tilts = PchipInterpolator(places, np.radians(turns))(np.clip(along / at_levels[-1], 0, 1))
    profile, sway = _hung(tilts, at_levels, along)
    # A spine that would sway out of the frame is straightened as a whole.
    return profile * min(1, WIDEST_SWAY / max(sway, 1))


def _demanding_profile(rng: np.random.Generator, at_levels: np.ndarray, along: np.ndarray) -> np.ndarray:
    """The same, of a curve of any angle and of one of the shapes ``BENDS``."""
    angle = rng.uniform(0, LARGEST_DEMANDING_ANGLE)
    profile, sway = _hung(_demanding_tilts(rng, angle, at_levels, along), at_levels, along)
    for _ in range(DRAWS - 1):  # another curve of that angle, before a straightened one
        if sway <= WIDEST_DEMANDING_SWAY:
            break
        profile, sway = _hung(_demanding_tilts(rng, angle, at_levels, along), at_levels, along)
    return profile * min(1, WIDEST_DEMANDING_SWAY / max(sway, 1))


def _hung(tilts: np.ndarray, at_levels: np.ndarray, along: np.ndarray) -> tuple[np.ndarray, float]:
    """(tilts of a spine that hangs about plumb, how far it sways from side to side)."""
    # Most of the mean tilt would lead it out of the picture.
    within = (along >= 0) & (along <= at_levels[-1])
    profile = tilts - 0.9 * tilts[within].mean()
    # Beyond the last levels the line straightens, or it would leave the strip.
    profile *= np.exp(-np.maximum(np.maximum(-along, along - at_levels[-1]), 0) / 150)
    return profile, float(np.ptp(np.cumsum(np.sin(profile))[within]))


def _demanding_tilts(rng: np.random.Generator, angle: float, at_levels: np.ndarray, along: np.ndarray) -> np.ndarray:
    """Tilts in radians at the places ``along`` the axis."""
    bend = rng.choice(list(BENDS), p=list(BENDS.values()))
    place = np.clip(along / at_levels[-1], 0, 1)
    wedge = min(rng.uniform(*WEDGE), angle) if bend == "wedged" else 0.0
    places, turns = _tilt_turns(rng, angle - wedge, DEMANDING_PATTERNS)
    if bend == "piecewise-straight":
        # Each turning point's tilt is held; from one to the next it changes within a level, half-way.
        level = 1 / len(at_levels)
        halfway = (places[1:] + places[:-1]) / 2
        ends = np.stack([halfway - level / 2, halfway + level / 2], axis=1).ravel()
        return np.radians(np.interp(place, ends, np.repeat(turns, 2)[1:-1]))
    tilts = PchipInterpolator(places, turns)(place)
    if bend == "wedged":
        upper = rng.integers(3, len(at_levels) - 4)
        inside = at_levels[upper] + np.array([0.25, 0.75]) * (at_levels[upper + 1] - at_levels[upper])
        # Below the wedge the body comes back to plumb little by little.
        tilts = tilts + rng.choice([-1, 1]) * np.interp(along, [*inside, at_levels[-1] + 300], [0, wedge, 0])
    return np.radians(tilts)


def _tilt_turns(rng: np.random.Generator, angle: float, patterns: dict[str, float]) -> tuple[np.ndarray, np.ndarray]:
    """Turning points of the tilt, ``angle`` degrees apart (of a "straight" spine, a tenth of that): places (0 top level
    .. 1 lowest) and tilts in degrees."""
    upper = rng.uniform(0.35, 0.65)
    pattern = rng.choice(list(patterns), p=list(patterns.values()))
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
