"""Wide tables: a page shows seven columns at most, and none is lost."""

import pandas as pd
import pytest

from sadanet_lab.views.folding import MOST_COLUMNS, fold, split_row


def table_of(columns, rows=3, keys=("name",)):
    frame = pd.DataFrame({f"c{j}": [f"v{i}x{j}" for i in range(rows)] for j in range(columns - len(keys))})
    for place, key in enumerate(keys):
        frame.insert(place, key, [f"{key} {i // 2 if place == 0 and len(keys) > 1 else i % 2}" for i in range(rows)])
    if len(keys) == 1:
        frame[keys[0]] = [f"row {i}" for i in range(rows)]
    return frame


def tables_in(text):
    """Each table of a Markdown text, by an independent reader: its lines between blank ones."""
    return [part.splitlines() for part in text.split("\n\n") if part.startswith("|")]


def cells(lines):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if ":-" not in line]


@pytest.mark.parametrize("columns", [1, 2, MOST_COLUMNS])
def test_what_fits_stays_as_it_is(columns):
    text = "before\n\n" + table_of(columns).to_markdown(index=False) + "\n\nafter"
    assert fold(text) == text


@pytest.mark.parametrize("columns", [8, 13, 14, 20, 40])
def test_no_column_is_lost_and_none_is_too_wide(columns):
    frame = table_of(columns)
    folded = fold("before\n\n" + frame.to_markdown(index=False) + "\n\nafter")
    parts = [cells(lines) for lines in tables_in(folded)]
    assert all(len(part[0]) <= MOST_COLUMNS for part in parts)
    for row in range(len(frame) + 1):
        assert all(part[row][0] == parts[0][row][0] for part in parts)  # each is told by its name
    names = ["name", *[name for part in parts for name in part[0][1:]]]
    assert names == list(frame.columns)
    values = [[part[0], *[cell for each in parts for cell in each[i + 1][1:]]] for i, part in enumerate(parts[0][1:])]
    assert values == frame.astype(str).to_numpy().tolist()
    assert folded.startswith("before\n\n|")
    assert folded.endswith("</details>\n\nafter")
    assert f"<summary>{columns - MOST_COLUMNS} more column" in folded


def test_rows_that_two_columns_tell_apart_keep_both():
    frame = table_of(12, rows=4, keys=("method", "source"))
    first, second = (cells(lines)[0] for lines in tables_in(fold(frame.to_markdown(index=False))))
    assert first[:2] == second[:2] == ["method", "source"]
    assert (len(first), len(second)) == (7, 7)


def test_rows_that_nothing_tells_apart_and_a_table_without_rows():
    alike = pd.DataFrame([["x"] * 9] * 2, columns=[f"c{i}" for i in range(9)])
    assert [len(cells(lines)[0]) for lines in tables_in(fold(alike.to_markdown(index=False)))] == [7, 3]
    assert len(tables_in(fold(alike.iloc[:0].to_markdown(index=False)))) == 2


def test_several_tables_of_one_text_are_folded_each_for_itself():
    wide, narrow = (table_of(n).to_markdown(index=False) for n in (9, 3))
    folded = fold(f"{wide}\n\n{narrow}\n\n{wide}")
    assert folded.count("<details>") == folded.count("</details>") == 2
    assert narrow in folded


def test_an_escaped_bar_is_no_border():
    assert split_row(r"| a \| b | c |") == [r" a \| b ", " c "]
