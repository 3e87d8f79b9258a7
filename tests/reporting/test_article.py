"""What is kept of an executed notebook: its texts and the names of its figures, never a picture, from wherever."""

import base64
import json

import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from sadanet_lab.errors import BadInput
from sadanet_lab.images.png import png_bytes
from sadanet_lab.paths import ROOT
from sadanet_lab.reporting.article import light_copy, pictures_in, results_of_phantoms

PICTURE = base64.b64encode(png_bytes(np.full((64, 16), 7, np.uint8))).decode()
WIDGET = {"application/vnd.jupyter.widget-view+json": {"model_id": "a"}, "text/plain": "VBox(children=())"}


def shown(**data):
    """An output; kinds of data are written with a double underscore for the slash."""
    return new_output("display_data", {kind.replace("__", "/"): content for kind, content in data.items()})


@pytest.fixture
def executed(tmp_path):
    """Write an executed notebook and its result file, of which `files` are; returns both paths."""

    def write(*cells, files=(), metadata=None, **parameters):
        for name in files:
            (tmp_path / name).write_text(f"**{name}**\n\n|a|\n|-|\n|1|\n")
        told = {"parameters": {"data": "phantom", "results": str(tmp_path)} | parameters, "files": list(files)}
        (tmp_path / "00_x.json").write_text(json.dumps(told))
        nbformat.write(new_notebook(cells=list(cells), metadata=metadata or {}), tmp_path / "00_x.ipynb")
        return tmp_path / "00_x.ipynb", tmp_path / "00_x.json"

    return write


def kept_of(paths):
    text = light_copy(*paths)
    notebook = nbformat.reads(text, as_version=4)
    nbformat.validate(notebook)
    return text, notebook


def named(notebook):
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return [output.metadata.get("sadanet") for output in outputs]


def test_figures_stand_where_their_pictures_stood_and_no_picture_is_left(executed):
    source = (
        "report.figure('b', plot(x), 'It grows.')\nif more:\n    report.figure('a', plot(y))\nreport.figure('c', z)"
    )
    outputs = [shown(image__png=PICTURE), shown(text__markdown="It grows."), shown(image__svg__xml="<svg/>")]
    outputs[2]["data"] = {"image/svg+xml": "<svg/>", "image/png": PICTURE}
    text, notebook = kept_of(executed(new_code_cell(source, outputs=outputs), files=["a.png", "b.png", "b.pdf"]))
    assert named(notebook) == [{"figure": "b"}, None, {"figure": "a"}]  # c was not written
    assert PICTURE not in text
    assert pictures_in(notebook) == []


def test_a_figure_that_was_not_shown_follows_and_a_picture_that_is_no_file_is_left_out(executed):
    cells = [new_code_cell("show(x)", outputs=[shown(image__jpeg=PICTURE)]), new_code_cell("report.picture('a', x)")]
    text, notebook = kept_of(executed(*cells, files=["a.png"]))
    assert named(notebook) == [{"figure": "a"}]
    assert PICTURE not in text


def test_a_table_is_named_by_the_text_that_stands_in_its_file(executed):
    outputs = [shown(text__markdown="**t.md**\n\n|a|\n|-|\n|1|"), shown(text__markdown="no table")]
    _, notebook = kept_of(executed(new_code_cell("x", outputs=outputs), files=["t.csv", "t.md"]))
    assert named(notebook) == [{"table": "t"}, None]


def test_widgets_progress_run_numbers_and_this_machine_s_paths_are_left_out(executed, tmp_path):
    outputs = [
        new_output("stream", name="stderr", text="3 of 4 images"),
        new_output("stream", name="stdout", text=f"written to {tmp_path}/a.csv, read from {ROOT}/data/published"),
        new_output("execute_result", WIDGET, execution_count=7),
        new_output("execute_result", {"text/plain": f"PosixPath('{tmp_path}/00_x.json')"}, execution_count=7),
        shown(text__plain="<Figure size 100x100 with 0 Axes>"),
    ]
    cells = [
        new_code_cell(
            f"results = {str(tmp_path)!r}", execution_count=1, metadata={"tags": ["parameters"], "papermill": {}}
        ),
        new_code_cell("x", outputs=outputs, execution_count=7),
    ]
    text, notebook = kept_of(
        executed(*cells, metadata={"widgets": {"state": PICTURE}, "papermill": {"output_path": "/x"}})
    )
    assert notebook.cells[0].source == "results = 'results'"
    assert notebook.cells[0].metadata == {"tags": ["parameters"]}
    assert [output.text for output in notebook.cells[1].outputs] == [
        "written to results/a.csv, read from data/published"
    ]
    assert notebook.metadata == {}
    assert {cell.execution_count for cell in notebook.cells} == {None}
    assert str(tmp_path) not in text


@pytest.mark.parametrize(
    "cell",
    [
        new_markdown_cell("![me](attachment:a.png)", attachments={"a.png": {"image/png": PICTURE}}),
        new_markdown_cell("![me](patient.png)"),
        new_markdown_cell(f'<img src="data:image/png;base64,{PICTURE}">'),
        new_code_cell(f"x = 'data:image/png;base64,{PICTURE}'"),
        new_code_cell("x", outputs=[shown(text__html="<b><IMG src='patient.png'></b>")]),
        new_code_cell("x", outputs=[shown(text__html="<svg><image href='patient.png'/></svg>")]),
        new_code_cell("x", outputs=[shown(text__markdown=f"![me](data:image/png;base64,{PICTURE})")]),
    ],
)
def test_a_planted_picture_is_refused(executed, cell):
    with pytest.raises(BadInput, match="cell 1: picture"):
        light_copy(*executed(new_markdown_cell("# A title"), cell))


@pytest.mark.parametrize("data", [{"image/png": PICTURE}, {"application/pdf": PICTURE}, WIDGET])
def test_an_output_that_is_more_than_text_is_found(data):
    cell = new_code_cell("x", outputs=[new_output("display_data", data)])
    assert pictures_in(new_notebook(cells=[cell])) == ["cell 0: picture"]
    assert pictures_in(new_notebook(metadata={"widgets": {}})) == ["widgets' state"]


def test_a_failed_and_a_missing_notebook_are_refused(executed):
    failed = new_output("error", ename="ValueError", evalue="x", traceback=[])
    paths = executed(new_code_cell("x", outputs=[failed]))
    with pytest.raises(BadInput, match="failed cell"):
        light_copy(*paths)
    paths[0].unlink()
    with pytest.raises(BadInput, match=r"00_x\.ipynb"):
        light_copy(*paths)


@pytest.mark.parametrize("parameters", [{"data": "data/clinic"}, {"image": "patients/007.png"}])
def test_results_of_patients_are_refused(executed, tmp_path, parameters):
    executed(**parameters)
    with pytest.raises(BadInput, match="patient"):
        results_of_phantoms(tmp_path)
