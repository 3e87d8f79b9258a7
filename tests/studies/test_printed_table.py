"""Reading a published table: rounding, averages, names; what is no such table is refused in one line."""

import numpy as np
import pytest

from sadanet_lab.errors import BadInput
from sadanet_lab.studies.printed_table import LONGEST, read_tables

HEAD = "method,class,dice,iou,recall\n"
GOOD = HEAD + "A,rib,80.50,67.4,79\nA,lump,90,-,n/a\nA,average,85.25,,79.0\n"


def read(tmp_path, text, name="t.csv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_tables([path])


def test_the_text_says_how_far_a_number_was_rounded(tmp_path):
    table = read(tmp_path, GOOD)
    assert (table.rows, table.classes) == (["A"], ["rib", "lump"])
    assert table.half.loc[("A", "rib")].tolist() == pytest.approx([0.005, 0.05, 0.5])
    assert table.value.loc[("A", "lump")].isna().tolist() == [False, True, True]
    assert table.average("A", "dice") == pytest.approx((85.25, 0.005))
    low, high = table.bounds()
    assert (low.recall["A", "rib"], high.recall["A", "rib"]) == pytest.approx((0.785, 0.795))


def test_headings_of_the_published_files_a_mark_and_windows_lines_are_understood(tmp_path):
    text = "variant, Region ,Dice_percent,acc_percent\r\nA,rib,80.50,79\r\nA,Average_as_published,85.25,79.0\r\n\r\n"
    table = read(tmp_path, b"\xef\xbb\xbf" + text.encode())
    assert table.metrics == ["dice", "recall"]
    assert table.average("A", "recall") == pytest.approx((79, 0.05))


def test_a_row_that_is_a_number_gets_its_column_and_equal_rows_are_one(tmp_path):
    first = HEAD.replace("method", "lambda") + "2.0,rib,80,70,80\n0,rib,81,70,80\n"
    second = HEAD + "same,rib,81,70,80\nnew,rib,82,70,80\n"
    third = HEAD + "new,rib,83,70,80\n"
    paths = []
    for number, text in enumerate((first, second, third)):
        paths.append(tmp_path / f"t{number}.csv")
        paths[-1].write_text(text)
    assert read_tables(paths).rows == ["lambda = 2.0", "lambda = 0", "new", "new (t2)"]


def write(folder, **texts):
    """One file for each name; "b__t" is b/t.csv."""
    paths = [folder / f"{name.replace('__', '/')}.csv" for name in texts]
    for path, text in zip(paths, texts.values(), strict=True):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return paths


def test_a_row_copied_in_one_file_is_kept_there_and_taken_once_from_another(tmp_path):
    copied = HEAD + "A,rib,80,70,80\nB,rib,80,70,80\nC,rib,81,70,80\n"
    first, again, one = write(tmp_path, first=copied, again=copied, one=HEAD + "B,rib,80,70,80\n")
    assert read_tables([first]).rows == ["A", "B", "C"]
    assert read_tables([first, again]).rows == ["A", "B", "C"]
    assert read_tables([first, first]).rows == ["A", "B", "C"]
    assert read_tables([one, first]).rows == ["B", "A", "C"]
    assert read_tables([first, one]).rows == ["A", "B", "C"]


def test_a_copy_in_the_second_file_of_a_row_of_the_first_is_kept(tmp_path):
    """One of X and Y is the row Z again; the other is a copy."""
    paths = write(tmp_path, a=HEAD + "Z,rib,80,70,80\n", b=HEAD + "X,rib,80,70,80\nY,rib,80,70,80\n")
    assert read_tables(paths).rows == ["Z", "Y"]


def test_rows_of_one_name_keep_their_numbers_whatever_their_files_are_called(tmp_path):
    texts = {f"{name}__t": HEAD + f"A,rib,8{place},70,80\n" for place, name in enumerate("abc")}
    table = read_tables(write(tmp_path, **texts))
    assert table.rows == ["A", "A (b/t.csv)", "A (c/t.csv)"]
    assert table.value.dice.tolist() == [80, 81, 82]
    texts = {
        "a": HEAD + "A,rib,80,70,80\nA (b),rib,81,70,80\n",
        "b": HEAD + "A,rib,82,70,80\n",
    }
    table = read_tables(write(tmp_path, **texts))
    assert table.rows == ["A", "A (b)", "A (b, 2)"]
    assert table.value.dice.tolist() == [80, 81, 82]


def test_capitals_make_no_other_class(tmp_path):
    text = HEAD + "A,Rib,80,70,80\nA,Background,99,98,99\nB,rib,81,70,80\nB,background,98,97,99\n"
    assert read(tmp_path, text).classes == ["Rib", "background"]
    table = read_tables(write(tmp_path, a=text, b=HEAD + "C,RIB,82,71,80\n"))
    assert table.classes == ["Rib", "background"]
    assert table.value.dice["C", "Rib"] == 82


@pytest.mark.parametrize(
    "lines",
    [
        "A,rib,0.50,0.25,0.80\nA,lump,81,68,80\nB,rib,80,67,80\nB,lump,81,68,80\n",
        "A,rib,0.50,-,-\nB,rib,80,67,80\n",
        "A,rib,0,0,0\nA,lump,1,0,1\nB,rib,80,67,80\n",
        "A,rib,80,0.67,80\nB,rib,81,-,80\n",
    ],
    ids=["a class failed", "one number", "whole numbers", "one of a column"],
)
def test_percent_below_1_of_a_class_that_failed_is_read(tmp_path, lines):
    numbers = [float(cell) for line in lines.split() for cell in line.split(",")[2:] if cell != "-"]
    value = read(tmp_path, HEAD + lines).value.to_numpy()
    assert value[np.isfinite(value)].tolist() == numbers


def test_a_class_that_a_row_does_not_print_is_missing_there(tmp_path):
    table = read(tmp_path, HEAD + "A,rib,80,70,80\nB,lump,80,70,80\n")
    assert np.isnan(table.of_classes("A", "dice")[0]).tolist() == [False, True]


BAD = {
    "": "0 lines",
    HEAD: "1 lines",
    GOOD.replace("80.50", "80,50"): "line 2: 6 cells; expected 5",
    GOOD.replace("80.50", "180"): "line 2: '180'",
    GOOD.replace("80.50", "-3"): "line 2: '-3'",
    GOOD.replace("80.50", "80.5 ± 1"): "line 2: '80.5 ± 1'",
    GOOD.replace("80.50", "nan"): "line 2: 'nan'",
    GOOD.replace("80.50", "٨٠"): "line 2: '٨٠'",
    GOOD.replace("80.50", "8e1"): "line 2: '8e1'",
    GOOD.replace("class", "kind"): "expected one that names the row, class",
    GOOD.replace("method", "recall"): "expected one that names the row",
    GOOD.replace("iou", "hd95"): "columns method, class, dice, hd95, recall",
    GOOD.replace("iou", "acc"): "expected each once",
    GOOD.replace("A,lump", ",lump"): "line 3: no method",
    GOOD.replace("A,lump", "A,"): "line 3: no class",
    GOOD.replace("A,lump", "A,rib"): "line 3: rib of A for the second time",
    HEAD + "A,average,80,70,80\n": "averages only",
    HEAD + "A,rib,,-,n/a\n": "no number",
    HEAD + "A,rib,0.80,0.70,0.80\n": "expected percent, not fractions",
    HEAD + "A,rib,80,0.70,80\nB,rib,81,0.71,80\n": "t.csv: column iou: no number above 0.71; expected percent",
    "method,class,dice,IoU_percent\nA,rib,80,0.70\nB,rib,81,1\n": "column IoU_percent: no number above 1; expected",
    GOOD + "B,rib,0.82,0.69,0.8\nB,lump,0.9,-,-\n": "t.csv, line 5: row B: no number above 0.9; expected percent",
    GOOD + "B,average,0.82,0.69,-\n": "line 5: row B: no number above 0.82; expected percent",
    GOOD.replace("A,lump", "A,Rib"): "line 3: rib of A for the second time",
    GOOD.replace(",", ";"): "separated by ';'; expected commas",
    "\n" + GOOD.replace(",", ";").replace(".", ","): "separated by ';'; expected commas",
    GOOD.replace(",", '";"'): "separated by ';'",
    GOOD.replace(",", "\t"): "separated by tabs; expected commas",
    "method,class,dice,hd95\nA,rib,80,3\n": "one that names the row (not 2: method, hd95), class",
    "method,class,dice,\nA,rib,80,\n": "one that names the row (not 2: method, ''), class",
    HEAD + 'A,"rib,80,70,80\n': "not a table as CSV",
    HEAD + "A,rib,80,70,80\n" * LONGEST: "expected a line of headings and 1 to",
    b"\xff\xfe\x00m": "not a text in UTF-8",
    b"x" * (2**20 + 1): "at most 1 MiB",
}


@pytest.mark.parametrize(("text", "said"), BAD.items(), ids=BAD.values())
def test_what_is_no_table_is_refused_in_one_line_that_names_the_file(tmp_path, text, said):
    with pytest.raises(BadInput) as refused:
        read(tmp_path, text)
    assert str(tmp_path / "t.csv") in str(refused.value)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_damage_is_refused_or_read_and_nothing_else(tmp_path):
    """Bytes cut off, flipped and repeated: a table or one line, never another error."""
    random = np.random.default_rng(0)
    for _ in range(400):
        damaged = bytearray(GOOD.encode())
        for _ in range(random.integers(1, 4)):
            damaged[random.integers(len(damaged))] = random.integers(256)
        damaged = damaged[: random.integers(len(damaged) + 1)] if random.random() < 0.3 else damaged
        told = "read"
        try:
            assert read(tmp_path, bytes(damaged)).rows
        except BadInput as error:
            told = str(error)
        assert len(told.splitlines()) == 1


def test_what_is_no_file(tmp_path):
    for path, said in ((tmp_path, "not a file"), (tmp_path / "x.csv", "no such file")):
        with pytest.raises(BadInput, match=said):
            read_tables([path])
