"""What attention adds, and what hidden bones are found.

Of no runs a figure and a table say so.
"""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sadanet_lab.metrics.claims import IDLE
from sadanet_lab.studies.hidden_bones import FALSE, HIDDEN, KINDS, WHOLE, thoracic
from sadanet_lab.studies.hidden_shares import CHANGE
from sadanet_lab.studies.knockouts import LOST, are_idle
from sadanet_lab.views import style
from sadanet_lab.words import counted


def knockouts_markdown(table: pd.DataFrame) -> str:
    """``knockouts.summarise`` as Markdown."""
    if table.empty:
        return "n/a: no network among these has attention that runs in testing."
    spans = table.low.map(" ({:+.2f} to ".format) + table.high.map("{:+.2f})".format)
    lost = table.lost.map("{:+.2f}".format) + spans.where(table.low.notna(), "")
    remarks = np.where(are_idle(table), ", idle", np.where(table.high < 0, ", better without", ""))
    of_bones = table[list(LOST)].map("{:+.2f}".format).agg(" / ".join, axis=1)
    shown = pd.DataFrame(
        {
            "Method": table.method,
            "Module": table.module,
            "Mean bone Dice lost without it": lost + remarks,
            "Rib / process / lump": of_bones,
            "size of gamma": table.gamma.map(lambda gamma: "none" if np.isnan(gamma) else f"{gamma:.3f}"),
            "One-hot rows": table.one_hot_percent.map("{:.0f} %".format),
        }
    )
    note = (
        f'"Idle": less than {IDLE:g} points either way in the usual seed, of the mean and of each single bone. In '
        'brackets: 95 % interval over seeds and images, uncorrected; "better without": it lies below 0.'
    )
    return f"{shown.to_markdown(index=False, disable_numparse=True)}\n\n{note}"


def recall_of_kinds(recall: pd.DataFrame) -> Figure:
    """Recall of seen and hidden ribs and processes, a panel a kind, a row a method; of ``hidden_bones.recall_by_kind``.

    The method's own marker: the whole network, mean over seeds, which are small points. Hollow, as the module is drawn:
    without that module.
    """
    if recall.empty:
        return style.empty("Nothing to draw: no runs whose hidden bones are known.")
    recall = thoracic(recall)
    kinds = [kind for kind in KINDS if kind in set(recall.kind)]
    names = list(recall.method.unique())
    figure, axes = style.panels(1, len(kinds), 0.19 * len(names) + 1.15, sharey=True)
    means = recall.groupby(["method", "without", "kind"], sort=False).recall.mean().reset_index()
    modules = modules_of(recall)
    for axis, kind in zip(axes[0], kinds, strict=True):
        of_kind, seeds = means[means.kind == kind], recall[(recall.kind == kind) & (recall["without"] == WHOLE)]
        axis.hlines(range(len(names)), 0, 1000, color="0.9", linewidth=0.6)
        axis.scatter(seeds.recall, seeds.method.map(names.index), s=7, color="0.6", linewidth=0, zorder=2)
        for row in of_kind.itertuples():
            whole = row.without == WHOLE
            drawn = style.look(str(row.method)) if whole else modules[str(row.without)]
            axis.plot(
                row.recall, names.index(row.method), drawn.marker, color=drawn.colour, markersize=5 if whole else 4.5,
                markerfacecolor=None if whole else "none", markeredgewidth=0.6 if whole else 1, zorder=3,
            )  # fmt: skip
        shown = recall[recall.kind == kind].recall
        reach = max(2.0, 0.06 * (shown.max() - shown.min()))
        axis.set(title=KINDS[kind], xlabel="recall (%)", xlim=(shown.min() - reach, shown.max() + reach))
    axes[0][0].set_yticks(range(len(names)), names)
    axes[0][0].set_ylim(len(names) - 0.4, -0.6)
    marks = [
        Line2D([], [], linestyle="", marker=kind.marker, mfc="none", color=kind.colour, label=f"without {module}")
        for module, kind in modules.items()
    ]
    figure.legend(handles=marks, loc="outside upper right", ncols=5, handlelength=1)
    style.note(
        figure,
        "Share of the pixels of ribs and thoracic processes that get their class; all test images, "
        f"{counted(recall.seed.nunique(), 'seed')}. Filled: whole networks (mean over seeds); hollow: the same "
        "without one attention module. Each panel has an axis of its own, none begins at 0.",
    )
    return figure


def modules_of(recall: pd.DataFrame) -> dict[str, style.Look]:
    """How each module is drawn that is taken out somewhere in a table with the column without."""
    modules = [str(module) for module in recall["without"].unique() if module != WHOLE]
    return {module: style.MODULES.get(module, style.OTHER) for module in modules}


def dose_and_response(recall: pd.DataFrame) -> Figure:
    """Recall of hidden ribs and processes against the share of bones that is hidden; a panel a method.

    Whole networks, and those without each module. recall: of ``hidden_bones.recall_by_share``. The band is the range of
    the seeds.
    """
    if recall.empty:
        return style.empty("Nothing to draw: no kind of hidden bone that every share has.")
    names = list(recall.method.unique())
    columns = min(4, len(names))
    figure, axes = style.panels(-(-len(names) // columns), columns, 1.45 * -(-len(names) // columns) + 0.7,
                                sharex=True, sharey=True)  # fmt: skip
    looks, handles = {WHOLE: style.Look("#262626", ".")} | modules_of(recall), {}
    for axis, name in zip(axes.flat, names, strict=False):
        for without, table in recall[recall.method == name].groupby("without", sort=False):
            seeds = table.groupby("share").recall.agg(["mean", "min", "max"])
            kind, whole = looks[str(without)], without == WHOLE
            label = "whole network" if whole else f"without {without}"
            drawn = {"linewidth": 1.8 if whole else 1, "linestyle": "-" if whole else style.SHORT}
            (handles[label],) = axis.plot(
                100 * seeds.index, seeds["mean"], marker=kind.marker, color=kind.colour, **drawn
            )
            axis.fill_between(100 * seeds.index, seeds["min"], seeds["max"], color=kind.colour, alpha=0.15, linewidth=0)
        axis.set_title(name)
        axis.grid(axis="y")
    for axis in axes.flat[len(names) :]:
        axis.set_axis_off()
    figure.legend(handles.values(), handles.keys(), loc="outside upper right", ncols=6)
    for axis in axes[-1]:
        axis.set_xlabel("bones hidden (%)")
    figure.supylabel("recall of hidden ribs and processes (%)")
    style.note(
        figure,
        "Points: bins of the share of the spine's bones that is hidden, each at its mean ("
        f"{', '.join(str(n) for n in recall.drop_duplicates('share').sort_values('share').images)} images). Recall is "
        f"the mean over the kinds of hidden bone that every bin has ({_called(recall.kinds.iloc[0])}); "
        f"{counted(recall.seed.nunique(), 'seed')}, bands from lowest to highest seed: how sure the images make "
        "it is told below.",
    )
    return figure


def _called(kinds: str) -> str:
    return ", ".join(KINDS[kind] for kind in kinds.split(", "))


def share_markdown(table: pd.DataFrame) -> str:
    """``hidden_shares.differences_by_share`` as Markdown: a row a method, a column of differences for each group."""
    if table.empty:
        return "n/a: fewer than two methods, or too few images with nothing and with much hidden."
    spans = table.low.map(" ({:+.2f} to ".format) + table.high.map("{:+.2f})".format)
    cells = table.difference.map("{:+.2f}".format) + spans
    titles = (table.images_of + table.images.map(" ({} images)".format)).where(table.images_of != CHANGE, CHANGE)
    first = f"{table.method.iloc[0]} minus"
    wide = table.assign(cell=cells, title=titles).pivot(index="other", columns="title", values="cell")
    wide = wide.reindex(index=table.other.unique(), columns=titles.unique())
    return wide.rename_axis(first).reset_index().to_markdown(index=False, disable_numparse=True)


def response_markdown(table: pd.DataFrame) -> str:
    """``hidden_bones.modules_response`` as Markdown: one row per module, one column per kind of bone, all hidden ones
    with their interval, and false pixels."""
    if table.empty:
        return "n/a: no run, no bone known to be hidden, or no attention that runs in testing."
    spans = table.low.map(" ({:+.1f} to ".format) + table.high.map("{:+.1f})".format)
    cells = table.added.map("{:+.1f}".format) + spans.where((table.kind == HIDDEN) & table.low.notna(), "")
    wide = table.assign(cell=cells).pivot(index=["method", "module"], columns="kind", values="cell")
    rows = list(dict.fromkeys(zip(table.method, table.module, strict=True)))
    titles = KINDS | {HIDDEN: "all hidden", FALSE: "false pixels (%)"}
    wide = wide.reindex(index=rows, columns=[kind for kind in titles if kind in wide.columns]).rename(columns=titles)
    return wide.rename_axis(["Method", "Module"]).reset_index().to_markdown(index=False, disable_numparse=True)
