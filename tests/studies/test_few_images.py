"""Few annotated images: what is trained, from which weights, on which images, and what is told of it."""

import re

import numpy as np
import pandas as pd
import pytest

from sadanet_lab.errors import BadInput
from sadanet_lab.images.vpi_folder import read_lists
from sadanet_lab.metrics.scores import scores_of
from sadanet_lab.paths import FEW_IMAGES, ROOT
from sadanet_lab.phantom import write_folder
from sadanet_lab.reporting.reference import reference_runs
from sadanet_lab.studies import few_images
from sadanet_lab.studies.few_images import ADAPTED, LONGER, NEW, NEW_LONGER, SHIPPED
from sadanet_lab.training import recipe
from sadanet_lab.training.recipe import sha256_of
from sadanet_lab.training.shipped import shipped_run
from sadanet_lab.views.few_images import few_images_markdown


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("few") / "images"
    write_folder(folder, 2, 2, 0, 64, 256, "scanner2")
    return read_lists(folder)


@pytest.fixture(scope="module")
def runs(data, tmp_path_factory):
    """Of one step each, at a small size."""
    small = {**recipe.find_profile("finetune"), "iterations": 1}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recipe, "find_profile", lambda name: small)
        patch.setattr(few_images, "settings_of", _at_small_size)
        return few_images.train_on_few([1, 2], [2], [0, 3], data, tmp_path_factory.mktemp("results"))


def _at_small_size(*where):
    from sadanet_lab.training.start import settings_of

    size = dict.fromkeys(("image_height", "patch_height"), 128) | dict.fromkeys(("image_width", "patch_width"), 32)
    return settings_of(*where) | size


def test_each_start_count_and_seed_is_one_run_of_the_same_network(runs):
    told = [(r.recipe.start, r.recipe.training_images, r.recipe.seed) for r in runs]
    same = [(start, count, seed) for start in ("shipped", None) for count in (1, 2) for seed in (0, 3)]
    assert told == [*same, (None, 2, 0)]
    assert [run.recipe.iterations for run in runs] == [1] * len(same) + [LONGER]
    shipped = shipped_run().recipe
    for run in runs:
        for name in ("method", "head", "backbone", "width", "input_channels", "framing"):
            assert getattr(run.recipe, name) == getattr(shipped, name)
    assert len({run.folder for run in runs}) == len(runs)


def test_a_training_list_that_is_too_short_is_told_before_anything_is_trained(data, tmp_path):
    with pytest.raises(BadInput, match=r"train\.txt: found 2 images; expected 5 to train on"):
        few_images.train_on_few([1], [5], [0], data, tmp_path)
    assert not (tmp_path / "runs").exists()


def test_scores_are_those_of_the_runs(runs, data):
    table = few_images.few_image_scores(runs, data)
    assert table.start.tolist() == [SHIPPED] * 4 + [NEW] * 4 + [NEW_LONGER]
    for row, run in zip(table.itertuples(), runs, strict=True):
        assert row.dice == pytest.approx(100 * scores_of(run.counts).dice["average_3_bones"])
        assert row.measurable == run.table("angles").measured.notna().mean()


def test_the_shipped_model_is_told_without_masks_as_it_is_and_adapted(data):
    table = few_images.scores_without_masks(data)
    assert table.start.tolist() == [SHIPPED, ADAPTED]
    assert table.images.tolist() == [0, 0]
    assert table.dice[0] != table.dice[1]


def test_the_table_has_means_over_seeds_and_their_spread():
    dice = {0: [50.0], 5: [70.0, 74.0]}
    rows = [(SHIPPED, n, seed, each, 3.0, 0.5, 1.0) for n, values in dice.items() for seed, each in enumerate(values)]
    markdown = few_images_markdown(pd.DataFrame(rows, columns=list(few_images.COLUMNS)))
    assert f"72.00 ± {np.std([70, 74], ddof=1):.2f}" in markdown
    assert "| 50.00 " in markdown


def test_the_committed_runs_start_from_the_model_that_is_shipped():
    runs = [run for run in reference_runs("14_few_images", FEW_IMAGES) if run.recipe.start is not None]
    if not runs:
        pytest.skip("no results of notebook 14 are committed yet")
    assert {run.recipe.start_sha256 for run in runs} == {sha256_of(shipped_run().folder / "model.safetensors")}


def test_what_few_annotated_images_bring_is_that_of_the_committed_runs():
    table = pd.read_csv(FEW_IMAGES / "few_images.csv")
    means = table.groupby(["start", "images"])[["dice", "mae"]].mean().unstack("images")
    told = (ROOT / "docs" / "predict.md").read_text()
    lines = {
        "the shipped model, 120 steps: mean bone Dice": (SHIPPED, "dice", 1),
        "its largest angle, degrees off": (SHIPPED, "mae", 2),
        "random weights, 120 steps: mean bone Dice": (NEW, "dice", 1),
        "random weights, 480 steps (one seed)": (NEW_LONGER, "dice", 1),
    }
    for name, (start, what, digits) in lines.items():
        (cells,) = re.findall(rf"^\| {re.escape(name)} \|(.*)\|$", told, re.MULTILINE)
        shown = [float(cell) if cell.strip() else np.nan for cell in cells.split("|")]
        assert shown == pytest.approx(means.loc[start, what].to_numpy(), abs=0.51 / 10**digits, nan_ok=True), name
    card = " ".join((ROOT / "sadanet_lab/shipped/README.md").read_text().split())
    one, five, twenty, none = (means.loc[SHIPPED, ("dice", images)] for images in (1, 5, 20, 0))
    assert f"to {one:.1f} (one image), {five:.1f} (5) and {twenty:.1f} (20), from {none:.1f}" in card
