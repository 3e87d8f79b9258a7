"""What each attention module adds to a trained network: its scores with and without it, nothing trained again."""

from collections.abc import Iterable, Sequence

import pandas as pd

from sadanet_lab.metrics.claims import IDLE, SmallEffect
from sadanet_lab.metrics.scores import BONE_AVERAGE, counts_array, score_of, scores_of
from sadanet_lab.metrics.statistics import estimate
from sadanet_lab.spine.classes import BONES
from sadanet_lab.studies.run_scores import Label, method_label, runs_by_label
from sadanet_lab.training.runs import Run

LOST = tuple(f"lost_{name}" for name in BONES)
MOVED = ("moved", *(f"moved_{name}" for name in BONES))
COLUMNS = ("method", "module", "seed", "dice", "without", "lost", *LOST, "gamma", "one_hot_percent", "low", "high")


def dice_lost(runs: Iterable[Run], label: Label = method_label) -> pd.DataFrame:
    """One row per run and attention module that runs in testing, in percent.

    Columns method, module, seed, dice (mean of the bones, whole network), without (the same without the module), lost
    (the difference, in points), the same of each single bone (``LOST``), gamma (NaN where it has none), one_hot_percent
    (of the rows of its maps), low and high: the 95 % interval of the mean of lost over the module's seeds, the same in
    each of its rows, by ``statistics.estimate``; of one seed it speaks of the images alone.
    """
    rows = []
    for name, each in runs_by_label(runs, label).items():
        tables = [(run.counts, run.table("counts_without")) for run in each]
        spans = _intervals(tables)
        for run, (counts, left) in zip(each, tables, strict=True):
            whole = 100 * scores_of(counts).dice
            for module in run.table("attention").itertuples():
                without = 100 * scores_of(left[left.without == module.module]).dice
                lost = (whole - without)[[BONE_AVERAGE, *BONES]]
                found = (whole[BONE_AVERAGE], without[BONE_AVERAGE], *lost, module.gamma, module.one_hot)
                rows.append((name, module.module, run.recipe.seed, *found, *spans[str(module.module)]))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.assign(one_hot_percent=100 * table.one_hot_percent)


def _intervals(tables: Sequence[tuple[pd.DataFrame, pd.DataFrame]]) -> dict[str, tuple[float, float]]:
    """Module -> limits of what is lost without it on average; tables: of each seed the counts of the whole network, and
    those without its modules."""
    whole, limits = counts_array(counts for counts, _ in tables), {}
    for module in tables[0][1].without.unique():
        without = counts_array(left[left.without == module] for _, left in tables)
        limits[module] = estimate(whole, without, score_of(BONE_AVERAGE, "dice")).limits
    return limits


def summarise(lost: pd.DataFrame) -> pd.DataFrame:
    """``dice_lost`` over seeds: method, module, means of lost, ``LOST``, gamma (its size: the sign may change from seed
    to seed) and one_hot_percent, ``MOVED``: means of the size of lost and ``LOST``, whichever way; low and high, NaN of
    one seed; seeds."""
    moved = lost[["lost", *LOST]].abs().set_axis(list(MOVED), axis=1)
    grouped = pd.concat([lost.assign(gamma=lost.gamma.abs()), moved], axis=1).groupby(["method", "module"], sort=False)
    table = grouped[["lost", *LOST, *MOVED, "gamma", "one_hot_percent", "low", "high"]].mean()
    table = table.assign(seeds=grouped.seed.count()).reset_index()
    table[["low", "high"]] = table[["low", "high"]].where(table.seeds > 1)
    return table


def are_small(table: pd.DataFrame) -> pd.Series:
    """Of ``summarise``: whether mean bone Dice moves by less than ``claims.IDLE`` without the module, on average."""
    return table.lost.abs() < IDLE


def are_idle(table: pd.DataFrame) -> pd.Series:
    """Of ``summarise``: whether that is so in the usual seed, and of every single bone too: in the mean, moves of two
    bones, or seeds, may cancel."""
    return (table[list(MOVED)] < IDLE).all(axis=1)


def small_effects(lost: pd.DataFrame) -> dict[tuple[str, str], SmallEffect]:
    """(method, module) -> effect, of ``are_small`` modules; for ``claims.remark_idle``."""
    table = summarise(lost)
    table = table.assign(idle=are_idle(table))[are_small(table)]
    effects = [SmallEffect(float(lost), bool(idle)) for lost, idle in zip(table.lost, table.idle, strict=True)]
    return dict(zip(zip(table.method, table.module, strict=True), effects, strict=True))
