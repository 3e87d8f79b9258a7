"""Wide Markdown tables for a page: what fits stands open, the other columns are folded under it, none is lost."""

import re
from collections.abc import Iterator

from sadanet_lab.words import counted

MOST_COLUMNS = 7
"""Of a table that a page shows. Views put first what a reader looks for first: Dice."""


def fold(markdown: str) -> str:
    """A text with each of its tables of more than ``MOST_COLUMNS`` columns cut into narrower ones.

    The first stands where the table stood; the others follow in a ``<details>``, which opens at a click. Each begins
    with the columns that tell the rows apart.
    """
    parts = []
    for is_table, lines in _blocks(markdown):
        parts.append(_folded(lines) if is_table else "\n".join(lines))
    return "\n".join(parts)


def split_row(line: str) -> list[str]:
    """The cells of a line of a Markdown table, as they are padded; an escaped bar is no border."""
    return re.split(r"(?<!\\)\|", line.strip().strip("|"))


def _blocks(markdown: str) -> Iterator[tuple[bool, list[str]]]:
    """(whether it is a table, its lines), in order."""
    block: list[str] = []
    for line in markdown.split("\n"):
        if block and line.startswith("|") != block[0].startswith("|"):
            yield block[0].startswith("|"), block
            block = []
        block.append(line)
    yield block[0].startswith("|"), block


def _folded(lines: list[str]) -> str:
    rows = [split_row(line) for line in lines]
    width = len(rows[0])
    if width <= MOST_COLUMNS:
        return "\n".join(lines)
    keys = _keys(rows[2:])
    groups = [range(keys, MOST_COLUMNS)]
    while groups[-1].stop < width:
        start = groups[-1].stop
        groups.append(range(start, min(start + MOST_COLUMNS - keys, width)))
    first, *rest = [_table(rows, [*range(keys), *group]) for group in groups]
    more = width - MOST_COLUMNS
    summary = f"<details><summary>{counted(more, 'more column')}</summary>"
    return "\n\n".join([first, summary, *rest, "</details>"])


def _keys(rows: list[list[str]]) -> int:
    """The fewest leading columns by which all rows differ, at most half of those that fit; 1 if there are no such."""
    for count in range(1, MOST_COLUMNS // 2 + 1):
        if len({tuple(row[:count]) for row in rows}) == len(rows):
            return count
    return 1


def _table(rows: list[list[str]], columns: list[int]) -> str:
    return "\n".join("|" + "|".join(row[column] for column in columns) + "|" for row in rows)
