"""The pieces that networks share: convolution with batch norm, classifier, FCN auxiliary head, and their frame."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def at_least_float32(x: Tensor) -> Tensor:
    """Half precision to float32, for softmax and sums; float32 and float64 stay what they are."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def full_precision(like: Tensor) -> AbstractContextManager:
    """No autocast while open, on the device of ``like``; the meta device, which has no autocast, is left alone."""
    return nullcontext() if like.is_meta else torch.autocast(like.device.type, enabled=False)


kaiming_normal = partial(nn.init.kaiming_normal_, mode="fan_out", nonlinearity="relu")


def started(convolution: nn.Conv2d, first_weights: Callable[[Tensor], Tensor]) -> nn.Conv2d:
    """The convolution with its weights set by ``first_weights`` in place, and a bias, if it has one, of 0."""
    first_weights(convolution.weight)
    if convolution.bias is not None:
        nn.init.zeros_(convolution.bias)
    return convolution


def conv_bn(inputs: int, outputs: int, kernel: int, relu: bool = True, stride: int = 1) -> nn.Sequential:
    """Convolution without bias, "same" padding, batch norm and, unless told otherwise, ReLU; starts as mmcv's do."""
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    layers = [started(convolution, kaiming_normal), nn.BatchNorm2d(outputs)]
    return nn.Sequential(*layers, nn.ReLU(inplace=True)) if relu else nn.Sequential(*layers)


def to_classes(channels: int, classes: int = 4) -> nn.Conv2d:
    """The 1 x 1 convolution to the logits of each class; it starts as the code family's do, from N(0, 0.01)."""
    return started(nn.Conv2d(channels, classes, 1), partial(nn.init.normal_, std=0.01))


def classifier(channels: int, classes: int = 4, of_branch: bool = False) -> nn.Sequential:
    """Channel dropout and ``to_classes``; that of a branch, beside the main one, starts with PyTorch's own weights."""
    last = nn.Conv2d(channels, classes, 1) if of_branch else to_classes(channels, classes)
    return nn.Sequential(nn.Dropout2d(0.1), last)


def upsample(logits: Tensor, like: Tensor) -> Tensor:
    """Logits (B, N, h, w) -> (B, N, H, W), bilinear, to the size of the picture ``like`` (B, C, H, W)."""
    return F.interpolate(logits, like.shape[-2:], mode="bilinear", align_corners=False)


class FCNHead(nn.Module):
    """MMSegmentation's FCN auxiliary head: 3 x 3 convolution, batch norm, ReLU, dropout, 1 x 1 classifier.

    f (B, C, h, w) -> {"auxiliary": logits (B, N, h, w)}.
    """

    def __init__(self, inputs: int, channels: int, classes: int = 4):
        super().__init__()
        self.reduce = conv_bn(inputs, channels, 3)
        self.classify = classifier(channels, classes)

    def forward(self, f: Tensor) -> dict[str, Tensor]:
        return {"auxiliary": self.classify(self.reduce(f))}


class SegmentationNetwork(nn.Module):
    """The frame of every network here: logits at the picture's size, auxiliary outputs in training only.

    picture (B, input_channels, H, W), any H and W -> in evaluation the main logits (B, N, H, W); in training a dict
    of such logits, an entry for each of ``loss_weights``, which says with which weight its loss is summed.

    A network sets ``loss_weights`` and says in ``outputs`` what it computes.
    """

    loss_weights: dict[str, float]

    def outputs(self, picture: Tensor) -> dict[str, Tensor]:
        """Logits (B, N, h, w) of any size by name: "main" always, the other names of ``loss_weights`` in training."""
        raise NotImplementedError

    def forward(self, picture: Tensor) -> Tensor | dict[str, Tensor]:
        outputs = self.outputs(picture)
        if not self.training:
            return upsample(outputs["main"], picture)
        return {name: upsample(outputs[name], picture) for name in self.loss_weights}
