"""What the explorer shows under each of its tabs: maps to be laid over the image, and the scales to read them by."""

import io
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.colors import to_hex
from PIL import Image

from sadanet_lab.spine.classes import BONES, COLOUR_BLIND_SAFE
from sadanet_lab.studies.attention_maps import AttentionMaps
from sadanet_lab.views.attention_figures import CHANGED, EVEN, MOST, changed_pixels, looks_at

TALLEST = 2048
"""Rows of a picture that is sent to the browser; of larger ones every second, third ... pixel."""
PARTNERS, LEAST = 2, 0.005
"""How many of the channels that GCA mixes into another are shown at most, and from what weight on."""
SHADED = (0, 0, 0, 140)
"""RGBA of cells that get less than an even spread."""


@dataclass(frozen=True)
class Panel:
    """A map over the image.

    shape: (h, w); indices: uint8 (h, w) into the colours, deflated; colours: RGBA; cells: whether its pixels are cells
    of the network's grid, which stay cells however large.
    """

    title: str
    shape: tuple[int, ...]
    indices: bytes
    colours: bytes
    cells: bool


@dataclass(frozen=True)
class Scale:
    """How to read a map: two ends and the colours from one to the other; or a name for each colour."""

    label: str
    colours: list[str]
    ends: tuple[str, str] | None = None
    names: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Choice:
    """pixel: (row, column) of the image; channel: of GCA's; module: the one that is taken out."""

    pixel: tuple[int, int]
    channel: int = 0
    module: str = ""


@dataclass(frozen=True)
class Seen:
    """An image as one network sees it. without: label map without each of its attention modules, computed when asked
    for."""

    maps: AttentionMaps
    without: Callable[[], Mapping[str, np.ndarray]]


@dataclass(frozen=True)
class Tab:
    """panels: of one network; missing: what it must lack if there are none."""

    title: str
    sentence: str
    scales: list[Scale]
    panels: Callable[[Seen, Choice], list[Panel]]
    missing: str

    def shown(self, title: str, seen: Seen, choice: Choice) -> dict[str, Any]:
        """One network's part of the picture, as the browser takes it."""
        panels = [asdict(panel) for panel in self.panels(seen, choice)]
        missing = "" if panels else f"{title} has no {self.missing.format(module=choice.module)}."
        return {"title": title, "panels": panels, "missing": missing}


def palette(name: str, darkest: float = 0.0, clearest: float = 1.0) -> np.ndarray:
    """RGBA uint8 (256, 4): a colour map of matplotlib's from ``darkest`` of it on, more and more opaque.

    clearest: opacity of the first. Where little is, the image is seen.
    """
    colours = mpl.colormaps[name](np.linspace(darkest, 1, 256))
    colours[:, 3] = np.linspace(clearest, 1, 256)
    return (255 * colours).round().astype(np.uint8)


def panel_of(title: str, indices: np.ndarray, colours: np.ndarray, cells: bool = True) -> Panel:
    """indices: uint8 (h, w), into colours RGBA uint8 (n, 4)."""
    content = zlib.compress(np.ascontiguousarray(indices).tobytes(), level=1)
    return Panel(title, indices.shape, content, colours.tobytes(), cells)


def indices_of(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Values -> 0..255, uint8, even from ``low`` to ``high``."""
    return (255 * np.clip((values - low) / (high - low), 0, 1)).round().astype(np.uint8)


def attention_indices(values: np.ndarray) -> np.ndarray:
    """A map that sums to 1 -> 0 below an even spread, else 1..255, by the logarithm, up to ``MOST`` times that."""
    times = np.maximum(values * values.size, 1e-9)
    found = 1 + 254 * np.log(times / EVEN) / np.log(MOST / EVEN)
    return np.where(times < EVEN, 0, np.clip(found, 1, 255)).round().astype(np.uint8)


def to_screen(pixels: np.ndarray) -> np.ndarray:
    """No more than ``TALLEST`` rows of it."""
    every = -(-len(pixels) // TALLEST)
    return np.ascontiguousarray(pixels[::every, ::every])


def jpeg_of(image: np.ndarray) -> bytes:
    """JPEG of a grey image uint8 (H, W)."""
    content = io.BytesIO()
    Image.fromarray(to_screen(image)).save(content, "JPEG", quality=90)
    return content.getvalue()


ATTENTION = palette("inferno", 0.3, 0.6)
ATTENTION[0] = SHADED
CHANNEL, KEY, CONFIDENCE = palette("cividis", 0.0, 0.5), palette("plasma", 0.0, 0.5), palette("viridis")
LABELS = np.column_stack([COLOUR_BLIND_SAFE, [0, 255, 255, 255]]).astype(np.uint8)
CHANGE = np.array([SHADED, [int(CHANGED[at : at + 2], 16) for at in (1, 3, 5)] + [255]], dtype=np.uint8)


def _looks(seen: Seen, choice: Choice) -> list[Panel]:
    names = ["PAM"] if seen.maps.positions is not None else ["SCA, one pass", "SCA, two passes"]
    found = zip(names, looks_at(seen.maps, choice.pixel), strict=True)
    return [panel_of(name, attention_indices(values), ATTENTION) for name, values in found if values is not None]


def _channels(seen: Seen, choice: Choice) -> list[Panel]:
    maps = seen.maps
    if maps.channels is None or maps.features is None:
        return []
    channel = min(choice.channel, len(maps.channels) - 1)
    partners = [(other, weight) for other, weight in maps.partners(channel, PARTNERS) if weight >= LEAST]
    names = {channel: f"channel {channel}, keeps {100 * float(maps.channels[channel, channel]):.0f} %"}
    names |= {other: f"takes {100 * weight:.0f} % from {other}" for other, weight in partners}
    values = {number: maps.features[number].clamp(min=0).numpy() for number in names}
    return [
        panel_of(name, indices_of(values[number], 0, max(values[number].max(), 1e-9)), CHANNEL)
        for number, name in names.items()
    ]


def _keys(seen: Seen, _choice: Choice) -> list[Panel]:
    found = () if seen.maps.classes is None else seen.maps.classes.numpy()
    return [panel_of(f"key {key}", indices_of(values, 0, 1), KEY) for key, values in enumerate(found)]


def _confidence(seen: Seen, _choice: Choice) -> list[Panel]:
    confidence = indices_of(to_screen(seen.maps.confidence), 0.25, 1)
    return [_label_map("classes", seen.maps.labels), panel_of("confidence", confidence, CONFIDENCE, cells=False)]


def _knocked_out(seen: Seen, choice: Choice) -> list[Panel]:
    labels = seen.without().get(choice.module)
    if labels is None:
        return []
    share, shown = changed_pixels(seen.maps.labels, labels)
    return [
        _label_map("whole network", seen.maps.labels),
        _label_map(f"without {choice.module}", labels),
        panel_of(f"{100 * share:.1f} % of pixels change", to_screen(shown).astype(np.uint8), CHANGE, cells=False),
    ]


def _label_map(title: str, labels: np.ndarray) -> Panel:
    return panel_of(title, to_screen(labels), LABELS, cells=False)


def _run_of(colours: np.ndarray) -> list[str]:
    return [to_hex(colour / 255, keep_alpha=True) for colour in colours[np.linspace(1, 255, 12).astype(int)]]


BONE_COLOURS = Scale("class", [to_hex(c / 255) for c in LABELS[1:]], names=[name.replace("_", " ") for name in BONES])
TABS = {
    "looks": Tab(
        "Where this pixel looks",
        "How much each cell gives to the ringed pixel: one pass of SCA sees its column and row, two see the whole "
        "picture, as DANet's position attention (PAM) does at once. Cells that get less than an even share are shaded.",
        [Scale("attention", _run_of(ATTENTION), ("an even share", f"{MOST:,} times that"))],
        _looks,
        "attention between pixels",
    ),
    "channels": Tab(
        "Which channels mix",
        "GCA makes each channel of the features a mixture of all: here one, and those that it takes most from.",
        [Scale("channel", _run_of(CHANNEL), ("0", "its largest value"))],
        _channels,
        "GCA",
    ),
    "keys": Tab(
        "What the keys are",
        "SAA sorts cells by four keys, in training only; nothing ties a key to a class: they have numbers, no names.",
        [Scale("share of a cell that a key takes", _run_of(KEY), ("0", "all of it"))],
        _keys,
        "SAA",
    ),
    "confidence": Tab(
        "Classes and confidence",
        "The class that the network gives each pixel, and how probable it finds it; 25 % is a guess among four.",
        [BONE_COLOURS, Scale("confidence", _run_of(CONFIDENCE), ("25 %", "100 %"))],
        _confidence,
        "classes",
    ),
    "knock-out": Tab(
        "Without a module",
        "The same weights with one attention module taken out: where the classes change, this network relies on it.",
        [BONE_COLOURS, Scale("pixel", [CHANGED], names=["another class without the module"])],
        _knocked_out,
        "{module} to take out",
    ),
}
