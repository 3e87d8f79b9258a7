"""The one style of all figures: to import this applies ``style.mplstyle``, and pictures in a notebook become sharp.

Sizes are those of print: one or two columns of a journal, letters of 7 to 8 points. Each method looks the same in every
figure; a line of ``METHODS`` is all that there is to change. The colours of classes are ``spine.classes``'s, since
``sadanet predict``, which needs no matplotlib, draws in them too.
"""

import io
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from IPython import get_ipython
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib_inline.backend_inline import set_matplotlib_formats
from scipy.optimize import isotonic_regression

from sadanet_lab.spine.classes import CLASSES, COLOUR_BLIND_SAFE

ONE_COLUMN, TWO_COLUMNS = 89 / 25.4, 183 / 25.4
"""Widths of a figure in print, inches."""
DOTS, PICTURE_DOTS = 180, 120
"""Of a saved figure, per inch; and of one that holds pictures, in its vector file too: all must be light in a clone."""
SMALL = 7
"""Points: notes, ticks and labels on lines. Nothing is smaller."""
LETTERS = {ONE_COLUMN: 62, TWO_COLUMNS: 130}
"""How many small ones a line holds."""

plt.style.use(Path(__file__).with_suffix(".mplstyle"))
if (shell := get_ipython()) is not None:
    # What a notebook shows is what is saved, at twice the screen's dots.
    set_matplotlib_formats("retina", bbox_inches=None)


@dataclass(frozen=True)
class Look:
    """How a method is drawn: colour, and, for those who do not see it, marker and dash."""

    colour: str
    marker: str
    dash: Any = "-"
    width: float = 1.0
    """Of its lines, points."""

    @property
    def line(self) -> dict[str, Any]:
        """For ``Axes.plot``."""
        return {"color": self.colour, "marker": self.marker, "linestyle": self.dash, "linewidth": self.width}


LONG, SHORT, MIXED = (0, (5, 1.5)), (0, (2, 1)), (0, (4, 1, 1, 1))
METHODS = {
    # U-shaped: blue
    "UNet": Look("#0A487A", "s"),
    "RSNU": Look("#3698BF", "D", LONG),
    "SIU-Net": Look("#007AC2", "p", SHORT),
    # no attention between pixels at test time: brown
    "FPN": Look("#A38A78", "h", MIXED),
    "SEAM": Look("#523803", "P", SHORT),
    # attention between pixels: green
    "PSANet": Look("#1C7B72", "v", LONG),
    "CCNet": Look("#4C9848", "^", MIXED),
    "DANet": Look("#003D2B", ">"),
    # SADANet, its ablations and its successor: red
    "SADANet": Look("#C8102E", "o", width=1.8),
    "SADANet w/o SAA": Look("#E8601C", "<", LONG),
    "SADANet w/o SCA": Look("#A44F5B", "X", MIXED),
    "SA2Net": Look("#AB5D99", "*", SHORT),
    "shipped model": Look("#1A1A1A", "d", SHORT),
}
"""By the method's title. One that has no line here gets ``OTHER`` from ``look``; the paper's have one."""
OTHER = Look("#5A5A5A", "1", (0, (1, 1)))
PAPER = {"marker": "D", "facecolor": "none", "edgecolor": "0.1", "s": 18, "linewidth": 0.8, "zorder": 4}
"""For ``Axes.scatter``: numbers that the paper prints."""
MODULES = {
    "SCA": Look(METHODS["SADANet"].colour, "o"),
    "GCA": Look(METHODS["UNet"].colour, "s"),
    "SAA": Look(METHODS["SADANet w/o SAA"].colour, "^"),
    "PAM": Look(METHODS["DANet"].colour, "D"),
    "masks": Look(METHODS["PSANet"].colour, "v"),
    "SAT": Look(METHODS["SA2Net"].colour, "p"),
    "channel": Look(METHODS["SEAM"].colour, "h"),
}
"""An attention module, where modules are compared; ``OTHER`` stands for any that is not here."""


def look(name: str) -> Look:
    """How a method of that title is drawn."""
    return METHODS.get(name, OTHER)


def panels(rows: int, columns: int, height: float, width: float = TWO_COLUMNS, **given: Any) -> tuple[Figure, Any]:
    """A figure so many inches wide and tall, and its axes, an array (rows, columns). given: to ``plt.subplots``."""
    return plt.subplots(rows, columns, figsize=(width, height), squeeze=False, **given)


def file_of(figure: Figure, kind: str, dots: int | None = None) -> bytes:
    """The figure's file, "png" or "pdf": as wide as it is in print, and the same bytes each time.

    dots: by default ``PICTURE_DOTS`` of a figure that holds pictures, else ``DOTS``.
    """
    dots = dots or (PICTURE_DOTS if any(axis.images for axis in figure.axes) else DOTS)
    given: dict[str, Any] = (
        {"metadata": {"CreationDate": None}} if kind == "pdf" else {"pil_kwargs": {"optimize": True}}
    )
    content = io.BytesIO()
    figure.savefig(content, format=kind, dpi=dots, **given)
    return content.getvalue()


def empty(why: str) -> Figure:
    """What stands where there is nothing to draw."""
    figure, axis = plt.subplots(figsize=(ONE_COLUMN, 0.4))
    axis.axis("off")  # and yet there: a notebook shows no figure without axes
    figure.text(0.02, 0.5, textwrap.fill(why, LETTERS[ONE_COLUMN]), va="center", color="0.35", fontsize=SMALL)
    return figure


def note(figure: Figure, text: str) -> None:
    """One or more lines below a figure: how many, what bars and bands are, and of what data."""
    width = min(LETTERS, key=lambda inches: abs(inches - figure.get_figwidth()))
    text = text.replace(" %", "\N{NO-BREAK SPACE}%")
    figure.supxlabel(textwrap.fill(text, LETTERS[width]), x=0.01, ha="left", fontsize=SMALL, color="0.35")


def note_of(figure: Figure) -> str:
    """What ``note`` has put below a figure, in one line; "" where there is none."""
    return " ".join(figure.get_supxlabel().split())


def legend(figure: Figure, names: Iterable[str], where: Any = "outside right upper", columns: int = 1) -> None:
    """Each method's line and name beside the axes, or above them."""
    handles = [Line2D([], [], label=name, **look(name).line) for name in names]
    figure.legend(handles=handles, loc=where, ncols=columns)


def class_legend(figure: Figure, colours: np.ndarray = COLOUR_BLIND_SAFE) -> None:
    """The three bones and their colours, above the figure."""
    handles = [Patch(color=colours[i] / 255, label=name.replace("_", " ")) for i, name in enumerate(CLASSES) if i > 0]
    figure.legend(handles=handles, loc="outside upper right", ncols=3, handlelength=1.2)


def label_lines(axis: Axes, ends: Mapping[str, tuple[float, float]], colours: Mapping[str, str]) -> None:
    """Names right of an axis, each tied to the end of its line, in the lines' order and far enough apart.

    ends: name -> the line's last (x, y) in data units. The axis' limits must stand.
    """
    figure = axis.get_figure(root=True)
    assert figure is not None
    figure.draw_without_rendering()  # lays out: the axis has its height now
    heights = {
        name: axis.transAxes.inverted().transform(axis.transData.transform(end))[1] for name, end in ends.items()
    }
    names = sorted(heights, key=heights.__getitem__)
    apart = 1.25 * SMALL / (axis.get_window_extent().height / figure.dpi * 72) * np.arange(len(names))
    lowest = isotonic_regression(np.array([heights[name] for name in names]) - apart).x
    lowest = np.clip(lowest, 0, max(0.0, 1 - apart[-1])) if len(names) else lowest
    for name, y in zip(names, lowest + apart, strict=True):
        line = {
            "arrowstyle": "-",
            "color": colours[name],
            "linewidth": 0.5,
            "shrinkA": 1,
            "shrinkB": 2,
            "relpos": (0, 0.5),
        }
        axis.annotate(
            name, ends[name], (1.05, y), textcoords="axes fraction", fontsize=SMALL, color=colours[name],
            va="center", arrowprops=line, annotation_clip=False,
        )  # fmt: skip
