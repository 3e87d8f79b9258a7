"""Initial weights: each layer's standard deviation, mean and form, released beside ours."""

import math

import pandas as pd
from torch import Tensor, nn

from sadanet_core.blocks import SegmentationNetwork
from tools.parity.cases import Case
from tools.parity.compare import pair_names


def form_of(weights: Tensor) -> str:
    """ "constant", "uniform" or "normal", by the fourth moment: 1.8 and 3 in units of the variance squared."""
    if weights.numel() == 1 or bool((weights == weights.flatten()[0]).all()):
        return f"constant {float(weights.flatten()[0]):g}"
    centred = weights.double() - weights.double().mean()
    kurtosis = float(centred.pow(4).mean() / centred.square().mean() ** 2)
    return "uniform" if kurtosis < 2.4 else "normal"


def differ(theirs: Tensor, mine: Tensor) -> bool:
    """Whether two samples are of other distributions: by form, or by a ratio of deviations beyond 5 standard errors."""
    if "constant" in (forms := form_of(theirs) + form_of(mine)):
        return form_of(theirs) != form_of(mine)
    if theirs.numel() > 200 and ("uniform" in forms and "normal" in forms):
        return True
    return abs(math.log(float(theirs.std() / mine.std()))) > 5 / math.sqrt(theirs.numel())


def initial_weights(case: Case, released: nn.Module, ours: SegmentationNetwork) -> list[dict]:
    """A row for each learned weight: one sample of each network, as built."""
    theirs, mine = dict(released.named_parameters()), dict(ours.named_parameters())
    rows = []
    for name, other in pair_names(case, released, ours):
        if name not in theirs:
            continue
        row = {"network": case.name, "weight": other, "released_weight": name, "numbers": theirs[name].numel()}
        for who, weights in (("released", theirs[name].detach()), ("ours", mine[other].detach())):
            deviation = float(weights.std()) if weights.numel() > 1 else 0.0
            row |= {f"{who}_sd": deviation, f"{who}_mean": float(weights.mean()), f"{who}_form": form_of(weights)}
        row["differs"] = differ(theirs[name].detach(), mine[other].detach())
        rows.append(row)
    return rows


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """For each network the number of weights, and those that start otherwise than released."""
    rows = []
    for network, part in table.groupby("network", sort=False):
        there = part[part.differs]
        rows.append({"network": network, "weights": len(part), "differ": len(there), "which": ", ".join(there.weight)})
    return pd.DataFrame(rows)
