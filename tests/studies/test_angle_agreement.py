"""Agreement of measured and true angles, by hand."""

import numpy as np
import pandas as pd
import pytest

from sadanet_lab.studies.angle_agreement import CLOSE, agreement, raw_agreement, severity_table
from sadanet_lab.views.angle_figures import raw_agreement_markdown, scatter


def test_agreement_by_hand():
    table = pd.DataFrame(
        {"source": "a", "stem": list("wxyz"), "measured": [12.0, 18.0, np.nan, 50.0], "true": [10.0, 26.0, 30.0, 50.0]}
    )
    (found,) = agreement(table).to_dict("records")
    assert (found["images"], found["measurable"]) == (4, 3)
    assert found["mae"] == pytest.approx((2 + 8 + 0) / 3)
    assert found["bias"] == pytest.approx((2 - 8 + 0) / 3)
    assert found["share_close"] == pytest.approx(2 / 4)  # of all: what cannot be measured is not close
    assert CLOSE == 5
    assert found["share_same_severity"] == pytest.approx(2 / 4)
    counts = severity_table(table, "a")
    assert counts.loc["moderate", "mild"] == counts.loc["moderate", "not measurable"] == 1
    assert counts.to_numpy().sum() == 4


def test_smoothed_beside_raw_by_hand():
    table = pd.DataFrame(
        {
            "source": "a",
            "seed": 0,
            "stem": list("wxyz"),
            "measured": [12.0, 18.0, np.nan, 50.0],
            "raw": [12.5, 26.0, np.nan, 51.0],
            "flagged": [False, True, False, False],
            "true": [10.0, 26.0, 30.0, 50.0],
        }
    )
    (found,) = raw_agreement(table).to_dict("records")
    assert (found["smoothed_mae"], found["raw_mae"]) == pytest.approx((10 / 3, 3.5 / 3))
    assert (found["smoothed_bias"], found["raw_bias"]) == pytest.approx((-2, 3.5 / 3))
    reach = 1.96 * np.std([2.5, 0, 1], ddof=1)
    assert (found["raw_low"], found["raw_high"]) == pytest.approx((3.5 / 3 - reach, 3.5 / 3 + reach))
    assert found["share_flagged"] == pytest.approx(1 / 3)  # of the measurable
    assert (found["mae_flagged"], found["mae_others"]) == pytest.approx((8, 1))
    (row,) = raw_agreement_markdown(table).splitlines()[2:]
    assert [cell.strip() for cell in row.strip("|").split("|")] == [
        *("a", "3.33", "-2.00", "-12.4 to +8.4"),
        *("1.17", "+1.17", "-1.3 to +3.6"),
        *("33", "8.00", "1.00"),
    ]
    axis = scatter(table).axes[0]
    assert axis.get_title(loc="left") == "a\n3 of 4, 33 % flagged"
    assert axis.collections[-1].get_offsets().tolist() == [[26, 18]]  # the ring


def test_where_nothing_is_measurable_there_is_nothing_to_flag():
    table = pd.DataFrame({"source": ["a"], "measured": [np.nan], "raw": [np.nan], "flagged": [False], "true": [10.0]})
    assert raw_agreement(table).drop(columns="source").isna().all(axis=None)
    assert "nan" not in raw_agreement_markdown(table)
