"""SADANet, Sec. III-A and Fig. 2: a backbone, GCA and SCA in parallel, SAA as auxiliary head in training."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from sadanet_core.attention import GlobalChannelAttention, SpatialCrissCrossAttention, StructureAffinityAttention
from sadanet_core.backbone import Backbone
from sadanet_core.blocks import FCNHead, SegmentationNetwork, classifier, conv_bn, to_classes

AUXILIARY_WEIGHT = 0.4
"""Assumption: the weight of the auxiliary output's loss is MMSegmentation's default; the paper gives none."""


class StructureAffinityHead(nn.Module):
    """Auxiliary head on layer3: 3 x 3 reduction, SAA, classifier. Runs in training only.

    f (B, C3, h, w) -> {"auxiliary": logits (B, N, h, w), "key": logits of SAA's key (B, N, h, w)}.
    """

    def __init__(self, inputs: int, channels: int, classes: int = 4):
        super().__init__()
        self.reduce = conv_bn(inputs, channels, 3)
        self.attention = StructureAffinityAttention(channels, classes)
        self.classify = to_classes(channels, classes)

    def forward(self, f: Tensor) -> dict[str, Tensor]:
        f, key = self.attention(self.reduce(f))
        return {"auxiliary": self.classify(f), "key": key}


class DualAttentionHead(nn.Module):
    """The dual spatial-channel attention block as the text describes it (the "text" head).

    layer4 (B, C4, h, w) -> {"main": logits (B, N, h, w)}. Each branch is a 3 x 3 convolution to ``channels``, its
    attention, a 3 x 3 convolution; the branches are summed and one 1 x 1 convolution classifies. SCA is applied twice
    with one set of weights. "C = 2048" in the text is the width entering this head; the counts fit a working width
    of 512. normalisation, gamma: see ``GlobalChannelAttention``.
    """

    loss_weights: ClassVar[dict[str, float]] = {"main": 1.0}

    def __init__(self, inputs: int, channels: int, classes: int, normalisation: str = "softmax", gamma: float = 1.0):
        super().__init__()
        self.channel_in = conv_bn(inputs, channels, 3)
        self.channel_attention = GlobalChannelAttention(normalisation, gamma)
        self.channel_out = conv_bn(channels, channels, 3)
        self.spatial_in = conv_bn(inputs, channels, 3)
        self.spatial_attention = SpatialCrissCrossAttention(channels, gamma=gamma)
        self.spatial_out = conv_bn(channels, channels, 3)
        self.classify = classifier(channels, classes)

    def branches(self, f: Tensor) -> tuple[Tensor, Tensor]:
        """The channel and the spatial branch, each (B, channels, h, w)."""
        channel = self.channel_out(self.channel_attention(self.channel_in(f)))
        spatial = self.spatial_in(f)
        for _ in range(2):
            spatial = self.spatial_attention(spatial)
        return channel, self.spatial_out(spatial)

    def forward(self, f: Tensor) -> dict[str, Tensor]:
        channel, spatial = self.branches(f)
        return {"main": self.classify(channel + spatial)}


class FusedDualAttentionHead(DualAttentionHead):
    """The "table3" head: one that has Table III's 65.19 M parameters and 258.69 G multiply-adds.

    Assumption: the spatial branch goes on like CCNet's tail, its input concatenated and fused by 3 x 3, then one
    more 3 x 3; each branch has a classifier of its own, as DANet's have, with loss weight 1. The wiring is
    inferred from Table III; others round to the same two numbers.
    """

    loss_weights: ClassVar[dict[str, float]] = {"main": 1.0, "channel": 1.0, "spatial": 1.0}

    def __init__(self, inputs: int, channels: int, classes: int, normalisation: str = "softmax", gamma: float = 1.0):
        super().__init__(inputs, channels, classes, normalisation, gamma)
        self.spatial_fuse = conv_bn(inputs + channels, channels, 3)
        self.spatial_last = conv_bn(channels, channels, 3)
        self.classify_channel = classifier(channels, classes, of_branch=True)
        self.classify_spatial = classifier(channels, classes, of_branch=True)

    def forward(self, f: Tensor) -> dict[str, Tensor]:
        channel, spatial = self.branches(f)
        spatial = self.spatial_last(self.spatial_fuse(torch.cat([f, spatial], dim=1)))
        outputs = {"main": self.classify(channel + spatial)}
        if self.training:
            outputs |= {"channel": self.classify_channel(channel), "spatial": self.classify_spatial(spatial)}
        return outputs


HEADS: dict[str, type[DualAttentionHead]] = {"text": DualAttentionHead, "table3": FusedDualAttentionHead}


class SADANet(SegmentationNetwork):
    """Structure-Affinity Dual Attention-based Network.

    picture (B, input_channels, H, W), any H and W -> logits (B, classes, H, W); in training, where alone SAA runs, a
    dict of these: "main", "auxiliary", "key" if supervised, "channel" and "spatial" of the head "table3".

    width: 512 in the paper (SAA ``width // 2``). auxiliary_weight, key_weight: of their losses in ``loss_weights``; the
    key's is 0 as in the paper, 0.4 in the lab's later code. head: "text" or "table3", see ``HEADS``. normalisation of
    GCA: "softmax" or "max-minus". structure_affinity: False is "w/o SAA", an FCN head in its place. gamma: first value
    in GCA and SCA. Raises ``ValueError`` for an unknown head or normalisation.
    """

    def __init__(
        self,
        backbone: Backbone,
        width: int = 512,
        classes: int = 4,
        auxiliary_weight: float = AUXILIARY_WEIGHT,
        key_weight: float = 0.0,
        head: str = "text",
        normalisation: str = "softmax",
        structure_affinity: bool = True,
        gamma: float = 1.0,
    ):
        super().__init__()
        self.backbone = backbone
        if head not in HEADS:
            raise ValueError(f"head is {head!r}; expected one of {', '.join(HEADS)}")
        layer3, layer4 = backbone.channels
        self.head = HEADS[head](layer4, width, classes, normalisation, gamma)
        auxiliary = StructureAffinityHead if structure_affinity else FCNHead
        self.auxiliary = auxiliary(layer3, width // 2, classes)
        self.loss_weights = self.head.loss_weights | {"auxiliary": auxiliary_weight}
        if key_weight != 0:
            self.loss_weights["key"] = key_weight

    def outputs(self, picture: Tensor) -> dict[str, Tensor]:
        layer3, layer4 = self.backbone(picture)
        return self.head(layer4) | (self.auxiliary(layer3) if self.training else {})
