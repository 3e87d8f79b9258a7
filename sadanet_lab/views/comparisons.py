"""Figures of what differs between methods, and by how much that is known."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from sadanet_lab.metrics.claims import lambda_of
from sadanet_lab.metrics.scores import BONE_REGIONS, METRICS, REGIONS
from sadanet_lab.metrics.statistics import PRIMARY, VERDICTS
from sadanet_lab.spine.classes import CLASSES


def differences(table: pd.DataFrame) -> Figure:
    """The first method minus each other, with its interval; of ``statistics.differences_to``.

    First the primary comparisons: filled where above or below, hollow where undecided or equivalent, the verdict beside
    them, and a grey band out to the smallest difference that could have been found. Then the exploratory ones, crosses,
    a panel a region. One without an interval is a dot or cross alone; no rows, an empty figure.
    """
    if table.empty:
        return plt.figure(figsize=(1, 1))
    panels = list(table.groupby(["role", "region"], sort=False))
    others = list(table.other.unique())
    size = 2.3 * len(panels) + 2, 0.3 * len(others) + 1.1
    figure, axes = plt.subplots(1, len(panels), figsize=size, sharey=True, layout="constrained", squeeze=False)
    places = np.arange(len(others))
    for axis, ((role, region), rows) in zip(axes[0], panels, strict=True):
        rows = rows.set_index("other").loc[others]
        axis.axvline(0, color="0.6", linewidth=0.8)
        axis.hlines(places, rows.low, rows.high, color="0.3", linewidth=1.4)
        if role == PRIMARY:
            faces = np.where(rows.verdict.isin(("above", "below")), "tab:blue", "white")
            axis.scatter(rows.difference, places, color=faces, edgecolor="tab:blue", s=30, zorder=3)
            axis.set_xlim(axis.get_xlim())  # the band may reach far beyond
            axis.barh(places, 2 * rows.smallest, left=-rows.smallest, height=0.7, color="0.92", zorder=0)
            axis.set_yticks(places, [f"{o}: {v if v in VERDICTS else 'no verdict'}" for o, v in rows.verdict.items()])
        else:
            axis.scatter(rows.difference, places, color="0.3", marker="x", s=20, zorder=3)
        title = REGIONS[str(region)] + ("" if role == PRIMARY else f" ({role})")
        axis.set(title=title, xlabel=f"{METRICS[rows.metric.iloc[0]].title} points")
        axis.title.set_fontsize(10)
    axes[0][0].invert_yaxis()
    of_networks = " (one seed: of these networks, not of the methods)" if table.seeds.min() == 1 else ""
    figure.suptitle(f"{table.method.iloc[0]} minus …{of_networks}", fontsize=10, x=0.02, ha="left")
    sns.despine(figure)
    return figure


def sweep(long: pd.DataFrame, scores: pd.DataFrame, metric: str = "dice") -> Figure:
    """Score against lambda, one column per region: the paper's curve above, ours below with a band over seeds.

    long: of ``run_scores.compare_with_paper`` with lambda labels; scores: of ``run_scores.scores_of_runs``. The band is
    the range of the seeds. Heights of the two rows are of different data; both axes of a region span as many points.
    """
    regions = {region: REGIONS[region] for region in BONE_REGIONS}
    figure, axes = plt.subplots(
        2, len(regions), figsize=(2.4 * len(regions) + 0.6, 4.2), sharex=True, layout="constrained"
    )
    long = long[long.metric == metric].assign(value=_lambda_of(long.method))
    scores = scores[scores.metric == metric].assign(value=_lambda_of(scores.method))
    for column, (region, title) in enumerate(regions.items()):
        spans = []
        for row, (source, colour) in enumerate((("paper", "0.25"), ("here", "tab:blue"))):
            axis, curve = (
                axes[row, column],
                long[(long.source == source) & (long.region == region)].sort_values("value"),
            )
            axis.plot(curve.value, curve["mean"], marker="o", markersize=4, color=colour)
            if source == "here":
                seeds = scores[scores.region == region].groupby("value").percent.agg(["min", "max"])
                axis.fill_between(seeds.index, seeds["min"], seeds["max"], color=colour, alpha=0.2, linewidth=0)
            axis.axvline(3, color="0.8", linewidth=0.8, zorder=0)
            axis.grid(axis="y", color="0.92")
            spans.append(axis.get_ylim())
        widest = max(high - low for low, high in spans)
        for row, (low, high) in enumerate(spans):
            middle = (low + high) / 2
            if np.isfinite(middle) and widest > 0:
                axes[row, column].set_ylim(middle - widest / 2, middle + widest / 2)
        axes[0, column].set_title(title, fontsize=10)
        axes[1, column].set_xlabel("λ")
    axes[0, 0].set_ylabel(f"paper: {METRICS[metric].title} (%)")
    axes[1, 0].set_ylabel(f"here: {METRICS[metric].title} (%)")
    sns.despine(figure)
    return figure


def _lambda_of(labels: pd.Series) -> pd.Series:
    return labels.map(lambda_of)


def confusion(shares: pd.DataFrame, title: str) -> Figure:
    """Which class is taken for which, in percent of the true class; of ``run_scores.confusion_of_runs``."""
    names = [name.replace("_", " ") for name in CLASSES]
    figure, axis = plt.subplots(figsize=(4.4, 3.4), layout="constrained")
    shown = 100 * shares.to_numpy(float)
    sns.heatmap(
        shown, annot=True, fmt=".1f", cmap="Blues", vmin=0, vmax=100, xticklabels=names, yticklabels=names, ax=axis
    )
    axis.set(xlabel="predicted", ylabel="mask")
    axis.set_title(f"{title}: % of the mask's class", fontsize=10)
    axis.tick_params(axis="x", rotation=25)
    return figure


def reliability(bins: pd.DataFrame) -> Figure:
    """Accuracy against confidence, all pixels and those of bones, one line per method.

    Bins with fewer than one pixel in 10,000 are left out: they are a handful of pixels of a few images.
    """
    figure, axes = plt.subplots(1, 2, figsize=(8.4, 3.4), sharey=True, layout="constrained")
    for axis, (region, rows) in zip(axes, bins.groupby("region", sort=False), strict=True):
        enough = rows.pixels >= 1e-4 * rows.groupby("method").pixels.transform("sum")
        axis.plot([0, 1], [0, 1], color="0.7", linewidth=0.8)
        style = {"palette": "colorblind", "marker": "o", "markersize": 4, "markeredgewidth": 0}
        sns.lineplot(rows[enough], x="confidence", y="accuracy", hue="method", ax=axis, **style)
        title = {"all": "all pixels", "bones": "pixels predicted a bone"}[str(region)]
        axis.set(title=title, xlim=(0.2, 1), ylim=(0, 1))
        axis.legend().remove()
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center", frameon=False)
    sns.despine(figure)
    return figure
