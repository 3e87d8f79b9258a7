"""What networks cost: Table III, attention alone, and the time that training takes."""

import pandas as pd

from sadanet_lab.studies.conclusions.wording import extremes, not_measured, sentence
from sadanet_lab.studies.table3 import in_printed_units, undocumented_cost
from sadanet_lab.words import counted


def printed(rows: pd.DataFrame) -> str:
    """Of ``table3.compare_rows``: how many numbers are, in the row's own network, as printed."""
    same = sum((rows[f"{key}_here"].round(2) == rows[f"{key}_published"]).sum() for key in ("flops", "params"))
    return sentence(
        f"{same} of {2 * len(rows)} numbers agree in both decimals with those of the network that their row names"
    )


def traced(pairs: pd.DataFrame) -> str:
    """Of ``table3.trace_numbers``: how many pairs some network gives, and how many of those stand in one row."""
    given = pairs[pairs.configurations != "none"]
    in_one_row = (given.flops_row == given.params_row).sum()
    return sentence(
        f"{counted(len(given), 'pair')} of printed numbers {'is' if len(given) == 1 else 'are'} exactly those of a "
        f"network here, {in_one_row} of them printed in one row"
    )


def beyond_the_text(costs: pd.DataFrame) -> str:
    """Of ``complexity_table``: what the last row has beyond the text, beside one wide convolution."""
    operations, parameters = undocumented_cost(costs)
    weights = 9 * 3072 * 512
    return sentence(
        f"the row SADANet has {operations:.2f} G multiply-adds and {parameters:.2f} M parameters beyond the text",
        f"a 3 x 3 convolution from 3072 to 512 channels has {weights * 64 * 64 / 1e9:.2f} G and {weights / 1e6:.2f} M",
    )


def complexity(costs: pd.DataFrame) -> str:
    """Of ``complexity_table``: what a training step of each network costs, and a whole image."""
    costs = costs.set_index(in_printed_units(costs).configuration)
    steps, memory = costs.step_macs / 1e9, costs.whole_image_peak_bytes / 2**20
    return sentence(
        f"a training step takes {extremes(steps, '{:.0f} G')} multiply-adds",
        f"a whole image {extremes(memory, '{:,.0f} MiB')} of memory",
    )


def attention(costs: pd.DataFrame) -> str:
    """Of ``complexity.attention_costs``: position attention over criss-cross attention, by image height."""
    wide = costs.pivot(index="image_height", columns="attention", values=["macs", "peak_bytes"])
    ratio = wide.xs("PAM", axis=1, level=1) / wide.xs("SCA x 2", axis=1, level=1)
    told = [
        f"{row.macs:.1f} times its multiply-adds and {row.peak_bytes:.1f} times its memory at {height:,} pixels "
        "of height"
        for height, row in ratio.iloc[[0, -1] if len(ratio) > 1 else [0]].iterrows()
    ]
    return sentence(f"beside SCA applied twice, PAM takes {', '.join(told)}")


def speed(table: pd.DataFrame, profile: str) -> str:
    """Of ``speed.speeds``: a step, and the hours of Tables I to IV here and on the assumed GPU."""
    if table.empty:
        return not_measured("speed")
    steps = table.groupby("method", sort=False).seconds_per_step.mean()
    here, gpu = table.hours_here.sum(), table.hours_gpu.sum()
    return sentence(
        f"a step of profile `{profile}` takes {extremes(steps, '{:.2g} s')}",
        f"Tables I to IV, one seed, take {here:.3g} hours at this rate and {gpu:.2g} on the assumed GPU",
    )
