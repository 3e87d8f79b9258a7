"""What a few annotated images bring: a table and a figure."""

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from sadanet_lab.studies.few_images import ADAPTED, NEW, SHIPPED

MEASURES = {"dice": "mean bone Dice (%)", "mae": "error of the largest angle (°)"}
FEWEST_SEEDS = 2
"""Of which there is a spread."""


def few_images_markdown(table: pd.DataFrame) -> str:
    """One line per start and number of images: means over seeds, and the sd of Dice where there are several."""
    rows = []
    for (start, images), part in table.groupby(["start", "images"], sort=False):
        spread = f" ± {part.dice.std():.2f}" if len(part) >= FEWEST_SEEDS else ""
        rows.append(
            {
                "Start": start,
                "Annotated images": images,
                "Seeds": len(part),
                "Bone Dice": f"{part.dice.mean():.2f}{spread}",
                "Error of the largest angle": f"{part.mae.mean():.2f}°",
                "Within 5°": f"{100 * part.share_close.mean():.1f} %",
                "Measurable": f"{100 * part.measurable.mean():.1f} %",
            }
        )
    return pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True)


def few_images(table: pd.DataFrame) -> Figure:
    """Dice and angle error against the number of annotated images: the mean over seeds, and the seeds as points."""
    figure, axes = plt.subplots(1, len(MEASURES), figsize=(8, 3.2), layout="constrained")
    counts = sorted(table.images.unique())
    shown = table.assign(place=table.images.map(counts.index))
    palette = dict(zip((SHIPPED, NEW, ADAPTED), sns.color_palette("colorblind"), strict=False))
    for axis, (measure, title) in zip(axes, MEASURES.items(), strict=True):
        both = {"data": shown, "x": "place", "y": measure, "hue": "start", "palette": palette, "ax": axis}
        sns.lineplot(**both, errorbar=None, marker="o", markersize=6, legend=axis is axes[0])
        sns.scatterplot(**both, s=14, alpha=0.6, linewidth=0, legend=False)
        axis.set(xlabel="annotated images", ylabel=title, ylim=(0, 100 if measure == "dice" else None))
        axis.set_xticks(range(len(counts)), [str(count) for count in counts])
        axis.grid(axis="y", color="0.92")
    axes[0].legend(title="training starts from", frameon=False, loc="lower right")
    sns.despine(figure)
    return figure
