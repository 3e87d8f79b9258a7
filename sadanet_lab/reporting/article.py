"""An executed notebook as it is kept for the record: all that it says, and no picture, for patients' could hide there.

It is kept as ``articles/<notebook>.json``: a notebook's JSON, but no notebook to work in, which is in notebooks/.
A figure is named, and lies beside it: an output with ``{"sadanet": {"figure": "fig6"}}`` in its metadata stands for
``fig6.png``. One with ``{"sadanet": {"table": "table1"}}`` shows a table, whose every number is in ``table1.csv``.
"""

import ast
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from nbformat import NotebookNode, writes
from nbformat.v4 import new_output

from sadanet_lab.errors import BadInput
from sadanet_lab.paths import PHANTOM, ROOT
from sadanet_lab.reporting.parameters import read_notebook

TEXTS = ("text/markdown", "text/html", "text/plain")
"""What is kept of an output: the first of these that it has."""
PICTURE = re.compile(r"data:image|!\[[^\]]*\]\(|<(img|svg|canvas|embed|object|iframe)\b", re.IGNORECASE)
"""What shows a picture within a text."""
NO_TEXT = re.compile(r"<.*>|\w*Path\(.*\)", re.DOTALL)
"""What Python says of a figure, and of a path of this machine."""


def results_of_phantoms(folder: Path) -> dict[Path, dict[str, Any]]:
    """Each notebook's result file in a folder and its content, in order.

    Raises ``BadInput`` for a folder without any, for a file that is none, and for results that are not of phantoms.
    """
    contents = {path: _read_result(path) for path in sorted(Path(folder).glob("[0-9]*.json"))}
    if not contents:
        raise BadInput(f"{folder}: no notebook's results; expected a folder such as results/phantom-quick")
    for path, content in contents.items():
        if (data := content["parameters"]["data"]) != PHANTOM:
            raise BadInput(f"{path}: made of data {data!r}; expected phantoms, not patients' images")
        image = content["parameters"].get("image", "")
        if image and not re.fullmatch(r"phantom_\d+", image):
            raise BadInput(f"{path}: shows {image}; expected a phantom, not a patient's image")
    return contents


def _read_result(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
        known = isinstance(content["parameters"]["data"], str) and isinstance(content["findings"], dict)
        if not known or not all(isinstance(name, str) for name in content["files"]):
            raise TypeError
    except (OSError, ValueError, KeyError, TypeError):
        raise BadInput(f"{path}: no notebook's result; expected a folder such as results/phantom-quick") from None
    return content


def article_file(result: Path) -> Path:
    """Where the article of a notebook's result file in a reference is kept."""
    return result.parent / "articles" / result.name


def light_copy(executed: Path, result: Path) -> str:
    """The notebook ``executed`` as JSON without pictures, widgets, progress, run numbers and this machine's paths.

    result: its result file, beside the tables and figures that it names. Raises ``BadInput`` for a notebook that is not
    there or failed, and for a picture within a text.
    """
    told = json.loads(result.read_text())
    notebook = read_notebook(executed)
    notebook.metadata = NotebookNode(
        {key: notebook.metadata[key] for key in ("kernelspec",) if key in notebook.metadata}
    )
    tables = {
        (result.parent / name).read_text().strip(): Path(name).stem for name in told["files"] if name.endswith(".md")
    }
    for cell in notebook.cells:
        cell.metadata = NotebookNode({key: cell.metadata[key] for key in ("tags",) if key in cell.metadata})
        if cell.cell_type == "code":
            cell.execution_count = None
            if any(output.output_type == "error" for output in cell.outputs):
                raise BadInput(f"{executed}: holds a failed cell; expected what `sadanet run` leaves of a success")
            cell.outputs = _light_outputs(cell, told["files"], tables)
    if found := pictures_in(notebook):
        raise BadInput(f"{executed}: {found[0]}; expected pictures in files alone, as `report.figure` writes them")
    return without_paths(writes(notebook) + "\n", told["parameters"]["results"])


def pictures_in(notebook: NotebookNode) -> list[str]:
    """Where a notebook holds or shows a picture, or what could be one, such as "cell 3: picture"."""
    found = ["widgets' state"] if "widgets" in notebook.metadata else []
    for number, cell in enumerate(notebook.cells):
        data = [output.get("data", {}) for output in cell.get("outputs", [])]
        texts = [text for each in data for kind, text in each.items() if kind in TEXTS]
        if any(set(each) - set(TEXTS) for each in data) or cell.get("attachments"):
            found.append(f"cell {number}: picture")
        elif any(PICTURE.search(text) for text in (cell.source, *texts)):
            found.append(f"cell {number}: picture in a text")
    return found


def without_paths(text: str, results: str) -> str:
    """A text without this machine's paths: the results folder is `results`, the project's is left out."""
    if Path(results).is_absolute():
        text = text.replace(results, "results")
    return text.replace(f"{ROOT}/", "")


def _light_outputs(cell: NotebookNode, files: Iterable[str], tables: dict[str, str]) -> list[NotebookNode]:
    """A cell's texts, and the figures that it wrote, each where a picture of it stood, the rest at the end."""
    figures = _figures_written(cell.source, files)
    outputs = []
    for output in cell.outputs:
        if output.output_type == "stream":
            outputs += [output] if output.name == "stdout" else []
        elif any(kind.startswith("image/") for kind in output.data):
            outputs += [_figure(figures.pop(0))] if figures else []
        elif "application/vnd.jupyter.widget-view+json" not in output.data:
            outputs += _text(output, tables)
    return outputs + [_figure(name) for name in figures]


def _text(output: NotebookNode, tables: dict[str, str]) -> list[NotebookNode]:
    kind = next((kind for kind in TEXTS if kind in output.data), None)
    if kind is None or (kind == "text/plain" and NO_TEXT.fullmatch(output.data[kind])):
        return []
    text = output.data[kind]
    named = {"sadanet": {"table": tables[text.strip()]}} if text.strip() in tables else {}
    return [new_output("display_data", {kind: text}, metadata=named)]


def _figure(name: str) -> NotebookNode:
    return new_output("display_data", {"text/plain": f"{name}.png"}, metadata={"sadanet": {"figure": name}})


def _figures_written(source: str, files: Iterable[str]) -> list[str]:
    """The names that a cell gives to ``report.figure`` and ``report.picture``, in order, of those that it wrote."""
    found = []
    for call in ast.walk(ast.parse(source)):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.args:
            name = call.args[0]
            if call.func.attr in ("figure", "picture") and isinstance(name, ast.Constant):
                found.append((call.lineno, name.value))
    return [name for _, name in sorted(found) if f"{name}.png" in files]
