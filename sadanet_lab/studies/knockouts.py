"""What each attention module adds to a trained network: its scores with and without it, nothing trained again."""

from collections.abc import Iterable

import pandas as pd

from sadanet_lab.metrics.claims import IDLE, SmallEffect
from sadanet_lab.metrics.scores import BONE_AVERAGE, scores_of
from sadanet_lab.spine.classes import BONES
from sadanet_lab.studies.run_scores import Label, method_label
from sadanet_lab.training.runs import Run

LOST = tuple(f"lost_{name}" for name in BONES)
MOVED = ("moved", *(f"moved_{name}" for name in BONES))
COLUMNS = ("method", "module", "seed", "dice", "without", "lost", *LOST, "gamma", "one_hot_percent")


def dice_lost(runs: Iterable[Run], label: Label = method_label) -> pd.DataFrame:
    """One row per run and attention module that runs in testing, in percent.

    Columns method, module, seed, dice (mean of the bones, whole network), without (the same without the module), lost
    (the difference, in points), the same of each single bone (``LOST``), gamma (NaN where it has none), one_hot_percent
    (of the rows of its maps).
    """
    rows = []
    for run in runs:
        whole = 100 * scores_of(run.counts).dice
        left = run.table("counts_without")
        for module in run.table("attention").itertuples():
            without = 100 * scores_of(left[left.without == module.module]).dice
            lost = (whole - without)[[BONE_AVERAGE, *BONES]]
            found = (whole[BONE_AVERAGE], without[BONE_AVERAGE], *lost, module.gamma, module.one_hot)
            rows.append((label(run), module.module, run.recipe.seed, *found))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.assign(one_hot_percent=100 * table.one_hot_percent)


def summarise(lost: pd.DataFrame) -> pd.DataFrame:
    """``dice_lost`` over seeds: method, module, means of lost, ``LOST``, gamma and one_hot_percent, ``MOVED``: means of
    the size of lost and ``LOST``, whichever way; sd of lost (NaN of one seed), seeds."""
    moved = lost[["lost", *LOST]].abs().set_axis(list(MOVED), axis=1)
    grouped = pd.concat([lost, moved], axis=1).groupby(["method", "module"], sort=False)
    means = grouped[["lost", *LOST, *MOVED, "gamma", "one_hot_percent"]].mean()
    return means.assign(sd=grouped.lost.std(), seeds=grouped.seed.count()).reset_index()


def are_small(table: pd.DataFrame) -> pd.Series:
    """Of ``summarise``: whether mean bone Dice moves by less than ``claims.IDLE`` without the module."""
    return table.lost.abs() < IDLE


def are_idle(table: pd.DataFrame) -> pd.Series:
    """Of ``summarise``: whether that is so in the usual seed, and of every single bone too: in the mean, moves of two
    bones, or seeds, may cancel."""
    return (table[list(MOVED)] < IDLE).all(axis=1)


def small_effects(lost: pd.DataFrame) -> dict[tuple[str, str], SmallEffect]:
    """(method, module) -> effect, of ``are_small`` modules; for ``claims.withhold_idle``."""
    table = summarise(lost)
    table = table.assign(idle=are_idle(table))[are_small(table)]
    effects = [SmallEffect(float(lost), bool(idle)) for lost, idle in zip(table.lost, table.idle, strict=True)]
    return dict(zip(zip(table.method, table.module, strict=True), effects, strict=True))
