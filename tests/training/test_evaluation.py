"""Evaluation apart from training: a stored run is evaluated again from its weights, and never trained for it."""

import json
import shutil

import pandas as pd
import pytest
from click.testing import CliRunner
from safetensors.torch import load_file, save_file

from sadanet_lab.cli import main
from sadanet_lab.errors import BadInput
from sadanet_lab.images.folder_check import open_folder
from sadanet_lab.metrics import measures, scores
from sadanet_lab.metrics.measures import Measure
from sadanet_lab.metrics.scores import Metric
from sadanet_lab.training import run_store, runs, trainer
from sadanet_lab.training.evaluation import evaluate
from sadanet_lab.training.recipe import make_recipe
from sadanet_lab.training.run_files import WEIGHTS, complete
from sadanet_lab.training.run_store import get_or_train, update_evaluation
from sadanet_lab.training.runs import open_run, verify_run


@pytest.fixture(scope="module")
def data(phantoms):
    return open_folder(phantoms)


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    recipe = make_recipe("unet", "smoke", data.fingerprint)
    return get_or_train(recipe, data, tmp_path_factory.mktemp("results"))


@pytest.fixture
def run(trained, tmp_path, monkeypatch):
    """A copy of a finished run, to be changed; training is out of the question."""
    monkeypatch.setattr(trainer, "train", lambda *_: pytest.fail("trained again"))
    return open_run(shutil.copytree(trained.folder, tmp_path / "runs" / trained.folder.name))


def results_of(run):
    return run.folder.parents[1]


def raised(monkeypatch):
    monkeypatch.setattr(runs, "EVALUATION_VERSION", runs.EVALUATION_VERSION + 1)


def dark_pixels(prediction):
    """A new measure, from the image itself."""
    return pd.DataFrame([{"stem": prediction.stem, "dark": int((prediction.image < 50).sum())}])


def test_a_current_run_is_left_alone(run, data):
    before = (run.folder / "counts.csv").stat().st_mtime_ns
    assert run.evaluation_is_current
    assert get_or_train(run.recipe, data, results_of(run)).folder == run.folder
    assert (run.folder / "counts.csv").stat().st_mtime_ns == before


def test_a_run_of_another_evaluation_version_is_evaluated_from_its_weights(run, data, monkeypatch):
    expected = run.table("counts")
    (run.folder / "counts.csv").write_text("stem,class,tp,fp,fn,tn\n")
    raised(monkeypatch)
    assert not run.evaluation_is_current
    again = get_or_train(run.recipe, data, results_of(run))
    assert again.evaluation_is_current
    pd.testing.assert_frame_equal(again.counts, expected)


def test_who_reads_a_run_while_it_is_evaluated_again_finds_the_one_before(run, data, monkeypatch):
    """It takes minutes: a kill in its midst leaves the run as it was, and what was begun is swept."""
    before = {path: path.read_bytes() for path in run.folder.rglob("*") if path.is_file()}
    raised(monkeypatch)
    half_done = run.folder / ".evaluation" / "predictions" / "half.png"
    half_done.parent.mkdir(parents=True)
    half_done.write_bytes(b"half")
    seen = []

    def look(*arguments):
        found = evaluate(*arguments)
        seen.append(verify_run(run.folder))
        seen.append({path: path.read_bytes() for path in before} == before)
        return found

    monkeypatch.setattr(run_store, "evaluate", look)
    assert update_evaluation(run, data)
    assert seen == [([], []), True]
    assert verify_run(run.folder) == ([], [])
    assert {path for path in run.folder.rglob("*") if path.is_file()} == before.keys()


@pytest.mark.parametrize("record", ["", "no json", "{}"])
def test_a_run_without_a_readable_record_is_evaluated_again(run, data, record):
    path = run.folder / "evaluation.json"
    path.write_text(record) if record else path.unlink()
    assert update_evaluation(run, data)
    assert run.evaluation_is_current


def test_a_measure_from_images_is_one_function_and_one_line(run, data, monkeypatch):
    monkeypatch.setitem(measures.MEASURES, "darkness", Measure(dark_pixels))
    again = get_or_train(run.recipe, data, results_of(run))
    expected = [int((sample.image() < 50).sum()) for sample in data.test]
    assert again.table("darkness").dark.tolist() == expected


def test_a_metric_from_counts_is_one_line_and_nothing_is_evaluated_for_it(run, monkeypatch):
    precision = Metric("Precision", lambda tp, fp, fn, tn: (tp, tp + fp))
    monkeypatch.setitem(scores.METRICS, "precision", precision)
    told = CliRunner().invoke(main, ["evaluate", str(run.folder), "--format", "json"])
    counts = run.counts.query("`class` == 'background'")
    expected = counts.tp.sum() / (counts.tp.sum() + counts.fp.sum())
    assert json.loads(told.stdout)["background"]["precision"] == pytest.approx(expected)
    assert run.evaluation_is_current


def test_other_data_is_refused_and_nothing_changed(run, copy_of_phantoms, monkeypatch):
    (copy_of_phantoms / "train.txt").write_text((copy_of_phantoms / "test.txt").read_text().splitlines()[0])
    (copy_of_phantoms / "test.txt").write_text((copy_of_phantoms / "test.txt").read_text().splitlines()[1])
    for kind in ("dataset", "groundtruth"):
        for path in (copy_of_phantoms / kind / "test").iterdir():
            shutil.copy(path, copy_of_phantoms / kind / "train")
    raised(monkeypatch)
    with pytest.raises(BadInput, match="expected the run's data"):
        update_evaluation(run, open_folder(copy_of_phantoms))
    assert not run.evaluation_is_current


def test_the_command_updates_one_run_or_all(run, phantoms, monkeypatch):
    raised(monkeypatch)
    given = ["--data", str(phantoms), "--results", str(results_of(run))]
    told = CliRunner().invoke(main, ["evaluate", "--all", *given])
    assert told.exit_code == 0, told.output
    assert told.stdout == f"{run.folder}: evaluated again\n"
    assert CliRunner().invoke(main, ["evaluate", "--all", *given]).stdout == f"{run.folder}: up to date\n"
    (run.folder / "evaluation.json").unlink()
    told = CliRunner().invoke(main, ["evaluate", run.folder.name, "--update", *given])
    assert told.stdout.startswith("pooled scores in percent")
    assert run.evaluation_is_current


def test_all_names_the_runs_of_other_data(run, phantoms, copy_of_phantoms, monkeypatch):
    raised(monkeypatch)
    stems = (copy_of_phantoms / "train.txt").read_text().split()
    (copy_of_phantoms / "train.txt").write_text("\n".join(stems[:-1]))
    told = CliRunner().invoke(
        main, ["evaluate", "--all", "--data", str(copy_of_phantoms), "--results", str(results_of(run))]
    )
    assert told.exit_code == 0
    assert told.stdout == ""
    warning, left = told.stderr.splitlines()
    assert "images that no list names" in warning  # the one taken out above
    assert left.startswith(f"left as it is: {run.folder}: trained on other data")


def test_all_goes_on_after_a_run_that_does_not_open(run, phantoms):
    stranger = results_of(run) / "runs" / "a-stranger"
    stranger.mkdir()
    for name in ("recipe.json", "complete.json"):
        (stranger / name).write_text("{}")
    told = CliRunner().invoke(main, ["evaluate", "--all", "--results", str(results_of(run))])
    assert told.exit_code == 0
    assert told.stderr.startswith(f"left as it is: {stranger}")
    assert told.stdout == f"{run.folder}: up to date\n"


def test_weights_that_do_not_fit_are_named(run):
    weights = load_file(run.folder / "model.safetensors")
    weights.pop(next(name for name in weights if name.endswith(".weight")))
    save_file(weights, run.folder / WEIGHTS)
    complete(run.folder, run.recipe.digest, ["recipe.json", WEIGHTS])
    with pytest.raises(BadInput, match=r"model\.safetensors: not the weights of this version's unet"):
        run.network()


@pytest.mark.parametrize("arguments", [[], ["some-run", "--all"]])
def test_a_run_or_all_is_asked_for(arguments):
    told = CliRunner().invoke(main, ["evaluate", *arguments])
    assert told.exit_code == 2
    assert "expected either a RUN or --all" in told.stderr
