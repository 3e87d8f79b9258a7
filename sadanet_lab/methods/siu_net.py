"""SIU-Net (Banerjee et al., Biocybern. Biomed. Eng. 42, 2022): a U-Net of inception blocks on the same 109 images."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sadanet_core.blocks import SegmentationNetwork
from sadanet_lab.methods.shared.method import Method, NetworkSettings


class ShiftOnlyBatchNorm(nn.BatchNorm2d):
    """Batch norm that learns a shift and no scale: its ``weight`` is a constant 1."""

    def __init__(self, channels: int):
        super().__init__(channels)
        del self.weight
        self.register_buffer("weight", torch.ones(channels), persistent=False)


def conv(inputs: int, outputs: int, kernel: int, relu: bool = True) -> nn.Sequential:
    """Convolution without bias, "same" padding, batch norm without scale and, unless told otherwise, ReLU."""
    layers = [nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False), ShiftOnlyBatchNorm(outputs)]
    return nn.Sequential(*layers, nn.ReLU(inplace=True)) if relu else nn.Sequential(*layers)


class InceptionBlock(nn.Module):
    """Three branches summed, and a shortcut: f (B, inputs, H, W) -> (B, U, H, W).

    norm(relu(norm(a + b + c) + shortcut)), where a and b are 1 x 1 and then 3 x 3 each, c is 3 x 3, and the shortcut
    1 x 1 without ReLU.
    """

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.shortcut = conv(inputs, outputs, 1, relu=False)
        self.a = nn.Sequential(conv(inputs, outputs, 1), conv(outputs, outputs, 3))
        self.b = nn.Sequential(conv(inputs, outputs, 1), conv(outputs, outputs, 3))
        self.c = conv(inputs, outputs, 3)
        self.norm_sum = nn.BatchNorm2d(outputs)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, f: Tensor) -> Tensor:
        summed = self.norm_sum(self.a(f) + self.b(f) + self.c(f))
        return self.norm((summed + self.shortcut(f)).relu())


class SkipStep(nn.Module):
    """One step of a skip path: norm(relu(1 x 1 without ReLU + 3 x 3)); f (B, C, H, W) -> (B, C, H, W)."""

    def __init__(self, channels: int):
        super().__init__()
        self.shortcut = conv(channels, channels, 1, relu=False)
        self.residual = conv(channels, channels, 3)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, f: Tensor) -> Tensor:
        return self.norm((self.shortcut(f) + self.residual(f)).relu())


class Up(nn.ConvTranspose2d):
    """2 x 2 transposed convolution of stride 2, with bias; what an odd size has too much is cut off below and right.

    f (B, inputs, h, w), like (B, C, H, W) with h = ceil(H / 2), w = ceil(W / 2) -> (B, outputs, H, W).
    """

    def __init__(self, inputs: int, outputs: int):
        super().__init__(inputs, outputs, 2, stride=2)

    def forward(self, f: Tensor, like: Tensor) -> Tensor:
        return super().forward(f)[..., : like.shape[-2], : like.shape[-1]]


class SIUNet(SegmentationNetwork):
    """Five inception blocks of ``base``, 2, 4, 8, 16 x ``base`` channels, skip paths, a densely joined decoder.

    The decoder's maps 6 to 9, by name as in the released code: u<n><i> is map n enlarged i times in its own width,
    v<n> once to 2 x ``base`` channels. ``settings.width // 16`` is the base: 32 at the paper's width of 512.
    """

    def __init__(self, input_channels: int, base: int, classes: int):
        super().__init__()
        b = base
        widths = [b, 2 * b, 4 * b, 8 * b, 16 * b]
        self.encoder = nn.ModuleList(
            InceptionBlock(i, o) for i, o in zip([input_channels, *widths], widths, strict=False)
        )
        self.skips = nn.ModuleList(
            nn.Sequential(*(SkipStep(width) for _ in range(steps)))
            for width, steps in zip(widths, (4, 3, 2, 1), strict=False)
        )
        self.up5 = Up(16 * b, 8 * b)
        self.block6 = InceptionBlock(8 * b + 8 * b, 8 * b)
        self.u61, self.u62, self.u63, self.v6 = Up(8 * b, 8 * b), Up(8 * b, 8 * b), Up(8 * b, 8 * b), Up(8 * b, 2 * b)
        self.block7 = InceptionBlock(4 * b + 2 * b + 8 * b, 4 * b)
        self.u71, self.u72, self.v7 = Up(4 * b, 4 * b), Up(4 * b, 4 * b), Up(4 * b, 2 * b)
        self.block8 = InceptionBlock(2 * b + 2 * b + 4 * b + 8 * b, 2 * b)
        self.u81, self.v8 = Up(2 * b, 2 * b), Up(2 * b, 2 * b)
        self.block9 = InceptionBlock(b + 2 * b + 4 * b + 8 * b + 2 * b, b)
        self.classify = nn.Conv2d(b, classes, 1)
        self.loss_weights = {"main": 1.0}

    def outputs(self, picture: Tensor) -> dict[str, Tensor]:
        maps = []
        f = picture
        for depth, block in enumerate(self.encoder):
            # ceil_mode: an odd or tiny picture keeps at least one row and column at every depth
            f = block(F.max_pool2d(f, 2, ceil_mode=True) if depth else f)
            maps.append(f)
        s1, s2, s3, s4 = (path(f) for path, f in zip(self.skips, maps, strict=False))
        d6 = self.block6(torch.cat([self.up5(f, s4), s4], dim=1))
        u61 = self.u61(d6, s3)
        u62 = self.u62(u61, s2)
        d7 = self.block7(torch.cat([s3, self.v6(d6, s3), u61], dim=1))
        u71 = self.u71(d7, s2)
        d8 = self.block8(torch.cat([s2, self.v7(d7, s2), u71, u62], dim=1))
        finest = [s1, self.v8(d8, s1), self.u72(u71, s1), self.u63(u62, s1), self.u81(d8, s1)]
        return {"main": self.classify(self.block9(torch.cat(finest, dim=1)))}


def build(settings: NetworkSettings) -> SIUNet:
    return SIUNet(settings.input_channels, settings.width // 16, settings.classes)


METHOD = Method(
    title="SIU-Net",
    places={"table-1": 10},
    build=build,
    known="Released code: inception blocks of 32 to 512 channels, skip paths of 4, 3, 2 and 1 steps, a densely joined "
    "decoder; one input channel, 256 x 64 pixels, one sigmoid class, binary cross-entropy, Adam 1e-4, batch 1, "
    "20 epochs of 200 steps, augmentation by rotation 0.2 degrees, shifts, shear and zoom of 0.05, horizontal flips.",
    assumed="Four logits, softmax and Eq. (7) in place of one sigmoid class and binary cross-entropy, and the training "
    "recipe of the other rows in place of its own; PyTorch's initial weights and constants of batch norm; at odd sizes "
    "pooling rounds up and enlarged maps are cut to the skip's size; two enlarged maps that the released code makes "
    "and never uses are left out.",
    uses_backbone=False,
)
