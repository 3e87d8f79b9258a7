"""What several test files share: a small phantom folder, one smoke run of the whole graph, alike conditions."""

import os
import shutil
import subprocess
import sys

# Before torch is loaded: tests run side by side, each with one thread, and what they start too.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import torch
from filelock import FileLock
from stub_runs import IMAGE, stub_run

from sadanet_lab.paths import ROOT
from sadanet_lab.phantom import write_folder
from sadanet_lab.studies.attention_maps import attention_maps


def pytest_addoption(parser):
    parser.addoption("--record", action="store_true", help="tests/golden: write the values anew, VERSION was raised")


@pytest.fixture(scope="session")
def phantoms(tmp_path_factory):
    """A folder of 4 training and 2 test phantoms, 64 x 256 pixels. Not to be changed: see ``copy_of_phantoms``."""
    folder = tmp_path_factory.mktemp("data") / "phantoms"
    write_folder(folder, train=4, test=2, width=64, height=256)
    return folder


@pytest.fixture
def copy_of_phantoms(phantoms, tmp_path):
    """The same folder, to be spoilt."""
    return shutil.copytree(phantoms, tmp_path / "phantoms")


@pytest.fixture
def alike():
    """One seed."""
    torch.manual_seed(0)


@pytest.fixture(scope="module")
def sadanet():
    """SADANet, never trained, as ``stub_runs`` makes it; ``danet`` and ``maps``, SADANet's, likewise."""
    return stub_run("sadanet")


@pytest.fixture(scope="module")
def danet():
    return stub_run("danet")


@pytest.fixture(scope="module")
def maps(sadanet):
    return attention_maps(sadanet.network(), sadanet.recipe, IMAGE)


@pytest.fixture(scope="session")
def reproduced(tmp_path_factory, worker_id):
    """(results folder, output) of the whole graph at profile smoke: every training and every notebook, once.

    All workers share it: tests that look at it are marked ``notebook``, those in the browser ``browser``.
    """
    base = tmp_path_factory.getbasetemp()
    results = (base if worker_id == "master" else base.parent) / "reproduced"
    told = results.with_suffix(".txt")
    with FileLock(results.with_suffix(".lock")):
        if not told.exists():
            command = [sys.executable, "-m", "sadanet_lab", "reproduce", "--profile", "smoke", "--results", results]
            done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
            assert done.returncode == 0, done.stdout[-6000:].decode()
            for folder in ("phantom-smoke", "executed"):  # tests in the browser run notebooks anew
                shutil.copytree(results / folder, results.with_name("as_reproduced") / folder)
            told.write_bytes(done.stdout)
    return results, told.read_text()


@pytest.fixture(scope="session")
def frozen(reproduced):
    """The folder of what `sadanet freeze` keeps of the graph's results; its parent is one of references."""
    from sadanet_lab.reporting.reference import freeze

    results, _ = reproduced
    kept = results.with_name("references") / "smoke-cpu"
    with FileLock(results.with_name("references.lock")):
        if not kept.exists():
            freeze(results.with_name("as_reproduced") / "phantom-smoke", results / "runs", kept)
    return kept


def pytest_collection_modifyitems(items):
    """The graph first, for it takes longest; the browser last, on all workers, for it wants the graph's results."""
    items.sort(key=lambda item: ("browser" in item.path.parts, not item.get_closest_marker("notebook")))


def pytest_itemcollected(item):
    """Which tests share a worker, and so its fixtures: those of a file; a half of those in the browser."""
    if "browser" in item.path.parts:
        item.add_marker(pytest.mark.browser)
        item.add_marker(pytest.mark.xdist_group(f"browser {sum(map(ord, item.name)) % 2}"))
    elif item.get_closest_marker("notebook"):
        item.add_marker(pytest.mark.xdist_group("notebooks"))
    else:
        item.add_marker(pytest.mark.xdist_group(item.path.stem))
