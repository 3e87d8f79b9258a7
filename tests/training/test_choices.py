"""Choices: written as notebooks write them, trained beside what the profile has, compared seed by seed."""

import re

import numpy as np
import pandas as pd
import pytest

from sadanet_lab.errors import BadInput
from sadanet_lab.images.folder_check import open_folder
from sadanet_lab.metrics.scores import bone_dice
from sadanet_lab.paths import STANDARD
from sadanet_lab.studies.choices import compare_choices
from sadanet_lab.studies.convergence import own_runs
from sadanet_lab.training.choices import Choice, changed_settings, own_recipe, read_choice, train_choices
from sadanet_lab.training.recipe import make_recipe
from sadanet_lab.training.runs import list_runs, open_run
from sadanet_lab.views.convergence import choices_markdown


@pytest.fixture(scope="module")
def runs(phantoms, tmp_path_factory):
    choices = ["sadanet gamma=0", "rsnu loss=total-variation-1 length=0.5", "fpn margin=16 seeds=1"]
    return train_choices(choices, [0, 1], "smoke", open_folder(phantoms), tmp_path_factory.mktemp("results"))


def test_a_choice_is_a_method_and_settings():
    assert read_choice("unet") == Choice("unet", {})
    settings = {"loss": "total-variation-0.1", "length": 0.5}
    assert read_choice("rsnu loss=total-variation-0.1 length=0.5") == Choice("rsnu", settings)
    assert read_choice("rsnu loss=total-variation-0.1 length=0.5").kept == {"length": 0.5}


def test_a_choice_may_have_seeds_of_its_own():
    assert read_choice("fpn margin=0").seeds([4, 7]) == [4, 7]
    choice = read_choice("fpn margin=0 seeds=3")
    assert choice.seeds([4, 7]) == [0, 1, 2]
    assert choice.settings == {"margin": 0}


def test_its_examples_are_choices():
    examples = re.findall('"(.+?)"', read_choice.__doc__)
    assert len(examples) == 2
    for choice in map(read_choice, examples):
        assert changed_settings(make_recipe(choice.method, "smoke", "of some data", **choice.settings))


@pytest.mark.parametrize(
    "text",
    ["sadanet gamma", "sadanet batch=2", "sadanet gamma=0,length=1", "", "fpn margin=0 seeds=0", "fpn seeds=0,1"],
)
def test_what_is_no_choice_is_refused(text, phantoms, tmp_path):
    with pytest.raises(BadInput, match=r"choice|unknown|gamma"):
        train_choices([text], [0], "smoke", open_folder(phantoms), tmp_path)


def test_each_change_is_trained_beside_the_run_that_keeps_all_else(runs):
    assert len(runs) == 10  # two choices, changed and not, with two seeds, and one with one
    own = [run.recipe for run in runs if not changed_settings(run.recipe)]
    assert [(r.method, r.seed, r.iterations) for r in own] == [
        ("sadanet", 0, 6),
        ("sadanet", 1, 6),
        ("rsnu", 0, 3),
        ("rsnu", 1, 3),
        ("fpn", 0, 6),
    ]
    assert {str(changed_settings(run.recipe)) for run in runs} == {
        "{}",
        "{'gamma': 0.0}",
        "{'loss': 'total-variation-1'}",
        "{'margin': 16}",
    }
    assert [run.recipe for run in own_runs(runs)] == own


def test_lengths_seeds_and_data_are_no_changes():
    recipe = make_recipe("fpn", "standard", "of some data", seed=3, length=0.25)
    assert own_recipe(recipe) == recipe
    assert changed_settings(recipe) == {}


def test_the_comparison_is_the_mean_over_seeds_of_both(runs):
    table = compare_choices(runs).set_index("method")
    assert table.change["SADANet"] == "gamma 0.0 (1.0)"
    assert table.iterations.to_dict() == {"SADANet": 6, "RSNU": 3, "FPN": 6}
    assert table.seeds.to_dict() == {"SADANet": 2, "RSNU": 2, "FPN": 1}
    of_sadanet = [run for run in runs if run.recipe.method == "sadanet"]
    own, changed = (
        np.mean([bone_dice(run.counts) for run in of_sadanet if run.recipe.gamma == gamma]) for gamma in (1, 0)
    )
    assert table.dice["SADANet"] == pytest.approx(own)
    assert table.dice_difference["SADANet"] == pytest.approx(changed - own)
    assert table.validation.isna().all(), "this folder has no validation images"
    text = choices_markdown(table.reset_index())
    low, high = table.low["SADANet"], table.high["SADANet"]
    assert f"{own:.2f} {changed - own:+.2f} ({low:.2f} to {high:.2f})" in text
    assert "n/a" in text


def test_the_interval_is_student_s_over_the_seeds_and_a_little_wider_for_the_images():
    """Of five seeds kept of SADANet with gamma from 0 and from 1; t of four degrees of freedom is 2.776."""
    kept = [open_run(folder) for folder in list_runs(STANDARD)]
    whole = [run for run in kept if (run.recipe.method, run.recipe.iterations) == ("sadanet", 1600)]
    runs = [run for run in whole if changed_settings(run.recipe) in ({}, {"gamma": 0.0})]
    (row,) = compare_choices(runs).to_dict("records")
    dice = pd.Series({(run.recipe.gamma, run.recipe.seed): bone_dice(run.counts) for run in runs})
    by_seed = (dice[0.0] - dice[1.0]).dropna()
    assert row["dice_difference"] == pytest.approx(by_seed.mean())
    of_seeds = 2.776 * by_seed.std(ddof=1) / 5**0.5
    half = (row["high"] - row["low"]) / 2
    assert row["low"] + half == pytest.approx(by_seed.mean())
    assert of_seeds < half < 1.5 * of_seeds


def test_one_seed_has_no_interval(runs):
    table = compare_choices([run for run in runs if run.recipe.seed == 0])
    assert len(table) == 3
    assert table.low.isna().all()
    assert table.high.isna().all()
    assert not re.search(r"\(\S+ to ", choices_markdown(table))


def test_a_change_without_its_counterpart_is_not_compared(runs):
    alone = [run for run in runs if changed_settings(run.recipe)]
    assert compare_choices(alone).empty
    assert choices_markdown(compare_choices(alone)) == "n/a: no runs."
