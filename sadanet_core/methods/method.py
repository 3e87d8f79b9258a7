"""What a comparison method is: a name, a builder, and what is known and assumed about it."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True)
class NetworkSettings:
    """What a builder needs to know; every number that the paper's size fixes is a multiple of ``width``.

    width: 512 in the paper: attention heads ``width``, auxiliary heads ``width // 2``, UNet's base ``width // 8``.
    weights: of the backbone, see ``network.Backbone``. head: one of the method's ``heads``.
    """

    backbone: str | None = "resnet50c"
    weights: str = "none"
    input_channels: int = 3
    width: int = 512
    head: str = "text"
    auxiliary_weight: float = 0.4
    classes: int = 4


@dataclass(frozen=True)
class Method:
    """One row of the comparison.

    ``build(settings)`` gives a network with the contract that all share: picture (B, input_channels, H, W) of any
    size -> in evaluation, logits (B, classes, H, W); in training, a dict of such logits with "main" first. The
    network's ``loss_weights`` says with which weight each of these outputs' losses is summed.
    """

    name: str
    title: str
    build: Callable[[NetworkSettings], nn.Module]
    known: str
    assumed: str
    heads: tuple[str, ...] = ("text",)
    uses_backbone: bool = True
