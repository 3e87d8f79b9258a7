"""DANet (Fu et al., CVPR 2019): position and channel attention in parallel. SADANet's baseline."""

import torch
from torch import Tensor, nn

from sadanet_core.methods.method import Method, NetworkSettings
from sadanet_core.network.attention import GlobalChannelAttention, Softmax
from sadanet_core.network.blocks import Backbone, FCNHead, classifier, conv_bn, upsample


class PositionAttention(nn.Module):
    """PAM: each pixel attends to all H x W pixels; f in (B, C, H, W) -> (B, C, H, W).

    Its map s (B, HW, HW), s[b, p, :] the weights of pixel p = h * W + w, grows with the square of the number of
    pixels; its parameters are exactly those of SCA, which replaces it in SADANet.
    """

    def __init__(self, channels: int, reduction: int = 8):
        super().__init__()
        self.query = nn.Conv2d(channels, channels // reduction, 1)
        self.key = nn.Conv2d(channels, channels // reduction, 1)
        self.value = nn.Conv2d(channels, channels, 1)
        self.attend = Softmax(dim=-1)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, f: Tensor) -> Tensor:
        q, k, v = (layer(f).flatten(2) for layer in (self.query, self.key, self.value))
        s = self.attend(q.mT @ k).to(v.dtype)
        return self.gamma.to(f.dtype) * (v @ s.mT).view_as(f) + f


class DANet(nn.Module):
    """Backbone, PAM and CAM branches with a classifier each and one for their sum, FCN auxiliary head."""

    def __init__(self, backbone: Backbone, width: int, classes: int, auxiliary_weight: float):
        super().__init__()
        self.backbone = backbone
        layer3, layer4 = backbone.channels
        self.position_in = conv_bn(layer4, width, 3)
        self.position_attention = PositionAttention(width)
        self.position_out = conv_bn(width, width, 3)
        self.channel_in = conv_bn(layer4, width, 3)
        self.channel_attention = GlobalChannelAttention("max-minus")
        self.channel_out = conv_bn(width, width, 3)
        self.classify = classifier(width, classes)
        self.classify_position = classifier(width, classes)
        self.classify_channel = classifier(width, classes)
        self.auxiliary = FCNHead(layer3, width // 2, classes)
        self.loss_weights = {"main": 1.0, "position": 1.0, "channel": 1.0, "auxiliary": auxiliary_weight}

    def forward(self, picture: Tensor) -> Tensor | dict[str, Tensor]:
        layer3, layer4 = self.backbone(picture)
        position = self.position_out(self.position_attention(self.position_in(layer4)))
        channel = self.channel_out(self.channel_attention(self.channel_in(layer4)))
        logits = upsample(self.classify(position + channel), picture)
        if not self.training:
            return logits
        return {
            "main": logits,
            "position": upsample(self.classify_position(position), picture),
            "channel": upsample(self.classify_channel(channel), picture),
            "auxiliary": upsample(self.auxiliary(layer3), picture),
        }


def build(settings: NetworkSettings) -> DANet:
    backbone = Backbone(settings.backbone, settings.input_channels, settings.weights)
    return DANet(backbone, settings.width, settings.classes, settings.auxiliary_weight)


METHOD = Method(
    name="danet",
    title="DANet",
    build=build,
    known="Heads 512 wide; PAM's query and key 512 -> 64; channel attention softmax(max - energy); gamma from 0; "
    "three outputs of weight 1; FCN auxiliary head of weight 0.4 (MMSegmentation's configuration).",
    assumed="The loss of SADANet, Eq. (7), on each output in place of cross-entropy alone.",
)
