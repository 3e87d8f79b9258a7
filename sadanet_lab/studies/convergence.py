"""Has training gained all it can? Mean bone Dice after N, 2 N, 4 N ... steps, each training with its own cosine."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from sadanet_lab.metrics.scores import bone_dice
from sadanet_lab.studies.run_scores import Label, method_label
from sadanet_lab.training.choices import changed_settings
from sadanet_lab.training.runs import Run

CONVERGED = 0.5
"""Dice points: a method whose last doubling gained more is not done, and its rank may be its speed of learning."""


def own_runs(runs: Iterable[Run]) -> list[Run]:
    """Those whose settings, but for their length, are the method's and the profile's own; each once."""
    own = (run for run in runs if not changed_settings(run.recipe))
    return list({run.recipe.digest: run for run in own}.values())


def dice_by_length(runs: Iterable[Run], label: Label = method_label) -> pd.DataFrame:
    """One row per run: method, iterations, seed, dice (mean of the bones, in percent)."""
    rows = [(label(run), run.recipe.iterations, run.recipe.seed, bone_dice(run.counts)) for run in runs]
    return pd.DataFrame(rows, columns=["method", "iterations", "seed", "dice"])


def last_doubling(lengths: pd.DataFrame) -> pd.DataFrame:
    """What each method's last doubling gained, from ``dice_by_length``; best method first.

    Columns rank, method, iterations (the longest), dice (there, mean over all its seeds), gained (in points, over the
    seeds that both lengths have; NaN where half the longest is not among the lengths), seeds (so many), noise (what
    such a gain differs by for its seeds' sake: sqrt(2 / seeds) times the sd of dice over seeds; NaN of one seed),
    converged.
    """
    rows = []
    for method, table in lengths.groupby("method", sort=False):
        longest = int(table.iterations.max())
        wide = table.pivot(index="seed", columns="iterations", values="dice")
        half = longest / 2
        gains = (wide[longest] - wide[half]).dropna() if half in wide else pd.Series(dtype=float)
        gained = float(gains.mean()) if len(gains) else np.nan
        noise = float(np.sqrt(2 / len(gains)) * wide[longest].std()) if len(gains) else np.nan
        rows.append((method, longest, float(wide[longest].mean()), gained, len(gains), noise))
    table = pd.DataFrame(rows, columns=["method", "iterations", "dice", "gained", "seeds", "noise"])
    table = table.sort_values("dice", ascending=False, ignore_index=True)
    table.insert(0, "rank", np.arange(1, len(table) + 1))
    return table.assign(converged=table.gained <= CONVERGED)
