"""Limits as they are learned: quantile regression, conformal factor, and what holds on phantoms that had no part."""

import numpy as np
import pytest

from sadanet_lab.errors import BadInput
from sadanet_lab.images.degradations import DEGRADATIONS
from sadanet_lab.spine.curve_angles import Measurement
from sadanet_lab.spine.levels import largest_angle
from sadanet_lab.studies.limits import (
    KINDS,
    Kind,
    Seen,
    conformal_factor,
    coverage,
    draw_known,
    learn_limits,
    quantile_weights,
)
from sadanet_lab.studies.limits import _largest as largest

USUAL, WIDE = KINDS[:2]


def test_one_doubt_of_1_has_the_quantile_as_its_weight():
    errors = np.random.default_rng(0).exponential(size=1001)
    (weight,) = quantile_weights(np.ones((1001, 1)), errors, 0.9)
    assert weight == pytest.approx(np.quantile(errors, 0.9), abs=0.01)


def test_weights_of_errors_that_grow_with_a_doubt_are_found():
    rng = np.random.default_rng(1)
    doubts = np.column_stack([np.ones(4000), rng.uniform(0, 5, 4000), rng.uniform(0, 5, 4000)])
    errors = (1 + 2 * doubts[:, 1]) * rng.uniform(0, 1, 4000)
    assert quantile_weights(doubts, errors, 0.9) == pytest.approx([0.9, 1.8, 0], abs=0.12)


def test_the_factor_is_the_score_of_split_conformal_prediction():
    scores = np.random.default_rng(2).permutation(np.arange(1.0, 20))  # 19 of them: ceil(20 * 0.9) = 18
    assert conformal_factor(scores, 0.9) == 18
    assert conformal_factor(scores[scores < 5], 0.9) == 4  # of too few, the largest


def simulated(count, seed, scale=1.0, kind=USUAL):
    """Angles whose errors are normal, their sd half the spread times ``scale``; statistics that are normal too."""
    rng, found = np.random.default_rng(seed), []
    for _ in range(count):
        spread, angle = rng.uniform(1, 4), rng.uniform(20, 40)
        doubts = {"angle": angle, "always": 1.0, "spread": spread, "raw": 0.0, "confidence": 0.0, "uncertainty": 0.1}
        true = angle + scale * rng.normal(0, spread / 2)
        statistics = {"a": rng.normal(), "b": rng.normal(3, 2)}
        found.append(Seen(kind, statistics, (doubts, true), ((doubts, true),)))
    return found


def test_intervals_hold_as_often_as_promised_where_the_new_is_like_the_known():
    limits = learn_limits("model", simulated(2000, 0))
    (row,) = coverage(limits, simulated(4000, 1)).to_dict("records")
    assert row["covered"] == pytest.approx(0.9, abs=0.02)
    assert row["curves_covered"] == row["covered"]
    assert row["strange"] == pytest.approx(0.03, abs=0.015)
    assert row["width"] == pytest.approx(2 * 1.645 * 2.5 / 2, rel=0.1)  # of a normal error at the median spread


def test_intervals_do_not_hold_where_errors_are_larger_than_the_doubts_say():
    limits = learn_limits("model", simulated(2000, 0))
    (row,) = coverage(limits, simulated(2000, 1, scale=3)).to_dict("records")
    assert row["covered"] < 0.6


def test_coverage_is_told_by_kind_and_counts_what_cannot_be_measured():
    limits = learn_limits("model", simulated(400, 0))
    blind = [Seen(WIDE, {"a": 50.0, "b": 3.0}, None, ())] * 3
    table = coverage(limits, [*simulated(50, 1), *simulated(1, 2, kind=WIDE), *blind]).set_index("kind")
    assert table.pictures.to_dict() == {"usual": 50, "wide": 4}
    assert table.measurable.to_dict() == {"usual": 1.0, "wide": 0.25}
    assert table.strange["wide"] >= 0.75


def test_too_few_angles_are_refused():
    with pytest.raises(BadInput, match="80 phantoms' angles could be measured; expected 100 or more"):
        learn_limits("model", simulated(80, 0))


def test_kinds_are_the_spreads_and_every_mild_degradation():
    assert [kind.title for kind in KINDS[:3]] == ["usual", "wide", "varied"]
    assert {kind.degradation for kind in KINDS[3:]} == set(DEGRADATIONS)
    assert [kind.strength for kind in KINDS if kind.degradation == "gain"] == [-1, 1]


@pytest.mark.parametrize("kind", [USUAL, KINDS[-1], Kind("usual", "noise", 20)])
def test_the_true_angle_is_the_levels_or_where_bones_are_moved_the_masks(kind):
    known = draw_known(kind, 1, 0)
    assert isinstance(known.true, Measurement) == (kind.degradation in ("rotation", "cut_off"))
    assert largest(known.true) == pytest.approx(largest_angle(known.true.levels), abs=0.01)
    assert (known.image == draw_known(kind, 1, 0).image).all()
    assert not np.array_equal(known.image, draw_known(kind, 2, 0).image)
