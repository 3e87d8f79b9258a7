"""From an image to a picture: the same bytes as torchvision's, by the grey values of the authors' images."""

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms.v2 import functional as TF

from sadanet_lab.images import preparation

HAS_8_BIT_CODE = torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")
SIZES = [
    (2048, 512, 640, 160),
    (1024, 256, 640, 160),
    (2574, 640, 768, 192),
    (1000, 250, 2048, 512),
    (300, 70, 300, 96),
]
SIZES += [(1280, 320, 576, 144), (64, 64, 1, 1), (5, 7, 11, 3), (3000, 9, 20, 10), (97, 1, 640, 8)]


def noise(height, width):
    return np.random.default_rng(height).integers(0, 256, (height, width), np.uint8)


@pytest.mark.skipif(not HAS_8_BIT_CODE, reason="torchvision resizes bytes as floats on this processor")
@pytest.mark.parametrize(("height", "width", "new_height", "new_width"), SIZES)
def test_resizing_gives_torchvisions_bytes(height, width, new_height, new_width):
    for image in (noise(height, width), 255 * (noise(height, width) > 127).astype(np.uint8)):
        expected = TF.resize(torch.from_numpy(image)[None], [new_height, new_width], antialias=True)[0].numpy()
        np.testing.assert_array_equal(preparation.resize(image, new_height, new_width), expected)


@pytest.mark.parametrize(("height", "width", "new_height", "new_width"), SIZES)
def test_resizing_is_pillows_bilinear_filter_to_a_grey(height, width, new_height, new_width):
    image = noise(height, width)
    expected = np.asarray(Image.fromarray(image).resize((new_width, new_height), Image.Resampling.BILINEAR))
    found = preparation.resize(image, new_height, new_width)
    assert np.abs(found.astype(int) - expected).max() <= 1


def test_one_grey_stays_it_and_an_image_of_the_size_stays_as_it_is():
    assert (preparation.resize(np.full((500, 90), 255, np.uint8), 333, 41) == 255).all()
    image = noise(60, 40)
    np.testing.assert_array_equal(preparation.resize(image, 60, 40), image)


def test_every_grey_is_normalised_as_torch_does_it_to_the_authors_mean_and_sd():
    greys = np.arange(256, dtype=np.uint8).reshape(1, 1, 256)
    normal = preparation.normalise(greys, channels=3)
    assert (normal.shape, normal.dtype) == ((3, 1, 256), np.float32)
    expected = (torch.from_numpy(greys).float() - preparation.GREY_MEAN) / preparation.GREY_SD
    np.testing.assert_array_equal(normal, np.repeat(expected.numpy(), 3, axis=0))
    np.testing.assert_allclose(normal[0, 0] * 84.15 + 75.99, np.arange(256), rtol=0, atol=1e-4)


def test_a_margin_is_black_above_and_below():
    image = noise(10, 4)
    framed = preparation.add_margin(image, 3)
    assert framed.shape == (16, 4)
    assert not framed[:3].any()
    assert not framed[-3:].any()
    np.testing.assert_array_equal(framed[3:-3], image)
