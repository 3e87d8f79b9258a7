"""The command line: every command does its job; bad input is one line on stderr, exit code 2, nothing half-written."""

import json
import re
import shutil

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from sadanet_lab import cli
from sadanet_lab.cli import main
from sadanet_lab.cli.options import GROUPS
from sadanet_lab.methods import registry
from sadanet_lab.spine.classes import BONES


def sadanet(*arguments):
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


SMALL = ("--batch", 3, "--width", 48)


@pytest.fixture(scope="module")
def run(phantoms, tmp_path_factory):
    """Folder of a run trained by the command line."""
    results = tmp_path_factory.mktemp("results")
    arguments = ("--method", "unet", "--profile", "smoke", "--data", phantoms, "--results", results)
    result = sadanet("train", *arguments, "--seed", 3, "--lambda-dice", 2, "--patch", "32x48", *SMALL)
    assert result.exit_code == 0, result.stderr
    folder = next((results / "runs").glob("unet-*"))
    recipe = json.loads((folder / "recipe.json").read_text())
    assert (recipe["seed"], recipe["lambda_dice"]) == (3, 2.0)
    assert (recipe["patch_width"], recipe["patch_height"], recipe["batch"], recipe["width"]) == (32, 48, 3, 48)
    return folder


def test_a_run_that_is_stored_is_said_to_be(run, phantoms):
    """Or a change of the loss without another VERSION would pass for its result."""
    arguments = ("--method", "unet", "--profile", "smoke", "--data", phantoms, "--results", run.parents[1])
    again = sadanet("train", *arguments, "--seed", 3, "--lambda-dice", 2, "--patch", "32x48", *SMALL)
    made = json.loads((run / "environment.json").read_text())
    commit = made["commit"][:7] + " with changes" * made["commit"].endswith("+changes")
    assert again.stderr.endswith(
        f"was trained already ({made['finished'][:10]}, commit {commit}); to train it anew, delete it\n"
    )
    assert again.stdout.startswith(str(run))


def assert_refused(result, *said):
    assert result.exit_code == 2, result.output
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("error: ")
    for part in said:
        assert str(part) in lines[0]


def test_a_width_that_heads_cannot_have_is_one_line():
    assert_refused(sadanet("train", "--method", "fpn", "--profile", "smoke", "--width", 24), "width: found 24", "16")


def test_every_command_has_help_with_an_example():
    for name in main.commands:
        result = sadanet(name, "--help")
        assert result.exit_code == 0
        assert f"Example: sadanet {name} " in " ".join(result.output.split())


def test_help_lists_every_command_once_with_what_it_does():
    listed = sadanet("--help").output.split("\nPictures:\n")[1]
    assert re.findall(r"^  (\w+) ", listed, re.M) == [name for names in GROUPS.values() for name in names]
    assert sorted(re.findall(r"^  (\w+) ", listed, re.M)) == sorted(main.commands)
    assert "  predict  Segment IMAGES and measure their curve angles\n" in listed


def test_help_names_every_method():
    """From the files' names, so that --help need not import torch."""
    assert set(cli.METHODS.rstrip(".").replace(" or ", ", ").split(", ")) == set(registry())


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        (("--backbone", "nonsense"), "backbone 'nonsense' is unknown to timm"),
        (("--backbone", "swin_tiny_patch4_window7_224"), "strides [8, 8]"),
        (("--head", "third"), "expected text or table3"),
    ],
)
def test_a_network_that_cannot_be_is_refused_before_anything_is_made(tmp_path, choice, said):
    command = ("train", "--method", "sadanet", "--profile", "smoke", "--results", tmp_path / "results", *choice)
    assert_refused(sadanet(*command), said)
    assert not (tmp_path / "results").exists()


def test_phantom_then_check(tmp_path):
    out = tmp_path / "p"
    assert sadanet("phantom", out, "--train", 2, "--test", 1, "--seed", 5, "--size", "64x256").exit_code == 0
    result = sadanet("check", out)
    assert result.exit_code == 0
    assert "2 training and 1 test" in result.output
    with Image.open(next((out / "dataset" / "train").iterdir())) as picture:
        assert picture.size == (64, 256), "width x height"


def test_check_reports_all_problems_at_once(copy_of_phantoms):
    masks = sorted((copy_of_phantoms / "groundtruth" / "train").iterdir())
    masks[0].unlink()
    masks[1].write_text("no picture")
    (copy_of_phantoms / "test.txt").write_text("")
    result = sadanet("check", copy_of_phantoms)
    assert result.exit_code == 2
    assert len(result.stderr.strip().splitlines()) == 3
    assert all(str(name) in result.stderr for name in (masks[0], masks[1], copy_of_phantoms / "test.txt"))


def test_evaluate_prints_both_bases_and_forms(run, phantoms):
    table = sadanet("evaluate", run)
    assert table.exit_code == 0
    assert "average_3_bones" in table.output
    pooled, per_image = (
        json.loads(sadanet("evaluate", run, "--basis", basis, "--format", "json").output)
        for basis in ("pooled", "per-image")
    )
    assert pooled.keys() == per_image.keys()
    assert pooled["background"]["accuracy"] == pytest.approx(per_image["background"]["accuracy"])  # images of one size
    by_name = sadanet("evaluate", run.name, "--results", run.parents[1], "--format", "json")
    assert json.loads(by_name.output) == pooled
    elsewhere = sadanet("evaluate", run, "--data", phantoms, "--format", "json")
    assert json.loads(elsewhere.stdout) == pooled


def test_predict_writes_labels_and_overlay_at_the_images_own_size(run, tmp_path):
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (283, 71), np.uint8)).save(tmp_path / "my image.png")
    result = sadanet("predict", tmp_path / "my image.png", "--run", run, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.stderr
    labels = Image.open(tmp_path / "out" / "my image_labels.png")
    assert (labels.size, labels.mode) == ((71, 283), "P")
    assert set(np.unique(np.asarray(labels))) <= {0, 1, 2, 3}
    assert Image.open(tmp_path / "out" / "my image_overlay.png").size == (71, 283)


def test_predict_refuses_two_images_of_one_name(run, tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        Image.fromarray(np.zeros((64, 16), np.uint8)).save(tmp_path / folder / "x.png")
    images = (tmp_path / "a" / "x.png", tmp_path / "b" / "x.png")
    assert_refused(sadanet("predict", *images, "--run", run, "--out", tmp_path / "out"), "same name")


class TestTrainRefuses:
    def train(self, phantoms, tmp_path, **changes):
        options = {"method": "unet", "profile": "smoke", "data": phantoms, "results": tmp_path / "results"} | changes
        result = sadanet("train", *(part for name, value in options.items() for part in (f"--{name}", value)))
        assert not list(tmp_path.glob("results/runs/*")), "nothing is left behind"
        return result

    def test_an_unknown_method(self, phantoms, tmp_path):
        assert_refused(self.train(phantoms, tmp_path, method="vnet"), "'vnet'", "sadanet")

    def test_an_unknown_profile(self, phantoms, tmp_path):
        assert_refused(self.train(phantoms, tmp_path, profile="slow"), "'slow'", "quick")

    def test_a_negative_lambda(self, phantoms, tmp_path):
        assert_refused(self.train(phantoms, tmp_path, **{"lambda-dice": -1}), "--lambda-dice", "-1")

    def test_a_folder_that_is_no_dataset(self, phantoms, tmp_path):
        (tmp_path / "empty").mkdir()
        assert_refused(self.train(phantoms, tmp_path, data=tmp_path / "empty"), tmp_path / "empty", "not a dataset")

    def test_a_bad_mask(self, copy_of_phantoms, tmp_path):
        mask = next((copy_of_phantoms / "groundtruth" / "train").iterdir())
        Image.fromarray(np.full((256, 64), 7, np.uint8)).save(mask)
        assert_refused(self.train(copy_of_phantoms, tmp_path), mask, "class id 7")

    def test_results_that_can_not_be_written(self, phantoms, tmp_path):
        (tmp_path / "file").touch()
        assert_refused(self.train(phantoms, tmp_path, results=tmp_path / "file" / "x"), tmp_path / "file" / "x")

    def test_missing_backbone_weights(self, phantoms, tmp_path):
        changes = {"method": "sadanet", "backbone-weights": tmp_path / "none.safetensors"}
        assert_refused(self.train(phantoms, tmp_path, **changes), tmp_path / "none.safetensors")


def test_an_existing_folder_is_not_overwritten(phantoms):
    before = sorted(p.name for p in phantoms.iterdir())
    assert_refused(sadanet("phantom", phantoms), phantoms)
    assert sorted(p.name for p in phantoms.iterdir()) == before


def test_a_size_that_is_none(tmp_path):
    result = sadanet("phantom", tmp_path / "p", "--size", "large")
    assert result.exit_code == 2
    assert "WIDTHxHEIGHT" in result.stderr


def test_what_is_no_run(tmp_path):
    assert_refused(sadanet("evaluate", tmp_path), tmp_path, "not a run")
    (tmp_path / "x.png").write_bytes(b"")
    assert_refused(sadanet("predict", tmp_path / "x.png", "--run", tmp_path, "--out", tmp_path / "o"), "not a run")


def test_run_refuses_unknown_notebooks_and_parameters(tmp_path):
    notebook = "notebooks/01_table1_comparison.ipynb"
    assert_refused(sadanet("run", tmp_path / "x.ipynb"), tmp_path / "x.ipynb", "no such notebook")
    assert_refused(sadanet("run", notebook, "-p", "profil", "quick"), notebook, "'profil'", "profile")
    assert_refused(sadanet("run", notebook, "-p", "seeds", "0,one"), notebook, "seeds")
    assert_refused(sadanet("run", notebook, "-p", "seeds", "0,,1"), notebook, "seeds")
    assert_refused(sadanet("run", notebook, "-p", "seeds", "0", "-p", "seeds", "1"), notebook, "2 times")


def test_a_phantom_folder_where_none_can_be_made(tmp_path):
    (tmp_path / "file").touch()
    assert_refused(sadanet("phantom", tmp_path / "file" / "p", "--train", 1, "--test", 1), tmp_path / "file")


def test_runs_are_listed_with_what_is_their_own_and_what_is_none_is_told(run, tmp_path):
    results = run.parents[1]
    (row,) = json.loads(sadanet("runs", "--results", results, "--format", "json").stdout)
    scores = json.loads(sadanet("evaluate", run, "--format", "json").stdout)
    assert row["dice"] == pytest.approx(100 * sum(scores[bone]["dice"] for bone in BONES) / 3)
    assert (row["run"], row["method"], row["profile"], row["seed"]) == (run.name, "unet", "smoke", 3)
    assert row["settings"] == "width=48, patch_height=48, batch=3, lambda_dice=2.0"
    assert run.name in sadanet("runs", "--results", results).stdout
    for name, spoilt in (("cut", "complete.json"), ("damaged", "counts.csv")):
        shutil.copytree(run, tmp_path / "runs" / name)
        (tmp_path / "runs" / name / spoilt).unlink()
    told = sadanet("runs", "--results", tmp_path)
    assert (told.exit_code, len(told.stdout.splitlines())) == (0, 1)
    damaged, cut = told.stderr.splitlines()
    assert damaged.startswith(f"left out: {tmp_path / 'runs' / 'damaged' / 'counts.csv'}: cannot be read")
    assert cut.startswith(f"left out: {tmp_path / 'runs' / 'cut'}: not complete")
