"""The site of the articles: what is committed and nothing else, each link to something, nothing for a script to do."""

import json
import shutil

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

from sadanet_lab.errors import BadInput
from sadanet_lab.paths import ROOT
from sadanet_lab.reporting.article import pictures_in
from sadanet_lab.reporting.parameters import read_notebook
from sadanet_lab.reporting.site import LARGE_TABLE, MARKER, SCREEN, build_site, light_figure

COMMITTED = sorted((ROOT / "results" / "reference").glob("*/articles/*.json"))
FORMULA = r"$$\text{SCA: } P\,(H + W)\tfrac{C}{8}$$"


@pytest.fixture
def references(tmp_path):
    """A folder with one reference of two small articles, the first with a figure, a table, a formula and links."""
    folder = tmp_path / "reference" / "tiny-cpu"
    folder.mkdir(parents=True)
    write(
        folder,
        "00_first",
        new_markdown_cell("# The first\n\n**Claim.** Bones are\n*dark*.\n\n**Cost.** None."),
        new_markdown_cell(
            f"## A heading\n\n{FORMULA}\n\nSee `01_second`, [it](01_second.ipynb), [code](../README.md)."
        ),
        new_code_cell("import this"),
        new_code_cell(
            "report.figure('lines', x < y)",
            outputs=[
                new_output("display_data", {"text/plain": "lines.png"}, metadata={"sadanet": {"figure": "lines"}}),
                new_output("display_data", {"text/plain": "empty.png"}, metadata={"sadanet": {"figure": "empty"}}),
                new_output(
                    "display_data", {"text/markdown": "|a|\n|-|\n|1 ± 2|"}, metadata={"sadanet": {"table": "t"}}
                ),
                new_output("stream", name="stdout", text="1 < 2\n"),
            ],
        ),
        files=["lines.png", "empty.png", "t.csv", "t.md"],
        conclusions=[
            {"of": "t_examples", "says": "These are two."},
            {"of": "t", "says": "It is **one**."},
            {"of": "lines", "says": "They grow."},
            {"of": "t_differences", "says": "A is above."},
        ],
    )
    write(folder, "01_second", new_markdown_cell("# The second\n\n**Question.** Is it? "))
    figure, axes = plt.subplots(figsize=(3, 2))
    axes.plot([1, 2, 3])
    figure.savefig(folder / "lines.png", dpi=300)
    plt.close(figure)
    Image.new("RGB", (10, 10), "white").save(folder / "empty.png")
    (folder / "t.csv").write_text("a\n1\n")
    (folder / "t.md").write_text("|a|\n|-|\n|1|\n")
    return folder.parent


def write(folder, name, *cells, files=(), **more):
    environment = {"finished": "2026-11-22T01:04:31+00:00", "device": "CPU", "commit": "abc"}
    told = {
        "notebook": name,
        "parameters": {"profile": "quick", "data": "phantom", "results": "results"},
        "files": list(files),
        "findings": {},
        "seconds": 1.5,
        "environment": environment | {"packages": {"sadanet": "0.2.0", "torch": "2.15.0"}},
    }
    (folder / f"{name}.json").write_text(json.dumps(told | more))
    (folder / "articles").mkdir(exist_ok=True)
    nbformat.write(new_notebook(cells=list(cells)), folder / "articles" / f"{name}.json")


def page(path):
    return BeautifulSoup(path.read_text(), "html.parser")


def test_an_article_shows_what_the_notebook_does(references, tmp_path):
    assert build_site(references, tmp_path / "site") == [
        "index.html",
        "tiny-cpu/00_first.html",
        "tiny-cpu/01_second.html",
    ]
    first = page(tmp_path / "site" / "tiny-cpu" / "00_first.html")
    assert first.title.text == "The first - sadanet"
    (folded,) = first.select("details.code code")  # both cells': the first showed nothing
    assert folded.text.strip() == "import this\n\nreport.figure('lines', x < y)"
    (picture,) = first.select("img")  # nothing is drawn on the other
    assert (picture["src"], picture["alt"]) == ("lines.webp", "lines: A heading")
    assert (int(picture["width"]), int(picture["height"])) == (3 * SCREEN, 2 * SCREEN)
    assert first.select_one("td").text == "1\xa0±\xa02"
    assert first.select_one("pre.printed").text == "1 < 2"
    assert first.math["display"] == "block"
    assert first.math.text.replace("\xa0", " ") == "SCA: P(H+W)C8"
    assert "$" not in first.text
    links = [(link.text, link["href"]) for link in first.select("main a") if not link.img]
    assert links == [
        ("01_second", "01_second.html"),
        ("it", "01_second.html"),
        ("Every number of this table (CSV)", "t.csv"),
    ]
    assert [link["href"] for link in first.select("footer nav a")] == ["../index.html", "01_second.html"]
    assert (tmp_path / "site" / "tiny-cpu" / "t.csv").read_text() == "a\n1\n"


def test_a_large_table_is_compressed_and_linked_so(references, tmp_path):
    (table,) = references.glob("*/t.csv")
    table.write_text("a\n" + "1\n" * LARGE_TABLE)
    build_site(references, tmp_path / "site")
    first = page(tmp_path / "site" / "tiny-cpu" / "00_first.html")
    assert first.find("a", string="Every number of this table (CSV)")["href"] == "t.csv.gz"
    assert not list((tmp_path / "site").glob("*/t.csv"))
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "site" / "tiny-cpu" / "t.csv.gz"), pd.read_csv(table))


def test_the_first_page_has_each_article_with_question_and_answer(references, tmp_path):
    build_site(references, tmp_path / "site")
    rows = [[cell.get_text(" ", strip=True) for cell in row.select("th, td")] for row in
            page(tmp_path / "site" / "index.html").select("tbody tr")]  # fmt: skip
    answers = "A is above. 3 more It is one . They grow. These are two."  # what is judged first, examples last
    assert rows == [["The first", "Bones are dark .", answers], ["The second", "Is it?", ""]]


def test_it_has_no_script_and_is_the_same_each_time(references, tmp_path):
    for out in ("one", "two"):
        build_site(references, tmp_path / out)
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file())
    for name in files:
        content = (tmp_path / "one" / name).read_bytes()
        assert content == (tmp_path / "two" / name).read_bytes()
        assert b"<script" not in content
    assert {path.suffix for path in files} == {".html", ".css", ".webp", ".csv", ""}
    assert [path.name for path in files if not path.suffix] == [MARKER]


def test_a_site_is_replaced_and_a_folder_of_something_else_is_not(references, tmp_path):
    site = tmp_path / "site"
    build_site(references, site)
    (site / "old.html").touch()
    build_site(references, site)
    assert not (site / "old.html").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["reference", "site"]
    other = tmp_path / "a stranger's site"
    other.mkdir()
    (other / "index.html").write_text("my lab")
    (other / "thesis.txt").touch()
    with pytest.raises(BadInput, match="is no site"):
        build_site(references, other)
    assert (other / "index.html").read_text() == "my lab"
    assert (other / "thesis.txt").exists()


def test_a_planted_picture_and_other_data_are_refused_and_nothing_is_written(references, tmp_path):
    clean = shutil.copytree(references, tmp_path / "clean")
    notebook = references / "tiny-cpu" / "articles" / "01_second.json"
    spoilt = read_notebook(notebook)
    spoilt.cells.append(new_code_cell("x", outputs=[new_output("display_data", {"image/png": "iVBORw0KGgo="})]))
    nbformat.write(spoilt, notebook)
    with pytest.raises(BadInput, match=r"articles/01_second\.json: cell 1: picture"):
        build_site(references, tmp_path / "site")
    told = json.loads((clean / "tiny-cpu" / "01_second.json").read_text())
    told["parameters"]["data"] = "data/clinic"
    (clean / "tiny-cpu" / "01_second.json").write_text(json.dumps(told))
    with pytest.raises(BadInput, match="expected phantoms, not patients' images"):
        build_site(clean, tmp_path / "site")
    assert not (tmp_path / "site").exists()


def test_without_articles_there_is_no_site(references, tmp_path):
    for path in references.glob("*/articles/*.json"):
        path.unlink()
    with pytest.raises(BadInput, match="no executed notebooks"):
        build_site(references, tmp_path / "site")


@pytest.mark.parametrize("kind", ["lines", "noise"])
def test_a_light_figure_is_the_figure(kind, tmp_path):
    rng = np.random.default_rng(0)
    pixels = np.zeros((90, 60, 3), np.uint8) if kind == "lines" else rng.integers(0, 256, (90, 60, 3), np.uint8)
    pixels[40:44] = 255
    Image.fromarray(pixels).resize((600, 900)).save(tmp_path / "a.png", dpi=(300, 300))
    assert light_figure(tmp_path / "a.png", tmp_path / "a.webp") == (600 * SCREEN // 300, 900 * SCREEN // 300)
    before, after = (np.asarray(Image.open(tmp_path / name).convert("RGB"), float) for name in ("a.png", "a.webp"))
    assert (tmp_path / "a.webp").stat().st_size < (tmp_path / "a.png").stat().st_size
    assert np.abs(before - after).mean() < 8


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_no_committed_article_holds_a_picture_or_a_path_of_a_machine(path):
    assert pictures_in(read_notebook(path)) == []
    for place in ("/home/", "/root/", "/tmp/", "/Users/", "C:\\\\"):
        assert place not in path.read_text()


def test_the_committed_articles_make_a_light_site(tmp_path):
    assert COMMITTED
    build_site(ROOT / "results" / "reference", tmp_path / "site")
    assert sum(path.stat().st_size for path in (tmp_path / "site").rglob("*.*")) <= 10 * 2**20
