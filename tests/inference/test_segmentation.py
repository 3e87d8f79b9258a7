"""From an image of any size to its label map, with the shipped model."""

import numpy as np
import pytest

from sadanet_lab.inference.segmentation import average_logits, labels_of, logits_of
from sadanet_lab.inference.segmenter import Segmenter
from sadanet_lab.phantom import draw_spine, render
from sadanet_lab.spine.curve_angles import measure_curves
from sadanet_lab.training.shipped import shipped_run


@pytest.fixture(scope="module")
def run():
    return shipped_run()


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


@pytest.mark.slow
def test_averaged_views_are_symmetric_and_their_probabilities_sum_to_one(run, image):
    logits = average_logits(run.network(), image, run.recipe)
    mirrored = average_logits(run.network(), np.ascontiguousarray(image[:, ::-1]), run.recipe)
    assert logits.exp().sum(0).numpy() == pytest.approx(1, abs=1e-4)
    assert mirrored.flip(-1).exp().numpy() == pytest.approx(logits.exp().numpy(), abs=1e-3)
    assert not np.allclose(logits.numpy(), logits_of(run.network(), image, run.recipe).log_softmax(0).numpy())


def test_the_segmenter_measures_its_own_labels(run, image):
    found = Segmenter(run.network(), run.recipe)(image)
    assert (found.labels == labels_of(run.network(), image, run.recipe)).all()
    assert found.measurement == measure_curves(found.labels)
