"""What longer training gains, and what the profile's own choices cost or bring.

Of no runs a figure and a table say so.
"""

import pandas as pd
from matplotlib.figure import Figure

from sadanet_lab.studies.convergence import CONVERGED
from sadanet_lab.views import style
from sadanet_lab.words import counted


def doubling_markdown(table: pd.DataFrame) -> str:
    """``convergence.last_doubling`` as Markdown; what is not done is marked."""
    if table.empty:
        return "n/a: no runs."
    noise = table.noise.map(" ± {:.2f}".format).where(table.noise.notna(), "")
    marks = (table.gained > CONVERGED).map({True: " **not done**", False: ""})
    gained = table.gained.map("{:+.2f}".format) + noise + marks
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
        f"Ranks are no verdict: Table I's are. Not done: more than {CONVERGED:g} points; such a rank may say how fast "
        "a method learns, not how well. ±: how much such a gain differs from seed to seed (sd), where several seeds of "
        "the longest training tell; one within twice that of the mark is on neither side of it for certain."
    )
    return f"{shown.to_markdown(index=False, disable_numparse=True)}\n\n{note}"


def dice_against_length(lengths: pd.DataFrame) -> Figure:
    """Bone Dice against the number of steps, one line per method; of ``convergence.dice_by_length``."""
    if lengths.empty:
        return style.empty("Nothing to draw: no runs of several lengths are kept.")
    figure, axes = style.panels(1, 1, 3.0)
    axis, ends = axes[0, 0], {}
    for name, rows in lengths.groupby("method", sort=False):
        means = rows.groupby("iterations").dice.mean()
        axis.plot(means.index, means, **style.look(str(name)).line)
        ends[str(name)] = means.index[-1], means.iloc[-1]
    steps = sorted(lengths.iterations.unique())
    axis.set_xscale("log", base=2)
    axis.set_xticks(steps, [f"{step:,}" for step in steps])
    axis.set(xlabel="steps of training, each with its own cosine", ylabel="mean bone Dice (%)")
    axis.minorticks_off()
    axis.grid(axis="y")
    style.label_lines(axis, ends, {name: style.look(name).colour for name in ends})
    style.note(
        figure,
        f"Each point is a training of its own, {counted(lengths.seed.nunique(), 'seed')}, scored on all test "
        "images; lines only tie a method's points together. The axis begins above 0.",
    )
    return figure


def choices_markdown(table: pd.DataFrame) -> str:
    """``choices.compare_choices`` as Markdown: each measure as the profile has it, and what the change adds to it."""
    if table.empty:
        return "n/a: no runs."
    shown = pd.DataFrame({"Method": table.method, "Steps": table.iterations, "Changed to (own)": table.change})
    for name, title in (("dice", "Bone Dice"), ("validation", "Dice, validation"), ("frame", "False in frame (%)")):
        both = table[name].map("{:.2f}".format) + table[f"{name}_difference"].map(" {:+.2f}".format)
        shown[title] = both.where(table[name].notna(), "n/a")
    limits = [
        f" ({low:.2f} to {high:.2f})" if high >= low else "" for low, high in zip(table.low, table.high, strict=True)
    ]
    shown["Bone Dice"] += limits
    shown["Seeds"] = table.seeds
    note = (
        "Each cell: with the profile's own setting, then what the change adds; means over the seeds, of two and more "
        "with its 95 % interval. Looked at one by one, uncorrected: sizes, no verdicts."
    )
    return f"{shown.to_markdown(index=False, disable_numparse=True)}\n\n{note}"
