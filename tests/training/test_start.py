"""Training that starts from trained weights, and on few images."""

from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file

from sadanet_lab.cli import main
from sadanet_lab.images.vpi_folder import read_lists
from sadanet_lab.paths import SHIPPED
from sadanet_lab.training import trainer
from sadanet_lab.training.recipe import Recipe, make_recipe
from sadanet_lab.training.run_store import get_or_train
from sadanet_lab.training.runs import open_run
from sadanet_lab.training.start import settings_of

HERE = Path()


@pytest.fixture(scope="module")
def run(phantoms, tmp_path_factory):
    """A run of a network of its own width, margin and size."""
    data = read_lists(phantoms)
    recipe = make_recipe("danet", "smoke", data.fingerprint, iterations=2, width=32, margin=16)
    return get_or_train(recipe, data, tmp_path_factory.mktemp("results"), "cpu")


def started_from(run, **changes) -> Recipe:
    settings = settings_of(run.folder.name, run.folder.parents[1], HERE)
    return make_recipe(settings.pop("method"), "smoke", run.recipe.data, iterations=2, **(settings | changes))


def test_the_first_weights_are_the_starts_and_so_are_network_and_pictures(run):
    recipe = started_from(run, seed=1)
    assert (recipe.method, recipe.width, recipe.margin, recipe.start) == ("danet", 32, 16, run.folder.name)
    network = trainer.build_network(recipe)
    for name, weights in load_file(run.folder / "model.safetensors").items():
        assert torch.equal(network.state_dict()[name], weights), name


def test_the_shipped_models_weights_are_taken_as_they_are():
    settings = settings_of("shipped", HERE, HERE)
    recipe = make_recipe(settings.pop("method"), "smoke", "", **settings)
    network = trainer.build_network(recipe)
    for name, weights in load_file(SHIPPED / "model.safetensors").items():
        found = network.state_dict()[name]
        assert found.dtype == weights.float().dtype or not weights.is_floating_point()
        assert torch.equal(found, weights.to(found.dtype)), name


def test_the_run_tells_its_start_but_no_path_of_the_machine(run, phantoms, tmp_path):
    found = get_or_train(started_from(run), read_lists(phantoms), tmp_path, "cpu")
    kept = (found.folder / "recipe.json").read_text()
    assert str(run.folder.parent) not in kept
    assert open_run(found.folder).recipe.start == run.folder.name
    assert open_run(found.folder).recipe.digest == found.folder.name.rpartition("-")[2]


def test_other_weights_make_another_run_and_their_place_does_not(run, tmp_path):
    for name in ("here", "there"):
        (tmp_path / f"{name}.safetensors").write_bytes((run.folder / "model.safetensors").read_bytes())
    names = {
        name: make_recipe("danet", "smoke", "", width=32, **settings_of(f"{name}.safetensors", HERE, tmp_path)).name
        for name in ("here", "there")
    }
    assert names["here"] == names["there"]
    assert names["here"] != make_recipe("danet", "smoke", "", width=32).name


def test_recipes_without_a_start_keep_the_names_they_had():
    """Fixed when neither setting was known: a stored run must be found again."""
    assert make_recipe("fpn", "smoke", "some data").digest == "57d53516f8d3"


def test_only_the_first_images_are_trained_on(phantoms, tmp_path, monkeypatch):
    data, seen = read_lists(phantoms), []
    whole = trainer.TrainingSet
    monkeypatch.setattr(trainer, "TrainingSet", lambda samples, recipe: seen.append(samples) or whole(samples, recipe))
    get_or_train(make_recipe("fpn", "smoke", data.fingerprint, iterations=1, training_images=2), data, tmp_path, "cpu")
    assert seen == [data.train[:2]]


def refused(*arguments) -> str:
    result = CliRunner().invoke(main, ["train", "--profile", "smoke", *map(str, arguments)])
    assert result.exit_code == 2
    (line,) = result.stderr.strip().splitlines()
    return line


def test_faults_are_one_line_before_anything_is_made(run, phantoms, tmp_path):
    results = tmp_path / "results"
    common = ("--results", results, "--data", phantoms)
    (tmp_path / "broken.safetensors").write_bytes(b"no weights")
    assert "nowhere: no such folder, and no run of this name in " in refused("--start", "nowhere", *common)
    assert "none.safetensors: cannot be read (No such file" in refused(
        "--start", tmp_path / "none.safetensors", *common
    )
    broken = "--start", tmp_path / "broken.safetensors", "--method", "unet"
    assert "broken.safetensors: not the weights" in refused(*broken, *common)
    weights = run.folder / "model.safetensors"
    assert "not the weights of this version's unet" in refused("--start", weights, "--method", "unet", *common)
    assert "found no method" in refused("--start", weights, *common)
    assert "expected danet, which" in refused("--start", run.folder, "--method", "unet", *common)
    assert "train.txt: found 4 images; expected 5" in refused("--start", run.folder, "--training-images", 5, *common)
    timm = "--backbone-weights", weights
    assert "no backbone weights beside it" in refused("--start", run.folder, *timm, *common)
    assert not list(results.glob("runs/*"))


def test_another_size_of_image_takes_the_patch_along_where_that_was_the_whole_image():
    whole = make_recipe("sadanet", "shipped", "", image=(64, 256))
    assert (whole.image_width, whole.image_height, whole.patch_width, whole.patch_height) == (64, 256, 64, 256)
    part = make_recipe("sadanet", "gpu", "", image=(1024, 4096))
    assert (part.image_width, part.image_height, part.patch_width, part.patch_height) == (1024, 4096, 256, 512)
