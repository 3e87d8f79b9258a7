"""The loss, Sec. III-E, Eq. (5) to (7). Everything is summed in float32 or better."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sadanet_core.blocks import at_least_float32


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Eq. (5): -sum of y log(softmax(logits)) / (N H W), averaged over the batch. A scalar.

    logits (B, N, H, W), labels (B, H, W) with ids 0..N-1. As printed, Eq. (5) divides by the number of classes N
    besides the number of pixels, so this is the usual mean cross-entropy / N.
    """
    return F.cross_entropy(at_least_float32(logits), labels) / logits.shape[1]


def dice_loss(logits: Tensor, labels: Tensor, smoothing: float = 1e-5) -> Tensor:
    """Eq. (6): 1 - 2 sum(y^ y) / sum(y^^2 + y^2), for each picture and class, then averaged. A scalar in 0..1.

    logits (B, N, H, W), labels (B, H, W).

    Assumption: one Dice for each picture and class, background included, then the mean; Eq. (6) leaves that open. It
    has no smoothing term either, without which a class that is neither there nor predicted is 0 / 0; with it such a
    class counts as a loss of 0. "Not predicted" means a sum of squared probabilities well below ``smoothing``: until
    then an absent class costs nearly 1, with nearly no gradient, so patches that lack a bone hold the loss up without
    steering it.
    """
    probabilities = at_least_float32(logits).softmax(1)
    truth = F.one_hot(labels, logits.shape[1]).movedim(-1, 1).to(probabilities)
    overlap = (probabilities * truth).sum((2, 3))
    total = (probabilities.square() + truth.square()).sum((2, 3))
    return (1 - (2 * overlap + smoothing) / (total + smoothing)).mean()


def segmentation_loss(logits: Tensor, labels: Tensor, lambda_dice: float) -> Tensor:
    """Eq. (7) of one output: L_CE + lambda L_Dice. logits (B, N, H, W), labels (B, H, W); a scalar."""
    loss = cross_entropy(logits, labels)
    return loss + lambda_dice * dice_loss(logits, labels) if lambda_dice != 0 else loss


class SegmentationLoss(nn.Module):
    """Eq. (7) summed over a network's outputs with their weights.

    outputs: name -> logits (B, N, H, W); weights: name -> weight, 0 leaves an output out. Returns a scalar.
    """

    def __init__(self, weights: dict[str, float], lambda_dice: float = 3.0):
        super().__init__()
        self.weights = {name: weight for name, weight in weights.items() if weight != 0}
        self.lambda_dice = lambda_dice

    def forward(self, outputs: dict[str, Tensor], labels: Tensor) -> Tensor:
        total = torch.zeros((), device=labels.device)
        for name, weight in self.weights.items():
            total = total + weight * segmentation_loss(outputs[name], labels, self.lambda_dice)
        return total
