"""What a comparison method is: a name, a builder, a loss, and what is known and assumed about it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from torch import nn

from sadanet_core.network import Backbone, SegmentationLoss


@dataclass(frozen=True)
class NetworkSettings:
    """What a builder needs to know; every number that the paper's size fixes is a multiple of ``width``.

    width: 512 in the paper: attention heads ``width``, auxiliary heads ``width // 2``, UNet's base ``width // 8``.
    weights: of the backbone, see ``network.Backbone``. head and normalisation: one of the method's, None the first.
    image_height, image_width: the largest picture in pixels; only PSANet's size depends on it.
    """

    backbone: str | None = "resnet50c"
    weights: str = "none"
    input_channels: int = 3
    width: int = 512
    head: str | None = None
    normalisation: str | None = None
    auxiliary_weight: float = 0.4
    classes: int = 4
    image_height: int = 2048
    image_width: int = 512

    def make_backbone(self, stages: int = 2, output_stride: int = 8) -> Backbone:
        return Backbone(self.backbone, self.input_channels, self.weights, stages, output_stride)


LossBuilder = Callable[[nn.Module, float], nn.Module]
"""(network, lambda_dice) -> a module that takes (outputs, labels) and gives the scalar to minimise."""


def equation_7(network: nn.Module, lambda_dice: float) -> SegmentationLoss:
    """SADANet's loss on each of the network's outputs, with the network's weights; lambda 0 is cross-entropy alone."""
    return SegmentationLoss(network.loss_weights, lambda_dice)


@dataclass(frozen=True)
class Method:
    """One row of the comparison.

    ``build(settings)`` gives a network with the contract that all share: picture (B, input_channels, H, W) of any
    size -> in evaluation, logits (B, classes, H, W); in training, a dict of such logits with "main" first. The
    network's ``loss_weights`` says with which weight each of these outputs' losses is summed.

    heads, normalisations (of the channel attention): the choices that this method offers, its own first; empty where
    there is none. losses: name -> builder, its own first.
    """

    name: str
    title: str
    build: Callable[[NetworkSettings], nn.Module]
    known: str
    assumed: str
    heads: tuple[str, ...] = ()
    normalisations: tuple[str, ...] = ()
    losses: Mapping[str, LossBuilder] = field(default_factory=lambda: MappingProxyType({"equation-7": equation_7}))
    uses_backbone: bool = True

    @property
    def choices(self) -> dict[str, tuple[str, ...]]:
        """What a recipe may choose, and from what: "head", "normalisation", "loss"."""
        return {"head": self.heads, "normalisation": self.normalisations, "loss": tuple(self.losses)}
