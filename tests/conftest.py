"""What several test files share: a small phantom folder, one smoke run of the whole graph, alike conditions."""

import os
import shutil
import subprocess
import sys

# Before torch is loaded: tests run side by side, each with one thread, and what they start too.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import torch

from sadanet_lab.paths import ROOT
from sadanet_lab.phantom import write_folder


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


@pytest.fixture(scope="session")
def reproduced(tmp_path_factory):
    """(results folder, output) of the whole graph at profile smoke: every training and every notebook, once.

    Tests that use it have the marker ``notebook`` and share one worker, so that no notebook runs for each of them.
    """
    results = tmp_path_factory.mktemp("reproduced")
    command = [sys.executable, "-m", "sadanet_lab", "reproduce", "--profile", "smoke", "--results", str(results)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, done.stdout[-6000:]
    return results, done.stdout


def pytest_itemcollected(item):
    """Which tests share a worker, and so its fixtures: those of a file, and all that look at the graph's results."""
    if "browser" in item.path.parts:
        item.add_marker(pytest.mark.browser)
    shares_results = item.get_closest_marker("notebook") or item.get_closest_marker("browser")
    item.add_marker(pytest.mark.xdist_group("notebooks" if shares_results else item.path.stem))
