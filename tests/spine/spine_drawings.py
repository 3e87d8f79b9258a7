"""Spines drawn by hand for tests: their true angles are those of the list of tilts that they are drawn from."""

from math import cos, pi

import numpy as np
from PIL import Image, ImageDraw

from sadanet_lab.spine.levels import Level

PROCESS, LUMP = 2, 3
PITCH, APART = 60, 52
"""Pixels from one level to the next, and from the midline to the middle of a process."""
SINGLE = [15 * (i - 8) / 8 for i in range(17)], 11
"""Tilts from -15 to 15 degrees in even steps; the number of levels that are pairs of processes."""
DOUBLE = [12 * cos(pi * i / 6) for i in range(13)], 9
"""Tilts of 12, -12 and 12 degrees at levels 0, 6 and 12, passing 0 at 3 and 9."""


def centres_of(tilts: list[float]) -> np.ndarray:
    """(x, y) of levels whose midline is perpendicular to them and in the middle of the picture."""
    on_the_way = np.radians((np.array(tilts[1:]) + tilts[:-1]) / 2)
    steps = PITCH * np.stack([-np.sin(on_the_way), np.cos(on_the_way)], axis=1)
    centres = np.concatenate([[[0.0, 0.0]], steps.cumsum(0)])
    centres[:, 0] += 200 - (centres[:, 0].min() + centres[:, 0].max()) / 2
    return centres + np.array([0, 70])


def levels_of(tilts: list[float]) -> list[Level]:
    """The levels themselves, exact: what ``spine_of`` draws bones on."""
    halves = APART * np.stack([np.cos(np.radians(tilts)), np.sin(np.radians(tilts))], axis=1)
    ends = zip(centres_of(tilts) - halves, centres_of(tilts) + halves, strict=True)
    return [Level("thoracic", tuple(left.tolist()), tuple(right.tolist())) for left, right in ends]


def spine_of(tilts: list[float], pairs: int) -> list[tuple[int, np.ndarray]]:
    """(class id, polygon) of the bones from top to bottom: left and right process of each pair, then bars as lumps."""
    turn = np.linspace(0, 2 * pi, 40, endpoint=False)
    oval, bar = np.stack([17 * np.cos(turn), 20 * np.sin(turn)], axis=1), [[-60, -18], [60, -18], [60, 18], [-60, 18]]
    bones = []
    for i, (tilt, centre) in enumerate(zip(np.radians(tilts), centres_of(tilts), strict=True)):
        axes = np.array([[np.cos(tilt), np.sin(tilt)], [-np.sin(tilt), np.cos(tilt)]])
        if i < pairs:
            bones += [(PROCESS, centre + oval @ axes + side * APART * axes[0]) for side in (-1, 1)]
        else:
            bones.append((LUMP, centre + bar @ axes))
    return bones


def painted(bones: list[tuple[int, np.ndarray]]) -> np.ndarray:
    picture = Image.new("L", (400, 1200))
    for class_id, polygon in bones:
        # PIL takes whole pixels, cuts decimals off, and means a pixel's middle by its number.
        ImageDraw.Draw(picture).polygon([tuple(point) for point in np.rint(polygon - 0.5)], fill=class_id)
    return np.asarray(picture)


def bent_at(places: list[int], tilts: list[float]) -> list[float]:
    """17 tilts that run straight from one of ``places`` to the next."""
    return np.interp(np.arange(17), places, tilts).tolist()


SHARP = {
    "piecewise linear": (35, bent_at([0, 3, 15, 16], [0, -17.5, 17.5, 0])),
    "within two levels": (36, bent_at([0, 7, 9, 16], [0, -18, 18, 0])),
    "within two levels, straight beyond": (36, bent_at([0, 7, 9, 16], [-18, -18, 18, 18])),
    "wedge": (30, bent_at([0, 7, 8, 16], [0, -15, 15, 0])),
    "wedge, straight beyond": (30, bent_at([0, 7, 8, 16], [-15, -15, 15, 15])),
    "kink": (28, bent_at([0, 6, 7, 8, 9, 16], [0, 0, 14, -14, 0, 0])),
}
"""(true angle, tilts) of spines with sharp bends. A smoother by squared bends that counts levels less where they stand
off made of the first, second, fourth and last 29.8, 27.3, 21.8 and 0.7 degrees."""

NOT_MEASURABLE = {
    "empty": np.zeros((1200, 400), np.uint8),
    "all rib": np.ones((1200, 400), np.uint8),
    "lumps": painted(spine_of(*SINGLE)[22:]),
    "left processes": painted(spine_of(*SINGLE)[:22:2]),
    "left processes and lumps": painted(spine_of(*SINGLE)[:22:2] + spine_of(*SINGLE)[22:]),
    "right processes of a leaning spine": painted(spine_of([8.0] * 17, 11)[1:22:2]),
    "one process": painted(spine_of(*SINGLE)[:1]),
    "one pair": painted(spine_of(*SINGLE)[:2]),
    "one pixel": np.full((1, 1), PROCESS, np.uint8),
}
