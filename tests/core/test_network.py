"""Sec. III-A to III-D: each attention against a plain reading of its equation in float64, SADANet around them."""

import contextlib

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call

from sadanet_core import (
    Backbone,
    GlobalChannelAttention,
    SADANet,
    SegmentationLoss,
    SpatialCrissCrossAttention,
    StructureAffinityAttention,
    record_attention,
)
from sadanet_lab.methods.danet import PositionAttention

every_shape = pytest.mark.parametrize(("height", "width"), [(4, 3), (2, 5), (1, 4), (3, 1)])
both_forms = pytest.mark.parametrize("form", ["softmax", "max-minus"])


pytestmark = pytest.mark.usefixtures("alike")


def awake(module):
    """The module with every gamma at 0.7 and every batch norm away from the identity."""
    for name, parameter in module.named_parameters():
        if name.endswith("gamma"):
            nn.init.constant_(parameter, 0.7)
    for layer in (m for m in module.modules() if isinstance(m, nn.BatchNorm2d)):
        for scale, shift in ((layer.running_var, layer.running_mean), (layer.weight, layer.bias)):
            nn.init.uniform_(scale, 0.5, 2)
            nn.init.normal_(shift, 0, 0.3)
    return module


def features(*shape):
    return torch.randn(*shape, dtype=torch.float64)


def softmax(energy, axis=-1):
    powers = np.exp(energy - energy.max(axis, keepdims=True))
    return powers / powers.sum(axis, keepdims=True)


def conv(layer, f):
    """A convolution of stride 1 and "same" padding, written out; f (C, H, W)."""
    weight, (height, width) = layer.weight.detach().numpy(), f.shape[1:]
    half = weight.shape[-1] // 2
    padded = np.pad(f, ((0, 0), (half, half), (half, half)))
    out = np.zeros((len(weight), height, width))
    for dy, dx in np.ndindex(weight.shape[2:]):
        out += np.einsum("oc,chw->ohw", weight[:, :, dy, dx], padded[:, dy : dy + height, dx : dx + width])
    return out if layer.bias is None else out + layer.bias.detach().numpy()[:, None, None]


def batch_norm(layer, f):
    tensors = (layer.running_mean, layer.running_var, layer.weight, layer.bias)
    mean, variance, weight, bias = (t.detach().numpy()[:, None, None] for t in tensors)
    return (f - mean) / np.sqrt(variance + 1e-5) * weight + bias


def same(found, expected):
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=0, atol=1e-10)


@every_shape
@pytest.mark.parametrize("attention", [SpatialCrissCrossAttention, PositionAttention])
def test_sca_is_one_softmax_over_the_pixels_of_the_cross_and_pam_over_all_pixels(attention, height, width):
    """gamma * sum of softmax(q . k) v + f, one pixel at a time; the cross has H + W - 1 positions."""
    module, f = awake(attention(16).double()), features(2, 16, height, width)
    found = module(f)
    for b, picture in enumerate(f.numpy()):
        q, k, v = (conv(layer, picture) for layer in (module.query, module.key, module.value))
        for h, w in np.ndindex(height, width):
            places = [(i, w) for i in range(height) if i != h] + [(h, j) for j in range(width)]
            places = list(np.ndindex(height, width)) if attention is PositionAttention else places
            weights = softmax(np.array([q[:, h, w] @ k[:, i, j] for i, j in places]))
            attended = sum(weight * v[:, i, j] for weight, (i, j) in zip(weights, places, strict=True))
            same(found[b, :, h, w], 0.7 * attended + picture[:, h, w])


def test_sca_map_sums_to_one_and_leaves_out_the_copy_of_the_pixel_in_the_column():
    module, height, width = awake(SpatialCrissCrossAttention(16)), 4, 3
    with record_attention(module) as maps:
        module(torch.randn(2, 16, height, width))
    (s,) = maps["attend"]
    assert s.shape == (2, height, width, height + width)
    torch.testing.assert_close(s.sum(-1), torch.ones(2, height, width))
    rows = torch.arange(height)
    assert (s[:, rows, :, rows] == 0).all(), "the copy in the column takes weight"
    assert ((s > 0).sum(-1) == height + width - 1).all()


def test_sca_reaches_the_cross_in_one_pass_and_every_pixel_in_two():
    module, (h, w) = awake(SpatialCrissCrossAttention(16).double()), (1, 3)
    f = features(1, 16, 4, 5).requires_grad_()

    def reached(output):
        (gradient,) = torch.autograd.grad(output[0, :, h, w].sum(), f)
        return gradient[0].abs().sum(0) != 0

    on_cross = torch.zeros(4, 5, dtype=torch.bool)
    on_cross[h], on_cross[:, w] = True, True
    assert torch.equal(reached(module(f)), on_cross)
    assert reached(module(module(f))).all()


@both_forms
def test_gca_mixes_the_channels_by_equation_3(form):
    module, f = awake(GlobalChannelAttention(form).double()), features(2, 5, 3, 2)
    found = module(f)
    for b, picture in enumerate(f.numpy()):
        energy = np.array([[(one * other).sum() for other in picture] for one in picture])
        energy = energy if form == "softmax" else energy.max(-1, keepdims=True) - energy
        for c, weights in enumerate(softmax(energy)):
            mixture = sum(weight * channel for weight, channel in zip(weights, picture, strict=True))
            same(found[b, c], 0.7 * mixture + picture[c])


@both_forms
def test_gca_takes_its_energies_of_bfloat16_features_in_float32(form):
    """Energies near 300 would be even numbers in bfloat16; in float32 the map agrees to 1e-3 with float64's."""
    f = (torch.rand(30, 30) + 0.001 * torch.randn(1, 4, 30, 30)).bfloat16()
    module = GlobalChannelAttention(form)
    with record_attention(module) as maps, torch.autocast("cpu", torch.bfloat16):
        module(f)
    channels = f.double().numpy().reshape(4, -1)
    energy = channels @ channels.T
    energy = energy if form == "softmax" else energy.max(-1, keepdims=True) - energy
    np.testing.assert_allclose(maps["attend"][0][0].detach().numpy(), softmax(energy), rtol=0, atol=1e-3)


@every_shape
def test_saa_rebuilds_the_features_by_equations_1_and_2(height, width):
    module, f = awake(StructureAffinityAttention(8, classes=3).double()).eval(), features(2, 8, height, width)
    rebuilt, key = module(f)
    for b, picture in enumerate(f.numpy()):
        q, k = conv(module.theta, picture).reshape(2, -1), conv(module.phi, picture)  # C' = C / 4 = 2
        k_soft = softmax(k, axis=0).reshape(3, -1)
        s = softmax(q @ k_soft.T)  # (C', N), over the classes
        f_affinity = batch_norm(module.delta[1], conv(module.delta[0], (s @ k_soft).reshape(2, height, width)))
        both = np.concatenate([picture, f_affinity])
        same(rebuilt[b], np.maximum(batch_norm(module.rho[1], conv(module.rho[0], both)), 0))
        same(key[b], k)


@pytest.mark.parametrize(
    ("attention", "arguments"),
    [
        (SpatialCrissCrossAttention, (8,)),
        (PositionAttention, (8,)),
        (GlobalChannelAttention, ("softmax",)),
        (GlobalChannelAttention, ("max-minus",)),
        (StructureAffinityAttention, (8, 3)),
    ],
)
def test_the_gradients_to_features_and_parameters_are_right(attention, arguments):
    module = awake(attention(*arguments).double()).eval()  # SAA's batch norm on its running statistics
    names, parameters = zip(*module.named_parameters(), strict=True)

    def apply(f, *values):
        return functional_call(module, dict(zip(names, values, strict=True)), f)

    assert torch.autograd.gradcheck(apply, (features(1, 8, 1, 2).requires_grad_(), *parameters))


def small(**settings):
    return SADANet(Backbone("resnet10t", 1), width=32, **settings)


def test_recorded_maps_have_the_documented_shapes_and_sca_leaves_two_a_pass():
    network = small()
    with record_attention(network) as maps:
        network(torch.randn(2, 1, 40, 24))
    assert {name: [tuple(m.shape) for m in each] for name, each in maps.items()} == {
        "head.channel_attention.attend": [(2, 32, 32)],
        "head.spatial_attention.attend": [(2, 5, 3, 8)] * 2,
        "auxiliary.attention.class_maps": [(2, 4, 5, 3)],
        "auxiliary.attention.affinity": [(2, 4, 4)],
    }
    assert all(m.dtype == torch.float32 and not m.requires_grad for each in maps.values() for m in each)


def test_recording_changes_no_output_and_ends_with_its_block_even_after_an_error():
    network, picture = awake(small()).eval(), torch.randn(1, 1, 40, 24)
    before = network(picture)
    with contextlib.suppress(ZeroDivisionError), record_attention(network) as maps:
        during = network(picture)
        raise ZeroDivisionError
    assert torch.equal(during, before)
    assert torch.equal(network(picture), before)
    assert len(maps["head.spatial_attention.attend"]) == 2
    assert not any(module._forward_hooks for module in network.modules())


def test_the_two_branches_stand_in_parallel_and_are_summed():
    """Classifier and sum are linear: logits = those of the channel branch alone + of the spatial one - the bias."""
    head, f = awake(small()).eval().head, torch.randn(1, 512, 5, 3)
    bias = head.classify[1].bias.view(1, 4, 1, 1)

    def without(branch):
        hook = branch.register_forward_hook(lambda _module, _inputs, output: torch.zeros_like(output))
        logits = head(f)["main"]
        hook.remove()
        return logits

    alone = without(head.spatial_out), without(head.channel_out)
    assert all((logits - bias).abs().max() > 0.01 for logits in alone)
    torch.testing.assert_close(head(f)["main"], sum(alone) - bias)


def test_the_auxiliary_head_runs_in_training_only():
    network, ran = small(), []
    for module in network.auxiliary.modules():
        module.register_forward_hook(lambda *_args: ran.append(True))
    network.eval()(torch.randn(1, 1, 32, 32))
    assert not ran
    network.train()(torch.randn(2, 1, 32, 32))
    assert ran


def test_the_loss_reaches_every_parameter_though_the_key_has_weight_zero():
    network = awake(small())
    assert network.loss_weights == {"main": 1.0, "auxiliary": 0.4}
    loss = SegmentationLoss(network.loss_weights)
    loss(network(torch.randn(2, 1, 65, 33)), torch.randint(4, (2, 65, 33))).backward()
    gradients = {name: parameter.grad for name, parameter in network.named_parameters()}
    assert [name for name, g in gradients.items() if g is None or not g.isfinite().all()] == []
    del gradients["head.spatial_attention.key.bias"]  # it shifts all energies of a pixel alike: no effect on a softmax
    assert [name for name, g in gradients.items() if not g.any()] == []
