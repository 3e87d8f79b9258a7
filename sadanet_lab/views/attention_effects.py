"""What attention adds, and what hidden bones are found.

Of no runs a figure is empty, and a table says so.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from sadanet_lab.metrics.claims import IDLE
from sadanet_lab.studies.hidden_bones import WHOLE

KINDS = {"seen": "seen", "pair": "one of a pair", "level": "a whole level", "run": "a run of levels"}
"""Kind of bone (see ``phantom.hiding``) -> how it is called."""


def knockouts_markdown(table: pd.DataFrame) -> str:
    """``knockouts.summarise`` as Markdown."""
    if table.empty:
        return "n/a: no network among these has attention that runs in testing."
    lost = table.lost.map("{:+.2f}".format) + table.sd.map(lambda sd: "" if np.isnan(sd) else f" ± {sd:.2f}")
    shown = pd.DataFrame(
        {
            "Method": table.method,
            "Module": table.module,
            "Dice lost without it": lost + table.lost.map(_what_it_does),
            "gamma": table.gamma.map(lambda gamma: "none" if np.isnan(gamma) else f"{gamma:+.3f}"),
            "One-hot rows": table.one_hot_percent.map("{:.0f} %".format),
        }
    )
    note = f'"Idle": less than {IDLE:g} points either way; what a table says of such a module is not due to it.'
    return f"{shown.to_markdown(index=False, disable_numparse=True)}\n\n{note}"


def _what_it_does(lost: float) -> str:
    if abs(lost) < IDLE:
        return " (idle)"
    return " (better without)" if lost < 0 else ""


def recall_of_kinds(recall: pd.DataFrame) -> Figure:
    """Recall of seen and hidden bones, one panel per kind, a bar per method; of ``hidden_bones.recall_by_kind``.

    A ring marks the recall without a module, its name beside it.
    """
    if recall.empty:
        return plt.figure(figsize=(1, 1))
    kinds = [kind for kind in KINDS if kind in set(recall.kind)]
    names = list(recall.method.unique())
    size = 2.2 * len(kinds) + 1.6, 0.32 * len(names) + 1.2
    figure, axes = plt.subplots(1, len(kinds), figsize=size, sharey=True, layout="constrained", squeeze=False)
    means = recall.groupby(["method", "without", "kind"], sort=False).recall.mean().reset_index()
    for axis, kind in zip(axes[0], kinds, strict=True):
        of_kind = means[means.kind == kind]
        whole = of_kind[of_kind["without"] == WHOLE].set_index("method").recall.reindex(names)
        axis.barh(names, whole, color="0.8", height=0.7)
        for row in of_kind[of_kind["without"] != WHOLE].itertuples():
            place = row.recall, names.index(row.method)
            axis.plot(*place, "o", color="tab:blue", markerfacecolor="none", markersize=5)
            axis.annotate(row.without, place, (4, 0), textcoords="offset points", fontsize=6, va="center")
        axis.set(title=KINDS[kind], xlim=(0, 100))
        axis.set_xlabel("recall (%)")
        axis.title.set_fontsize(10)
    axes[0][0].invert_yaxis()
    sns.despine(figure)
    return figure


def dose_and_response(recall: pd.DataFrame) -> Figure:
    """Recall of hidden bones against the share that is hidden; one panel per method, whole and without each module.

    recall: of ``hidden_bones.recall_by_share``. The band is the range of the seeds.
    """
    if recall.empty:
        return plt.figure(figsize=(1, 1))
    names = list(recall.method.unique())
    columns = min(4, len(names))
    rows = -(-len(names) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(2.5 * columns, 2.1 * rows + 0.5), sharex=True, sharey=True, layout="constrained",
        squeeze=False,
    )  # fmt: skip
    for axis, name in zip(axes.flat, names, strict=False):
        of_method = recall[recall.method == name]
        for number, (without, table) in enumerate(of_method.groupby("without", sort=False)):
            seeds = table.groupby("share").recall.agg(["mean", "min", "max"])
            colour = "0.2" if without == WHOLE else sns.color_palette("colorblind")[number % 10]
            label = "whole" if without == WHOLE else f"without {without}"
            axis.plot(100 * seeds.index, seeds["mean"], marker="o", markersize=3, color=colour, label=label)
            axis.fill_between(100 * seeds.index, seeds["min"], seeds["max"], color=colour, alpha=0.15, linewidth=0)
        axis.set_title(name, fontsize=9)
        axis.legend(fontsize=6, frameon=False)
        axis.grid(axis="y", color="0.92")
    for axis in axes.flat[len(names) :]:
        axis.set_axis_off()
    figure.supxlabel("bones hidden (% of the spine's)", fontsize=9)
    figure.supylabel("recall of hidden bones (% of pixels)", fontsize=9)
    sns.despine(figure)
    return figure


def response_markdown(table: pd.DataFrame) -> str:
    """``hidden_bones.modules_response`` as Markdown: one row per module, one column per kind of bone."""
    if table.empty:
        return "n/a: no run, no bone known to be hidden, or no attention that runs in testing."
    cells = table.added.map("{:+.1f}".format) + table.sd.map(lambda sd: "" if np.isnan(sd) else f" ± {sd:.1f}")
    wide = table.assign(cell=cells).pivot(index=["method", "module"], columns="kind", values="cell")
    rows = list(dict.fromkeys(zip(table.method, table.module, strict=True)))
    wide = wide.reindex(index=rows, columns=[kind for kind in KINDS if kind in wide.columns]).rename(columns=KINDS)
    return wide.rename_axis(["Method", "Module"]).reset_index().to_markdown(index=False, disable_numparse=True)
