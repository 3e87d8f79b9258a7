"""The committed reference results: computed again from the committed counts they are the same, digit for digit."""

import io
import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pandas as pd
import pytest

from sadanet_lab.errors import BadInput
from sadanet_lab.metrics import claims, statistics
from sadanet_lab.paths import ROOT
from sadanet_lab.reporting import reference
from sadanet_lab.reporting.article import article_file, pictures_in
from sadanet_lab.reporting.parameters import list_notebooks, parameters_of
from sadanet_lab.reporting.reference import freeze, judged_runs, keep_runs
from sadanet_lab.reporting.report import latex
from sadanet_lab.studies import audit, audit_networks, choices, convergence, hidden_bones, knockouts, run_scores, table3
from sadanet_lab.studies.complexity import attention_costs, complexity_table, paper_count
from sadanet_lab.studies.published import published_scores
from sadanet_lab.training.datasets import open_data
from sadanet_lab.training.profiles import gives_verdicts
from sadanet_lab.training.run_files import complete
from sadanet_lab.training.run_store import get_or_train
from sadanet_lab.training.runs import open_run, record_files, verify_run
from sadanet_lab.views import attention_effects as effects
from sadanet_lab.views import convergence as convergence_views
from sadanet_lab.views import tables
from sadanet_lab.views.angle_figures import agreement_markdown, curve_agreement_markdown
from sadanet_lab.views.folding import fold

HEIGHTS = parameters_of(ROOT / "notebooks" / "03_table3_complexity.ipynb")["heights"]
KEPT = sorted(path for path in (ROOT / "results" / "reference").iterdir() if path.is_dir())
REFERENCES = [path for path in KEPT if all((path / f"{each.stem}.json").is_file() for each in list_notebooks())]
"""Those of every notebook; others are still in training."""


def content(folder, notebook):
    return json.loads((folder / f"{notebook}.json").read_text())


def runs_of(folder, notebook):
    return [open_run(folder / "runs" / name) for name in content(folder, notebook)["findings"]["runs"]]


def judged_of(folder, notebook):
    """The runs that the notebook's verdicts are of."""
    runs, _, _ = judged_runs(notebook, content(folder, notebook)["parameters"]["profile"], runs_of(folder, notebook))
    assert [run.folder.name for run in runs] == content(folder, notebook)["findings"]["judged_by"]
    return runs


def assert_same_text(folder, name, markdown):
    """The Markdown (folded) and LaTeX that people read, but for caption, conclusion and footnote."""
    assert f"\n\n{fold(markdown)}\n" in (folder / f"{name}.md").read_text()
    assert latex(markdown, "").split("\n", 1)[1] == (folder / f"{name}.tex").read_text().split("\n", 1)[1]


def assert_same_csv(folder, name, table):
    if table.columns.empty:  # there is nothing to judge by
        assert not (folder / f"{name}.csv").read_text().strip()
        return
    again = pd.read_csv(io.StringIO(table.to_csv(index=False, float_format="%.6g")))
    pd.testing.assert_frame_equal(again, pd.read_csv(folder / f"{name}.csv"), check_exact=True)


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.name)
def test_every_kept_run_is_whole_and_measured_as_runs_are_now(path):
    runs = sorted((path / "runs").iterdir())
    assert runs
    assert [problem for run in runs for problem in verify_run(run)[0]] == []
    assert [run.name for run in runs if not open_run(run).evaluation_is_current] == []


@pytest.fixture(scope="module", params=REFERENCES, ids=lambda path: path.name)
def folder(request):
    return request.param


TABLES = [
    ("01_table1_comparison", "table1", "I", run_scores.method_label),
    ("02_table2_ablation", "table2", "II", run_scores.method_label),
    ("04_table4_lambda_sweep", "table4", "IV", run_scores.lambda_label),
]


@pytest.mark.parametrize(("notebook", "name", "printed", "label"), TABLES, ids=[each[1] for each in TABLES])
class TestRecomputed:
    def test_the_table(self, folder, notebook, name, printed, label):
        table = run_scores.compare_with_paper(runs_of(folder, notebook), printed, label=label)
        assert_same_csv(folder, name, table)
        first = "Lambda" if name == "table4" else "Method"
        assert_same_text(folder, name, tables.paper_comparison_markdown(table, first=first))

    def test_its_claims_with_intervals_and_corrected_p(self, folder, notebook, name, printed, label):
        judged = judged_of(folder, notebook)
        small = knockouts.small_effects(knockouts.dice_lost(judged)) if printed == "II" else None
        counts = run_scores.counts_by_label(judged, label)
        compared, verdicts = claims.check(printed, counts, published_scores(printed), small=small)
        assert_same_csv(folder, f"{name}_claims", compared)
        assert_same_text(folder, f"{name}_claims", tables.claims_markdown(verdicts, compared))
        assert content(folder, notebook)["findings"]["claims"] == verdicts.set_index("said").verdict.to_dict()


@pytest.mark.parametrize(("notebook", "name", "printed", "label"), TABLES, ids=[each[1] for each in TABLES])
def test_differences(folder, notebook, name, printed, label):
    judged = judged_of(folder, notebook)
    found = statistics.differences_to(claims.REFERENCES[printed], run_scores.counts_by_label(judged, label))
    if printed == "II":
        found = claims.remark_idle(found, knockouts.small_effects(knockouts.dice_lost(judged)))
    assert_same_csv(folder, f"{name}_differences", found)
    assert_same_text(folder, f"{name}_differences", tables.differences_markdown(found))


@pytest.mark.parametrize(("notebook", "name"), [each[:2] for each in TABLES[:2]])
def test_what_is_lost_without_each_attention_module(folder, notebook, name):
    lost = knockouts.dice_lost(runs_of(folder, notebook))
    assert_same_csv(folder, f"{name}_knockouts", lost)
    assert_same_text(folder, f"{name}_knockouts", effects.knockouts_markdown(knockouts.summarise(lost)))


def test_scores_in_the_strip_and_what_is_invented_in_the_frame(folder):
    frame = run_scores.frame_scores(runs_of(folder, "01_table1_comparison"))
    assert_same_csv(folder, "table1_frame", frame)
    assert_same_text(folder, "table1_frame", tables.frame_markdown(frame))


def test_convergence(folder):
    runs = judged_of(folder, "12_convergence")
    dice = convergence.dice_by_length(convergence.own_runs(runs))
    assert_same_csv(folder, "convergence", dice)
    assert_same_text(folder, "convergence", convergence_views.doubling_markdown(convergence.last_doubling(dice)))
    compared = choices.compare_choices(runs)
    assert_same_csv(folder, "choices", compared)
    assert_same_text(folder, "choices", convergence_views.choices_markdown(compared))


def test_hidden_bones(folder):
    runs = judged_of(folder, "13_hidden_bones")
    rows = hidden_bones.hidden_rows(runs)
    response = hidden_bones.modules_response(rows, hidden_bones.false_pixels(runs))
    assert_same_csv(folder, "hidden_bones", hidden_bones.recall_by_kind(rows))
    assert_same_text(folder, "hidden_bones", effects.response_markdown(response))


def test_outlines_confusion_and_calibration(folder):
    runs = runs_of(folder, "01_table1_comparison")
    outlines = run_scores.outlines(runs)
    assert_same_csv(folder, "table1_outlines", outlines)
    assert_same_text(folder, "table1_outlines", tables.outlines_markdown(outlines))
    shares = run_scores.confusion_of_runs(run for run in runs if run.recipe.method == "sadanet")
    assert_same_csv(folder, "table1_confusion", shares.reset_index())
    assert_same_text(folder, "table1_confusion", tables.confusion_markdown(shares))
    wide = run_scores.calibration_errors(run_scores.reliability_of_runs(runs)[1])
    assert_same_csv(folder, "table1_calibration", wide.reset_index())
    assert_same_text(folder, "table1_calibration", tables.calibration_markdown(wide))


def test_scores_of_both_forms_of_eq_3(folder):
    scores = run_scores.scores_of_runs(runs_of(folder, "08_paper_audit"), label=run_scores.normalisation_label)
    scores = scores.query("metric == 'dice'")
    assert_same_csv(folder, "eq3_scores", scores)
    assert_same_text(folder, "eq3_scores", tables.wide_markdown(scores, first="Normalisation"))


def test_angles_are_those_stored_with_the_runs(folder):
    shown = pd.read_csv(folder / "angles.csv")
    for run in runs_of(folder, "07_scoliosis_angles"):
        stored = run.table("angles").set_index("stem")
        of_run = shown[(shown.source == run_scores.method_label(run)) & (shown.seed == run.recipe.seed)]
        of_run = of_run.set_index("stem")
        pd.testing.assert_series_equal(of_run.measured, stored.measured.loc[of_run.index])
        assert len(of_run) == len(stored)
    assert_same_text(folder, "angles", agreement_markdown(shown))


def test_agreement_curve_for_curve(folder):
    if not (folder / "curves.csv").exists():
        pytest.skip("made before curves were compared")
    assert_same_text(folder, "curves", curve_agreement_markdown(pd.read_csv(folder / "curves.csv")))


@pytest.mark.slow
def test_what_needs_no_data_table_iii_the_costs_of_attention_and_the_audit(folder):
    costs = complexity_table(count=paper_count)
    rows, traced, attention = table3.compare_rows(costs), table3.trace_numbers(costs), attention_costs(HEIGHTS)
    for name, table, markdown in (
        ("table3", rows, tables.table3_markdown(rows)),
        ("table3_traced", traced, tables.trace_markdown(traced)),
        ("attention_costs", attention, tables.attention_costs_markdown(attention)),
    ):
        assert_same_csv(folder, name, table)
        assert_same_text(folder, name, markdown)
    scores = run_scores.scores_of_runs(runs_of(folder, "08_paper_audit"), label=run_scores.normalisation_label)
    of_networks = [audit_networks.operations(costs), audit_networks.widths(), audit_networks.equations()]
    findings = [*audit.of_tables(), *of_networks, audit.lambdas(scores)]
    assert_same_text(folder, "paper_audit", "\n".join(map(tables.finding_markdown, findings)))
    printed = pd.read_csv(folder / "paper_audit.csv").set_index("question").verdict
    assert {f.question: f.verdict for f in findings}.items() <= printed.to_dict().items()


def test_the_reference_on_a_cpu_is_there():
    assert "quick-cpu" in {folder.name for folder in REFERENCES}


def test_it_has_the_seeds_that_it_needs_and_says_where_and_how_it_was_made(folder):
    """Five of Tables I and II and three of IV where methods are judged by them; one shows what a profile does."""
    needed = {"01_table1_comparison": 5, "02_table2_ablation": 5, "04_table4_lambda_sweep": 3}
    for notebook, seeds in needed.items():
        runs = runs_of(folder, notebook)
        judged = gives_verdicts(content(folder, notebook)["parameters"]["profile"])
        assert {run.recipe.seed for run in runs} >= set(range(seeds if judged else 1))
        for run in runs:
            assert re.fullmatch(r"[0-9a-f]{7,40}", run.environment["commit"])  # one that can be checked out
            assert run.environment["training_seconds"] > 0
        assert content(folder, notebook)["environment"]["packages"]["torch"]


def test_committed_runs_are_judged_by_and_named_where_a_profile_gives_no_verdicts_and_only_there(monkeypatch):
    kept = [SimpleNamespace(recipe=SimpleNamespace(profile="standard", seed=seed)) for seed in (0, 0, 3)]
    monkeypatch.setattr(reference, "reference_runs", lambda *_: kept)
    of_quick = judged_runs("01_table1_comparison", "quick", ["a run"])
    assert (of_quick.runs, of_quick.whose) == (kept, "profile `standard`, 2 seeds")
    assert "No verdict" in of_quick.about
    assert "(profile `standard`, 2 seeds)" in of_quick.about
    assert judged_runs("01_table1_comparison", "standard", ["a run"]) == (["a run"], None, "")
    kept.clear()
    assert judged_runs("01_table1_comparison", "quick", ["a run"])[::2] == ([], "")


# --- making one ---


@pytest.mark.notebook
def test_what_is_frozen_opens_and_gives_the_same_table(reproduced, frozen):
    results, _ = reproduced
    assert len(list((frozen / "runs").iterdir())) == len(list((results / "runs").glob("*/complete.json")))
    table = run_scores.compare_with_paper(runs_of(frozen, "01_table1_comparison"), "I")
    assert_same_csv(frozen, "table1", table)
    assert not list(frozen.rglob("*.safetensors"))
    with pytest.raises(BadInput, match="already exists"):
        freeze(results / "phantom-smoke", results / "runs", frozen)


@pytest.mark.notebook
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


@pytest.mark.notebook
def test_runs_on_other_data_are_not_kept(frozen, tmp_path):
    run = open_run(next((frozen / "runs").iterdir()))
    recipe = run.recipe.model_copy(update={"data": "0123456789abcdef"})
    folder = tmp_path / "runs" / recipe.name
    shutil.copytree(run.folder, folder)
    (folder / "recipe.json").write_text(recipe.model_dump_json())
    complete(folder, recipe.digest, record_files())
    assert keep_runs("smoke", tmp_path, tmp_path / "kept") == ([], [])
    assert not (tmp_path / "kept").exists()


@pytest.mark.notebook
def test_every_executed_notebook_is_kept_with_all_its_figures_and_tables_and_no_path_of_this_machine(frozen):
    for path in list_notebooks():
        told = content(frozen, path.stem)
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


@pytest.mark.notebook
def test_results_that_are_not_of_phantoms_are_refused_and_nothing_is_written(reproduced, tmp_path):
    results, _ = reproduced
    folder = tmp_path / "clinic-smoke"
    folder.mkdir()
    told = content(results / "phantom-smoke", "01_table1_comparison")
    told["parameters"]["data"] = "data/clinic"
    (folder / "01_table1_comparison.json").write_text(json.dumps(told))
    with pytest.raises(BadInput, match="expected phantoms, not patients' images"):
        freeze(folder, results / "runs", tmp_path / "kept")
    with pytest.raises(BadInput, match="no notebook's results"):
        freeze(tmp_path, results / "runs", tmp_path / "kept")
    assert not (tmp_path / "kept").exists()
