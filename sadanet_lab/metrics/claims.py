"""What Sec. IV of the paper claims, as comparisons that can be checked on any data.

Methods are named as in the tables: by their title, or "λ = 3" in Table IV. The paper's "average" is taken on one basis,
the mean of the three bones.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd

from sadanet_lab.metrics.scores import BONE_AVERAGE, BONE_REGIONS, PAPER_METRICS
from sadanet_lab.metrics.statistics import Comparison, compare


@dataclass(frozen=True)
class Claim:
    """A sentence of Sec. IV, or what a table is printed to show, and the comparisons that it stands for.

    Each comparison says "method above other". table: "I", "II" or "IV". at_least: points of percent by which the
    method is said to be above.
    """

    table: str
    said: str
    comparisons: tuple[Comparison, ...]
    at_least: float = 0.0


def lambda_title(value: float) -> str:
    """How a lambda is called in Table IV: "λ = 2.5"."""
    return f"λ = {value:g}"


def lambda_of(title: str) -> float:
    """The value that ``lambda_title`` has written."""
    return float(title.removeprefix("λ = "))


def _each(method: str, others: Iterable[str], regions: Iterable[str], metrics: Iterable[str]) -> tuple[Comparison, ...]:
    return tuple(Comparison(method, *rest) for rest in product(others, regions, metrics))


CLAIMS = (
    Claim(
        "I",
        "SADANet surpasses UNet and FPN on all metrics",
        _each("SADANet", ("UNet", "FPN"), BONE_REGIONS, PAPER_METRICS),
    ),
    Claim(
        "I",
        "SADANet gains over 4 % on RSNU and SEAM on the average metrics",
        _each("SADANet", ("RSNU", "SEAM"), (BONE_AVERAGE,), PAPER_METRICS),
        at_least=4.0,
    ),
    Claim(
        "I",
        "SADANet does not reach a better IoU on rib and thoracic process (RSNU and SEAM above)",
        (
            Comparison("RSNU", "SADANet", "rib", "iou"),
            *_each("SEAM", ("SADANet",), ("rib", "thoracic_process"), ("iou",)),
        ),
    ),
    Claim(
        "I",
        "SADANet outperforms the attention-based PSANet, CCNet and DANet on nearly all metrics",
        _each("SADANet", ("PSANet", "CCNet", "DANet"), BONE_REGIONS, PAPER_METRICS),
    ),
    Claim(
        "II",
        "SAA raises the Dice and IoU of thoracic process and lump by over 0.3 % (w/o SCA above DANet)",
        _each("SADANet w/o SCA", ("DANet",), ("thoracic_process", "lump"), ("dice", "iou")),
        at_least=0.3,
    ),
    Claim(
        "II",
        "SAA is not satisfactory on ribs (DANet above w/o SCA)",
        _each("DANet", ("SADANet w/o SCA",), ("rib",), PAPER_METRICS),
    ),
    Claim(
        "II",
        "SCA raises the IoU of lumps by over 2 % (w/o SAA above DANet)",
        _each("SADANet w/o SAA", ("DANet",), ("lump",), ("iou",)),
        at_least=2.0,
    ),
    Claim(
        "II",
        "SCA contributes a lot on the average metrics (w/o SAA above DANet)",
        _each("SADANet w/o SAA", ("DANet",), (BONE_AVERAGE,), PAPER_METRICS),
    ),
    Claim(
        "II",
        "As the table shows, SADANet is above both ablations and DANet on average",
        _each("SADANet", ("DANet", "SADANet w/o SCA", "SADANet w/o SAA"), (BONE_AVERAGE,), PAPER_METRICS),
    ),
    Claim(
        "IV",
        "The metrics are best for lambda from two to three (above 0 and 1, on average)",
        tuple(
            c
            for best in (2, 2.5, 3)
            for c in _each(lambda_title(best), map(lambda_title, (0, 1)), (BONE_AVERAGE,), PAPER_METRICS)
        ),
    ),
    Claim(
        "IV",
        "Above three the performance becomes worse (lambda = 3 above 4 and 5, on average)",
        _each(lambda_title(3), map(lambda_title, (4, 5)), (BONE_AVERAGE,), PAPER_METRICS),
    ),
)


def check(
    table: str, counts: dict[str, np.ndarray], published: pd.DataFrame, basis: str = "pooled"
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The claims about a table, on counts: name -> (seeds, images, classes, 4).

    published: the table as printed, long (method, region, metric, mean). Comparisons of which a method is not in
    ``counts`` are left out; the correction is over all that remain.

    Returns (comparisons: of ``statistics.compare`` with said, at_least, paper (the printed difference) and verdict;
    claims: said, a verdict in a line).
    """
    asked = [(claim, c) for claim in CLAIMS if claim.table == table for c in claim.comparisons]
    asked = [(claim, c) for claim, c in asked if c.method in counts and c.other in counts]
    if not asked:
        return pd.DataFrame(), pd.DataFrame(columns=["said", "verdict"])
    found = compare(counts, [c for _, c in asked], basis)
    printed = published.set_index(["method", "region", "metric"])["mean"]
    found["paper"] = [printed[c.method, c.region, c.metric] - printed[c.other, c.region, c.metric] for _, c in asked]
    found["said"] = [claim.said for claim, _ in asked]
    found["at_least"] = [claim.at_least for claim, _ in asked]
    found["verdict"] = [verdict_of(row) for row in found.itertuples()]
    rows = [(said, _summary(rows)) for said, rows in found.groupby("said", sort=False)]
    return found, pd.DataFrame(rows, columns=["said", "verdict"])


def verdict_of(row) -> str:
    """One comparison in a line; row: of ``statistics.compare``, with ``at_least``.

    "SADANet > DANet on lump dice: not separable, -0.2 to +0.5"

    Whether a claimed margin is reached is read off the interval alone, each for itself: no test stands behind it.
    """
    what = f"{row.method} > {row.other} on {row.region.replace('_', ' ')} {row.metric}"
    if np.isnan(row.difference):
        return f"{what}: n/a, there is nothing to score"
    told = f"{row.difference:+.2f}"
    if np.isnan(row.low):
        return f"{what}: {told}, no interval ({_why_none(row)})"
    span = f"{row.low:+.2f} to {row.high:+.2f}"
    note = ", one seed" if row.seeds == 1 else ""
    if not row.separable:
        # An interval beside zero does not suffice: among many comparisons some are so by chance.
        by_test = f" (corrected p {row.p_corrected:.2f})" if row.low > 0 or row.high < 0 else ""
        excluded = f", {row.at_least:g} points excluded" if 0 < row.high < row.at_least else ""
        return f"{what}: not separable, {span}{by_test}{excluded}{note}"
    if row.difference < 0:
        return f"{what}: reversed, {span}{note}"
    if row.high < row.at_least:
        return f"{what}: holds by less than claimed, {span}, {row.at_least:g} points excluded{note}"
    reached = "" if row.low >= row.at_least else f", {row.at_least:g} points not assured"
    return f"{what}: holds, {span}{reached}{note}"


def _why_none(row) -> str:
    return "a single image" if row.images < 2 else "in too few images"


def _summary(rows: pd.DataFrame) -> str:
    above, reached, excluded = (
        rows.separable & (rows.difference > 0),
        rows.low >= rows.at_least,
        rows.high < rows.at_least,
    )
    kinds = {
        ("holds", "hold"): above & reached,
        ("holds, the margin not assured", "hold, the margin not assured"): above & ~reached & ~excluded,
        ("holds by less than claimed", "hold by less than claimed"): above & excluded,
        ("is reversed", "are reversed"): rows.separable & (rows.difference < 0),
        ("is not separable", "are not separable"): ~rows.separable & rows.low.notna(),
        ("has no interval", "have no interval"): rows.low.isna(),
    }
    numbers = {words: int(each.sum()) for words, each in kinds.items() if each.any()}
    parts = [f"{number} {one if number == 1 else several}" for (one, several), number in numbers.items()]
    seeds, images = (_counted(rows[column].max(), column) for column in ("seeds", "images"))
    return f"of {_counted(len(rows), 'comparisons')} {', '.join(parts)} ({seeds}, {images})"


def _counted(number: int, plural: str) -> str:
    return f"{number} {plural if number != 1 else plural.removesuffix('s')}"
