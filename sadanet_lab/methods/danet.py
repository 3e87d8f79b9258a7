"""DANet (Fu et al., CVPR 2019): position and channel attention in parallel. SADANet's baseline."""

from torch import Tensor

from sadanet_core.attention import NORMALISATIONS, GlobalChannelAttention, QueryKeyValueAttention
from sadanet_core.backbone import Backbone
from sadanet_core.blocks import FCNHead, SegmentationNetwork, classifier, conv_bn
from sadanet_core.sadanet import StructureAffinityHead
from sadanet_lab.methods.shared.method import RELEASED, Attention, Method, NetworkSettings


class PositionAttention(QueryKeyValueAttention):
    """PAM: each pixel attends to all H x W pixels; f in (B, C, H, W) -> (B, C, H, W).

    Its map s (B, HW, HW), s[b, p, :] the weights of pixel p = h * W + w, grows with the square of the number of
    pixels; its parameters are exactly those of SCA, which replaces it in SADANet.
    """

    def forward(self, f: Tensor) -> Tensor:
        q, k, v = (layer(f).flatten(2) for layer in (self.query, self.key, self.value))
        s = self.attend(q.mT @ k).to(v.dtype)
        return self.gamma.to(f.dtype) * (v @ s.mT).view_as(f) + f


class DANet(SegmentationNetwork):
    """Backbone, PAM and CAM branches with a classifier each and one for their sum, FCN auxiliary head.

    ``structure_affinity=True`` puts SADANet's SAA head in the place of the FCN one: the ablation "w/o SCA".
    """

    def __init__(
        self,
        backbone: Backbone,
        width: int,
        classes: int,
        auxiliary_weight: float,
        normalisation: str = "max-minus",
        structure_affinity: bool = False,
        gamma: float = 0.0,
    ):
        super().__init__()
        self.backbone = backbone
        layer3, layer4 = backbone.channels
        self.position_in = conv_bn(layer4, width, 3)
        self.position_attention = PositionAttention(width, gamma=gamma)
        self.position_out = conv_bn(width, width, 3)
        self.channel_in = conv_bn(layer4, width, 3)
        self.channel_attention = GlobalChannelAttention(normalisation, gamma)
        self.channel_out = conv_bn(width, width, 3)
        self.classify = classifier(width, classes)
        self.classify_position = classifier(width, classes, of_branch=True)
        self.classify_channel = classifier(width, classes, of_branch=True)
        auxiliary = StructureAffinityHead if structure_affinity else FCNHead
        self.auxiliary = auxiliary(layer3, width // 2, classes)
        self.loss_weights = {"main": 1.0, "position": 1.0, "channel": 1.0, "auxiliary": auxiliary_weight}

    def outputs(self, picture: Tensor) -> dict[str, Tensor]:
        layer3, layer4 = self.backbone(picture)
        position = self.position_out(self.position_attention(self.position_in(layer4)))
        channel = self.channel_out(self.channel_attention(self.channel_in(layer4)))
        outputs = {"main": self.classify(position + channel)}
        if self.training:
            outputs |= {"position": self.classify_position(position), "channel": self.classify_channel(channel)}
            outputs |= self.auxiliary(layer3)
        return outputs


DANETS_FIRST = NORMALISATIONS[::-1]
ATTENTION = {
    "PAM": Attention("position_attention", ("position_attention.attend",)),
    "GCA": Attention("channel_attention", ("channel_attention.attend",)),
}


def build(settings: NetworkSettings, structure_affinity: bool = False, gamma: float = RELEASED) -> DANet:
    return DANet(
        settings.make_backbone(),
        settings.width,
        settings.classes,
        settings.auxiliary_weight,
        settings.normalisation or DANETS_FIRST[0],
        structure_affinity,
        gamma if settings.gamma is None else settings.gamma,
    )


METHOD = Method(
    title="DANet",
    places={"table-1": 7, "table-2": 1},
    build=build,
    known="Heads 512 wide; PAM's query and key 512 -> 64; channel attention softmax(max - energy); gamma from 0; "
    "three outputs of weight 1; FCN auxiliary head of weight 0.4 (MMSegmentation's configuration).",
    assumed="The loss of SADANet, Eq. (7), on each output in place of cross-entropy alone.",
    normalisations=DANETS_FIRST,
    gamma=RELEASED,
    attention=ATTENTION,
)
