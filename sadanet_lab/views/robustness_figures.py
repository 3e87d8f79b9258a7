"""How Dice and angle fall as pictures get worse, one panel per degradation; and which faint bones are still found."""

import textwrap

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from sadanet_lab.images.degradations import DEGRADATIONS
from sadanet_lab.spine.classes import BONES
from sadanet_lab.studies.robustness import UNDEGRADED
from sadanet_lab.views import style
from sadanet_lab.words import counted

QUANTITIES = {
    "dice": "mean bone\nDice (%)",
    "angle_error": "error of the\nangle (°)",
    "measurable": "angles that are\nmeasurable (%)",
}
FEWEST_IMAGES = 10
"""For a bootstrap interval; of fewer the images themselves are drawn."""


def curves(table: pd.DataFrame) -> Figure:
    """Dice, angle error and measurable angles against the strength of each degradation, one line per network.

    table: of ``studies.robustness.over_seeds``. Lines are means over images; the angle's is of those that are
    measurable and hollow where some are not. Around them the 95 % bootstrap interval over images, or, of fewer than
    ``FEWEST_IMAGES``, the images as points.
    """
    names, networks = list(table.degradation.unique()), list(table.network.unique())
    images = table.stem.nunique()
    figure, axes = style.panels(3, len(names), 4.0, sharey="row", sharex="col")
    shown = table.assign(dice=100 * table.dice, measurable=100 * table.measurable)
    for column, name in enumerate(names):
        for network in networks:
            part = shown[(shown.degradation == name) & (shown.network == network)]
            for axis, quantity in zip(axes[:, column], QUANTITIES, strict=True):
                _draw(axis, part, quantity, network, images)
        axes[0, column].set_title(DEGRADATIONS[name].title)
        strengths = list(DEGRADATIONS[name].strengths)
        axes[2, column].set_xticks(strengths, [f"{strength:g}".replace("0.", ".") for strength in strengths])
        axes[2, column].set_xlabel(textwrap.fill(DEGRADATIONS[name].unit, 13))
    for axis, title in zip(axes[:, 0], QUANTITIES.values(), strict=True):
        axis.set_ylabel(title)
    for row, low, high in ((0, 0, 100), (1, 0, None), (2, -5, 105)):
        axes[row, 0].set_ylim(low, high)
    for axis in axes.flat:
        axis.grid(axis="y")
    figure.align_ylabels(axes[:, 0])
    style.legend(figure, networks, "outside upper right", len(networks))
    around = (
        "bands: 95 % bootstrap interval over images, the spread of seeds not in it"
        if images >= FEWEST_IMAGES
        else "small points: the single images, too few for an interval"
    )
    style.note(
        figure,
        f"n = {counted(images, 'test image')} (the first ones), each degraded in every way; across: strength, 0 "
        f"is the image as it is. Lines: means of the images' own scores, after the mean over seeds; {around}. Angle: "
        "against that of the degraded mask, mean of the measurable; hollow where some are not measurable.",
    )
    return figure


def _draw(axis, part: pd.DataFrame, quantity: str, network: str, images: int) -> None:
    kind, known = style.look(network), part.dropna(subset=quantity)
    if quantity != "measurable" and images < FEWEST_IMAGES:
        axis.plot(known.strength, known[quantity], ".", color=kind.colour, alpha=0.4, markersize=3, markeredgewidth=0)
    elif quantity != "measurable":
        sns.lineplot(
            known, x="strength", y=quantity, color=kind.colour, linewidth=0, seed=0, ax=axis, err_kws={"linewidth": 0}
        )
    means = known.groupby("strength")[quantity].mean()
    axis.plot(means.index, means, **kind.line | {"marker": ""})
    whole = part.groupby("strength").measurable.mean().reindex(means.index) >= 100
    for is_whole in (True, False):
        marks = means[whole == is_whole] if quantity == "angle_error" else means if is_whole else means[:0]
        face = kind.colour if is_whole else "white"
        axis.plot(marks.index, marks, kind.marker, color=kind.colour, markerfacecolor=face, markeredgewidth=0.8)
    axis.set(xlabel="", ylabel="")


def losses_markdown(table: pd.DataFrame) -> str:
    """``studies.robustness.worst_dice`` as Markdown, in percent: a row per degradation, a column per network."""
    at = table.strength.map(" (at {:g})".format).where(table.degradation != UNDEGRADED, "")
    cells = table.assign(cell=(100 * table.dice).map("{:.1f}".format) + at)
    wide = cells.pivot(index="degradation", columns="network", values="cell")
    wide = wide.loc[list(table.degradation.unique()), list(table.network.unique())].fillna("n/a")
    return wide.rename_axis("Dice (%)").rename_axis(columns=None).to_markdown(disable_numparse=True)


def recall_against_contrast(table: pd.DataFrame) -> Figure:
    """Recall of single bones against how dark they stand out, one panel per class, one line per network.

    table: of ``studies.robustness.recall_by_contrast``.
    """
    networks = list(table.network.unique())
    figure, axes = style.panels(1, len(BONES), 2.4, sharey=True)
    for axis, name in zip(axes.flat, BONES, strict=True):
        for network in networks:
            part, kind = table[(table.bone == name) & (table.network == network)], style.look(network)
            axis.fill_between(
                part.contrast, 100 * part.low, 100 * part.high, color=kind.colour, alpha=0.15, linewidth=0
            )
            axis.plot(part.contrast, 100 * part.recall, **kind.line)
        bones = table[(table.bone == name) & (table.network == networks[0])].bones.sum()
        axis.set(title=f"{name.replace('_', ' ')}, n = {bones:,}", xlabel="contrast (greys)")
        axis.grid(axis="y")
    axes[0, 0].set_ylabel("recall (%)")
    style.legend(figure, networks, "outside upper right", len(networks))
    style.note(
        figure,
        f"n: bones of {table.images.max()} test images, in six bins that hold as many each; points: means. Bands: 95 % "
        "bootstrap interval over images, of the mean over seeds, whose spread is not in it. Contrast 0: the bone "
        "cannot be seen. The axis of recall begins above 0.",
    )
    return figure
