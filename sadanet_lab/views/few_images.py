"""What a few annotated images bring: a table and a figure."""

import pandas as pd
from matplotlib.figure import Figure

from sadanet_lab.studies.few_images import ADAPTED, NEW, NEW_LONGER, SHIPPED
from sadanet_lab.views import style
from sadanet_lab.words import counted

MEASURES = {"dice": "mean bone Dice (%)", "mae": "error of the largest angle (°)"}
LOOKS = {SHIPPED: SHIPPED, NEW: "SADANet", NEW_LONGER: "PSANet", ADAPTED: "UNet"}
STARTS = {start: style.look(name) for start, name in LOOKS.items()}
"""How a start is drawn."""
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
    figure, axes = style.panels(1, len(MEASURES), 2.6)
    counts = sorted(table.images.unique())
    shown = table.assign(place=table.images.map(counts.index))
    for axis, (measure, title) in zip(axes.flat, MEASURES.items(), strict=True):
        for start, rows in shown.groupby("start", sort=False):
            kind = STARTS[str(start)]
            axis.scatter(rows.place, rows[measure], s=7, color=kind.colour, alpha=0.5, linewidth=0)
            means = rows.groupby("place")[measure].mean()
            axis.plot(means.index, means, **kind.line, label=start)
        axis.set(xlabel="annotated images", ylabel=title)
        axis.set_xticks(range(len(counts)), [str(count) for count in counts])
        axis.grid(axis="y")
    axes[0, 1].set_ylim(0, None)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper left", ncols=3)
    seeds = table.groupby(["start", "images"]).seed.nunique().max()
    style.note(
        figure,
        f"Lines: means of up to {counted(seeds, 'seed')}, each a small point; all test images of the other "
        "scanner (phantoms). The axis of Dice begins above 0; the numbers of images stand at equal distances.",
    )
    return figure
