"""Give a drawn spine its grey values: dark bones and midline on bright, cloudy, streaky tissue.

Everything here is painted, to look as it does; ``scan`` makes pictures the way a scanner does.

Slow effects are computed on a canvas of one cell to two reference pixels, the fine texture in reference pixels,
whatever the picture's size; so a small phantom is a reduced large one. An effect is a function that returns a field:
brightness to multiply or add, or a shadow (the share of light taken away, 0..1). Its strength is one value of
``ranges.Style``.
"""

import numpy as np
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter

from sadanet_lab.phantom.anatomy import LUMP, PROCESS, RIB, Spine
from sadanet_lab.phantom.fields import clouds, enlarge, wave
from sadanet_lab.phantom.ranges import Scanner, Style, draw

CELL = 2
"""Reference pixels to one canvas cell."""

BONE_DEPTH = {RIB: (0.25, 2.2), PROCESS: (0.2, 1.25), LUMP: (0.85, 1.1)}
"""Range of the optical depth of single bones of a class (light that passes is exp(-depth)): many ribs and processes
are barely seen."""
BLUR_OF_CLASS = {RIB: 1.0, PROCESS: 1.0, LUMP: 1.4}
"""Of a bone's edge, against ``Style.bone_blur``: the lumbar part lies deeper."""

TONE_LIGHT = np.array([0.0, 0.02, 0.085, 0.16, 0.36, 0.64, 0.89, 1.12, 1.28, 1.55, 1.9])
TONE_GREY = np.array([0, 5, 16, 29, 67, 130, 194, 232, 243, 253, 255])
"""The scanner's compression from light to grey (255 from the last value on)."""


def render(rng: np.random.Generator, spine: Spine, style: Style | None = None) -> np.ndarray:
    """Grey picture (H, W) of ``spine``, uint8; 0 outside the strip. ``style``: drawn from the usual ranges if None."""
    style = style or draw(Style, rng)
    picture = spine.height, spine.width
    light = tissue(rng, spine, style) * (1 + style.halo * halo(spine)) * (1 - bone_shadows(rng, spine, style))
    light = light * (1 - midline_shadow(rng, spine, style)) * (1 - decoys(rng, spine, style.decoys))
    grey = enlarge(tone(style.gain * light**style.gamma), (CELL * light.shape[0], CELL * light.shape[1]))
    grey = grey + fine_texture(rng, grey.shape, style.row_noise) * texture_strength(grey, style.texture)
    grey = gaussian_filter(grey, style.blur, truncate=3) * (1 - lost_frames(rng, grey.shape, style.lost_bundles))
    grey = enlarge(np.clip(grey, 0, 255), picture)
    return np.where(spine.strip_mask(), np.clip(np.rint(grey), 0, 255), 0).astype(np.uint8)


def tone(light: np.ndarray) -> np.ndarray:
    """Light -> grey 0..255, float."""
    return np.interp(light, TONE_LIGHT, TONE_GREY).astype(np.float32)


def tissue(rng: np.random.Generator, spine: Spine, style: Style) -> np.ndarray:
    """Light of the soft tissue (canvas), about 1: clouds at several scales, darker in the lumbar part, fading below."""
    shape = canvas_shape(spine)
    field = sum(weight * clouds(rng, shape, (cell / CELL, cell / CELL)) for cell, weight in ((200, 0.6), (110, 0.8)))
    rows = np.arange(shape[0]) * CELL
    first_lump, last_lump = lumbar_rows(spine)
    lumbar = style.lumbar_light
    level = np.interp(rows, [0, first_lump - 300, first_lump + 100, last_lump], [1, 1, lumbar, 0.92 * lumbar])
    level *= 1 + 0.08 * wave(rng, shape[0], 90)
    fade = 1 / (1 + np.exp((rows - last_lump - style.fade) / 40))
    across = np.linspace(-1, 1, shape[1]) * style.sideways
    return np.exp(style.cloudiness * field + across) * (level * (0.2 + 0.8 * fade))[:, None]


def halo(spine: Spine, reach: float = 14.0) -> np.ndarray:
    """How near the edge of a bone is (canvas), 0..1: echoes from there are strong. ``reach``: reference pixels."""
    height, width = canvas_shape(spine)
    layer = Image.new("F", (width, height))
    for bone in spine.bones:
        if bone.hidden:
            continue
        ImageDraw.Draw(layer).polygon([tuple(p) for p in on_canvas(spine, bone.polygon)], fill=1)
    inside = gaussian_filter(np.asarray(layer), reach / CELL, truncate=2.5)
    return 4 * inside * (1 - inside)


def bone_shadows(rng: np.random.Generator, spine: Spine, style: Style) -> np.ndarray:
    """Shadow of the bones (canvas), uneven within a bone.

    What is seen lies only roughly where the expert, who knows the anatomy, draws it: ``style.displacement``.
    """
    shape = canvas_shape(spine)
    layers = {class_id: Image.new("F", (shape[1], shape[0])) for class_id in BONE_DEPTH}
    for bone, depth in zip(spine.bones, bone_depths(rng, spine, style), strict=True):
        seen = displaced(rng, on_canvas(spine, bone.polygon), style.displacement)
        ImageDraw.Draw(layers[bone.class_id]).polygon([tuple(p) for p in seen], fill=depth)
    blurred = [
        gaussian_filter(np.asarray(layer), BLUR_OF_CLASS[class_id] * style.bone_blur / CELL, truncate=2.5)
        for class_id, layer in layers.items()
    ]
    # Where a rib passes behind its process the deeper of the two shadows is seen, not their sum.
    depth = np.max(blurred, axis=0)
    uneven = 0.7 * clouds(rng, shape, (36 / CELL, 36 / CELL)) + 0.7 * clouds(rng, shape, (14 / CELL, 14 / CELL))
    return 1 - np.exp(-depth * np.exp(style.bone_patchiness * uneven))


def displaced(rng: np.random.Generator, outline: np.ndarray, displacement: float) -> np.ndarray:
    """``outline`` (N, 2) in canvas cells where the bone is seen, and as large; ``displacement`` in reference pixels."""
    middle = outline.mean(0)
    return (outline - middle) * rng.normal(1, 0.08, 2) + middle + rng.normal(0, displacement / CELL, 2)


def midline_shadow(rng: np.random.Generator, spine: Spine, style: Style) -> np.ndarray:
    """Shadow of the spinous processes (canvas)."""
    return 1 - np.exp(-midline_depth(rng, spine, style))


def midline_depth(rng: np.random.Generator, spine: Spine, style: Style | Scanner) -> np.ndarray:
    """Optical depth of the spinous processes (canvas): a thin wavy line above, a wide band in the lumbar part."""
    height, width = canvas_shape(spine)
    rows = np.arange(height) * CELL
    first_lump, last_lump = lumbar_rows(spine)
    x = np.interp(rows, (np.arange(spine.height) + 0.5) / spine.scales[1], spine.midline / (spine.scales[0] * CELL))
    x = x + 5 / CELL * wave(rng, height, 40)
    half = np.interp(rows, [0, first_lump - 250, first_lump - 50, last_lump], [16, 18, 32, 40])
    half = half + 20 * style.knot * np.exp(-(((rows - first_lump + 75) / 35) ** 2))
    half = half * style.midline_width * np.exp(0.25 * wave(rng, height, 30)) / CELL
    depth = style.midline * np.exp(0.35 * wave(rng, height, 28))
    away = np.abs(np.arange(width) - x[:, None]) / half[:, None]
    uneven = np.exp(0.3 * clouds(rng, (height, width), (24 / CELL, 24 / CELL)))
    return depth[:, None] * np.exp(-(away**2)) * uneven


def decoys(rng: np.random.Generator, spine: Spine, strength: float) -> np.ndarray:
    """Shadow of blotches that are no bones (canvas), of the size of bones; ``strength`` is an optical depth."""
    field = clouds(rng, canvas_shape(spine), (70 / CELL, 70 / CELL))
    return 1 - np.exp(-strength * np.clip(field - 0.8, 0, 1.5))


def fine_texture(rng: np.random.Generator, shape: tuple[int, int], row_noise: float) -> np.ndarray:
    """Field (reference rows, reference columns) of mean 0 and sd 1: speckle of several sizes, and rows that differ.

    ``row_noise`` is the share of the sd that is drawn anew for each row: the streaks of the sweep.
    """
    half = -(-shape[0] // 2), -(-shape[1] // 2)
    speckle = 0.65 * smoothed(rng, shape, (0.9, 0.6))
    for down, across, weight in ((2.6, 1.9, 0.8), (5, 2.5, 0.4)):
        speckle = speckle + weight * enlarge(smoothed(rng, half, (down / 2, across / 2)), shape)
    rows = smoothed(rng, shape, (0.8, 2.5))
    # The probe's sweep goes forth and back: neighbouring rows differ more than those two apart.
    rows[::2] *= -1
    return np.sqrt(1 - row_noise**2) * speckle / speckle.std() + row_noise * rows / rows.std()


def texture_strength(grey: np.ndarray, strength: float) -> np.ndarray:
    """Sd of the fine texture where the picture has ``grey``: little where there is no echo or no headroom."""
    return strength * np.clip(grey / 90, 0.15, 1) * np.clip((290 - grey) / 100, 0, 1)


def lost_frames(rng: np.random.Generator, shape: tuple[int, int], mean_bundles: float) -> np.ndarray:
    """Share of light lost (reference rows, reference columns) to bundles of dashed black lines."""
    lost = np.zeros(shape, dtype=np.float32)
    for _ in range(rng.poisson(mean_bundles)):
        lines = int(rng.choice([3, 4, 8, 20]))
        rows = rng.uniform(0.05, 0.95) * shape[0] + np.cumsum(rng.integers(5, 9, lines))
        dashes = np.repeat(rng.random((lines, shape[1] // 6 + 1)) < rng.uniform(0.4, 0.8), 6, axis=1)[:, : shape[1]]
        for row, dash in zip(rows.astype(int), dashes, strict=True):
            lost[row : row + 2][:, dash] = 1
    return lost


def smoothed(rng: np.random.Generator, shape: tuple[int, int], sigma: tuple[float, float]) -> np.ndarray:
    """Random field of sd 1, smoothed by ``sigma`` (rows, columns) entries."""
    field = gaussian_filter(rng.standard_normal(shape, dtype=np.float32), sigma, truncate=2.5)
    return field / field.std()


def bone_depths(rng: np.random.Generator, spine: Spine, style: Style | Scanner, alike: float = 0.6) -> list[float]:
    """Optical depth of each of ``spine.bones``, 0 of hidden ones; a rib and its process form one stub and are ``alike``
    (0..1)."""
    classes = np.array([bone.class_id for bone in spine.bones])
    of_stub = rng.random((classes == RIB).sum())
    share = rng.random(len(classes))
    for class_id in (RIB, PROCESS):
        share[classes == class_id] += alike * (of_stub - share[classes == class_id])
    share = 0.5 + style.unlike * (share - 0.5)
    ranges = np.array([BONE_DEPTH[class_id] for class_id in classes])
    contrast = np.where(classes == LUMP, style.lump_contrast, style.bone_contrast)
    # A bone that turns away from the probe throws a weaker echo from its surface, and so a paler shadow.
    contrast = contrast * np.exp([-0.6 * bone.turned_away for bone in spine.bones])
    contrast = contrast * [not bone.hidden for bone in spine.bones]
    return (contrast * (ranges[:, 0] + share * (ranges[:, 1] - ranges[:, 0]))).tolist()


def canvas_shape(spine: Spine) -> tuple[int, int]:
    """(rows, columns) of the picture's canvas."""
    return round(spine.height / spine.scales[1] / CELL), round(spine.width / spine.scales[0] / CELL)


def on_canvas(spine: Spine, points: np.ndarray) -> np.ndarray:
    """Pixel coordinates (N, 2) in canvas cells."""
    return points / (np.array(spine.scales) * CELL)


def lumbar_rows(spine: Spine) -> tuple[float, float]:
    """Rows of the first and the last lump, reference pixels from the picture's upper edge."""
    rows = [level.centre[1] / spine.scales[1] for level in spine.levels if level.region == "lumbar"]
    return rows[0], rows[-1]
