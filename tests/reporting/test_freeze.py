"""Results and runs kept for the record: `sadanet freeze` and `sadanet keep` on the whole graph's smoke results."""

import io
import json
import shutil
from pathlib import Path

import nbformat
import pandas as pd
import pytest

from sadanet_lab.errors import BadInput
from sadanet_lab.paths import ROOT
from sadanet_lab.reporting.article import article_file, pictures_in
from sadanet_lab.reporting.parameters import list_notebooks
from sadanet_lab.reporting.reference import freeze, keep_runs
from sadanet_lab.studies import run_scores
from sadanet_lab.training.datasets import open_data
from sadanet_lab.training.run_files import complete
from sadanet_lab.training.run_store import get_or_train
from sadanet_lab.training.runs import open_run, record_files

pytestmark = pytest.mark.notebook


def test_what_is_frozen_opens_and_gives_the_same_table(reproduced, frozen):
    results, _ = reproduced
    assert len(list((frozen / "runs").iterdir())) == len(list((results / "runs").glob("*/complete.json")))
    told = json.loads((frozen / "01_table1_comparison.json").read_text())
    runs = [open_run(frozen / "runs" / name) for name in told["findings"]["runs"]]
    table = run_scores.compare_with_paper(runs, "I")
    again = pd.read_csv(io.StringIO(table.to_csv(index=False, float_format="%.6g")))
    pd.testing.assert_frame_equal(again, pd.read_csv(frozen / "table1.csv"), check_exact=True)
    assert not list(frozen.rglob("*.safetensors"))
    with pytest.raises(BadInput, match="already exists"):
        freeze(results / "phantom-smoke", results / "runs", frozen)


def test_runs_kept_as_they_get_ready_are_those_frozen_and_are_not_trained_where_they_are_copied_to(
    reproduced, frozen, tmp_path
):
    results, _ = reproduced
    names, left_out = keep_runs("smoke", results, tmp_path)
    assert left_out == []
    assert names == sorted(path.name for path in (frozen / "runs").iterdir())
    assert keep_runs("smoke", results, tmp_path) == ([], [])
    freeze(results.with_name("as_reproduced") / "phantom-smoke", results / "runs", tmp_path)
    files = [path for path in frozen.rglob("*") if path.is_file()]
    for path in files:
        assert path.read_bytes() == (tmp_path / path.relative_to(frozen)).read_bytes(), path
    assert len(files) == sum(path.is_file() for path in tmp_path.rglob("*"))
    run = open_run(tmp_path / "runs" / names[0])
    again = get_or_train(run.recipe, open_data("phantom", "smoke"), tmp_path)
    pd.testing.assert_frame_equal(again.counts, run.counts)
    with pytest.raises(BadInput, match="kept for the record has no weights"):
        again.network()


def test_runs_on_other_data_are_not_kept(frozen, tmp_path):
    run = open_run(next((frozen / "runs").iterdir()))
    recipe = run.recipe.model_copy(update={"data": "0123456789abcdef"})
    folder = tmp_path / "runs" / recipe.name
    shutil.copytree(run.folder, folder)
    (folder / "recipe.json").write_text(recipe.model_dump_json())
    complete(folder, recipe.digest, record_files())
    assert keep_runs("smoke", tmp_path, tmp_path / "kept") == ([], [])
    assert not (tmp_path / "kept").exists()


def test_every_executed_notebook_is_kept_with_all_its_figures_and_tables_and_no_path_of_this_machine(frozen):
    for path in list_notebooks():
        told = json.loads((frozen / f"{path.stem}.json").read_text())
        text = article_file(frozen / f"{path.stem}.json").read_text()
        kept = nbformat.reads(text, as_version=4)
        assert pictures_in(kept) == []
        outputs = [output for cell in kept.cells for output in cell.get("outputs", [])]
        named = [output.get("metadata", {}).get("sadanet", {}) for output in outputs]
        figures = sorted(f"{name['figure']}.png" for name in named if "figure" in name)
        assert figures == sorted(name for name in told["files"] if name.endswith(".png"))
        tables = {f"{name['table']}.csv" for name in named if "table" in name}
        assert tables <= set(told["files"])
        assert tables or not [name for name in told["files"] if name.endswith(".csv")]
        for place in (str(frozen.parents[1]), str(ROOT), str(Path.home())):
            assert place not in text + json.dumps(told)


def test_results_that_are_not_of_phantoms_are_refused_and_nothing_is_written(reproduced, tmp_path):
    results, _ = reproduced
    folder = tmp_path / "clinic-smoke"
    folder.mkdir()
    told = json.loads((results / "phantom-smoke" / "01_table1_comparison.json").read_text())
    told["parameters"]["data"] = "data/clinic"
    (folder / "01_table1_comparison.json").write_text(json.dumps(told))
    with pytest.raises(BadInput, match="expected phantoms, not patients' images"):
        freeze(folder, results / "runs", tmp_path / "kept")
    with pytest.raises(BadInput, match="no notebook's results"):
        freeze(tmp_path, results / "runs", tmp_path / "kept")
    assert not (tmp_path / "kept").exists()
