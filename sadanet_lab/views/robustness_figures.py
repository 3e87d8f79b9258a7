"""How Dice and angle fall as pictures get worse, one panel per degradation; and which faint bones are still found."""

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from sadanet_lab.images.degradations import DEGRADATIONS
from sadanet_lab.spine.classes import BONES

QUANTITIES = {"dice": "mean bone Dice (%)", "angle_error": "angle error (°)"}


def curves(table: pd.DataFrame) -> Figure:
    """Dice (upper row) and angle error (lower row) against the strength of each degradation, one line per network.

    table: of ``studies.robustness.over_seeds``. The band is the 95 % bootstrap interval of the mean over images.
    """
    names = list(table.degradation.unique())
    figure, axes = plt.subplots(
        2, len(names), figsize=(2.1 * len(names), 4.6), layout="constrained", sharey="row", squeeze=False
    )
    shown = table.assign(dice=100 * table.dice)
    for column, name in enumerate(names):
        part = shown[shown.degradation == name]
        for row, (quantity, title) in enumerate(QUANTITIES.items()):
            axis = axes[row, column]
            sns.lineplot(part, x="strength", y=quantity, hue="network", style="network", markers=True, dashes=False,
                         seed=0, palette="colorblind", ax=axis, legend=row == 0 and column == 0)  # fmt: skip
            axis.set(ylabel=title if column == 0 else "", xlabel=DEGRADATIONS[name].unit if row == 1 else "")
        axes[0, column].set_title(DEGRADATIONS[name].title, fontsize=10)
    legend = axes[0, 0].get_legend()
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    legend.remove()
    return figure


def losses_markdown(table: pd.DataFrame) -> str:
    """``studies.robustness.worst_dice`` as Markdown, in percent."""
    shown = (100 * table).map("{:.1f}".format)
    return shown.rename_axis("Dice (%)").to_markdown(disable_numparse=True)


def recall_against_contrast(bones: pd.DataFrame) -> Figure:
    """Recall of single bones against how dark they stand out, one panel per class, one line per network.

    bones: of ``studies.robustness.bone_contrasts``. Bones are put in bins of equal number; bands as in ``curves``.
    """
    figure, axes = plt.subplots(1, len(BONES), figsize=(9, 2.8), layout="constrained", sharey=True)
    for axis, name in zip(axes, BONES, strict=True):
        part = bones[bones.bone == name]
        bins = pd.qcut(part.contrast, 6, duplicates="drop")
        middle = part.groupby(bins, observed=True).contrast.transform("mean")
        sns.lineplot(part.assign(contrast=middle, recall=100 * part.recall), x="contrast", y="recall", hue="network",
                     style="network", markers=True, dashes=False, seed=0, palette="colorblind", ax=axis,
                     legend=axis is axes[0])  # fmt: skip
        axis.set(title=name.replace("_", " "), xlabel="contrast (greys)", ylabel="recall (%)")
    return figure
