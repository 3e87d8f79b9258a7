"""Feature pyramids that several methods stand on: FPN's, semantic FPN's, and UPerNet's with pyramid pooling."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sadanet_core.blocks import conv_bn, started, upsample

BINS = (1, 2, 3, 6)
"""Bins a side of pyramid pooling's averages."""


class FeaturePyramid(nn.Module):
    """FPN (Lin et al., CVPR 2017): 1 x 1 to ``channels``, added top-down by nearest enlargement, then 3 x 3 each.

    maps (B, C_i, H_i, W_i), finest first -> as many (B, channels, H_i, W_i). Starts Xavier uniform, as released.
    """

    def __init__(self, inputs: list[int], channels: int):
        super().__init__()
        layers = [nn.Conv2d(i, channels, 1) for i in inputs]
        layers += [nn.Conv2d(channels, channels, 3, padding=1) for _ in inputs]
        layers = [started(layer, nn.init.xavier_uniform_) for layer in layers]
        self.lateral = nn.ModuleList(layers[: len(inputs)])
        self.smooth = nn.ModuleList(layers[len(inputs) :])

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        maps = [layer(f) for layer, f in zip(self.lateral, maps, strict=True)]
        for i in range(len(maps) - 1, 0, -1):
            maps[i - 1] = maps[i - 1] + F.interpolate(maps[i], maps[i - 1].shape[-2:], mode="nearest")
        return [layer(f) for layer, f in zip(self.smooth, maps, strict=True)]


class SemanticFPN(nn.Module):
    """An FPN whose levels are brought to the finest by 3 x 3 convolutions with doubling, and summed.

    maps at strides 4, 8, 16, 32 -> (B, channels, H / 4, W / 4). MMSegmentation's FPN head: level i has max(1, i)
    convolutions, each but the finest's followed by bilinear doubling.
    """

    def __init__(self, inputs: list[int], pyramid_channels: int, channels: int):
        super().__init__()
        self.pyramid = FeaturePyramid(inputs, pyramid_channels)
        self.levels = nn.ModuleList(self._level(i, pyramid_channels, channels) for i in range(len(inputs)))

    @staticmethod
    def _level(index: int, inputs: int, channels: int) -> nn.Sequential:
        layers = []
        for step in range(max(1, index)):
            layers.append(conv_bn(channels if step else inputs, channels, 3))
            if index:
                layers.append(nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False))
        return nn.Sequential(*layers)

    def forward(self, maps: list[Tensor]) -> Tensor:
        finest, *others = (level(f) for level, f in zip(self.levels, self.pyramid(maps), strict=True))
        return finest + sum(upsample(f, finest) for f in others)


def pooling_matrix(size: int, bins: int, like: Tensor) -> Tensor:
    """(bins, size): row b is the mean over the cells floor(b size / bins) .. ceil((b + 1) size / bins) - 1."""
    cells = torch.arange(size, device=like.device)
    b = torch.arange(bins, device=like.device)[:, None]
    inside = (cells >= b * size // bins) & (cells < -(-(b + 1) * size // bins))
    return inside.to(like.dtype) / inside.sum(1, keepdim=True)


class PyramidPooling(nn.Module):
    """PSPNet's pooling (Zhao et al., CVPR 2017): averages over each of ``BINS``, 1 x 1, enlarged, fused.

    f (B, C, H, W) -> (B, channels, H, W). The adaptive averages are products with two matrices, the same numbers as
    ``adaptive_avg_pool2d``, which ONNX cannot export where bins don't divide the size.
    """

    def __init__(self, inputs: int, channels: int):
        super().__init__()
        self.project = nn.ModuleList(conv_bn(inputs, channels, 1) for _ in BINS)
        self.fuse = conv_bn(inputs + len(BINS) * channels, channels, 3)

    @staticmethod
    def pool(f: Tensor, bins: int) -> Tensor:
        """Adaptive average: (B, C, H, W) -> (B, C, bins, bins)."""
        height, width = f.shape[-2:]
        of_rows = f @ pooling_matrix(width, bins, f).mT
        return (of_rows.mT @ pooling_matrix(height, bins, f).mT).mT

    def forward(self, f: Tensor) -> Tensor:
        pooled = [upsample(layer(self.pool(f, bins)), f) for layer, bins in zip(self.project, BINS, strict=True)]
        return self.fuse(torch.cat([f, *pooled], dim=1))


class UPerNet(nn.Module):
    """UPerNet's trunk (Xiao et al., ECCV 2018): pyramid pooling on the coarsest map, an FPN down from it, all fused.

    maps at strides 4, 8, 16, 32 -> (B, channels, H / 4, W / 4).
    """

    def __init__(self, inputs: list[int], channels: int):
        super().__init__()
        self.pooling = PyramidPooling(inputs[-1], channels)
        self.lateral = nn.ModuleList(conv_bn(i, channels, 1) for i in inputs[:-1])
        self.smooth = nn.ModuleList(conv_bn(channels, channels, 3) for _ in inputs[:-1])
        self.fuse = conv_bn(len(inputs) * channels, channels, 3)

    def forward(self, maps: list[Tensor]) -> Tensor:
        *finer, coarsest = maps
        levels = [*(layer(f) for layer, f in zip(self.lateral, finer, strict=True)), self.pooling(coarsest)]
        for i in range(len(levels) - 1, 0, -1):
            levels[i - 1] = levels[i - 1] + upsample(levels[i], levels[i - 1])
        levels = [*(layer(f) for layer, f in zip(self.smooth, levels[:-1], strict=True)), levels[-1]]
        return self.fuse(torch.cat([levels[0], *(upsample(f, levels[0]) for f in levels[1:])], dim=1))
