"""`sadanet forensics`: plain sentences, JSON, and bad input in one line with exit code 2."""

import json

import pytest
from click.testing import CliRunner

from sadanet_lab.cli import main
from sadanet_lab.paths import PUBLISHED


def forensics(*arguments):
    result = CliRunner().invoke(main, ["forensics", *map(str, arguments)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_a_published_table_is_told_in_sentences():
    result = forensics(PUBLISHED / "table2_ablation.csv")
    assert result.exit_code == 0
    assert "[!] Is the class that only the averages hold consistent?" in result.output
    assert "~ w/o SCA (Dice 95.45, IoU from that Dice 91.30, IoU 91.66, recall 96.02)" in result.output
    assert "3 of 6 questions find what no rounding explains." in result.output
    assert "not asked, averaging over images: needs a row whose IoU lies above" in result.output


def test_several_tables_are_one_test_set_and_json_has_the_numbers():
    names = ("table1_methods", "table2_ablation", "table4_lambda")
    result = forensics(*(PUBLISHED / f"{name}.csv" for name in names), "--json")
    assert result.exit_code == 0
    content = json.loads(result.output)
    assert (len(content["rows"]), content["not_asked"]) == (16, [])
    by_question = {finding["question"]: finding for finding in content["findings"]}
    balance = by_question["Do the rows predict each pixel once?"]
    assert balance["flagged"] == ["CCNet", "SADANet", "~ w/o SCA", "~ w/o SAA"]
    assert len(balance["evidence"]) == 13


PER_IMAGE = """method,class,dice,iou,recall
A,rib,77.37,66.46,76.37
A,lump,85.00,77.00,84.00
B,rib,70.10,58.90,71.00
B,lump,80.20,70.90,79.00
"""


def test_a_table_whose_rows_are_all_averages_over_images_has_no_pixel_balance_and_no_trace(tmp_path):
    (tmp_path / "t.csv").write_text(PER_IMAGE)
    result = forensics(tmp_path / "t.csv")
    assert result.exit_code == 0
    assert "Do the rows predict each pixel once?" not in result.output.split("not asked")[0]


def test_the_lines_of_the_help_are_a_table(tmp_path):
    lines = forensics("--help").output.splitlines()
    first = next(place for place, line in enumerate(lines) if line.strip() == "method,class,dice,iou,recall")
    (tmp_path / "t.csv").write_text("\n".join(line.strip() for line in lines[first : first + 3]))
    assert forensics(tmp_path / "t.csv").exit_code == 0


def test_a_clean_table_has_no_mark(tmp_path):
    (tmp_path / "t.csv").write_text("method,class,dice,iou\nA,rib,80.00,66.67\nA,average,80.00,66.67\n")
    result = forensics(tmp_path / "t.csv")
    assert result.exit_code == 0
    assert "[!]" not in result.output
    assert "0 of 2 questions" in result.output


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("table3_complexity.csv", "columns method, flops_giga"),
        ("real_vpi_statistics.csv", "columns quantity, real"),
        ("none.csv", "no such file"),
        ("", "not a file"),
    ],
)
def test_what_is_no_such_table_is_one_line_and_exit_code_2(name, said):
    result = forensics(PUBLISHED / name)
    assert result.exit_code == 2
    (line,) = result.stderr.strip().splitlines()
    assert line.startswith("error: ")
    assert said in line
    assert str(PUBLISHED / name) in line
    assert "expected" in line
    assert result.stdout == ""


@pytest.mark.filterwarnings("error")
def test_a_row_of_an_average_only_and_a_copied_row_are_told_without_a_warning(tmp_path):
    text = PER_IMAGE + "copy,rib,77.37,66.46,76.37\ncopy,lump,85.00,77.00,84.00\nalone,average,80.00,70.00,80.00\n"
    (tmp_path / "t.csv").write_text(text)
    result = forensics(tmp_path / "t.csv")
    assert result.exit_code == 0
    assert result.stderr == ""
    assert result.output.startswith("4 rows, 2 classes: rib, lump\n")
    assert "nan" not in result.output


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (PER_IMAGE.replace(",", ";"), "t.csv: separated by ';'; expected commas"),
        (PER_IMAGE + "C,rib,0.77,0.66,0.76\n", "t.csv, line 6: row C: no number above 0.77; expected percent"),
    ],
)
def test_other_separators_and_fractions_are_one_line_and_exit_code_2(tmp_path, text, said):
    (tmp_path / "t.csv").write_text(text)
    result = forensics(tmp_path / "t.csv")
    assert result.exit_code == 2
    (line,) = result.stderr.strip().splitlines()
    assert said in line
    assert result.stdout == ""


def test_no_table_is_refused():
    assert forensics().exit_code == 2
