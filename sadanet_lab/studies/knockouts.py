"""What each attention module adds to a trained network: its scores with and without it, nothing trained again."""

from collections.abc import Iterable

import pandas as pd

from sadanet_lab.metrics.scores import bone_dice
from sadanet_lab.studies.run_scores import Label, method_label
from sadanet_lab.training.runs import Run

COLUMNS = ("method", "module", "seed", "dice", "without", "lost", "gamma", "one_hot_percent")


def dice_lost(runs: Iterable[Run], label: Label = method_label) -> pd.DataFrame:
    """One row per run and attention module that runs in testing, in percent.

    Columns method, module, seed, dice (mean of the bones, whole network), without (the same without the module), lost
    (the difference, in points), gamma (NaN where it has none), one_hot_percent (of the rows of its maps).
    """
    rows = []
    for run in runs:
        whole = bone_dice(run.counts)
        left = run.table("counts_without")
        for module in run.table("attention").itertuples():
            without = bone_dice(left[left.without == module.module])
            found = (whole, without, whole - without, module.gamma, module.one_hot)
            rows.append((label(run), module.module, run.recipe.seed, *found))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.assign(one_hot_percent=100 * table.one_hot_percent)


def summarise(lost: pd.DataFrame) -> pd.DataFrame:
    """``dice_lost`` over seeds: method, module, lost, sd (NaN of one seed), seeds, gamma, one_hot_percent (means)."""
    grouped = lost.groupby(["method", "module"], sort=False)
    means = grouped[["lost", "gamma", "one_hot_percent"]].mean()
    return means.assign(sd=grouped.lost.std(), seeds=grouped.seed.count()).reset_index()


def lost_by_module(lost: pd.DataFrame) -> dict[tuple[str, str], float]:
    """(method, module) -> mean Dice lost without it; for ``claims.withhold_idle``."""
    table = summarise(lost)
    return dict(zip(zip(table.method, table.module, strict=True), table.lost, strict=True))
