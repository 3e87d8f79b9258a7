"""Tables beside the paper's, and overlays."""

import re

import numpy as np
import pandas as pd
import pytest

from sadanet_core.experiment import scores
from sadanet_core.experiment.run_store import get_or_train_each
from sadanet_core.images.vpi_folder import open_folder
from sadanet_core.views import figures, tables
from sadanet_core.views.pictures import overlay


@pytest.fixture(scope="module")
def runs(phantoms, tmp_path_factory):
    data = open_folder(phantoms)
    return get_or_train_each(
        ["unet", "sadanet"], [0, 1], "smoke", data, tmp_path_factory.mktemp("results"), iterations=2
    )


def cell(table, **where):
    rows = table
    for column, value in where.items():
        rows = rows[rows[column] == value]
    assert len(rows) == 1
    return rows.iloc[0]


def test_the_published_averages_are_put_on_one_basis_each():
    """Bones: SADANet (78.82 + 77.64 + 86.96) / 3 = 81.14, the audit's figure; UNet's printed 78.09 is already one."""
    published = tables.published_table1()
    for method, dice in (("SADANet", 81.14), ("UNet", 78.09), ("RSNU", 80.56), ("SEAM", 79.52)):
        row = cell(published, method=method, region="average_3_bones", metric="dice")
        assert row["mean"] == pytest.approx(dice, abs=0.005)
    four = published[published.region == "average_4_classes"].method.unique().tolist()
    assert four == ["FPN", "PSANet", "CCNet", "DANet", "SADANet"]


def test_table1_is_mean_and_sd_of_the_stored_counts(runs):
    table = tables.table1(runs)
    dice = [100 * scores.pooled(run.counts).loc["rib", "dice"] for run in runs if run.recipe.method == "sadanet"]
    row = cell(table, source="here", method="SADANet", region="rib", metric="dice")
    assert row["mean"] == pytest.approx(np.mean(dice), nan_ok=True)
    assert row.sd == pytest.approx(np.std(dice, ddof=1), nan_ok=True)
    assert set(table.method) == {"UNet", "SADANet"}


def test_a_single_seed_has_no_spread(runs):
    assert tables.table1(runs[:1]).query("source == 'here'").sd.isna().all()


def test_markdown_marks_the_best_of_each_source_and_column():
    rows = [("paper", "A", 70.0), ("paper", "B", 80.0), ("here", "A", 91.0), ("here", "B", 90.0)]
    long = pd.DataFrame(rows, columns=["source", "method", "mean"]).assign(region="rib", metric="dice", sd=np.nan)
    text = tables.table1_markdown(long)
    assert re.findall(r"\*\*([\d.]+)\*\*", text) == ["91.00", "80.00"]
    assert "n/a" in text


def test_figures_are_drawn_for_any_number_of_seeds(runs):
    for some in (runs, runs[:1]):
        figures.table1_bars(tables.table1(some), tables.scores_of_runs(some))
        figures.training_curves(some)


def test_an_overlay_changes_bones_alone():
    image, labels = np.full((60, 30), 100, np.uint8), np.zeros((60, 30), np.uint8)
    labels[10:30, 10:20] = 1
    drawn = overlay(image, labels)
    assert (drawn[labels == 0] == 100).all()
    assert (drawn[labels == 1][:, 0] > 100).all()
    assert drawn[20, 15, 1] < 100
