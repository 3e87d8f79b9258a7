"""The comparison's methods: published sizes, the contract that all share, and the timm backbone below them."""

import socket

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn

from sadanet_core.errors import BadInput
from sadanet_core.methods import METHODS, NetworkSettings, find
from sadanet_core.network import Backbone, SegmentationLoss, SpatialCrissCrossAttention, record_attention

NETWORKS = [(method.name, head) for method in METHODS.values() for head in method.heads]
every_method = pytest.mark.parametrize(("name", "head"), NETWORKS, ids=["-".join(each) for each in NETWORKS])


@pytest.fixture(autouse=True)
def offline(alike, monkeypatch):
    """A use of the network ends the test, whatever the code catches (pytest's failure is no ``Exception``)."""
    for function in ("getaddrinfo", "create_connection"):
        monkeypatch.setattr(socket, function, lambda *_args, **_kwargs: pytest.fail("the network was used"))


def build(name, head="text", channels=1, **settings):
    """A tiny network of the method; every gamma at 0.5, so that no attention is switched off."""
    common = {"backbone": "resnet10t", "width": 32, "head": head, "input_channels": channels}
    network = find(name).build(NetworkSettings(**common, **settings))
    for key, parameter in network.named_parameters():
        if key.endswith("gamma"):
            nn.init.constant_(parameter, 0.5)
    return network


def sample(height=48, width=24):
    """Pictures with a bright and a brighter rectangle in noise, and their labels."""
    labels = torch.zeros(2, height, width, dtype=torch.long)
    labels[:, height // 4 : height // 2, : width // 2] = 1
    labels[:, height // 2 :, width // 2 :] = 2
    return labels[:, None] + 0.3 * torch.randn(2, 1, height, width), labels


def trained(network, steps):
    """The losses of that many steps of Adam on one fixed sample."""
    picture, labels = sample()
    loss_of, optimiser = SegmentationLoss(network.loss_weights), torch.optim.Adam(network.parameters(), 1e-2)
    losses = []
    for _ in range(steps):
        optimiser.zero_grad()
        losses.append(loss_of(network.train()(picture), labels))
        losses[-1].backward()
        optimiser.step()
    return losses


def parameters(module):
    return sum(each.numel() for each in module.parameters())


@pytest.fixture(scope="module")
def full_size():
    with torch.device("meta"):
        return {name: find(name).build(NetworkSettings()) for name in ("sadanet", "danet", "ccnet", "unet")}


def test_the_parameters_of_the_whole_network_are_those_published(full_size):
    """Table 3; UNet's by hand: encoder 38,848, then 13.5 o^2 + 4 o; decoder 29 o^2 + 6 o; heads 37,252 + 74,116."""
    counts = {name: parameters(network) for name, network in full_size.items()}
    assert counts == {"sadanet": 51_030_062, "danet": 49_819_634, "ccnet": 49_814_505, "unet": 29_060_936}


@pytest.mark.parametrize(
    ("name", "component", "count"),
    [
        ("sadanet", "backbone", 23_527_264),
        ("sadanet", "head.spatial_attention", 328_321),
        ("sadanet", "head.channel_attention", 1),
        ("sadanet", "auxiliary", 3_575_368),
        ("danet", "position_attention", 328_321),
        ("danet", "auxiliary", 2_360_836),
        ("ccnet", "spatial_attention", 328_321),
        ("ccnet", "fuse", 11_797_504),
        ("ccnet", "auxiliary", 2_360_836),
    ],
)
def test_the_parameters_of_the_components_are_those_of_table_3(full_size, name, component, count):
    assert parameters(full_size[name].get_submodule(component)) == count
    assert full_size[name].backbone.channels == [1024, 2048]


@every_method
@pytest.mark.parametrize("channels", [1, 3])
def test_the_output_has_the_size_of_any_picture_and_does_not_change(name, head, channels):
    network = build(name, head, channels, classes=5).eval()
    for height, width in [(65, 33), (127, 61), (96, 16), (3, 1)]:
        picture = torch.randn(1, channels, height, width)
        logits = network(picture)
        assert logits.shape == (1, 5, height, width)
        assert logits.isfinite().all()
        assert torch.equal(network(picture), logits)


@every_method
def test_in_evaluation_a_picture_does_not_depend_on_its_neighbour_in_the_batch(name, head):
    network, (picture, _) = build(name, head).eval(), sample()
    torch.testing.assert_close(network(picture)[1:], network(picture[1:]), rtol=1e-4, atol=1e-5)


@every_method
@pytest.mark.parametrize("channels", [1, 3])
def test_training_gives_the_outputs_that_have_a_loss_weight_main_first(name, head, channels):
    network = build(name, head, channels).train()
    for height, width in [(65, 33), (41, 17)]:
        outputs = network(torch.randn(2, channels, height, width))
        assert next(iter(outputs)) == "main"
        assert set(outputs) == set(network.loss_weights)
        assert {tuple(each.shape) for each in outputs.values()} == {(2, 4, height, width)}
    assert network.loss_weights["main"] == 1


@every_method
def test_the_loss_has_a_finite_gradient_for_every_parameter(name, head):
    network, (picture, labels) = build(name, head), sample(65, 33)
    SegmentationLoss(network.loss_weights)(network(picture), labels).backward()
    assert [n for n, p in network.named_parameters() if p.grad is None or not p.grad.isfinite().all()] == []


@every_method
def test_a_saved_and_loaded_network_gives_the_same_output(name, head, tmp_path):
    network, other, (picture, _) = build(name, head), build(name, head), sample()
    trained(network, steps=2)
    torch.save(network.state_dict(), tmp_path / "weights.pt")
    expected = network.eval()(picture)
    assert not torch.equal(other.eval()(picture), expected)
    other.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True))
    assert torch.equal(other(picture), expected)


@every_method
def test_the_loss_falls_by_a_fifth_in_20_steps_and_bfloat16_then_predicts_as_float32_does(name, head):
    """bfloat16 keeps 8 bits, 0.4 % a rounding; over the layers the logits may part by 3 % of their spread."""
    network, (picture, _) = build(name, head), sample()
    losses = trained(network, steps=20)
    assert losses[-1] < 0.8 * losses[0]
    with torch.no_grad():
        exact = network.eval()(picture)
        with torch.autocast("cpu", torch.bfloat16):
            rounded = network(picture).float()
    assert not torch.equal(rounded, exact), "autocast had no effect"
    assert (rounded - exact).norm() < 0.03 * (exact - exact.mean()).norm()


def test_every_method_says_what_is_known_and_what_is_assumed():
    for name, method in METHODS.items():
        assert find(name) is method
        assert method.name == name
        assert all(text.strip() for text in (method.title, method.known, method.assumed))


def test_an_unknown_method_is_refused_with_the_names_of_those_there_are():
    with pytest.raises(BadInput) as error:
        find("nonsense")
    assert all(name in str(error.value) for name in ["nonsense", *METHODS])


@pytest.mark.parametrize("name", ["ccnet", "sadanet"])
def test_the_two_criss_cross_passes_share_their_weights(name):
    network = build(name).eval()
    assert sum(isinstance(module, SpatialCrissCrossAttention) for module in network.modules()) == 1
    with record_attention(network) as maps:
        network(sample()[0])
    (first, second), *_ = (each for module, each in maps.items() if module.endswith("spatial_attention.attend"))
    assert not torch.equal(first, second)


def test_sadanet_takes_the_channels_softmax_of_equation_3_and_danet_its_own_form():
    assert build("sadanet").head.channel_attention.normalisation == "softmax"
    assert build("danet").channel_attention.normalisation == "max-minus"


# --- the backbone ---


@pytest.fixture(scope="module")
def resnet10t():
    """timm's own network, classifier included, with every number changed from its start."""
    model = timm.create_model("resnet10t")
    for value in model.state_dict().values():
        if value.is_floating_point():
            value.copy_(0.05 + 0.1 * torch.rand_like(value))
    return model


def refused(*arguments):
    with pytest.raises(BadInput) as error:
        Backbone(*arguments)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("name", ["nonsense", "vgg11", "vit_tiny_patch16_224"])
def test_a_backbone_unknown_or_without_stride_8_is_refused_by_name(name):
    assert repr(name) in refused(name)


@pytest.mark.parametrize("content", ["missing", "text", "nothing", "a list", "another net", "other names", "a part"])
def test_weights_that_are_not_the_whole_backbones_are_refused_by_the_files_name(content, resnet10t, tmp_path):
    path, state = tmp_path / "weights.pt", resnet10t.state_dict()
    if content == "text":
        path.write_text("not weights")
    elif content != "missing":
        objects = {
            "nothing": {},
            "a list": [1, 2],
            "another net": timm.create_model("resnet18").state_dict(),
            "other names": {f"network.{key}": value for key, value in state.items()},
            "a part": {key: value for key, value in state.items() if not key.startswith("layer4")},
        }
        torch.save(objects[content], path)
    assert str(path) in refused("resnet10t", 1, str(path))


@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_local_file_of_weights_is_loaded_its_first_convolution_summed_for_grey(channels, suffix, resnet10t, tmp_path):
    path, state = tmp_path / f"weights.{suffix}", resnet10t.state_dict()
    (torch.save if suffix == "pt" else save_file)(state, path)
    found = Backbone("resnet10t", channels, str(path)).body.state_dict()
    if channels == 1:
        state["conv1.0.weight"] = state["conv1.0.weight"].sum(1, keepdim=True)
    assert set(found) == {key for key in state if not key.startswith("fc.")}
    assert [key for key, value in found.items() if not torch.equal(value, state[key])] == []


@every_method
def test_a_method_with_a_backbone_hands_it_its_weights(name, head):
    if find(name).uses_backbone:
        with pytest.raises(BadInput, match=r"missing\.pt"):
            build(name, head, weights="missing.pt")
