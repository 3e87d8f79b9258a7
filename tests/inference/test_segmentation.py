"""From an image of any size to its label map, with the shipped model: in torch, and as a segmenter asks it."""

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from sadanet_lab.inference.segmentation import TorchModel, labels_of, logits_of
from sadanet_lab.inference.segmenter import SCALES, Segmenter, at_full_size
from sadanet_lab.phantom import draw_spine, render
from sadanet_lab.spine.curve_angles import measure_curves
from sadanet_lab.training.shipped import shipped_run


@pytest.fixture(scope="module")
def run():
    return shipped_run()


@pytest.fixture(scope="module")
def model(run):
    return TorchModel(run.network(), run.recipe)


@pytest.fixture(scope="module")
def image():
    rng = np.random.default_rng(5)
    return render(rng, draw_spine(rng, 320, 1280))


def test_any_size_and_frame_gives_a_label_map_of_that_size(run, image):
    network = run.network()
    wide = np.pad(image, ((0, 0), (100, 37)))
    assert labels_of(network, wide, run.recipe).shape == wide.shape
    # More black beside the strip is no other picture.
    same = labels_of(network, wide, run.recipe)[:, 100:-37] == labels_of(network, image, run.recipe)
    assert same.mean() > 0.97


@pytest.mark.parametrize("shape", [(2048, 512), (641, 159), (7, 3), (283, 71), (1, 1)])
def test_logits_are_enlarged_and_reduced_as_torch_does_it(shape):
    logits = np.random.default_rng(0).normal(0, 5, (4, 640, 160)).astype(np.float32)
    expected = F.interpolate(torch.from_numpy(logits)[None], shape, mode="bilinear", align_corners=False)[0]
    np.testing.assert_allclose(at_full_size(logits, shape), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("framing", ["stretch", "fit"])
@pytest.mark.parametrize(("scales", "flip"), [((1.0,), False), ((1.0,), True), ((0.75, 1.25), True)])
def test_a_segmenters_logits_are_those_that_a_run_is_evaluated_by(run, image, framing, scales, flip):
    network = run.network()
    changes = {"framing": framing, "test_scales": scales, "test_flip": flip, "augmentation": "upright", "margin": 32}
    recipe = run.recipe.model_copy(update=changes)
    found = Segmenter(TorchModel(network, recipe)).logits(image)
    np.testing.assert_allclose(found, logits_of(network, image, recipe), rtol=0, atol=2e-3)


@dataclass
class Echo:
    """Four classes by grey; ``seen``: the pictures' sides."""

    settings = SimpleNamespace(image_height=64, image_width=16, margin=0, framing="stretch", input_channels=1,
                               test_scales=(1.0,), test_flip=False)  # fmt: skip

    def __post_init__(self):
        self.seen = []

    def logits(self, picture):
        self.seen.append(picture.shape[2:])
        return picture[:, :1] * np.arange(4, dtype=np.float32)[None, :, None, None]


@pytest.mark.parametrize("framing", ["stretch", "fit"])
def test_with_a_flip_logits_are_the_mean_of_both_sides_and_a_mirrored_image_has_mirrored_ones(run, image, framing):
    network = run.network()
    recipe = run.recipe.model_copy(update={"framing": framing, "margin": 32, "test_flip": False})
    both = recipe.model_copy(update={"test_flip": True})
    alone, mirrored = logits_of(network, image, recipe), logits_of(network, image[:, ::-1], recipe).flip(-1)
    assert (alone - mirrored).abs().max() > 0.01
    torch.testing.assert_close(logits_of(network, image, both), (alone + mirrored) / 2, rtol=0, atol=1e-3)
    found = logits_of(network, image[:, ::-1], both).flip(-1)
    torch.testing.assert_close(found, logits_of(network, image, both), rtol=0, atol=1e-3)


def test_averaged_views_are_three_scales_and_their_mirror_images():
    image = np.random.default_rng(0).integers(0, 256, (64, 16), np.uint8)
    model = Echo()
    logits = Segmenter(model, averaged=True).logits(image)
    assert model.seen == [(8 * round(8 * s), 8 * round(2 * s)) for s in SCALES for _ in range(2)]
    assert np.exp(logits).sum(0) == pytest.approx(1, abs=1e-5)
    mirrored = Segmenter(model, averaged=True).logits(image[:, ::-1])
    np.testing.assert_allclose(mirrored[..., ::-1], logits, rtol=0, atol=1e-4)


def test_a_class_out_of_the_question_in_every_view_has_no_probability_and_warns_of_nothing():
    model = Echo()
    model.logits = lambda picture: np.array([0, -1e4, 1, 2], np.float32)[None, :, None, None] + 0 * picture
    logits = Segmenter(model, averaged=True).logits(np.zeros((64, 16), np.uint8))
    assert np.isneginf(logits[1]).all()
    np.testing.assert_allclose(logits[3] - logits[2], 1, rtol=1e-5)


def test_the_segmenter_measures_its_own_labels(model, image):
    found = Segmenter(model)(image)
    assert (found.labels.shape, found.labels.dtype) == (image.shape, np.uint8)
    assert (found.labels == Segmenter(model).logits(image).argmax(0)).all()
    assert found.measurement == measure_curves(found.labels)
