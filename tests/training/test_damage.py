"""Damage to a stored run: each kind ends in one line that names the file, and never in another number."""

import json
import pickle
import shutil

import numpy as np
import onnx
import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from onnx import numpy_helper
from safetensors.torch import load_file, save_file

from sadanet_lab.cli import main
from sadanet_lab.errors import BadInput, Failed
from sadanet_lab.images.folder_check import open_folder
from sadanet_lab.inference.onnx_model import OnnxModel, sealed
from sadanet_lab.inference.segmenter import Segmenter
from sadanet_lab.paths import SHIPPED
from sadanet_lab.training import trainer
from sadanet_lab.training.checkpoints import BEFORE, NAME
from sadanet_lab.training.patches import TrainingSet
from sadanet_lab.training.recipe import make_recipe
from sadanet_lab.training.run_files import COMPLETE, WEIGHTS
from sadanet_lab.training.run_store import get_or_train
from sadanet_lab.training.runs import open_run, run_folder


@pytest.fixture(scope="module")
def data(phantoms):
    return open_folder(phantoms)


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    recipe = make_recipe("unet", "smoke", data.fingerprint)
    return get_or_train(recipe, data, tmp_path_factory.mktemp("results"), snapshots=1)


@pytest.fixture
def run(trained, tmp_path):
    return open_run(shutil.copytree(trained.folder, tmp_path / "runs" / trained.folder.name))


def flip_bits(path, number=20, seed=0):
    """Flip bits at random places of the file's second half, where a file of weights has its numbers."""
    content = np.frombuffer(path.read_bytes(), np.uint8).copy()
    rng = np.random.default_rng(seed)
    np.bitwise_xor.at(content, rng.integers(len(content) // 2, len(content), number), 1 << rng.integers(0, 8, number))
    path.write_bytes(content.tobytes())


def half(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def without_the_last_image(path):
    table = pd.read_csv(path)
    table[table.stem != table.stem.iloc[-1]].to_csv(path, index=False)


def of_other_columns(path):
    pd.read_csv(path).rename(columns={"tp": "fp", "fp": "tp"}).to_csv(path, index=False)


def nan_weights(path):
    weights = load_file(path)
    save_file({name: w.fill_(torch.nan) if w.is_floating_point() else w for name, w in weights.items()}, path)


def without_a_tensor(path):
    weights = load_file(path)
    weights.pop(next(iter(weights)))
    save_file(weights, path)


def of_other_shapes(path):
    save_file({name: w[None] for name, w in load_file(path).items()}, path)


def another_lambda(path):
    path.write_text(json.dumps(json.loads(path.read_text()) | {"lambda_dice": 1.0}))


def binary(path):
    path.write_bytes(bytes(range(256)))


DAMAGE = [
    (WEIGHTS, flip_bits), (WEIGHTS, half), (WEIGHTS, nan_weights), (WEIGHTS, without_a_tensor),
    (WEIGHTS, of_other_shapes), (WEIGHTS, binary), ("snapshots/step-000003.safetensors", flip_bits),
    ("counts.csv", without_the_last_image), ("counts.csv", half), ("counts.csv", of_other_columns),
    ("counts.csv", binary), ("surfaces.csv", half), ("angles.csv", without_the_last_image),
    ("recipe.json", binary), ("recipe.json", another_lambda), ("recipe.json", half),
    ("history.csv", half), ("environment.json", half), ("evaluation.json", binary),
    ("predictions/{stem}.png", flip_bits), (COMPLETE, half), (COMPLETE, binary),
]  # fmt: skip
IDS = [f"{name} {damage.__name__}" for name, damage in DAMAGE]


def read_all(run, stem):
    """Everything that anyone reads of a run."""
    assert run.recipe
    assert run.network()
    assert [run.network(step) for step in run.snapshots]
    for name in ("counts", "surfaces", "angles", "history"):
        assert len(run.table(name))
    assert run.environment
    assert run.prediction(stem) is not None
    assert run.files.read("evaluation.json")


def test_a_sound_run_is_read_and_verified(run, data):
    read_all(run, data.test[0].stem)
    told = CliRunner().invoke(main, ["verify", str(run.folder)])
    assert (told.exit_code, told.output) == (0, "1 run: 0 damaged\n")


@pytest.mark.parametrize(("name", "damage"), DAMAGE, ids=IDS)
def test_damage_is_refused_where_the_file_is_read_and_verify_names_it(run, data, name, damage):
    stem = data.test[0].stem
    path = run.folder / name.format(stem=stem)
    damage(path)
    with pytest.raises(BadInput, match="damaged") as caught:
        read_all(open_run(run.folder), stem)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    told = CliRunner().invoke(main, ["verify", "--results", str(run.folder.parents[1])])
    assert told.exit_code == 2
    assert told.stderr == f"error: {caught.value}\n"


@pytest.mark.parametrize("name", [WEIGHTS, "counts.csv", "recipe.json", "predictions"])
def test_what_is_missing_is_named(run, name):
    path = run.folder / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    told = CliRunner().invoke(main, ["verify", str(run.folder)])
    assert told.exit_code == 2
    assert str(path if name != "recipe.json" else run.folder) in told.stderr
    assert "Traceback" not in told.stderr


def test_a_recipe_of_a_later_version_or_of_another_run_is_refused(run):
    """Its sum put right, as one would who edits it on purpose."""
    path = run.folder / "recipe.json"
    settings, digest = json.loads(path.read_text()), run.recipe.digest
    for changes, said in (
        ({"version": 99}, "of version 99; expected at most"),
        ({"seed": 7}, "expected .*, which the run"),
    ):
        path.write_text(json.dumps(settings | changes))
        (run.folder / COMPLETE).write_text(json.dumps({"recipe": digest}))
        with pytest.raises(BadInput, match=said):
            open_run(run.folder)


def test_damaged_tables_are_made_again_from_the_weights(run, data, trained):
    for name in ("counts.csv", f"predictions/{data.test[0].stem}.png", "evaluation.json"):
        half(run.folder / name)
        given = ["--results", str(run.folder.parents[1]), "--data", str(data.root)]
        told = CliRunner().invoke(main, ["evaluate", run.folder.name, "--update", *given])
        assert told.exit_code == 0, told.output
        assert (run.folder / name).read_bytes() == (trained.folder / name).read_bytes()
    assert CliRunner().invoke(main, ["verify", str(run.folder)]).exit_code == 0


def test_a_run_of_before_sums_is_told_and_gets_them(run, data):
    (run.folder / COMPLETE).write_text(json.dumps({"recipe": run.recipe.digest}))
    told = CliRunner().invoke(main, ["verify", str(run.folder)])
    assert told.exit_code == 0
    assert "without sums" in told.stdout
    assert get_or_train(run.recipe, data, run.folder.parents[1]).files.sums[WEIGHTS]


def test_a_mistyped_results_folder_does_not_pass_for_an_empty_one(tmp_path):
    for command in (["verify"], ["keep", "smoke", str(tmp_path / "out")]):
        told = CliRunner().invoke(main, [*command, "--results", str(tmp_path / "nowhere")])
        assert isinstance(told.exception, SystemExit)
        assert told.exit_code == 2
        assert "nowhere: no such folder" in told.output


def test_a_run_that_is_not_complete_is_no_damage(run):
    (run.folder / COMPLETE).unlink()
    told = CliRunner().invoke(main, ["verify", "--results", str(run.folder.parents[1])])
    assert told.exit_code == 0
    assert "not complete" in told.stdout


class TestCheckpoints:
    """A training cut after four of six steps, whose last checkpoint is damaged then."""

    @pytest.fixture
    def cut(self, data, tmp_path, monkeypatch):
        recipe = make_recipe("unet", "smoke", data.fingerprint)
        cut_at_four = TrainingSet.__getitem__

        def item(self, step):
            if step == 4:
                raise KeyboardInterrupt
            return cut_at_four(self, step)

        with monkeypatch.context() as patch:
            patch.setattr(TrainingSet, "__getitem__", item)
            with pytest.raises(KeyboardInterrupt):
                get_or_train(recipe, data, tmp_path, checkpoint_seconds=0)
        assert {path.name for path in run_folder(recipe, tmp_path).glob("check*")} == {NAME, BEFORE}
        return recipe, run_folder(recipe, tmp_path)

    @staticmethod
    def steps_left(cut, data, monkeypatch):
        recipe, folder = cut
        steps, item = [], TrainingSet.__getitem__
        monkeypatch.setattr(TrainingSet, "__getitem__", lambda self, step: steps.append(step) or item(self, step))
        run = get_or_train(recipe, data, folder.parents[1])
        assert not list(folder.glob("check*"))
        return steps, run

    @pytest.mark.parametrize(
        "damage", [lambda path: path.write_bytes(b""), half, flip_bits, binary], ids=["empty", "half", "bits", "binary"]
    )
    def test_the_one_before_is_taken(self, cut, data, trained, monkeypatch, capfd, damage):
        damage(cut[1] / NAME)
        steps, run = self.steps_left(cut, data, monkeypatch)
        assert steps == [3, 4, 5]
        assert (run.folder / WEIGHTS).read_bytes() == (trained.folder / WEIGHTS).read_bytes()
        told = f"{cut[1] / NAME}: damaged or cut short; set aside as {NAME}.damaged\n"
        assert told in capfd.readouterr().err

    def test_with_both_damaged_it_starts_over(self, cut, data, trained, monkeypatch):
        half(cut[1] / NAME)
        half(cut[1] / BEFORE)
        steps, run = self.steps_left(cut, data, monkeypatch)
        assert steps == list(range(6))
        assert (run.folder / WEIGHTS).read_bytes() == (trained.folder / WEIGHTS).read_bytes()

    def test_a_pickle_that_would_run_code_does_not(self, cut, data, tmp_path, monkeypatch, capfd):
        from hashlib import sha256

        class Evil:
            def __reduce__(self):
                return (open, (str(tmp_path / "ran"), "w"))

        torch.save({"network": Evil()}, tmp_path / "evil.pt", pickle_module=pickle)
        content = (tmp_path / "evil.pt").read_bytes()
        (cut[1] / NAME).write_bytes(content + sha256(content).digest())
        steps, _ = self.steps_left(cut, data, monkeypatch)
        assert steps == [3, 4, 5]
        assert not (tmp_path / "ran").exists()
        assert "not a checkpoint of this program; set aside" in capfd.readouterr().err

    def test_one_of_another_recipe_is_not_taken(self, cut, data, tmp_path, monkeypatch, capfd):
        other = make_recipe("unet", "smoke", data.fingerprint, seed=1)
        folder = run_folder(other, tmp_path)
        shutil.copytree(cut[1], folder)
        run = get_or_train(other, data, tmp_path)
        assert "a checkpoint of another recipe or version; set aside" in capfd.readouterr().err
        fresh = get_or_train(other, data, tmp_path / "fresh")
        assert (run.folder / WEIGHTS).read_bytes() == (fresh.folder / WEIGHTS).read_bytes()


class TestModels:
    def test_flipped_bits_in_a_copy_of_the_shipped_onnx_file_are_noticed(self, tmp_path):
        for seed in range(20):
            path = shutil.copy(SHIPPED / "model.onnx", tmp_path / "copy.onnx")
            flip_bits(path, 1, seed)
            with pytest.raises(BadInput, match=r"copy\.onnx: damaged"):
                OnnxModel(path.read_bytes(), str(path))

    def test_flipped_bits_in_a_copy_of_the_shipped_run_are_noticed(self, tmp_path):
        copy = shutil.copytree(SHIPPED, tmp_path / "copy")
        flip_bits(copy / WEIGHTS)
        told = CliRunner().invoke(main, ["evaluate", str(copy), "--data", str(tmp_path)])
        assert told.exit_code == 2
        told = CliRunner().invoke(main, ["export", str(copy), str(tmp_path / "out.onnx")])
        assert told.exit_code == 2
        assert f"{copy / WEIGHTS}: damaged" in told.stderr
        assert not (tmp_path / "out.onnx").exists()

    def test_a_network_whose_logits_are_no_numbers_gives_no_answer(self):
        model = onnx.load(SHIPPED / "model.onnx")
        del model.metadata_props[-1]
        for tensor in model.graph.initializer:
            weights = numpy_helper.to_array(tensor)
            if weights.dtype == np.float16:
                tensor.CopyFrom(numpy_helper.from_array(np.full_like(weights, np.nan), tensor.name))
        segment = Segmenter(OnnxModel(sealed(model.SerializeToString()), "nan"))
        with pytest.raises(BadInput, match="logits are not finite"):
            segment(np.random.default_rng(0).integers(0, 256, (512, 128), np.uint8))

    def test_nor_is_such_a_run_evaluated(self, data):
        recipe = make_recipe("unet", "smoke", data.fingerprint)
        network = trainer.build_network(recipe).eval()
        with torch.no_grad():
            next(network.parameters()).fill_(torch.nan)
        from sadanet_lab.training.evaluation import evaluate

        with pytest.raises(Failed, match="logits are not finite"):
            evaluate(network, data.test, recipe)

    def test_weights_that_are_no_numbers_are_refused_as_a_start(self, run, tmp_path):
        path = tmp_path / "start.safetensors"
        shutil.copyfile(run.folder / WEIGHTS, path)
        nan_weights(path)
        recipe = make_recipe("unet", "smoke", "x", start_file=str(path), start_sha256="0" * 64)
        with pytest.raises(BadInput, match=r"start\.safetensors: .* holds numbers that are not finite"):
            trainer.build_network(recipe)
