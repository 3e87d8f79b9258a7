"""What a comparison method is: a name, a builder, a loss, and what is known and assumed about it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from torch import nn

from sadanet_core import Backbone, BackboneError, SegmentationLoss
from sadanet_core.blocks import SegmentationNetwork
from sadanet_core.sadanet import AUXILIARY_WEIGHT
from sadanet_lab.errors import BadInput

RELEASED = 0.0
"""First value of gamma in the released code of DANet, CCNet and SA2Net."""
PRINTED = 1.0
"""First value of gamma with which training starts from the plain sums that the paper prints."""


@dataclass(frozen=True)
class NetworkSettings:
    """What a builder needs to know; every number that the paper's size fixes is a multiple of ``width``.

    width: 512 in the paper: attention heads ``width``, auxiliary heads ``width // 2``, UNet's base ``width // 8``.
    weights: of the backbone, see ``sadanet_core.Backbone``. head and normalisation: one of the
    method's, None the first. gamma: first value of the scalars of that name, None the method's own. image_height,
    image_width: the largest picture in pixels; only PSANet needs it.
    """

    backbone: str | None = "resnet50c"
    weights: str = "none"
    input_channels: int = 3
    width: int = 512
    head: str | None = None
    normalisation: str | None = None
    gamma: float | None = None
    auxiliary_weight: float = AUXILIARY_WEIGHT
    classes: int = 4
    image_height: int = 2048
    image_width: int = 512

    def make_backbone(self, stages: int = 2, output_stride: int = 8) -> Backbone:
        """Raises ``BadInput`` where the core raises ``BackboneError``."""
        assert self.backbone is not None  # as in the recipe of every method that asks for one
        try:
            return Backbone(self.backbone, self.input_channels, self.weights, stages, output_stride)
        except BackboneError as error:
            raise BadInput(str(error)) from error


LossBuilder = Callable[[SegmentationNetwork, float], nn.Module]
"""(network, lambda_dice) -> a module that takes (outputs, labels) and gives the scalar to minimise."""


def equation_7(network: SegmentationNetwork, lambda_dice: float) -> SegmentationLoss:
    """SADANet's loss on each of the network's outputs, with the network's weights; lambda 0 is cross-entropy alone."""
    return SegmentationLoss(network.loss_weights, lambda_dice)


@dataclass(frozen=True)
class Attention:
    """An attention module of a network: where it is, where its maps are, and what is left when it is taken out.

    module: name of the submodule that is knocked out. Without it the network goes on with ``left``: "input", what went
    in (of a module that adds to its input), or "zeros" (of one whose output is joined to other features).
    maps: names of its softmax submodules (see ``sadanet_core.record_attention``).
    """

    module: str
    maps: tuple[str, ...]
    left: Literal["input", "zeros"] = "input"


@dataclass(frozen=True)
class Method:
    """One row of the comparison.

    ``build(settings)`` gives a network with the contract that all share: picture (B, input_channels, H, W) of any
    size -> in evaluation, logits (B, classes, H, W); in training, a dict of such logits with "main" first. The
    network's ``loss_weights`` says with which weight each of these outputs' losses is summed.

    title: how tables call it; name: of its file, set by the registry. places: where it stands in "table-1" (the
    comparison) and "table-2" (the ablation), counted from 1; all notebooks and ``make reproduce`` follow.

    heads, normalisations (of the channel attention): the choices that this method offers, its own first; empty where
    there is none. losses: name -> builder, its own first. gamma: first value of its attention's learned scalar, None if
    it has none. attention: title -> each attention module that runs in testing, for ``inference.knockouts``; which of
    their maps the explorer shows is told in ``studies.attention_maps``.
    """

    title: str
    places: Mapping[str, int]
    build: Callable[[NetworkSettings], SegmentationNetwork]
    known: str
    assumed: str
    heads: tuple[str, ...] = ()
    normalisations: tuple[str, ...] = ()
    losses: Mapping[str, LossBuilder] = field(default_factory=lambda: MappingProxyType({"equation-7": equation_7}))
    gamma: float | None = None
    attention: Mapping[str, Attention] = field(default_factory=lambda: MappingProxyType({}))
    uses_backbone: bool = True
    name: str = ""

    @property
    def choices(self) -> dict[str, tuple[str, ...]]:
        """What a recipe may choose, and from what: "head", "normalisation", "loss"."""
        return {"head": self.heads, "normalisation": self.normalisations, "loss": tuple(self.losses)}
