"""Sec. III-E, Eq. (5) to (7): the loss against numbers derived by hand, and against torch and MONAI."""

import math

import pytest
import torch
import torch.nn.functional as F
from monai.losses import DiceLoss
from torch import tensor

from sadanet_core import SegmentationLoss, cross_entropy, dice_loss

LN3 = math.log(3)

# Case "two": one picture of 1 x 2 pixels, 2 classes. Logits (0, ln 3) and (0, 0) give the probabilities (1/4, 3/4)
# and (1/2, 1/2); the labels are 1 and 0.
TWO = (tensor([[[[0.0, 0.0]], [[LN3, 0.0]]]], dtype=torch.float64), tensor([[[1, 0]]]))
# Eq. (5): (-ln 3/4 - ln 1/2) / (N H W = 2 * 1 * 2)
TWO_CE = math.log(8 / 3) / 4


def two_dice(smoothing):
    """Eq. (6), class 0: p = (1/4, 1/2), y = (0, 1): sum p y = 1/2, sum p^2 + y^2 = 1/16 + 1/4 + 1 = 21/16;
    class 1: p = (3/4, 1/2), y = (1, 0): sum p y = 3/4, sum p^2 + y^2 = 9/16 + 1/4 + 1 = 29/16."""
    zero = 1 - (1 + smoothing) / (21 / 16 + smoothing)
    one = 1 - (3 / 2 + smoothing) / (29 / 16 + smoothing)
    return (zero + one) / 2


# Case "four": 1 x 2 pixels, 4 classes. Logits (ln 3, 0, 0, 0) give (1/2, 1/6, 1/6, 1/6), equal ones 1/4 each; the
# labels are 0 and 3. Eq. (5): (-ln 1/2 - ln 1/4) / (4 * 1 * 2) = 3 ln 2 / 8. Eq. (6) without smoothing:
#   class 0: p = (1/2, 1/4), y = (1, 0): 1 - 2 * 1/2 / (1/4 + 1/16 + 1) = 1 - 16/21
#   classes 1 and 2: no such label, so the overlap is 0 and the loss 1
#   class 3: p = (1/6, 1/4), y = (0, 1): 1 - 2 * 1/4 / (1/36 + 1/16 + 1) = 1 - 72/157
FOUR = (tensor([[[[LN3, 0.0]], [[0.0, 0.0]], [[0.0, 0.0]], [[0.0, 0.0]]]], dtype=torch.float64), tensor([[[0, 3]]]))
FOUR_CE = 3 * math.log(2) / 8
FOUR_DICE = (5 / 21 + 1 + 1 + 85 / 157) / 4


pytestmark = pytest.mark.usefixtures("alike")


def sample(batch=2, classes=4, height=5, width=3, dtype=torch.float64):
    logits = 2 * torch.randn(batch, classes, height, width, dtype=dtype)
    return logits, torch.randint(classes, (batch, height, width))


def certain(classes_of_pixels, classes):
    """Logits that are sure of the given class of each pixel; ids (B, H, W)."""
    return 200.0 * F.one_hot(classes_of_pixels, classes).movedim(-1, 1).float()


def close(found, expected):
    assert found.item() == pytest.approx(float(expected), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize(("case", "expected"), [(TWO, TWO_CE), (FOUR, FOUR_CE)])
def test_cross_entropy_gives_the_numbers_of_equation_5(case, expected):
    close(cross_entropy(*case), expected)


@pytest.mark.parametrize("smoothing", [0, 1e-5, 1])
def test_dice_gives_the_numbers_of_equation_6_with_its_smoothing(smoothing):
    close(dice_loss(*TWO, smoothing=smoothing), two_dice(smoothing))


def test_dice_counts_every_class_background_included_and_says_1_for_one_predicted_but_not_there():
    close(dice_loss(*FOUR, smoothing=0), FOUR_DICE)


@pytest.mark.parametrize("lambda_dice", [0.5, 3.0, 5.0])
def test_the_sum_is_equation_7(lambda_dice):
    loss = SegmentationLoss({"main": 1.0}, lambda_dice)
    close(loss({"main": TWO[0]}, TWO[1]), TWO_CE + lambda_dice * two_dice(1e-5))


def test_lambda_is_3_unless_told_otherwise():
    close(SegmentationLoss({"main": 1.0})({"main": TWO[0]}, TWO[1]), TWO_CE + 3 * two_dice(1e-5))


def test_lambda_0_is_cross_entropy_alone():
    logits, labels = sample()
    close(SegmentationLoss({"main": 1.0}, lambda_dice=0)({"main": logits}, labels), cross_entropy(logits, labels))


@pytest.mark.parametrize("classes", [2, 4, 7])
def test_cross_entropy_is_torchs_mean_divided_by_the_number_of_classes(classes):
    logits, labels = sample(classes=classes)
    close(cross_entropy(logits, labels), F.cross_entropy(logits, labels) / classes)


def monai_dice(logits, labels, smoothing, batch=False):
    """MONAI's Dice; the one-hot labels are given in float64, for its ``to_onehot_y`` makes them float32 (1e-8 off)."""
    options = {"include_background": True, "softmax": True, "squared_pred": True, "batch": batch}
    truth = F.one_hot(labels, logits.shape[1]).movedim(-1, 1).double()
    return DiceLoss(smooth_nr=smoothing, smooth_dr=smoothing, **options)(logits, truth)


@pytest.mark.parametrize("smoothing", [1e-5, 0.1])
def test_dice_is_monais_squared_one_for_each_picture_and_class(smoothing):
    logits, labels = sample()
    close(dice_loss(logits, labels, smoothing), monai_dice(logits, labels, smoothing))


def test_dice_is_not_monais_over_the_whole_batch_but_the_mean_of_the_pictures():
    logits, labels = sample()
    labels[0] = 0  # one picture of background alone: the two definitions part
    found = dice_loss(logits, labels)
    alone = [dice_loss(logits[i : i + 1], labels[i : i + 1]) for i in range(2)]
    close(found, sum(alone) / 2)
    assert abs(found - monai_dice(logits, labels, 1e-5, batch=True)) > 0.01


def test_a_class_neither_there_nor_predicted_adds_nothing_and_leaves_the_gradient_finite():
    """Of three classes the third is empty: the mean over three is 2/3 of the mean over the other two."""
    logits, labels = TWO
    empty = torch.full_like(logits[:, :1], -1000)
    three = torch.cat([logits, empty], dim=1).requires_grad_()
    loss = dice_loss(three, labels)
    close(loss, two_dice(1e-5) * 2 / 3)
    loss.backward()
    assert three.grad.isfinite().all()


@pytest.mark.parametrize("ids", [[0, 1, 2, 3], [0, 0, 0, 0], [2, 2, 0, 2]])
def test_a_perfect_prediction_costs_nothing_whichever_classes_are_there(ids):
    labels = tensor(ids).view(1, 2, 2)
    logits = certain(labels, 4)
    assert float(dice_loss(logits, labels)) == pytest.approx(0, abs=1e-6)
    assert float(SegmentationLoss({"main": 1.0})({"main": logits}, labels)) == pytest.approx(0, abs=1e-6)


def test_a_prediction_wrong_everywhere_costs_a_dice_of_1_and_stays_finite():
    labels = tensor([0, 1, 2, 3]).view(1, 2, 2)
    logits = certain((labels + 1) % 4, 4).requires_grad_()
    # each class: no overlap, sum p^2 + y^2 = 2, so 1 - 1e-5 / (2 + 1e-5)
    assert dice_loss(logits, labels).item() == pytest.approx(1 - 0.5e-5, abs=1e-6)
    loss = SegmentationLoss({"main": 1.0})({"main": logits}, labels)
    assert loss.item() == pytest.approx(200 / 4 + 3 * (1 - 0.5e-5), abs=1e-4)
    loss.backward()
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize("loss", [cross_entropy, dice_loss])
def test_the_gradients_are_right(loss):
    logits, labels = sample(classes=3, height=2, width=2)
    assert torch.autograd.gradcheck(lambda x: loss(x, labels), logits.requires_grad_())


def test_the_gradients_of_the_whole_sum_are_right():
    logits, labels = sample(classes=3, height=2, width=2)
    loss = SegmentationLoss({"main": 1.0, "auxiliary": 0.4})
    other = torch.randn_like(logits)
    assert torch.autograd.gradcheck(
        lambda main, auxiliary: loss({"main": main, "auxiliary": auxiliary}, labels),
        (logits.requires_grad_(), other.requires_grad_()),
    )


def test_the_outputs_are_summed_with_their_weights():
    (logits, labels), (other, _) = sample(), sample()
    one, two = (SegmentationLoss({"main": 1.0})({"main": x}, labels) for x in (logits, other))
    both = SegmentationLoss({"main": 2.0, "auxiliary": 0.4})({"main": logits, "auxiliary": other}, labels)
    close(both, 2 * one + 0.4 * two)


def test_weight_0_leaves_an_output_out_even_if_it_is_nan_or_missing():
    logits, labels = sample()
    loss = SegmentationLoss({"main": 1.0, "key": 0.0})
    alone = loss({"main": logits}, labels)
    close(loss({"main": logits.requires_grad_(), "key": torch.full_like(logits, math.nan)}, labels), alone)


@pytest.mark.parametrize("function", [cross_entropy, dice_loss])
def test_bfloat16_logits_are_summed_in_float32(function):
    logits, labels = sample(height=40, width=40, dtype=torch.float32)
    rounded = logits.bfloat16()
    found = function(rounded, labels)
    assert found.dtype == torch.float32
    assert torch.equal(found, function(rounded.float(), labels))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(function(rounded, labels), found)
