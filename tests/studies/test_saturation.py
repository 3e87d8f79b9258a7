"""Entropy of the rows of Eq. (1) and (3), on whole images and against the size of the picture."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from sadanet_core import record_attention
from sadanet_lab.errors import BadInput
from sadanet_lab.images.folder_check import open_folder
from sadanet_lab.inference.framing import network_input
from sadanet_lab.inference.segmentation import as_tensor, logits_of
from sadanet_lab.studies import run_scores, saturation
from sadanet_lab.training.recipe import make_recipe
from sadanet_lab.training.run_store import get_or_train
from sadanet_lab.training.shipped import shipped_run
from sadanet_lab.views import audit_figures, tables


@pytest.fixture(scope="module")
def runs(phantoms, tmp_path_factory):
    data, results = open_folder(phantoms), tmp_path_factory.mktemp("results")
    forms = ("softmax", "max-minus")
    recipes = [make_recipe("sadanet", "smoke", data.fingerprint, normalisation=form, iterations=2) for form in forms]
    return [get_or_train(recipe, data, results) for recipe in recipes]


def test_both_normalisations_train_apart_and_are_looked_at_row_by_row(runs, phantoms):
    samples = open_folder(phantoms).test
    assert runs[0].folder != runs[1].folder
    rows = saturation.affinity_rows(runs, samples)
    assert len(rows) == 2 * 2 * len(samples) * 32  # forms, trained or not, images, channels of the smoke profile
    chosen = rows.query("normalisation == 'softmax' and network == 'trained' and stem == @samples[0].stem")
    network = runs[0].network()
    with record_attention(network) as maps:
        logits_of(network, samples[0].image(), runs[0].recipe)
    g = maps["head.channel_attention.attend"][0][0].double().numpy()
    np.testing.assert_allclose(chosen.relative_entropy, -(g * np.log(g)).sum(1) / np.log(32), rtol=1e-6)
    np.testing.assert_allclose(chosen.itself, np.diag(g), rtol=1e-6)
    assert audit_figures.affinity_entropies(rows).axes


def test_a_run_that_started_from_trained_weights_has_no_start_to_look_at(runs):
    recipe = runs[0].recipe.model_copy(update={"start": "another", "start_sha256": "0" * 64})
    with pytest.raises(BadInput, match="mine: started from another"):
        saturation.affinity_rows([SimpleNamespace(recipe=recipe, folder="mine")], [])


def test_saturation_of_one_hot_and_of_uniform_rows():
    c = 8
    one_hot, uniform = np.eye(c), np.full((c, c), 1 / c)
    tables_of = []
    for form, g in (("softmax", one_hot), ("max-minus", uniform)):
        entropy = torch.special.entr(torch.tensor(g)).sum(1).numpy() / np.log(c)
        columns = {"relative_entropy": entropy, "largest": g.max(1), "itself": g.diagonal()}
        tables_of.append(pd.DataFrame(columns).assign(normalisation=form, network="trained"))
    found = saturation.saturation(pd.concat(tables_of))
    assert "softmax: 100 % of the rows one-hot, entropy 0.000" in found.verdict
    assert "max-minus: 0 % of the rows one-hot, entropy 1.000" in found.verdict


def test_scores_of_both_forms_stand_side_by_side(runs):
    scores = run_scores.scores_of_runs(runs, label=run_scores.normalisation_label).query("metric == 'dice'")
    rows = tables.wide_markdown(scores, first="Normalisation").splitlines()[2:]
    assert [row.split("|")[1].strip() for row in rows] == ["max-minus", "softmax"]


def test_sizes_go_from_a_training_patch_to_the_whole_image(runs):
    """Smoke: patches of 64 x 32 of images of 256 x 64; the shipped model saw whole images of 896 x 224."""
    assert saturation.sizes_of(runs[0]) == [(64, 32), (128, 64), (256, 64)]
    assert saturation.sizes_of(shipped_run()) == [(224, 112), (448, 224), (896, 224)]


def test_by_size_is_what_the_modules_own_softmax_gives(runs, phantoms):
    """Whole images: GCA's map of the ordinary forward pass, and SAA's of its head run by hand."""
    sample = open_folder(phantoms).test[0]
    table = saturation.by_size([("net", runs[0])], [sample])
    assert list(table.tiles) == [8, 8, 2, 2, 1, 1]
    network = runs[0].network()
    picture = as_tensor(network_input(sample.image(), runs[0].recipe).picture)
    with record_attention(network) as maps, torch.inference_mode():
        network(picture)
        network.auxiliary(network.backbone(picture)[0])
    whole = table[table.height == 256].set_index("equation")
    for equation, name in (("Eq. (1)", "auxiliary.attention.affinity"), ("Eq. (3)", "head.channel_attention.attend")):
        weights = maps[name][0].double().numpy()
        entropy = -(weights * np.log(weights)).sum(-1) / np.log(weights.shape[-1])
        assert whole.relative_entropy[equation] == pytest.approx(entropy.mean(), rel=1e-5)
        assert whole.one_hot[equation] == (weights.max(-1) > saturation.ONE_HOT).mean()
        two = np.sort(np.log(weights), -1)[..., -2:]
        assert whole.gap[equation] == pytest.approx(np.median(two[..., 1] - two[..., 0]), rel=0.02, abs=1e-4)
    assert audit_figures.saturation_by_size(table).axes
    assert "net, Eq. (3)" in saturation.saturation_by_size(table).verdict


def test_the_shipped_model_saturates_and_the_more_the_larger_the_picture(phantoms):
    table = saturation.by_size([("shipped", shipped_run())], open_folder(phantoms).test[:1])
    for _, rows in table.groupby("equation"):
        assert rows.one_hot.is_monotonic_increasing
        assert rows.gap.is_monotonic_increasing
        assert rows.one_hot.iloc[-1] > 0.9
        assert rows.relative_entropy.iloc[-1] < 0.02


def test_a_method_without_either_equation_has_no_rows(phantoms, tmp_path):
    data = open_folder(phantoms)
    run = get_or_train(make_recipe("fpn", "smoke", data.fingerprint, iterations=2), data, tmp_path)
    assert saturation.by_size([("fpn", run)], data.test[:1]).empty
