"""The committed reference results: computed again from the committed counts they are the same, digit for digit."""

import io
import json
import re
from types import SimpleNamespace

import pandas as pd
import pytest

from sadanet_lab.metrics import claims, statistics
from sadanet_lab.paths import ROOT, STANDARD
from sadanet_lab.phantom import write_folder
from sadanet_lab.reporting import reference
from sadanet_lab.reporting.parameters import list_notebooks, parameters_of
from sadanet_lab.reporting.reference import judged_runs
from sadanet_lab.reporting.report import latex
from sadanet_lab.studies import (
    audit,
    audit_networks,
    choices,
    convergence,
    hidden_bones,
    hidden_shares,
    knockouts,
    run_scores,
    table3,
)
from sadanet_lab.studies.complexity import attention_costs, complexity_table, paper_count
from sadanet_lab.studies.published import published_scores
from sadanet_lab.training.profiles import gives_verdicts
from sadanet_lab.training.runs import open_run, verify_run
from sadanet_lab.views import attention_effects as effects
from sadanet_lab.views import convergence as convergence_views
from sadanet_lab.views import tables
from sadanet_lab.views.angle_figures import agreement_markdown, curve_agreement_markdown
from sadanet_lab.views.folding import fold

HEIGHTS = parameters_of(ROOT / "notebooks" / "03_table3_complexity.ipynb")["heights"]
KEPT = sorted(path for path in (ROOT / "results" / "reference").iterdir() if path.is_dir())
TABLES = [
    ("01_table1_comparison", "table1", "I", run_scores.method_label),
    ("02_table2_ablation", "table2", "II", run_scores.method_label),
    ("04_table4_lambda_sweep", "table4", "IV", run_scores.lambda_label),
]


def kept_of(notebook):
    """The references that hold the notebook's results: one made in hours has not got them all."""
    return [path for path in KEPT if (path / f"{notebook}.json").is_file()]


def of(notebook):
    return pytest.mark.parametrize("folder", kept_of(notebook), ids=lambda path: path.name)


def of_tables(rows):
    cases = [pytest.param(folder, *row, id=f"{folder.name}-{row[1]}") for row in rows for folder in kept_of(row[0])]
    return pytest.mark.parametrize(("folder", "notebook", "name", "printed", "label"), cases)


def content(folder, notebook):
    return json.loads((folder / f"{notebook}.json").read_text())


def runs_of(folder, notebook):
    return [open_run(folder / "runs" / name) for name in content(folder, notebook)["findings"]["runs"]]


def judged_of(folder, notebook):
    """The runs that the notebook's verdicts are of."""
    parameters = content(folder, notebook)["parameters"]
    runs, _, _ = judged_runs(notebook, parameters["profile"], runs_of(folder, notebook), parameters["data"])
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


@of_tables(TABLES)
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


@of_tables(TABLES)
def test_differences(folder, notebook, name, printed, label):
    judged = judged_of(folder, notebook)
    found = statistics.differences_to(claims.REFERENCES[printed], run_scores.counts_by_label(judged, label))
    if printed == "II":
        found = claims.remark_idle(found, knockouts.small_effects(knockouts.dice_lost(judged)))
    assert_same_csv(folder, f"{name}_differences", found)
    assert_same_text(folder, f"{name}_differences", tables.differences_markdown(found))


@of_tables(TABLES[:2])
def test_what_is_lost_without_each_attention_module(folder, notebook, name, printed, label):
    lost = knockouts.dice_lost(runs_of(folder, notebook))
    assert_same_csv(folder, f"{name}_knockouts", lost)
    assert_same_text(folder, f"{name}_knockouts", effects.knockouts_markdown(knockouts.summarise(lost)))


@of("01_table1_comparison")
def test_scores_in_the_strip_and_what_is_invented_in_the_frame(folder):
    frame = run_scores.frame_scores(runs_of(folder, "01_table1_comparison"))
    assert_same_csv(folder, "table1_frame", frame)
    assert_same_text(folder, "table1_frame", tables.frame_markdown(frame))


@of("12_convergence")
def test_convergence(folder):
    runs = judged_of(folder, "12_convergence")
    dice = convergence.dice_by_length(convergence.own_runs(runs))
    assert_same_csv(folder, "convergence", dice)
    assert_same_text(folder, "convergence", convergence_views.doubling_markdown(convergence.last_doubling(dice)))
    compared = choices.compare_choices(runs)
    assert_same_csv(folder, "choices", compared)
    assert_same_text(folder, "choices", convergence_views.choices_markdown(compared))


@of("13_hidden_bones")
def test_hidden_bones(folder):
    runs = judged_of(folder, "13_hidden_bones")
    rows = hidden_bones.hidden_rows(runs)
    response = hidden_bones.modules_response(rows, hidden_bones.false_pixels(runs))
    assert_same_csv(folder, "hidden_bones", hidden_bones.recall_by_kind(rows))
    assert_same_text(folder, "hidden_bones", effects.response_markdown(response))
    depends = hidden_shares.differences_by_share(runs)
    assert_same_csv(folder, "hidden_bones_differences", depends)
    assert_same_text(folder, "hidden_bones_differences", effects.share_markdown(depends))


@of("01_table1_comparison")
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


@of("08_paper_audit")
def test_scores_of_both_forms_of_eq_3(folder):
    scores = run_scores.scores_of_runs(runs_of(folder, "08_paper_audit"), label=run_scores.normalisation_label)
    scores = scores.query("metric == 'dice'")
    assert_same_csv(folder, "eq3_scores", scores)
    assert_same_text(folder, "eq3_scores", tables.wide_markdown(scores, first="Normalisation"))


@of("07_scoliosis_angles")
def test_angles_are_those_stored_with_the_runs(folder):
    shown = pd.read_csv(folder / "angles.csv")
    for run in runs_of(folder, "07_scoliosis_angles"):
        stored = run.table("angles").set_index("stem")
        of_run = shown[(shown.source == run_scores.method_label(run)) & (shown.seed == run.recipe.seed)]
        of_run = of_run.set_index("stem")
        pd.testing.assert_series_equal(of_run.measured, stored.measured.loc[of_run.index])
        assert len(of_run) == len(stored)
    assert_same_text(folder, "angles", agreement_markdown(shown))


@of("07_scoliosis_angles")
def test_agreement_curve_for_curve(folder):
    assert_same_text(folder, "curves", curve_agreement_markdown(pd.read_csv(folder / "curves.csv")))


@pytest.mark.slow
@of("08_paper_audit")
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


def test_both_references_are_there():
    """Quick's of every notebook; standard's of those whose runs are trained."""
    made = {path.name: {each.stem[:2] for each in list_notebooks() if path in kept_of(each.stem)} for path in KEPT}
    assert made["quick-cpu"] == {each.stem[:2] for each in list_notebooks()}
    assert made["standard-cpu"] >= {"01", "02", "04", "05", "07", "10", "12", "13"}


@of_tables(TABLES)
def test_it_has_the_seeds_that_it_needs_and_says_where_and_how_it_was_made(folder, notebook, name, printed, label):
    """Five of Tables I and II and three of IV where methods are judged by them; one shows what a profile does."""
    judged = gives_verdicts(content(folder, notebook)["parameters"]["profile"])
    runs, needed = runs_of(folder, notebook), {"I": 5, "II": 5, "IV": 3}[printed] if judged else 1
    assert {run.recipe.seed for run in runs} >= set(range(needed))
    for run in runs:
        assert re.fullmatch(r"[0-9a-f]{7,40}", run.environment["commit"])  # one that can be checked out
        assert run.environment["training_seconds"] > 0
    assert content(folder, notebook)["environment"]["packages"]["torch"]


def test_in_the_frame_of_standard_lie_two_percent_of_the_false_pixels_at_most():
    for notebook, methods in (("01_table1_comparison", 10), ("02_table2_ablation", 4)):
        frame = run_scores.frame_scores(runs_of(STANDARD, notebook))
        assert len(frame) == methods
        assert frame.false_in_frame_percent.max() <= 2


def test_committed_runs_are_judged_by_and_named_where_a_profile_gives_no_verdicts_and_only_there(monkeypatch):
    kept = [SimpleNamespace(recipe=SimpleNamespace(profile="standard", seed=seed)) for seed in (0, 0, 3)]
    monkeypatch.setattr(reference, "reference_runs", lambda *_: kept)
    of_quick = judged_runs("01_table1_comparison", "quick", ["a run"], "phantom")
    assert (of_quick.runs, of_quick.whose) == (kept, "phantoms, profile `standard`, 2 seeds")
    assert "No verdict" in of_quick.about
    assert "(phantoms, profile `standard`, 2 seeds)" in of_quick.about
    assert judged_runs("01_table1_comparison", "standard", ["a run"], "phantom") == (["a run"], None, "")
    kept.clear()
    assert judged_runs("01_table1_comparison", "quick", ["a run"], "phantom")[::2] == ([], "")


def test_images_that_are_no_phantoms_are_never_judged_by_committed_phantoms(tmp_path):
    for name in ("made", "own"):
        write_folder(tmp_path / name, 1, 1, 0, 64, 256)
    (tmp_path / "own" / "truth.csv").unlink()
    kept = judged_runs("01_table1_comparison", "quick", ["a run"], str(tmp_path / "made"))
    own = judged_runs("01_table1_comparison", "quick", ["a run"], str(tmp_path / "own"))
    assert kept.runs
    assert (own.runs, own.whose) == ([], "")
    assert "of phantoms, and say nothing of these images" in own.about
    assert judged_runs("01_table1_comparison", "standard", ["a run"], str(tmp_path / "own")).runs == ["a run"]
