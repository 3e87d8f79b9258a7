"""The comparison's methods: published sizes, the contract that all share, and the choices that each offers."""

import socket
from collections import namedtuple

import numpy as np
import pytest
import timm
import torch
from torch import nn

from sadanet_core import SpatialCrissCrossAttention, record_attention
from sadanet_lab.errors import BadInput
from sadanet_lab.inference.onnx_export import export_onnx
from sadanet_lab.inference.onnx_model import OnnxModel
from sadanet_lab.methods import find_method, registry
from sadanet_lab.methods.shared.method import NetworkSettings
from sadanet_lab.training.recipe import make_recipe

Case = namedtuple("Case", "name head backbone")
SWIN = "swin_tiny_patch4_window7_224"
SMALL_SWIN = {"embed_dim": 16, "depths": (2, 2, 2, 2), "num_heads": (1, 2, 4, 8)}
CASES = [Case(m.name, head, "resnet10t") for m in registry().values() for head in m.heads or (None,)]
CASES += [Case(name, None, SWIN) for name in ("fpn", "sa2net")]


@pytest.fixture(autouse=True)
def offline(alike, monkeypatch):
    """A use of the network ends the test, whatever the code catches (pytest's failure is no ``Exception``)."""
    for function in ("getaddrinfo", "create_connection"):
        monkeypatch.setattr(socket, function, lambda *_args, **_kwargs: pytest.fail("the network was used"))


@pytest.fixture(autouse=True)
def small_swin(monkeypatch):
    """timm's Swin with shifted windows and patch merging as ever, but narrow and with two blocks a stage."""
    create = timm.create_model
    monkeypatch.setattr(timm, "create_model", lambda n, **o: create(n, **o, **(SMALL_SWIN if n == SWIN else {})))


def build(name, head=None, backbone="resnet10t", channels=1, **settings):
    """A tiny network of the method; every gamma at 0.5, so that no attention is switched off."""
    common = {"width": 32, "image_height": 128, "image_width": 64}
    settings = common | {"head": head, "backbone": backbone, "input_channels": channels} | settings
    network = find_method(name).build(NetworkSettings(**settings))
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


def trained(network, loss_of, steps):
    """The losses of that many steps of Adam on one fixed sample."""
    (picture, labels), optimiser = sample(), torch.optim.Adam(network.parameters(), 1e-2)
    losses = []
    for _ in range(steps):
        optimiser.zero_grad()
        losses.append(loss_of(network.train()(picture), labels))
        losses[-1].backward()
        optimiser.step()
    return losses


def losses_of(name, network, lambda_dice=3.0):
    return {loss: builder(network, lambda_dice) for loss, builder in find_method(name).losses.items()}


@pytest.mark.parametrize("case", CASES, ids=["-".join(filter(None, case)) for case in CASES])
class TestEveryNetwork:
    @pytest.mark.parametrize("channels", [1, 3])
    def test_one_picture_of_any_size_gives_logits_of_that_size_and_the_same_again(self, case, channels):
        network = build(*case, channels, classes=5).eval()
        for height, width in [(65, 33), (127, 61), (96, 16), (17, 50), (3, 1)]:
            picture = torch.randn(1, channels, height, width)
            logits = network(picture)
            assert logits.shape == (1, 5, height, width)
            assert logits.isfinite().all()
            assert torch.equal(network(picture), logits)

    def test_in_evaluation_a_picture_does_not_depend_on_its_neighbour_in_the_batch(self, case):
        network, (picture, _) = build(*case).eval(), sample()
        torch.testing.assert_close(network(picture)[1:], network(picture[1:]), rtol=1e-4, atol=1e-5)

    @pytest.mark.parametrize("channels", [1, 3])
    def test_training_gives_exactly_the_outputs_that_have_a_loss_weight_main_first(self, case, channels):
        network = build(*case, channels).train()
        for height, width in [(65, 33), (41, 17)]:
            outputs = network(torch.randn(2, channels, height, width))
            assert list(outputs) == list(network.loss_weights)
            assert next(iter(outputs)) == "main"
            assert {tuple(each.shape) for each in outputs.values()} == {(2, 4, height, width)}
        assert network.loss_weights["main"] == 1
        assert min(network.loss_weights.values()) > 0

    @pytest.mark.parametrize("lambda_dice", [0.0, 3.0])
    def test_each_loss_is_a_scalar_with_a_finite_gradient_for_every_parameter(self, case, lambda_dice):
        network, (picture, labels) = build(*case).train(), sample(65, 33)
        for loss_of in losses_of(case.name, network, lambda_dice).values():
            network.zero_grad()
            loss = loss_of(network(picture), labels)
            assert loss.shape == ()
            loss.backward()
            assert [n for n, p in network.named_parameters() if p.grad is None or not p.grad.isfinite().all()] == []
            assert all(p.grad.any() for n, p in network.named_parameters() if n.endswith("gamma"))

    def test_a_saved_and_loaded_network_gives_the_same_output(self, case, tmp_path):
        network, other, (picture, _) = build(*case), build(*case), sample()
        trained(network, next(iter(losses_of(case.name, network).values())), steps=2)
        torch.save(network.state_dict(), tmp_path / "weights.pt")
        expected = network.eval()(picture)
        assert not torch.equal(other.eval()(picture), expected)
        other.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True))
        assert torch.equal(other(picture), expected)

    def test_each_loss_falls_by_a_fifth_in_30_steps_and_bfloat16_then_predicts_as_float32_does(self, case):
        """bfloat16 keeps 8 bits, 0.4 % a rounding; over the layers the logits may part by 3 % of their spread."""
        picture, _ = sample()
        for loss in find_method(case.name).losses:
            network = build(*case)
            loss_of = losses_of(case.name, network)[loss]
            losses = trained(network, loss_of, steps=20)
            with torch.no_grad():
                exact = network.eval()(picture)
                with torch.autocast("cpu", torch.bfloat16):
                    rounded = network(picture).float()
            assert not torch.equal(rounded, exact), "autocast had no effect"
            assert (rounded - exact).norm() < 0.03 * (exact - exact.mean()).norm()
            assert trained(network.train(), loss_of, steps=10)[-1] < 0.8 * losses[0]

    @pytest.mark.filterwarnings("ignore")
    @pytest.mark.slow
    def test_onnx_runtime_computes_the_same_logits_at_any_size(self, case):
        network, settings = build(*case).eval(), make_recipe(case.name, "smoke", "x", image_height=128, patch_height=32)
        exported = OnnxModel(export_onnx(network, settings, case.name), case.name)
        own, others = (128, settings.image_width), [(65, 33), (127, 61), (96, 16), (41, 50)]
        if case.backbone == SWIN:
            with pytest.raises(BadInput, match="cannot see a picture of 33 x 65 pixels"):
                exported.logits(np.zeros((1, 1, 65, 33), np.float32))
            others = []
        for height, width in [own, *others]:
            picture = torch.randn(1, 1, height, width)
            found = exported.logits(picture.numpy())
            np.testing.assert_allclose(found, network(picture).detach().numpy(), rtol=0, atol=1e-4)

    def test_the_backbone_is_handed_its_weights(self, case):
        if find_method(case.name).uses_backbone:
            with pytest.raises(BadInput, match=r"missing\.pt"):
                build(*case, weights="missing.pt")
        else:
            assert not hasattr(build(*case, weights="missing.pt"), "backbone")


# --- published sizes ---


def parameters(module):
    return sum(each.numel() for each in module.parameters())


@pytest.fixture(scope="module")
def full_size():
    """Every method and head in the paper's size, without its numbers."""
    with torch.device("meta"):
        names = [(method.name, head) for method in registry().values() for head in method.heads or (None,)]
        return {name + ("-table3" * (head == "table3")): build_full(name, head) for name, head in names}


def build_full(name, head):
    return find_method(name).build(NetworkSettings(head=head))


def test_the_parameters_of_the_whole_network_are_those_published(full_size):
    """Table III; the published 49.81, 51.03 and 65.19 M."""
    expected = {
        "danet": 49_819_634,
        "ccnet": 49_814_505,
        "sadanet-without-sca": 51_034_166,
        "sadanet-without-saa": 49_815_530,
        "sadanet": 51_030_062,
        "sadanet-table3": 65_191_990,
    }
    assert {name: parameters(full_size[name]) for name in expected} == expected


def test_the_parameters_of_the_other_methods_are_those_counted_by_hand(full_size):
    """UNet: encoder 38,848, then 13.5 o^2 + 4 o; decoder 29 o^2 + 6 o; heads 37,252 + 74,116. A semantic FPN: 1 x 1
    984,064, 3 x 3 2,360,320, levels 1,623,808. PSANet, each direction: 1,049,600 + 263,168 + 255 * 63 * 512."""
    backbone, pyramid, psa = 23_527_264, 984_064 + 2_360_320 + 1_623_808, 1_049_600 + 263_168 + 255 * 63 * 512
    expected = {
        "unet": 29_060_936,
        "rsnu": 29_060_936,
        "fpn": backbone + pyramid + 516,
        "seam": backbone + pyramid + (4_128 + 516 + 4_352 + 295_168) + 516,
        "psanet": backbone + 2 * psa + 2_101_248 + 18_875_392 + 2_052 + 2_360_836,
    }
    assert {name: parameters(full_size[name]) for name in expected} == expected


COMPONENTS = {
    "backbone.body.layer3": 7_098_368,
    "backbone.body.layer4": 14_964_736,
    "backbone": 23_527_264,
    "position_in": 9_438_208,
    "position_out": 2_360_320,
    "position_attention": 328_321,
    "channel_in": 9_438_208,
    "channel_out": 2_360_320,
    "channel_attention": 1,
    "spatial_in": 9_438_208,
    "spatial_out": 2_360_320,
    "spatial_attention": 328_321,
    "fuse": 11_797_504,
    "spatial_fuse": 11_797_504,
    "spatial_last": 2_360_320,
    "classify": 2_052,
    "classify_position": 2_052,
    "classify_channel": 2_052,
    "classify_spatial": 2_052,
}
FCN, SAA = {"auxiliary": 2_360_836}, {"auxiliary": 3_575_368, "auxiliary.reduce": 2_359_808}
SAA |= {"theta": 16_448, "phi": 1_028, "delta": 16_896, "rho": 1_180_160}


@pytest.mark.parametrize(
    ("name", "auxiliary", "count"),
    [
        ("danet", FCN, 12),
        ("ccnet", FCN, 8),
        ("sadanet", SAA, 10),
        ("sadanet-table3", SAA, 14),
        ("sadanet-without-sca", SAA, 12),
        ("sadanet-without-saa", FCN, 10),
    ],
)
def test_the_parameters_of_the_components_are_those_of_table_3(full_size, name, auxiliary, count):
    parts = dict(full_size[name].named_modules())
    found = {
        part.removeprefix("head.").removeprefix("auxiliary.attention."): parameters(m) for part, m in parts.items()
    }
    assert {part: found.get(part) for part in auxiliary} == auxiliary
    there = {part: n for part, n in COMPONENTS.items() if part in found}
    assert {part: found[part] for part in there} == there
    assert len(there) == count
    assert full_size[name].backbone.channels == [1024, 2048]


# --- names and choices ---


def test_every_method_says_what_is_known_and_what_is_assumed():
    for name, method in registry().items():
        assert find_method(name) is method
        assert method.name == name
        assert all(text.strip() for text in (method.title, method.known, method.assumed))
        assert method.choices == {
            "head": method.heads,
            "normalisation": method.normalisations,
            "loss": (*method.losses,),
        }


def test_an_unknown_method_is_refused_with_the_names_of_those_there_are():
    with pytest.raises(BadInput) as error:
        find_method("nonsense")
    assert all(name in str(error.value) for name in ["nonsense", *registry()])


def test_a_choice_left_open_is_the_methods_own_first():
    for method in registry().values():
        for setting, choices in (("head", method.heads), ("normalisation", method.normalisations)):
            if choices:
                left_open, first = (build(method.name, **{setting: choice}) for choice in (None, choices[0]))
                assert str(left_open) == str(first)
                forms = [getattr(m, "normalisation", None) for m in left_open.modules()]
                assert forms == [getattr(m, "normalisation", None) for m in first.modules()]


@pytest.mark.parametrize("name", ["ccnet", "sadanet", "sadanet-without-saa", "sa2net"])
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


@pytest.mark.parametrize("width", [16, 48, 80])
def test_sa2net_is_refused_in_one_line_where_its_heads_do_not_fit(width):
    with pytest.raises(BadInput, match=f"width {width}; expected a multiple of 32") as error:
        build("sa2net", width=width)
    assert "\n" not in str(error.value)
