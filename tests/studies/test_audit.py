"""The audit and Table III: each finding's numbers, and the entropy of GCA's rows."""

import numpy as np
import pandas as pd
import pytest
import torch

from sadanet_core import record_attention
from sadanet_lab.images.vpi_folder import open_folder
from sadanet_lab.inference.segmentation import logits_of
from sadanet_lab.studies import audit, run_scores, table3
from sadanet_lab.studies.complexity import complexity_table, paper_count
from sadanet_lab.training.recipe import make_recipe
from sadanet_lab.training.run_store import get_or_train
from sadanet_lab.views import figures, tables


@pytest.fixture(scope="module")
def costs():
    return complexity_table(count=paper_count)


def test_three_rows_average_three_bones_and_two_cells_are_off():
    found = audit.averages()
    table = found.evidence.set_index("method")
    assert set(table.index[table["average of"] == "3 bones"]) == {"UNet", "RSNU", "SEAM"}
    of_four = table[table["average of"] == "4 classes"]["implied background Dice"]
    assert of_four.between(96.1, 96.4).all()
    assert {m: cells for m, cells in table["cells off"].items() if cells} == {"RSNU": "dice", "SEAM": "iou"}
    for said in ("+0.58 Dice on RSNU", "+1.62 on SEAM", "-0.39 against SEAM"):
        assert said in found.verdict


def test_iou_follows_from_dice_but_in_three_rows():
    found = audit.iou_from_dice()
    table = found.evidence.set_index("method")
    assert set(table.index[table.difference.abs() > 0.015]) == {"UNet", "RSNU", "SEAM"}
    assert all(name in found.verdict for name in ("UNet", "RSNU", "SEAM"))
    assert table.loc["RSNU", ["IoU printed", "IoU from Dice"]].astype(float).round(2).tolist() == [65.92, 64.45]


def test_a_table_without_a_fault_gets_no_fault(monkeypatch, tmp_path):
    """Pooled IoU put in for the printed ones: nothing fails any more."""
    printed = pd.read_csv(audit.PUBLISHED / "table1_methods.csv")
    dice = printed.dice_percent / 100
    printed["iou_percent"] = 100 * dice / (2 - dice)
    printed.to_csv(tmp_path / "table1_methods.csv", index=False)
    monkeypatch.setattr(audit, "PUBLISHED", tmp_path)
    assert "Not for none" in audit.iou_from_dice().verdict


def test_acc_is_recall_by_the_counts_that_dice_and_recall_imply():
    """For one row, counts built by hand: a picture of 10^6 pixels, UNet's rib."""
    row = audit.acc_is_recall().evidence.query("method == 'UNet' and region == 'rib'").iloc[0]
    share = pd.read_csv(audit.PUBLISHED / "real_vpi_statistics.csv").set_index("quantity").real["rib_percent"] / 100
    positives = share * 1e6
    tp = 0.7637 * positives
    fn = positives - tp
    fp = 2 * tp / 0.7737 - 2 * tp - fn
    assert 100 * (1e6 - fp - fn) / 1e6 == pytest.approx(row["accuracy by Eq. (10), if Acc is recall"])
    assert 100 * tp / (tp + fp) == pytest.approx(row["precision, if Acc is recall"])


def test_lambda_2_has_the_best_iou_and_lambda_0_is_a_twentieth_of_a_point_below():
    verdict = audit.lambdas().verdict
    for said in ("lambda = 2 ", "74.55 against 74.54", "0.05 Dice below", "0.31 points"):
        assert said in verdict


def test_the_equations_taken_at_their_word():
    values = audit.equations().evidence.value
    assert values[0] == values[1] == 11
    assert values[2] == pytest.approx(4)
    assert np.isnan(values[3])
    assert values[4] == pytest.approx(0, abs=1e-6)


def test_only_the_working_widths_256_and_512_give_a_number_of_table_3():
    parameters = audit.widths().evidence["parameters (M)"].round(2)
    assert [p in set(table3.published_table3().params_million) for p in parameters] == [True, False, False]


def test_each_published_pair_is_traced_to_what_gives_it(costs):
    traced = table3.trace_numbers(costs)
    found = {(row.flops_giga, row.params_million): row.configurations for row in traced.itertuples()}
    assert found == {
        (200.67, 51.03): "SADANet (text)",
        (200.67, 49.81): "CCNet",
        (199.35, 51.03): "SADANet w/o SCA",
        (199.35, 49.81): "none",
        (258.69, 65.19): "SADANet (table3)",
    }
    assert "DANet gives no pair" in audit.operations(costs).verdict


def test_beside_each_other_only_the_table3_head_agrees_with_its_row(costs):
    beside = table3.compare_rows(costs).set_index("configuration")
    agrees = (beside.flops_here.round(2) == beside.flops_published) & (
        beside.params_here.round(2) == beside.params_published
    )
    assert list(beside.index[agrees]) == ["SADANet (table3)"]
    assert tables.table3_markdown(beside.reset_index()).count("✓") == 2
    operations, parameters = table3.undocumented_cost(costs)
    assert parameters == pytest.approx(9 * 3072 * 512 / 1e6, rel=1e-3)
    assert operations == pytest.approx(9 * 3072 * 512 * 64 * 64 / 1e9, rel=1e-3)


@pytest.fixture(scope="module")
def runs(phantoms, tmp_path_factory):
    data, results = open_folder(phantoms), tmp_path_factory.mktemp("results")
    forms = ("softmax", "max-minus")
    recipes = [make_recipe("sadanet", "smoke", data.fingerprint, normalisation=form, iterations=2) for form in forms]
    return [get_or_train(recipe, data, results) for recipe in recipes]


def test_both_normalisations_train_apart_and_are_looked_at_row_by_row(runs, phantoms):
    samples = open_folder(phantoms).test
    assert runs[0].folder != runs[1].folder
    rows = audit.affinity_rows(runs, samples)
    assert len(rows) == 2 * 2 * len(samples) * 32  # forms, trained or not, images, channels of the smoke profile
    chosen = rows.query("normalisation == 'softmax' and network == 'trained' and stem == @samples[0].stem")
    network = runs[0].network()
    with record_attention(network) as maps:
        logits_of(network, samples[0].image(), runs[0].recipe)
    g = maps["head.channel_attention.attend"][0][0].double().numpy()
    np.testing.assert_allclose(chosen.relative_entropy, -(g * np.log(g)).sum(1) / np.log(32), rtol=1e-6)
    np.testing.assert_allclose(chosen.itself, np.diag(g), rtol=1e-6)
    assert figures.affinity_entropies(rows).axes


def test_saturation_of_one_hot_and_of_uniform_rows():
    c = 8
    one_hot, uniform = np.eye(c), np.full((c, c), 1 / c)
    tables_of = []
    for form, g in (("softmax", one_hot), ("max-minus", uniform)):
        entropy = torch.special.entr(torch.tensor(g)).sum(1).numpy() / np.log(c)
        columns = {"relative_entropy": entropy, "largest": g.max(1), "itself": g.diagonal()}
        tables_of.append(pd.DataFrame(columns).assign(normalisation=form, network="trained"))
    found = audit.saturation(pd.concat(tables_of))
    assert "softmax: 100 % of the rows one-hot, entropy 0.000" in found.verdict
    assert "max-minus: 0 % of the rows one-hot, entropy 1.000" in found.verdict


def test_scores_of_both_forms_stand_side_by_side(runs):
    scores = run_scores.scores_of_runs(runs, label=run_scores.normalisation_label).query("metric == 'dice'")
    rows = tables.wide_markdown(scores, first="Normalisation").splitlines()[2:]
    assert [row.split("|")[1].strip() for row in rows] == ["max-minus", "softmax"]
