"""UNet (Ronneberger et al., MICCAI 2015) in MMSegmentation's form "s5-d16", without pretrained weights."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sadanet_core.blocks import FCNHead, SegmentationNetwork, classifier, conv_bn
from sadanet_lab.methods.shared.method import Method, NetworkSettings


def double_conv(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(conv_bn(inputs, outputs, 3), conv_bn(outputs, outputs, 3))


class UpBlock(nn.Module):
    """Bilinear enlargement to the skip's size, 1 x 1 convolution, concatenation with the skip, two 3 x 3."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.narrow = conv_bn(inputs, outputs, 1)
        self.merge = double_conv(2 * outputs, outputs)

    def forward(self, f: Tensor, skip: Tensor) -> Tensor:
        f = self.narrow(F.interpolate(f, skip.shape[-2:], mode="bilinear", align_corners=False))
        return self.merge(torch.cat([skip, f], dim=1))


class UNet(SegmentationNetwork):
    """Five stages of ``base``, 2, 4, 8, 16 x ``base`` channels, 2 x 2 max pooling between them.

    The auxiliary FCN head sits on the decoder's map of 2 x ``base`` channels at half size.
    """

    def __init__(self, input_channels: int, base: int, classes: int, auxiliary_weight: float):
        super().__init__()
        widths = [base * 2**stage for stage in range(5)]
        self.encoder = nn.ModuleList(double_conv(i, o) for i, o in zip([input_channels, *widths], widths, strict=False))
        self.decoder = nn.ModuleList(UpBlock(i, o) for i, o in zip(widths[:0:-1], widths[-2::-1], strict=True))
        self.reduce = conv_bn(base, base, 3)
        self.classify = classifier(base, classes)
        self.auxiliary = FCNHead(2 * base, base, classes)
        self.loss_weights = {"main": 1.0, "auxiliary": auxiliary_weight}

    def outputs(self, picture: Tensor) -> dict[str, Tensor]:
        maps = []
        f = picture
        for depth, stage in enumerate(self.encoder):
            # ceil_mode: an odd or tiny picture keeps at least one row and column at every depth
            f = stage(F.max_pool2d(f, 2, ceil_mode=True) if depth else f)
            maps.append(f)
        half_size = f
        for block, skip in zip(self.decoder, maps[-2::-1], strict=True):
            half_size, f = f, block(f, skip)
        return {"main": self.classify(self.reduce(f))} | (self.auxiliary(half_size) if self.training else {})


def build(settings: NetworkSettings) -> UNet:
    return UNet(settings.input_channels, settings.width // 8, settings.classes, settings.auxiliary_weight)


METHOD = Method(
    title="UNet",
    places={"table-1": 1},
    build=build,
    known="MMSegmentation's s5-d16: base 64 channels, 5 stages, batch norm, interpolate-and-convolve enlargement, "
    "not pretrained, FCN auxiliary head 128 -> 64 of weight 0.4.",
    assumed="The loss of SADANet, Eq. (7), in place of cross-entropy alone.",
    uses_backbone=False,
)
