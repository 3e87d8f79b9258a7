"""The paper itself: attention (SAA, GCA, SCA), SADANet and its loss. Depends on torch and timm alone.

from sadanet_core import SADANet, Backbone, SegmentationLoss, record_attention
"""

try:
    import timm as _timm
    import torch as _torch
except ModuleNotFoundError as _error:
    raise ModuleNotFoundError(
        f"{_error.name} is not installed; in the project's folder: pip install '.[train]'", name=_error.name
    ) from None

from sadanet_core.attention import GlobalChannelAttention, SpatialCrissCrossAttention, StructureAffinityAttention
from sadanet_core.attention_recorder import record_attention
from sadanet_core.backbone import Backbone, BackboneError
from sadanet_core.loss import SegmentationLoss, cross_entropy, dice_loss, segmentation_loss
from sadanet_core.sadanet import SADANet

del _timm, _torch

__all__ = [
    "Backbone",
    "BackboneError",
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
