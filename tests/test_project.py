"""What the project says about itself: imports go down the list of rooms, the lock is whole, environments agree."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml

import sadanet_lab
from sadanet_lab.methods import registry
from sadanet_lab.paths import ROOT
from sadanet_lab.reporting.plan import plan_notebooks, plan_trainings

ROOMS = ["cli", "reporting", "views", "studies", "training", "inference", "metrics", "methods", "images", "phantom"]
ROOMS += ["spine", "progress", "processes", "files", "paths", "errors", "words"]
CORE = sorted((ROOT / "sadanet_core").glob("*.py"))
SOURCES = [*CORE, *sorted((ROOT / "sadanet_lab").rglob("*.py"))]


def room_of(module: str) -> str | None:
    """sadanet_lab.spine.classes -> spine; None for the package itself."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else None


def test_every_room_is_in_the_list():
    folders = {path.parent.name for path in (ROOT / "sadanet_lab").glob("*/__init__.py")}
    modules = {path.stem for path in (ROOT / "sadanet_lab").glob("*.py")} - {"__init__", "__main__"}
    assert folders | modules == set(ROOMS)


def test_tests_mirror_the_rooms():
    rooms = {path.parent.name for path in (ROOT / "sadanet_lab").glob("*/__init__.py")} | {"core"}
    tested = {path.parent.name for path in (ROOT / "tests").glob("*/test_*.py")}
    assert tested - rooms == {"browser", "cluster", "fuzz", "golden", "install"}
    assert rooms <= tested


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_go_down_the_list_of_rooms(path):
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    here = room_of(module)
    if here in (None, "__init__", "__main__"):
        return
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("sadanet_lab"):
            # "from sadanet_lab import methods" names a room; "from sadanet_lab import __version__" does not
            names = [f"sadanet_lab.{a.name}" for a in node.names] if node.module == "sadanet_lab" else [node.module]
        elif isinstance(node, ast.Import):
            names = [a.name for a in node.names if a.name.startswith("sadanet_lab.")]
        for room in filter(ROOMS.__contains__, map(room_of, names)):
            assert ROOMS.index(room) >= ROOMS.index(here), f"{module} (line {node.lineno}) imports {room}, above it"


def test_the_core_is_thin_and_imports_torch_and_timm_and_itself_alone():
    allowed = {"torch", "timm", "sadanet_core"} | sys.stdlib_module_names
    assert sum(len(path.read_text().splitlines()) for path in CORE) <= 600
    for path in CORE:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [node.module] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
                assert {name.split(".")[0] for name in names} <= allowed, path


def test_every_package_that_is_imported_is_asked_for():
    """And not only brought along by another, which may drop it."""
    imported = set()
    for node in (node for path in SOURCES for node in ast.walk(ast.parse(path.read_text()))):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            imported.add(node.module.split(".")[0])
    imported -= {*sys.stdlib_module_names, "sadanet_core", "sadanet_lab"}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = {
        re.split(r"[<>=\[]", name)[0]
        for names in (project["dependencies"], *project["optional-dependencies"].values())
        for name in names
    }
    packages = packages_distributions()
    brought = {module: {name.lower().replace("_", "-") for name in packages[module]} for module in imported}
    assert [module for module in imported if not asked & brought[module]] == []


def test_one_sitting_can_read_each_file():
    for path in (*SOURCES, *(ROOT / "tests").rglob("*.py")):
        assert len(path.read_text().splitlines()) <= 320, path


def test_the_lock_pins_every_dependency_with_hashes_and_names_no_index():
    text = (ROOT / "requirements.lock").read_text()
    pinned = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text, re.M))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    asked = [name for names in (project["dependencies"], *extras) for name in names if not name.startswith("sadanet")]
    assert {re.split(r"[<>=\[]", name)[0] for name in asked} <= pinned.keys()
    for entry in re.split(r"^(?=\S)", text, flags=re.M)[1:]:
        assert "--hash=sha256:" in entry, entry
    assert not re.search(r"--(extra-)?index|https?://", text)


def test_the_version_is_one():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == sadanet_lab.__version__
    assert f"## {sadanet_lab.__version__} - " in (ROOT / "CHANGELOG.md").read_text()


def test_conda_and_pip_install_the_same_lock():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    assert {"pip": ["-r requirements.lock"]} in environment["dependencies"]


def test_binder_and_dev_containers_are_told_what_is_here():
    whole, light = (
        yaml.safe_load((ROOT / name).read_text()) for name in ("environment.yml", ".binder/environment.yml")
    )
    assert light["channels"] == whole["channels"]
    assert "python=3.11" in {*light["dependencies"]} & {
        *filter(lambda each: isinstance(each, str), whole["dependencies"])
    }
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
    assert container["image"] == "python:3.11"
    assert container["postCreateCommand"] == "make install"
    after = ROOT / ".binder" / "postBuild"
    assert os.access(after, os.X_OK)  # or repo2docker does not run it
    installed = re.search(r"--editable '\.\[train\]' (.+)", after.read_text())[1]
    assert installed in (ROOT / "docs" / "interactive.md").read_text()
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert {*installed.split()} <= {*extras["notebooks"]}


def test_no_picture_outside_results_reference_no_notebook_outside_notebooks_and_no_patient_data_in_git():
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("not a git checkout, or no git")
    files = subprocess.run(["git", "-C", str(ROOT), "ls-files"], capture_output=True, text=True, check=True).stdout
    for name in files.splitlines():
        if name.startswith("data/"):
            assert name == "data/README.md" or name.startswith("data/published/"), name
        if Path(name).suffix.lower() in {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".dcm", ".bmp", ".pdf"}:
            assert name.startswith("results/reference/"), name
        if Path(name).suffix == ".ipynb":
            assert name.startswith("notebooks/"), name


def count_trainings(seeds):
    """Every method, and SADANet with each other lambda and the other form of GCA."""
    notebooks = plan_notebooks()
    lambdas = notebooks["04_table4_lambda_sweep"].parameters["lambdas"]
    forms = notebooks["08_paper_audit"].parameters["normalisations"]
    return seeds * (len(registry()) + len(lambdas) - 1 + len(forms) - 1)


@pytest.mark.parametrize("seeds", [1, 3])
def test_the_plan_trains_each_network_once_for_each_seed(seeds):
    notebooks = plan_notebooks().values()
    runs = {(t.name, seed) for each in notebooks for t, seed in each.jobs("quick", range(seeds))}
    assert len(runs) == count_trainings(seeds)
    assert set(plan_trainings(notebooks, "quick")) == {name for name, _ in runs}


@pytest.mark.slow
def test_make_reproduce_does_what_the_plan_says_and_takes_one_backbone_for_all(tmp_path):
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--printshellcmds", "--nolock", "--cores", "1"]
    config = ["--config", "seeds=3", "backbone=resnet18", f"results={tmp_path}"]
    told = subprocess.run([*command, *config], cwd=ROOT, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    jobs = {name: int(number) for name, number in re.findall(r"^(\w+) +(\d+)$", told.stdout, re.M)}
    planned = plan_notebooks().values()
    trainings, notebooks = count_trainings(3), len(list((ROOT / "notebooks").glob("*.ipynb")))
    assert jobs == {"notebook": notebooks, "train": trainings, "all": 1, "total": notebooks + trainings + 1}
    assert len(re.findall(r" train .* --backbone resnet18$", told.stdout, re.M)) == trainings
    that_train = [notebook for notebook in planned if "methods" in notebook.parameters]
    assert len(re.findall(r" run .* -p backbone resnet18$", told.stdout, re.M)) == len(that_train)
