"""``sadanet export``, and ``sadanet predict`` with a file of it, which loads nothing heavy."""

import json
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from test_cli import assert_refused

from sadanet_lab.cli import main
from sadanet_lab.images.folder_check import open_folder
from sadanet_lab.images.png import read_mask
from sadanet_lab.paths import ROOT
from sadanet_lab.training.recipe import make_recipe
from sadanet_lab.training.run_store import get_or_train

HEAVY = {"torch", "timm", "torchvision", "onnx", "pandas", "pydantic", "matplotlib", "IPython", "safetensors"}


def sadanet(*arguments):
    return CliRunner().invoke(main, [str(a) for a in arguments])


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "image.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (283, 71), np.uint8)).save(path)
    return path


@pytest.mark.slow
def test_a_run_is_exported_and_its_file_predicts_what_the_run_does(phantoms, image, tmp_path):
    data = open_folder(phantoms)
    recipe = make_recipe("sadanet", "smoke", data.fingerprint, margin=32, iterations=3)
    run, file = get_or_train(recipe, data, tmp_path), tmp_path / "made" / "model.onnx"
    told = sadanet("export", run.folder.name, file, "--results", tmp_path)
    assert told.exit_code == 0, told.stderr
    assert told.stdout.startswith(f"{file}: ")
    assert str(ROOT).encode() not in file.read_bytes(), "nobody needs to know where it was made"
    for out, chosen in (("torch", run.folder), ("onnx", file)):
        told = sadanet("predict", image, "--run", chosen, "--out", tmp_path / out)
        assert told.exit_code == 0, told.stderr
    labels = [read_mask(tmp_path / out / "image_labels.png") for out in ("torch", "onnx")]
    assert (labels[0] != labels[1]).mean() <= 1e-3  # three steps of training leave classes nearly equal


def test_export_refuses_another_ending_before_anything_is_read(tmp_path):
    told = sadanet("export", tmp_path / "none", tmp_path / "model.pt")
    assert told.exit_code == 2
    assert told.stderr == f"error: {tmp_path / 'model.pt'}: expected a name that ends in .onnx\n"


@pytest.fixture
def unused(monkeypatch):
    """The work itself must not be begun."""

    def begun(*_):
        raise AssertionError("the export was begun")

    monkeypatch.setattr("sadanet_lab.inference.onnx_export.export_onnx", begun)
    monkeypatch.setattr("sadanet_lab.training.adaptation.adapt", begun)


@pytest.mark.parametrize("command", [("export", "shipped"), ("adapt", "{image}", "--out")])
def test_a_place_that_cannot_be_written_to_is_refused_before_the_work(command, image, tmp_path, unused):
    (tmp_path / "folder.onnx").mkdir()
    (tmp_path / "file").touch()
    words = [word.format(image=image) for word in command]
    assert_refused(sadanet(*words, tmp_path / "folder.onnx"), tmp_path / "folder.onnx", "a folder; expected a file")
    refused = sadanet(*words, tmp_path / "file" / "new" / "x.onnx")
    assert_refused(refused, tmp_path / "file" / "new", "expected a writable folder")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder.onnx", "image.png"]


@pytest.mark.parametrize(
    "command",
    [("export", "nope"), ("adapt", "nope", "--out"), ("adapt", "{broken}", "--out"),
     ("adapt", "{image}", "--start", "nope", "--out")],
)  # fmt: skip
def test_what_is_not_there_leaves_no_folder(command, image, tmp_path, unused):
    (tmp_path / "broken.png").write_bytes(image.read_bytes()[:99])
    words = [word.format(image=image, broken=tmp_path / "broken.png") for word in command]
    assert sadanet(*words, tmp_path / "new" / "folder" / "x.onnx").exit_code == 2
    assert not (tmp_path / "new").exists()


def test_predict_names_a_file_that_is_none(image, tmp_path):
    told = sadanet("predict", image, "--run", tmp_path / "none.onnx", "--out", tmp_path / "out")
    assert told.exit_code == 2
    assert f"{tmp_path / 'none.onnx'}: cannot be read" in told.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("tta", [[], ["--tta"]])
def test_predict_and_angles_load_neither_torch_nor_pandas(image, tmp_path, tta):
    arguments = ["predict", str(image), "--out", str(tmp_path), *tta]
    code = "import sys\nfrom sadanet_lab.cli import main\n"
    code += f"main({arguments!r}, standalone_mode=False)\n"
    code += f"main(['angles', {str(tmp_path / 'image_labels.png')!r}], standalone_mode=False)\n"
    code += f"import json; print(json.dumps(sorted({HEAVY!r} & sys.modules.keys())))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1]) == []
