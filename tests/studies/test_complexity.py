"""Parameters, operations and memory: against the published numbers, closed formulas, and a count by other means."""

import json

import pytest
import torch
from click.testing import CliRunner
from torch import nn

from sadanet_core import GlobalChannelAttention, SpatialCrissCrossAttention
from sadanet_lab.cli import main
from sadanet_lab.errors import BadInput
from sadanet_lab.methods import find_method
from sadanet_lab.methods.danet import PositionAttention
from sadanet_lab.methods.shared.method import NetworkSettings
from sadanet_lab.studies import complexity as counting
from sadanet_lab.studies.complexity import attention_costs, complexity, macs, paper_count, paper_macs, peak_bytes

TABLE_3 = [
    ("danet", None, 49_819_634, 199.35),
    ("ccnet", None, 49_814_505, 200.67),
    ("sadanet-without-sca", None, 51_034_166, 199.35),
    ("sadanet-without-saa", None, 49_815_530, 200.67),
    ("sadanet", "text", 51_030_062, 200.67),
    ("sadanet", "table3", 65_191_990, 258.69),
]


@pytest.mark.parametrize(("method", "head", "parameters", "giga"), TABLE_3)
def test_parameters_and_operations_are_exactly_those_of_table_3(method, head, parameters, giga):
    row = paper_count(method, head, 512, 512)
    assert (row["parameters"], round(row["paper_macs"] / 1e9, 2)) == (parameters, giga)


def test_the_papers_convention_written_out_for_a_small_network():
    """Convolution: MACs and a bias each; batch norm 2 an input, ReLU and pooling 1; the auxiliary head left out."""
    network = nn.ModuleDict(
        {
            "body": nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2)),
            "up": nn.Upsample(scale_factor=2),
            "transposed": nn.ConvTranspose2d(8, 5, 2, stride=2),
            "auxiliary": nn.Conv2d(8, 4, 1),
        }
    )
    both = lambda f: (network["transposed"](f), network["up"](f))[1]  # noqa: E731
    network.forward = lambda f: network["auxiliary"](both(network["body"](f))) @ torch.ones(10, 7)
    pixels = 20 * 10
    conv, norm, relu, pooling, up = pixels * 8 * (27 + 1), 2 * 8 * pixels, 8 * pixels, 8 * pixels, 8 * pixels
    transposed = pixels // 4 * 8 * 4 * 5 + 5 * pixels
    assert paper_macs(network, torch.ones(1, 3, 20, 10)) == conv + norm + relu + pooling + up + transposed


@pytest.mark.parametrize(("height", "width"), [(64, 64), (256, 64), (5, 7)])
def test_attention_alone_costs_what_its_equation_says(height, width):
    """q, k: C x C/8 each, v: C x C a pixel; then each pair of positions C/8 for the energy and C for the sum."""
    c, pixels = 64, height * width
    projections = (2 * c * c // 8 + c * c) * pixels
    expected = {
        PositionAttention(c): projections + pixels * pixels * (c // 8 + c),
        SpatialCrissCrossAttention(c): projections + pixels * (height + width) * (c // 8 + c),
        GlobalChannelAttention(): 2 * c * c * pixels,
    }
    f = torch.empty(1, c, height, width, device="meta")
    for module, count in expected.items():
        assert macs(module.to("meta"), f) == count


def test_the_closed_formulas_agree_with_the_counts_at_every_height():
    costs = attention_costs([250, 512, 2048], image_width=300, channels=32)
    assert (costs.macs == costs.formula_macs).all()
    assert list(costs.attention.unique()) == ["PAM", "SCA x 2", "GCA"]


@pytest.fixture(scope="module")
def rows():
    return {name: complexity(name, height=256, width=128) for name in ("fpn", "danet", "sadanet")}


def convolutions(network, picture):
    """MACs of the convolutions that run, one output value at a time: its kernel's weights."""
    total = []
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda m, _i, o: total.append(o.numel() * m.weight[0].numel()))
    network(picture)
    return sum(total)


@pytest.mark.parametrize("name", ["danet", "sadanet"])
@pytest.mark.slow
def test_inference_is_the_convolutions_and_the_products_of_the_attention(rows, name):
    with torch.device("meta"):
        network = find_method(name).build(NetworkSettings()).eval()
        convs = convolutions(network, torch.empty(1, 3, 256, 128))
    height, width, c = 32, 16, 512
    pixels = height * width
    pam, sca, gca = pixels**2 * (c + c // 8), 2 * pixels * (height + width) * (c + c // 8), 2 * c * c * pixels
    products = {"danet": pam + gca, "sadanet": sca + gca}[name]
    assert rows[name]["inference_macs"] == convs + products


@pytest.mark.slow
def test_training_adds_the_structure_affinity_head(rows):
    pixels = 32 * 16
    convs = 9 * 1024 * 256 + 256 * 64 + 256 * 4 + 64 * 256 + 9 * 512 * 256 + 256 * 4
    products = 2 * 64 * 4
    assert rows["sadanet"]["training_macs"] - rows["sadanet"]["inference_macs"] == (convs + products) * pixels


@pytest.mark.slow
def test_a_step_is_three_forward_passes_but_for_the_gradient_of_the_picture(rows):
    """Every convolution has two gradients of its own cost; the first one needs none for its input."""
    first = 27 * 32 * 128 * 64
    assert rows["fpn"]["step_macs"] == 3 * rows["fpn"]["training_macs"] - first


def peak(network, picture, train=False):
    def run(f):
        with torch.set_grad_enabled(train):
            output = network(f)
        return output.sum().backward() if train else None

    return peak_bytes(network, run, picture)


@pytest.mark.parametrize("device", ["meta", "cpu"])
def test_peak_memory_of_a_chain_is_two_maps_in_inference_and_all_in_training(device):
    maps = nn.Sequential(*(nn.Conv2d(4, 4, 3, padding=1, bias=False) for _ in range(5))).to(device)
    picture = torch.empty(1, 4, 16, 16, device=device)
    assert peak(maps, picture) == 2 * picture.nbytes
    assert peak(maps, picture, train=True) >= 5 * picture.nbytes


def test_peak_memory_of_position_attention_is_its_energy_its_map_and_the_projections():
    height, width, c = 64, 32, 64
    module = PositionAttention(c).to("meta")
    map_bytes, projections = 4 * (height * width) ** 2, 4 * height * width * (2 * c // 8 + c)
    assert peak(module, torch.empty(1, c, height, width, device="meta")) == 2 * map_bytes + projections


def test_training_takes_all_that_the_forward_pass_keeps_where_gradients_outweigh_it():
    """Eight weights of 9 MiB, maps of 2 MiB: the worst moment of activations is not where gradients are most."""
    wide = nn.Sequential(nn.Conv2d(4, 512, 1), *(nn.Conv2d(512, 512, 3, padding=1) for _ in range(8))).to("meta")
    picture, of_a_map = torch.empty(1, 4, 32, 32, device="meta"), 4 * 512 * 32**2
    assert peak(wide, picture, train=True) >= 9 * of_a_map


@pytest.mark.slow
def test_the_whole_image_needs_far_more_memory_with_position_attention(rows):
    assert rows["danet"]["whole_image_peak_bytes"] > 4 * rows["sadanet"]["whole_image_peak_bytes"]
    assert rows["sadanet"]["training_peak_bytes"] > rows["sadanet"]["inference_peak_bytes"]


def test_psanet_can_be_counted_for_an_image_larger_than_the_papers():
    assert paper_count("psanet", None, 2560, 512)["parameters"] > paper_count("psanet", None, 512, 512)["parameters"]


@pytest.mark.parametrize(("method", "head"), [("nonsense", None), ("danet", "table3"), ("sadanet", "nonsense")])
def test_an_unknown_method_or_head_is_refused_in_one_line(method, head):
    with pytest.raises(BadInput) as error:
        complexity(method, head)
    assert "\n" not in str(error.value)


# --- the command ---


def run(*arguments):
    result = CliRunner().invoke(main, ["complexity", *arguments])
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.slow
def test_the_command_prints_json_csv_and_a_table(rows):
    code, text, _ = run("--method", "fpn", "--height", "256", "--width", "128", "--format", "json")
    assert code == 0
    assert json.loads(text) == rows["fpn"]
    code, text, _ = run("--method", "fpn", "--height", "256", "--width", "128", "--format", "csv")
    header, values = text.splitlines()
    assert dict(zip(header.split(","), values.split(","), strict=True))["parameters"] == str(rows["fpn"]["parameters"])
    code, text, _ = run("--method", "fpn", "--height", "256", "--width", "128")
    assert f"{rows['fpn']['parameters'] / 1e6:.2f} M" in text


@pytest.mark.slow
def test_all_shows_every_method_and_head(monkeypatch):
    few = {name: find_method(name) for name in ("fpn", "sadanet")}
    monkeypatch.setattr(counting.methods, "registry", lambda: few)
    code, text, _ = run("--all", "--height", "64", "--width", "64", "--format", "json")
    assert code == 0
    assert [(row["method"], row["head"]) for row in json.loads(text)] == [
        ("fpn", None),
        ("sadanet", "text"),
        ("sadanet", "table3"),
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--all", "--method", "fpn"),
        ("--all", "--head", "text"),
        ("--method", "x"),
        ("--method", "fpn", "--width", "8"),
    ],
)
def test_bad_arguments_end_with_code_2(arguments):
    code, _, said = run(*arguments)
    assert code == 2
    assert said.strip()
