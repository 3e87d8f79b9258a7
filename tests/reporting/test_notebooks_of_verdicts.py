"""Notebooks that train only where runs give verdicts: there, on a few demanding phantoms, of untrained networks."""

import json

import pandas as pd
import pytest
import torch

from sadanet_lab.images.folder_check import open_folder
from sadanet_lab.paths import NOTEBOOKS, result_file
from sadanet_lab.phantom import write_folder
from sadanet_lab.reporting.notebook_runner import run_notebook
from sadanet_lab.training import trainer
from sadanet_lab.training.checkpoints import Checkpoints, Progress
from sadanet_lab.training.choices import read_choice
from sadanet_lab.training.recipe import make_recipe
from sadanet_lab.training.runs import run_folder

pytestmark = pytest.mark.slow
PROFILE = "standard"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demanding") / "data"
    write_folder(folder, 2, 4, width=96, height=384, cases="demanding", val=1)
    return open_folder(folder)


def leave_untrained(data, results, choices, seeds=(0,)):
    """Checkpoints of the last step, of networks that never made one: what asks for the runs only tests them."""
    for text in choices:
        choice = read_choice(text)
        for seed in seeds:
            recipe = make_recipe(choice.method, PROFILE, data.fingerprint, seed=seed, **choice.settings)
            network = trainer.build_network(recipe)
            folder = run_folder(recipe, results)
            folder.mkdir(parents=True)
            optimizer = torch.optim.Adam(trainer._parameter_groups(network, recipe.weight_decay))
            row = {"step": recipe.iterations, "learning_rate": recipe.final_learning_rate, "loss": 1.0}
            checkpoints = Checkpoints(folder, recipe.digest, network, optimizer)
            checkpoints.save(Progress(recipe.iterations, [row], seconds=1.0))


def run(name, data, results, **parameters):
    given = {"profile": PROFILE, "data": str(data.root), "results": str(results)}
    run_notebook(NOTEBOOKS / f"{name}.ipynb", given | parameters)
    result = result_file(name, results, str(data.root), PROFILE)
    return result.parent, json.loads(result.read_text())["findings"]


def test_convergence_and_choices(data, tmp_path):
    leave_untrained(data, tmp_path, ["fpn", "fpn length=0.5", "sadanet", "sadanet length=0.5", "sadanet gamma=0"])
    given = {"methods": "fpn,sadanet", "lengths": "0.5,1.0", "choices": "sadanet gamma=0", "choice_seeds": "0"}
    out, found = run("12_convergence", data, tmp_path, **given)
    dice = pd.read_csv(out / "convergence.csv")
    assert sorted(dice.iterations) == [800, 800, 1600, 1600]
    assert set(found["gained"]) == {"FPN", "SADANet"}
    assert len(found["runs"]) == 5
    choices = pd.read_csv(out / "choices.csv")
    assert choices.change.tolist() == ["gamma 0.0 (1.0)"]
    assert choices.validation.notna().all()


def test_hidden_bones(data, tmp_path):
    leave_untrained(data, tmp_path, ["fpn", "sadanet"])
    out, found = run("13_hidden_bones", data, tmp_path, methods="fpn,sadanet")
    assert len(found["runs"]) == 2
    assert (out / "hidden_bones_dose.png").stat().st_size > 0
    assert {"SCA", "GCA"} <= set(pd.read_csv(out / "hidden_bones.csv")["without"])
