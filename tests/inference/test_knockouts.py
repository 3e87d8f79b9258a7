"""Every method's attention can be taken out; what is left is written out by hand."""

import pytest
import torch
import torch.nn.functional as F

from sadanet_core import record_attention
from sadanet_core.attention import Softmax
from sadanet_lab.inference.knockouts import knocked_out, shared_features
from sadanet_lab.methods import registry
from sadanet_lab.methods.shared.method import NetworkSettings

SETTINGS = NetworkSettings("resnet10t", input_channels=1, width=32, image_height=64, image_width=32)
WITH_ATTENTION = [(name, title) for name, method in registry().items() for title in method.attention]


def build(name):
    torch.manual_seed(0)
    network = registry()[name].build(SETTINGS).eval()
    for parameter_name, parameter in network.named_parameters():
        if parameter_name.endswith("gamma"):
            torch.nn.init.constant_(parameter, 0.7)
    return network


@pytest.fixture
def picture():
    return torch.randn(1, 1, 64, 32, generator=torch.Generator().manual_seed(1))


def test_every_network_whose_attention_runs_in_testing_declares_all_of_it(picture):
    """All softmax modules that run in a forward pass lie in a declared module, but those inside another's."""
    for name, method in registry().items():
        network = build(name)
        with record_attention(network) as maps, torch.inference_mode():
            network(picture)
        declared = {softmax for attention in method.attention.values() for softmax in attention.maps}
        ran = {key for key in maps if not key.endswith("class_maps") and ".tokens." not in key}
        assert ran == declared, name
        for attention in method.attention.values():
            assert all(isinstance(network.get_submodule(softmax), Softmax) for softmax in attention.maps)


@pytest.mark.parametrize(("name", "title"), WITH_ATTENTION)
def test_without_a_module_the_network_gives_something_else_and_the_same_again_after(name, title, picture):
    network = build(name)
    attention = registry()[name].attention[title]
    with torch.inference_mode():
        whole = network(picture)
        with knocked_out(network, attention):
            without = network(picture)
        assert not torch.equal(without, whole)
        assert torch.equal(network(picture), whole)


@pytest.mark.parametrize(("name", "title"), [pair for pair in WITH_ATTENTION if pair[1] in ("GCA", "SCA", "PAM")])
def test_a_module_that_adds_to_its_input_is_out_where_gamma_is_zero(name, title, picture):
    network = build(name)
    attention = registry()[name].attention[title]
    assert attention.left == "input"
    with torch.inference_mode():
        with knocked_out(network, attention):
            without = network(picture)
        torch.nn.init.zeros_(network.get_submodule(attention.module).gamma)
        torch.testing.assert_close(network(picture), without)


def test_psanet_without_its_masks_sees_zeros_beside_the_backbones_features(picture):
    network = build("psanet")
    with torch.inference_mode():
        with knocked_out(network, registry()["psanet"].attention["masks"]):
            found = network(picture)
        f = network.backbone(picture)[-1]
        logits = network.classify(network.fuse(torch.cat([f, torch.zeros_like(f)], 1)))
    expected = F.interpolate(logits, picture.shape[-2:], mode="bilinear", align_corners=False)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("name", list(registry()))
def test_shared_features_change_no_logit_and_are_computed_once(name, picture):
    network = build(name)
    calls = []
    if hasattr(network, "backbone"):
        network.backbone.body.register_forward_hook(lambda *_: calls.append(1))
    with torch.inference_mode():
        expected = network(picture)
        calls.clear()
        with shared_features(network):
            assert torch.equal(network(picture), expected)
            assert torch.equal(network(picture), expected)
        assert len(calls) == (1 if hasattr(network, "backbone") else 0)
        assert torch.equal(network(picture), expected)
