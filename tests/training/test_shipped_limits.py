"""What the shipped model knows of its own limits: on phantoms that it never saw, and on what is no such picture."""

import numpy as np
import pandas as pd
import pytest
from strange_pictures import STRANGE

from sadanet_lab.images.degradations import DEGRADATIONS
from sadanet_lab.inference.segmenter import Segmenter
from sadanet_lab.paths import LIMITS, SHIPPED
from sadanet_lab.spine.judgement import SHARE
from sadanet_lab.spine.levels import largest_angle
from sadanet_lab.studies.limits import KINDS, draw_known, shipped_coverage
from sadanet_lab.training.models import find_model

UNSEEN = 77
"""A seed that neither training nor calibration had."""


@pytest.fixture(scope="module")
def segmenter():
    return Segmenter(find_model("shipped"))


def test_they_are_this_models(segmenter):
    assert segmenter.limits is not None, "calibrate it again: sadanet calibrate shipped"
    assert segmenter.limits.share == SHARE


def test_they_come_with_every_kind_of_phantom_that_they_were_tested_on():
    table = shipped_coverage()
    assert table.kind.tolist() == [kind.title for kind in KINDS]
    assert set(DEGRADATIONS) == {kind.degradation for kind in KINDS if kind.degradation}


def test_intervals_hold_on_both_spreads_and_under_each_mild_degradation():
    """As measured by `sadanet calibrate`; a share of n pictures scatters by sqrt(0.09 / n)."""
    table = shipped_coverage().set_index("kind")
    for spread in ("usual", "wide"):
        row = table.loc[spread]
        assert abs(row.covered - 0.9) <= max(0.03, 2 * (0.09 / row.pictures) ** 0.5)
    assert table.covered.min() >= 0.8
    assert table.strange[["usual", "wide", "varied"]].max() <= 0.05


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS[:2], ids=lambda kind: kind.title)
def test_few_phantoms_are_strange_and_most_angles_lie_in_their_interval(segmenter, kind):
    held, strange = [], []
    for i in range(24):
        known = draw_known(kind, UNSEEN, i)
        judged = segmenter(known.image).judgement
        true = largest_angle(known.true.levels)
        held.append(judged.largest.low <= true <= judged.largest.high)
        strange.append(judged.strange)
    assert np.sum(held) >= 17  # of 24 at 0.9 fewer come once in 600 times
    assert np.sum(strange) <= 3


@pytest.mark.parametrize("draw", STRANGE, ids=lambda draw: draw.__name__)
def test_pictures_of_another_kind_are_called_strange_and_why(segmenter, draw):
    for i in range(3):
        judged = segmenter(draw(np.random.default_rng([i, UNSEEN]))).judgement
        assert judged.strange, i
        assert judged.reasons


def test_the_files_are_in_the_package():
    assert {LIMITS, "coverage.csv"} <= {path.name for path in SHIPPED.iterdir()}
    assert isinstance(shipped_coverage(), pd.DataFrame)
