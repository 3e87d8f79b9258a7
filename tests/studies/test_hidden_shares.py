"""Differences by how much is hidden: of the right images, paired by seed, against Student's interval and by hand."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from sadanet_lab.studies.conclusions import attention
from sadanet_lab.studies.hidden_shares import CHANGE, MUCH_HIDDEN, NOTHING_HIDDEN, differences_by_share
from sadanet_lab.views.attention_effects import share_markdown

BONES = ("rib", "thoracic_process", "lump")
SHARES = {"a": 0.0, "b": 0.5, "c": 0.3, "d": 0.0, "e": 0.4}
"""Image -> share hidden of its ten ribs."""


def run(method, seed, dice):
    """A run with that Dice, in percent, of each bone in images of which nothing, a little, and much is hidden."""
    of = {0.0: dice[0], 0.3: 50, 0.5: dice[1], 0.4: dice[1]}
    rows = []
    for stem, share in SHARES.items():
        tp = of[share] * 100
        rows.append((stem, "background", 0, 0, 0, 0))
        rows += [(stem, bone, tp, 10_000 - tp, 10_000 - tp, 0) for bone in BONES]
    hidden = [(stem, "rib", "seen", round(10 - 10 * share)) for stem, share in sorted(SHARES.items(), reverse=True)]
    hidden += [(stem, "rib", "run", round(10 * share)) for stem, share in SHARES.items() if share]
    tables = {
        "hidden": pd.DataFrame(hidden, columns=["stem", "class", "kind", "bones"]).assign(
            found=0, pixels=1, found_pixels=0
        ),
        "hidden_without": pd.DataFrame(),
    }
    return SimpleNamespace(
        recipe=SimpleNamespace(method=method, seed=seed),
        counts=pd.DataFrame(rows, columns=["stem", "class", "tp", "fp", "fn", "tn"]),
        table=tables.__getitem__,
    )


def label(run):
    return run.recipe.method


def test_groups_hold_the_images_of_their_share_and_the_change_is_paired_by_seed():
    ours, others = [(80, 60), (82, 64), (81, 65)], [(79, 64), (80, 66), (78, 70)]
    runs = [run("SADANet", seed, dice) for seed, dice in enumerate(ours)]
    runs += [run("UNet", seed, dice) for seed, dice in enumerate(others)]
    table = differences_by_share(runs, label).set_index("images_of")
    assert table.images.to_dict() == {NOTHING_HIDDEN: 2, MUCH_HIDDEN: 2, CHANGE: 4}
    differences = np.array(ours, float) - others
    for name, of_seeds in zip(
        (NOTHING_HIDDEN, MUCH_HIDDEN, CHANGE), (*differences.T, differences[:, 1] - differences[:, 0]), strict=True
    ):
        half = stats.t.ppf(0.975, 2) * of_seeds.std(ddof=1) / 3**0.5  # images of a group are alike here
        row = table.loc[name]
        assert row.difference == pytest.approx(of_seeds.mean())
        assert (row.low, row.high) == pytest.approx((of_seeds.mean() - half, of_seeds.mean() + half))


def test_the_images_count_too():
    """Where the seeds agree, what stays is the scatter of each group's images: their variances add."""
    runs = [run("SADANet", seed, (80, 60)) for seed in (0, 1)] + [run("UNet", seed, (80, 60)) for seed in (0, 1)]
    for each in runs[:2]:
        better = each.counts.stem.isin(["a", "b"]) & (each.counts["class"] != "background")
        each.counts.loc[better, "tp"] += 400
        each.counts.loc[better, ["fp", "fn"]] -= 400
    table = differences_by_share(runs, label).set_index("images_of")
    half = (table.high - table.low) / 2
    assert table.difference[NOTHING_HIDDEN] == pytest.approx(2)
    assert half[CHANGE] == pytest.approx(np.hypot(half[NOTHING_HIDDEN], half[MUCH_HIDDEN]))
    assert half[NOTHING_HIDDEN] > 0


def test_it_is_told_where_the_order_depends_on_it():
    runs = [run("SADANet", 0, (80, 70)), run("SADANet", 1, (80, 70))]
    runs += [run("UNet", seed, (82, 69)) for seed in (0, 1)] + [run("DANet", seed, (80, 75)) for seed in (0, 1)]
    table = differences_by_share(runs, label)
    assert attention.differences_by_share(table) == (
        "SADANet minus another method is, in mean bone Dice, -2.0 (UNet) to +0.0 (DANet) with nothing hidden (2 "
        "images) and -5.0 (DANet) to +1.0 (UNet) with over 30 % hidden (2 images); where more is hidden it gains on "
        "UNet and loses on DANet (95 % interval of the change, 2 seeds, uncorrected)."
    )
    assert [row.split("|")[1].strip() for row in share_markdown(table).splitlines()[2:]] == ["UNet", "DANet"]


def test_too_little_to_compare_has_no_rows():
    alone, two = [run("SADANet", 0, (80, 70))], [run("SADANet", 0, (80, 70)), run("UNet", 0, (80, 70))]
    for each in two:
        each.table("hidden").loc[lambda t: t.kind == "run", "bones"] = 0  # nothing is hidden anywhere
    for runs in ([], alone, two):
        table = differences_by_share(runs, label)
        assert table.empty
        assert attention.differences_by_share(table).startswith("Nothing to compare")
        assert share_markdown(table).startswith("n/a")
