"""Runs of two methods and two seeds on a few phantoms."""

import pytest

from sadanet_lab.images.folder_check import open_folder
from sadanet_lab.training.run_store import get_or_train_each


@pytest.fixture(scope="module")
def runs(phantoms, tmp_path_factory):
    data = open_folder(phantoms)
    return get_or_train_each(
        ["unet", "sadanet"], [0, 1], "smoke", data, tmp_path_factory.mktemp("results"), iterations=2
    )
