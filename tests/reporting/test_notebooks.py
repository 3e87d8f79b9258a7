"""Notebooks: their form, and that they run by plain papermill and by the runner, which is not fooled."""

import ast
import base64
import json
import re
import statistics
import subprocess
import sys

import nbformat
import numpy as np
import papermill
import pytest

from sadanet_lab.errors import BadInput, Failed
from sadanet_lab.images.png import png_bytes
from sadanet_lab.paths import PHANTOM, result_file
from sadanet_lab.reporting.notebook_runner import run_notebook
from sadanet_lab.reporting.parameters import list_notebooks, parameters_of, read_parameters
from sadanet_lab.reporting.reference import reference_runs

NOTEBOOKS = list_notebooks()
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)


def code_cells(path):
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def left_in(notebook):
    """What a committed notebook must not hold: outputs, run numbers, widgets' state, and pictures however put in."""
    found = ["widgets' state"] if "widgets" in notebook.metadata else []
    for number, cell in enumerate(notebook.cells):
        if cell.get("outputs"):
            found.append(f"cell {number}: outputs")
        if cell.get("execution_count") is not None:
            found.append(f"cell {number}: run number")
        if cell.get("attachments") or "data:image" in cell.source:
            found.append(f"cell {number}: picture")
    return found


def a_patient():
    picture = base64.b64encode(png_bytes(np.full((64, 16), 7, np.uint8))).decode()
    shown = nbformat.v4.new_output("display_data", {"image/png": picture})
    code = nbformat.v4.new_code_cell
    text = nbformat.v4.new_markdown_cell
    return [
        (code("x", outputs=[shown]), "outputs"),
        (code("x", execution_count=3), "run number"),
        (text("![me](attachment:a.png)", attachments={"a.png": {"image/png": picture}}), "picture"),
        (text(f'<img src="data:image/png;base64,{picture}">'), "picture"),
        (code(f"x = 'data:image/png;base64,{picture}'"), "picture"),
    ]


@pytest.mark.parametrize(("cell", "said"), a_patient())
def test_a_planted_patient_image_is_refused(cell, said):
    notebook = nbformat.read(NOTEBOOKS[0], as_version=4)
    assert left_in(notebook) == []
    notebook.cells.insert(3, cell)
    assert left_in(notebook) == [f"cell 3: {said}"]


@each_notebook
class TestForm:
    def test_it_is_valid_and_committed_stripped(self, path):
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
        assert left_in(notebook) == [], f"strip it: .venv/bin/nbstripout --keep-id {path}"

    def test_it_holds_no_logic(self, path):
        lengths = []
        for cell in code_cells(path):
            lengths.append(len(cell.source.splitlines()))
            for node in ast.walk(ast.parse(cell.source)):
                assert not isinstance(node, ast.ClassDef | ast.For | ast.While)
                if isinstance(node, ast.FunctionDef):
                    assert node.end_lineno - node.lineno < 5
        assert statistics.median(lengths) <= 8
        assert max(lengths) <= 16

    def test_one_that_trains_takes_the_network_that_the_graph_trains(self, path):
        """Without these parameters `make reproduce BACKBONE=...` would train one network and the notebook another."""
        if "methods" in (parameters := parameters_of(path)):
            assert {"backbone", "backbone_weights"} <= set(parameters)

    def test_it_begins_with_claim_cost_and_what_to_expect(self, path):
        first = nbformat.read(path, as_version=4).cells[0]
        assert first.cell_type == "markdown"
        for word in ("**Claim.**", "**Cost.**", "**Expect.**"):
            assert word in first.source

    def test_it_ends_with_what_it_shows(self, path):
        """``Report.finish`` shows that: nothing comes after it."""
        last = nbformat.read(path, as_version=4).cells[-1]
        assert last.cell_type == "code"
        statement = ast.parse(last.source).body[-1]
        assert isinstance(statement, ast.Expr)
        assert ast.unparse(statement).startswith("report.finish(")

    def test_its_parameters_are_literals_with_the_common_three(self, path):
        assert {"profile", "data", "results"} <= parameters_of(path).keys()
        inferred = papermill.inspect_notebook(str(path))
        assert inferred.keys() == parameters_of(path).keys()


def test_no_paragraph_stands_in_three_notebooks():
    """Nor a sentence of eight words and more: it is said once, where it belongs, and pointed at from elsewhere."""
    found: dict[str, set[str]] = {}
    for path in NOTEBOOKS:
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "markdown":
                for said in re.split(r"\n\s*\n|(?<=[.:;?!])\s", cell.source):
                    words = re.findall(r"\w+", said.lower())
                    if len(words) >= 8:
                        found.setdefault(" ".join(words), set()).add(path.stem)
    assert {said: where for said, where in found.items() if len(where) >= 3} == {}


def executed_cells(path, reproduced):
    """The code cells of a notebook's page."""
    return code_cells(reproduced[0] / "executed" / "phantom-smoke" / path.name)


@pytest.mark.notebook
@each_notebook
class TestPage:
    def test_its_last_output_is_what_the_run_shows_and_that_is_kept(self, path, reproduced):
        *_, last = executed_cells(path, reproduced)
        (output,) = last.outputs
        heading, *told = output.data["text/markdown"].split("\n\n")
        assert heading == "## What this run shows"
        kept = json.loads(result_file(path.stem, reproduced[0], PHANTOM, "smoke").read_text())["conclusions"]
        assert all(f"- {one['says']}" in told[0] for one in kept)
        assert not any("nan" in re.findall(r"\w+", one["says"]) for one in kept)

    def test_no_progress_and_no_path_is_left_in_it(self, path, reproduced):
        outputs = [o for cell in executed_cells(path, reproduced) for o in cell.outputs]
        assert {o.name for o in outputs if o.output_type == "stream"} <= {"stdout"}
        for output in outputs:
            assert "Path(" not in output.get("data", {}).get("text/plain", "")
            assert str(reproduced[0]) not in str(output.get("text", ""))

    def test_its_tables_have_seven_columns_at_most(self, path, reproduced):
        for cell in executed_cells(path, reproduced):
            for output in cell.outputs:
                assert "<table" not in output.get("data", {}).get("text/html", "")
                for line in output.get("data", {}).get("text/markdown", "").splitlines():
                    if line.startswith("|"):
                        assert len(re.findall(r"(?<!\\)\|", line)) <= 7 + 1

    def test_below_each_figure_stands_a_sentence_that_says_whose_results_they_are(self, path, reproduced):
        frozen = reference_runs(path.stem)
        committed = "**Committed results (phantoms, profile `standard`, " if frozen else "**This run:** "
        for cell in executed_cells(path, reproduced):
            figures = [i for i, o in enumerate(cell.outputs) if "<Figure" in o.get("data", {}).get("text/plain", "")]
            for place in figures:
                whose = committed if "committed=whose" in cell.source else "**This run:** "
                assert cell.outputs[place + 1].data["text/markdown"].startswith(whose)


@pytest.mark.notebook
@each_notebook
def test_it_ran_in_the_graph_and_wrote_its_result_last(path, reproduced):
    result = result_file(path.stem, reproduced[0], PHANTOM, "smoke")
    content = json.loads(result.read_text())
    assert content["parameters"] == parameters_of(path) | {"profile": "smoke", "results": str(reproduced[0])}
    for name in content["files"]:
        assert (result.parent / name).stat().st_size > 0
    assert (result.parents[1] / "executed" / result.parent.name / path.name).exists()


@pytest.mark.notebook
def test_the_graph_tells_its_overall_progress(reproduced):
    told = re.findall(r"^== (\d+) of (\d+) jobs done \((\d+) %\)", reproduced[1], re.M)
    done, total, percent = (list(map(int, column)) for column in zip(*told, strict=True))
    assert done == sorted(done)
    assert (done[-1], percent[-1]) == (total[-1], 100)
    assert percent == [100 * d // t for d, t in zip(done, total, strict=True)]
    assert "Execute" not in reproduced[1]


@pytest.mark.notebook
def test_plain_papermill_from_another_folder(phantoms, tmp_path, monkeypatch):
    """Paths in parameters do not depend on where papermill is started."""
    monkeypatch.chdir(tmp_path)
    given = {"profile": "smoke", "data": str(phantoms), "results": str(tmp_path / "results"), "methods": ["unet"]}
    (notebook,) = [path for path in NOTEBOOKS if path.stem == "02_table2_ablation"]
    papermill.execute_notebook(str(notebook), "executed.ipynb", given, progress_bar=False)
    assert (tmp_path / "results" / f"{phantoms.name}-smoke" / f"{notebook.stem}.json").exists()


def small_notebook(path, *cells, parameter="number = 1"):
    notebook = nbformat.v4.new_notebook()
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    parameters = f'results = "{path.parent}"\ndata = "phantom"\nprofile = "smoke"\n{parameter}\nseeds = [0]'
    notebook.cells = [nbformat.v4.new_code_cell(source) for source in (parameters, *cells)]
    notebook.cells[0].metadata["tags"] = ["parameters"]
    nbformat.write(notebook, path)
    return path


WRITE_RESULT = """from pathlib import Path
(Path(results) / f"{data}-{profile}" / "n.json").parent.mkdir(exist_ok=True)
(Path(results) / f"{data}-{profile}" / "n.json").write_text("{}")"""


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("import sys; sys.exit(0)", "stopped before its last cell"),
        ("import os; os.kill(os.getpid(), 9)", "kernel died|stopped before its last cell"),
        ("1 / 0", "ZeroDivisionError"),
    ],
    ids=["exit", "killed", "error"],
)
def test_a_notebook_that_does_not_reach_its_end_has_failed(cell, said, tmp_path):
    """Even where the result of an earlier, good run lies there."""
    good = small_notebook(tmp_path / "n.ipynb", WRITE_RESULT)
    run_notebook(good, {})
    with pytest.raises(Failed, match=said):
        run_notebook(small_notebook(tmp_path / "n.ipynb", cell, WRITE_RESULT), {})


# A kernel on a busy machine: it has answered the last question, and is not done with it when it is interrupted to stop.
SLOW_TO_END = """import time
kernel = get_ipython().kernel
answer = kernel.shell_handlers["kernel_info_request"]
async def answer_and_linger(*message):
    await answer(*message)
    time.sleep(1)
kernel.shell_handlers["kernel_info_request"] = answer_and_linger"""


@pytest.mark.parametrize("cells", [(), (SLOW_TO_END,)], ids=["usual", "slow to end"])
def test_of_a_success_no_warning_is_told(cells, tmp_path, caplog, capfd):
    choices = 'choices = [\n    "sadanet gamma=0", "unet margin=0",\n]'
    run_notebook(small_notebook(tmp_path / "n.ipynb", WRITE_RESULT, *cells, parameter=choices), {})
    assert capfd.readouterr().err == "n: started\n"
    assert not caplog.records


def test_several_notebooks_at_once_from_one_folder(tmp_path):
    """Each process has a kernel of its own to talk to: with shared sockets all but one would wait for ever."""
    names = [f"n{i}" for i in range(3)]
    for name in names:
        small_notebook(tmp_path / f"{name}.ipynb", WRITE_RESULT.replace('"n.json"', f'"{name}.json"'))
    command = [sys.executable, "-m", "sadanet_lab", "run"]
    processes = [subprocess.Popen([*command, str(tmp_path / f"{name}.ipynb")], cwd=tmp_path) for name in names]
    assert [process.wait(timeout=300) for process in processes] == [0, 0, 0]


def test_a_file_that_is_no_notebook(tmp_path):
    (tmp_path / "n.ipynb").write_text("no notebook")
    with pytest.raises(BadInput, match="not a Jupyter notebook"):
        run_notebook(tmp_path / "n.ipynb", {})


def test_bad_input_inside_a_notebook_is_bad_input_outside(tmp_path):
    cell = "from sadanet_lab.errors import BadInput\nraise BadInput('x.png: no such file')"
    with pytest.raises(BadInput, match=r"^x.png: no such file$"):
        run_notebook(small_notebook(tmp_path / "n.ipynb", cell), {})


def test_parameters_are_read_as_the_kind_of_their_default(tmp_path):
    path = small_notebook(tmp_path / "n.ipynb")
    read = read_parameters(path, {"number": "010", "seeds": "[1, 2]", "data": "1e-3"})
    assert (read["number"], read["seeds"], read["data"]) == (10, [1, 2], "1e-3")
    with pytest.raises(BadInput, match="unknown"):
        read_parameters(path, {"numbr": "2"})
    with pytest.raises(BadInput, match="number is 'two'; expected a int"):
        read_parameters(path, {"number": "two"})


def test_a_list_of_lists_is_read_and_a_crooked_one_refused():
    explorer = NOTEBOOKS[0].with_name("06_attention_explorer.ipynb")
    assert read_parameters(explorer, {"pixels": "[[0, 0.5]]"})["pixels"] == [[0.0, 0.5]]
    for text in ("[[0.1]]", "0.1,0.2", "[[0.1, 'x']]", "["):
        with pytest.raises(BadInput, match="parameter pixels is"):
            read_parameters(explorer, {"pixels": text})
