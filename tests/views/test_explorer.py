"""The attention explorer: its maps are the network's own; its widgets choose, draw, take a file and save."""

from datetime import UTC, datetime
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from sadanet_core import record_attention
from sadanet_core.attention import StructureAffinityAttention
from sadanet_lab import methods as registry
from sadanet_lab.errors import BadInput
from sadanet_lab.images.png import png_bytes
from sadanet_lab.images.vpi_folder import open_folder
from sadanet_lab.inference.framing import network_input
from sadanet_lab.inference.segmentation import as_tensor, labels_of
from sadanet_lab.studies.attention_maps import attention_maps
from sadanet_lab.training.recipe import make_recipe
from sadanet_lab.training.run_store import get_or_train
from sadanet_lab.training.trainer import build_network
from sadanet_lab.views.attention_panels import Panels, colour
from sadanet_lab.views.explorer import LAST, NONE, Explorer, static_grid

IMAGE = np.random.default_rng(0).integers(0, 256, (256, 96), np.uint8)


def stub_run(method, profile="smoke", **changes):
    """A run that was never trained: its recipe and its random network."""
    recipe = make_recipe(method, profile, "none", **changes)
    network = build_network(recipe).eval()
    with torch.no_grad():
        for module in network.modules():
            if hasattr(module, "gamma"):
                module.gamma.fill_(0.5)
    return SimpleNamespace(recipe=recipe, network=lambda step=None: network, snapshots={})


@pytest.fixture(scope="module")
def sadanet():
    return stub_run("sadanet")


@pytest.fixture(scope="module")
def danet():
    return stub_run("danet")


@pytest.fixture(scope="module")
def maps(sadanet):
    return attention_maps(sadanet.network(), sadanet.recipe, IMAGE)


def full_matrix(cross):
    """SCA's map (h, w, h + w) as the matrix (hw, hw) over all pairs of cells, cell by cell."""
    h, w = cross.shape[:2]
    matrix = np.zeros((h, w, h, w))
    for row in range(h):
        for column in range(w):
            for i in range(h):
                matrix[row, column, i, column] += cross[row, column, i]
            for j in range(w):
                matrix[row, column, row, j] += cross[row, column, h + j]
    return matrix.reshape(h * w, h * w)


def test_criss_cross_maps_are_rows_of_the_full_attention_matrix(maps):
    h, w = maps.grid
    assert (h, w) == (32, 8)  # 256 x 64 at stride 8
    first, second = (full_matrix(cross.numpy()) for cross in maps.crosses)
    both = second @ first
    for row, column in ((0, 0), (13, 5), (h - 1, w - 1)):
        one, two = (maps.criss_cross((row, column), passes) for passes in (1, 2))
        np.testing.assert_allclose(one.ravel(), first[row * w + column], atol=1e-6)
        np.testing.assert_allclose(two.ravel(), both[row * w + column], atol=1e-6)
        assert one.sum() == pytest.approx(1, abs=1e-5)
        assert two.sum() == pytest.approx(1, abs=1e-5)
        assert (one > 0).sum() == h + w - 1
        assert (two > 0).all()


def test_position_attention_is_the_row_of_the_module_s_matrix_written_out(danet):
    network = danet.network()
    maps = attention_maps(network, danet.recipe, IMAGE)
    picture = as_tensor(network_input(IMAGE, danet.recipe).picture)
    with torch.no_grad():
        f = network.position_in(network.backbone(picture)[1])
        q, k = (layer(f).flatten(2)[0] for layer in (network.position_attention.query, network.position_attention.key))
        matrix = (q.T @ k).softmax(-1)
    row, column = 7, 3
    expected = matrix[row * maps.grid[1] + column].reshape(maps.grid)
    np.testing.assert_allclose(maps.position((row, column)), expected, rtol=1e-4)
    assert maps.criss_cross((row, column), 1) is None


def test_class_maps_affinity_and_channels_are_what_the_modules_gave(sadanet, maps):
    network = sadanet.network()
    picture = as_tensor(network_input(IMAGE, sadanet.recipe).picture)
    with torch.inference_mode(), record_attention(network) as recorded:
        network.auxiliary(network.backbone(picture)[0])
        network(picture)
    torch.testing.assert_close(maps.classes, recorded["auxiliary.attention.class_maps"][0][0])
    torch.testing.assert_close(maps.affinity, recorded["auxiliary.attention.affinity"][0][0])
    torch.testing.assert_close(maps.channels, recorded["head.channel_attention.attend"][0][0])
    torch.testing.assert_close(maps.classes.sum(0), torch.ones(maps.grid))
    (best, weight), (_, next_weight) = maps.partners(4, 2)
    others = maps.channels[4].clone()
    others[4] = -1
    assert (best, weight) == (int(others.argmax()), pytest.approx(float(others.max())))
    assert next_weight <= weight


def test_prediction_and_confidence_are_those_of_the_network(sadanet, maps):
    np.testing.assert_array_equal(maps.labels, labels_of(sadanet.network(), IMAGE, sadanet.recipe))
    assert maps.confidence.shape == IMAGE.shape
    assert maps.confidence.min() >= 0.25


@pytest.mark.parametrize("method", registry.registry())
def test_every_method_has_its_panels_or_is_refused_in_a_line(method):
    run = stub_run(method)
    if not registry.registry()[method].uses_backbone:
        with pytest.raises(BadInput, match=f"{method}: a network without a backbone"):
            attention_maps(run.network(), run.recipe, IMAGE)
        return
    maps = attention_maps(run.network(), run.recipe, IMAGE)
    np.testing.assert_array_equal(maps.labels, labels_of(run.network(), IMAGE, run.recipe))
    has_saa = any(isinstance(module, StructureAffinityAttention) for module in run.network().modules())
    assert (maps.classes is not None) == has_saa
    assert Panels(maps, method).draw(200, 90).width > 2 * 200  # prediction and confidence at least


def test_black_beside_a_fitted_image_is_cut_off():
    run = stub_run("sadanet", "shipped", image_height=128, patch_height=128)
    image = IMAGE[:, :90]  # 45 pixels wide of 48
    maps = attention_maps(run.network(), run.recipe, image)
    assert maps.grid == (16, 6)
    assert maps.criss_cross((15, 5), 2).shape == maps.classes.shape[1:] == maps.features.shape[1:] == (16, 6)


def test_a_pixel_belongs_to_the_cell_that_it_lies_in(maps):
    assert maps.cell(0, 0) == (0, 0)
    assert maps.cell(7, 11) == (0, 0)
    assert maps.cell(8, 12) == (1, 1)
    assert maps.cell(255, 95) == (31, 7)


def test_colours_run_from_dark_to_bright_with_the_largest_value_on_top():
    rgb = colour(np.array([0.0, 0.25, 1.0])).sum(-1)
    assert rgb[0] < rgb[1] < rgb[2]


def test_opacity_0_shows_the_image_and_1_the_map(maps):
    panels = Panels(maps, "x", height=256)
    clear, covered = (np.asarray(panels.draw(100, 40, opacity)) for opacity in (0.0, 1.0))
    assert (clear != covered).any()
    cross = panels._over(maps.criss_cross((5, 5), 1), 0.0)
    np.testing.assert_array_equal(cross, panels.grey.astype(np.uint8))


@pytest.fixture
def explorer(sadanet, danet, tmp_path):
    images = {"a": IMAGE, "b": IMAGE[:, ::-1].copy()}
    return Explorer(images, {"SADANet": sadanet, "DANet": danet}, tmp_path / "shots")


def test_every_control_changes_the_picture(explorer):
    shown = explorer.picture.value
    for control, value in (
        (explorer.row, 17),
        (explorer.column, 5),
        (explorer.opacity, 0.2),
        (explorer.channel, 7),
        (explorer.image, "b"),
        (explorer.second, "DANet"),
        (explorer.network, "DANet"),
    ):
        control.value = value
        assert explorer.picture.value != shown, control.description
        shown = explorer.picture.value
    assert explorer.second.options == (NONE, "SADANet", "DANet")
    assert explorer.step.options == (LAST,)


def test_features_are_computed_once_an_image_and_network(explorer, monkeypatch):
    def again(*_):
        raise AssertionError("computed again")

    monkeypatch.setattr("sadanet_lab.views.explorer.attention_maps", again)
    for row in range(0, 200, 20):
        explorer.row.value = row
    with pytest.raises(AssertionError, match="computed again"):
        explorer.image.value = "b"


def test_save_writes_what_is_shown(explorer, tmp_path):
    explorer._save()
    (path,) = (tmp_path / "shots").glob("*.png")
    np.testing.assert_array_equal(np.asarray(Image.open(path)), np.asarray(explorer.sheet()))
    assert str(path) in explorer.message.value


def upload(name, content):
    told = {"name": name, "type": "image/png", "size": len(content), "last_modified": datetime.now(UTC)}
    return ({**told, "content": memoryview(content)},)


def test_an_uploaded_image_is_shown_and_a_bad_one_told(explorer):
    explorer.upload.value = upload("mine.png", png_bytes(np.tile(IMAGE, (1, 2))))
    assert explorer.image.value == "uploaded: mine.png"
    assert explorer.column.max == 191
    explorer.upload.value = upload("bad.png", b"no picture")
    assert "bad.png: not a PNG image" in explorer.message.value
    assert explorer.image.value == "uploaded: mine.png"


def test_static_grid_has_a_row_for_each_network_and_pixel(sadanet, danet):
    runs = {"SADANet": sadanet, "DANet": danet}
    one = static_grid(IMAGE, {"SADANet": sadanet}, [(0.2, 0.3)], height=200)
    four = static_grid(IMAGE, runs, [(0.2, 0.3), (0.8, 0.5)], height=200)
    assert four.height > 4 * 200
    assert one.height < four.height / 3


def test_training_keeps_snapshots_and_the_explorer_steps_through_them(phantoms, tmp_path, alike):
    data = open_folder(phantoms)
    recipe = make_recipe("sadanet", "smoke", data.fingerprint)
    run = get_or_train(recipe, data, tmp_path, snapshots=2)
    assert list(run.snapshots) == [2, 4]  # of 6 steps
    first, last = (run.network(step).state_dict() for step in (2, None))
    assert any((first[name] != last[name]).any() for name in first)
    explorer = Explorer({"a": IMAGE}, {"SADANet": run}, tmp_path / "shots")
    assert explorer.step.options == (2, 4, LAST)
    shown = explorer.picture.value
    explorer.step.value = 2
    assert explorer.picture.value != shown
