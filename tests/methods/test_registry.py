"""The registry is found from the files: adding a method is one file, and all else knows it."""

import shutil
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from sadanet_lab.errors import BadInput
from sadanet_lab.methods import expand_names, find_method, method_names, registry, table_methods
from sadanet_lab.methods.shared.method import NetworkSettings
from sadanet_lab.paths import ROOT
from sadanet_lab.studies.published import published_scores

NEW = """
from torch import nn
from sadanet_core.blocks import SegmentationNetwork
from sadanet_lab.methods.shared.method import Method


class Tiny(SegmentationNetwork):
    loss_weights = {"main": 1.0}

    def __init__(self, channels, classes):
        super().__init__()
        self.classify = nn.Conv2d(channels, classes, 3, padding=1)

    def outputs(self, picture):
        return {"main": self.classify(picture)}


METHOD = Method(
    title="Tiny",
    places={"table-1": 11},
    build=lambda settings: Tiny(settings.input_channels, settings.classes),
    known="Nothing.",
    assumed="Everything.",
    uses_backbone=False,
)
"""


def test_tables_have_the_papers_rows_in_its_order():
    titles = {table: [find_method(name).title for name in table_methods(table)] for table in ("table-1", "table-2")}
    printed = list(published_scores("I").method.unique())
    assert titles["table-1"][: len(printed)] == printed
    assert titles["table-2"] == list(published_scores("II").method.unique())


def test_names_are_the_files_and_places_are_taken_once():
    assert set(method_names()) == set(registry())
    for table in ("table-1", "table-2"):
        places = [method.places[table] for method in registry().values() if table in method.places]
        assert sorted(places) == list(range(1, len(places) + 1))


@pytest.mark.parametrize("name", method_names())
def test_what_settings_leave_open_is_the_methods_own(name):
    """Each builder has a default of its own for each choice: they are those that the ``METHOD`` tells."""
    method = find_method(name)
    small = NetworkSettings("resnet10t", width=32, image_height=64, image_width=64)
    told = {what: choices[0] for what, choices in method.choices.items() if choices and what != "loss"}
    networks = []
    for settings in (small, replace(small, gamma=method.gamma, **told)):
        torch.manual_seed(0)
        networks.append(method.build(settings))
    one, other = (network.state_dict() for network in networks)
    assert one.keys() == other.keys()
    assert all(one[key].equal(other[key]) for key in one)
    forms = [[m.normalisation for m in n.modules() if hasattr(m, "normalisation")] for n in networks]
    assert forms[0] == forms[1] == list(method.normalisations[:1]) * len(forms[0])


def test_groups_stand_for_their_methods():
    assert expand_names(["table-2"]) == table_methods("table-2")
    assert expand_names(["all"]) == list(registry())
    assert expand_names(["sadanet", "table-2"])[0] == "sadanet"
    assert len(expand_names(["table-1", "table-2"])) == len(registry())
    assert expand_names(["unet", "unet"]) == ["unet", "unet"]  # a name given twice is for the caller to refuse
    with pytest.raises(BadInput, match=r"'nonsense' is unknown; expected one of unet, .*, table-1"):
        expand_names(["nonsense"])


@pytest.mark.slow
def test_a_new_method_is_one_file(tmp_path):
    """In a copy of the project: the command line, the plan and a training know it."""
    for name in ("sadanet_core", "sadanet_lab", "notebooks"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "sadanet_lab" / "methods" / "tiny_one.py").write_text(NEW)

    def run(*command):
        done = subprocess.run([sys.executable, *command], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "tiny-one" in "".join(run("-m", "sadanet_lab", "train", "--help").split())  # it wraps at dashes too
    code = "from sadanet_lab.reporting.plan import plan_notebooks; "
    code += "print([n for n, b in plan_notebooks().items() if 'tiny-one' in [t.name for t, _ in b.jobs('quick', [0])]])"
    planned = run("-c", code)
    assert "01_table1_comparison" in planned
    assert "09_speed" in planned
    assert "02_table2_ablation" not in planned
    told = run("-m", "sadanet_lab", "train", "--method", "tiny-one", "--profile", "smoke", "--results", "results")
    assert "pooled scores in percent" in told
