"""SA2Net, RSNU's and the mixed loss, SADANet's table3 head and the ablations, each against a plain reading."""

import math
from itertools import product

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from sadanet_core import (
    GlobalChannelAttention,
    SegmentationLoss,
    SpatialCrissCrossAttention,
    StructureAffinityAttention,
    record_attention,
)
from sadanet_core.blocks import FCNHead
from sadanet_core.sadanet import FusedDualAttentionHead, StructureAffinityHead
from sadanet_lab.methods import find_method
from sadanet_lab.methods.danet import PositionAttention
from sadanet_lab.methods.rsnu import WEIGHTS, total_variation
from sadanet_lab.methods.sa2net import ReducedChannelAttention, StructureAffinityTransformation
from sadanet_lab.methods.shared.method import NetworkSettings
from sadanet_lab.methods.shared.transformer import DecoderBlock, MultiHeadAttention

pytestmark = pytest.mark.usefixtures("alike")

EXACT = {"rtol": 1e-9, "atol": 1e-10}


def awake(module):
    """The module in evaluation and float64, every gamma at 0.7 and every norm away from the identity."""
    module = module.double().eval()
    for name, parameter in module.named_parameters():
        if name.endswith("gamma"):
            nn.init.constant_(parameter, 0.7)
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d | nn.LayerNorm):
            nn.init.uniform_(layer.weight, 0.5, 2)
            nn.init.normal_(layer.bias, 0, 0.3)
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.running_var, 0.5, 2)
            nn.init.normal_(layer.running_mean, 0, 0.3)
    return module


def build(name, **settings):
    common = {"backbone": "resnet10t", "width": 32, "input_channels": 1}
    return find_method(name).build(NetworkSettings(**common | settings))


def normal(*shape):
    return torch.randn(*shape, dtype=torch.float64)


def softmax(energy, axis=-1):
    powers = np.exp(energy - energy.max(axis, keepdims=True))
    return powers / powers.sum(axis, keepdims=True)


def one_by_one(layer, f):
    """A 1 x 1 convolution written out: f (B, C, H, W) -> (B, O, HW)."""
    return layer.weight.flatten(1).numpy() @ f.flatten(2).numpy() + layer.bias[:, None].numpy()


# --- SA2Net ---


def torchs(attention):
    """nn.MultiheadAttention with the same weights; its query, key and value have biases, here 0."""
    other = nn.MultiheadAttention(attention.query.in_features, attention.heads, batch_first=True).double()
    weights = [layer.weight.data for layer in (attention.query, attention.key, attention.value)]
    other.in_proj_weight.data = torch.cat(weights)
    other.in_proj_bias.data.zero_()
    other.out_proj.load_state_dict(attention.project[0].state_dict())
    return other


def test_multi_head_attention_is_torchs_map_and_output():
    module, queries, memory = awake(MultiHeadAttention(16, 4, 0.1)), normal(2, 3, 16), normal(2, 7, 16)
    expected, weights = torchs(module)(queries, memory, memory, average_attn_weights=False)
    with record_attention(module) as maps:
        torch.testing.assert_close(module(queries, memory), expected, **EXACT)
    torch.testing.assert_close(maps["attend"][0], weights, **EXACT)


def test_a_decoder_block_is_torchs_pre_norm_layer_on_the_normed_memory():
    block, queries, memory = awake(DecoderBlock(16, 4)), normal(2, 3, 16), normal(2, 7, 16)
    options = {"activation": "gelu", "batch_first": True, "norm_first": True, "dropout": 0.0}
    other = nn.TransformerDecoderLayer(16, 4, 64, **options).double().eval()
    other.self_attn, other.multihead_attn = torchs(block.among_queries), torchs(block.to_memory)
    pairs = [(other.norm1, block.norm_self), (other.norm2, block.norm_query), (other.norm3, block.norm_mlp)]
    for theirs, ours in [*pairs, (other.linear1, block.mlp.fc1), (other.linear2, block.mlp.fc2)]:
        theirs.load_state_dict(ours.state_dict())
    torch.testing.assert_close(block(queries, memory), other(queries, block.norm_memory(memory)), **EXACT)


@torch.no_grad()
def test_the_class_tokens_are_queries_sent_through_six_blocks_and_a_perceptron():
    module, f = awake(StructureAffinityTransformation(32, classes=3)).tokens, normal(2, 32, 5, 4)
    memory = torch.from_numpy(one_by_one(module.project, f)).mT
    tokens = module.queries.weight.repeat(2, 1, 1)
    assert len(module.blocks) == 6
    for block in module.blocks:
        tokens = block(tokens, memory)
    first, _, second, _, third = module.embed
    torch.testing.assert_close(module(f), third(second(first(tokens).relu()).relu()), **EXACT)


@torch.no_grad()
def test_the_transformations_map_is_the_softmax_of_the_lengthened_query_and_key():
    """softmax([q, p(t)] [k', t]^T), q and p(t) in C' rows, k' and t in one row per class."""
    module, f = awake(StructureAffinityTransformation(32, classes=3)), normal(2, 32, 5, 4)
    with record_attention(module) as maps:
        rebuilt, key = module(f)
    q, k, t = one_by_one(module.theta, f), one_by_one(module.phi, f), module.tokens(f).numpy()
    k_soft = softmax(k, axis=1)
    spread = module.spread.weight[:, :, 0].numpy() @ t + module.spread.bias[:, None].numpy()
    query, lengthened = np.concatenate([q, spread], axis=2), np.concatenate([k_soft, t], axis=2)
    assert query.shape == (2, 8, 5 * 4 + 8)
    s = softmax(query @ lengthened.swapaxes(1, 2))
    np.testing.assert_allclose(maps["affinity"][0], s, rtol=0, atol=1e-12)
    affinity = module.delta(torch.from_numpy(s @ k_soft).view(2, 8, 5, 4))
    torch.testing.assert_close(rebuilt, module.rho(torch.cat([f, affinity], dim=1)), **EXACT)
    np.testing.assert_allclose(key.flatten(2), k, rtol=0, atol=1e-12)


@torch.no_grad()
def test_the_reduced_channel_attention_prefers_unlike_channels_of_the_projections():
    module, f = awake(ReducedChannelAttention(32)), 3 * normal(2, 32, 5, 4)
    q, k, v = (one_by_one(layer, f) for layer in (module.query, module.key, module.value))
    energy = np.einsum("bip,bjp->bij", q, k)
    mixed = torch.from_numpy(softmax(energy.max(-1, keepdims=True) - energy) @ v).view(2, 4, 5, 4)
    x = F.conv2d(mixed, module.expand[0].weight, padding=1)
    gelu = x * (1 + torch.erf(x / math.sqrt(2))) / 2
    torch.testing.assert_close(module(f), 0.7 * gelu + f, **EXACT)


# --- losses ---


def outputs_of(network, size=(6, 5)):
    labels = torch.randint(4, (2, *size))
    return {name: 2 * normal(2, 4, *size) for name in network.loss_weights}, labels


def plain_equation_7(logits, labels, lambda_dice):
    p, y = logits.softmax(1).numpy(), np.eye(4)[labels.numpy()].transpose(0, 3, 1, 2)
    entropy = -(y * np.log(p)).sum() / (4 * p.shape[2] * p.shape[3]) / len(p)
    dice = [
        1 - (2 * (p[b, n] * y[b, n]).sum() + 1e-5) / ((p[b, n] ** 2 + y[b, n] ** 2).sum() + 1e-5)
        for b, n in np.ndindex(p.shape[:2])
    ]
    return entropy + lambda_dice * np.mean(dice)


def test_four_times_sa2nets_loss_at_lambda_0_is_the_released_one():
    network = build("sa2net")
    outputs, labels = outputs_of(network)
    released = {"main": 1, "key": 0.4, "channel": 0.5, "spatial": 0.5, "auxiliary": 0.4}
    expected = sum(weight * F.cross_entropy(outputs[name], labels) for name, weight in released.items())
    torch.testing.assert_close(4 * find_method("sa2net").losses["equation-7"](network, 0.0)(outputs, labels), expected)


@pytest.mark.parametrize("lambda_dice", [0.0, 3.0])
@pytest.mark.parametrize("auxiliary_weight", [0.4, 0.7])
def test_the_mixed_loss_sums_equation_7_over_every_subset_of_the_four_outputs(lambda_dice, auxiliary_weight):
    network = build("sa2net", auxiliary_weight=auxiliary_weight)
    outputs, labels = outputs_of(network)
    expected, subsets = auxiliary_weight * plain_equation_7(outputs["auxiliary"], labels, lambda_dice), 0
    for chosen in product([False, True], repeat=4):
        if any(chosen):
            names = ("main", "key", "channel", "spatial")
            summed = sum(outputs[name] for name, taken in zip(names, chosen, strict=True) if taken)
            expected, subsets = expected + plain_equation_7(summed, labels, lambda_dice), subsets + 1
    assert subsets == 15
    found = find_method("sa2net").losses["mixed"](network, lambda_dice)(outputs, labels)
    assert found.item() == pytest.approx(expected, rel=1e-12)


def test_the_total_variation_is_that_of_two_loops():
    logits = 3 * normal(2, 3, 4, 5)
    p = logits.softmax(1).numpy()
    pixels = [
        sum(math.hypot(p[b, n, y + 1, x] - p[b, n, y, x], p[b, n, y, x + 1] - p[b, n, y, x], 1e-4) for n in range(3))
        for b, y, x in np.ndindex(2, 3, 4)
    ]
    assert total_variation(logits).item() == pytest.approx(np.mean(pixels), rel=1e-12)


def test_the_total_variation_of_flat_probabilities_is_nearly_0_with_a_finite_gradient():
    logits = torch.full((2, 4, 6, 5), 0.3, requires_grad=True)
    loss = total_variation(logits)
    assert 0 <= loss.item() < 1e-3
    loss.backward()
    assert logits.grad.isfinite().all()


def test_the_total_variation_is_2_plus_sqrt_2_where_every_pixel_its_right_and_its_lower_neighbour_differ():
    ids = (torch.arange(8) + 2 * torch.arange(9)[:, None]) % 3
    sure = 200.0 * F.one_hot(ids[None], 4).movedim(-1, 1)
    assert total_variation(sure).item() == pytest.approx(2 + math.sqrt(2), abs=1e-3)


def test_rsnus_loss_is_equation_7_plus_the_weighted_total_variation_of_the_main_output():
    network = build("rsnu")
    outputs, labels = outputs_of(network)
    expected = SegmentationLoss({"main": 1.0, "auxiliary": 0.4}, 2.0)(outputs, labels)
    expected = expected + WEIGHTS[0] * total_variation(outputs["main"])
    loss = next(iter(find_method("rsnu").losses.values()))
    torch.testing.assert_close(loss(network, 2.0)(outputs, labels), expected)


# --- SADANet's second head and the ablations ---


def test_the_table3_head_goes_on_like_ccnets_tail_and_has_three_classifiers():
    """spatial: in, SCA twice, out, [f, spatial] fused, last; channel: in, GCA, out."""
    head, f = awake(FusedDualAttentionHead(24, 16, 4)), normal(2, 24, 5, 3)
    for each in (head.classify, head.classify_channel, head.classify_spatial):
        each[0].p = 0.0
    with torch.no_grad():
        once = head.spatial_attention(head.spatial_in(f))
        beside_input = torch.cat([f, head.spatial_out(head.spatial_attention(once))], dim=1)
        spatial = head.spatial_last(head.spatial_fuse(beside_input))
        channel = head.channel_out(head.channel_attention(head.channel_in(f)))
        expected = {
            "main": head.classify[1](channel + spatial),
            "channel": head.classify_channel[1](channel),
            "spatial": head.classify_spatial[1](spatial),
        }
        assert list(head(f)) == ["main"]
        torch.testing.assert_close(head(f)["main"], expected["main"], **EXACT)
        head.training = True  # its layers stay in evaluation
        torch.testing.assert_close(head(f), expected, **EXACT)


def test_the_table3_heads_outputs_have_weight_1_and_the_text_head_has_one():
    assert build("sadanet", head="table3").loss_weights == {"main": 1, "channel": 1, "spatial": 1, "auxiliary": 0.4}
    assert build("sadanet", head="text").loss_weights == {"main": 1, "auxiliary": 0.4}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("danet", [PositionAttention, GlobalChannelAttention, FCNHead]),
        ("sadanet", [SpatialCrissCrossAttention, GlobalChannelAttention, StructureAffinityHead]),
        ("sadanet-without-sca", [PositionAttention, GlobalChannelAttention, StructureAffinityHead]),
        ("sadanet-without-saa", [SpatialCrissCrossAttention, GlobalChannelAttention, FCNHead]),
    ],
)
def test_each_ablation_lacks_what_its_name_says_and_nothing_else(name, expected):
    network = build(name)
    parts = (PositionAttention, SpatialCrissCrossAttention, GlobalChannelAttention, FCNHead, StructureAffinityHead)
    found = [type(module) for module in network.modules() if isinstance(module, parts)]
    assert sorted(found, key=parts.index) == expected
    assert type(network.auxiliary) is expected[-1]
    has_saa = any(isinstance(module, StructureAffinityAttention) for module in network.modules())
    assert has_saa is (expected[-1] is StructureAffinityHead)
