"""The black margin above and below an image: there in training and testing, nowhere in what is given back."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from sadanet_core import record_attention
from sadanet_lab.errors import BadInput
from sadanet_lab.images.folder_check import open_folder
from sadanet_lab.images.preparation import GREY_MEAN, GREY_SD
from sadanet_lab.inference.framing import network_input
from sadanet_lab.inference.segmentation import as_tensor, logits_of
from sadanet_lab.studies.attention_maps import attention_maps
from sadanet_lab.training.patches import TrainingSet
from sadanet_lab.training.recipe import make_recipe
from sadanet_lab.training.trainer import build_network

IMAGE = np.random.default_rng(0).integers(0, 256, (256, 64), np.uint8)
MARGIN = 32


class Echo(nn.Module):
    """Gives the picture back, as logits of its one class."""

    def __init__(self):
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, picture):
        return picture


def test_the_network_sees_black_above_and_below_and_it_is_cut_off_again():
    recipe = make_recipe("sadanet", "smoke", "", margin=MARGIN)
    picture = as_tensor(network_input(IMAGE, recipe).picture)
    assert picture.shape == (1, 1, 256 + 2 * MARGIN, 64)
    black = -GREY_MEAN / GREY_SD
    for band in (picture[..., :MARGIN, :], picture[..., -MARGIN:, :]):
        torch.testing.assert_close(band, torch.full_like(band, black))
    grey = (torch.from_numpy(IMAGE).float() - GREY_MEAN) / GREY_SD
    torch.testing.assert_close(logits_of(Echo(), IMAGE, recipe)[0], grey)


def test_logits_are_those_of_the_image_with_black_rows_added_by_hand():
    recipe = make_recipe("sadanet", "smoke", "", margin=MARGIN)
    network = build_network(recipe).eval()
    padded = np.pad(IMAGE, ((MARGIN, MARGIN), (0, 0)))
    taller = make_recipe("sadanet", "smoke", "", image_height=256 + 2 * MARGIN)
    expected = logits_of(network, padded, taller)[:, MARGIN:-MARGIN]
    torch.testing.assert_close(logits_of(network, IMAGE, recipe), expected)


@pytest.mark.parametrize("method", ["sadanet", "danet"])
def test_attention_maps_are_cut_to_the_image(method):
    recipe = make_recipe(method, "smoke", "", margin=MARGIN)
    network = build_network(recipe).eval()
    maps = attention_maps(network, recipe, IMAGE)
    rows, columns, above = 256 // 8, 64 // 8, MARGIN // 8
    assert maps.grid == (rows, columns)
    framed = network_input(IMAGE, recipe)
    assert framed.on_image(framed.picture).shape[-2:] == IMAGE.shape
    with torch.inference_mode(), record_attention(network) as recorded:
        network(as_tensor(framed.picture))
    cell = (13, 5)
    if method == "sadanet":
        row = recorded["head.spatial_attention.attend"][0][0][cell[0] + above, cell[1]]
        down, across = row[: rows + 2 * above], row[rows + 2 * above :]
        np.testing.assert_allclose(
            maps.criss_cross(cell, 1)[:, cell[1]], down[above:-above] + _only(across, cell, rows)
        )
        np.testing.assert_allclose(np.delete(maps.criss_cross(cell, 1)[cell[0]], cell[1]), np.delete(across, cell[1]))
    else:
        whole = recorded["position_attention.attend"][0][0]
        row = whole[(cell[0] + above) * columns + cell[1]].view(rows + 2 * above, columns)
        np.testing.assert_allclose(maps.position(cell), row[above:-above])


def _only(across: torch.Tensor, cell: tuple[int, int], rows: int) -> torch.Tensor:
    """The cell's own share along its row, at its place in its column."""
    return F.one_hot(torch.tensor(cell[0]), rows) * across[cell[1]]


def test_training_patches_show_the_margin_and_the_images_first_and_last_rows(phantoms):
    """Cut uniformly: 64 of 256 rows hold the first row once in 193 times, with a margin of 32 33 times in 257."""
    data = open_folder(phantoms)
    shown = {}
    for margin in (0, MARGIN):
        recipe = make_recipe("sadanet", "smoke", data.fingerprint, margin=margin, rotation_degrees=0.0, batch=4)
        training = TrainingSet(data.train, recipe)
        rows = torch.arange(1, 256 + 1).float()[:, None].expand(256, 64)
        training.images = [F.pad(rows, [0, 0, margin, margin])[None]] * len(training.images)
        first_rows = [image.amin() == 1 or (image == 1).any() for image in _patches(training, 100)]
        shown[margin] = np.mean(first_rows)
    assert shown[0] < 0.02
    assert shown[MARGIN] == pytest.approx(33 / 257, abs=0.06)


def _patches(training, steps):
    for step in range(steps):
        yield from training[step][0]


def test_a_margin_is_refused_where_whole_images_are_shown():
    with pytest.raises(BadInput, match="no margin"):
        make_recipe("sadanet", "shipped", "", margin=16)
