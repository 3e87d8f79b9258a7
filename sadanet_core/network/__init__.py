"""The paper itself: attention (SAA, GCA, SCA), SADANet and its loss. Depends on torch and timm alone."""

from sadanet_core.network.attention import (
    GlobalChannelAttention,
    SpatialCrissCrossAttention,
    StructureAffinityAttention,
)
from sadanet_core.network.blocks import Backbone
from sadanet_core.network.loss import SegmentationLoss, cross_entropy, dice_loss, segmentation_loss
from sadanet_core.network.record import record_attention
from sadanet_core.network.sadanet import SADANet

__all__ = [
    "Backbone",
    "GlobalChannelAttention",
    "SADANet",
    "SegmentationLoss",
    "SpatialCrissCrossAttention",
    "StructureAffinityAttention",
    "cross_entropy",
    "dice_loss",
    "record_attention",
    "segmentation_loss",
]
