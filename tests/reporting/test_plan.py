"""The plan of ``make reproduce`` and its progress, on made-up notebooks; the real ones run in test_notebooks."""

import nbformat
import pytest
from click.testing import CliRunner

from sadanet_lab.cli import main
from sadanet_lab.cli.graph import show_progress
from sadanet_lab.errors import BadInput
from sadanet_lab.methods import registry, table_methods
from sadanet_lab.reporting.notebook_runner import run_notebook
from sadanet_lab.reporting.plan import (
    PlannedNotebook,
    Training,
    check_settings,
    plan_notebooks,
    plan_trainings,
    trainings_of_tables,
)
from sadanet_lab.reporting.report import Report


def notebook(path, parameters, **metadata):
    book = nbformat.v4.new_notebook(metadata=metadata)
    book.cells = [nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]})]
    nbformat.write(book, path)
    return PlannedNotebook(path)


def test_a_notebook_needs_its_methods_with_every_value_swept(tmp_path):
    planned = notebook(tmp_path / "a.ipynb", 'methods = ["sadanet", "unet"]\nlambdas = [0.0, 3.0]\nseeds = [0]')
    trainings = [
        Training("sadanet", (("lambda_dice", 0.0),)),
        Training("sadanet", ()),  # 3 is its own
        Training("unet", (("lambda_dice", 0.0),)),
        Training("unet", ()),
    ]
    assert planned.jobs("standard", [0, 1]) == [(training, seed) for training in trainings for seed in (0, 1)]
    assert [training.name for training in trainings[:2]] == ["sadanet_lambda-dice-0.0", "sadanet"]
    assert trainings[0].options == ["--method", "sadanet", "--lambda-dice", "0.0"]


def test_a_notebook_of_one_seed_keeps_it_and_one_without_methods_needs_nothing(tmp_path):
    one = notebook(tmp_path / "a.ipynb", 'methods = ["table-2"]\nseed = 4')
    assert one.jobs("quick", [0, 1, 2]) == [(Training(method, ()), 4) for method in table_methods("table-2")]
    assert notebook(tmp_path / "b.ipynb", "heights = [1]").jobs("quick", [0]) == []


def test_a_choice_is_trained_beside_what_the_profile_has_with_seeds_of_its_own(tmp_path):
    text = 'choices = ["sadanet gamma=0", "rsnu loss=total-variation-1 length=0.5"]\nchoice_seeds = [0, 1]'
    jobs = notebook(tmp_path / "a.ipynb", text).jobs("standard", [0])
    assert [training.name for training, seed in jobs if seed == 1] == [
        "sadanet_gamma-0",
        "sadanet",
        "rsnu_loss-total-variation-1_length-0.5",
        "rsnu_length-0.5",
    ]
    assert {seed for _, seed in jobs} == {0, 1}
    (changed, _), *_ = jobs
    assert changed.options == ["--method", "sadanet", "--gamma", "0"]
    own = 'choices = ["sadanet gamma=0 seeds=3"]\nchoice_seeds = [7]'
    jobs = notebook(tmp_path / "b.ipynb", own).jobs("standard", [0])
    assert [(training.name, seed) for training, seed in jobs] == [
        (name, seed) for name in ("sadanet_gamma-0", "sadanet") for seed in (0, 1, 2)
    ]


def test_trainings_are_shared_and_those_of_notebooks_that_go_first_come_first(tmp_path):
    late = notebook(tmp_path / "a.ipynb", 'methods = ["fpn", "unet"]')
    first = notebook(tmp_path / "b.ipynb", 'methods = ["unet"]', sadanet={"first": True})
    assert list(plan_trainings([late, first], "quick")) == ["unet", "fpn"]


def test_tables_i_to_iv_take_each_method_once_and_sadanet_once_for_each_lambda():
    lambdas = plan_notebooks()["04_table4_lambda_sweep"].parameters["lambdas"]
    assert trainings_of_tables("quick") == dict.fromkeys(registry(), 1) | {"sadanet": len(lambdas)}


def test_a_notebook_of_verdicts_trains_only_where_runs_may_be_judged_by(tmp_path):
    text = 'methods = ["unet"]\nlengths = [0.5, 1.0]\nseed = 0'
    planned = notebook(tmp_path / "a.ipynb", text, sadanet={"verdicts": True})
    assert planned.jobs("quick", [0]) == []
    half = Training("unet", (("length", 0.5),))
    assert planned.jobs("standard", [0]) == [(half, 0), (Training("unet", ()), 0)]
    assert half.options == ["--method", "unet", "--length", "0.5"]


def test_shorter_trainings_are_of_one_seed_and_whole_ones_of_all(tmp_path):
    planned = notebook(tmp_path / "a.ipynb", 'methods = ["unet"]\nlengths = [0.5, 1.0]\nseed = 0\nseeds = [0]')
    half, whole = Training("unet", (("length", 0.5),)), Training("unet", ())
    assert planned.jobs("standard", [0, 1]) == [(half, 0), (whole, 0), (whole, 1)]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (("results", "phantom", "nonsense", 1), "profile 'nonsense' is unknown; expected one of smoke"),
        (
            ("results", "no/such/folder", "smoke", 1),
            "no/such/folder: no such folder in /.*, where relative paths start",
        ),
        (("results", "phantom", "smoke", 0), "seeds: found 0"),
    ],
)
def test_bad_settings_are_refused_before_anything_runs(settings, said):
    with pytest.raises(BadInput, match=said):
        check_settings(*settings)
    _, data, profile, seeds = settings
    told = CliRunner().invoke(main, ["reproduce", "--profile", profile, "--data", data, "--seeds", str(seeds)])
    assert told.exit_code == 2


def test_progress_in_place_of_snakemakes_counting(capsys):
    lines = [
        "Execute 2 jobs...\n",
        "Select jobs to execute...\n",
        "unet: 6/6 steps\n",
        "[Sat Nov 21 19:03:27 2026]\n",
        "1 of 4 steps (25%) done\n",
    ]
    show_progress([*lines, "\n", "4 of 4 steps (100%) done\n"])
    assert capsys.readouterr().out.splitlines() == [
        "unet: 6/6 steps",
        "== 1 of 4 jobs done (25 %) after 0:00 min, about 0:00 min left",
        "== 4 of 4 jobs done (100 %) after 0:00 min",
    ]


def test_results_of_another_dataset_of_the_same_name_are_not_written_over(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    results = tmp_path / "results"
    for place in ("a", "b"):
        (tmp_path / place / "mine").mkdir(parents=True)
    of_a, of_b = (str(tmp_path / place / "mine") for place in ("a", "b"))
    parameters = f'results = "{results}"\ndata = "phantom"\nprofile = "smoke"'
    notebook(tmp_path / "1.ipynb", parameters, kernelspec={"name": "python3", "display_name": "Python 3"})
    written = Report("00_data_tour", None, {"results": str(results), "data": of_a, "profile": "smoke"})
    written.finish()
    before = written.result.read_bytes()
    (results / "mine-smoke" / "1.json").write_text("{half-writ")
    said = f"mine-smoke: found results of {of_a}; expected of {of_b}: name another results folder"
    with pytest.raises(BadInput, match=said):
        check_settings(str(results), of_b, "smoke", 1)
    with pytest.raises(BadInput, match=said):
        Report("00_data_tour", None, {"results": str(results), "data": of_b, "profile": "smoke"})
    with pytest.raises(BadInput, match=said):
        run_notebook(tmp_path / "1.ipynb", {"data": of_b})
    assert written.result.read_bytes() == before
    check_settings(str(results), f"{tmp_path}/b/../a/mine", "smoke", 1)
    (tmp_path / "a" / "mine").rename(tmp_path / "c")  # moved: nobody can mean it any more
    check_settings(str(results), of_b, "smoke", 1)
