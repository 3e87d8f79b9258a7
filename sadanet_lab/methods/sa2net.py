"""SA2Net (Xie et al., Comput. Med. Imaging Graph. 125, 2025): SADANet's successor, on a UPerNet trunk."""

from functools import partial
from itertools import chain, combinations

import torch
from torch import Tensor, nn

from sadanet_core import Backbone, SpatialCrissCrossAttention, StructureAffinityAttention, segmentation_loss
from sadanet_core.attention import Softmax, channel_energy
from sadanet_core.blocks import FCNHead, SegmentationNetwork, classifier, conv_bn, started
from sadanet_lab.errors import BadInput
from sadanet_lab.methods.shared.method import RELEASED, Attention, Method, NetworkSettings, equation_7
from sadanet_lab.methods.shared.pyramids import UPerNet
from sadanet_lab.methods.shared.transformer import DecoderBlock

HEADS = 8
DEPTH = 6
"""Blocks of the Transformer decoder that reads the class tokens."""


class ReducedChannelAttention(nn.Module):
    """Channel attention between C / 8 projected channels; f (B, C, H, W) -> (B, C, H, W).

    softmax(max - q k^T) v with q, k, v 1 x 1 convolutions to C / 8, a 3 x 3 convolution back to C, GELU; times
    gamma, a learned scalar, plus f.
    """

    def __init__(self, channels: int, gamma: float = 0.0):
        super().__init__()
        self.query = nn.Conv2d(channels, channels // 8, 1)
        self.key = nn.Conv2d(channels, channels // 8, 1)
        self.value = nn.Conv2d(channels, channels // 8, 1)
        self.attend = Softmax(dim=-1)
        self.expand = nn.Sequential(nn.Conv2d(channels // 8, channels, 3, padding=1, bias=False), nn.GELU())
        self.gamma = nn.Parameter(torch.full((1,), float(gamma)))

    def forward(self, f: Tensor) -> Tensor:
        q, k, v = (layer(f).flatten(2) for layer in (self.query, self.key, self.value))
        g = self.attend(channel_energy(q, k, "max-minus")).to(v.dtype)
        expanded = self.expand((g @ v).unflatten(2, f.shape[-2:]))
        return self.gamma.to(f.dtype) * expanded + f


class ClassTokens(nn.Module):
    """One token a class, read from a picture's features by a Transformer decoder of ``DEPTH`` layers.

    f (B, C, H, W) -> (B, classes, channels). Features enter by a 1 x 1 projection, without positions; the last
    block's queries pass a 3-layer perceptron.
    """

    def __init__(self, inputs: int, channels: int, classes: int):
        super().__init__()
        self.project = started(nn.Conv2d(inputs, channels, 1), partial(nn.init.kaiming_uniform_, a=1))
        self.queries = nn.Embedding(classes, channels)
        self.blocks = nn.ModuleList(DecoderBlock(channels, HEADS) for _ in range(DEPTH))
        layers = [nn.Linear(channels, channels), nn.ReLU()]
        self.embed = nn.Sequential(*layers, nn.Linear(channels, channels), nn.ReLU(), nn.Linear(channels, channels))

    def forward(self, f: Tensor) -> Tensor:
        memory = self.project(f).flatten(2).mT
        classes = torch.arange(self.queries.num_embeddings, device=f.device)
        tokens = self.queries(classes.expand(len(f), -1))
        for block in self.blocks:
            tokens = block(tokens, memory)
        return self.embed(tokens)


class StructureAffinityTransformation(StructureAffinityAttention):
    """SAA whose query and key are made longer by class tokens t (B, N, D):

        s = softmax([q, p(t)] [k', t^T]^T) = softmax(q k'^T + p(t) t^T)        p: 1 x 1, N -> C'

    f (B, C, H, W) -> (f" (B, C, H, W), k (B, N, H, W)). The released code calls our theta phi and our phi theta, and
    pads rho by 2, which makes the map grow by two rows and columns; here by 1.
    """

    def __init__(self, channels: int, classes: int = 4):
        super().__init__(channels, classes)
        self.tokens = ClassTokens(channels, channels // 4, classes)
        self.spread = nn.Conv1d(classes, channels // 4, 1)

    def energy(self, f: Tensor, q: Tensor, k_soft: Tensor) -> Tensor:
        tokens = self.tokens(f)
        return q @ k_soft.mT + self.spread(tokens) @ tokens.mT


class SA2Net(SegmentationNetwork):
    """Scale-adaptive structure-affinity network: UPerNet, channel and criss-cross attention in parallel, SAT.

    Its released loss is cross-entropy: main + 0.4 key + 0.5 channel + 0.5 spatial + 0.4 auxiliary.
    """

    def __init__(self, backbone: Backbone, width: int, classes: int, auxiliary_weight: float, gamma: float = 0.0):
        super().__init__()
        if width % (4 * HEADS):
            raise BadInput(f"sa2net: found width {width}; expected a multiple of {4 * HEADS}, for its {HEADS} heads")
        self.backbone = backbone
        self.trunk = UPerNet(backbone.channels, width)
        self.channel_attention = ReducedChannelAttention(width, gamma)
        self.channel_out = conv_bn(width, width, 3)
        self.spatial_attention = SpatialCrissCrossAttention(width, gamma=gamma)
        self.spatial_out = conv_bn(width, width, 3)
        self.structure_affinity = StructureAffinityTransformation(width, classes)
        self.classify = classifier(width, classes)
        self.classify_channel = classifier(width, classes, of_branch=True)
        self.classify_spatial = classifier(width, classes, of_branch=True)
        self.auxiliary = FCNHead(backbone.channels[-2], width // 2, classes)
        weights = {"main": 1.0, "key": 0.4, "channel": 0.5, "spatial": 0.5}
        self.loss_weights = weights | {"auxiliary": auxiliary_weight}

    def outputs(self, picture: Tensor) -> dict[str, Tensor]:
        maps = self.backbone(picture)
        f = self.trunk(maps)
        channel = self.channel_out(self.channel_attention(f))
        for _ in range(2):
            f = self.spatial_attention(f)
        spatial = self.spatial_out(f)
        f, key = self.structure_affinity(channel + spatial)
        outputs = {"main": self.classify(f), "key": key}
        if self.training:
            outputs |= {"channel": self.classify_channel(channel), "spatial": self.classify_spatial(spatial)}
            outputs |= self.auxiliary(maps[-2])
        return outputs


class MixedLoss(nn.Module):
    """Eq. (7) of the summed logits of every non-empty subset of the four head outputs, plus the auxiliary's.

    Assumption: this is the "feature mixing loss aggregation" of SA2Net's abstract, in the form of MERIT (Rahman &
    Marculescu, MIDL 2023): 15 subsets, weight 1 each. It is not in the released code.
    """

    MIXED = ("main", "key", "channel", "spatial")

    def __init__(self, auxiliary_weight: float, lambda_dice: float = 3.0):
        super().__init__()
        self.auxiliary_weight, self.lambda_dice = auxiliary_weight, lambda_dice
        self.subsets = list(chain.from_iterable(combinations(self.MIXED, n) for n in range(1, 5)))

    def forward(self, outputs: dict[str, Tensor], labels: Tensor) -> Tensor:
        total = self.auxiliary_weight * segmentation_loss(outputs["auxiliary"], labels, self.lambda_dice)
        for subset in self.subsets:
            summed = sum(outputs[name] for name in subset)
            assert isinstance(summed, Tensor)  # not sum's 0: no subset is empty
            total = total + segmentation_loss(summed, labels, self.lambda_dice)
        return total


def mixed_loss(network: SegmentationNetwork, lambda_dice: float) -> MixedLoss:
    return MixedLoss(network.loss_weights["auxiliary"], lambda_dice)


def build(settings: NetworkSettings) -> SA2Net:
    backbone = settings.make_backbone(stages=4, output_stride=32)
    gamma = RELEASED if settings.gamma is None else settings.gamma
    return SA2Net(backbone, settings.width, settings.classes, settings.auxiliary_weight, gamma)


METHOD = Method(
    title="SA2Net",
    places={"table-1": 9},
    build=build,
    known="Released code: UPerNet trunk of 512 on ResNet-50 or Swin, channel attention at C / 8 beside criss-cross "
    "attention twice, structure-affinity transformation with 6 decoder layers and 4 class queries; loss weights 1, "
    "0.4 (key), 0.5 (channel), 0.5 (spatial), 0.4 (FCN auxiliary), cross-entropy. Tokens 128 wide at any width; rho "
    "padded by 2; AdamW whose rate stays at 1e-4 (the floor of its decay is its base), weight decay 1e-4, scales 0.5 "
    "to 2, 512 x 512 crops, photometric distortion; tested as the average of six scales, 0.5 to 1.75.",
    assumed="Eq. (7) in place of cross-entropy (lambda 0 is the released loss / 4); the training recipe of the other "
    "rows in place of its own, and one scale in testing (its own: --augmentation rescaled and six times --test-scale); "
    "tokens as wide as a quarter of the width; padding 1 in rho. A Swin backbone is timm's, whose maps differ from the "
    "released by 0.2 to 3.3: no norms on its outputs (Swin-T: 2,880 parameters fewer), no shift in the last stage at "
    "sizes above its own, windows rolled before the map is padded; drop path 0.1, released 0.3.",
    losses={"equation-7": equation_7, "mixed": mixed_loss},
    gamma=RELEASED,
    attention={
        "channel": Attention("channel_attention", ("channel_attention.attend",)),
        "SCA": Attention("spatial_attention", ("spatial_attention.attend",)),
        "SAT": Attention("structure_affinity.delta", ("structure_affinity.affinity",), left="zeros"),
    },
)
