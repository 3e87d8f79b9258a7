"""Images and masks go through the same geometry; masks stay label maps; the randomness is the generator's."""

import numpy as np
import torch

from sadanet_lab.images import transforms
from sadanet_lab.images.transforms import TrainingPatch

LABELS = torch.from_numpy((np.indices((80, 40))[0] // 8 % 4).astype(np.uint8))
IMAGE = 60 * LABELS[None]  # grey tells the label, so a patch's two parts can be compared


def patches(count=200, rotation=30.0, image=IMAGE, labels=LABELS, height=32, width=16):
    generator = torch.Generator().manual_seed(0)
    patch = TrainingPatch(height, width, rotation)
    return [patch(image, labels, generator) for _ in range(count)]


def test_the_mask_of_a_patch_fits_its_image():
    """Away from the boundaries of regions, where interpolation mixes greys, grey is 60 times the label exactly."""
    agree = torch.cat([(image[0] == 60 * labels).flatten() for image, labels in patches()])
    assert agree.float().mean() > 0.8
    straight = torch.cat([(image[0] == 60 * labels).flatten() for image, labels in patches(rotation=0.0)])
    assert straight.all()


def test_masks_hold_ids_alone():
    ids = torch.cat([labels.flatten() for _, labels in patches()]).unique()
    assert ids.tolist() == [0, 1, 2, 3]


def test_patches_have_the_size_asked_for_and_reach_the_whole_image():
    for image, labels in patches(20):
        assert image.shape == (1, 32, 16)
        assert labels.shape == (32, 16)
    place = torch.arange(80 * 40, dtype=torch.float32).reshape(1, 80, 40)
    seen = torch.cat([i.flatten() for i, _ in patches(2000, 0.0, place)]).unique()
    assert len(seen) == 80 * 40, "every pixel of the image, its corners too, comes into some patch"


def test_flips_and_rotations_happen_about_every_second_time():
    rows = torch.arange(80, dtype=torch.float32)[None, :, None].expand(1, 80, 40).contiguous()
    down = [bool(i[0, -1, 0] > i[0, 0, 0]) for i, _ in patches(400, 0.0, rows)]
    assert 150 < sum(down) < 250
    slanted = [bool((i[0, :, 0] != i[0, :, -1]).any()) for i, _ in patches(400, 30.0, rows)]
    assert 150 < sum(slanted) < 250


def test_beyond_the_image_is_black_background():
    ones = torch.full((1, 32, 16), 255, dtype=torch.uint8)
    for image, labels in patches(50, 90.0, ones, torch.ones(32, 16, dtype=torch.uint8)):
        assert (labels[image[0] == 0] == 0).all()


def test_the_generator_alone_decides():
    torch.manual_seed(1)
    once = patches(5)
    torch.manual_seed(2)
    for (a, b), (c, d) in zip(once, patches(5), strict=True):
        assert torch.equal(a, c)
        assert torch.equal(b, d)


def test_resizing_a_mask_mixes_no_ids_and_keeps_areas():
    labels = np.zeros((100, 30), np.uint8)
    labels[:50] = 3
    resized = transforms.resize_mask(labels, 40, 20)
    assert np.unique(resized).tolist() == [0, 3]
    assert (resized == 3).mean() == 0.5


def test_an_upright_patch_is_never_upside_down():
    """A picture that is bright above and dark below stays so, and does not without ``upright``."""
    image, labels = torch.zeros((1, 64, 64), dtype=torch.uint8), torch.zeros((64, 64), dtype=torch.uint8)
    image[:, :32] = 200
    generator = torch.Generator().manual_seed(0)

    def is_upright(patch):
        return patch[0, :16].float().mean() > patch[0, -16:].float().mean()

    for upright, share in ((True, 1.0), (False, 0.5)):
        cut = transforms.TrainingPatch(64, 64, 0.0, upright=upright)
        found = np.mean([is_upright(cut(image, labels, generator)[0]) for _ in range(100)])
        assert found == 1.0 if upright else abs(found - share) < 0.2


def test_a_rescaled_patch_keeps_image_and_mask_together_at_scales_of_a_half_to_two():
    """Every bone is bright, the rest is dark: so it is in the patches, whose bones have a half to twice the width."""
    image, labels = torch.zeros((1, 128, 96), dtype=torch.uint8), torch.zeros((128, 96), dtype=torch.uint8)
    labels[:, 40:56] = 2
    image[0][labels == 2] = 120
    cut, generator = transforms.RescaledPatch(64, 48), torch.Generator().manual_seed(0)
    widths, greys = [], []
    for _ in range(200):
        patch, mask = cut(image, labels, generator)
        assert patch.shape == (1, 64, 48)
        assert mask.shape == (64, 48)
        assert patch.dtype == torch.uint8
        assert set(mask.unique().tolist()) <= {0, 2}
        inside, outside = patch[0][mask == 2].float(), patch[0][mask == 0].float()
        if len(inside) and len(outside):
            assert inside.median() > outside.median()
            greys.append(inside.median().item())
        columns = (mask == 2).any(0)
        if columns.any() and not columns[0] and not columns[-1]:
            widths.append(int(columns.sum()))
    assert 8 <= min(widths) < 11
    assert 24 < max(widths) <= 32
    assert min(greys) < 80
    assert max(greys) > 160


def test_a_rescaled_patch_is_seldom_of_one_class_alone():
    image, labels = torch.zeros((1, 256, 256), dtype=torch.uint8), torch.zeros((256, 256), dtype=torch.uint8)
    labels[:64] = 1
    cut, generator = transforms.RescaledPatch(32, 32), torch.Generator().manual_seed(0)
    single = np.mean([len(cut(image, labels, generator)[1].unique()) == 1 for _ in range(100)])
    plain = transforms.TrainingPatch(32, 32, 0.0)
    assert single < np.mean([len(plain(image, labels, generator)[1].unique()) == 1 for _ in range(100)]) - 0.2
