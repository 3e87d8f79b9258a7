"""UNet, the feature pyramids and PSANet against other libraries or a plain reading, in float64."""

import math
import re
from collections import OrderedDict

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from monai.networks.nets import BasicUNet
from torch import nn
from torchvision.ops import FeaturePyramidNetwork

from sadanet_core import record_attention
from sadanet_lab.errors import BadInput
from sadanet_lab.methods import find_method
from sadanet_lab.methods.psanet import OffsetWeights, PointwiseAttention, by_position, reached_offsets
from sadanet_lab.methods.shared.method import NetworkSettings
from sadanet_lab.methods.shared.pyramids import FeaturePyramid, PyramidPooling, SemanticFPN, UPerNet
from sadanet_lab.training.profiles import profiles

pytestmark = pytest.mark.usefixtures("alike")

EXACT = {"rtol": 1e-9, "atol": 1e-10}


def awake(module):
    """The module in evaluation and float64, every batch norm away from the identity."""
    for layer in (m for m in module.modules() if isinstance(m, nn.BatchNorm2d)):
        for scale, shift in ((layer.running_var, layer.running_mean), (layer.weight, layer.bias)):
            nn.init.uniform_(scale, 0.5, 2)
            nn.init.normal_(shift, 0, 0.3)
    return module.double().eval()


def build(name, **settings):
    common = {"backbone": "resnet10t", "width": 32, "input_channels": 1, "image_height": 64, "image_width": 32}
    return awake(find_method(name).build(NetworkSettings(**common | settings)))


def maps_of(channels, *sizes):
    return [torch.randn(2, c, *size, dtype=torch.float64) for c, size in zip(channels, sizes, strict=True)]


def plain_block(block, f):
    """Convolution with "same" padding, batch norm, ReLU, by their functions."""
    conv, norm = block[0], block[1]
    f = F.conv2d(f, conv.weight, conv.bias, padding=conv.weight.shape[-1] // 2)
    return F.batch_norm(f, norm.running_mean, norm.running_var, norm.weight, norm.bias).relu()


def resize(f, size):
    return F.interpolate(f, size, mode="bilinear", align_corners=False)


# --- UNet ---


def make_identity(norm):
    norm.reset_running_stats()
    norm.running_var.fill_(1 - norm.eps)
    nn.init.ones_(norm.weight)
    nn.init.zeros_(norm.bias)


def same_in_monai(network, base):
    """MONAI's BasicUNet with the weights of a UNet whose 1 x 1 blocks and last 3 x 3 do nothing but their products.

    MONAI does not narrow before its last concatenation; there the 1 x 1 is multiplied into the next convolution.
    """
    widths = [base * 2**i for i in (0, 1, 2, 3, 4, 0)]
    other = BasicUNet(2, 1, 4, features=widths, norm="batch", act="relu", bias=False, upsample="nontrainable")
    for layer in (m for m in other.modules() if isinstance(m, nn.Upsample)):
        layer.align_corners = False
    other = other.double().eval()
    downs = [other.conv_0, *(getattr(other, f"down_{i}").convs for i in range(1, 5))]
    ups = [getattr(other, f"upcat_{i}") for i in range(4, 0, -1)]
    for ours, theirs in zip(
        [*network.encoder, *(block.merge for block in network.decoder)],
        [*downs, *(up.convs for up in ups)],
        strict=True,
    ):
        for block, convolution in zip(ours, theirs.children(), strict=True):
            convolution.conv.weight = nn.Parameter(block[0].weight.clone())
            convolution.adn.N.load_state_dict(block[1].state_dict())
    for block, up in zip(network.decoder, ups, strict=True):
        narrow = block.narrow[0].weight.data
        if hasattr(up.upsample, "preconv"):
            up.upsample.preconv.weight.data = narrow
            up.upsample.preconv.bias.data.zero_()
        else:
            skip, enlarged = up.convs.conv_0.conv.weight.split(base, dim=1)
            product = torch.einsum("omhw,mi->oihw", enlarged, narrow.flatten(1))
            up.convs.conv_0.conv.weight = nn.Parameter(torch.cat([skip, product], dim=1))
    other.final_conv.load_state_dict(network.classify[1].state_dict())
    return other


@pytest.mark.parametrize("size", [(32, 16), (48, 80)])
def test_unet_is_monais_where_the_two_coincide(size):
    """Features after ReLU are not negative, so 1 x 1 blocks of such weights pass their ReLU unchanged."""
    base, network = 4, build("unet")
    for block in network.decoder:
        block.narrow[0].weight.data.abs_()
        make_identity(block.narrow[1])
    nn.init.dirac_(network.reduce[0].weight)
    make_identity(network.reduce[1])
    picture = torch.randn(2, 1, *size, dtype=torch.float64)
    torch.testing.assert_close(network(picture), same_in_monai(network, base)(picture), **EXACT)


# --- feature pyramids ---

CHANNELS = [3, 5, 6, 7]
every_pyramid = pytest.mark.parametrize("sizes", [[(16, 8), (8, 4), (4, 2), (2, 1)], [(17, 9), (9, 5), (5, 3), (3, 2)]])


def torchvisions(pyramid):
    channels = [layer.in_channels for layer in pyramid.lateral]
    other = FeaturePyramidNetwork(channels, pyramid.smooth[0].out_channels).double()
    for theirs, ours in ((other.inner_blocks, pyramid.lateral), (other.layer_blocks, pyramid.smooth)):
        for block, layer in zip(theirs, ours, strict=True):
            block[0].load_state_dict(layer.state_dict())
    return lambda maps: list(other(OrderedDict(enumerate(maps))).values())


def plain_semantic_fpn(module, maps):
    """MMSegmentation's FPN head on torchvision's neck: 1, 1, 2, 3 convolutions, doubled after each but the finest's."""
    brought = []
    for level, f in enumerate(torchvisions(module.pyramid)(maps)):
        blocks = [layer for layer in module.levels[level] if isinstance(layer, nn.Sequential)]
        assert len(blocks) == (1, 1, 2, 3)[level]
        for block in blocks:
            f = plain_block(block, f)
            f = resize(f, [2 * side for side in f.shape[-2:]]) if level else f
        brought.append(resize(f, maps[0].shape[-2:]))
    return sum(brought)


@every_pyramid
def test_the_feature_pyramid_is_torchvisions(sizes):
    pyramid, maps = FeaturePyramid(CHANNELS, 8).double(), maps_of(CHANNELS, *sizes)
    for found, expected in zip(pyramid(maps), torchvisions(pyramid)(maps), strict=True):
        torch.testing.assert_close(found, expected, **EXACT)


@every_pyramid
def test_semantic_fpn_sums_levels_brought_to_the_finest_by_convolutions_and_doubling(sizes):
    module, maps = awake(SemanticFPN(CHANNELS, 8, 4)), maps_of(CHANNELS, *sizes)
    torch.testing.assert_close(module(maps), plain_semantic_fpn(module, maps), **EXACT)


def test_fpn_classifies_the_semantic_fpn_of_the_backbones_four_maps_at_stride_4():
    network, picture = build("fpn"), torch.randn(2, 1, 65, 33, dtype=torch.float64)
    maps = network.backbone.body(picture)
    assert [tuple(f.shape[-2:]) for f in maps] == [(17, 9), (9, 5), (5, 3), (3, 2)]
    logits = F.conv2d(plain_semantic_fpn(network.pyramid, maps), network.classify[1].weight, network.classify[1].bias)
    torch.testing.assert_close(network(picture), resize(logits, (65, 33)), **EXACT)


@pytest.mark.parametrize("size", [(6, 12), (17, 9), (5, 3), (1, 2), (7, 1), (64, 16)])
def test_pyramid_pooling_averages_as_torch_does_where_bins_do_not_divide_the_size_too(size):
    f = torch.randn(2, 3, *size, dtype=torch.float64)
    for bins in (1, 2, 3, 6):
        torch.testing.assert_close(PyramidPooling.pool(f, bins), F.adaptive_avg_pool2d(f, bins), **EXACT)


@every_pyramid
def test_upernets_trunk_is_its_plain_reading(sizes):
    module, maps = awake(UPerNet(CHANNELS, 8)), maps_of(CHANNELS, *sizes)
    top, pooling = maps[-1], module.pooling
    pooled = [
        plain_block(block, F.adaptive_avg_pool2d(top, n))
        for block, n in zip(pooling.project, (1, 2, 3, 6), strict=True)
    ]
    coarsest = plain_block(pooling.fuse, torch.cat([top, *(resize(f, top.shape[-2:]) for f in pooled)], dim=1))
    added, levels = coarsest, [coarsest]
    for i in (2, 1, 0):
        added = plain_block(module.lateral[i], maps[i]) + resize(added, maps[i].shape[-2:])
        levels.insert(0, plain_block(module.smooth[i], added))
    expected = plain_block(module.fuse, torch.cat([resize(f, maps[0].shape[-2:]) for f in levels], dim=1))
    torch.testing.assert_close(module(maps), expected, **EXACT)


# --- PSANet ---


@pytest.mark.parametrize("size", [(3, 2), (2, 4), (1, 3), (4, 1), (1, 1)])
def test_weights_by_position_are_those_of_the_offset_between_two_positions(size):
    h, w = size
    weights = torch.randn(2, (2 * h - 1) * (2 * w - 1), h, w)
    found = by_position(weights).view(2, h, w, h, w)
    for py, px, qy, qx in np.ndindex(h, w, h, w):
        channel = (py - qy + h - 1) * (2 * w - 1) + (px - qx + w - 1)
        assert torch.equal(found[:, py, px, qy, qx], weights[:, channel, qy, qx])


@pytest.mark.parametrize("collects", [True, False])
@pytest.mark.parametrize("size", [(7, 4), (4, 6), (2, 1), (1, 5)])
def test_a_position_collects_by_its_own_weights_and_is_given_to_by_the_others(collects, size):
    """The softmax over p of what q says of the offset p - q (collect) or p of q - p (distribute), one q at a time."""
    module = awake(PointwiseAttention(6, 5, height=4, width=3, collects=collects))
    f = torch.randn(2, 6, *size, dtype=torch.float64)
    h, w = (math.ceil(side / 2) for side in size)
    with torch.no_grad():
        found, small = module(f), resize(plain_block(module.reduce, f), (h, w))
        said, taken = plain_block(module.hidden, small).numpy(), small.numpy()
        kernels = module.weigh.weight.numpy().reshape(7, 5, 5)  # offsets -3..3 by -2..2, channels
    for b, qy, qx in np.ndindex(2, h, w):
        energy = np.empty((h, w))
        for py, px in np.ndindex(h, w):
            (sy, sx), (oy, ox) = ((qy, qx), (py, px)) if collects else ((py, px), (qy, qx))
            energy[py, px] = kernels[oy - sy + 3, ox - sx + 2] @ said[b, :, sy, sx]
        weights = np.exp(energy) / np.exp(energy).sum()
        np.testing.assert_allclose(found[b, :, qy, qx], (taken[b] * weights).sum((1, 2)), rtol=0, atol=1e-12)


@pytest.mark.parametrize("size", [(4, 3), (2, 3), (3, 1), (1, 1)])
def test_a_smaller_map_has_the_central_offsets_of_the_largest_one(size):
    layer, f = OffsetWeights(5, 4, 3).double(), torch.randn(2, 5, 4, 3, dtype=torch.float64)
    h, w = size
    full = layer(f).view(2, 7, 5, 4, 3)[:, 4 - h : 3 + h, 3 - w : 2 + w, :h, :w]
    found = layer(f[:, :, :h, :w])
    assert found.shape == (2, (2 * h - 1) * (2 * w - 1), h, w)
    torch.testing.assert_close(found, full.flatten(1, 2), **EXACT)


def test_psanets_row_says_how_many_of_its_offsets_a_patch_of_each_profile_reaches():
    for name, profile in profiles().items():
        image = profile["image"] | {"height": profile["image"]["height"] + 2 * profile["margin"]}
        reached = reached_offsets(**profile["patch"])
        held = len(build("psanet", image_height=image["height"], image_width=image["width"]).collect.weigh.weight)
        assert reached_offsets(**image) == held
        said = f"all {held:,} at " if reached == held else f"{reached:,} of {held:,} at "
        after = find_method("psanet").assumed.partition(said)[2]
        assert re.match(rf"(profile |\w+ and )?{name}\b", after), said


def test_offsets_that_a_patch_does_not_reach_get_no_gradient():
    network = build("psanet").train()
    network(torch.randn(2, 1, 33, 32, dtype=torch.float64))["main"].sum().backward()
    for direction in (network.collect, network.distribute):
        moved = direction.weigh.weight.grad.flatten(1).any(1)
        assert int(moved.sum()) == reached_offsets(33, 32) < len(moved)


@pytest.mark.parametrize("size", [(65, 32), (64, 33), (128, 64)])
def test_psanet_refuses_a_picture_larger_than_its_mask_in_one_line(size):
    with pytest.raises(BadInput, match="32 x 64") as error:
        build("psanet")(torch.randn(1, 1, *size, dtype=torch.float64))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("image", "positions"), [((64, 32), (4, 2)), ((70, 41), (5, 3))])
def test_in_a_whole_test_image_every_position_of_psanet_reaches_every_other(image, positions):
    network = build("psanet", image_height=image[0], image_width=image[1])
    with record_attention(network) as maps:
        network(torch.randn(1, 1, *image, dtype=torch.float64))
    assert set(maps) == {"collect.attend", "distribute.attend"}
    count = math.prod(positions)
    for (s,) in maps.values():
        assert s.shape == (1, count, count)
        assert (s > 0).all()
        torch.testing.assert_close(s.sum(1), torch.ones(1, count, dtype=torch.float64))
    for direction in (network.collect, network.distribute):
        height, width = (2 * n - 1 for n in positions)
        assert len(direction.weigh.weight) == height * width
