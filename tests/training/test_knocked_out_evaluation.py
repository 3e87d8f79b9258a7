"""What an evaluation stores beside the counts: the network without its attention, hidden bones, validation images."""

import numpy as np
import pandas as pd
import pytest
import torch

from sadanet_lab.images.folder_check import open_folder
from sadanet_lab.methods import registry
from sadanet_lab.phantom import write_folder
from sadanet_lab.training import trainer
from sadanet_lab.training.evaluation import evaluate, table_names
from sadanet_lab.training.patches import TrainingSet
from sadanet_lab.training.recipe import Recipe, make_recipe

GAMMA = {"head.channel_attention": 0.8, "head.spatial_attention": -0.6}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "demanding"
    write_folder(folder, 3, 2, width=64, height=256, cases="demanding", val=2)
    return open_folder(folder)


@pytest.fixture(scope="module")
def recipe(data):
    return make_recipe("sadanet", "smoke", data.fingerprint)


@pytest.fixture
def network(recipe):
    network = trainer.build_network(recipe).eval()
    for name, gamma in GAMMA.items():
        torch.nn.init.constant_(network.get_submodule(name).gamma, gamma)
    torch.nn.init.normal_(network.head.classify[-1].weight)  # as it starts, all is background
    return network


def test_every_table_is_there_and_validation_images_are_no_test_images(network, data, recipe):
    tables = evaluate(network, data.test, recipe, None, data.val)
    assert list(tables) == table_names()
    assert list(tables["validation"].stem.unique()) == [sample.stem for sample in data.val]
    assert list(tables["counts"].stem.unique()) == [sample.stem for sample in data.test]
    assert set(tables["hidden"].kind) >= {"seen"}
    assert (tables["hidden"].groupby("stem").pixels.sum() > 0).all()


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize(("title", "module"), [("GCA", "head.channel_attention"), ("SCA", "head.spatial_attention")])
def test_without_a_module_the_counts_are_those_of_gamma_zero(network, data, recipe, title, module, flip):
    recipe = recipe.model_copy(update={"test_flip": flip})
    tables = evaluate(network, data.test, recipe)
    attention = tables["attention"].set_index("module")
    assert attention.gamma[title] == pytest.approx(GAMMA[module])
    torch.nn.init.zeros_(network.get_submodule(module).gamma)
    expected = evaluate(network, data.test, recipe)
    for name in ("counts", "hidden"):
        without = tables[f"{name}_without"]
        found = without[without["without"] == title].drop(columns="without").reset_index(drop=True)
        pd.testing.assert_frame_equal(found, expected[name])
        assert not found.equals(tables[name])


def test_the_share_of_one_hot_rows_is_that_of_the_maps(network, data, recipe):
    """With q = k = 0 every row of the criss-cross map is even; with features a thousandfold GCA's rows are one-hot."""
    attention = network.head.spatial_attention
    for layer in (attention.query, attention.key):
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    torch.nn.init.constant_(network.head.channel_in[1].weight, 1000.0)
    found = evaluate(network, data.test, recipe)["attention"].set_index("module").one_hot
    assert found["SCA"] == 0
    assert found["GCA"] > 0.8


def test_of_several_scales_the_probabilities_are_averaged(network, data, recipe):
    single = [evaluate(network, data.test[:1], recipe.model_copy(update={"test_scales": (s,)})) for s in (1.0, 0.5)]
    both = evaluate(network, data.test[:1], recipe.model_copy(update={"test_scales": (1.0, 0.5)}))
    assert not both["counts"].equals(single[0]["counts"])
    assert not both["counts"].equals(single[1]["counts"])
    confidence = [table["calibration"].query("region == 'all'").confidence.sum() for table in (both, *single)]
    assert confidence[0] <= max(confidence[1:])


@pytest.mark.parametrize(("method", "gamma"), [("sadanet", 1), ("sadanet-without-sca", 1), ("sadanet-without-saa", 1),
                                               ("danet", 0), ("ccnet", 0), ("sa2net", 0)])  # fmt: skip
def test_gamma_starts_as_printed_or_as_released_or_as_asked_and_does_not_decay(method, gamma):
    for asked, expected in ((None, gamma), (0.5, 0.5)):
        network = trainer.build_network(make_recipe(method, "smoke", "x", gamma=asked))
        gammas = {name: p for name, p in network.named_parameters() if name.endswith("gamma")}
        assert {p.item() for p in gammas.values()} == {expected}
    decaying, steady = trainer._parameter_groups(network, 0.1)
    assert (decaying["weight_decay"], steady["weight_decay"]) == (0.1, 0)
    assert {id(p) for p in steady["params"]} == {id(p) for p in gammas.values()}
    assert len(decaying["params"]) + len(steady["params"]) == len(list(network.parameters()))


def test_what_a_backbone_calls_gamma_decays():
    network = trainer.build_network(make_recipe("sadanet", "smoke", "x", backbone="convnext_atto", weights="none"))
    own = [name for name, _ in network.named_parameters() if name.endswith("gamma")]
    assert any(name.startswith("backbone.") for name in own)
    _, steady = trainer._parameter_groups(network, 0.1)
    assert len(steady["params"]) == sum(not name.startswith("backbone.") for name in own) > 0


def test_networks_without_gamma_take_none():
    for name, method in registry().items():
        has_gamma = any(
            "gamma" in key for key, _ in trainer.build_network(make_recipe(name, "smoke", "x")).named_parameters()
        )
        assert has_gamma == (method.gamma is not None), name


def test_a_recipe_of_before_started_gamma_at_zero():
    settings = make_recipe("sadanet", "smoke", "x").model_dump(exclude={"gamma"}) | {"version": 3}
    assert Recipe(**settings).gamma == 0
    settings = make_recipe("unet", "smoke", "x").model_dump(exclude={"gamma"}) | {"version": 3}
    assert Recipe(**settings).gamma is None


def test_training_reads_no_validation_image(data, recipe):
    held = TrainingSet(data.train, recipe)
    assert len(held.images) == len(data.train) == 3


def test_half_the_length_is_half_the_iterations():
    whole, half = (make_recipe("unet", "quick", "x", length=length) for length in (None, 0.5))
    assert (whole.iterations, half.iterations) == (220, 110)
    assert half == make_recipe("unet", "quick", "x", iterations=110)
    assert np.isclose(trainer.learning_rate(half, 110), half.final_learning_rate)
