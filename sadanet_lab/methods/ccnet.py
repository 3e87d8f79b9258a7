"""CCNet (Huang et al., ICCV 2019): criss-cross attention applied twice with shared weights."""

import torch
from torch import Tensor

from sadanet_core.attention import SpatialCrissCrossAttention
from sadanet_core.backbone import Backbone
from sadanet_core.blocks import FCNHead, SegmentationNetwork, classifier, conv_bn
from sadanet_lab.methods.shared.method import RELEASED, Attention, Method, NetworkSettings


class CCNet(SegmentationNetwork):
    """Backbone, 3 x 3, criss-cross attention twice, 3 x 3, fusion with the input by 3 x 3, FCN auxiliary head."""

    def __init__(self, backbone: Backbone, width: int, classes: int, auxiliary_weight: float, gamma: float = 0.0):
        super().__init__()
        self.backbone = backbone
        layer3, layer4 = backbone.channels
        self.spatial_in = conv_bn(layer4, width, 3)
        self.spatial_attention = SpatialCrissCrossAttention(width, gamma=gamma)
        self.spatial_out = conv_bn(width, width, 3)
        self.fuse = conv_bn(layer4 + width, width, 3)
        self.classify = classifier(width, classes)
        self.auxiliary = FCNHead(layer3, width // 2, classes)
        self.loss_weights = {"main": 1.0, "auxiliary": auxiliary_weight}

    def outputs(self, picture: Tensor) -> dict[str, Tensor]:
        layer3, layer4 = self.backbone(picture)
        spatial = self.spatial_in(layer4)
        for _ in range(2):
            spatial = self.spatial_attention(spatial)
        fused = self.fuse(torch.cat([layer4, self.spatial_out(spatial)], dim=1))
        return {"main": self.classify(fused)} | (self.auxiliary(layer3) if self.training else {})


def build(settings: NetworkSettings) -> CCNet:
    gamma = RELEASED if settings.gamma is None else settings.gamma
    return CCNet(settings.make_backbone(), settings.width, settings.classes, settings.auxiliary_weight, gamma)


METHOD = Method(
    title="CCNet",
    places={"table-1": 6},
    build=build,
    known="Head 512 wide; recurrence 2 with shared weights; query and key C / 8; convolutions before and after, "
    "concatenation with the input; gamma from 0; FCN auxiliary head of weight 0.4 (MMSegmentation's configuration).",
    assumed="The loss of SADANet, Eq. (7), in place of cross-entropy alone.",
    gamma=RELEASED,
    attention={"SCA": Attention("spatial_attention", ("spatial_attention.attend",))},
)
