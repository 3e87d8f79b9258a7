"""The parameters of notebooks: what their ``parameters`` cell says, read and checked."""

import ast
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sadanet_lab.errors import BadInput
from sadanet_lab.images.content import read_text
from sadanet_lab.paths import NOTEBOOKS, PHANTOM, ROOT, output_folder, resolve

if TYPE_CHECKING:
    from nbformat import NotebookNode

EVERY = ("results", "data", "profile")
"""Parameters that every notebook has: they name the folder of its results."""


def check_data(results: str, data: str, profile: str) -> None:
    """Raises ``BadInput`` for a dataset that is not there, or whose results would take the place of another's.

    Results are in a folder of the dataset's name, which two datasets may share. data: "phantom" or a folder; relative
    paths start at the project's folder.
    """
    if data != PHANTOM and not resolve(data).is_dir():
        where = "" if Path(data).is_absolute() else f" in {ROOT}, where relative paths start"
        raise BadInput(f"{data}: no such folder{where}; expected a dataset in the published layout, see data/README.md")
    folder = output_folder(results, data, profile)
    for path in sorted(folder.glob("[0-9]*.json")):
        try:
            other = str(json.loads(path.read_bytes())["parameters"]["data"])
        except (OSError, ValueError, KeyError, TypeError):  # half-written, or not ours: nobody's results
            continue
        if _place(other) != _place(data) and (other == PHANTOM or resolve(other).is_dir()):
            raise BadInput(f"{folder}: found results of {other}; expected of {data}: name another results folder")


def _place(data: str) -> Path | None:
    return None if data == PHANTOM else resolve(data).resolve()


def list_notebooks() -> list[Path]:
    """The project's notebooks in their order: every file of notebooks/ whose name starts with a number."""
    return sorted(NOTEBOOKS.glob("[0-9]*.ipynb"))


def read_notebook(notebook: Path) -> "NotebookNode":
    """Raises ``BadInput`` for a file that is no notebook."""
    import nbformat

    try:
        return nbformat.reads(read_text(notebook, "a Jupyter notebook"), as_version=4)
    except BadInput:
        raise
    except Exception:  # of what is no notebook nbformat raises nearly anything
        raise BadInput(f"{notebook}: not a Jupyter notebook") from None


def parameters_of(notebook: Path) -> dict[str, Any]:
    """Name -> default of each parameter in the notebook's ``parameters`` cell, which holds literals only.

    Read as JSON: nbformat takes two seconds to load, and every notebook asks for its own.
    """
    try:
        cells = json.loads(read_text(notebook, "a Jupyter notebook"))["cells"]
        tagged = ["".join(each["source"]) for each in cells if "parameters" in (each["metadata"].get("tags") or [])]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise BadInput(f"{notebook}: not a Jupyter notebook") from None
    if len(tagged) != 1:
        raise BadInput(f"{notebook}: {len(tagged)} cells tagged 'parameters'; expected one")
    try:
        statements: list[Any] = ast.parse(tagged[0]).body
        return {statement.targets[0].id: ast.literal_eval(statement.value) for statement in statements}
    except (SyntaxError, ValueError, TypeError, AttributeError, RecursionError, MemoryError):
        raise BadInput(f"{notebook}: the parameters cell holds more than `name = literal` lines") from None


def kernel_of(notebook: Path) -> str:
    """The Jupyter kernel that a notebook names; raises ``BadInput`` if it is none of Python's that is installed."""
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    name = read_notebook(notebook).metadata.get("kernelspec", {}).get("name")
    try:
        language = KernelSpecManager().get_kernel_spec(name).language if isinstance(name, str) else None
    except (NoSuchKernel, ValueError):
        raise BadInput(f"{notebook}: kernel {name!r} is not installed; expected python3") from None
    if language is None or language.casefold() != "python":
        raise BadInput(f"{notebook}: found {'no kernel' if name is None else f'kernel {name!r}'}; expected python3")
    return name


def read_parameters(notebook: Path, given: Mapping[str, str]) -> dict[str, Any]:
    """Defaults and the given texts, each read as the kind of its default.

    Lists also as ``a,b,c``, lists of lists as ``[[a, b], [c, d]]``.

    Raises ``BadInput`` for a name that the notebook does not have, a text of another kind, a number that is not finite,
    and a notebook without those of ``EVERY``.
    """
    defaults = parameters_of(notebook)
    if missing := [name for name in EVERY if not isinstance(defaults.get(name), str)]:
        raise BadInput(f"{notebook}: no parameter {', '.join(missing)}; expected {', '.join(EVERY)}, each a text")
    for name in given:
        if name not in defaults:
            raise BadInput(f"{notebook}: parameter {name!r} is unknown; expected one of {', '.join(defaults)}")
    return defaults | {name: _read(notebook, name, text, defaults[name]) for name, text in given.items()}


def _read(notebook: Path, name: str, text: str, default: Any) -> Any:
    kind = type(default)
    try:
        if kind is list and default and isinstance(default[0], list):
            rows = ast.literal_eval(text)
            return [[_item(str(v), type(item)) for v, item in zip(row, default[0], strict=True)] for row in rows]
        if kind is list:
            item = type(default[0]) if default else str
            return [_item(part.strip().strip("'\""), item) for part in text.strip("[] ").split(",")]
        return _item(text, kind)
    except (ValueError, KeyError, TypeError, SyntaxError, RecursionError, MemoryError):
        raise BadInput(
            f"{notebook}: parameter {name} is {text!r}; expected a {kind.__name__}, as {default!r}"
        ) from None


def _item(text: str, kind: type) -> Any:
    """One value; raises ``ValueError`` or ``KeyError`` for a text that is none of that kind."""
    if kind is bool:
        return {"true": True, "false": False}[text.lower()]
    if kind is str:
        return text
    if kind is int:
        return int(text)
    if kind is not float or not math.isfinite(float(text)):
        raise ValueError(text)
    return float(text)
