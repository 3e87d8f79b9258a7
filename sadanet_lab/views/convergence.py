"""What longer training gains, and what the profile's own choices cost or bring.

Of no runs a figure is empty, and a table says so.
"""

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from sadanet_lab.studies.convergence import CONVERGED


def doubling_markdown(table: pd.DataFrame) -> str:
    """``convergence.last_doubling`` as Markdown; what is not done is marked."""
    if table.empty:
        return "n/a: no runs."
    gained = table.gained.map("{:+.2f}".format) + (table.gained > CONVERGED).map({True: " **not done**", False: ""})
    shown = pd.DataFrame(
        {
            "Rank": table["rank"],
            "Method": table.method,
            "Steps": table.iterations,
            "Bone Dice": table.dice.map("{:.2f}".format),
            "The last doubling gained": gained.where(table.gained.notna(), "n/a"),
        }
    )
    note = (
        f"Ranks of one seed are no verdict. Not done: more than {CONVERGED:g} points; such a rank may say how fast a "
        "method learns, not how well."
    )
    return f"{shown.to_markdown(index=False, disable_numparse=True)}\n\n{note}"


def dice_against_length(lengths: pd.DataFrame) -> Figure:
    """Bone Dice against the number of steps, one line per method; of ``convergence.dice_by_length``."""
    if lengths.empty:
        return plt.figure(figsize=(1, 1))
    figure, axis = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
    style = {"style": "method", "markers": True, "dashes": False, "markersize": 6}
    sns.lineplot(
        lengths,
        x="iterations",
        y="dice",
        hue="method",
        palette=sns.color_palette("husl", lengths.method.nunique()),
        ax=axis,
        **style,
    )
    steps = sorted(lengths.iterations.unique())
    axis.set_xscale("log", base=2)
    axis.set_xticks(steps, [f"{step:,}" for step in steps])
    axis.set(xlabel="steps of training, each with its own cosine", ylabel="mean bone Dice (%)")
    axis.minorticks_off()
    axis.grid(axis="y", color="0.92")
    axis.legend().remove()
    figure.legend(*axis.get_legend_handles_labels(), loc="outside right center", frameon=False)
    sns.despine(figure)
    return figure


def choices_markdown(table: pd.DataFrame) -> str:
    """``choices.compare_choices`` as Markdown: each measure as the profile has it, and what the change adds to it."""
    if table.empty:
        return "n/a: no runs."
    shown = pd.DataFrame({"Method": table.method, "Steps": table.iterations, "Changed to (own)": table.change})
    for name, title in (("dice", "Bone Dice"), ("validation", "Dice, validation"), ("frame", "False in frame (%)")):
        both = table[name].map("{:.2f}".format) + table[f"{name}_difference"].map(" {:+.2f}".format)
        shown[title] = both.where(table[name].notna(), "n/a")
    shown["Seeds"] = table.seeds
    note = (
        "Each cell: with the profile's own setting, then what the change adds; means over the seeds. Of so few seeds "
        "these are sizes, not verdicts."
    )
    return f"{shown.to_markdown(index=False, disable_numparse=True)}\n\n{note}"
