"""What studies measure of a run at length is kept with it: made once, whole or not there, gone with its evaluation."""

import shutil

import numpy as np
import pandas as pd
import pytest

from sadanet_lab.images.folder_check import open_folder
from sadanet_lab.studies.angle_agreement import measure_run, measure_sources
from sadanet_lab.studies.curve_agreement import curves
from sadanet_lab.studies.robustness import bone_contrasts, robustness
from sadanet_lab.training import runs
from sadanet_lab.training.recipe import make_recipe
from sadanet_lab.training.run_store import get_or_train, kept_table, update_evaluation
from sadanet_lab.training.runs import Run, open_run, small_files, verify_run


@pytest.fixture(scope="module")
def data(phantoms):
    return open_folder(phantoms)


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    return get_or_train(make_recipe("unet", "smoke", data.fingerprint), data, tmp_path_factory.mktemp("results"))


@pytest.fixture
def run(trained, tmp_path):
    return open_run(shutil.copytree(trained.folder, tmp_path / "runs" / trained.folder.name))


class Maker:
    """Makes a table, and counts how often."""

    def __init__(self):
        self.times = 0

    def __call__(self):
        self.times += 1
        return pd.DataFrame({"stem": ["a", "b"], "value": [1 / 3, np.nan]})


def test_it_is_made_once_and_is_one_of_the_run_s_files(run):
    make, before = Maker(), run.files.sums
    first = kept_table(run, "study", make)
    pd.testing.assert_frame_equal(first, kept_table(run, "study", make))
    assert make.times == 1
    assert first.value.tolist() == pytest.approx([0.333333, np.nan], nan_ok=True)
    assert run.files.sums.keys() - before.keys() == {"study.csv"}
    assert before.items() < run.files.sums.items()
    assert "study.csv" in small_files(run)
    assert run.evaluation_is_current
    assert verify_run(run.folder) == ([], [])


def test_one_whose_sum_was_not_written_yet_is_made_again(run):
    (run.folder / "study.csv").write_text("stem,value\n")
    assert len(kept_table(run, "study", Maker())) == 2


def test_it_goes_with_the_evaluation(run, data, monkeypatch):
    make = Maker()
    kept_table(run, "study", make)
    monkeypatch.setattr(runs, "EVALUATION_VERSION", runs.EVALUATION_VERSION + 1)
    assert update_evaluation(run, data)
    kept_table(run, "study", make)
    assert make.times == 2


def test_a_damaged_one_is_found_and_made_again(run, data):
    kept_table(run, "study", Maker())
    path = run.folder / "study.csv"
    path.write_text(path.read_text().replace("0.3", "0.4"))
    assert [str(path) in problem for problem in verify_run(run.folder)[0]] == [True]
    run = get_or_train(run.recipe, data, run.folder.parents[1])
    assert kept_table(run, "study", Maker()).value[0] == 0.333333
    assert verify_run(run.folder) == ([], [])


def test_a_run_outside_of_a_results_folder_keeps_nothing(run, tmp_path):
    elsewhere = open_run(shutil.copytree(run.folder, tmp_path / "package"))
    kept_table(elsewhere, "study", Maker())
    assert not (elsewhere.folder / "study.csv").exists()


def test_robustness_single_bones_and_curves_need_neither_network_nor_predictions_again(run, data, monkeypatch):
    def studies():
        sources = measure_sources(data)
        both = [robustness({"UNet": [run]}, data.test), bone_contrasts({"UNet": [run]}, data.test)]
        return [*both, curves(sources, [run], data)]

    at_first = studies()
    fresh = measure_run(data, run)
    assert at_first[2].query("source == 'UNet'").measured.count() == sum(len(m.curves) for m in fresh.measured.values())
    monkeypatch.delattr(Run, "network")
    monkeypatch.delattr(Run, "prediction")
    for table, again in zip(at_first, studies(), strict=True):
        assert len(table)
        pd.testing.assert_frame_equal(table, again)


def test_other_images_are_another_study(run, data):
    assert set(bone_contrasts({"UNet": [run]}, data.test).stem) == {sample.stem for sample in data.test}
    assert set(bone_contrasts({"UNet": [run]}, data.test[:1]).stem) == {data.test[0].stem}
