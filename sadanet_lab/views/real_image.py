"""Where one real image lies among phantoms."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from sadanet_lab.images.image_statistics import quantity_title
from sadanet_lab.views import style

THEMES = {
    "Greys": ("grey_", "strip_grey_", "saturated_", "tissue_grey_"),
    "Scanned strip": ("strip_",),
    "Texture": ("texture_",),
    "Levels": ("first_", "last_", "process_"),
    "Ribs": ("rib_",),
    "Thoracic processes": ("thoracic_process_",),
    "Lumps": ("lump_",),
}
"""Title -> how its quantities begin (see ``image_statistics.measure_image``); the first theme that fits has them."""
LEFT, REACH = 4, 0.22
"""Themes in the left panel; how far beyond 5 to 95 % the axis goes, in widths of that range."""


def theme_of(quantity: str) -> str:
    """The theme of ``THEMES`` that a quantity belongs to."""
    return next(theme for theme, begins in THEMES.items() if quantity.startswith(begins))


def real_among(table: pd.DataFrame, images: int) -> Figure:
    """Where a real image's value lies in the 5-95 % range of so many images, one line per quantity, by theme.

    table: of ``dataset_statistics.compare_with_real``. Every range is stretched to the same width. A value beyond the
    axis is an arrowhead at its edge with the value beside it; one that the images do not have a range for is a cross.
    """
    themes = table.quantity.map(theme_of)
    sides = [list(THEMES)[:LEFT], list(THEMES)[LEFT:]]
    lines = max(sum((themes == theme).sum() + 1 for theme in side) for side in sides)
    figure, axes = style.panels(1, 2, 0.128 * lines + 0.6, sharex=True, gridspec_kw={"wspace": 0.1})
    for axis, side in zip(axes.flat, sides, strict=True):
        names = []
        for theme in side:
            names.append((theme, None))
            names += [(theme, row) for row in table[themes == theme].itertuples()]
        for place, (_, row) in enumerate(names):
            if row is not None:
                _draw_row(axis, place, row)
        labels = [theme if row is None else _short(row.quantity, theme) for theme, row in names]
        axis.set_yticks(range(len(names)), labels)
        for label, (_, row) in zip(axis.get_yticklabels(), names, strict=True):
            label.set_fontweight("bold" if row is None else "normal")
        axis.set(xlim=(-REACH, 1 + REACH), ylim=(lines - 0.4, -0.6))
        axis.set_xticks([0, 1], ["5 %", "95 %"])
        axis.tick_params(length=0)
        axis.spines[["left", "bottom"]].set_visible(False)
    within = table.within.sum()
    style.note(
        figure,
        f"Bars: 5th to 95th percentile of n = {images} images of this dataset, each stretched to one width; line: "
        f"their median. Points: one real, expert-annotated image (data/published), {within} of {len(table)} values "
        "within (blue), the others red, with an arrowhead and the value in units of the bar's width where it lies "
        "off the axis.",
    )
    return figure


def _short(quantity: str, theme: str) -> str:
    """A quantity's title without what its theme says already."""
    begins = {"Texture": "texture ", "Ribs": "rib ", "Thoracic processes": "thoracic process ", "Lumps": "lump "}
    title = quantity_title(quantity).removeprefix(begins.get(theme, ""))
    return "share of the image (%)" if title == "(%)" else title


def _draw_row(axis, place: int, row) -> None:
    width = row.high - row.low if row.high > row.low else 1
    axis.barh(place, 1, 0.62, color="0.88")
    axis.plot((row.median - row.low) / width, place, "|", color="0.35", markersize=6, markeredgewidth=1)
    x = (row.real - row.low) / width
    colour = style.look("UNet").colour if row.within else style.look("SADANet").colour
    if -REACH < x < 1 + REACH:
        axis.plot(x, place, "o", color=colour, markersize=3.8)
        return
    edge, marker, align = (1 + REACH, ">", "right") if x > 0 else (-REACH, "<", "left")
    axis.plot(edge, place, marker, color=colour, markersize=5, clip_on=False)
    beside = edge - np.sign(x - 0.5) * 0.06
    axis.text(beside, place, f"{x:+.2g}", color=colour, fontsize=style.SMALL, ha=align, va="center")
