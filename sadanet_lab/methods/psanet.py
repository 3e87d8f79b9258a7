"""PSANet (Zhao et al., ECCV 2018): each position collects from all others and distributes to them, by offset."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sadanet_core.attention import Softmax
from sadanet_core.backbone import Backbone
from sadanet_core.blocks import FCNHead, SegmentationNetwork, classifier, conv_bn, upsample
from sadanet_lab.errors import BadInput
from sadanet_lab.methods.shared.method import Attention, Method, NetworkSettings

SHRINK = 2


def reached_offsets(height: int, width: int) -> int:
    """How many offsets between two positions a picture of that many pixels has: (2 h - 1)(2 w - 1).

    h and w are its sides at stride 8, shrunk by 2, rounded up both times. The weights of other offsets get no gradient
    from it: weight decay alone moves them, towards 0.
    """
    h, w = (-(-side // (8 * SHRINK)) for side in (height, width))
    return (2 * h - 1) * (2 * w - 1)


class OffsetWeights(nn.Conv2d):
    """A 1 x 1 convolution to one weight for each offset (dy, dx) between two positions of a map.

    f (B, C, h, w), h <= height, w <= width -> (B, (2h - 1)(2w - 1), h, w), the offsets -(h - 1)..h - 1 by
    -(w - 1)..w - 1 row by row: of the (2 height - 1)(2 width - 1) that it holds, those that such a map can have.
    Raises ``BadInput`` for a larger map.
    """

    def __init__(self, channels: int, height: int, width: int):
        super().__init__(channels, (2 * height - 1) * (2 * width - 1), 1, bias=False)
        self.height, self.width = height, width

    def forward(self, f: Tensor) -> Tensor:
        h, w = f.shape[-2:]
        if h > self.height or w > self.width:
            most, found = (f"{8 * SHRINK * x} x {8 * SHRINK * y}" for x, y in ((self.width, self.height), (w, h)))
            raise BadInput(
                f"psanet: sees {found} pixels, its mask is made for {most} at most; it cannot be averaged over scales "
                "(--tta) or see wider pictures"
            )
        kernels = self.weight.unflatten(0, (2 * self.height - 1, 2 * self.width - 1))
        reached = kernels[self.height - h : self.height + h - 1, self.width - w : self.width + w - 1]
        return F.conv2d(f, reached.flatten(0, 1))


def by_position(weights: Tensor) -> Tensor:
    """Weights by offset (B, (2h - 1)(2w - 1), h, w) -> by position (B, hw, hw).

    Entry [b, p, q] is the weight at q for the offset p - q.
    """
    h, w = weights.shape[-2:]
    rows, columns = torch.arange(h, device=weights.device), torch.arange(w, device=weights.device)
    down = rows[:, None] - rows + h - 1
    across = columns[:, None] - columns + w - 1
    offset = down[:, None, :, None] * (2 * w - 1) + across[None, :, None, :]
    return weights.flatten(2).gather(1, offset.reshape(1, h * w, h * w).expand(len(weights), -1, -1))


class PointwiseAttention(nn.Module):
    """One direction: f (B, C, H, W) -> (B, channels, H / 2, W / 2), sizes rounded up; ``collects`` or distributes.

    Map layout: s[b, p, q] is what position q takes of position p; the sum over p is 1. A position that collects
    says itself what it takes; one that distributes says what the others take of it.
    """

    def __init__(self, inputs: int, channels: int, height: int, width: int, collects: bool):
        super().__init__()
        self.collects = collects
        self.reduce = conv_bn(inputs, channels, 1)
        self.hidden = conv_bn(channels, channels, 1)
        self.weigh = OffsetWeights(channels, height, width)
        self.attend = Softmax(dim=1)

    def forward(self, f: Tensor) -> Tensor:
        size = [(side + SHRINK - 1) // SHRINK for side in f.shape[-2:]]  # ONNX rounds -(-side // SHRINK) the other way
        f = F.interpolate(self.reduce(f), size, mode="bilinear", align_corners=False)
        energy = by_position(self.weigh(self.hidden(f)))
        s = self.attend(energy if self.collects else energy.mT).to(f.dtype)
        return (f.flatten(2) @ s).unflatten(2, size)


class PSANet(SegmentationNetwork):
    """Backbone, collecting and distributing attention, 1 x 1, fusion with the input by 3 x 3, FCN auxiliary head.

    image_height, image_width: the largest picture in pixels. The attention's mask is made for it, so that it covers
    a whole test image and not only a patch.
    """

    def __init__(
        self,
        backbone: Backbone,
        width: int,
        classes: int,
        auxiliary_weight: float,
        image_height: int,
        image_width: int,
    ):
        super().__init__()
        self.backbone = backbone
        layer3, layer4 = backbone.channels
        mask = [-(-side // (8 * SHRINK)) for side in (image_height, image_width)]
        self.collect = PointwiseAttention(layer4, width, *mask, collects=True)
        self.distribute = PointwiseAttention(layer4, width, *mask, collects=False)
        self.project = conv_bn(2 * width, layer4, 1)
        self.fuse = conv_bn(2 * layer4, width, 3)
        self.classify = classifier(width, classes)
        self.auxiliary = FCNHead(layer3, width // 2, classes)
        self.loss_weights = {"main": 1.0, "auxiliary": auxiliary_weight}

    def outputs(self, picture: Tensor) -> dict[str, Tensor]:
        layer3, layer4 = self.backbone(picture)
        attended = self.project(torch.cat([self.collect(layer4), self.distribute(layer4)], dim=1))
        logits = self.classify(self.fuse(torch.cat([layer4, upsample(attended, layer4)], dim=1)))
        return {"main": logits} | (self.auxiliary(layer3) if self.training else {})


def build(settings: NetworkSettings) -> PSANet:
    return PSANet(
        settings.make_backbone(),
        settings.width,
        settings.classes,
        settings.auxiliary_weight,
        settings.image_height,
        settings.image_width,
    )


METHOD = Method(
    title="PSANet",
    places={"table-1": 5},
    build=build,
    known="512 channels, collect and distribute, shrink factor 2, FCN auxiliary head of weight 0.4 (MMSegmentation's "
    "configuration). Its mask has 97 x 97 offsets; its softmax runs over all positions of the map, those outside the "
    "mask at energy 0, not cut off. It pads its last 1 x 1 projection by 1; the authors' own code does not. It shrinks "
    "with sides rounded up and corners aligned where both are odd, else rounded down and not aligned; the authors' own "
    "code always rounds up and aligns.",
    assumed="The mask covers the whole test image, so that no position lies outside; of its offsets training patches "
    "reach the middle alone (reached_offsets): 21 of 217 at profile smoke, 105 of 945 at quick, 253 of 2,461 at "
    "standard, 1,953 of 16,065 at gpu and paper, all 2,997 at shipped and finetune. No padding of the projection; "
    "sides are rounded up and corners not aligned, which is MMSegmentation's way where both sides are "
    "even. Loss Eq. (7).",
    attention={"masks": Attention("project", ("collect.attend", "distribute.attend"), left="zeros")},
)
