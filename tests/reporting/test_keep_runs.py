"""Runs kept for the record as they get ready: whole, as they are now, and those that cannot be are named."""

import json
import shutil
from types import SimpleNamespace

import nbformat
import pytest
from click.testing import CliRunner

from sadanet_lab.cli import main
from sadanet_lab.errors import BadInput
from sadanet_lab.paths import ROOT
from sadanet_lab.reporting import reference
from sadanet_lab.reporting.reference import freeze, keep_runs
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


@pytest.mark.parametrize("linked", [False, True])
def test_runs_are_not_kept_over_themselves(linked, store):
    """What is kept has no weights: it would take those of the runs."""
    results, out = store
    (results / "runs" / "unet" / "model.safetensors").write_bytes(b"weights")
    if linked:
        out.mkdir()
        (out / "runs").symlink_to(results / "runs")
    before = contents(results / "runs")
    with pytest.raises(BadInput, match="expected another folder"):
        keep_runs("quick", results, out if linked else results)
    with pytest.raises(BadInput, match="expected another folder"):
        freeze(results / "phantom-quick", results / "runs", out if linked else results)
    assert contents(results / "runs") == before


def test_a_run_that_is_a_link_where_it_is_to_be_kept_is_named_and_what_it_leads_to_stays(store):
    results, out = store
    (out / "runs").mkdir(parents=True)
    (out / "runs" / "unet").symlink_to(results / "runs" / "unet")
    (results / "runs" / "unet" / "model.safetensors").write_bytes(b"weights")
    complete(results / "runs" / "unet", open_run(results / "runs" / "unet").recipe.digest,
             [*record_files(), "model.safetensors"])  # fmt: skip
    kept = keep_runs("quick", results, out)
    assert kept.names == ["fpn"]
    assert "is a link" in kept.left_out[0]
    assert (results / "runs" / "unet" / "model.safetensors").is_file()


def told_in_one_line(*arguments):
    ended = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert ended.exit_code == 2, ended.output
    (line,) = ended.stderr.strip().splitlines()
    return line


def test_a_file_to_keep_runs_in_and_a_folder_of_runs_in_place_of_the_results_are_refused(store):
    results, out = store
    out.write_text("")
    assert f"{out}: cannot be written to" in told_in_one_line("keep", "quick", out, "--results", results)
    for command in (["runs"], ["verify"], ["keep", "quick", results / "new"]):
        assert "is a folder of runs" in told_in_one_line(*command, "--results", results / "runs")


@pytest.fixture
def results_of_one(store):
    """Results of one notebook with a table and a figure, of both runs of the store."""
    results, out = store
    folder, executed = results / "phantom-quick", results / "executed" / "phantom-quick"
    folder.mkdir()
    executed.mkdir(parents=True)
    for name in ("a.csv", "b.png"):
        (folder / name).write_text(name)
    told = {"parameters": {"data": "phantom", "results": "results"}, "files": ["a.csv", "b.png"],
            "findings": {"runs": ["fpn", "unet"]}}  # fmt: skip
    (folder / "01_t.json").write_text(json.dumps(told))
    nbformat.write(nbformat.v4.new_notebook(), executed / "01_t.ipynb")
    return folder, results / "runs", out


def test_a_figure_that_is_gone_is_named_before_anything_is_frozen(results_of_one):
    folder, runs, out = results_of_one
    (folder / "b.png").unlink()
    with pytest.raises(BadInput, match=r"b\.png: cannot be read"):
        freeze(folder, runs, out)
    assert not out.exists()


def test_what_was_cut_short_is_frozen_by_the_same_call(results_of_one, monkeypatch):
    folder, runs, out = results_of_one
    write = reference._write

    def cut(path, content):
        if path.name == "b.png":
            raise KeyboardInterrupt
        write(path, content)

    monkeypatch.setattr(reference, "_write", cut)
    with pytest.raises(KeyboardInterrupt):
        freeze(folder, runs, out)
    monkeypatch.setattr(reference, "_write", write)
    assert freeze(folder, runs, out) == ["fpn", "unet"]
    assert sorted(path.name for path in out.rglob("*") if path.parent in (out, out / "runs")) == [
        "01_t.json", "a.csv", "articles", "b.png", "fpn", "runs", "unet"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "content", ["{}", "[1]", '{"parameters": {', '{"parameters": [], "files": [], "findings": {}}']
)
def test_what_is_no_notebooks_result_is_named(content, results_of_one):
    folder, runs, out = results_of_one
    (folder / "01_angles.json").write_text(content)
    with pytest.raises(BadInput, match=r"01_angles\.json: no notebook's result"):
        freeze(folder, runs, out)
    assert not out.exists()
