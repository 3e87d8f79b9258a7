"""How nearly one-hot the rows of attention maps are: figures of the audit of Eq. (1) and (3)."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from sadanet_lab.views import style

COLOURS = (style.METHODS["SADANet"].colour, style.METHODS["UNet"].colour, style.METHODS["shipped model"].colour)
"""Of the networks that are compared here: all are SADANets."""


def affinity_entropies(table: pd.DataFrame) -> Figure:
    """Entropy of every row of g, trained and at the start, a panel per form; of ``saturation.affinity_rows``."""
    forms, networks = list(table.normalisation.unique()), list(table.network.unique())
    figure, axes = style.panels(1, len(forms), 2.2, sharey=True, sharex=True)
    bins = np.linspace(0, 1, 41)
    for axis, form in zip(axes.flat, forms, strict=True):
        for network, colour in zip(networks, COLOURS, strict=False):
            rows = table[(table.normalisation == form) & (table.network == network)].relative_entropy
            share = np.histogram(rows, bins)[0] / max(len(rows), 1)
            axis.stairs(100 * share, bins, fill=True, color=colour, alpha=0.75, label=network)
        axis.set(title=form, xlabel="entropy of a row of g / log C", ylim=(0, 100), xlim=(-0.02, 1.02))
    axes[0, 0].set_ylabel("rows (%)")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper right", ncols=2, handlelength=1)
    rows = table[(table.normalisation == forms[0]) & (table.network == networks[0])]
    style.note(
        figure,
        f"n = {len(rows):,} rows of GCA's channel map g for each form and network, of all test images looked at. "
        "0: one-hot, a channel takes one other; 1: even over all C channels. Bars: share of the rows, 40 bins.",
    )
    return figure


def saturation_by_size(table: pd.DataFrame) -> Figure:
    """Share of one-hot rows against the picture's pixels, one panel an equation; of ``saturation.by_size``."""
    equations, networks = list(table.equation.unique()), list(table.network.unique())
    figure, axes = style.panels(1, len(equations), 2.4, sharey=True, sharex=True)
    table = table.assign(pixels=table.height * table.width, percent=100 * table.one_hot)
    colours = dict(zip(networks, COLOURS, strict=False))
    for axis, equation in zip(axes.flat, equations, strict=True):
        axis.set(title=equation, xscale="log", ylim=(-3, 103), xlabel="pixels of the picture")
        ends = {}
        for name, marker in zip(networks, "osd", strict=False):
            rows = table[(table.equation == equation) & (table.network == name)].groupby("pixels").percent
            images = rows.agg(["mean", "min", "max"])
            axis.fill_between(images.index, images["min"], images["max"], color=colours[name], alpha=0.15, linewidth=0)
            axis.plot(images.index, images["mean"], color=colours[name], marker=marker)
            if len(images):
                ends[name] = images.index[-1], images["mean"].iloc[-1]
        if equation == equations[-1]:
            style.label_lines(axis, ends, colours)
    axes[0, 0].set_ylabel("one-hot rows (%)")
    style.note(
        figure, f"Points: means of n = {table.stem.nunique()} test images, cut into pictures of that size; bands: "
        "from the lowest to the highest image. The axis of pixels is logarithmic."
    )  # fmt: skip
    return figure
