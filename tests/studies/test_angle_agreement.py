"""Agreement of measured and true angles, by hand."""

import numpy as np
import pandas as pd
import pytest

from sadanet_lab.studies.angle_agreement import CLOSE, agreement, severity_table


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
