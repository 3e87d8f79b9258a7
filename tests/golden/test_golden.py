"""Numbers do not change under an old version number: a phantom, the first losses of each method, one evaluation.

``golden.json`` holds what they were when the version was raised last. A test that fails here says what to do: undo the
change, or raise the VERSION that it names and record anew (``python -m pytest tests/golden --record``). The tolerances
are those of other processors' arithmetic, far below what any change of method does.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from pandas.api.types import is_numeric_dtype

from sadanet_lab import phantom
from sadanet_lab.images.vpi_folder import read_lists
from sadanet_lab.inference.segmentation import logits_of
from sadanet_lab.methods import method_names, registry
from sadanet_lab.metrics.measures import MEASURES, Prediction
from sadanet_lab.studies.published import published_scores
from sadanet_lab.training import evaluation, recipe, trainer
from sadanet_lab.training.shipped import shipped_run

GOLDEN = Path(__file__).with_name("golden.json")


def check(request, kind, module, name, found, relative):
    """Compare with what is kept of this kind and name; with --record, keep what is new, or of a new version."""
    kept = json.loads(GOLDEN.read_text())
    values = kept[kind]
    record = request.config.getoption("--record")
    if record and values["version"] != module.VERSION:
        values |= {"version": module.VERSION, "values": {}}
    assert values["version"] == module.VERSION, f"{kind}: VERSION was raised; record: pytest tests/golden --record"
    expected = values["values"].get(name, {})
    raise_it = f"{kind}: {name} changed under version {module.VERSION}; raise VERSION in {module.__name__}"
    for key, value in expected.items():
        if isinstance(value, str):
            assert found.get(key) == value, raise_it
        else:
            np.testing.assert_allclose(found.get(key), value, rtol=relative, atol=1e-6, err_msg=raise_it)
    if record:
        values["values"][name] = found | expected
        GOLDEN.write_text(json.dumps(kept, indent=1) + "\n")
    elif not expected:
        pytest.skip(f"{kind}: nothing is kept of {name} yet; record: pytest tests/golden --record")


@pytest.mark.parametrize(("spread", "cases"), [*((s, "usual") for s in phantom.SPREADS), ("usual", "demanding")])
def test_a_phantom(request, spread, cases):
    for_anatomy, for_appearance = np.random.default_rng([0, 7]).spawn(2)
    spine = phantom.draw_spine(for_anatomy, 64, 256, spread, cases)
    image = phantom.draw_picture(for_appearance, spine, spread)
    blocks = image.reshape(16, 16, 4, 16).mean((1, 3))
    found = {
        "mask": hashlib.sha256(spine.labels().tobytes()).hexdigest(),
        "levels": [end for level in spine.levels for end in (*level.left, *level.right)],
        "mean_greys": blocks.ravel().round(4).tolist(),
    }
    check(request, "phantom", phantom, spread if cases == "usual" else cases, found, 1e-3)


@pytest.mark.parametrize("method", method_names())
def test_the_first_losses_of_each_method(request, method, phantoms, tmp_path):
    data = read_lists(phantoms)
    made = recipe.make_recipe(method, "smoke", data.fingerprint, iterations=3)
    history, _ = trainer.train(trainer.build_network(made), made, data, tmp_path, "cpu")
    check(request, "recipe", recipe, method, {"losses": history.loss.tolist()}, 1e-4)


def test_what_is_kept_covers_the_papers_methods_and_no_others():
    kept = json.loads(GOLDEN.read_text())
    printed = {
        name
        for name, method in registry().items()
        if method.title in {*published_scores("I").method, *published_scores("II").method}
    }
    assert printed <= set(kept["recipe"]["values"]) <= set(method_names())
    assert set(kept["phantom"]["values"]) == {*phantom.SPREADS, "demanding"}
    assert set(kept["evaluation"]["values"]) == {"a moved mask", shipped_run().recipe.name}


def test_one_evaluation(request, phantoms):
    """What is measured of a mask moved by two pixels, without its lowest quarter."""
    sample = read_lists(phantoms).test[0]
    image, truth = sample.image(), sample.mask()
    labels = np.roll(truth, 2, axis=1)
    labels[3 * len(labels) // 4 :] = 0
    confidence = np.linspace(0.3, 1, truth.size, dtype=np.float32).reshape(truth.shape)
    prediction = Prediction(sample.stem, image, truth, labels, confidence)
    tables = {name: measure.combine([measure.of_image(prediction)]) for name, measure in MEASURES.items()}
    found = {
        f"{name}.{column}": values.tolist() if is_numeric_dtype(values) else ",".join(map(str, values))
        for name, table in tables.items()
        for column, values in table.items()
    }
    check(request, "evaluation", evaluation, "a moved mask", found, 1e-5)


def test_one_segmentation(request, phantoms):
    """The logits of the shipped model at an image's own size, in blocks; a new model is recorded under its own name."""
    run, image = shipped_run(), read_lists(phantoms).test[0].image()
    logits = logits_of(run.network(), image, run.recipe).numpy()
    blocks = logits.reshape(len(logits), 8, 32, 2, 32).mean((2, 4))
    check(request, "evaluation", evaluation, run.recipe.name, {"logits": blocks.ravel().round(5).tolist()}, 2e-3)
