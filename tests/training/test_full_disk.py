"""A full disk, a folder that is gone: one line, nothing half-written, and the run goes on when there is room."""

import os
import shutil
import subprocess

import pytest
from click.testing import CliRunner

from sadanet_lab.cli import main
from sadanet_lab.images.folder_check import open_folder
from sadanet_lab.training.checkpoints import NAME
from sadanet_lab.training.patches import TrainingSet
from sadanet_lab.training.recipe import make_recipe
from sadanet_lab.training.run_files import WEIGHTS
from sadanet_lab.training.run_store import get_or_train
from sadanet_lab.training.runs import run_folder

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")


@pytest.fixture(scope="module")
def data(phantoms):
    return open_folder(phantoms)


@pytest.fixture(scope="module")
def recipe(data):
    return make_recipe("unet", "smoke", data.fingerprint)


@pytest.fixture(scope="module")
def expected(data, recipe, tmp_path_factory):
    return get_or_train(recipe, data, tmp_path_factory.mktemp("results"))


@pytest.fixture
def disk(tmp_path):
    """A folder, and the function that sets how many KiB it holds."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def resize(kib):
        remount = ",remount" if folder.is_mount() else ""
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kib}k{remount}", "tmpfs", folder], check=True)

    yield folder, resize
    subprocess.run(["umount", folder], check=True)


def train(data, results):
    given = ["--method", "unet", "--profile", "smoke", "--data", str(data.root), "--results", str(results)]
    return CliRunner().invoke(main, ["train", *given, "--checkpoint-seconds", "100"])  # one at the end


@needs_root
def test_a_training_whose_disk_is_full_ends_in_a_line_and_goes_on_when_there_is_room(data, recipe, expected, disk):
    results, resize = disk
    resize(64)
    told, kib = train(data, results), 64
    ends = set()
    while told.exit_code:
        assert told.exit_code in (1, 2), told.output
        (line,) = [line for line in told.stderr.splitlines() if line.startswith("error: ")]
        assert "No space left on device" in line
        ends.add(line.split(":")[1].rpartition("/")[2])
        left = {path.name for path in results.rglob("*") if path.is_file() and not path.name.endswith(".lock")}
        assert not [name for name in left if name.startswith(".")], "half-written files are left lying"
        kib = round(kib * 1.1)
        resize(kib)
        told = train(data, results)
    assert ends >= {NAME, WEIGHTS}  # the disk was full at several moments
    folder = run_folder(recipe, results)
    for path in expected.folder.rglob("*"):
        if path.is_file() and path.name not in ("environment.json", "complete.json"):
            assert (folder / path.relative_to(expected.folder)).read_bytes() == path.read_bytes(), path
    assert CliRunner().invoke(main, ["verify", str(folder)]).exit_code == 0


def test_a_results_folder_deleted_in_training_ends_in_a_line(data, tmp_path, monkeypatch):
    item = TrainingSet.__getitem__

    def delete(self, step):
        if step == 3:
            shutil.rmtree(tmp_path / "results")
        return item(self, step)

    monkeypatch.setattr(TrainingSet, "__getitem__", delete)
    told = train(data, tmp_path / "results")
    assert told.exit_code == 1
    assert "cannot be written (No such file or directory)" in told.stderr
    monkeypatch.undo()
    assert train(data, tmp_path / "results").exit_code == 0
    assert list((tmp_path / "results").rglob(WEIGHTS))
