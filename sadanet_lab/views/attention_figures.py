"""Attention maps in print: one scale for all; and the first figure, which explains the whole."""

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, LogNorm, to_rgba
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import ConnectionPatch
from matplotlib.patheffects import withStroke
from scipy import ndimage

from sadanet_lab.spine.curve_angles import measure_curves
from sadanet_lab.spine.levels import largest_span
from sadanet_lab.studies.attention_maps import AttentionMaps
from sadanet_lab.views import style
from sadanet_lab.views.level_lines import draw_levels
from sadanet_lab.views.overlays import overlay
from sadanet_lab.words import counted

EVEN, MOST = 1, 1000
"""Limits of the attention's scale, in times what each cell would get if all got the same."""
KEYS = ListedColormap(["#3B1F5B", "#7A5195", "#BC8FBF", "#EFE3EF"])
"""SAA's four keys: nothing ties them to the classes, so they have none of their colours."""
CHANGED = "#E7298A"
"""A pixel whose class changes: no class has this colour."""
Place = tuple[int, int]


def attention_figure(maps: Mapping[str, AttentionMaps], pixels: Sequence[tuple[float, float]]) -> Figure:
    """A row a network: label map with the pixels, confidence, where each pixel looks, and SAA's four keys.

    maps: title -> maps, all of one image; pixels: two (row, column) as shares of the image's height and width. Where a
    network has no such module its place is empty.
    """
    tall, wide = next(iter(maps.values())).image.shape
    places = [(min(int(y * tall), tall - 1), min(int(x * wide), wide - 1)) for y, x in pixels]
    columns = 2 + 2 * len(places) + 4
    panel = (style.TWO_COLUMNS - 0.5) / columns - 0.06
    figure, axes = style.panels(len(maps), columns, len(maps) * (panel * tall / wide + 0.12) + 1.25)
    names = ["label map", "confidence"]
    names += [f"{'AB'[number]} looks,\n{passes}" for number in range(len(places)) for passes in ("1 pass", "2 passes")]
    names += [f"SAA,\nkey {key}" for key in range(4)]
    shown: dict[str, AxesImage] = {}
    for row, (title, found) in zip(axes, maps.items(), strict=True):
        row[0].imshow(overlay(found.image, found.labels))
        for number, place in enumerate(places):
            mark(row[0], place, "AB"[number])
        shown["confidence"] = row[1].imshow(found.confidence, cmap="viridis", vmin=0.25, vmax=1)
        for number, place in enumerate(places):
            for axis, values in zip(row[2 + 2 * number :], looks_at(found, place), strict=False):
                if values is not None:
                    shown["attention"] = draw_attention(axis, found, values)
                    mark(axis, place, "AB"[number])
                    if found.positions is not None:
                        axis.text(0.05, 0.99, "PAM", transform=axis.transAxes, color="white", va="top", fontsize=7)
        for axis, values in zip(row[-4:], () if found.classes is None else found.classes.numpy(), strict=False):
            shown["key"] = axis.imshow(
                values, cmap="Purples", vmin=0, vmax=1, extent=extent(found), interpolation="nearest"
            )
        row[0].set_ylabel(title, fontsize=8, fontweight="bold")
    for axis, name in zip(axes[0], names, strict=True):
        axis.set_title(name, fontsize=style.SMALL)
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
    scales = {
        "confidence": (axes[:, :2], "probability of the class"),
        "attention": (axes[:, 2:-4], "attention, times that of an even spread"),
        "key": (axes[:, -4:], "share of a cell that a key takes"),
    }
    for name, (below, label) in scales.items():
        if name in shown:
            bar = figure.colorbar(
                shown[name], ax=below, location="bottom", aspect=30, shrink=0.8, pad=0.01,
                extend="both" if name == "attention" else "neither",
            )  # fmt: skip
            bar.set_label(label, fontsize=style.SMALL)
    style.note(
        figure,
        f"n = 1 image, as {counted(len(maps), 'network')} see it; A, B: the two pixels. Looks: how much each "
        "cell gives to the ringed pixel, by SCA's map after one and two passes, or by position attention (PAM, one "
        "map). SAA runs in training only; its keys have no names, for nothing ties them to the classes.",
    )
    return figure


def looks_at(maps: AttentionMaps, place: Place) -> list[np.ndarray | None]:
    """What a pixel attends to, (h, w) each, summing to 1: after one and two passes of SCA, or position attention."""
    cell = maps.cell(*place)
    position = maps.position(cell)
    return [position] if position is not None else [maps.criss_cross(cell, passes) for passes in (1, 2)]


def extent(maps: AttentionMaps) -> tuple[float, float, float, float]:
    """Of a grid over the image, for ``imshow``."""
    tall, wide = maps.image.shape
    return -0.5, wide - 0.5, tall - 0.5, -0.5


def draw_attention(axis: Axes, maps: AttentionMaps, values: np.ndarray) -> AxesImage:
    """A map (h, w) that sums to 1 over the image: cells stay cells, and those below an even spread let it through."""
    colours = mpl.colormaps["inferno"].with_extremes(under=(0, 0, 0, 0.55))
    axis.imshow(maps.image, cmap="gray", vmin=0, vmax=255)
    return axis.imshow(
        np.maximum(values, 1e-9) * values.size, cmap=colours, norm=LogNorm(EVEN, MOST), alpha=0.85,
        extent=extent(maps), interpolation="nearest",
    )  # fmt: skip


def mark(axis: Axes, place: Place, name: str = "") -> None:
    """A ring around a pixel, its name beside it."""
    row, column = place
    edge = [withStroke(linewidth=2.2, foreground="black")]
    axis.plot(column, row, "o", markersize=6, markerfacecolor="none", markeredgecolor="white", path_effects=edge)
    axis.annotate(
        name, (column, row), (5, 0), textcoords="offset points", color="white", fontsize=style.SMALL, va="center",
        fontweight="bold", path_effects=edge,
    )  # fmt: skip


def knockouts_figure(maps: Mapping[str, AttentionMaps], without: Mapping[str, Mapping[str, np.ndarray]]) -> Figure:
    """One image, one row: each network's label map, and the pixels whose class changes without each attention module.

    maps: title -> maps, all of one image; without: title -> of ``attention_maps.labels_without``.
    """
    maps = {title: found for title, found in maps.items() if without[title]}
    if not maps:
        return style.empty("Nothing to draw: no network with attention that runs in testing.")
    tall, wide = next(iter(maps.values())).image.shape
    columns = sum(1 + len(without[title]) for title in maps)
    panel = (style.TWO_COLUMNS - 0.5) / max(columns, 8) - 0.06
    figure, axes = style.panels(1, columns, panel * tall / wide + 1.05)
    places = iter(axes[0])
    for title, found in maps.items():
        axis = next(places)
        axis.imshow(overlay(found.image, found.labels))
        axis.set_title("label map", fontsize=style.SMALL)
        axis.set_ylabel(title, fontsize=8, fontweight="bold")
        for module, labels in without[title].items():
            share, shown = changed_pixels(found.labels, labels)
            axis = next(places)
            axis.imshow(found.image, cmap="gray", vmin=0, vmax=255)
            axis.imshow(np.where(shown[..., None], to_rgba(CHANGED), 0.0))
            axis.set_title(f"without {module}:\n{100 * share:.1f} %", fontsize=style.SMALL)
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
    style.note(
        figure,
        f"n = 1 image, {counted(len(maps), 'network')}. Pink, and percent: pixels that get another class where "
        "one attention module is taken out of the trained network (drawn a little larger than they are). SAA runs in "
        "training only and cannot be taken out.",
    )
    return figure


def changed_pixels(labels: np.ndarray, others: np.ndarray) -> tuple[float, np.ndarray]:
    """(share of the pixels whose class differs, where, drawn thick enough to be seen: outlines are a pixel wide)."""
    changed = labels != others
    return float(changed.mean()), ndimage.binary_dilation(changed, iterations=max(1, round(len(changed) / 600)))


def overview(networks: Mapping[str, AttentionMaps], pixel: tuple[float, float]) -> Figure:
    """From image to angle, as one network goes: what its three attention modules do, label map, levels, angle.

    networks: title -> maps, of which the first with SCA, GCA and SAA is shown; pixel: (row, column) as shares of the
    image, where SCA is shown.
    """
    whole = {title: maps for title, maps in networks.items() if maps.crosses and maps.classes is not None}
    if not whole:
        return style.empty("Nothing to draw: no network with SCA, GCA and SAA.")
    title, maps = next(iter(whole.items()))
    assert maps.classes is not None
    assert maps.features is not None
    tall, wide = maps.image.shape
    place, found = (int(pixel[0] * tall), int(pixel[1] * wide)), measure_curves(maps.labels)
    if len(found.levels) < 2:
        return style.empty(f"Nothing to draw: {title} finds no two levels in this image.")
    figure, axes = style.panels(1, 8, (style.TWO_COLUMNS / 8 - 0.15) * tall / wide + 1.5)
    image, sca, one, other, saa, labels, levels, angle = axes[0]
    image.imshow(maps.image, cmap="gray", vmin=0, vmax=255)
    looks = looks_at(maps, place)[-1]
    assert looks is not None
    draw_attention(sca, maps, looks)
    mark(sca, place)
    channel, partner, weight = maps.tied_channels()
    for axis, number in ((one, channel), (other, partner)):
        shown = maps.features[number].clamp(min=0).numpy()
        axis.imshow(shown, cmap="gray", extent=extent(maps), interpolation="nearest")
    keys = maps.classes.argmax(0).numpy()
    saa.imshow(keys, cmap=KEYS, vmin=0, vmax=3, extent=extent(maps), interpolation="nearest")
    labels.imshow(overlay(maps.image, maps.labels))
    levels.imshow(overlay(maps.image, maps.labels, opacity=0.15))
    draw_levels(levels, found, angles=False)
    names = {
        image: "image", sca: "SCA: where\na pixel looks", one: f"GCA: channel\n{channel} takes …",
        other: f"… {100 * weight:.0f} % of it\nfrom {partner}", saa: "SAA: the four\nkeys",
        labels: "mask, as\nsegmented", levels: "levels", angle: "tilt of each\nlevel (°)",
    }  # fmt: skip
    _draw_tilts(angle, found, tall)
    for axis, name in names.items():
        axis.set_title(name, fontsize=style.SMALL)
        if axis is not angle:
            axis.set(xticks=[], yticks=[], xlim=(-0.5, wide - 0.5), ylim=(tall - 0.5, -0.5))
            axis.spines[:].set_visible(False)
    for axis in (image, saa, labels, levels):
        axis.annotate(
            "", (1.19, 0.5), (1.01, 0.5), xycoords="axes fraction", annotation_clip=False,
            arrowprops={"arrowstyle": "-|>", "color": "0.2", "linewidth": 1, "shrinkA": 0, "shrinkB": 0},
        )  # fmt: skip
    for first, last, text in ((sca, saa, "SADANet's three attention modules"), (labels, angle, "what follows")):
        line = ConnectionPatch((0, 1.108), (1, 1.108), first.transAxes, last.transAxes, color="0.2", linewidth=0.8)
        figure.add_artist(line).set_in_layout(False)
        head = first.text(0, 1.118, text, fontsize=8, fontweight="bold", transform=first.transAxes)
        head.set_in_layout(False)  # it may be wider than its panel
    engine = figure.get_layout_engine()
    assert engine is not None  # the style's
    engine.set(rect=(0, 0, 1, 0.93), w_pad=0.07)  # pyright: ignore[reportCallIssue]
    style.note(
        figure,
        f"n = 1 image; network: {title}. SCA: brighter cells give more to the ringed pixel, "
        "after two passes (logarithmic, from an even spread to 1,000 times that). GCA: two channels of the "
        "features, of which one takes from the other. SAA, in training only: the key that a cell takes most. Mask: "
        "ribs orange, thoracic processes yellow, lumps blue. Levels: thick lines end a curve. Red: the two most "
        "tilted levels, between which the angle is.",
    )
    return figure


def _draw_tilts(axis: Axes, found, tall: int) -> None:
    """Each level's tilt beside the level itself, and the two most tilted ones, between which the angle is."""
    tilts, rows = [level.tilt for level in found.levels], [level.centre[1] for level in found.levels]
    axis.axvline(0, color="0.8", linewidth=0.6)
    axis.plot(tilts, rows, "o-", color="0.35", markersize=2.5, linewidth=0.8)
    ends = list(largest_span(found.levels))
    colour = style.look("SADANet").colour
    axis.plot([tilts[end] for end in ends], [rows[end] for end in ends], "o", color=colour, markersize=4.5)
    reach = 1.25 * max(abs(tilt) for tilt in tilts)
    axis.set(xlim=(-reach, reach), ylim=(tall - 0.5, -0.5), yticks=[])
    axis.set_box_aspect(4)
    axis.spines["left"].set_visible(False)
    middle = (rows[ends[0]] + rows[ends[1]]) / 2
    for end in ends:
        axis.plot([tilts[end]] * 2, [rows[end], middle], color=colour, linewidth=0.8, linestyle=":")
    axis.annotate(
        "", (tilts[ends[1]], middle), (tilts[ends[0]], middle),
        arrowprops={"arrowstyle": "<->", "color": colour, "linewidth": 1, "shrinkA": 0, "shrinkB": 0},
    )  # fmt: skip
    axis.text(
        (tilts[ends[0]] + tilts[ends[1]]) / 2, middle - 0.01 * tall, f"{found.largest_angle_degrees:.0f}°",
        color=colour, fontsize=8, fontweight="bold", ha="center", va="bottom",
        path_effects=[withStroke(linewidth=2, foreground="white")],
    )  # fmt: skip
