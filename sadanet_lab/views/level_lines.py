"""Levels and curve angles drawn over a picture in a figure: lines and letters that print, unlike painted pixels."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke

from sadanet_lab.spine.curve_angles import Measurement
from sadanet_lab.views import style


def draw_levels(axis: Axes, found: Measurement, angles: bool = True) -> None:
    """A thin line through each level, thick ones through both ends of each curve, and each curve's angle at its apex.

    All white with a black edge: no class has these. An angle stands right of its apex, or left of it where the picture
    ends; of curves at whose apex two angles would collide the larger is written.
    """
    shown = axis.images[0].get_array()
    assert shown is not None
    wide = shown.shape[1]
    ends = {end for curve in found.curves for end in (curve.upper_end, curve.lower_end)}
    for index, level in enumerate(found.levels):
        left, right = np.array(level.left), np.array(level.right)
        reach = (0.3 if index in ends else 0) * (right - left)
        (x1, y1), (x2, y2) = left - reach, right + reach
        width = 1.2 if index in ends else 0.5
        edge = withStroke(linewidth=width + 0.8, foreground="black")
        axis.plot([x1, x2], [y1, y2], color="white", linewidth=width, path_effects=[edge])
    if angles:
        for curve in found.curves:
            level = found.levels[curve.apex]
            x, y = level.right
            room = 0.3 * wide
            place, align = (x + 0.06 * wide, "left") if x + room < wide else (wide * 0.98, "right")
            axis.text(
                place, y, f"{curve.angle_degrees:.0f}°", color="white", fontsize=style.SMALL, ha=align, va="center",
                fontweight="bold", path_effects=[withStroke(linewidth=1.5, foreground="black")],
            )  # fmt: skip
    axis.set(xlim=(-0.5, wide - 0.5))
