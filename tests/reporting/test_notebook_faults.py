"""A notebook that is cut, or whose disk is full: nothing half-written is taken for whole or left lying."""

import os
import subprocess
import sys
import tempfile

import nbformat
import pytest

from sadanet_lab.errors import Failed
from sadanet_lab.reporting.notebook_runner import run_notebook


def notebook_with(path, results, cell):
    notebook = nbformat.v4.new_notebook()
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    parameters = f'results = "{results}"\ndata = "phantom"\nprofile = "smoke"'
    finish = 'from pathlib import Path\nPath(results, f"{data}-{profile}", "n.json").write_text("{}")'
    notebook.cells = [nbformat.v4.new_code_cell(source) for source in (parameters, cell, finish)]
    notebook.cells[0].metadata["tags"] = ["parameters"]
    nbformat.write(notebook, path)
    return path


@pytest.fixture
def small_disk(tmp_path):
    """A results folder that holds 64 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], check=True)
    (folder / "phantom-smoke").mkdir()
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_an_executed_notebook_that_does_not_fit_is_one_line_and_leaves_nothing(tmp_path, small_disk):
    notebook = notebook_with(tmp_path / "n.ipynb", small_disk, "print('x' * 500_000)")
    said = r"executed/phantom-smoke/n\.ipynb: cannot be written \(No space left on device\)"
    with pytest.raises(Failed, match=said) as told:
        run_notebook(notebook, {})
    assert "\n" not in str(told.value)
    assert not list((small_disk / "executed").rglob("*.ipynb"))


def test_a_failed_notebook_is_kept_with_its_error_and_no_draft(tmp_path):
    (tmp_path / "phantom-smoke").mkdir()
    with pytest.raises(Failed, match="ZeroDivisionError"):
        run_notebook(notebook_with(tmp_path / "n.ipynb", tmp_path, "1 / 0"), {})
    (kept,) = (tmp_path / "executed").rglob("*.ipynb")
    assert kept.name == "n.ipynb"
    assert "ZeroDivisionError" in kept.read_text()


def test_what_is_for_the_log_is_told_and_not_left_in_the_page(tmp_path, capsys):
    (tmp_path / "phantom-smoke").mkdir()
    cell = "import sys\nprint('step 3 of 9', file=sys.stderr)\nprint('a result')"
    run_notebook(notebook_with(tmp_path / "n.ipynb", tmp_path, cell), {})
    (kept,) = (tmp_path / "executed").rglob("*.ipynb")
    outputs = [output for cell in nbformat.read(kept, 4).cells for output in cell.outputs]
    streams = [(output.name, output.text) for output in outputs if output.output_type == "stream"]
    assert streams == [("stdout", "a result\n")]
    assert "step 3 of 9" in capsys.readouterr().err


def test_temporary_folders_of_killed_notebooks_are_swept_and_no_others(tmp_path, monkeypatch):
    with tempfile.TemporaryDirectory(dir="/tmp") as temporary:  # sockets have short names
        monkeypatch.setattr(tempfile, "tempdir", temporary)
        gone = subprocess.Popen([sys.executable, "-c", ""])
        gone.wait()
        names = {"killed": f"sadanet-kernel-{gone.pid}-a", "running": f"sadanet-kernel-{os.getpid()}-b"}
        names |= {"gpus": "sadanet-gpus-0", "results": f"sadanet-{gone.pid}-results", "source": "sadanet-0.2.0-src"}
        names |= {"alike": "sadanet-kernel-0.2.0-src"}
        for name in names.values():
            os.mkdir(os.path.join(temporary, name))
        (tmp_path / "phantom-smoke").mkdir()
        run_notebook(notebook_with(tmp_path / "n.ipynb", tmp_path, ""), {})
        left = {name for name in os.listdir(temporary) if name.startswith("sadanet-")}
        assert left == set(names.values()) - {names["killed"]}


def test_an_open_notebook_is_watched_and_what_its_cells_start_is_not(tmp_path, monkeypatch, capfd):
    """JupyterLab tells a kernel of its session by a variable, which every process that a cell starts inherits."""
    monkeypatch.setenv("JPY_SESSION_NAME", "open.ipynb")
    (tmp_path / "phantom-smoke").mkdir()
    cell = """
import os, subprocess, sys
from sadanet_lab.progress import watcher
of_papermill = watcher()
os.environ["JPY_SESSION_NAME"] = "open.ipynb"
child = [sys.executable, "-c", "from sadanet_lab.progress import watcher; print(watcher())"]
started = subprocess.run(child, capture_output=True, text=True).stdout.strip()
print("watchers:", of_papermill, watcher(), started)
"""
    run_notebook(notebook_with(tmp_path / "n.ipynb", tmp_path, cell), {})
    assert "watchers: None notebook None" in capfd.readouterr().out
    assert os.environ["JPY_SESSION_NAME"] == "open.ipynb"
