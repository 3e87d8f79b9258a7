"""Attention maps as one picture: panels side by side, each the image under a map, as fast as a slider moves."""

from collections.abc import Sequence
from functools import cache

import matplotlib as mpl
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from sadanet_lab.spine.classes import CLASSES, COLOUR_BLIND_SAFE
from sadanet_lab.studies.attention_maps import AttentionMaps
from sadanet_lab.views.overlays import overlay

HEIGHT = 560
"""Of a panel, in screen pixels."""
TITLE, GAP = 22, 6


@cache
def _colour_map(name: str) -> np.ndarray:
    return (255 * mpl.colormaps[name](np.linspace(0, 1, 256))[:, :3]).astype(np.float32)


def colour(values: np.ndarray, top: float | None = None, name: str = "inferno") -> np.ndarray:
    """Values >= 0 -> RGB float32 of the same shape; ``top`` (default: the largest) is the brightest colour.

    The square root is shown: attention falls by orders of magnitude from one cell to the next.
    """
    top = float(values.max()) if top is None else top
    share = np.sqrt(np.clip(values / max(top, 1e-12), 0, 1))
    return _colour_map(name)[(255 * share).astype(np.uint8)]


class Panels:
    """What doesn't change while a pixel is moved, drawn once; ``draw`` does the rest.

    title: stands over the first panel, the name of the network. The panels: prediction, confidence, then whatever maps
    the network has: SCA after one and two passes, position attention, SAA's class maps and affinity, GCA's channels.
    """

    def __init__(self, maps: AttentionMaps, title: str, height: int = HEIGHT):
        self.maps, self.title, self.height = maps, title, height
        tall, wide = maps.image.shape
        self.size = max(40, round(wide * height / tall)), height
        self.grey = np.asarray(self._resized(Image.fromarray(maps.image)).convert("RGB"), dtype=np.float32)
        drawn = Image.fromarray(overlay(maps.image, maps.labels, COLOUR_BLIND_SAFE))
        self.prediction = np.asarray(self._resized(drawn))
        confidence = self._enlarged(maps.confidence, smooth=False)
        self.confidence = colour(np.square(confidence), 1.0, "viridis").astype(np.uint8)

    def draw(self, row: int, column: int, opacity: float = 0.7, channel: int = 0) -> Image.Image:
        """The panels for one pixel of the image. opacity: of the maps over the image, 0..1."""
        maps, cell = self.maps, self.maps.cell(row, column)
        panels = [(self.title, self.prediction), ("confidence", self.confidence)]
        for passes, name in ((1, "SCA, 1 pass"), (2, "SCA, 2 passes")):
            if (found := maps.criss_cross(cell, passes)) is not None:
                panels.append((name, self._over(found, opacity)))
        if (found := maps.position(cell)) is not None:
            panels.append(("position attention", self._over(found, opacity)))
        if maps.classes is not None:
            panels += [
                (f"SAA: {name.replace('_', ' ').removeprefix('thoracic ')}", self._over(values.numpy(), opacity, 1.0))
                for name, values in zip(CLASSES, maps.classes, strict=True)
            ]
        if maps.features is not None:
            tied = [channel, *(other for other, _ in maps.partners(channel, 2))]
            panels += [(f"channel {c}", self._over(maps.features[c].clamp(min=0).numpy(), opacity)) for c in tied]
        marked = [self._marked(panel, row, column) for _, panel in panels]
        if maps.affinity is not None:
            panels.append(("SAA affinity", None))
            marked.append(self._matrix(maps.affinity.numpy(), width=90))
        if maps.channels is not None:
            panels.append(("GCA channels", None))
            marked.append(self._matrix(maps.channels.numpy(), width=360, square=True))
        return side_by_side(marked, [name for name, _ in panels])

    def _resized(self, picture: Image.Image) -> Image.Image:
        return picture.resize(self.size, Image.Resampling.BILINEAR)

    def _enlarged(self, values: np.ndarray, smooth: bool = True) -> np.ndarray:
        how = Image.Resampling.BILINEAR if smooth else Image.Resampling.NEAREST
        return np.asarray(Image.fromarray(np.ascontiguousarray(values, dtype=np.float32)).resize(self.size, how))

    def _over(self, values: np.ndarray, opacity: float, top: float | None = None) -> np.ndarray:
        """A map on the grid, over the image: cells stay cells, so that nothing is seen that isn't there."""
        tint = colour(self._enlarged(values, smooth=False), top)
        return ((1 - opacity) * self.grey + opacity * tint).astype(np.uint8)

    def _marked(self, panel: np.ndarray, row: int, column: int) -> Image.Image:
        """``panel`` with a ring around the chosen pixel."""
        picture = Image.fromarray(panel)
        (tall, wide), (width, height) = self.maps.image.shape, self.size
        x, y = (column + 0.5) * width / wide, (row + 0.5) * height / tall
        draw = ImageDraw.Draw(picture)
        draw.ellipse((x - 6, y - 6, x + 6, y + 6), outline="black", width=4)
        draw.ellipse((x - 5, y - 5, x + 5, y + 5), outline="white", width=2)
        return picture

    def _matrix(self, values: np.ndarray, width: int, square: bool = False) -> Image.Image:
        size = (min(width, self.height), min(width, self.height) if square else self.height)
        return Image.fromarray(colour(values).astype(np.uint8)).resize(size, Image.Resampling.NEAREST)


def side_by_side(pictures: Sequence[Image.Image], titles: Sequence[str]) -> Image.Image:
    """Pictures in one row on white, a title above each."""
    font = ImageFont.load_default(size=12)
    widths = [max(picture.width, round(font.getlength(title))) for picture, title in zip(pictures, titles, strict=True)]
    sheet = Image.new("RGB", (sum(widths) + GAP * (len(widths) - 1), TITLE + max(p.height for p in pictures)), "white")
    draw, x = ImageDraw.Draw(sheet), 0
    for picture, title, width in zip(pictures, titles, widths, strict=True):
        draw.text((x, 3), title, "black", font)
        sheet.paste(picture, (x, TITLE))
        x += width + GAP
    return sheet


def stack_sheets(sheets: Sequence[Image.Image]) -> Image.Image:
    """Sheets one above the other on white."""
    picture = Image.new(
        "RGB", (max(s.width for s in sheets), sum(s.height for s in sheets) + GAP * (len(sheets) - 1)), "white"
    )
    y = 0
    for sheet in sheets:
        picture.paste(sheet, (0, y))
        y += sheet.height + GAP
    return picture
