"""Tables beside the paper's, and overlays."""

import re

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection, PathCollection
from printed import check_print

from sadanet_lab.errors import BadInput
from sadanet_lab.images.folder_check import open_folder
from sadanet_lab.methods import registry
from sadanet_lab.metrics import claims, scores, statistics
from sadanet_lab.reporting.report import latex
from sadanet_lab.studies import run_scores
from sadanet_lab.studies.published import published_scores
from sadanet_lab.training.run_store import get_or_train_each
from sadanet_lab.views import comparisons, figures, tables
from sadanet_lab.views.overlays import overlay


def cell(table, **where):
    rows = table
    for column, value in where.items():
        rows = rows[rows[column] == value]
    assert len(rows) == 1
    return rows.iloc[0]


def test_the_published_averages_are_put_on_one_basis_each():
    """Bones: SADANet (78.82 + 77.64 + 86.96) / 3 = 81.14, the audit's figure; UNet's printed 78.09 is already one."""
    published = published_scores("I")
    for method, dice in (("SADANet", 81.14), ("UNet", 78.09), ("RSNU", 80.56), ("SEAM", 79.52)):
        row = cell(published, method=method, region="average_3_bones", metric="dice")
        assert row["mean"] == pytest.approx(dice, abs=0.005)
    four = published[published.region == "average_4_classes"].method.unique().tolist()
    assert four == ["FPN", "PSANet", "CCNet", "DANet", "SADANet"]


def test_a_table_is_mean_and_sd_of_the_stored_counts(runs):
    table = run_scores.compare_with_paper(runs, "I")
    dice = [100 * scores.scores_of(run.counts).loc["rib", "dice"] for run in runs if run.recipe.method == "sadanet"]
    row = cell(table, source="here", method="SADANet", region="rib", metric="dice")
    assert row["mean"] == pytest.approx(np.mean(dice), nan_ok=True)
    assert row.sd == pytest.approx(np.std(dice, ddof=1), nan_ok=True)
    assert set(table.method) == {"UNet", "SADANet"}


def test_a_single_seed_has_no_spread(runs):
    assert run_scores.compare_with_paper(runs[:1], "I").query("source == 'here'").sd.isna().all()


def test_the_paper_s_best_is_bold_as_printed_and_none_of_ours():
    rows = [("paper", "A", 70.0), ("paper", "B", 80.0), ("here", "A", 91.0), ("here", "B", 90.0)]
    long = pd.DataFrame(rows, columns=["source", "method", "mean"]).assign(region="rib", metric="dice", sd=np.nan)
    text = tables.paper_comparison_markdown(long)
    assert re.findall(r"\*\*([\d.]+)\*\*", text) == ["80.00"]
    assert "91.00" in text
    assert "n/a" in text


def test_every_number_has_its_decimals_however_round():
    """Where all cells of a column are plain numbers, tabulate would read them and write 80.5 and 81."""
    rows = [("here", "A", "rib", 80.5), ("here", "A", "lump", 81.0)]
    long = pd.DataFrame(rows, columns=["source", "method", "region", "mean"]).assign(metric="dice", sd=np.nan)
    cells = tables.paper_comparison_markdown(long).splitlines()[-1].split("|")
    assert {"80.50", "81.00"} <= {text.strip() for text in cells}


def test_figures_are_drawn_for_any_number_of_seeds(runs):
    for some in (runs, runs[:1]):
        check_print(figures.score_dots(run_scores.compare_with_paper(some, "I"), run_scores.scores_of_runs(some), 2))
        check_print(figures.training_curves(run_scores.smooth_losses(some)))


def test_every_seed_every_mean_and_the_paper_s_value_are_drawn_where_they_are(runs):
    long, scores_ = run_scores.compare_with_paper(runs, "I"), run_scores.scores_of_runs(runs)
    axis = figures.score_dots(long, scores_, 2).axes[0]
    row = cell(long, source="paper", method="SADANet", region="rib", metric="dice")
    place = [label.get_text() for label in axis.get_yticklabels()].index("SADANet")
    points = [tuple(point) for dots in axis.collections if isinstance(dots, PathCollection)
              for point in dots.get_offsets()]  # fmt: skip
    assert (pytest.approx(row["mean"]), place) in points
    seeds = scores_.query("method == 'SADANet' and region == 'rib' and metric == 'dice'").percent
    assert all((pytest.approx(percent), place) in points for percent in seeds)
    assert (seeds.mean(), place) in [(pytest.approx(line.get_xdata()[0]), line.get_ydata()[0]) for line in axis.lines]


def test_rows_of_the_ablation_and_of_the_sweep_are_named_as_ours():
    assert list(published_scores("II").method.unique()) == ["DANet", "SADANet w/o SCA", "SADANet w/o SAA", "SADANet"]
    assert list(published_scores("IV").method.unique()) == [f"λ = {x}" for x in ("0", "1", "2", "2.5", "3", "4", "5")]
    titles = {method.title for method in registry().values()}
    assert set(published_scores("I").method) | set(published_scores("II").method) <= titles


def test_labels_say_what_differs(runs):
    assert {run_scores.method_label(run) for run in runs} == {"UNet", "SADANet"}
    assert {run_scores.lambda_label(run) for run in runs} == {"λ = 3"}


def test_outlines_are_means_over_images_and_seeds(runs):
    unet = [run for run in runs if run.recipe.method == "unet"]
    rib = pd.concat(run.table("surfaces") for run in unet).query("`class` == 'rib'")
    row = cell(run_scores.outlines(runs), method="UNet", region="rib")
    assert row.hd95 == pytest.approx(rib.hd95.mean())
    assert row.hd95_percent == pytest.approx(100 * (rib.hd95 / 256).mean())
    assert row.missed == rib.missed.mean()
    assert "n/a" not in tables.outlines_markdown(run_scores.outlines(runs))


def test_confusion_rows_add_up_to_one_and_its_diagonal_is_recall(runs):
    shares = run_scores.confusion_of_runs(runs[:1])
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    np.testing.assert_allclose(np.diag(shares), scores.scores_of(runs[0].counts).recall[:4])
    check_print(comparisons.confusion(shares, "UNet"))


def test_reliability_pools_the_seeds_of_a_method(runs):
    bins, errors = run_scores.reliability_of_runs(runs)
    pixels = bins.query("region == 'all'").groupby("method").pixels.sum()
    assert (pixels == 2 * 2 * 64 * 256).all()  # seeds, images
    assert errors.percent.between(0, 100).all()
    check_print(comparisons.reliability(bins))


def test_differences_and_claims_are_shown_for_several_methods_and_for_one(runs):
    for some in (runs, runs[:1]):
        counts = run_scores.counts_by_label(some)
        found = statistics.differences_to("SADANet", counts)
        text = tables.differences_markdown(found)
        assert ("UNet" in text) == (len(counts) > 1)
        check_print(comparisons.differences(found))
        assert tables.ONE_SEED not in text
        compared, verdicts = claims.check("I", counts, published_scores("I"))
        assert ("surpasses UNet" in tables.claims_markdown(verdicts, compared)) == (len(counts) > 1)


def planted(gain, seeds=3, noise=0.001):
    """The differences of SADANet, so much above UNet in the share of pixels found, to it."""
    rng = np.random.default_rng(0)
    counts = {}
    for name, share in (("SADANet", 0.7 + gain), ("UNet", 0.7)):
        tp = np.round(10_000 * (share + noise * rng.normal(size=(seeds, 29, 4)))).astype(int)
        counts[name] = np.stack([tp, 10_000 - tp, 10_000 - tp, 200_000 + tp], -1)
    return statistics.differences_to("SADANet", counts)


def rows_of(markdown):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in markdown.splitlines() if line[:1] == "|"]


@pytest.mark.parametrize(("gain", "verdict"), [(0.05, "above"), (-0.05, "below"), (0, "equivalent")])
def test_differences_show_interval_p_smallest_and_verdict_and_single_bones_without_one(gain, verdict):
    found = planted(gain)
    first = found.iloc[0]
    header, _, shown, bones, _, of_bones = rows_of(tables.differences_markdown(found))
    assert shown == [
        "UNet",
        f"{first.difference:+.2f}",
        f"{first.low:+.2f} to {first.high:+.2f}",
        claims.p_told(first.p_corrected),
        f"{first.smallest:.2f}",
        claims.p_told(first.p_equivalent_corrected),
        verdict,
    ]
    assert ("< 0.001" in shown) == (min(first.p_corrected, first.p_equivalent_corrected) < 0.001)
    assert header[-1] == "Verdict"
    assert bones == ["SADANet minus", "Rib", "Thoracic process", "Lump"]
    assert not {*statistics.VERDICTS} & set(" ".join(of_bones).split())
    assert tables.EXPLORATORY in tables.differences_markdown(found)
    assert "**" not in tables.differences_markdown(found)


@pytest.mark.parametrize(("gain", "noise", "filled"), [(0.05, 0.001, True), (0, 0.001, False), (0.02, 0.5, False)])
def test_a_dot_is_filled_where_one_is_above_or_below_and_nowhere_else(gain, noise, filled):
    found = planted(gain, noise=noise)
    axis = comparisons.differences(found).axes[0]
    (faces,) = (dots.get_facecolor() for dots in axis.collections if isinstance(dots, PathCollection))
    assert (faces[0][:3].tolist() != [1, 1, 1]) == filled
    assert [label.get_text() for label in axis.get_yticklabels()] == [f"UNet: {found.verdict[0]}"]


def test_where_attention_is_idle_this_stands_beside_the_verdict():
    found = claims.remark_idle(
        planted(0.05).replace("UNet", "DANet"), {("SADANet", "SCA"): claims.SmallEffect(0.01, True)}
    )
    assert rows_of(tables.differences_markdown(found))[2][-1] == (
        "above; SADANet loses +0.01 without SCA and no bone 0.1: no verdict on the module"
    )


def test_differences_of_one_seed_say_so(runs):
    found = statistics.differences_to(
        "SADANet", run_scores.counts_by_label(run for run in runs if run.recipe.seed == 0)
    )
    assert tables.differences_markdown(found).endswith(tables.ONE_SEED)
    assert found[found.role == "primary"].verdict.tolist() == ["undecided"]
    assert "one seed" in comparisons.differences(found).get_suptitle()


def test_counts_are_in_the_order_of_the_seeds_whatever_that_of_the_runs(runs):
    there, back = run_scores.counts_by_label(runs), run_scores.counts_by_label(reversed(runs))
    assert set(there) == set(back)
    for name in there:
        np.testing.assert_array_equal(there[name], back[name])


def test_methods_of_unlike_seeds_are_not_compared(runs):
    with pytest.raises(BadInput, match=r"seeds of .*: found \[.*\]; expected \[.*\]"):
        run_scores.counts_by_label(runs[:-1])


def test_what_is_not_there_is_shown_as_na():
    numbers = pd.DataFrame({"rib": [1.0, np.nan]}, index=pd.Index(["UNet", "FPN"], name="method"))
    assert tables.calibration_markdown(numbers).splitlines()[-1].split() == ["|", "FPN", "|", "n/a", "|"]
    long = pd.DataFrame({"method": "UNet", "seed": 0, "region": "rib", "percent": [np.nan]})
    assert "n/a" in tables.wide_markdown(long)
    assert "nan" not in tables.wide_markdown(long)
    assert tables.confusion_markdown(numbers.T).splitlines()[-1].split() == ["|", "rib", "|", "100.0", "|", "n/a", "|"]


def test_a_sweep_has_a_point_a_run_no_line_between_runs_and_bars_over_the_seeds(phantoms, tmp_path):
    data = open_folder(phantoms)
    every = get_or_train_each(["sadanet"], [0, 1], "smoke", data, tmp_path, lambda_dice=[0.0, 3.0], iterations=2)
    for runs, seeds in ((every, 2), ([run for run in every if run.recipe.seed == 0], 1)):
        table = run_scores.compare_with_paper(runs, "IV", label=run_scores.lambda_label)
        figure = comparisons.sweep(table, run_scores.scores_of_runs(runs, label=run_scores.lambda_label), 2)
        check_print(figure)
        paper, here = figure.axes[3], figure.axes[7]  # the average of the bones
        assert all(len(line.get_xdata()) == 2 and len(set(line.get_xdata())) == 1 for line in here.lines + paper.lines)
        points = [dots.get_offsets() for dots in here.collections if isinstance(dots, PathCollection)]
        bars = [path.vertices for lines in here.collections if isinstance(lines, LineCollection)
                for path in lines.get_paths()]  # fmt: skip
        for value in (0, 3):
            of_value = [run for run in runs if run.recipe.lambda_dice == value]
            dice = sorted(100 * scores.scores_of(run.counts).dice["average_3_bones"] for run in of_value)
            assert sorted(points[0][points[0][:, 0] == value, 1]) == pytest.approx(dice)
            assert len(bars) == (2 if seeds > 1 else 0)
            if bars:
                (bar,) = (bar for bar in bars if bar[0, 0] == value)
                assert sorted(bar[:, 1]) == pytest.approx([dice[0], dice[-1]])


# --- pictures ---


def test_an_overlay_changes_bones_alone():
    image, labels = np.full((60, 30), 100, np.uint8), np.zeros((60, 30), np.uint8)
    labels[10:30, 10:20] = 1
    drawn = overlay(image, labels)
    assert (drawn[labels == 0] == 100).all()
    assert (drawn[labels == 1][:, 0] > 100).all()
    assert drawn[20, 15, 1] < 100


def test_latex_says_what_the_markdown_says():
    markdown = "| Method | Rib_1 |\n|:--|--:|\n| **UNet** | **69.2 ± 1.3** |\n| A & B | 50 % |\n\na line of 5 %"
    lines = latex(markdown, "Table I").splitlines()
    assert lines[0] == "% Table I"
    rows = [[cell.strip() for cell in line.removesuffix(r"\\").split(" & ")] for line in lines if line.endswith(r"\\")]
    assert rows == [["Method", r"Rib\_1"], [r"\textbf{UNet}", r"\textbf{69.2 $\pm$ 1.3}"], [r"A \& B", r"50 \%"]]
    assert [line for line in lines if line.endswith("rule")] == [r"\toprule", r"\midrule", r"\bottomrule"]
    assert lines[-1] == r"a line of 5 \%"


def test_latex_has_no_sign_that_it_would_drop_or_not_know():
    assert latex("~ w/o SAA, 10° × 2, λ ✓", "Signs").splitlines()[-1] == (
        r"\textasciitilde{} w/o SAA, 10$^{\circ}$ $\times$ 2, $\lambda$ $\surd$"
    )
