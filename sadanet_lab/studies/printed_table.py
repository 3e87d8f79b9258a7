"""Published tables of Dice, IoU and recall by class, read with what their rounding leaves open.

A table is a CSV file, one line for each row and class, in percent, separated by commas:

    method,class,dice,iou,recall
    UNet,rib,77.37,63.46,76.37
    UNet,lump,82.21,70.26,83.28
    UNet,average,78.09,64.56,77.35

One column names the row (whatever its heading), ``class`` (or ``region``) the class; of ``dice``, ``iou`` and
``recall`` (or ``acc``; each also with ``_percent``) there is at least one. Class "average" (``AVERAGE_NAMES``) is the
average that the table prints, "background" the background; "Rib" and "rib" are one class. An empty cell, "-" or "n/a"
is a number that is not printed. How many decimals a number was rounded to is read from its text: 80.5 is 80.45 to
80.55, 80.50 is 80.495 to 80.505; so do not let a program drop zeros at the end.
"""

import csv
import io
import itertools
import re
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from sadanet_lab.errors import BadInput

PRINTED = {"dice": "Dice", "iou": "IoU", "recall": "recall"}
HEADINGS = {"class": "class", "region": "class", "acc": "recall"} | {metric: metric for metric in PRINTED}
"""What a heading means, in small letters and without "_percent"."""
AVERAGE_NAMES = ("average", "average_as_published", "avg", "avg.", "ave", "ave.", "mean")
AVERAGE, BACKGROUND = "average", "background"
NOT_PRINTED = ("", "-", "n/a")
LONGEST = 2000
"""Lines of a file; no published table has as many."""
LARGEST_BYTES = 2**20
Cells = dict[str, dict[str, str]]
"""A row of a file: class -> metric -> number as printed."""


@dataclass(frozen=True, eq=False)
class PrintedTable:
    """Numbers of rows and classes as printed, in percent; NaN where none is printed.

    value, half: frames of one shape, index (row, class), columns of ``PRINTED``; the number before rounding lies within
    value - half .. value + half. Class ``AVERAGE`` is the printed average.
    """

    value: pd.DataFrame
    half: pd.DataFrame

    @cached_property
    def rows(self) -> list[str]:
        return list(self.value.index.unique("row"))

    @cached_property
    def classes(self) -> list[str]:
        return [name for name in self.value.index.unique("class") if name != AVERAGE]

    @cached_property
    def metrics(self) -> list[str]:
        return [metric for metric in PRINTED if self.value[metric].notna().any()]

    def only(self, rows: Sequence[str]) -> "PrintedTable":
        """Some of the rows, in the order given."""
        return PrintedTable(self.value.loc[list(rows)], self.half.loc[list(rows)])

    def of_classes(self, row: str, metric: str) -> tuple[np.ndarray, np.ndarray]:
        """(values, halves) of a row's classes, in the order of ``classes``; NaN where not printed."""
        value, half = self._grid[row, metric]
        return value[:-1], half[:-1]

    def average(self, row: str, metric: str) -> tuple[float, float]:
        """(value, half) of a row's printed average; NaN where there is none."""
        value, half = self._grid[row, metric]
        return float(value[-1]), float(half[-1])

    @cached_property
    def _grid(self) -> dict[tuple[str, str], np.ndarray]:
        """(row, metric) -> (value and half, classes and the average)."""
        places = pd.MultiIndex.from_product([self.rows, [*self.classes, AVERAGE]])
        shape = len(self.rows), -1, len(PRINTED)
        both = [part[list(PRINTED)].reindex(places).to_numpy().reshape(shape) for part in (self.value, self.half)]
        grid = np.stack(both).transpose(1, 3, 0, 2)
        return {(row, metric): grid[r, m] for r, row in enumerate(self.rows) for m, metric in enumerate(PRINTED)}

    def bounds(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """(low, high) of every number, as fractions within 0..1."""
        low, high = (self.value - self.half) / 100, (self.value + self.half) / 100
        return low.clip(lower=0), high.clip(upper=1)


def read_tables(paths: Sequence[Path]) -> PrintedTable:
    """Tables on the same test images as one. A row that stands in several with the same numbers is taken once.

    Rows of one file with the same numbers are all kept: a copied row is evidence. A row's name that is a number gets
    its column's name ("lambda_dice = 2.0"); one that stands for other numbers in another file gets its file's ("DANet
    (table2)", of two files of that name "DANet (b/table2.csv)"). A class is spelled as where it comes first. Raises
    ``BadInput`` for what is no such table.
    """
    rows: dict[str, Cells] = {}
    spelled: dict[str, str] = {}
    files = [Path(path) for path in paths]
    for path in files:
        read = _read(path, spelled)
        same = {name for name, cells in read.items() if rows.get(name) == cells}
        # A row of the earlier files stands for one of this file's, so that a row and its copy stay two.
        earlier = [cells for name, cells in rows.items() if name not in same]
        for name, cells in read.items():
            if name in same:
                continue
            if cells in earlier:
                earlier.remove(cells)
                continue
            rows[_unused(name, rows, path, files)] = cells
    texts = pd.DataFrame({(row, name): numbers for row, cells in rows.items() for name, numbers in cells.items()}).T
    texts.index = texts.index.set_names(["row", "class"])
    texts = texts.reindex(columns=list(PRINTED)).fillna("")
    value = texts.map(lambda text: float(text) if text else np.nan)
    return PrintedTable(value, texts.map(_half))


def _unused(name: str, rows: Container[str], path: Path, files: Sequence[Path]) -> str:
    """A row's name, with its file's where it is taken, and counted up where that is taken too."""
    if name not in rows:
        return name
    label = _label(path, files)
    counted = (f"{name} ({label}, {count})" for count in itertools.count(2))
    return next(each for each in itertools.chain([f"{name} ({label})"], counted) if each not in rows)


def _label(path: Path, files: Sequence[Path]) -> str:
    """A file's name without its ending, or as much of its path as no other file shares."""

    def tail(file: Path, parts: int) -> str:
        return _cell(Path(*file.absolute().parts[-parts:]).as_posix() if parts else file.stem)

    tails = (
        (tail(path, parts), [tail(other, parts) for other in files if other != path])
        for parts in range(len(path.absolute().parts))
    )
    return next((own for own, others in tails if own not in others), tail(path, 0))


def _half(text: str) -> float:
    """Half a unit of the last decimal printed."""
    return 0.5 * 10.0 ** -len(text.partition(".")[2]) if text else np.nan


def _read(path: Path, spelled: dict[str, str]) -> dict[str, Cells]:
    """Row -> its cells; spelled: class in small letters -> its first spelling, which this adds to."""
    (_, first), *lines = _lines(path)
    headings = [HEADINGS.get(cell.lower().removesuffix("_percent")) for cell in first]
    names = [place for place, heading in enumerate(headings) if heading is None]
    found, row_column = ", ".join(first), "one that names the row"
    if headings.count("class") == 1 and len(names) > 1 and set(PRINTED) & set(headings):
        row_column += f" (not {len(names)}: {', '.join(first[place] or repr('') for place in names)})"
    if headings.count("class") != 1 or len(names) != 1 or not set(PRINTED) & set(headings):
        raise BadInput(f"{path}: columns {found}; expected {row_column}, class, and at least one of dice, iou, recall")
    if len(set(headings)) < len(headings):
        raise BadInput(f"{path}: columns {found}; expected each once")
    title, table, starts = first[names[0]], {}, {}
    for number, line in lines:
        if len(line) != len(headings):
            raise BadInput(f"{path}, line {number}: {len(line)} cells; expected {len(headings)}, as in the first line")
        cells = dict(zip(headings, line, strict=True))
        name, region = cells.pop(None), cells.pop("class")
        if not name or not region:
            raise BadInput(f"{path}, line {number}: no {'class' if name else title}; expected one on every line")
        name = f"{title} = {name}" if re.fullmatch(r"[-+]?\d+(\.\d+)?", name) else name
        region = AVERAGE if region.lower() in AVERAGE_NAMES else region
        region = BACKGROUND if region.lower() == BACKGROUND else region
        region = spelled.setdefault(region.casefold(), region)
        starts.setdefault(name, number)
        if region in table.setdefault(name, {}):
            raise BadInput(f"{path}, line {number}: {region} of {name} for the second time; expected it once")
        table[name][region] = {metric: _number(cell, path, number) for metric, cell in cells.items()}
    _check(table, path)
    _check_percent(table, starts, dict(zip(headings, first, strict=True)), path)
    return table


def _number(cell: str, path: Path, line: int) -> str:
    """A number as printed, or "" where there is none."""
    if cell.lower() in NOT_PRINTED:
        return ""
    if not re.fullmatch(r"\d{1,3}(\.\d{1,9})?", cell, re.ASCII) or float(cell) > 100:
        raise BadInput(f"{path}, line {line}: {cell!r}; expected a number of percent, 0 to 100, such as 80.50")
    return cell


def _numbers(rows: Iterable[Cells], metrics: Container[str] = tuple(PRINTED)) -> list[float]:
    """Every number that rows print."""
    lines = (by_metric for cells in rows for by_metric in cells.values())
    return [float(text) for line in lines for metric, text in line.items() if text and metric in metrics]


def _check(table: dict[str, Cells], path: Path) -> None:
    numbers = _numbers(table.values())
    if not numbers:
        raise BadInput(f"{path}: no number; expected a table of Dice, IoU or recall by class")
    if max(numbers) <= 1:
        raise BadInput(f"{path}: no number above {max(numbers):g}; expected percent, not fractions")
    if not any(name != AVERAGE for cells in table.values() for name in cells):
        raise BadInput(f"{path}: averages only; expected the numbers of each class")


def _check_percent(table: dict[str, Cells], starts: dict[str, int], columns: dict[str | None, str], path: Path) -> None:
    """Refuse fractions in one column or row beside percent. starts: row -> its first line; columns: metric -> heading.

    Refused are at least two numbers, none above 1 and not all whole. One class of a row may be so: a class that failed
    has less than 1 %.
    """

    def fractions(numbers: list[float]) -> bool:
        return len(numbers) > 1 and max(numbers) <= 1 and not all(number.is_integer() for number in numbers)

    for metric in PRINTED:
        if fractions(numbers := _numbers(table.values(), (metric,))):
            told = f"column {columns[metric]}: no number above {max(numbers):g}"
            raise BadInput(f"{path}: {told}; expected percent, not fractions")
    for name, cells in table.items():
        if fractions(numbers := _numbers([cells])):
            told = f"row {name}: no number above {max(numbers):g}"
            raise BadInput(f"{path}, line {starts[name]}: {told}; expected percent, not fractions")


def _lines(path: Path) -> list[tuple[int, list[str]]]:
    """(number, cells) of each line that is not empty; a cell is one line of printable text."""
    if not path.is_file():
        raise BadInput(f"{path}: {'not a file' if path.exists() else 'no such file'}; expected a table as CSV")
    if (size := path.stat().st_size) > LARGEST_BYTES:
        raise BadInput(f"{path}: {size / 2**20:.1f} MiB; expected a published table, at most {LARGEST_BYTES >> 20} MiB")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}); expected a table as CSV") from None
    except UnicodeDecodeError:
        raise BadInput(f"{path}: not a text in UTF-8; expected a table as CSV") from None
    first = next((line for line in text.splitlines() if line.strip()), "")
    other = next((mark for mark in ";\t|" if mark in first), "")
    if other and "," not in first:
        raise BadInput(f"{path}: separated by {'tabs' if other == chr(9) else repr(other)}; expected commas")
    try:
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        read = [(reader.line_num, [_cell(cell) for cell in line]) for line in reader]
    except csv.Error as error:
        raise BadInput(f"{path}: not a table as CSV ({error})") from None
    lines = [(number, cells) for number, cells in read if any(cells)]
    if not 2 <= len(lines) <= LONGEST:
        raise BadInput(f"{path}: {len(lines)} lines; expected a line of headings and 1 to {LONGEST - 1} of numbers")
    return lines


def _cell(text: str) -> str:
    return "".join(filter(str.isprintable, " ".join(text.split())))
