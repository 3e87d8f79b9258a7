"""Draw a spine: its bones, levels, midline and the scanned strip around it, without any grey value.

Everything is drawn in reference pixels (those of a real picture, 640 x 2574) and scaled to the picture asked for at
the very end. No random draw depends on the size, so one stream gives one patient at any size.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.distance import cdist

from sadanet_lab.phantom import shapes
from sadanet_lab.phantom.annotation import redrawn
from sadanet_lab.phantom.axis import USUAL_PITCH, Axis, draw_axis, reference_rows
from sadanet_lab.phantom.fields import wave
from sadanet_lab.phantom.hiding import draw_hidden
from sadanet_lab.phantom.ranges import REFERENCE_HEIGHT, REFERENCE_WIDTH, SCANNED, Annotator, Body, Cases, Spread, draw
from sadanet_lab.spine.classes import CLASSES
from sadanet_lab.spine.levels import Level

SIDE_MARGIN = 62.0
"""Reference pixels that a frame shows beyond the outermost ends of levels, at least."""
RIB, PROCESS, LUMP = (CLASSES.index(name) for name in ("rib", "thoracic_process", "lump"))


@dataclass(frozen=True)
class BoneOutline:
    """One bone; ``polygon`` (N, 2) of (x, y) in pixels, not yet clipped to the strip."""

    class_id: int
    polygon: np.ndarray
    turned_away: float = 0.0
    """Sine of the axial rotation that turns this bone from the probe; negative: toward it."""
    level: int = 0
    """0 on top."""
    side: int = 0
    """-1 left, 1 right, 0 of a lump."""
    hidden: str = ""
    """Why it cannot be seen: one of ``hiding.KINDS``, or "" where it can."""
    annotation: np.ndarray | None = None
    """Its outline as an annotator draws it, like ``polygon``; None: just so."""


@dataclass(frozen=True)
class Spine:
    """One patient in one frame, in pixels; pixel (row i, column j) covers y in [i, i + 1) and x in [j, j + 1)."""

    width: int
    height: int
    scales: tuple[float, float]
    """Pixels to one reference pixel, across and down."""
    bones: tuple[BoneOutline, ...]
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

    def strip_mask(self) -> np.ndarray:
        """True inside the scanned strip (H, W)."""
        x, y = np.arange(self.width) + 0.5, np.arange(self.height)[:, None] + 0.5
        top, bottom = (np.interp(x, [0, self.width], edge) for edge in (self.strip_top, self.strip_bottom))
        return (x > self.strip_left[:, None]) & (x < self.strip_right[:, None]) & (y > top) & (y < bottom)

    def labels(self) -> np.ndarray:
        """Label map (H, W) of ids 0..3, uint8; nothing is annotated outside the strip."""
        class_ids = np.array([0, *(bone.class_id for bone in self.bones)], dtype=np.uint8)
        return class_ids[self.bone_numbers()]

    def bone_numbers(self) -> np.ndarray:
        """Which bone each pixel of the mask belongs to (H, W), uint8: 1 is the first of ``bones``, 0 none."""
        numbers = np.zeros((self.height, self.width), dtype=np.uint8)
        for number, bone in enumerate(self.bones, start=1):
            outline = bone.polygon if bone.annotation is None else bone.annotation
            rows, columns = shapes.pixels_inside(outline, numbers.shape)
            numbers[rows, columns] = number
        return np.where(self.strip_mask(), numbers, 0).astype(np.uint8)


def draw_spine(
    rng: np.random.Generator, width: int, height: int, spread: Spread = "usual", cases: Cases = "usual"
) -> Spine:
    """A random patient in a picture of ``width`` x ``height`` pixels."""
    body = draw(Body, rng, spread)
    pairs = int(rng.choice([10, 11, 12], p=[0.1, 0.75, 0.15]))
    lumps = int(rng.choice([4, 5, 6], p=[0.1, 0.35, 0.55]))
    axis = draw_axis(rng, body, pairs, lumps, cases)
    hidden = draw_hidden(rng, pairs, lumps) if cases == "demanding" else {}
    steps = axis.steps
    across = steps.mean() / USUAL_PITCH * body.breadth
    left, right = _strip_edges(rng, body, axis, body.clearance * across)
    if spread not in SCANNED:  # those may be cropped
        left, right = (np.clip(edge, 3, REFERENCE_WIDTH - 3) for edge in (left, right))
    sizes = across * (np.append(steps, steps[-1]) / steps.mean()) ** 0.5

    bones: list[BoneOutline] = []
    ends: list[tuple[np.ndarray, np.ndarray]] = []
    for i in range(pairs):
        half = body.processes_apart * across * np.cos(axis.rotations[i])
        ovals, pair_ends = _pair(rng, body, axis.centres[i], axis.tilts[i], half, sizes[i])
        for side, oval, end in zip((-1, 1), ovals, pair_ends, strict=True):
            edge = np.interp(end[1], reference_rows(), left if side < 0 else right)
            rib_tilt = _rib_tilt(rng, i, pairs, axis.tilts[i], side)
            turned_away = float(side * np.sin(axis.rotations[i]))
            rib = _rib(rng, body, end, side * (edge - end[0]), side, rib_tilt, sizes[i])
            why = hidden[i].kind if i in hidden and side in hidden[i].sides else ""
            bones.append(BoneOutline(RIB, rib, turned_away, i, side, why))
            bones.append(BoneOutline(PROCESS, oval, turned_away, i, side, why))
        ends.append(pair_ends)
    for i in range(pairs, pairs + lumps):
        depth = (i - pairs) / (lumps - 1)
        outline, lump_ends = _lump(rng, body, depth, axis.centres[i], axis.tilts[i], sizes[i])
        bones.append(BoneOutline(LUMP, outline, level=i, hidden=hidden[i].kind if i in hidden else ""))
        ends.append(lump_ends)
    bones.sort(key=lambda bone: bone.class_id)  # a process lies over its rib

    scale, shift = _frame(body, ends if spread in SCANNED else [], width, height)
    at_rows = (np.arange(height) + 0.5 - shift[1]) / scale[1]
    strip_top = rng.uniform(12, 60) + np.array([-1, 1]) * rng.normal(0, 8)
    strip_bottom = REFERENCE_HEIGHT - rng.uniform(12, 70) + np.array([-1, 1]) * rng.normal(0, 10)
    levels = []
    for i, pair_ends in enumerate(ends):
        (x0, y0), (x1, y1) = (tuple((scale * end + shift).tolist()) for end in pair_ends)
        levels.append(Level("thoracic" if i < pairs else "lumbar", (x0, y0), (x1, y1)))
    lines = (axis.spinous_line(), left, right)
    midline, strip_left, strip_right = (scale[0] * np.interp(at_rows, reference_rows(), x) + shift[0] for x in lines)
    spine = Spine(
        width=width,
        height=height,
        scales=(float(scale[0]), float(scale[1])),
        bones=tuple(replace(bone, polygon=scale * bone.polygon + shift) for bone in bones),
        levels=tuple(levels),
        midline=midline,
        strip_left=strip_left,
        strip_right=strip_right,
        strip_top=tuple((scale[1] * strip_top + shift[1]).tolist()),
        strip_bottom=tuple((scale[1] * strip_bottom + shift[1]).tolist()),
    )
    return annotate(rng, _whole_levels(spine), draw(Annotator, rng, spread)) if spread in SCANNED else spine


def annotate(rng: np.random.Generator, spine: Spine, hand: Annotator) -> Spine:
    """``spine`` with each bone's outline as ``hand`` draws it: its mask differs, what is seen of it does not."""
    scales = np.array(spine.scales)
    places = {(bone.class_id, bone.side, bone.level): bone.polygon / scales for bone in spine.bones}
    bones = []
    for bone in spine.bones:
        outline = bone.polygon / scales
        beside = [places.get((bone.class_id, bone.side, bone.level + step)) for step in (-1, 1)]
        # Whoever draws bones wide still leaves some room between two of a kind.
        room = min((cdist(outline, other).min() for other in beside if other is not None), default=np.inf)
        careful = replace(hand, margin=min(hand.margin, 0.35 * room))
        outline = redrawn(rng, outline, careful, bone.side if bone.class_id == RIB else 0)
        bones.append(replace(bone, annotation=outline * scales))
    return replace(spine, bones=tuple(bones))


def _frame(
    body: Body, ends: list[tuple[np.ndarray, np.ndarray]], width: int, height: int
) -> tuple[np.ndarray, np.ndarray]:
    """(pixels to one reference pixel, pixel of the reference's origin), each across and down.

    It is as near as ``body`` says, but shows all ``ends`` of levels from side to side, as an operator sees to.
    """
    down = height / REFERENCE_HEIGHT * body.zoom
    across = down * body.stretch
    middle = REFERENCE_WIDTH / 2
    if ends:
        x = np.array(ends)[..., 0]
        low, high = x.min() - SIDE_MARGIN, x.max() + SIDE_MARGIN
        down *= min(1.0, width / (across * (high - low)))
        across = down * body.stretch
        middle = np.clip(middle, high - width / across / 2, low + width / across / 2)
    above = height / 2 - down * (REFERENCE_HEIGHT / 2 + body.raised) if ends else 0
    return np.array([across, down]), np.array([width / 2 - across * middle, above])


def _whole_levels(spine: Spine) -> Spine:
    """``spine`` without the levels that end beyond the strip's or the picture's upper or lower edge."""
    across = (0, spine.width)
    kept = [
        i
        for i, level in enumerate(spine.levels)
        if all(
            np.interp(x, across, spine.strip_top) < y < np.interp(x, across, spine.strip_bottom)
            and 0 < y < spine.height
            for x, y in (level.left, level.right)
        )
    ]
    bones = tuple(replace(bone, level=kept.index(bone.level)) for bone in spine.bones if bone.level in kept)
    return replace(spine, bones=bones, levels=tuple(spine.levels[i] for i in kept))


def _strip_edges(rng: np.random.Generator, body: Body, axis: Axis, clearance: float) -> tuple[np.ndarray, np.ndarray]:
    """x of the strip's left and right edge in each reference row.

    The sweep follows the spine lazily, but keeps its edges at least ``clearance`` away from the axis.
    """
    rows, line = reference_rows(), axis.line
    centre = line.mean() + 0.85 * (gaussian_filter1d(line, 120, mode="nearest") - line.mean())
    drift = body.drift * np.clip((rows / REFERENCE_HEIGHT - 0.8) / 0.1, 0, 1)
    half = np.interp(rows, [0, 1500, 2574], [205, 199, 180]) * body.strip_width
    edges = []
    for side in (-1, 1):
        ragged = rng.normal(0, body.edge_step, len(rows))
        wander = body.edge_wander * (8 * wave(rng, len(rows), 300) + 4 * wave(rng, len(rows), 45)) + ragged
        away = np.maximum(side * (centre + drift - line) + half, clearance)
        edges.append(line + side * away + wander)
    return edges[0], edges[1]


def _pair(
    rng: np.random.Generator, body: Body, centre: np.ndarray, tilt: float, half: float, size: float
) -> tuple[list[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Outlines of the left and right process of one level, and their centres, each ``half`` from the level's."""
    across = half * np.array([np.cos(tilt), np.sin(tilt)])
    ends = (centre - across, centre + across)
    ovals = []
    for end in ends:
        width, height = np.array([79, 88]) * size * body.process_size * rng.normal(1, body.unevenness, 2)
        width, height = width * body.process_flatness**0.5, height / body.process_flatness**0.5
        ovals.append(shapes.rotate(shapes.oval(rng, width, height), tilt + rng.normal(0, 0.15)) + end)
    return ovals, ends


def _rib_tilt(rng: np.random.Generator, index: int, pairs: int, tilt: float, side: int) -> float:
    """Direction of a rib in radians: upward at the top, level above the last pair, which points down-outward."""
    rise = -35 if index == pairs - 1 else np.interp(index, [0, pairs - 2], [18, 4])
    return tilt - side * np.radians(rise + rng.normal(0, 5))


def _rib(
    rng: np.random.Generator, body: Body, end: np.ndarray, to_edge: float, side: int, tilt: float, size: float
) -> np.ndarray:
    """Outline of the rib that leaves the process at ``end`` for the strip's edge, ``to_edge`` away sideways."""
    reach = max(to_edge, 50 * size) / np.cos(tilt) + rng.uniform(-6, 14)
    height = 76 * size * body.rib_size * rng.normal(1, body.unevenness)
    outline = shapes.rib(rng, inner=35 * size * body.process_size, reach=reach, height=height, ragged=3 * size)
    outline = shapes.bend(outline, reach, body.rib_bend, body.rib_taper)
    if side < 0:
        outline = outline * [-1, 1]
    return shapes.rotate(outline, tilt) + end


def _lump(
    rng: np.random.Generator, body: Body, depth: float, centre: np.ndarray, tilt: float, size: float
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Outline of a lump and its two ends; ``depth`` runs from 0 (the highest, most arched) to 1 (a flat bar)."""
    flat = np.clip(depth + rng.normal(0, 0.12), 0, 1)
    size = size * body.lump_size
    width = 268 * size * np.clip(rng.normal(1, body.unevenness), 0.8, 1.12)
    droop = size * (48 - 40 * flat) * body.lump_arch
    thickness = size * (86 + 4 * flat) * rng.normal(1, body.unevenness) * body.lump_thickness
    outline = shapes.arch(rng, width, thickness, hump=size * (26 - 16 * flat), droop=droop)
    # The level's centre is the midpoint of the two ends, so the arch's middle lies above it.
    ends = np.array([[-width / 2, 0], [width / 2, 0]])
    ends = shapes.rotate(ends, tilt) + centre
    return shapes.rotate(outline - [0, droop], tilt) + centre, (ends[0], ends[1])
