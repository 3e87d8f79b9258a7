"""A wheel built from the tree, in environments of its own: bare, it segments; with ``train`` also with a run."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sadanet_lab.images.png import read_image, read_mask
from sadanet_lab.inference.segmentation import labels_of
from sadanet_lab.paths import ROOT
from sadanet_lab.phantom import draw_spine
from sadanet_lab.training.shipped import shipped_run

pytestmark = pytest.mark.slow
UV = Path(sys.executable).with_name("uv")


def run(*command, **options):
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, env=environment, check=False, **options
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    out = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", out, cwd=ROOT)
    (wheel,) = out.glob("*.whl")
    return wheel


def environment(folder, wheel, extra=""):
    """The Python of a new environment with the wheel and what it asks for, in the locked versions."""
    run(UV, "venv", "--quiet", "--python", sys.executable, folder)
    python = folder / "bin" / "python"
    lock = folder / "versions.txt"
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    lock.write_text("\n".join(line.removesuffix(" \\") for line in lines if "==" in line))
    run(UV, "pip", "install", "--quiet", "--python", python, "--constraint", lock, f"{wheel}{extra}")
    return python


@pytest.fixture(scope="module")
def bare(wheel, tmp_path_factory):
    return environment(tmp_path_factory.mktemp("bare") / "env", wheel)


@pytest.fixture
def mask(tmp_path):
    path = tmp_path / "mask.png"
    Image.fromarray(draw_spine(np.random.default_rng(0), 256, 1024).labels()).save(path)
    return path


def installed(python):
    listed = run(UV, "pip", "list", "--quiet", "--python", python, "--format", "json")
    return {package["name"] for package in json.loads(listed)}


def test_the_bare_wheel_measures_a_mask_without_torch_and_jupyter(bare, mask, tmp_path):
    asked = {"click", "filelock", "highdicom", "numpy", "onnxruntime", "pillow", "pydicom", "pynrrd", "scipy", "tqdm"}
    theirs = {"flatbuffers", "packaging", "protobuf", "pyjpegls", "typing-extensions"}
    assert installed(bare) == asked | theirs | {"sadanet"}
    (found,) = json.loads(run(bare, "-m", "sadanet_lab", "angles", mask, "--format", "json", cwd=tmp_path))
    assert found["measurable"]


def test_the_bare_wheel_segments_an_image_as_torch_does(bare, phantoms, tmp_path):
    image = next((phantoms / "dataset" / "test").glob("*.png"))
    run(bare, "-m", "sadanet_lab", "predict", image, "--out", tmp_path / "out", cwd=tmp_path)
    network = shipped_run()
    expected = labels_of(network.network(), read_image(image), network.recipe)
    assert (read_mask(tmp_path / "out" / f"{image.stem}_labels.png") != expected).mean() <= 1e-4
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "cohort.csv",
        "report.html",
        *(
            f"{image.stem}{end}"
            for end in ("_labels.png", "_overlay.png", "_thumbnail.jpg", ".seg.nrrd", "_angles.json")
        ),
    }
    (told,) = json.loads((tmp_path / "out" / f"{image.stem}_angles.json").read_text())
    assert told["interval_degrees"] is not None


def test_the_bare_wheel_checks_a_dataset_and_makes_one(bare, phantoms, tmp_path):
    assert "valid; 4 training and 2 test images" in run(bare, "-m", "sadanet_lab", "check", phantoms, cwd=tmp_path)
    folders = (phantoms / part / "train" for part in ("dataset", "groundtruth"))
    assert "3 training and 1 test images" in run(bare, "-m", "sadanet_lab", "prepare", *folders, "made", cwd=tmp_path)


def test_without_an_extra_a_command_and_the_core_say_what_to_install(bare, mask, tmp_path):
    command = [bare, "-m", "sadanet_lab", "predict", mask, "--run", tmp_path, "--out", tmp_path / "out"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 2
    assert done.stderr.strip().splitlines() == [done.stderr.strip()]
    assert "pip install '.[train]'" in done.stderr
    command = [bare, "-c", "import sadanet_core"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, cwd=tmp_path, check=False)
    assert "pip install '.[train]'" in done.stderr.splitlines()[-1]


def test_with_train_it_segments_an_image_with_a_run_without_jupyter(wheel, tmp_path_factory, phantoms, tmp_path):
    python = environment(tmp_path_factory.mktemp("train") / "env", wheel, "[train]")
    assert {"torch", "timm"} <= installed(python)
    assert not {"jupyterlab", "papermill", "snakemake", "seaborn"} & installed(python)
    image = next((phantoms / "dataset" / "test").glob("*.png"))
    folder = run(python, "-c", "from sadanet_lab.paths import SHIPPED; print(SHIPPED)").strip()
    run(python, "-m", "sadanet_lab", "predict", image, "--run", folder, "--out", tmp_path / "out", cwd=tmp_path)
    labels = np.asarray(Image.open(tmp_path / "out" / f"{image.stem}_labels.png"))
    assert labels.shape == np.asarray(Image.open(image)).shape
    assert set(np.unique(labels)) <= {0, 1, 2, 3}
    code = "import sys, torch, timm; before = set(sys.modules); "
    code += "from sadanet_core import SADANet, Backbone, SegmentationLoss, record_attention; "
    code += "print(*sorted({name.split('.')[0] for name in set(sys.modules) - before} - sys.stdlib_module_names))"
    assert run(python, "-c", code, cwd=tmp_path).split() == ["sadanet_core"]


@pytest.mark.parametrize("code", ["import sadanet_lab", "from sadanet_lab.cli import main; main(['--help'])"])
def test_the_door_is_light(code):
    code = f"import sys\ntry:\n    {code}\nexcept SystemExit:\n    pass\n"
    code += "print({'torch', 'timm', 'pandas', 'matplotlib', 'scipy', 'IPython'} & sys.modules.keys())"
    assert run(sys.executable, "-c", code).splitlines()[-1] == "set()"
