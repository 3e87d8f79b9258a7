"""Pictures to make cohorts of."""

import shutil
from pathlib import Path

import pytest

from sadanet_lab.phantom import write_folder


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """Five test phantoms in the published layout, without a training list."""
    folder = tmp_path_factory.mktemp("cohort") / "data"
    write_folder(folder, train=1, test=5, width=96, height=384)
    (folder / "train.txt").unlink()  # as a published demo comes
    return folder


@pytest.fixture
def pictures(demo, tmp_path):
    """The five pictures in a plain folder."""
    return Path(shutil.copytree(demo / "dataset" / "test", tmp_path / "pictures"))
