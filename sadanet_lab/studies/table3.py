"""Table III: the paper's operations and parameters beside ours, each of its numbers traced to what gives it."""

import pandas as pd

from sadanet_lab import methods
from sadanet_lab.paths import PUBLISHED

CONFIGURATIONS = {
    "DANet": [("danet", None)],
    "~ w/o SAA": [("sadanet-without-saa", None)],
    "SADANet": [("sadanet", "text"), ("sadanet", "table3")],
}
"""Published row -> the (method, head) that its name means."""


def published_table3() -> pd.DataFrame:
    """Table III as printed: method, flops_giga, params_million, and the average scores."""
    return pd.read_csv(PUBLISHED / "table3_complexity.csv")


def in_printed_units(costs: pd.DataFrame) -> pd.DataFrame:
    """``complexity_table`` in the units of Table III: configuration, flops_giga, params_million, unrounded."""
    return pd.DataFrame(
        {
            "method": costs.method,
            "head": costs["head"],
            "configuration": [configuration(m, h) for m, h in zip(costs.method, costs["head"], strict=True)],
            "flops_giga": costs.paper_macs / 1e9,
            "params_million": costs.parameters / 1e6,
        }
    )


def configuration(method: str, head: str | None) -> str:
    """How a method and head are called in a table: "SADANet (table3)"."""
    title = methods.find_method(method).title
    return f"{title} ({head})" if isinstance(head, str) else title


def compare_rows(costs: pd.DataFrame) -> pd.DataFrame:
    """Each published row and our count of what its name means; costs: of ``complexity_table``.

    Columns row, configuration, flops_published, flops_here, params_published, params_here.
    """
    ours = in_printed_units(costs).set_index("configuration")
    rows = []
    for printed in published_table3().itertuples():
        for method, head in CONFIGURATIONS[str(printed.method)]:
            name = configuration(method, head)
            rows.append(
                {
                    "row": printed.method,
                    "configuration": name,
                    "flops_published": printed.flops_giga,
                    "flops_here": ours.flops_giga[name],
                    "params_published": printed.params_million,
                    "params_here": ours.params_million[name],
                }
            )
    return pd.DataFrame(rows)


def trace_numbers(costs: pd.DataFrame) -> pd.DataFrame:
    """Every pairing of a published FLOPs entry with a published parameter entry that one configuration gives exactly.

    "Exactly" is: equal once rounded to the two decimals that are printed. Columns flops_giga, flops_row,
    params_million, params_row, configurations (joined by commas; "none").
    """
    printed, ours = published_table3(), in_printed_units(costs).round(2)
    rows = []
    for flops in printed.itertuples():
        for params in printed.itertuples():
            both = (ours.flops_giga == flops.flops_giga) & (ours.params_million == params.params_million)
            if str(flops.method) == str(params.method) or both.any():
                rows.append(
                    {
                        "flops_giga": flops.flops_giga,
                        "flops_row": flops.method,
                        "params_million": params.params_million,
                        "params_row": params.method,
                        "configurations": ", ".join(ours.configuration[both]) or "none",
                    }
                )
    return pd.DataFrame(rows)


def undocumented_cost(costs: pd.DataFrame) -> tuple[float, float]:
    """(G operations, million parameters) that Table III's SADANet has beyond the network that the text describes."""
    ours = in_printed_units(costs).set_index("configuration")
    published, text = published_table3().set_index("method"), configuration("sadanet", "text")
    flops = published.flops_giga["SADANet"] - ours.flops_giga[text]
    return flops, published.params_million["SADANet"] - ours.params_million[text]
