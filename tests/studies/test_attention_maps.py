"""Attention maps are the network's own: rows of its matrices, and label maps without a module."""

import numpy as np
import pytest
import torch
from stub_runs import IMAGE, stub_run

from sadanet_core import record_attention
from sadanet_lab import methods as registry
from sadanet_lab.inference.framing import network_input
from sadanet_lab.inference.knockouts import knocked_out
from sadanet_lab.inference.segmentation import as_tensor, labels_of
from sadanet_lab.studies.attention_maps import attention_maps, labels_without


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


def test_a_module_taken_out_leaves_the_labels_of_the_network_without_it(sadanet):
    network, recipe = sadanet.network(), sadanet.recipe
    found = labels_without(network, recipe, IMAGE)
    assert list(found) == list(registry.registry()["sadanet"].attention)
    for title, module in registry.registry()["sadanet"].attention.items():
        with knocked_out(network, module):
            np.testing.assert_array_equal(found[title], labels_of(network, IMAGE, recipe))
    assert any((labels != labels_of(network, IMAGE, recipe)).any() for labels in found.values())
