"""Figures of what differs between methods, and by how much that is known."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

from sadanet_lab.metrics.claims import lambda_of
from sadanet_lab.metrics.scores import BONE_REGIONS, METRICS, REGIONS
from sadanet_lab.metrics.statistics import PRIMARY
from sadanet_lab.spine.classes import CLASSES
from sadanet_lab.views import style
from sadanet_lab.words import counted

HERE = style.look("SADANet").colour
"""What is measured here, beside the paper's."""
FEWEST_PIXELS = 1e-4
"""Share of a method's pixels below which a bin is left out: a handful of pixels of a few images."""


def differences(table: pd.DataFrame) -> Figure:
    """The first method minus each other, with its interval; of ``statistics.differences_to``.

    First the primary comparisons: filled where above or below, hollow where undecided or equivalent, the verdict beside
    them, and a grey band out to the smallest difference that could have been found. Then the exploratory ones, crosses,
    a panel a region. One without an interval is a dot or cross alone; no rows, a figure that says so.
    """
    if table.empty:
        return style.empty("Nothing to compare: fewer than two methods with runs that may be judged.")
    sections = list(table.groupby(["role", "region"], sort=False))
    others = list(table.other.unique())
    figure, axes = style.panels(1, len(sections), 0.19 * len(others) + 1.25, sharey=True)
    places = np.arange(len(others))
    for axis, ((role, region), rows) in zip(axes[0], sections, strict=True):
        rows = rows.set_index("other").loc[others]
        axis.axvline(0, color="0.6", linewidth=0.6)
        axis.hlines(places, rows.low, rows.high, color="0.3", linewidth=1.2)
        if role == PRIMARY:
            faces = np.where(rows.verdict.isin(("above", "below")), HERE, "white")
            axis.scatter(rows.difference, places, color=faces, edgecolor=HERE, s=20, zorder=3)
            axis.set_xlim(axis.get_xlim())  # the band may reach far beyond
            axis.barh(places, 2 * rows.smallest, left=-rows.smallest, height=0.7, color="0.92", zorder=0)
            axis.set_yticks(places, [f"{other}: {verdict}" for other, verdict in rows.verdict.items()])
        else:
            axis.scatter(rows.difference, places, color="0.3", marker="x", s=14, zorder=3)
        axis.set(title=REGIONS[str(region)], xlabel=f"{METRICS[rows.metric.iloc[0]].title} points")
    axes[0][0].set_ylim(len(others) - 0.4, -0.6)
    of_networks = " (one seed: of these networks, not of the methods)" if table.seeds.min() == 1 else ""
    figure.suptitle(f"{table.method.iloc[0]} minus …{of_networks}", x=0.01, ha="left")
    style.note(
        figure,
        f"n = {counted(table.seeds.min(), 'seed')} x {table.images.max()} test images. Lines: 95 % intervals. "
        "Left: the primary question, filled where above or below; grey: the smallest difference that could have "
        "been found. Crosses: exploratory, intervals uncorrected.",
    )
    return figure


def sweep(long: pd.DataFrame, scores: pd.DataFrame, images: int) -> Figure:
    """Dice against lambda, one column per region: the paper's values above, ours below with a point for every seed.

    long: of ``run_scores.compare_with_paper`` with lambda labels; scores: of ``run_scores.scores_of_runs``, of so many
    test images. No line joins single runs: what lies between two of them is not known. Where there are several seeds, a
    bar from the lowest to the highest and a stroke at their mean. Both axes of a region span as many points.
    """
    regions = {region: REGIONS[region] for region in BONE_REGIONS}
    figure, axes = style.panels(2, len(regions), 3.1, sharex=True)
    long = long[long.metric == "dice"].assign(value=_lambda_of(long.method))
    scores = scores[scores.metric == "dice"].assign(value=_lambda_of(scores.method))
    for (paper, here), (region, title) in zip(axes.T, regions.items(), strict=True):
        printed = long[(long.source == "paper") & (long.region == region)]
        paper.scatter(printed.value, printed["mean"], **style.PAPER)
        own = scores[scores.region == region]
        here.scatter(own.value, own.percent, s=14, color=HERE, linewidth=0, alpha=0.8, zorder=3)
        seeds = own.groupby("value").percent.agg(["min", "max", "mean"])
        if own.seed.nunique() > 1:
            here.vlines(seeds.index, seeds["min"], seeds["max"], color=HERE, linewidth=0.8)
            here.scatter(seeds.index, seeds["mean"], marker="_", s=50, color=HERE)
        spans = [(part.min(), part.max()) for part in (printed["mean"].dropna(), own.percent.dropna()) if len(part)]
        widest = 1.3 * max((high - low for low, high in spans), default=0)
        for axis, part in ((paper, printed["mean"].dropna()), (here, own.percent.dropna())):
            if len(part) and widest > 0:
                middle = (part.min() + part.max()) / 2
                axis.set_ylim(middle - widest / 2, middle + widest / 2)
            axis.axvline(3, color="0.85", linewidth=0.6, zorder=0)
            axis.grid(axis="y")
        paper.set_title(title)
        here.set(xlabel="λ, weight of the Dice loss", xlim=(-0.4, 5.4))
        here.xaxis.set_major_locator(MultipleLocator(1))
    axes[0, 0].set_ylabel("paper: Dice (%)")
    axes[1, 0].set_ylabel("here: Dice (%)")
    seeds = scores.seed.nunique()
    bars = "; bars: lowest to highest seed, stroke: mean" if seeds > 1 else "; of one run each, chance is not known"
    style.note(
        figure,
        f"Diamonds: the paper's single runs (patients). Points: SADANet here, n = {counted(seeds, 'seed')} x "
        f"{counted(images, 'test image')}{bars}. Both rows of a column span as many points; grey: the "
        "paper's choice.",
    )
    return figure


def _lambda_of(labels: pd.Series) -> pd.Series:
    return labels.map(lambda_of)


def confusion(shares: pd.DataFrame, title: str) -> Figure:
    """Which class is taken for which, in percent of the true class; of ``run_scores.confusion_of_runs``."""
    names = [name.replace("_", "\n") for name in CLASSES]
    figure, axes = style.panels(1, 1, 2.7, style.ONE_COLUMN)
    axis = axes[0, 0]
    shown = 100 * shares.to_numpy(float)
    sns.heatmap(
        shown, annot=True, fmt=".1f", cmap="Blues", vmin=0, vmax=100, xticklabels=names, yticklabels=names, ax=axis,
        annot_kws={"size": 7.5}, cbar_kws={"label": "pixels of the mask's class (%)"}, linewidths=0.5,
    )  # fmt: skip
    axis.set(xlabel=f"predicted by {title}", ylabel="mask")
    axis.tick_params(rotation=0, length=0)
    style.note(figure, "Each row adds up to 100 %: all pixels of all test images and seeds.")
    return figure


def reliability(bins: pd.DataFrame) -> Figure:
    """Accuracy against confidence, all pixels and those of bones, one line per method.

    Bins with fewer than one pixel in 10,000 are left out: they are a handful of pixels of a few images.
    """
    figure, axes = style.panels(1, 2, 2.9, sharey=True)
    for axis, (region, rows) in zip(axes.flat, bins.groupby("region", sort=False), strict=True):
        enough = rows[rows.pixels >= FEWEST_PIXELS * rows.groupby("method").pixels.transform("sum")]
        axis.plot([0, 1], [0, 1], color="0.7", linewidth=0.6)
        for name, part in enough.groupby("method", sort=False):
            kind = style.look(str(name))
            axis.plot(part.confidence, part.accuracy, **kind.line, zorder=2 + kind.width)
        title = {"all": "all pixels", "bones": "pixels predicted a bone"}[str(region)]
        axis.set(title=title, xlim=(0.2, 1.01), ylim=(0, 1.01), xlabel="confidence")
    axes[0, 0].set_ylabel("accuracy")
    for place, words, where in (
        ((0.03, 0.97), "more often right than sure", "top"),
        ((0.97, 0.03), "surer than right", "bottom"),
    ):
        axes[0, 0].text(*place, words, transform=axes[0, 0].transAxes, fontsize=style.SMALL, color="0.4", va=where,
                        ha="left" if where == "top" else "right")  # fmt: skip
    style.legend(figure, bins.method.unique())
    pixels = int(bins[bins.region == "all"].groupby("method").pixels.sum().max())
    style.note(
        figure,
        f"n = {pixels:,} pixels of all test images and seeds, in bins of confidence (the probability of the predicted "
        "class); bins with fewer than one pixel in 10,000 are left out. Grey: as sure as right.",
    )
    return figure
