"""The parameters of notebooks: what their ``parameters`` cell says, read and checked."""

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat

from sadanet_lab.errors import BadInput
from sadanet_lab.paths import NOTEBOOKS


def list_notebooks() -> list[Path]:
    """The project's notebooks in their order: every file of notebooks/ whose name starts with a number."""
    return sorted(NOTEBOOKS.glob("[0-9]*.ipynb"))


def read_notebook(notebook: Path) -> nbformat.NotebookNode:
    """Raises ``BadInput`` for a file that is no notebook."""
    try:
        return nbformat.read(notebook, as_version=4)
    except (OSError, ValueError, nbformat.reader.NotJSONError, nbformat.ValidationError):
        raise BadInput(f"{notebook}: not a Jupyter notebook") from None


def parameters_of(notebook: Path) -> dict[str, Any]:
    """Name -> default of each parameter in the notebook's ``parameters`` cell, which holds literals only."""
    cells = read_notebook(notebook).cells
    tagged = [cell for cell in cells if "parameters" in cell.metadata.get("tags", [])]
    if len(tagged) != 1:
        raise BadInput(f"{notebook}: {len(tagged)} cells tagged 'parameters'; expected one")
    try:
        statements = ast.parse(tagged[0].source).body
        return {statement.targets[0].id: ast.literal_eval(statement.value) for statement in statements}
    except (SyntaxError, ValueError, AttributeError):
        raise BadInput(f"{notebook}: the parameters cell holds more than `name = literal` lines") from None


def read_parameters(notebook: Path, given: Mapping[str, str]) -> dict[str, Any]:
    """Defaults and the given texts, each read as the kind of its default.

    Lists also as ``a,b,c``, lists of lists as ``[[a, b], [c, d]]``.

    Raises ``BadInput`` for a name that the notebook does not have, or a text of another kind.
    """
    defaults = parameters_of(notebook)
    for name in given:
        if name not in defaults:
            raise BadInput(f"{notebook}: parameter {name!r} is unknown; expected one of {', '.join(defaults)}")
    return defaults | {name: _read(notebook, name, text, defaults[name]) for name, text in given.items()}


def _read(notebook: Path, name: str, text: str, default: Any) -> Any:
    kind = type(default)
    try:
        if kind is str:
            return text
        if kind is list and default and isinstance(default[0], list):
            rows = ast.literal_eval(text)
            return [[type(item)(value) for value, item in zip(row, default[0], strict=True)] for row in rows]
        if kind is list:
            item = type(default[0]) if default else str
            return [item(part.strip().strip("'\"")) for part in text.strip("[] ").split(",")]
        if kind is bool:
            return {"true": True, "false": False}[text.lower()]
        return kind(text)
    except (ValueError, KeyError, TypeError, SyntaxError):
        raise BadInput(
            f"{notebook}: parameter {name} is {text!r}; expected a {kind.__name__}, as {default!r}"
        ) from None
