"""What a published table of Dice, IoU and recall by class gives away: each check of it, as a finding.

Nothing but the table is needed. Every check allows for all that rounding leaves open, so what it flags no rounding
explains; and each knows what a table must hold for it, and is not asked (None) of one that does not. The arithmetic
and its derivations stand in ``metrics.consistency`` and ``metrics.pixel_balance``.
"""

import numpy as np
import pandas as pd

from sadanet_lab.metrics import consistency, pixel_balance
from sadanet_lab.studies.finding import Finding
from sadanet_lab.studies.printed_rows import (
    EPSILON,
    NO_AVERAGE,
    NO_CLASS,
    UNPRINTED,
    bases,
    identity,
    title_of,
    with_unprinted,
)
from sadanet_lab.studies.printed_table import AVERAGE, BACKGROUND, PRINTED, PrintedTable
from sadanet_lab.words import join


def averages(table: PrintedTable) -> Finding | None:
    """Are the printed averages of one definition? A row that prints nothing else says nothing of it."""
    found = bases(table)
    alone = found.index[found.basis == NO_CLASS]
    found = found[~found.basis.isin((NO_AVERAGE, NO_CLASS))]
    if found.empty:
        return None
    rows = []
    for row, basis in found.iterrows():
        line = {"row": row}
        for metric in table.metrics:
            line[f"{PRINTED[metric]} printed"] = table.average(str(row), metric)[0]
            line[f"{PRINTED[metric]} of the classes"] = pd.Series(table.of_classes(str(row), metric)[0]).mean()
        rows.append(line | {"average of": basis.basis, "cells off": ", ".join(PRINTED[m] for m in basis.off)})
    kinds = found.groupby("basis", sort=False).groups
    told = "; ".join(f"{join(rows)} {'averages' if len(rows) == 1 else 'average'} {b}" for b, rows in kinds.items())
    usual = found.basis.mode()[0]
    off = found[found.off.map(len) > 0]
    cells = [f"{row} ({', '.join(PRINTED[m] for m in metrics)})" for row, metrics in off.off.items()]
    flagged = found.index[(found.basis != usual) | (found.basis == "unknown") | (found.off.map(len) > 0)]
    told = f"{'No' if len(kinds) > 1 or usual == 'unknown' else 'Yes'}: {told}."
    told += f" Off by themselves: {join(cells)}." if cells else ""
    told += f" Left out, for no class is printed: {join(alone)}." if len(alone) else ""
    return Finding("Are the printed averages of one definition?", pd.DataFrame(rows), told, tuple(map(str, flagged)))


def pooled(table: PrintedTable) -> Finding | None:
    """Does IoU = Dice / (2 - Dice) hold, as it must where counts are pooled over the test images?"""
    cells = identity(table)
    if cells.empty:
        return None
    distance = (cells.iou - cells.pooled).abs()
    worst = cells.loc[distance.groupby("row", sort=False).idxmax()]
    flagged = cells.groupby("row", sort=False).side.apply(lambda side: bool(side.any()))
    below = join(f"{row} ({title_of(name)})" for row, name in cells.index[cells.side < 0])
    failing = flagged.index[flagged]
    if flagged.any():
        told = f"Not for {join(failing)}: no counts pooled over the test images have their Dice and IoU, which lie up "
        told += f"to {100 * distance[cells.side != 0].max():.2f} points apart. "
        told += "" if flagged.all() else "All other rows fit pooled counts to rounding. "
        told += f"Below, and so no means over images either: {below}." if (cells.side < 0).any() else ""
    else:
        told = f"Yes, to rounding, in all {len(cells)} cells."
    evidence = pd.DataFrame(
        {
            "Dice": 100 * worst.dice,
            "IoU printed": 100 * worst.iou,
            "IoU from Dice": 100 * worst.pooled,
            "difference": 100 * (worst.iou - worst.pooled),
        }
    )
    evidence = evidence.rename_axis(["row", "class where it fits least"]).reset_index()
    return Finding("Does IoU = Dice / (2 - Dice) hold?", evidence, told.strip(), tuple(map(str, failing)))


def deviations(table: PrintedTable) -> Finding | None:
    """What rows above the pooled IoU need to be means over images: how much Dice must differ between the images."""
    cells = identity(table)
    side = cells.groupby("row", sort=False).side
    rows = [row for row in table.rows if row in side.groups and side.max()[row] > 0 and side.min()[row] >= 0]
    if not rows:
        return None
    cells = cells[cells.index.isin(rows, level="row") & (cells.side > 0)]
    told = []
    for row in rows:
        found = 100 * cells.loc[row].deviation
        possible, beyond = found[np.isfinite(found)], found.index[np.isinf(found)]
        low, high = f"{possible.min():.1f}", f"{possible.max():.1f}"
        parts = [f"{low} points" if low == high else f"{low} to {high} points"] * (not possible.empty)
        parts += [f"more than any images can have for {join(map(title_of, beyond))}"] * (not beyond.empty)
        told.append(f"{row} {', and '.join(parts)}")
    evidence = pd.DataFrame(
        {
            "Dice": 100 * cells.dice,
            "IoU above the pooled one": 100 * (cells.iou - cells.pooled),
            "deviation, at least": 100 * cells.deviation,
            "deviation, second order": 100 * cells.second_order,
        }
    ).reset_index()
    return Finding(
        "What would averaging over images need?",
        evidence,
        "Images whose Dice has a standard deviation of at least, by class and rounding allowed for: "
        f"{'; '.join(told)}.",
        tuple(str(row) for row in rows if np.isinf(cells.loc[row].deviation).any()),
    )


def recalls(table: PrintedTable) -> Finding | None:
    """Can the recall belong to the Dice and IoU? It is never below the IoU, pooled or averaged over images.

    Of a class with Dice and recall 0 the precision is open (NaN).
    """
    low, high = table.bounds()
    overlap = low.iou.fillna(0).clip(lower=consistency.pooled_iou(low.dice).fillna(0))
    classes = low.index.get_level_values("class") != AVERAGE
    asked = table.value.recall.notna() & (table.value.dice.notna() | table.value.iou.notna()) & classes
    if not asked.any():
        return None
    bad = asked & (overlap > high.recall + EPSILON)
    dice = table.value.dice.fillna(200 * table.value.iou / (100 + table.value.iou))[asked] / 100
    precision = 100 * consistency.precision(dice, table.value.recall[asked] / 100)
    cells = [f"{row} ({title_of(name)})" for row, name in bad.index[bad]]
    if precision.isna().all() and not cells:
        return None
    told = f"Yes: precision would be {precision.min():.1f} to {precision.max():.1f} %."
    told = f"Not of {join(cells)}: less is found than overlaps." if cells else told
    evidence = pd.DataFrame({"recall": table.value.recall[asked], "precision that Dice and recall give": precision})
    flagged = tuple(dict.fromkeys(str(row) for row, _ in bad.index[bad]))
    return Finding("Can the recall belong to the Dice?", evidence.reset_index(), told, flagged)


def unprinted(table: PrintedTable) -> Finding | None:
    """Do Dice, IoU and recall of the class that averages have more than is printed belong to each other?"""
    more = with_unprinted(table)
    if not more.rows:
        return None
    value = more.value.xs(UNPRINTED, level="class")
    failing = set(_rows_off_pooled(table))
    low, high = (part.xs(UNPRINTED, level="class") for part in more.bounds())
    sides = identity(more)
    sides = sides[sides.index.get_level_values("class") == UNPRINTED].droplevel("class").side.reindex(value.index)
    less = pd.concat([low.iou, consistency.pooled_iou(low.dice)], axis=1).max(axis=1) > high.recall + EPSILON
    off = (sides.fillna(0) != 0) & ~value.index.isin(failing)
    evidence = pd.DataFrame({PRINTED[metric]: value[metric] for metric in table.metrics})
    if "dice" in table.metrics:
        evidence.insert(1, "IoU from that Dice", 100 * consistency.pooled_iou(value.dice / 100))
    flagged = value.index[off | less]
    told = [f"{row} ({_numbers(evidence.loc[row])})" for row in flagged]
    told = f"Not of {join(told)}." if told else f"Yes, to rounding, in all {len(value)} rows."
    first = next(PRINTED[metric] for metric in table.metrics if value[metric].notna().any())
    others = evidence[first][~value.index.isin(flagged)].dropna()
    if len(others):
        whose = "The other rows'" if len(flagged) else "Its"
        told += f" {whose} {first} lies within {others.min():.2f} to {others.max():.2f}."
    question = "Is the class that only the averages hold consistent?"
    return Finding(question, evidence.reset_index(), told, tuple(map(str, flagged)))


def _numbers(line: pd.Series) -> str:
    return ", ".join(f"{name} {number:.2f}" for name, number in line.items() if not np.isnan(number))


def _rows_off_pooled(table: PrintedTable) -> list[str]:
    cells = identity(table)
    return list(dict.fromkeys(cells.index.get_level_values("row")[cells.side != 0]))


def ratios(table: PrintedTable) -> tuple[list[str], list[str], np.ndarray, np.ndarray, np.ndarray]:
    """(rows, classes, value, low, high) of recall / Dice, (rows, classes), of all rows that a pixel balance can use.

    These fit pooled counts and have Dice and recall of every class: with the background printed, or with the one class
    that their average holds more.
    """
    pooled_rows = [row for row in table.rows if row not in _rows_off_pooled(table)]
    if not pooled_rows:
        none = np.empty((0, len(table.classes)))
        return [], table.classes, none, none, none
    table = table.only(pooled_rows)
    table = table if BACKGROUND in table.classes else with_unprinted(table)
    low, high = table.bounds()
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = [table.value.recall / table.value.dice, low.recall / high.dice, high.recall / low.dice]
    wide = [part.unstack("class").reindex(index=table.rows, columns=table.classes) for part in parts]
    usable = pd.concat(wide, axis=1).map(np.isfinite).all(axis=1)
    rows = [row for row in table.rows if usable[row]]
    value, smallest, largest = (part.loc[rows].to_numpy() for part in wide)
    return rows, table.classes, value, smallest, largest


def balance(table: PrintedTable) -> Finding | None:
    """Do the rows predict each pixel once? See ``pixel_balance``; each pixel is taken to have one of the classes."""
    rows, classes, value, low, high = ratios(table)
    if not rows or len(classes) < 2:
        return None
    evidence = pd.DataFrame(2 * value - 1, columns=[f"{title_of(name)}: predicted / true" for name in classes])
    evidence.insert(0, "row", rows)
    question = "Do the rows predict each pixel once?"
    least = pixel_balance.smallest_imbalance(low, high)
    if least <= pixel_balance.TOLERANCE:
        told = f"Some shares of the classes balance all {len(rows)} rows: {_shares(classes, low, high)}."
        return Finding(question, evidence, told)
    told = f"No: whatever the classes' shares, at least one of {len(rows)} rows predicts {100 * least:.2f} % of all "
    told += "pixels or more too many or too few."
    fewest = pixel_balance.fewest_off(low, high)
    if fewest is None:
        return Finding(question, evidence, told, tuple(rows))
    off, is_only = fewest
    kept = [place for place in range(len(rows)) if place not in off]
    if not is_only or not kept:
        told += f" At least {len(off)} of them cannot be right; which is open."
        return Finding(question, evidence, told, tuple(rows))
    ranges = 100 * pixel_balance.imbalance_ranges(low, high, kept)
    evidence["pixels too many (%), at least"], evidence["at most"] = ranges.T
    names = [f"{rows[place]} ({ranges[place, 0]:+.2f} to {ranges[place, 1]:+.2f} %)" for place in off]
    told += f" The other {len(kept)} balance together without {join(names)}, and no other choice of as few rows does "
    told += f"it; their shares are then {_shares(classes, low[kept], high[kept])}."
    return Finding(question, evidence, told, tuple(rows[place] for place in off))


def _shares(classes: list[str], low: np.ndarray, high: np.ndarray) -> str:
    ranges = 100 * pixel_balance.share_ranges(low, high)
    return ", ".join(f"{title_of(c)} {a:.1f} to {b:.1f} %" for c, (a, b) in zip(classes, ranges, strict=True))


def order(table: PrintedTable) -> Finding | None:
    """Do the rows keep their order when the printed classes alone are averaged?"""
    kinds = bases(table)
    usable = [row for row in table.rows if kinds.basis[row] not in (NO_AVERAGE, NO_CLASS, "unknown")]
    lines = []
    for metric in table.metrics if len(usable) > 1 else ():
        printed = np.array([table.average(row, metric) for row in usable])
        classes = np.array([[np.mean(part) for part in table.of_classes(row, metric)] for row in usable])
        above = _surely_above(printed) & _surely_above(classes).T
        for first, second in zip(*np.nonzero(above), strict=True):
            numbers = (printed[first, 0], printed[second, 0], classes[first, 0], classes[second, 0])
            lines.append((PRINTED[metric], usable[first], usable[second], *numbers))
    if len(usable) < 2:
        return None
    columns = [
        "metric",
        "above as printed",
        "below",
        "average above",
        "average below",
        "classes above",
        "classes below",
    ]
    evidence = pd.DataFrame(lines, columns=columns)
    question = "Do the rows keep their order on the printed classes alone?"
    if evidence.empty:
        return Finding(question, evidence, f"Yes, all {len(usable)}, in every metric.")
    told = [f"{m}: {a} above {b} as printed ({p:.2f}, {q:.2f}), below on the classes ({r:.2f}, {s:.2f})"
            for m, a, b, p, q, r, s in lines]  # fmt: skip
    shown = "; ".join(told[:3]) + (f"; and {len(told) - 3} more" if len(told) > 3 else "")
    # Averages that hold one class more may differ in order, and nothing be wrong: flagged is what is flagged elsewhere.
    doubtful = {row for found in (averages(table), unprinted(table)) if found for row in found.flagged}
    flagged = [row for row in usable if row in doubtful & {*evidence["above as printed"], *evidence["below"]}]
    pairs = "1 pair stands" if len(told) == 1 else f"{len(told)} pairs stand"
    return Finding(question, evidence, f"No: {pairs} the other way round. {shown}.", tuple(flagged))


def _surely_above(spans: np.ndarray) -> np.ndarray:
    """(rows, 2) of value, half -> (rows, rows): whether a row lies above another whatever rounding hides."""
    value, half = spans.T
    return (value - half)[:, None] > (value + half)[None] + 100 * EPSILON


CHECKS = {
    "the averages' basis": (averages, "a printed average"),
    "IoU from Dice": (pooled, "Dice and IoU of a class"),
    "averaging over images": (deviations, "a row whose IoU lies above that of pooled counts"),
    "recall": (recalls, "recall of a class, and its Dice or IoU, not all 0"),
    "the class not printed": (unprinted, "an average of one class more than is printed"),
    "pixel balance": (balance, "Dice and recall of all classes, the background printed or in the averages"),
    "order of the rows": (order, "two rows with an average"),
}
"""Name -> (check, what a table must hold for it)."""


def examine(table: PrintedTable) -> tuple[list[Finding], list[str]]:
    """(findings of every check that can be asked of a table, what the others would need)."""
    found = {name: check(table) for name, (check, _) in CHECKS.items()}
    findings = [finding for finding in found.values() if finding is not None]
    return findings, [f"{name}: needs {CHECKS[name][1]}" for name, finding in found.items() if finding is None]
