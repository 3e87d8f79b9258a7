"""Run a notebook through papermill, with what papermill lacks: unknown parameters are refused, and success is judged
by the result file that the notebook writes last, never by the executed notebook (a killed kernel leaves that looking
complete)."""

import ast
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat

from sadanet_core.errors import BadInput, Failed
from sadanet_core.experiment.progress import watched
from sadanet_core.places import output_folder, writable_folder


def parameters_of(notebook: Path) -> dict[str, Any]:
    """Name -> default of each parameter in the notebook's ``parameters`` cell, which holds literals only."""
    try:
        cells = nbformat.read(notebook, as_version=4).cells
    except (OSError, ValueError, nbformat.reader.NotJSONError, nbformat.ValidationError):
        raise BadInput(f"{notebook}: not a Jupyter notebook") from None
    tagged = [cell for cell in cells if "parameters" in cell.metadata.get("tags", [])]
    if len(tagged) != 1:
        raise BadInput(f"{notebook}: {len(tagged)} cells tagged 'parameters'; expected one")
    try:
        statements = ast.parse(tagged[0].source).body
        return {statement.targets[0].id: ast.literal_eval(statement.value) for statement in statements}
    except (SyntaxError, ValueError, AttributeError):
        raise BadInput(f"{notebook}: the parameters cell holds more than `name = literal` lines") from None


def read_parameters(notebook: Path, given: dict[str, str]) -> dict[str, Any]:
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


def run_notebook(notebook: Path, given: dict[str, str]) -> Path:
    """Execute a notebook with parameters given as text; returns the path of its result file.

    The executed copy goes to ``results/executed/<data>-<profile>/``, whose name the three parameters give. Raises
    ``BadInput`` for wrong parameters or where the notebook itself met bad input, ``Failed`` otherwise.
    """
    import papermill  # seconds to load, and only needed here
    from nbclient.exceptions import DeadKernelError
    from traitlets.config import Config

    notebook = Path(notebook)
    if not notebook.is_file():
        raise BadInput(f"{notebook}: no such notebook")
    parameters = read_parameters(notebook, given)
    folder = output_folder(parameters["results"], parameters["data"], parameters["profile"])
    result = folder / f"{notebook.stem}.json"
    executed = writable_folder(folder.parent / "executed" / folder.name) / notebook.name
    result.unlink(missing_ok=True)
    print(f"{notebook.stem}: started", file=sys.stderr, flush=True)
    try:
        with tempfile.TemporaryDirectory(prefix="sadanet-") as sockets:
            # Socket files, no unencrypted port; in a folder of their own, or two notebooks at once take the same ones.
            manager = {"transport": "ipc", "ip": f"{sockets}/kernel"}
            papermill.execute_notebook(
                str(notebook),
                str(executed),
                parameters,
                progress_bar=watched() is not None,
                stdout_file=sys.stdout,
                stderr_file=sys.stderr,
                config=Config({"KernelManager": manager}),
            )
    except papermill.exceptions.PapermillExecutionError as error:
        if error.ename == BadInput.__name__:
            raise BadInput(error.evalue) from None
        raise Failed(f"{executed}: cell {error.exec_count}: {error.ename}: {error.evalue}") from error
    except DeadKernelError as error:
        raise Failed(f"{executed}: the kernel died; memory may have run out") from error
    if not result.exists():
        raise Failed(f"{executed}: stopped before its last cell; {result.name} was not written")
    return result
