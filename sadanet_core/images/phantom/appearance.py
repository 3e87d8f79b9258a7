"""Give a drawn spine its grey values: dark bones and midline on bright, cloudy, streaky tissue.

Slow effects are computed on a canvas of one cell to two reference pixels, whatever the picture's size, and enlarged;
so a small phantom is a reduced large one, and the time goes with the canvas. An effect is a function that returns a
field on the canvas: brightness to add, or a shadow (the share of light taken away, 0..1) to multiply.
"""

import numpy as np
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from sadanet_core.images.phantom.anatomy import LUMP, PROCESS, REFERENCE_HEIGHT, RIB, Spine
from sadanet_core.images.phantom.fields import clouds, enlarge, wave

CELL = 2
"""Reference pixels to one canvas cell."""
CANVAS_HEIGHT = REFERENCE_HEIGHT // CELL

BONE_DEPTH = {RIB: (0.1, 2.2), PROCESS: (0.05, 1.2), LUMP: (0.65, 1.2)}
"""Range of the optical depth of single bones of a class (light that passes is exp(-depth)): many ribs and processes
are barely seen."""

TONE_LIGHT = np.array([0.0, 0.02, 0.085, 0.16, 0.36, 0.64, 0.89, 1.12, 1.28, 1.55, 1.9])
TONE_GREY = np.array([0, 5, 16, 29, 67, 130, 194, 232, 243, 253, 255])
"""The scanner's compression from light to grey (255 from the last value on)."""


def render(rng: np.random.Generator, spine: Spine) -> np.ndarray:
    """Grey picture (H, W) of ``spine``, uint8; 0 outside the strip."""
    picture, canvas = (spine.height, spine.width), _canvas_shape(spine)
    light = tissue(rng, spine) * (1 - bone_shadows(rng, spine)) * (1 - midline_shadow(rng, spine))
    grey = tone(enlarge(gain(rng) * light, picture))
    grey = grey + enlarge(streaks(rng, canvas), picture) * streak_strength(grey)
    grey = grey * (1 - enlarge(lost_frames(rng, canvas[1]), picture))
    return np.where(spine.strip_mask(), np.clip(np.rint(grey), 0, 255), 0).astype(np.uint8)


def gain(rng: np.random.Generator, spread: float = 0.12) -> float:
    """The scanner's gain, about 1."""
    return float(np.exp(rng.normal(0, spread)))


def tone(light: np.ndarray) -> np.ndarray:
    """Light -> grey 0..255, float."""
    return np.interp(light, TONE_LIGHT, TONE_GREY).astype(np.float32)


def tissue(rng: np.random.Generator, spine: Spine, cloudiness: float = 0.2) -> np.ndarray:
    """Light of the soft tissue (canvas), about 1: clouds at several scales, darker in the lumbar part, fading below."""
    shape = _canvas_shape(spine)
    field = sum(
        weight * clouds(rng, shape, (cell / CELL, cell / CELL))
        for cell, weight in ((160, 0.45), (80, 0.6), (40, 0.6), (20, 0.15))
    )
    rows = np.arange(CANVAS_HEIGHT) * CELL
    first_lump, last_lump = _lumbar_rows(spine)
    level = np.interp(rows, [0, first_lump - 300, first_lump + 100, last_lump], [1.05, 1.05, 0.9, 0.8])
    level *= 1 + 0.08 * wave(rng, CANVAS_HEIGHT, 90)
    fade = 1 / (1 + np.exp((rows - last_lump - rng.uniform(40, 160)) / 40))
    return np.exp(cloudiness * field) * (level * (0.2 + 0.8 * fade))[:, None]


def bone_shadows(rng: np.random.Generator, spine: Spine, displacement: float = 7.0, blur: float = 9.0) -> np.ndarray:
    """Shadow of the bones (canvas), uneven within a bone.

    ``displacement`` (sd) and ``blur`` (sigma) are in reference pixels: what is seen lies only roughly where the
    expert, who knows the anatomy, draws it.
    """
    shape = _canvas_shape(spine)
    layers = {class_id: Image.new("F", shape[::-1]) for class_id in BONE_DEPTH}
    for bone, depth in zip(spine.bones, _bone_depths(rng, spine), strict=True):
        outline = _on_canvas(spine, bone.polygon)
        middle = outline.mean(0)
        seen = (outline - middle) * rng.normal(1, 0.08, 2) + middle + rng.normal(0, displacement / CELL, 2)
        ImageDraw.Draw(layers[bone.class_id]).polygon([tuple(p) for p in seen], fill=depth)
    # Where a rib passes behind its process the deeper of the two shadows is seen, not their sum.
    depth = np.max([np.asarray(layer) for layer in layers.values()], axis=0)
    depth = gaussian_filter(depth, blur / CELL, truncate=2.5)
    return 1 - np.exp(-depth * np.exp(0.3 * clouds(rng, shape, (36 / CELL, 36 / CELL))))


def midline_shadow(rng: np.random.Generator, spine: Spine, strength: float = 1.8) -> np.ndarray:
    """Shadow of the spinous processes (canvas): a thin wavy line above, a wide band in the lumbar part.

    ``strength`` is the optical depth in the line's middle.
    """
    height, width = _canvas_shape(spine)
    rows = np.arange(height) * CELL
    first_lump, last_lump = _lumbar_rows(spine)
    x = np.interp(rows, (np.arange(spine.height) + 0.5) / spine.scale, _on_canvas(spine, spine.midline))
    x = x + 5 / CELL * wave(rng, height, 40)
    half = np.interp(rows, [0, first_lump - 250, first_lump - 50, last_lump], [16, 18, 32, 40])
    # Just above the first lump the line swells to a knot that is easily taken for one more lump.
    half = half + 20 * np.exp(-(((rows - first_lump + 75) / 35) ** 2))
    half = half * np.exp(0.25 * wave(rng, height, 30)) / CELL
    depth = strength * np.exp(0.35 * wave(rng, height, 28))
    away = np.abs(np.arange(width) - x[:, None]) / half[:, None]
    uneven = np.exp(0.3 * clouds(rng, (height, width), (24 / CELL, 24 / CELL)))
    return 1 - np.exp(-depth[:, None] * np.exp(-(away**2)) * uneven)


def streaks(rng: np.random.Generator, canvas: tuple[int, int]) -> np.ndarray:
    """Fine texture (reference rows, canvas columns) of mean 0 and sd 1: speckle, and rows that differ at random."""
    shape = (canvas[0] * CELL, canvas[1])
    speckle = gaussian_filter(rng.standard_normal(canvas, dtype=np.float32), (4.5 / CELL, 4 / CELL), truncate=2.5)
    speckle = np.repeat(speckle / speckle.std(), CELL, axis=0)
    rows = gaussian_filter1d(rng.standard_normal(shape, dtype=np.float32), 7 / CELL, axis=1, truncate=2.5)
    return 0.87 * speckle + 0.5 * rows / rows.std()


def streak_strength(grey: np.ndarray, strength: float = 12.0) -> np.ndarray:
    """Sd of the fine texture where the picture has ``grey``: little where there is no echo or no headroom."""
    return strength * np.clip(grey / 90, 0.15, 1) * np.clip((290 - grey) / 100, 0, 1)


def lost_frames(rng: np.random.Generator, columns: int, mean_bundles: float = 1.6) -> np.ndarray:
    """Share of light lost (reference rows, ``columns``) to bundles of dashed black lines."""
    lost = np.zeros((REFERENCE_HEIGHT, columns), dtype=np.float32)
    for _ in range(rng.poisson(mean_bundles)):
        lines = int(rng.choice([3, 4, 8, 20]))
        rows = rng.uniform(0.05, 0.95) * REFERENCE_HEIGHT + np.cumsum(rng.integers(5, 9, lines))
        dashes = np.repeat(rng.random((lines, columns // 3 + 1)) < rng.uniform(0.4, 0.8), 3, axis=1)[:, :columns]
        for row, dash in zip(rows.astype(int), dashes, strict=True):
            lost[row : row + 2][:, dash] = 1
    return lost


def _bone_depths(rng: np.random.Generator, spine: Spine, alike: float = 0.6) -> list[float]:
    """Optical depth of each of ``spine.bones``; a rib and its process form one stub and are ``alike`` (0..1)."""
    classes = np.array([bone.class_id for bone in spine.bones])
    of_stub = rng.random((classes == RIB).sum())
    share = rng.random(len(classes))
    for class_id in (RIB, PROCESS):
        share[classes == class_id] += alike * (of_stub - share[classes == class_id])
    ranges = np.array([BONE_DEPTH[class_id] for class_id in classes])
    return (ranges[:, 0] + share * (ranges[:, 1] - ranges[:, 0])).tolist()


def _canvas_shape(spine: Spine) -> tuple[int, int]:
    return CANVAS_HEIGHT, round(spine.width / spine.scale / CELL)


def _on_canvas(spine: Spine, points: np.ndarray) -> np.ndarray:
    """Pixel coordinates in canvas cells."""
    return points / (spine.scale * CELL)


def _lumbar_rows(spine: Spine) -> tuple[float, float]:
    """Reference rows of the first and the last lump."""
    rows = [level.centre[1] / spine.scale for level in spine.levels if level.region == "lumbar"]
    return rows[0], rows[-1]
