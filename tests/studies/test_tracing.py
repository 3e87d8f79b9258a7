"""What tracing the visible shadows scores: against masks, and where nothing is displaced or hidden."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from sadanet_lab.metrics.scores import BONE_AVERAGE, BONE_REGIONS
from sadanet_lab.phantom import write_folder
from sadanet_lab.studies import tracing
from sadanet_lab.studies.conclusions import data as conclude
from sadanet_lab.training.profiles import find_profile
from sadanet_lab.views import tables


@pytest.fixture
def undisplaced(monkeypatch):
    monkeypatch.setattr(tracing, "displaced", lambda rng, outline, displacement: outline)


def test_where_shadows_lie_in_their_outlines_tracing_gives_the_mask(undisplaced):
    for spine, seen in tracing.trace(3):
        np.testing.assert_array_equal(seen, spine.labels())
    (row,) = tracing.score_traced(tracing.trace(3)).to_dict("records")
    assert all(row[region] == pytest.approx(100) for region in BONE_REGIONS)
    assert row["mae"] < 2
    assert row["images"] == 3


def test_hidden_bones_are_not_traced_and_nothing_else_is_lost(undisplaced):
    hidden = found = 0
    for spine, seen in tracing.trace(4, cases="demanding"):
        numbers = spine.bone_numbers()
        gone = np.isin(numbers, [n for n, bone in enumerate(spine.bones, start=1) if bone.hidden])
        hidden += gone.sum()
        found += (seen[gone] == spine.labels()[gone]).sum()
        np.testing.assert_array_equal(seen[~gone], spine.labels()[~gone])
    assert found < 0.02 * hidden  # where a neighbour of the same class, which is seen, reaches under a hidden bone


def test_the_spines_are_those_of_the_test_images(tmp_path):
    write_folder(tmp_path / "of_seed_3", train=1, test=2, seed=3, width=128, height=512)
    masks = sorted((tmp_path / "of_seed_3/groundtruth/test").glob("*.png"))
    for mask, (spine, _) in zip(masks, tracing.trace(2, seed=3), strict=True):
        np.testing.assert_array_equal(np.array(Image.open(mask)), spine.labels())


def test_shadows_lie_as_far_from_the_outlines_as_the_pictures_say(monkeypatch):
    asked = []
    monkeypatch.setattr(tracing, "displaced", lambda rng, outline, displacement: asked.append(displacement) or outline)
    list(tracing.trace(20))
    usual = {round(one, 6) for one in asked}
    assert len(usual) == 20
    assert all(4 <= one <= 9 for one in usual)
    with pytest.raises(ValueError, match="'varied': expected one that is painted"):
        next(tracing.trace(1, spread="varied"))


def test_a_profile_is_traced_on_its_own_phantoms_alone():
    assert tracing.trace_profile("finetune") is None  # of another scanner
    assert tracing.trace_profile("quick", "data/mine") is None
    table = tracing.trace_profile("quick", images=5)
    assert table is not None
    assert table.images.item() == 5
    size = find_profile("quick")["phantom"]
    same = tracing.trace(5, width=size["width"], height=size["height"])
    pd.testing.assert_frame_equal(table, tracing.score_traced(same))
    told = conclude.traced(table)
    assert told.startswith("Who traced every bone of 5 phantoms just where it is seen would have a mean bone Dice of ")
    assert f"{table[BONE_AVERAGE].item():.1f} %" in told
    assert f"{table.mae.item():.2f}°" in told
    assert f"{table[BONE_AVERAGE].item():.1f}" in tables.tracing_markdown(table)
