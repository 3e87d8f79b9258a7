"""CCNet (Huang et al., ICCV 2019): criss-cross attention applied twice with shared weights."""

import torch
from torch import Tensor, nn

from sadanet_core.methods.method import Method, NetworkSettings
from sadanet_core.network.attention import SpatialCrissCrossAttention
from sadanet_core.network.blocks import Backbone, FCNHead, classifier, conv_bn, upsample


class CCNet(nn.Module):
    """Backbone, 3 x 3, criss-cross attention twice, 3 x 3, fusion with the input by 3 x 3, FCN auxiliary head."""

    def __init__(self, backbone: Backbone, width: int, classes: int, auxiliary_weight: float):
        super().__init__()
        self.backbone = backbone
        layer3, layer4 = backbone.channels
        self.spatial_in = conv_bn(layer4, width, 3)
        self.spatial_attention = SpatialCrissCrossAttention(width)
        self.spatial_out = conv_bn(width, width, 3)
        self.fuse = conv_bn(layer4 + width, width, 3)
        self.classify = classifier(width, classes)
        self.auxiliary = FCNHead(layer3, width // 2, classes)
        self.loss_weights = {"main": 1.0, "auxiliary": auxiliary_weight}

    def forward(self, picture: Tensor) -> Tensor | dict[str, Tensor]:
        layer3, layer4 = self.backbone(picture)
        spatial = self.spatial_in(layer4)
        for _ in range(2):
            spatial = self.spatial_attention(spatial)
        fused = self.fuse(torch.cat([layer4, self.spatial_out(spatial)], dim=1))
        logits = self.classify(fused)
        if not self.training:
            return upsample(logits, picture)
        outputs = {"main": logits, **self.auxiliary(layer3)}
        return {name: upsample(outputs[name], picture) for name in self.loss_weights}


def build(settings: NetworkSettings) -> CCNet:
    return CCNet(settings.make_backbone(), settings.width, settings.classes, settings.auxiliary_weight)


METHOD = Method(
    name="ccnet",
    title="CCNet",
    build=build,
    known="Head 512 wide; recurrence 2 with shared weights; query and key C / 8; convolutions before and after, "
    "concatenation with the input; FCN auxiliary head of weight 0.4 (MMSegmentation's configuration).",
    assumed="The loss of SADANet, Eq. (7), in place of cross-entropy alone.",
)
