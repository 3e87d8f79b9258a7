"""RSNU (Huang et al., SMC 2020): U-Net against speckle and regular occlusion, by a total-variation loss."""

from functools import partial

from torch import Tensor, nn

from sadanet_core import SegmentationLoss
from sadanet_core.blocks import SegmentationNetwork, at_least_float32
from sadanet_lab.methods import unet
from sadanet_lab.methods.shared.method import Method

WEIGHTS = (0.01, 0.1, 1.0)
"""Of the total variation, the one that is used first.

Assumption: RSNU's own weight is not known to us. Chosen on the 20 validation phantoms of profile standard, in decades,
800 steps, seeds 0 and 1 (notebook 12): mean bone Dice 75.4 and 75.9 with 0.01, 75.5 and 74.3 with 0.1, 75.1 and 75.7
with 1. The best mean, then, by less than the seeds differ."""


def total_variation(logits: Tensor) -> Tensor:
    """Isotropic total variation of the class probabilities p, a scalar in 0..2 + sqrt(2), mean over pixels:

        sum over the classes of sqrt((p[y + 1, x] - p[y, x])^2 + (p[y, x + 1] - p[y, x])^2 + 1e-8)

    logits (B, N, H, W), H and W at least 2. The 1e-8 keeps the gradient finite where p is flat.
    """
    p = at_least_float32(logits).softmax(1)
    here = p[..., :-1, :-1]
    squares = (p[..., 1:, :-1] - here).square() + (p[..., :-1, 1:] - here).square()
    return (squares + 1e-8).sqrt().sum(1).mean()


class TotalVariationLoss(nn.Module):
    """Eq. (7) plus ``weight`` times the total variation of the main output."""

    def __init__(self, segmentation_loss: SegmentationLoss, weight: float):
        super().__init__()
        self.segmentation_loss = segmentation_loss
        self.weight = weight

    def forward(self, outputs: dict[str, Tensor], labels: Tensor) -> Tensor:
        return self.segmentation_loss(outputs, labels) + self.weight * total_variation(outputs["main"])


def loss(network: SegmentationNetwork, lambda_dice: float, weight: float) -> TotalVariationLoss:
    return TotalVariationLoss(SegmentationLoss(network.loss_weights, lambda_dice), weight)


METHOD = Method(
    title="RSNU",
    places={"table-1": 3},
    build=unet.build,
    known="U-Net with a total-variation loss (abstract; Sec. II-A of the SADANet paper).",
    assumed="UNet as in its own row; isotropic total variation of the class probabilities, weight "
    f"{WEIGHTS[0]:g}, added to Eq. (7).",
    losses={f"total-variation-{weight:g}": partial(loss, weight=weight) for weight in WEIGHTS},
    uses_backbone=False,
)
