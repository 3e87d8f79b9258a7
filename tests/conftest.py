"""What several test files share: a small phantom folder, made once, and alike conditions for tiny networks."""

import shutil

import pytest
import torch

from sadanet_lab.phantom import write_folder


@pytest.fixture(scope="session")
def phantoms(tmp_path_factory):
    """A folder of 4 training and 2 test phantoms, 64 x 256 pixels. Not to be changed: see ``copy_of_phantoms``."""
    folder = tmp_path_factory.mktemp("data") / "phantoms"
    write_folder(folder, train=4, test=2, width=64, height=256)
    return folder


@pytest.fixture
def alike():
    """One seed; one thread, far faster for tiny maps on a busy machine."""
    torch.manual_seed(0)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def copy_of_phantoms(phantoms, tmp_path):
    """The same folder, to be spoilt."""
    return shutil.copytree(phantoms, tmp_path / "phantoms")
