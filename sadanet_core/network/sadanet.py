"""SADANet, Sec. III-A and Fig. 2: a backbone, GCA and SCA in parallel, SAA as auxiliary head in training."""

from torch import Tensor, nn

from sadanet_core.network.attention import (
    GlobalChannelAttention,
    SpatialCrissCrossAttention,
    StructureAffinityAttention,
)
from sadanet_core.network.blocks import Backbone, classifier, conv_bn, upsample


class StructureAffinityHead(nn.Module):
    """Auxiliary head on layer3: 3 x 3 reduction, SAA, classifier. Runs in training only.

    f (B, C3, h, w) -> (logits (B, N, h, w), logits of SAA's key (B, N, h, w)).
    """

    def __init__(self, inputs: int, channels: int, classes: int = 4):
        super().__init__()
        self.reduce = conv_bn(inputs, channels, 3)
        self.attention = StructureAffinityAttention(channels, classes)
        self.classify = nn.Conv2d(channels, classes, 1)

    def forward(self, f: Tensor) -> tuple[Tensor, Tensor]:
        f, key = self.attention(self.reduce(f))
        return self.classify(f), key


class DualAttentionHead(nn.Module):
    """The dual spatial-channel attention block as the text describes it (the "text" head).

    layer4 (B, C4, h, w) -> logits (B, N, h, w). Each branch is a 3 x 3 convolution to ``channels``, its attention,
    a 3 x 3 convolution; the branches are summed and one 1 x 1 convolution classifies. SCA is applied twice with one
    set of weights. "C = 2048" in the text is the width entering this head; the counts fit a working width of 512.
    """

    def __init__(self, inputs: int, channels: int, classes: int = 4):
        super().__init__()
        self.channel_in = conv_bn(inputs, channels, 3)
        self.channel_attention = GlobalChannelAttention()
        self.channel_out = conv_bn(channels, channels, 3)
        self.spatial_in = conv_bn(inputs, channels, 3)
        self.spatial_attention = SpatialCrissCrossAttention(channels)
        self.spatial_out = conv_bn(channels, channels, 3)
        self.classify = classifier(channels, classes)

    def forward(self, f: Tensor) -> Tensor:
        channel = self.channel_out(self.channel_attention(self.channel_in(f)))
        spatial = self.spatial_in(f)
        for _ in range(2):
            spatial = self.spatial_attention(spatial)
        return self.classify(channel + self.spatial_out(spatial))


class SADANet(nn.Module):
    """Structure-Affinity Dual Attention-based Network.

    picture (B, input_channels, H, W), any H and W. In training it returns ``{"main": logits, "auxiliary": logits}``,
    and "key" where it is supervised, each (B, N, H, W); in evaluation the main logits alone, and SAA is not run.

    width: 512 in the paper (heads 512 wide, SAA ``width // 2`` = 256). ``loss_weights`` says how the outputs' losses
    are summed: auxiliary 0.4 is assumed (MMSegmentation's default; the paper gives none); ``key_weight`` is 0 as in
    the paper, 0.4 in the lab's later code, which supervises SAA's key too.
    """

    def __init__(
        self,
        backbone: Backbone,
        width: int = 512,
        classes: int = 4,
        auxiliary_weight: float = 0.4,
        key_weight: float = 0.0,
    ):
        super().__init__()
        self.backbone = backbone
        layer3, layer4 = backbone.channels
        self.head = DualAttentionHead(layer4, width, classes)
        self.auxiliary = StructureAffinityHead(layer3, width // 2, classes)
        self.loss_weights = {"main": 1.0, "auxiliary": auxiliary_weight}
        if key_weight != 0:
            self.loss_weights["key"] = key_weight

    def forward(self, picture: Tensor) -> Tensor | dict[str, Tensor]:
        layer3, layer4 = self.backbone(picture)
        logits = self.head(layer4)
        if not self.training:
            return upsample(logits, picture)
        auxiliary, key = self.auxiliary(layer3)
        outputs = {"main": logits, "auxiliary": auxiliary, "key": key}
        return {name: upsample(outputs[name], picture) for name in self.loss_weights}
