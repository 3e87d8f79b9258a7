"""A randomised view: image and mask move as one, within the ranges it states; and whole pictures fitted to a height."""

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import binary_dilation, center_of_mass

from sadanet_lab.images.preparation import fit
from sadanet_lab.images.transforms import RandomisedView

HEIGHT, WIDTH = 160, 80
BLOBS = {1: (80, 30), 2: (55, 48), 3: (105, 50)}
"""Class -> row and column of a disk's middle."""


def disks(radius: int = 9) -> torch.Tensor:
    rows, columns = np.indices((HEIGHT, WIDTH))
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    for class_id, (row, column) in BLOBS.items():
        mask[(rows - row) ** 2 + (columns - column) ** 2 <= radius**2] = class_id
    return torch.from_numpy(mask)


MASK = disks()
IMAGE = (200 * (MASK > 0)).to(torch.uint8)[None]
VIEW = RandomisedView(HEIGHT, WIDTH)
pytestmark = pytest.mark.usefixtures("alike")


def views(count, image=IMAGE, mask=MASK, view=VIEW, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [view(image, mask, generator) for _ in range(count)]


def test_the_generator_alone_decides():
    torch.manual_seed(1)
    first = views(5)
    torch.manual_seed(2)
    again, other = views(5), views(5, seed=1)
    for (image, mask), (same, same_mask), (another, another_mask) in zip(first, again, other, strict=True):
        assert torch.equal(image, same)
        assert torch.equal(mask, same_mask)
        assert not torch.equal(image, another)
        assert not torch.equal(mask, another_mask)


def test_image_and_mask_move_together():
    """One disk at a time: what is lit has the middle of what is labelled, and elsewhere than it was."""
    moved = []
    for class_id in BLOBS:
        mask = torch.where(MASK.eq(class_id), MASK, 0)
        for image, labels in views(30, 200 * (mask > 0).to(torch.uint8)[None], mask, seed=class_id):
            lit, labelled = center_of_mass(image[0].numpy()), center_of_mass(labels.numpy() == class_id)
            assert math.dist(lit, labelled) < 1
            moved.append(math.dist(labelled, BLOBS[class_id]))
    assert np.mean(moved) > 5


def test_masks_hold_the_ids_they_held():
    for _, mask in views(50):
        assert mask.unique().tolist() == [0, 1, 2, 3]
    without_2 = torch.where(MASK.eq(2), 0, MASK)
    for _, mask in views(50, mask=without_2):
        assert mask.unique().tolist() == [0, 1, 3]


def test_black_stays_black():
    """A pixel beside a disk may be lit by interpolation; none further away is, by blur or by noise."""
    for image, mask in views(50):
        far = ~binary_dilation(mask.numpy() > 0, np.ones((3, 3)), iterations=2)
        assert not image[0].numpy()[far].any()
    assert not any(image.any() for image, _ in views(20, torch.zeros_like(IMAGE)))


def test_beyond_the_image_is_black_background():
    seen = []
    for image, mask in views(50, torch.full_like(IMAGE, 255), torch.ones_like(MASK)):
        assert (mask[image[0] == 0] == 0).all()
        # Where half of a pixel or less is of the image, the mask's nearest is none.
        assert not image[0].numpy()[~binary_dilation(mask.numpy() > 0, iterations=2)].any()
        seen.append((mask == 0).float().mean().item())
    assert np.mean(seen) > 0.02


@pytest.mark.parametrize(("height", "width"), [(160, 80), (96, 48), (200, 40)])
def test_views_have_the_size_asked_for(height, width):
    for image, mask in views(5, view=RandomisedView(height, width)):
        assert (image.shape, mask.shape) == ((1, height, width), (height, width))
        assert image.dtype == mask.dtype == torch.uint8


def affine_maps(count: int) -> tuple[np.ndarray, np.ndarray]:
    """(N, 2, 2) and (N, 2): where the pictures were seen, x and y from the middle, found by the three disks' middles.

    ``matrix @ place in the view + shift`` is the place in the picture.
    """
    middle = np.array([HEIGHT - 1, WIDTH - 1]) / 2
    there = (np.array(list(BLOBS.values())) - middle)[:, ::-1]
    matrices, shifts = [], []
    for _, mask in views(count):
        here = (np.array(center_of_mass(mask.numpy() > 0, mask.numpy(), [1, 2, 3])) - middle)[:, ::-1]
        solved = np.linalg.solve(np.column_stack([here, np.ones(3)]), there)
        matrices.append(solved[:2].T)
        shifts.append(solved[2])
    return np.array(matrices), np.array(shifts)


def test_rotation_scale_aspect_and_shift_fill_their_ranges_and_about_half_of_the_views_are_flipped():
    matrices, shifts = affine_maps(300)
    down = matrices[:, :, 1]
    scale_x, scale_y = np.linalg.norm(matrices[:, :, 0], axis=1), np.linalg.norm(down, axis=1)
    flipped = np.linalg.det(matrices) < 0
    for values, largest, blur in (
        (np.degrees(np.arctan2(down[:, 0], down[:, 1])), VIEW.DEGREES, 0.6),
        (np.log(scale_x * scale_y) / 2, VIEW.SCALE, 0.01),
        (np.log(scale_x / scale_y) / 2, VIEW.ASPECT, 0.02),
        (shifts[:, 0] / WIDTH, VIEW.SHIFT, 0.004),
        (shifts[:, 1] / HEIGHT, VIEW.SHIFT, 0.004),
    ):
        assert np.abs(values).max() == pytest.approx(largest, abs=blur + 0.05 * largest)
        assert values.std() == pytest.approx(largest / math.sqrt(3), rel=0.1), "drawn evenly"
        assert abs(values.mean()) < 3 * largest / math.sqrt(3 * 300)
    assert 115 < flipped.sum() < 185


def test_light_is_turned_up_and_down_by_gain_and_gamma_and_noise_has_at_most_its_sd():
    """A grey g becomes 255 * e^gain * (g / 255) ^ (e^gamma); both exponents lie in their range."""
    low, high = (255 * math.exp(way * VIEW.GAIN) * (90 / 255) ** math.exp(-way * VIEW.GAMMA) for way in (-1, 1))
    means, sds = [], []
    for image, _ in views(200, torch.full_like(IMAGE, 90)):
        inside = image[0, 50:110, 25:55].float()
        means.append(inside.mean().item())
        sds.append(inside.std().item())
    assert low - 1 < min(means) < low + 12
    assert high - 25 < max(means) < high + 1
    assert max(sds) == pytest.approx(VIEW.NOISE, abs=0.5)
    assert np.mean(sds) == pytest.approx(VIEW.NOISE / 2, rel=0.1)


@pytest.mark.parametrize(
    ("width", "height", "to", "shown", "padded"),
    [(640, 2574, 1024, 255, 256), (512, 2048, 512, 128, 128), (600, 2500, 500, 120, 120), (97, 400, 400, 97, 104)],
)
def test_a_fitted_picture_keeps_its_proportions_and_is_padded_with_black_to_a_multiple_of_8(
    width, height, to, shown, padded
):
    fitted, without_padding = fit(np.full((height, width), 77, np.uint8), to)
    assert without_padding == shown
    assert fitted.shape == (to, padded)
    assert (fitted[..., :shown] == 77).all()
    assert not fitted[..., shown:].any()


def test_fit_pads_to_any_multiple_and_shows_at_least_one_column():
    assert fit(np.ones((100, 30), np.uint8), 50, multiple=32)[0].shape == (50, 32)
    fitted, width = fit(np.ones((4000, 1), np.uint8), 100)
    assert (width, fitted.shape) == (1, (100, 8))
