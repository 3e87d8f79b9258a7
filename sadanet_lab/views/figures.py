"""Figures of data, of scores, of training and of what attention costs."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from torch import Tensor

from sadanet_lab.images.vpi_folder import Sample
from sadanet_lab.metrics.scores import BONE_REGIONS, REGIONS
from sadanet_lab.spine.classes import COLOUR_BLIND_SAFE
from sadanet_lab.spine.names import SEVERITIES, USUAL
from sadanet_lab.views import style
from sadanet_lab.views.overlays import overlay
from sadanet_lab.words import counted


def images_and_masks(
    samples: Iterable[Sample], titles: Iterable[str], colours: np.ndarray = COLOUR_BLIND_SAFE
) -> Figure:
    """Each image beside itself with its mask drawn over it."""
    samples, titles = list(samples), list(titles)
    tallest = max(tall / wide for tall, wide in (sample.image().shape for sample in samples))
    panel = style.TWO_COLUMNS / (2 * len(samples)) - 0.06
    figure, axes = style.panels(1, 2 * len(samples), panel * tallest + 0.75)
    for place, (sample, title) in enumerate(zip(samples, titles, strict=True)):
        image = sample.image()
        plain, drawn = axes[0, 2 * place : 2 * place + 2]
        plain.imshow(image, cmap="gray", vmin=0, vmax=255)
        drawn.imshow(overlay(image, sample.mask(), colours))
        plain.set_title(title)
    for axis in axes.flat:
        axis.axis("off")
    style.class_legend(figure, colours)
    style.note(figure, f"n = {counted(len(samples), 'image')}; right of each the same with its mask.")
    return figure


def training_patches(pictures: Tensor, labels: Tensor, colours: np.ndarray = COLOUR_BLIND_SAFE) -> Figure:
    """Patches with their masks drawn over them; of ``selection.pick_patches``."""
    count, (height, width) = len(pictures), labels.shape[1:]
    figure, axes = style.panels(1, count, style.TWO_COLUMNS / count * height / width + 0.5)
    for axis, picture, label in zip(axes.flat, pictures, labels, strict=True):
        axis.imshow(overlay(picture[0].numpy(), label.numpy(), colours))
        axis.axis("off")
    style.class_legend(figure, colours)
    style.note(figure, f"n = {count} patches of {height} x {width} pixels, those of the first steps of training.")
    return figure


def angle_histogram(truth: pd.DataFrame) -> Figure:
    """Largest curve angle of each phantom, by split, with the severity bands' limits."""
    figure, axes = style.panels(1, 1, 2.2, style.ONE_COLUMN)
    axis = axes[0, 0]
    bins = np.arange(0, max(60, truth.largest_angle_degrees.max()) + 5, 5)
    splits = [split for split in ("train", "val", "test") if (truth.split == split).any()]
    greys = {"train": "0.8", "val": "0.55", "test": "0.3"}
    axis.hist(
        [truth.largest_angle_degrees[truth.split == split] for split in splits],
        bins=bins.tolist(),
        stacked=True,
        color=[greys[split] for split in splits],
        edgecolor="white",
        label=[f"{split} (n = {(truth.split == split).sum()})" for split in splits],
    )
    for limit, name in zip((0, *USUAL.severities), SEVERITIES, strict=True):
        axis.axvline(limit, color="0.4", linewidth=0.6, linestyle="--" if limit else "")
        axis.text(limit + 0.6, 1.01, name, fontsize=style.SMALL, transform=axis.get_xaxis_transform(), color="0.3")
    axis.set(xlabel="largest curve angle, as drawn (°)", ylabel="phantoms", xlim=(0, bins[-1]))
    figure.legend(loc="outside upper left", ncols=3, handlelength=1)
    return figure


def score_dots(long: pd.DataFrame, scores: pd.DataFrame, images: int) -> Figure:
    """Dice, one panel per region: each method's mean over seeds, its seeds as points, the paper's value as a diamond.

    long: of ``run_scores.compare_with_paper``; scores: of ``run_scores.scores_of_runs``, of so many test
    images. The axis does not begin at 0: places are compared, not lengths. The paper is about patients: only the order
    of the methods can be compared.
    """
    regions = {region: REGIONS[region] for region in BONE_REGIONS}
    order = list(long[long.source == "here"].method.unique())
    figure, axes = style.panels(1, len(regions), 0.19 * len(order) + 1.05, sharex=True, sharey=True)
    places, several = np.arange(len(order)), scores.seed.nunique() > 1
    for axis, (region, title) in zip(axes.flat, regions.items(), strict=True):
        rows = long[(long.region == region) & (long.metric == "dice")]
        here = rows[rows.source == "here"].set_index("method").loc[order]
        paper = rows[rows.source == "paper"].set_index("method").reindex(order)
        seeds = scores[(scores.region == region) & (scores.metric == "dice")]
        axis.hlines(places, 0, 100, color="0.9", linewidth=0.6)
        for place, name in enumerate(order):
            own = seeds.percent[seeds.method == name]
            axis.scatter(own, [place] * len(own), s=7, color=style.look(name).colour, alpha=0.5, linewidth=0, zorder=2)
            axis.plot(here["mean"][name], place, linestyle="", **_mark(name))
        axis.scatter(paper["mean"], places, **style.PAPER)
        axis.set(title=title, xlabel="Dice (%)")
    every = pd.concat([part[part.region.isin(regions) & (part.metric == "dice")] for part in (long, scores)])
    every = every["mean"].fillna(every.percent)
    axes[0, 0].set(xlim=(every.min() - 3, every.max() + 3), ylim=(len(order) - 0.4, -0.6))
    axes[0, 0].set_yticks(places, order)
    marks = [
        Line2D(
            [], [], linestyle="", **_mark("SADANet"), label="here: mean over seeds" if several else "here: one seed"
        ),
        Line2D([], [], linestyle="", marker="D", mfc="none", mec="0.1", label="the paper: patients"),
    ]
    if several:
        marks.insert(1, Line2D([], [], linestyle="", marker=".", color="0.5", label="here: one seed"))
    figure.legend(handles=marks, loc="outside upper right", ncols=3, handlelength=1)
    style.note(
        figure,
        f"n = {counted(scores.seed.nunique(), 'seed')} x {counted(images, 'test image')} here; the paper's "
        "are single runs on images that are private. The axis begins above 0.",
    )
    return figure


def _mark(name: str) -> dict:
    kind = style.look(name)
    return {"marker": kind.marker, "color": kind.colour, "markersize": 5, "zorder": 3}


def training_curves(losses: pd.DataFrame) -> Figure:
    """Loss against step, one line per run; of ``run_scores.smooth_losses``.

    Methods with more outputs sum more losses: heights of different methods cannot be compared.
    """
    figure, axes = style.panels(1, 1, 2.6)
    axis, ends = axes[0, 0], {}
    for name, rows in losses.groupby("method", sort=False):
        for _, run in rows.groupby("seed"):
            axis.plot(run.step, run.loss, **style.look(str(name)).line | {"marker": ""})
            ends[str(name)] = run.step.iloc[-1], run.loss.iloc[-1]
    axis.set(xlim=(0, losses.step.max()), ylim=(0, None), xlabel="step", ylabel="loss, of all outputs")
    style.label_lines(axis, ends, {name: style.look(name).colour for name in ends})
    style.note(
        figure,
        f"Training loss, the mean of the last tenth of all steps; a line a run, "
        f"{counted(losses.seed.nunique(), 'seed')}. Methods with more outputs sum more losses.",
    )
    return figure


def attention_costs(costs: pd.DataFrame) -> Figure:
    """Operations and memory of each attention against image height; costs: of ``complexity.attention_costs``.

    Solid: all products counted; dashed: the paper's convention, in which GCA costs nothing and is left out.
    """
    figure, axes = style.panels(1, 2, 2.7)
    left, right = axes.flat
    ends: tuple[dict, dict] = {}, {}
    colours = {}
    for attention, rows in costs.groupby("attention", sort=False):
        colour = style.MODULES[str(attention).split()[0]].colour
        drawn = [
            (left, 0, str(attention), rows.macs / 1e9, "-"),
            (right, 1, str(attention), rows.peak_bytes / 2**20, "-"),
        ]
        if rows.paper_macs.any():
            drawn.append((left, 0, f"{attention} (paper)", rows.paper_macs / 1e9, "--"))
        for axis, place, label, values, dash in drawn:
            axis.plot(rows.image_height, values, color=colour, linestyle=dash, marker="o")
            ends[place][label] = rows.image_height.iloc[-1], values.iloc[-1]
            colours[label] = colour
    for axis, label in ((left, "multiply-adds (G)"), (right, "peak memory of activations (MiB)")):
        axis.set(xscale="log", yscale="log", xlabel="image height (pixels)", ylabel=label)
        axis.set_xticks(heights := costs.image_height.unique(), [f"{height:,}" for height in heights])
        axis.yaxis.set_major_formatter("{x:,g}")
        axis.minorticks_off()
        axis.grid()
    for axis, which in ((left, ends[0]), (right, ends[1])):
        style.label_lines(axis, which, colours)
    style.note(
        figure,
        "Counted from the architecture, one image 512 pixels wide; both axes logarithmic. Solid: every product; "
        "dashed: no product of an attention map, as the paper's tool counts (GCA would cost nothing).",
    )
    return figure
