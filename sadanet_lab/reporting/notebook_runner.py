"""Run a notebook through papermill, with what papermill lacks: unknown parameters are refused, and success is judged
by the result file that the notebook writes last, never by the executed notebook (a killed kernel leaves that looking
complete)."""

import logging
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat

from sadanet_lab.errors import BadInput, Failed
from sadanet_lab.files import writable_folder, write_atomically
from sadanet_lab.paths import result_file
from sadanet_lab.progress import SESSION, watcher
from sadanet_lab.reporting.parameters import EVERY, check_data, kernel_of, read_parameters

SOCKETS = "sadanet-kernel-"
"""How the names of temporary folders begin that hold a kernel's sockets; the process that made one follows."""


def run_notebook(notebook: Path, given: dict[str, str]) -> Path:
    """Execute a notebook with parameters given as text; returns the path of its result file.

    The executed copy goes to ``results/executed/<data>-<profile>/``, whose name the three parameters give. Progress and
    warnings (stderr) are for the log: they are told while it runs, and the page of a success has none. Raises
    ``BadInput`` for wrong parameters or where the notebook itself met bad input, ``Failed`` otherwise.
    """
    import papermill  # seconds to load, and only needed here
    from nbclient.exceptions import DeadKernelError
    from traitlets.config import Config

    # Its own reader of parameters, by which nothing goes here, warns of a literal that holds two signs "=".
    logging.getLogger("papermill.translators").setLevel(logging.ERROR)
    notebook = Path(notebook)
    if not notebook.is_file():
        raise BadInput(f"{notebook}: no such notebook; expected a .ipynb file. Of a trained run see `sadanet evaluate`")
    parameters, kernel = read_parameters(notebook, given), kernel_of(notebook)
    check_data(*(parameters[key] for key in EVERY))
    result = result_file(notebook.stem, *(parameters[key] for key in EVERY))
    executed = writable_folder(result.parents[1] / "executed" / result.parent.name) / notebook.name
    result.unlink(missing_ok=True)
    draft = executed.with_name(f".{executed.name}")
    _sweep_sockets()
    print(f"{notebook.stem}: started", file=sys.stderr, flush=True)
    try:
        own_folder = tempfile.TemporaryDirectory(prefix=f"{SOCKETS}{os.getpid()}-")
        with _no_session(), _kept_as(executed, draft), own_folder as sockets:
            # Socket files, no unencrypted port; in a folder of their own, or two notebooks at once take the same ones.
            manager = {"transport": "ipc", "ip": f"{sockets}/kernel"}
            # Before a kernel is asked to stop it is interrupted; one that is slow to finish the last cell calls that an
            # error. What cells raise comes by message, not by its log.
            client = {"extra_arguments": ["--IPKernelApp.log_level=CRITICAL"]}
            papermill.execute_notebook(
                _without_fields(notebook),
                _without_fields(draft),
                parameters,
                kernel_name=kernel,
                progress_bar=watcher() is not None,
                stdout_file=sys.stdout,
                stderr_file=sys.stderr,
                config=Config({"KernelManager": manager, "NotebookClient": client}),
            )
    except papermill.exceptions.PapermillExecutionError as error:
        if error.ename == BadInput.__name__:
            raise BadInput(error.evalue) from None
        raise Failed(f"{executed}: cell {error.exec_count}: {error.ename}: {error.evalue}") from error
    except OSError as error:
        raise Failed(f"{executed}: cannot be written ({error.strerror}); nothing of it is left") from error
    except DeadKernelError as error:
        raise Failed(f"{executed}: the kernel died; memory may have run out") from error
    if not result.exists():
        raise Failed(f"{executed}: stopped before its last cell; {result.name} was not written")
    _leave_out_the_log(executed)
    return result


def _leave_out_the_log(executed: Path) -> None:
    notebook = nbformat.read(executed, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    write_atomically(executed, nbformat.writes(notebook) + "\n")


@contextmanager
def _no_session() -> Iterator[None]:
    """Started from a cell of an open notebook, `sadanet run` would hand on that somebody is watching its kernel."""
    name = os.environ.pop(SESSION, None)
    try:
        yield
    finally:
        if name is not None:
            os.environ[SESSION] = name


@contextmanager
def _kept_as(executed: Path, draft: Path) -> Iterator[None]:
    """What is executed takes its name at the end, after a failed cell too; not if it is half-written."""
    try:
        yield
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    finally:
        if draft.exists():
            draft.replace(executed)


def _sweep_sockets() -> None:
    """Remove the temporary folders that killed processes left."""
    for folder in Path(tempfile.gettempdir()).glob(f"{SOCKETS}*"):
        made = re.fullmatch(rf"{SOCKETS}(\d+)-\w+", folder.name)
        if made and not _is_running(int(made[1])):
            shutil.rmtree(folder, ignore_errors=True)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # another user's
    return True


def _without_fields(path: Path) -> str:
    """A path in which papermill, which puts parameters into braces, finds none."""
    return str(path).replace("{", "{{").replace("}", "}}")
