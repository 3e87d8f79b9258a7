"""The model inside the package: what it is, that it loads, what it does on phantoms it was not trained on."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import onnx
import pandas as pd
import pytest
from click.testing import CliRunner
from onnx import numpy_helper
from PIL import Image
from safetensors.torch import load_file

from sadanet_lab.cli import main
from sadanet_lab.errors import BadInput
from sadanet_lab.images.folder_check import open_folder
from sadanet_lab.inference.onnx_model import OnnxSettings, open_onnx
from sadanet_lab.metrics.scores import scores_of
from sadanet_lab.phantom import write_folder
from sadanet_lab.studies.angle_agreement import agreement, angles, measure_sources
from sadanet_lab.studies.curve_agreement import curve_agreement, curves
from sadanet_lab.training import shipped
from sadanet_lab.training.evaluation import evaluate
from sadanet_lab.training.models import find_model
from sadanet_lab.training.recipe import Recipe
from sadanet_lab.training.run_files import complete
from sadanet_lab.training.runs import Run, find_run, open_run, verify_run


@pytest.fixture(scope="module")
def run() -> Run:
    return shipped.shipped_run()


@pytest.fixture(scope="module")
def unseen(tmp_path_factory):
    """Twelve phantoms of a seed that training never saw."""
    out = tmp_path_factory.mktemp("data") / "unseen"
    write_folder(out, train=1, test=12, seed=77, width=320, height=1280)
    return open_folder(out)


@pytest.fixture(scope="module")
def tables(run, unseen):
    return evaluate(run.network(), unseen.test, run.recipe)


def test_it_is_sadanet_trained_on_phantoms_alone(run):
    assert run.recipe.method == "sadanet"
    assert run.recipe.profile == "shipped"
    assert run.recipe.weights == "none"


def test_a_run_is_found_by_folder_by_name_and_as_shipped(run, tmp_path):
    named = tmp_path / "runs" / "mine"
    shutil.copytree(shipped.SHIPPED, named)
    assert find_run("shipped").folder == run.folder
    assert find_run("mine", results=tmp_path).folder == named
    assert find_run("runs/mine", start=tmp_path).folder == tmp_path / "runs/mine"
    with pytest.raises(BadInput, match="other"):
        find_run("other", results=tmp_path)


def test_what_was_measured_of_it_is_what_would_be_now_and_is_not_updated(run):
    assert run.evaluation_is_current, "ship it again: sadanet ship"
    told = CliRunner().invoke(main, ["evaluate", "shipped", "--update"])
    assert told.exit_code == 2
    assert "shipped: the model inside the package is not changed" in told.stderr


def test_its_weights_take_at_most_32_mib():
    assert (shipped.SHIPPED / "model.safetensors").stat().st_size <= shipped.LARGEST_BYTES + 2**16


def test_its_card_tells_its_own_scores(run):
    card = (shipped.SHIPPED / "README.md").read_text()
    scores = scores_of(run.counts).dice
    for bone in ("rib", "thoracic_process", "lump"):
        assert f"{100 * scores[bone]:.1f}" in card
    made_as = json.loads((run.folder / "complete.json").read_text())["recipe"]
    assert f"ship sadanet-{made_as}\n" in card
    assert f"recipe version {run.recipe.version}" in card
    assert f"{run.recipe.iterations} steps of four pictures" in card
    assert "no medical device" in card


def test_it_segments_phantoms_it_has_never_seen(tables):
    dice = scores_of(tables["counts"]).dice
    assert dice[["rib", "thoracic_process", "lump"]].min() > 0.7


def test_its_angles_are_close_to_the_true_ones(run, unseen):
    sources = measure_sources(unseen, run)
    (found,) = agreement(angles(sources, [], unseen).query("source == 'shipped model'")).to_dict("records")
    assert found["measurable"] == 12
    assert found["mae"] <= 3
    (found,) = curve_agreement(curves(sources, [], unseen).query("source == 'shipped model'")).to_dict("records")
    assert found["curves"] >= 10
    assert found["missed"] <= 2
    assert found["mae"] <= 3


def test_other_runs_are_not_shipped(run, tmp_path):
    settings = json.loads((run.folder / "recipe.json").read_text()) | {"profile": "quick"}
    (tmp_path / "recipe.json").write_text(json.dumps(settings))
    complete(tmp_path, Recipe(**settings).digest, ["recipe.json"])
    with pytest.raises(BadInput, match="expected one of profile 'shipped'"):
        shipped.ship(Run(tmp_path), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_model_whose_start_is_not_known_or_another_is_not_shipped(run, tmp_path, monkeypatch):
    """Or weights that were trained on patients, and a little more on phantoms, would pass."""
    monkeypatch.setattr(shipped, "open_data", lambda data, profile: SimpleNamespace(fingerprint=run.recipe.data))
    shutil.copytree(shipped.SHIPPED, tmp_path / "runs" / "last")
    with pytest.raises(BadInput, match=rf"started from {run.recipe.start}, of data not known here"):
        shipped.ship(Run(tmp_path / "runs" / "last"), tmp_path / "out")
    shutil.copytree(shipped.SHIPPED, tmp_path / "runs" / run.recipe.start)
    with pytest.raises(BadInput, match="other weights than were started from"):
        shipped.ship(Run(tmp_path / "runs" / "last"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_model_of_other_data_than_the_profiles_phantoms_is_not_shipped(run, unseen, tmp_path, monkeypatch):
    monkeypatch.setattr(shipped, "open_data", lambda data, profile: unseen)
    with pytest.raises(BadInput, match="expected no patients'"):
        shipped.ship(run, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_predict_without_a_run_writes_labels_overlay_and_angles(unseen, tmp_path):
    image = unseen.test[0].image_path
    naming = ["--lowest", "L4", "--viewed-from", "front", "--severity", "10,25,40"]
    result = CliRunner().invoke(main, ["predict", str(image), "--out", str(tmp_path / "out"), *naming])
    assert result.exit_code == 0, result.output
    stem = image.stem
    assert Image.open(tmp_path / "out" / f"{stem}_labels.png").size == (320, 1280)
    assert Image.open(tmp_path / "out" / f"{stem}_overlay.png").mode == "RGB"
    (told,) = json.loads((tmp_path / "out" / f"{stem}_angles.json").read_text())
    assert told["measurable"]
    truth = pd.read_csv(unseen.root / "truth.csv", index_col="stem").largest_angle_degrees[stem]
    assert told["largest_angle_degrees"] == pytest.approx(truth, abs=10)
    assert (told["lowest"], told["viewed_from"], told["severity_limits_degrees"]) == ("L4", "front", [10, 25, 40])
    labels = tmp_path / "out" / f"{stem}_labels.png"
    again = CliRunner().invoke(main, ["angles", str(labels), "--format", "json", *naming])
    (same,) = json.loads(again.stdout)
    assert told["interval_degrees"] is not None
    assert told["strange"] is False
    for entry in (same, *same["curves"], told, *told["curves"]):  # what the label map alone does not say
        for name in ("file", "interval_degrees", "strange", "strange_reasons"):
            entry.pop(name, None)
    assert same.items() <= told.items()


def photo(path):
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 200, 3), np.uint8)).save(path)


def black(path):
    Image.fromarray(np.zeros((1000, 250), np.uint8)).save(path)


def tiny(path):
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (50, 50), np.uint8)).save(path)


def corrupt(path):
    black(path)
    path.write_bytes(path.read_bytes()[:60])


def absent(path):
    pass


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (photo, "colour in "),
        (black, "every pixel has grey 0"),
        (tiny, "50 x 50 pixels"),
        (corrupt, "damaged or truncated"),
        (absent, "no such file"),
    ],
)
def test_what_is_no_vpi_image_is_refused_in_one_line(make, said, tmp_path):
    make(tmp_path / "x.png")
    result = CliRunner().invoke(main, ["predict", str(tmp_path / "x.png"), "--out", str(tmp_path / "out")])
    assert result.exit_code == 2
    (line,) = result.stderr.strip().splitlines()
    assert str(tmp_path / "x.png") in line
    assert said in line
    assert not (tmp_path / "out").exists()


def onnx_weights(path):
    """Name -> weights of an ONNX file as another reader finds them, those stored in 16 bits under their own names."""
    tensors = onnx.load(path).graph.initializer
    return {tensor.name.removesuffix(".half"): numpy_helper.to_array(tensor) for tensor in tensors}


def test_the_onnx_file_holds_the_same_weights_and_is_as_small(run):
    file = shipped.SHIPPED / "model.onnx"
    found, expected = onnx_weights(file), load_file(shipped.SHIPPED / "model.safetensors")
    in_testing = {name for name in expected if not name.startswith("auxiliary.") and "num_batches" not in name}
    assert in_testing <= found.keys()
    for name in in_testing:
        np.testing.assert_array_equal(found[name], expected[name].numpy(), err_msg=f"{name}: sadanet ship")
    assert file.stat().st_size <= shipped.LARGEST_BYTES
    assert find_model("shipped").settings == OnnxSettings(896, 224, 0, "fit", 1, (1.0,), test_flip=True)


@pytest.mark.slow
def test_the_onnx_file_does_not_tell_where_it_was_made():
    assert b".py" not in (shipped.SHIPPED / "model.onnx").read_bytes()


def test_shipping_it_again_gives_both_files_again(run, tmp_path, monkeypatch):
    monkeypatch.setattr(shipped, "open_data", lambda data, profile: SimpleNamespace(fingerprint=run.recipe.data))
    for name in ("limits.json", "coverage.csv"):
        (tmp_path / name).write_text("of the model before")
    shipped.ship(run, tmp_path)
    by_hand = {"README.md", "limits.json", "coverage.csv"}
    assert {path.name for path in tmp_path.iterdir()} | by_hand == {p.name for p in shipped.SHIPPED.iterdir()}
    again, before = (onnx_weights(folder / "model.onnx") for folder in (tmp_path, shipped.SHIPPED))
    assert again.keys() == before.keys()
    assert all((again[name] == weights).all() for name, weights in before.items())
    assert open_onnx(tmp_path / "model.onnx").settings == find_model("shipped").settings
    assert verify_run(tmp_path) == ([], [])
    (tmp_path / "model.onnx").write_bytes(b"of another network")
    assert "model.onnx: damaged" in verify_run(tmp_path)[0][0]


def test_each_file_of_the_model_in_the_package_is_what_was_shipped():
    assert verify_run(shipped.SHIPPED) == ([], [])
    assert {"model.onnx", "model.safetensors"} <= open_run(shipped.SHIPPED).files.sums.keys()
