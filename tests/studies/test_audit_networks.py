"""Table III, the widths and the equations: each finding's numbers."""

import numpy as np
import pytest

from sadanet_lab.studies import audit_networks, table3
from sadanet_lab.studies.complexity import complexity_table, paper_count
from sadanet_lab.views import tables


@pytest.fixture(scope="module")
def costs():
    return complexity_table(count=paper_count)


def test_the_equations_taken_at_their_word():
    values = audit_networks.equations().evidence.value
    assert values[0] == values[1] == 11
    assert values[2] == pytest.approx(4)
    assert np.isnan(values[3])
    assert values[4] == pytest.approx(0, abs=1e-6)


def test_only_the_working_widths_256_and_512_give_a_number_of_table_3():
    parameters = audit_networks.widths().evidence["parameters (M)"].round(2)
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
    assert "DANet gives no pair" in audit_networks.operations(costs).verdict


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
