"""Give a drawn spine its grey values as a scanner makes them: echoes, shadows and speckle, compressed to greys.

A volume projection image is put together of frames, one for each place of the probe along the spine, and shows the
echoes of a layer under the skin. Echo power is counted in decibels, so that effects that multiply are added. Fields lie
on the canvas of ``appearance``; each strength is one value of ``ranges.Scanner``.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from sadanet_lab.phantom.anatomy import Spine
from sadanet_lab.phantom.appearance import (
    CELL,
    bone_depths,
    canvas_shape,
    displaced,
    lumbar_rows,
    midline_depth,
    on_canvas,
    smoothed,
)
from sadanet_lab.phantom.fields import clouds, enlarge, wave
from sadanet_lab.phantom.ranges import Scanner

DB = 20 / np.log(10)
"""Decibels of one unit of optical depth, which leaves 1/e of the echo's amplitude."""
FADE = 0.1
"""dB lost with each reference pixel below the lumbar part, where the layer sinks ever deeper."""
SINGLE_LOOK = 5.57
"""Sd in dB of fully developed speckle."""
STEPS = 3
"""Depths behind a bone at which its shadow is drawn."""
TONE_SIGNAL = np.array([-40, 25, 205, 300])
TONE_GREY = np.array([0, 25, 205, 255])
"""The display's curve: straight, with a toe and a shoulder."""


def scan(rng: np.random.Generator, spine: Spine, scanner: Scanner) -> np.ndarray:
    """Grey picture (H, W) of ``spine``, uint8; 0 outside the strip."""
    shape = canvas_shape(spine)
    muscle = muscle_above(spine, shape[0])
    sweeps = draw_sweeps(rng, shape, scanner)
    echo = tissue(rng, shape, scanner) - losses(rng, spine, muscle, scanner)
    echo = echo + bone_echo(rng, spine, muscle, scanner) - DB * spinous_depth(rng, spine, scanner)
    echo = 10 * np.log10(np.power(10, echo / 10) + 10 ** (scanner.noise / 10), dtype=np.float32)
    echo += speckle(rng, shape, np.clip(muscle + sweeps.focus, 0, 1.5), scanner) + sweeps.gain
    echo += scanner.frame_gain * streaks(rng, shape)
    signal = scanner.tissue_grey + 255 / scanner.range * echo[sweeps.rows, sweeps.columns]
    grey = np.interp(signal, TONE_SIGNAL, TONE_GREY)
    grey = enlarge(grey * (1 - gaps(rng, shape, scanner.gap_bundles)), (spine.height, spine.width))
    return np.where(spine.strip_mask(), np.clip(np.rint(grey), 0, 255), 0).astype(np.uint8)


def muscle_above(spine: Spine, height: int) -> np.ndarray:
    """How thick the muscles are above the layer shown (height, 1): 0 in the thoracic part, 1 in the lumbar one."""
    first_lump, last_lump = lumbar_rows(spine)
    return np.interp(np.arange(height) * CELL, [first_lump - 300, first_lump + 100, last_lump], [0, 0.9, 1])[:, None]


def tissue(rng: np.random.Generator, shape: tuple[int, int], scanner: Scanner) -> np.ndarray:
    """Echo of the soft tissue, mean 0: patches of several sizes, longer along the muscles' fibres."""
    long = scanner.fibre**0.5
    field = np.zeros(shape, np.float32)
    for size, weight in ((200, 0.5), (100, 0.6), (44, 0.5), (24, 0.4)):
        field += weight * clouds(rng, shape, (size * long / CELL, size / long / CELL))
    return scanner.cloudiness * field


def losses(rng: np.random.Generator, spine: Spine, muscle: np.ndarray, scanner: Scanner) -> np.ndarray:
    """dB lost on the way: attenuation grows with depth, and sound enters the body only where the probe touches it."""
    height, width = canvas_shape(spine)
    rows = np.arange(height) * CELL
    at_rows = (np.arange(spine.height) + 0.5) / spine.scales[1]
    left, right = (np.interp(rows, at_rows, edge)[:, None] for edge in (spine.strip_left, spine.strip_right))
    columns = (np.arange(width) + 0.5) * (CELL * spine.scales[0])
    across = np.clip((2 * columns - left - right) / (right - left), -1, 1).astype(np.float32)
    beyond = rows - lumbar_rows(spine)[1] - scanner.fade
    deep = scanner.lumbar_loss * muscle + FADE * np.maximum(beyond, 0)[:, None] + 0.5 * wave(rng, height, 45)[:, None]
    lifted = np.clip(clouds(rng, (height, width), (130 / CELL, 130 / CELL)) + 2 * np.abs(across) - 2.6, 0, 1)
    return deep + scanner.edge_loss * across**2 - scanner.sideways * across + scanner.contact * lifted


def bone_echo(rng: np.random.Generator, spine: Spine, muscle: np.ndarray, scanner: Scanner) -> np.ndarray:
    """dB that bones add and take: a bright surface, which throws the sound back, and so the shadow behind it."""
    shape = canvas_shape(spine)
    layers = [Image.new("F", (shape[1], shape[0])) for _ in range(STEPS)]
    at_rows = (np.arange(spine.height) + 0.5) / (spine.scales[1] * CELL)
    under_probe = (spine.strip_left + spine.strip_right) / (2 * spine.scales[0] * CELL)
    for bone, depth in zip(spine.bones, bone_depths(rng, spine, scanner), strict=True):
        seen = displaced(rng, on_canvas(spine, bone.polygon), scanner.displacement)
        if bone.hidden:
            continue
        aside = scanner.divergence * (seen[:, 0] - np.interp(seen[:, 1].mean(), at_rows, under_probe))
        for step, layer in enumerate(layers):
            behind = step / (STEPS - 1)
            outline = seen + behind * np.stack([aside, np.full(len(seen), scanner.lean / CELL)], axis=1)
            ImageDraw.Draw(layer).polygon([tuple(p) for p in outline], fill=depth)
    # Half-shade: of a wide aperture a bone's edge covers a part. It grows with the depth.
    half_shade = scanner.bone_blur / CELL
    depth = gaussian_filter(np.mean([np.asarray(layer) for layer in layers], axis=0), half_shade, truncate=2.5)
    depth += np.clip(muscle, 0, 1) * (gaussian_filter(depth, 0.8 * half_shade, truncate=2.5) - depth)
    uneven = 0.7 * clouds(rng, shape, (36 / CELL, 36 / CELL)) + 0.7 * clouds(rng, shape, (14 / CELL, 14 / CELL))
    surface = rims(rng, np.asarray(layers[0])) * np.clip(1 + 0.7 * uneven, 0, 1.5)
    return scanner.rim * surface - DB * depth * np.exp(scanner.bone_patchiness * uneven)


def rims(rng: np.random.Generator, depth: np.ndarray, width: float = 1.5) -> np.ndarray:
    """How much of the sound comes back straight from a bone's edge (canvas), 0..1: of the side that faces the probe.

    ``depth``: optical depth of the bones; ``width``: sigma of the edge, in cells.
    """
    surface = gaussian_filter(1 - np.exp(-depth), width, truncate=2.5)
    down, across = np.gradient(surface)
    angle = rng.uniform(-0.8, 0.8)
    facing = rng.choice([-1, 1]) * (np.cos(angle) * down + np.sin(angle) * across)
    return np.maximum(facing, 0) * width * np.sqrt(2 * np.pi)


def spinous_depth(rng: np.random.Generator, spine: Spine, scanner: Scanner) -> np.ndarray:
    """Optical depth of the spinous processes, with gaps between them."""
    depth = midline_depth(rng, spine, scanner)
    at_levels = np.array([level.centre[1] for level in spine.levels]) / (spine.scales[1] * CELL)
    level = np.interp(np.arange(len(depth)), at_levels, np.arange(len(at_levels)))
    return depth * (1 - scanner.interspinous * (1 - np.cos(2 * np.pi * level)) / 2)[:, None]


def speckle(rng: np.random.Generator, shape: tuple[int, int], deep: np.ndarray, scanner: Scanner) -> np.ndarray:
    """dB of speckle, mean 0: the echoes of many scatterers within a beam add up as waves, to Rayleigh's amplitudes.

    One look has an sd of ``SINGLE_LOOK``. For a smaller one further looks, taken as even, are averaged with it, which
    fills its black holes. ``deep`` broadcasts to ``shape``: 1 where the beam is as wide as ``Scanner.defocus`` says.
    """
    grain = np.array([scanner.grain_down, scanner.grain_across]) / CELL
    wider = grain * (scanner.defocus**2 - 1) ** 0.5
    decibels = scanner.speckle * scanner.range / 255
    power = np.zeros(shape, np.float32)
    for _ in range(2):  # the two quadratures of a wave
        near = smoothed(rng, shape, tuple(grain))
        far = gaussian_filter(near, wider, truncate=2.5)
        power += (near + deep.astype(np.float32) * (far / far.std() - near)) ** 2
    looks = np.sqrt(np.pi / 2) * max(SINGLE_LOOK / decibels - 1, 0.01)
    field = np.log(np.sqrt(power) + looks)
    return (field - field.mean()) * (decibels / field.std())


def streaks(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Field of sd 1 that differs from frame to frame (rows): each is a picture of its own, with its own gain."""
    parts = gaussian_filter1d(rng.standard_normal(shape, dtype=np.float32), 20 / CELL, axis=1, truncate=2.5)
    return 0.8 * parts / parts.std() + 0.6 * rng.standard_normal((shape[0], 1), dtype=np.float32)


@dataclass(frozen=True)
class Sweeps:
    """What differs between the sweeps that a picture is joined of, for each cell; all broadcast to the canvas."""

    gain: np.ndarray
    focus: np.ndarray
    rows: np.ndarray
    """From which row and column of the body a cell's echo really comes."""
    columns: np.ndarray


def draw_sweeps(rng: np.random.Generator, shape: tuple[int, int], scanner: Scanner) -> Sweeps:
    """Sweeps one below the other or side by side, joined at about equal distances, each a little out of place."""
    height, width = shape
    count = int(scanner.sweeps)
    side_by_side = scanner.beside > 0.5
    along = np.linspace(0, count, width if side_by_side else height, endpoint=False)
    sweep = np.clip(np.floor(along + rng.uniform(-0.3, 0.3)), 0, count - 1).astype(int)
    sweep = sweep[None, :] if side_by_side else sweep[:, None]
    gain, focus, down, across = rng.standard_normal((4, count), dtype=np.float32)
    down, across = (np.rint(scanner.sweep_offset / CELL * place).astype(int) for place in (down, across))
    tremor = np.rint(scanner.tremor / CELL * wave(rng, height, 50)).astype(int)[:, None]
    return Sweeps(
        gain=scanner.sweep_gain * (gain - gain.mean())[sweep],
        focus=scanner.sweep_focus * focus[sweep],
        rows=np.clip(np.arange(height)[:, None] + down[sweep], 0, height - 1),
        columns=np.clip(np.arange(width) + across[sweep] + tremor, 0, width - 1),
    )


def gaps(rng: np.random.Generator, shape: tuple[int, int], mean_bundles: float) -> np.ndarray:
    """Share of the light lost (canvas) where no frame fell: dashed black lines, wedges where the probe turned."""
    height, width = shape
    lost = np.zeros(shape, dtype=np.float32)
    columns = np.arange(width)
    for _ in range(rng.poisson(mean_bundles)):
        y, tilt, kept = rng.uniform(0.03, 0.97) * height, rng.normal(0, 3), rng.uniform(0, 0.6)
        left, right = rng.permutation([rng.uniform(0.5, 2), rng.uniform(0, 1)])
        opening = np.linspace(left, right, width)
        for _ in range(rng.choice([1, 2, 3, 8, 16])):
            y += rng.uniform(2.5, 5)
            dashes = np.repeat(rng.random(width // 4 + 1) > kept, 4)[:width]
            first = np.floor(y + tilt * columns / width).astype(int)
            for row in (0, 1):
                rows = np.clip(first + row, 0, height - 1)
                lost[rows, columns] = np.maximum(lost[rows, columns], dashes * np.clip(opening - row, 0, 1))
    return lost
