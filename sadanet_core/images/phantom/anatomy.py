"""Draw a spine: its bones, levels, midline and the scanned strip around it, without any grey value.

Everything is drawn in reference pixels (those of a real picture, 640 x 2574) and scaled to the picture asked for at
the very end. No random draw depends on the size, so one stream gives one patient at any size.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import gaussian_filter1d

from sadanet_core.images.classes import CLASSES
from sadanet_core.images.phantom import shapes
from sadanet_core.images.phantom.fields import wave
from sadanet_core.images.spine_levels import Level

REFERENCE_WIDTH, REFERENCE_HEIGHT = 640, 2574
USUAL_PITCH = 140.0
"""Reference pixels from level to level in a patient of usual size."""

WIDEST_SWAY = 250.0
"""Reference pixels between the midline's leftmost and rightmost point among the levels, at most."""

RIB, PROCESS, LUMP = (CLASSES.index(name) for name in ("rib", "thoracic_process", "lump"))
FINEST_ROWS = 2048
"""Smaller label maps are drawn at about this many rows and thinned: PIL fattens polygons by half a pixel."""


@dataclass(frozen=True)
class Bone:
    """One bone; ``polygon`` (N, 2) of (x, y) in pixels, not yet clipped to the strip."""

    class_id: int
    polygon: np.ndarray


@dataclass(frozen=True)
class Spine:
    """One patient in one frame, in pixels; pixel (row i, column j) covers y in [i, i + 1) and x in [j, j + 1)."""

    width: int
    height: int
    bones: tuple[Bone, ...]
    """In drawing order: ribs, processes (each in the order of its rib), lumps."""
    levels: tuple[Level, ...]
    """From top to bottom: the thoracic pairs, then the lumps."""
    midline: np.ndarray
    """x of the midline in each row (H,)."""
    strip_left: np.ndarray
    """x of the strip's left edge in each row (H,)."""
    strip_right: np.ndarray
    strip_top: tuple[float, float]
    """y of the strip's top edge at the picture's left and right border."""
    strip_bottom: tuple[float, float]

    @property
    def scale(self) -> float:
        """Pixels to one reference pixel."""
        return self.height / REFERENCE_HEIGHT

    def strip_mask(self) -> np.ndarray:
        """True inside the scanned strip (H, W)."""
        x, y = np.arange(self.width) + 0.5, np.arange(self.height)[:, None] + 0.5
        top, bottom = (np.interp(x, [0, self.width], edge) for edge in (self.strip_top, self.strip_bottom))
        return (x > self.strip_left[:, None]) & (x < self.strip_right[:, None]) & (y > top) & (y < bottom)

    def labels(self) -> np.ndarray:
        """Label map (H, W) of ids 0..3, uint8; nothing is annotated outside the strip."""
        finer = -(-FINEST_ROWS // self.height)
        picture = Image.new("L", (self.width * finer, self.height * finer))
        draw = ImageDraw.Draw(picture)
        for bone in self.bones:
            draw.polygon([tuple(p) for p in bone.polygon * finer - 0.5], fill=bone.class_id)
        labels = np.asarray(picture)[finer // 2 :: finer, finer // 2 :: finer]
        return np.where(self.strip_mask(), labels, 0).astype(np.uint8)


def draw_spine(rng: np.random.Generator, width: int, height: int) -> Spine:
    """A random patient in a picture of ``width`` x ``height`` pixels."""
    pairs = int(rng.choice([10, 11, 12], p=[0.15, 0.7, 0.15]))
    lumps = int(rng.choice([4, 5, 6], p=[0.1, 0.35, 0.55]))
    steps = _level_steps(rng, pairs, lumps)
    rows, midline, centres, tilts = _midline(rng, steps)
    # Patients differ in breadth more than the pitch alone tells.
    body = steps.mean() / USUAL_PITCH * np.clip(rng.normal(1.02, 0.05), 0.88, 1.14)
    left, right = _strip_edges(rng, rows, midline, 160 * body)
    sizes = body * (np.append(steps, steps[-1]) / steps.mean()) ** 0.5

    bones: list[tuple[int, np.ndarray]] = []
    ends: list[tuple[np.ndarray, np.ndarray]] = []
    for i in range(pairs):
        ovals, pair_ends = _pair(rng, centres[i], tilts[i], sizes[i], body)
        for side, oval, end in zip((-1, 1), ovals, pair_ends, strict=True):
            edge = np.interp(end[1], rows, left if side < 0 else right)
            rib_tilt = _rib_tilt(rng, i, pairs, tilts[i], side)
            bones.append((RIB, _rib(rng, end, side * (edge - end[0]), side, rib_tilt, sizes[i])))
            bones.append((PROCESS, oval))
        ends.append(pair_ends)
    for i in range(lumps):
        outline, lump_ends = _lump(rng, i / (lumps - 1), centres[pairs + i], tilts[pairs + i], sizes[pairs + i])
        bones.append((LUMP, outline))
        ends.append(lump_ends)
    bones.sort(key=lambda bone: bone[0])  # a process lies over its rib

    scale = height / REFERENCE_HEIGHT
    shift = np.array([width / 2 - scale * REFERENCE_WIDTH / 2, 0])
    at_rows = (np.arange(height) + 0.5) / scale
    strip_top = rng.uniform(12, 60) + np.array([-1, 1]) * rng.normal(0, 8)
    strip_bottom = REFERENCE_HEIGHT - rng.uniform(12, 70) + np.array([-1, 1]) * rng.normal(0, 10)
    levels = []
    for i, pair_ends in enumerate(ends):
        (x0, y0), (x1, y1) = (tuple((scale * end + shift).tolist()) for end in pair_ends)
        levels.append(Level("thoracic" if i < pairs else "lumbar", (x0, y0), (x1, y1)))
    return Spine(
        width=width,
        height=height,
        bones=tuple(Bone(class_id, scale * polygon + shift) for class_id, polygon in bones),
        levels=tuple(levels),
        midline=scale * np.interp(at_rows, rows, midline) + shift[0],
        strip_left=scale * np.interp(at_rows, rows, left) + shift[0],
        strip_right=scale * np.interp(at_rows, rows, right) + shift[0],
        strip_top=tuple((scale * strip_top).tolist()),
        strip_bottom=tuple((scale * strip_bottom).tolist()),
    )


def _level_steps(rng: np.random.Generator, pairs: int, lumps: int) -> np.ndarray:
    """Lengths along the midline from level to level (pairs + lumps - 1,): closer at the top."""
    count = pairs + lumps - 1
    profile = np.interp(np.arange(count), [0, 0.6 * count, count], [0.76, 1.06, 1.1]) * rng.normal(1, 0.03, count)
    # A short spine is framed larger, but not so much that it fills the picture as a long one does.
    pitch = USUAL_PITCH * (16 / count) ** 0.5 * np.clip(rng.normal(1, 0.05), 0.88, 1.12)
    return profile / profile.mean() * min(pitch, 2270 / count)


def _tilt_turns(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Turning points of the tilt: their places (0 top level .. 1 lowest) and tilts in degrees."""
    angle = 60 * rng.beta(1.3, 2.2)
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
    # Beyond the outermost turning points the body comes back to plumb.
    ends = shares[[0, -1]] * rng.uniform(-0.35, 0.3, 2)
    shares = np.concatenate([ends[:1], shares, ends[1:]])
    return np.array([0, *places, 1]), shares * angle * rng.choice([-1, 1])


def _midline(rng: np.random.Generator, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Reference rows (2574,), the midline's x in each, the levels' centres (L, 2) and tilts in radians (L,)."""
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
    y += rng.uniform(110, 190) - np.interp(0, along, y)
    centre_y = np.interp(at_levels, along, y)
    rows = np.arange(REFERENCE_HEIGHT) + 0.5
    midline = np.interp(rows, y, x)
    at_centres = np.interp(centre_y, rows, midline)
    midline += REFERENCE_WIDTH / 2 + np.clip(rng.normal(-8, 10), -20, 20) - (at_centres.min() + at_centres.max()) / 2
    centres = np.stack([np.interp(centre_y, rows, midline), centre_y], axis=1)
    jitter = np.clip(rng.normal(0, np.radians(0.5), len(centres)), *np.radians([-1, 1]))
    return rows, midline, centres, np.interp(at_levels, along, profile) + jitter


def _strip_edges(
    rng: np.random.Generator, rows: np.ndarray, midline: np.ndarray, clearance: float
) -> tuple[np.ndarray, np.ndarray]:
    """x of the strip's left and right edge in each reference row.

    The sweep follows the spine lazily, but keeps its edges at least ``clearance`` away from the midline.
    """
    centre = midline.mean() + 0.85 * (gaussian_filter1d(midline, 120, mode="nearest") - midline.mean())
    drift = rng.normal(0, 25) * np.clip((rows / REFERENCE_HEIGHT - 0.8) / 0.1, 0, 1)
    half = np.interp(rows, [0, 1500, 2574], [206, 198, 178]) * np.clip(rng.normal(1, 0.05), 0.9, 1.12)
    edges = []
    for side in (-1, 1):
        wander = 8 * wave(rng, len(rows), 300) + 4 * wave(rng, len(rows), 45) + rng.normal(0, 1.2, len(rows))
        away = np.maximum(side * (centre + drift - midline) + half, clearance)
        edges.append(np.clip(midline + side * away + wander, 3, REFERENCE_WIDTH - 3))
    return edges[0], edges[1]


def _pair(
    rng: np.random.Generator, centre: np.ndarray, tilt: float, size: float, body: float
) -> tuple[list[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Outlines of the left and right process of one level, and their centres."""
    across = 110 * body * np.array([np.cos(tilt), np.sin(tilt)])
    ends = (centre - across, centre + across)
    ovals = []
    for end in ends:
        outline = shapes.oval(rng, 78 * size * rng.normal(1, 0.06), 86 * size * rng.normal(1, 0.06))
        ovals.append(shapes.rotated(outline, tilt + rng.normal(0, 0.15)) + end)
    return ovals, ends


def _rib_tilt(rng: np.random.Generator, index: int, pairs: int, tilt: float, side: int) -> float:
    """Direction of a rib in radians: upward at the top, level above the last pair, which points down-outward."""
    rise = -35 if index == pairs - 1 else np.interp(index, [0, pairs - 2], [18, 4])
    return tilt - side * np.radians(rise + rng.normal(0, 5))


def _rib(rng: np.random.Generator, end: np.ndarray, to_edge: float, side: int, tilt: float, size: float) -> np.ndarray:
    """Outline of the rib that leaves the process at ``end`` for the strip's edge, ``to_edge`` away sideways."""
    reach = max(to_edge, 50 * size) / np.cos(tilt) + rng.uniform(-6, 14)
    outline = shapes.rib(rng, inner=42 * size, reach=reach, height=84 * size * rng.normal(1, 0.08), ragged=3 * size)
    if side < 0:
        outline = outline * [-1, 1]
    return shapes.rotated(outline, tilt) + end


def _lump(
    rng: np.random.Generator, depth: float, centre: np.ndarray, tilt: float, size: float
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Outline of a lump and its two ends; ``depth`` runs from 0 (the highest, most arched) to 1 (a flat bar)."""
    flat = np.clip(depth + rng.normal(0, 0.12), 0, 1)
    width = 268 * size * np.clip(rng.normal(1, 0.05), 0.88, 1.07)
    droop = size * (48 - 40 * flat)
    thickness = size * (86 + 4 * flat) * rng.normal(1, 0.05)
    outline = shapes.arch(rng, width, thickness, hump=size * (26 - 16 * flat), droop=droop)
    # The level's centre is the midpoint of the two ends, so the arch's middle lies above it.
    ends = np.array([[-width / 2, 0], [width / 2, 0]])
    ends = shapes.rotated(ends, tilt) + centre
    return shapes.rotated(outline - [0, droop], tilt) + centre, (ends[0], ends[1])
