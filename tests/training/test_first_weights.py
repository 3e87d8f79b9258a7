"""The recipe's two ways to draw a network's first weights."""

import torch
from torch import nn

from sadanet_core import Backbone
from sadanet_lab.methods import method_names
from sadanet_lab.training import trainer
from sadanet_lab.training.recipe import Recipe, make_recipe


def convolutions_outside_the_backbone(network: nn.Module) -> dict[str, nn.Conv2d]:
    within = {id(part) for root in network.modules() if isinstance(root, Backbone) for part in root.modules()}
    return {
        name: part for name, part in network.named_modules() if isinstance(part, nn.Conv2d) and id(part) not in within
    }


def test_pytorch_draws_every_convolution_outside_the_backbone_uniformly():
    """As its layers start: uniform within 1 / sqrt(fan-in), of variance 1 / (3 fan-in)."""
    for method in method_names():
        network = trainer.build_network(make_recipe(method, "smoke", "", first_weights="pytorch"))
        drawn = convolutions_outside_the_backbone(network)
        assert drawn
        for name, layer in drawn.items():
            fan_in = layer.weight[0].numel()
            assert layer.weight.abs().max() <= fan_in**-0.5, (method, name)
        scaled = torch.cat([(layer.weight * layer.weight[0].numel() ** 0.5).flatten() for layer in drawn.values()])
        assert abs(float(scaled.detach().var()) - 1 / 3) < 0.01, method


def test_the_choice_leaves_the_backbone_and_changes_the_digest():
    networks = {}
    for choice in ("released", "pytorch"):
        networks[choice] = trainer.build_network(make_recipe("sadanet", "smoke", "", first_weights=choice))
    released, own = (network.state_dict() for network in networks.values())
    same = [name for name in released if torch.equal(released[name], own[name])]
    assert {name for name in released if name.startswith("backbone.")} <= set(same)
    assert not {f"{name}.weight" for name in convolutions_outside_the_backbone(networks["pytorch"])} & set(same)
    digests = {make_recipe("sadanet", "smoke", "", first_weights=choice).digest for choice in networks}
    assert len(digests) == 2


def test_runs_of_older_recipes_started_as_pytorch_starts():
    settings = make_recipe("fpn", "smoke", "").model_dump(exclude={"gamma", "first_weights"}) | {"version": 3}
    assert Recipe.model_validate(settings).first_weights == "pytorch"
