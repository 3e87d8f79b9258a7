"""Run a notebook through papermill, with what papermill lacks: unknown parameters are refused, and success is judged
by the result file that the notebook writes last, never by the executed notebook (a killed kernel leaves that looking
complete)."""

import sys
import tempfile
from pathlib import Path

from sadanet_lab.errors import BadInput, Failed
from sadanet_lab.files import writable_folder
from sadanet_lab.paths import result_file
from sadanet_lab.progress import watcher
from sadanet_lab.reporting.parameters import EVERY, kernel_of, read_parameters


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
    parameters, kernel = read_parameters(notebook, given), kernel_of(notebook)
    result = result_file(notebook.stem, *(parameters[key] for key in EVERY))
    executed = writable_folder(result.parents[1] / "executed" / result.parent.name) / notebook.name
    result.unlink(missing_ok=True)
    print(f"{notebook.stem}: started", file=sys.stderr, flush=True)
    try:
        with tempfile.TemporaryDirectory(prefix="sadanet-") as sockets:
            # Socket files, no unencrypted port; in a folder of their own, or two notebooks at once take the same ones.
            manager = {"transport": "ipc", "ip": f"{sockets}/kernel"}
            papermill.execute_notebook(
                _without_fields(notebook),
                _without_fields(executed),
                parameters,
                kernel_name=kernel,
                progress_bar=watcher() is not None,
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


def _without_fields(path: Path) -> str:
    """A path in which papermill, which puts parameters into braces, finds none."""
    return str(path).replace("{", "{{").replace("}", "}}")
