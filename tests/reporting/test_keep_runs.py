"""Runs kept for the record as they get ready: whole, as they are now, and those that cannot be are named."""

import json
import shutil
from types import SimpleNamespace

import pytest

from sadanet_lab.paths import ROOT
from sadanet_lab.reporting import reference
from sadanet_lab.reporting.reference import keep_runs
from sadanet_lab.training.run_files import RunFiles, add, complete
from sadanet_lab.training.runs import list_runs, open_run, record_files


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A results folder with two complete runs, and the folder that they are kept in."""
    for name in ("unet", "fpn"):
        (run,) = (ROOT / "results" / "reference" / "quick-cpu" / "runs").glob(f"{name}-*")
        shutil.copytree(run, tmp_path / "runs" / name)
    data = SimpleNamespace(fingerprint=open_run(tmp_path / "runs" / "unet").recipe.data)
    monkeypatch.setattr(reference, "open_data", lambda *_: data)
    return tmp_path, tmp_path / "kept"


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_run_is_kept_anew_when_it_has_changed_and_nothing_of_before_stays(store):
    results, out = store
    run = RunFiles(results / "runs" / "unet")
    add(run, "single-1.csv", "a,b\n1,2\n")
    assert keep_runs("quick", results, out) == (["fpn", "unet"], [])
    complete(run.folder, run.record["recipe"], record_files())
    assert keep_runs("quick", results, out) == (["unet"], [])
    assert not (out / "runs" / "unet" / "single-1.csv").exists()
    assert sorted(path.name for path in (out / "runs").iterdir()) == ["fpn", "unet"]


def test_a_draft_that_a_kill_left_is_no_run(store):
    results, _ = store
    shutil.copytree(results / "runs" / "unet", results / "runs" / ".unet")
    assert [folder.name for folder in list_runs(results)] == ["fpn", "unet"]


def evaluated_before(folder):
    record = json.loads((folder / "evaluation.json").read_text())
    (folder / "evaluation.json").write_text(json.dumps(record | {"version": record["version"] - 1}))
    complete(folder, RunFiles(folder).record["recipe"], record_files())


def of_no_method(folder):
    (folder / "recipe.json").write_text((folder / "recipe.json").read_text().replace('"unet"', '"no-net"'))


def grown_and_damaged(folder):
    add(RunFiles(folder), "single-1.csv", "a,b\n1,2\n")
    (folder / "history.csv").write_text("damaged")


@pytest.mark.parametrize("change", [evaluated_before, of_no_method, grown_and_damaged])
def test_a_run_that_cannot_stand_beside_the_others_is_named_and_what_was_kept_of_it_stays(change, store):
    results, out = store
    keep_runs("quick", results, out)
    before = contents(out)
    change(results / "runs" / "unet")
    shutil.rmtree(out / "runs" / "fpn")
    names, left_out = keep_runs("quick", results, out)
    assert names == ["fpn"]
    assert len(left_out) == 1
    assert str(results / "runs" / "unet") in left_out[0]
    assert contents(out) == before
