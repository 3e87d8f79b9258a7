"""What follows from a printed table, row by row: of which classes its averages are, the class not printed, pooled IoU.

Every step allows for all that rounding leaves open.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd

from sadanet_lab.metrics import consistency
from sadanet_lab.studies.printed_table import AVERAGE, BACKGROUND, PrintedTable
from sadanet_lab.words import join

UNPRINTED = "not printed"
"""The class that a printed average has more than its row."""
NO_AVERAGE, NO_CLASS = "no average", "no class printed"
"""``Basis`` of a row without a printed average, of one with nothing else."""
EPSILON = 1e-9
"""Of a fraction: what the computer's own rounding may move."""
CHANCE = 1e-3
MOST_CLASSES = 10
"""Averages of some of the classes are looked for among as many."""


def title_of(name: str) -> str:
    return name.replace("_", " ")


@dataclass(frozen=True)
class Basis:
    """What a printed average is the mean of, in words; off: the metrics in which it is not."""

    basis: str
    unprinted: bool = False
    off: tuple[str, ...] = ()


@lru_cache(maxsize=8)
def bases(table: PrintedTable) -> pd.DataFrame:
    """What each row's printed average is the mean of: columns basis (in words), unprinted (bool), off (metrics).

    Tried within rounding: all classes of the row, where more than half of the metrics agree, the others being off by
    themselves; all but the background; some of them; all and one class more, whose numbers lie within 0..100. A mean of
    printed classes is believed at once where chance would not hit it (``CHANCE``); where several are possible, a row is
    taken for what most rows can be. ``NO_AVERAGE`` where none is printed beside its classes, ``NO_CLASS`` where it
    stands alone, "unknown" where nothing fits.
    """
    possible = {row: _possible(table, row) for row in table.rows}
    shared = Counter(each for choices in possible.values() for each in choices)
    chosen = [max(choices, key=lambda each: shared[each]) for choices in possible.values()]
    return pd.DataFrame([vars(each) for each in chosen], index=pd.Index(table.rows, name="row"))


def _possible(table: PrintedTable, row: str) -> list[Basis]:
    """What a row's average can be the mean of, likeliest first; one where that is beyond chance."""
    printed = np.array([table.of_classes(row, metric)[0] for metric in table.metrics])
    there = np.logical_or.reduce(np.isfinite(printed).reshape(len(table.metrics), len(table.classes)))
    members = [name for name, is_there in zip(table.classes, there, strict=True) if is_there]
    if not members and any(np.isfinite(table.average(row, metric)[0]) for metric in table.metrics):
        return [Basis(NO_CLASS)]
    numbers = {}
    for metric in table.metrics:
        values, halves = (part[there] for part in table.of_classes(row, metric))
        average = table.average(row, metric)
        if not np.isnan([*values, *average]).any():
            numbers[metric] = (values, halves, *average)
    if not numbers:
        return [Basis(NO_AVERAGE)]

    def off(which: np.ndarray) -> tuple[str, ...]:
        return tuple(m for m, (v, h, a, d) in numbers.items() if abs(a - v[which].mean()) > h[which].mean() + d + 1e-7)

    def chance(hit: Iterable[str]) -> float:
        """That an average anywhere among the row's classes would be hit in these metrics."""
        spans = (numbers[metric] for metric in hit)
        return float(np.prod([min(1, 2 * (h.mean() + d) / max(np.ptp(v), 1e-9)) for v, h, _, d in spans]))

    n, found = len(members), []
    of_all = off(np.ones(n, bool))
    if 2 * len(of_all) < len(numbers):
        of_printed = Basis(f"the {n} classes printed", off=of_all)
        if chance(numbers.keys() - set(of_all)) < CHANCE:
            return [of_printed]
        found += [] if of_all else [of_printed]
    bones = np.array([name != BACKGROUND for name in members])
    if not bones.all() and bones.any() and not off(bones):
        found.append(Basis("all classes but the background"))
    parts = _parts(n)
    if len(parts) * chance(numbers) < CHANCE and not found:
        fitting = (which for which in parts if not off(which))
        for which in fitting:
            return [Basis(join(title_of(name) for name, is_in in zip(members, which, strict=True) if is_in))]
    more = [((n + 1) * a - v.sum(), (n + 1) * d + h.sum()) for v, h, a, d in numbers.values()]
    if bones.all() and all(value + half >= 0 and value - half <= 100 for value, half in more):
        found.append(Basis(f"{n + 1} classes, one of them not printed", unprinted=True))
    return found or [Basis("unknown", off=of_all)]


def _parts(n: int) -> list[np.ndarray]:
    """Every choice of 2 to n - 1 of n, largest first."""
    if n > MOST_CLASSES:
        return []
    choices = (np.array([number >> place & 1 for place in range(n)], bool) for number in range(2**n))
    return sorted((each for each in choices if 2 <= each.sum() < n), key=lambda each: -each.sum())


@lru_cache(maxsize=8)
def with_unprinted(table: PrintedTable) -> PrintedTable:
    """The rows that average a class more than they print, that class added as ``UNPRINTED``.

    It is (n + 1) average - sum of the n classes, in each metric; its half adds up theirs.
    """
    kinds = bases(table)
    table = table.only(list(kinds.index[kinds.unprinted]))
    parts = []
    for frame, sign in ((table.value, -1), (table.half, 1)):
        average = frame.xs(AVERAGE, level="class") if table.rows else frame.iloc[:0].droplevel("class")
        # A class without any number is none of the row's; a metric that one of its classes lacks says nothing.
        classes = frame.drop(AVERAGE, level="class", errors="ignore").dropna(how="all").groupby("row", sort=False)
        sums = classes.sum(min_count=1).where(classes.count().eq(classes.size(), axis=0))
        more = average.mul(classes.size() + 1, axis=0) + sign * sums
        more = more.assign(**{"class": UNPRINTED}).set_index("class", append=True)
        parts.append(pd.concat([frame, more]))
    return PrintedTable(*parts)


@lru_cache(maxsize=8)
def identity(table: PrintedTable) -> pd.DataFrame:
    """IoU against D / (2 - D), one line for each cell that has both, as fractions; index (row, class).

    Columns dice, iou, pooled (IoU from Dice), side: 1 where the IoU lies above all that rounding allows, -1 below, 0
    neither; deviation: ``consistency.smallest_deviation`` over the rounding; second_order.
    """
    low, high = table.bounds()
    cells = table.value[["dice", "iou"]].dropna() / 100
    cells = cells[cells.index.get_level_values("class") != AVERAGE]
    low, high = low.loc[cells.index], high.loc[cells.index]
    above = low.iou > consistency.pooled_iou(high.dice) + EPSILON
    below = high.iou < consistency.pooled_iou(low.dice) - EPSILON
    corners = [consistency.smallest_deviation(dice, low.iou) for dice in (low.dice, high.dice)]
    return cells.assign(
        pooled=consistency.pooled_iou(cells.dice),
        side=above.astype(int) - below.astype(int),
        deviation=np.minimum(*corners),
        second_order=consistency.deviation_to_second_order(cells.dice, cells.iou),
    )
