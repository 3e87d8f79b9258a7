"""The figures. Colours are told apart by the colour-blind too; the field's red, green and blue are an option."""

from collections.abc import Iterable

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from torch import Tensor

from sadanet_lab.images.vpi_folder import Sample
from sadanet_lab.metrics.scores import BONE_REGIONS, METRICS, REGIONS
from sadanet_lab.spine.classes import CLASSES, COLOUR_BLIND_SAFE
from sadanet_lab.spine.names import SEVERITIES, USUAL
from sadanet_lab.views.overlays import overlay
from sadanet_lab.views.tables import quantity_title


def class_legend(figure: Figure, colours: np.ndarray = COLOUR_BLIND_SAFE) -> None:
    """The three bones and their colours, below the figure."""
    handles = [Patch(color=colours[i] / 255, label=name.replace("_", " ")) for i, name in enumerate(CLASSES) if i > 0]
    figure.legend(handles=handles, loc="lower center", ncols=3, frameon=False, bbox_to_anchor=(0.5, -0.06))


def images_and_masks(
    samples: Iterable[Sample], titles: Iterable[str], colours: np.ndarray = COLOUR_BLIND_SAFE
) -> Figure:
    """Each image beside itself with its mask drawn over it."""
    samples, titles = list(samples), list(titles)
    figure, axes = plt.subplots(1, 2 * len(samples), figsize=(1.35 * 2 * len(samples), 5.4), layout="constrained")
    for place, (sample, title) in enumerate(zip(samples, titles, strict=True)):
        image = sample.image()
        plain, drawn = axes[2 * place : 2 * place + 2]
        plain.imshow(image, cmap="gray", vmin=0, vmax=255)
        drawn.imshow(overlay(image, sample.mask(), colours))
        plain.set_title(title, fontsize=9, loc="left")
    for axis in axes:
        axis.axis("off")
    class_legend(figure, colours)
    return figure


def training_patches(pictures: Tensor, labels: Tensor, colours: np.ndarray = COLOUR_BLIND_SAFE) -> Figure:
    """Patches with their masks drawn over them; of ``selection.pick_patches``."""
    figure, axes = plt.subplots(1, len(pictures), figsize=(1.0 * len(pictures), 2.4), layout="constrained")
    for axis, picture, label in zip(axes, pictures, labels, strict=True):
        axis.imshow(overlay(picture[0].numpy(), label.numpy(), colours))
        axis.axis("off")
    return figure


def real_among(table: pd.DataFrame) -> Figure:
    """Where a real image's value lies in the 5-95 % range of the images, one line per quantity.

    table: of ``dataset_statistics.compare_with_real``. Every range is stretched to the same width.
    """
    figure, axes = plt.subplots(1, 2, figsize=(9, 0.155 * len(table) / 2 + 0.8), layout="constrained", sharex=True)
    for axis, half in zip(axes, np.array_split(np.arange(len(table)), 2), strict=True):
        part = table.iloc[half]
        width = (part.high - part.low).where(part.high > part.low, 1)
        places = np.arange(len(part))
        axis.barh(places, 1, 0.6, color="0.88")
        axis.scatter((part["median"] - part.low) / width, places, marker="|", color="0.4", s=40)
        axis.scatter((part.real - part.low) / width, places, s=16, color=COLOUR_BLIND_SAFE[1] / 255, zorder=3)
        axis.set_yticks(places, part.quantity.map(quantity_title), fontsize=6.5)
        axis.set(xticks=[0, 1], xlim=(-0.25, 1.25), ylim=(len(part) - 0.4, -0.6))
        axis.set_xticklabels(["5 %", "95 %"])
        axis.tick_params(length=0)
    sns.despine(figure, left=True, bottom=True)
    return figure


def angle_histogram(truth: pd.DataFrame) -> Figure:
    """Largest curve angle of each phantom, by split, with the severity bands' limits."""
    figure, axis = plt.subplots(figsize=(6, 2.6), layout="constrained")
    bins = np.arange(0, max(60, truth.largest_angle_degrees.max()) + 5, 5)
    sns.histplot(
        truth, x="largest_angle_degrees", hue="split", multiple="stack", bins=bins, palette="colorblind", ax=axis
    )
    for limit, name in zip(USUAL.severities, SEVERITIES[1:], strict=True):
        axis.axvline(limit, color="0.4", linewidth=0.8, linestyle="--")
        axis.text(limit + 0.5, axis.get_ylim()[1] * 0.98, name, fontsize=8, va="top", color="0.3")
    axis.set(xlabel="largest curve angle (degrees)", ylabel="phantoms")
    sns.despine(figure)
    return figure


def score_bars(long: pd.DataFrame, scores: pd.DataFrame, metric: str = "dice") -> Figure:
    """One panel per region: one bar per method (mean over seeds), one dot per seed, bars of one sd, the paper's number.

    long: of ``run_scores.compare_with_paper``; scores: of ``run_scores.scores_of_runs``. The paper is about
    patients: only the order of the methods can be compared, not the height.
    """
    regions = {region: REGIONS[region] for region in BONE_REGIONS}
    order = list(long[long.source == "here"].method.unique())
    colours = sns.color_palette("colorblind", len(order))
    size = 2.5 * len(regions) + 0.8, 0.28 * len(order) + 1.1
    figure, axes = plt.subplots(1, len(regions), figsize=size, sharex=True, sharey=True, layout="constrained")
    places = np.arange(len(order))
    for axis, (region, title) in zip(axes, regions.items(), strict=True):
        rows = long[(long.region == region) & (long.metric == metric)]
        here = rows[rows.source == "here"].set_index("method").loc[order]
        paper = rows[rows.source == "paper"].set_index("method").reindex(order)
        seeds = scores[(scores.region == region) & (scores.metric == metric)]
        axis.barh(places, here["mean"], 0.7, color=colours, alpha=0.8)
        axis.errorbar(here["mean"], places, xerr=here.sd, fmt="none", ecolor="0.2", capsize=3, linewidth=1)
        axis.scatter(seeds.percent, [order.index(m) for m in seeds.method], s=9, color="0.15", zorder=3)
        axis.scatter(paper["mean"], places, marker="D", s=26, facecolor="white", edgecolor="0.1", zorder=4)
        for place, mean in zip(places, here["mean"], strict=True):
            axis.text(2, place, f"{mean:.1f}", va="center", fontsize=8)
        axis.set_title(title, fontsize=10)
        axis.set(xlim=(0, 100), xlabel=f"{METRICS[metric].title} (%)")
    axes[0].set_yticks(places, order)
    axes[0].invert_yaxis()
    marks = [
        Line2D([], [], linestyle="", marker="o", color="0.15", markersize=3.5, label="here: one seed"),
        Line2D(
            [], [], linestyle="", marker="D", markerfacecolor="white", markeredgecolor="0.1", label="paper: patients"
        ),
    ]
    figure.legend(handles=marks, loc="outside lower center", ncols=2, frameon=False)
    sns.despine(figure)
    return figure


def training_curves(losses: pd.DataFrame) -> Figure:
    """Loss against step, one line per run; of ``run_scores.smooth_losses``.

    Methods with more outputs sum more losses: heights of different methods cannot be compared.
    """
    figure, axis = plt.subplots(figsize=(6.5, 2.8), layout="constrained")
    style = {"units": "seed", "estimator": None, "palette": "colorblind", "linewidth": 1.2}
    sns.lineplot(losses, x="step", y="loss", hue="method", ax=axis, **style)
    axis.set(ylim=(0, None), ylabel="loss, summed over outputs")
    axis.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    sns.despine(figure)
    return figure


def attention_costs(costs: pd.DataFrame) -> Figure:
    """Operations and memory of each attention against image height; costs: of ``complexity.attention_costs``.

    Solid: all products counted; dashed: the paper's convention, in which GCA costs nothing and is left out.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    colours = dict(zip(costs.attention.unique(), sns.color_palette("colorblind"), strict=False))
    for attention, rows in costs.groupby("attention", sort=False):
        style = {"color": colours[attention], "marker": "o", "markersize": 4}
        left.plot(rows.image_height, rows.macs / 1e9, label=f"{attention}, all products", **style)
        if rows.paper_macs.any():
            left.plot(
                rows.image_height, rows.paper_macs / 1e9, "--", label=f"{attention}, the paper's convention", **style
            )
        right.plot(rows.image_height, rows.peak_bytes / 2**20, **style)
    for axis, label in ((left, "multiply-adds (G)"), (right, "peak memory of activations (MiB)")):
        axis.set(xscale="log", yscale="log", xlabel="image height (pixels)", ylabel=label)
        axis.set_xticks(heights := costs.image_height.unique(), heights)
        axis.minorticks_off()
        axis.grid(color="0.9")
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    sns.despine(figure)
    return figure


def affinity_entropies(table: pd.DataFrame) -> Figure:
    """Entropy of every row of g, trained and at the start, a panel per form; of ``saturation.affinity_rows``."""
    forms = list(table.normalisation.unique())
    figure, axes = plt.subplots(1, len(forms), figsize=(3.6 * len(forms), 2.8), sharey=True, layout="constrained")
    for axis, form in zip(np.atleast_1d(axes), forms, strict=True):
        sns.histplot(
            table[table.normalisation == form],
            x="relative_entropy",
            hue="network",
            bins=np.linspace(0, 1, 41),
            stat="proportion",
            common_norm=False,
            palette="colorblind",
            legend=form == forms[-1],
            ax=axis,
        )
        axis.set(title=form, xlabel="entropy of a row of g / log C", ylabel="share of rows")
    sns.move_legend(np.atleast_1d(axes)[-1], "center left", bbox_to_anchor=(1, 0.5), title=None, frameon=False)
    sns.despine(figure)
    return figure


def saturation_by_size(table: pd.DataFrame) -> Figure:
    """Share of one-hot rows against the picture's pixels, one panel an equation; of ``saturation.by_size``."""
    equations = list(table.equation.unique())
    figure, axes = plt.subplots(
        1, len(equations), figsize=(3.4 * len(equations), 2.8), sharey=True, layout="constrained"
    )
    table = table.assign(pixels=table.height * table.width, percent=100 * table.one_hot)
    for axis, equation in zip(np.atleast_1d(axes), equations, strict=True):
        rows = table[table.equation == equation]
        style = {"marker": "o", "palette": "colorblind", "hue_order": list(table.network.unique())}
        sns.lineplot(rows, x="pixels", y="percent", hue="network", ax=axis, errorbar=("pi", 100), **style)
        axis.set(
            title=equation, xscale="log", ylim=(-3, 103), xlabel="pixels of the picture", ylabel="one-hot rows (%)"
        )
        if equation != equations[-1]:
            axis.get_legend().remove()
    sns.move_legend(np.atleast_1d(axes)[-1], "center left", bbox_to_anchor=(1, 0.5), title=None, frameon=False)
    sns.despine(figure)
    return figure
