"""What Sec. IV of the paper claims, as comparisons that can be checked on any data.

Methods are named as in the tables: by their title, or "λ = 3" in Table IV. The paper's "average" is taken on one basis,
the mean of the three bones.

A claim is judged by its primary comparisons alone: mean bone Dice, SADANet (in Table IV lambda = 3) against each other
row, corrected together (``statistics``). Its others are exploratory and told with their interval. Where the paper
speaks of the Dice and the IoU of a region, Dice stands for both: pooled, IoU = Dice / (2 - Dice) says nothing new.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from sadanet_lab.metrics.scores import BONE_AVERAGE, BONE_REGIONS
from sadanet_lab.metrics.statistics import PRIMARY, VERDICTS, Comparison, compare, primary_comparisons
from sadanet_lab.words import counted

COUNTED = ("dice", "recall")
"""The paper's metrics but for IoU."""
IDLE = 0.1
"""Points of Dice. Of a module whose removal moves it by less there is no verdict: see ``remark_idle``."""
MODULES = {
    frozenset(("SADANet", "SADANet w/o SCA")): (("SADANet", "SCA"), ("SADANet w/o SCA", "PAM")),
    frozenset(("SADANet", "DANet")): (("SADANet", "SCA"), ("DANet", "PAM")),
}
"""Two rows of Table II -> the attention that stands where they differ, as (method, module). SAA runs in training only,
and cannot be taken out."""


class SmallEffect(NamedTuple):
    """Of an attention module without which mean bone Dice moves by less than ``IDLE`` on average over the seeds."""

    lost: float
    """Points that it loses on average."""
    idle: bool
    """Whether it moves by less in the usual seed, too, and no single bone by more."""


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


REFERENCES = {"I": "SADANet", "II": "SADANet", "IV": lambda_title(3)}
"""The row of each table that the primary comparisons set against every other."""
CLAIMS = (
    Claim(
        "I",
        "SADANet surpasses UNet and FPN on all metrics",
        _each("SADANet", ("UNet", "FPN"), BONE_REGIONS, COUNTED),
    ),
    Claim(
        "I",
        "SADANet gains over 4 % on RSNU and SEAM on the average metrics",
        _each("SADANet", ("RSNU", "SEAM"), (BONE_AVERAGE,), COUNTED),
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
        _each("SADANet", ("PSANet", "CCNet", "DANet"), BONE_REGIONS, COUNTED),
    ),
    Claim(
        "II",
        "SAA raises the Dice and IoU of thoracic process and lump by over 0.3 % (w/o SCA above DANet)",
        _each("SADANet w/o SCA", ("DANet",), ("thoracic_process", "lump"), ("dice",)),
        at_least=0.3,
    ),
    Claim(
        "II",
        "SAA is not satisfactory on ribs (DANet above w/o SCA)",
        _each("DANet", ("SADANet w/o SCA",), ("rib",), COUNTED),
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
        _each("SADANet w/o SAA", ("DANet",), (BONE_AVERAGE,), COUNTED),
    ),
    Claim(
        "II",
        "As the table shows, SADANet is above both ablations and DANet on average",
        _each("SADANet", ("DANet", "SADANet w/o SCA", "SADANet w/o SAA"), (BONE_AVERAGE,), COUNTED),
    ),
    Claim(
        "IV",
        "The metrics are best for lambda from two to three (above 0 and 1, on average)",
        tuple(
            c
            for best in (2, 2.5, 3)
            for c in _each(lambda_title(best), map(lambda_title, (0, 1)), (BONE_AVERAGE,), COUNTED)
        ),
    ),
    Claim(
        "IV",
        "Above three the performance becomes worse (lambda = 3 above 4 and 5, on average)",
        _each(lambda_title(3), map(lambda_title, (4, 5)), (BONE_AVERAGE,), COUNTED),
    ),
)


def check(
    table: str,
    counts: dict[str, np.ndarray],
    published: pd.DataFrame,
    basis: str = "pooled",
    small: Mapping[tuple[str, str], SmallEffect] | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The claims about a table, on counts: name -> (seeds, images, classes, 4).

    published: the table as printed, long (method, region, metric, mean). small: see ``remark_idle``.
    Comparisons of which a method is not in ``counts`` are left out; the primary ones are corrected
    over all rows of the table that are there, whether a claim names them or not.

    Returns (comparisons: of ``remark_idle`` with said, at_least, paper (the printed difference), margin, and told, a
    line, and asked, how many comparisons the claim stands for; claims: said, a verdict in a line).
    """
    asked = [(claim, c) for claim in CLAIMS if claim.table == table for c in claim.comparisons]
    asked = [(claim, c) for claim, c in asked if c.method in counts and c.other in counts]
    if not asked:
        return pd.DataFrame(), pd.DataFrame(columns=["said", "verdict"])
    reference = REFERENCES[table]
    primary = primary_comparisons(reference, counts) if reference in counts else []
    exploratory = list(dict.fromkeys(c for _, c in asked if c not in primary))
    places = {c: place for place, c in enumerate([*primary, *exploratory])}
    found = compare(counts, primary, exploratory, basis).iloc[[places[c] for _, c in asked]].reset_index(drop=True)
    printed = published.set_index(["method", "region", "metric"])["mean"]
    found["paper"] = [printed[c.method, c.region, c.metric] - printed[c.other, c.region, c.metric] for _, c in asked]
    found["said"] = [claim.said for claim, _ in asked]
    found["asked"] = [len(claim.comparisons) for claim, _ in asked]
    found["at_least"] = [claim.at_least for claim, _ in asked]
    found = remark_idle(found, small or {})
    found["margin"] = [_margin(row) for row in found.itertuples()]
    found["told"] = [_told(row) for row in found.itertuples()]
    rows = [(said, _summary(rows)) for said, rows in found.groupby("said", sort=False)]
    return found, pd.DataFrame(rows, columns=["said", "verdict"])


def remark_idle(table: pd.DataFrame, small: Mapping[tuple[str, str], SmallEffect]) -> pd.DataFrame:
    """``statistics.compare``, and beside the verdict on two methods what it cannot say of their modules.

    small: (method, module) -> effect on the method's trained networks. What a comparison is about stands in
    ``MODULES``. Further columns remark ("" of most) and idle: whether a module does nothing, so that the verdict on the
    methods is none on it.
    """

    def told(row, idle: bool) -> str:
        about = MODULES.get(frozenset((row.method, row.other)), ()) if row.role == PRIMARY else ()
        known = [(module, small[module]) for module in about if module in small]
        lost = [f"{m[0]} loses {each.lost:+.2f} without {m[1]}" for m, each in known if each.idle == idle]
        more = f"and no bone {IDLE:g}: no verdict on the module" if idle else "on average, single bones or seeds more"
        return f"{' and '.join(lost)} {more}" if lost else ""

    rows: list[Any] = list(table.itertuples())
    idle, small_alone = ([told(row, is_idle) for row in rows] for is_idle in (True, False))
    remarks = ["; ".join(part for part in parts if part) for parts in zip(idle, small_alone, strict=True)]
    return table.assign(remark=remarks, idle=[bool(part) for part in idle])


def _margin(row) -> str:
    """Whether a claimed margin is reached: read off the 95 % interval, each for itself; no test stands behind it."""
    if not row.at_least or np.isnan(row.low):
        return ""
    if row.role != PRIMARY:
        where = "below" if row.low >= row.at_least else "above" if row.high < row.at_least else "inside"
        return f"{row.at_least:g} points lie {where} the interval"
    if row.seeds == 1:
        return ""
    if row.high < row.at_least:
        return "margin excluded"
    return "holds by the margin" if row.verdict == "above" and row.low >= row.at_least else "margin not assured"


def _told(row) -> str:
    """One comparison in a line: "SADANet > FPN on average 3 bones dice: above, +1.10 (+0.50 to +1.70), ..."."""
    what = f"{row.method} > {row.other} on {row.region.replace('_', ' ')} {row.metric}"
    if np.isnan(row.difference):
        return f"{what}: n/a, there is nothing to score"
    span = f"{row.low:+.2f} to {row.high:+.2f}" if not np.isnan(row.low) else f"no interval: {_why_none(row)}"
    parts = [row.verdict or "exploratory", f"{row.difference:+.2f} ({span})"]
    if row.seeds > 1 and not np.isnan(row.p):
        corrected = [f"corrected p {p_told(row.p_corrected)}"] if row.role == PRIMARY else []
        parts += [*corrected, f"{row.smallest:.2f} could have been found"]
    parts += [row.margin] * bool(row.margin) + [row.remark] * bool(row.remark) + ["one seed"] * (row.seeds == 1)
    return f"{what}: {', '.join(parts)}"


def p_told(p: float) -> str:
    """ "0.031", "< 0.001"; "n/a" of NaN."""
    return "n/a" if np.isnan(p) else f"{p:.3f}" if p >= 0.001 else "< 0.001"


def _why_none(row) -> str:
    return "a single image" if row.images < 2 else "in too few images"


def _summary(rows: pd.DataFrame) -> str:
    """A claim in a line: how many of its primary comparisons have which verdict, and how its margin stands."""
    primary = rows[rows.role == PRIMARY]
    verdicts = [f"{n} {word}" for word in VERDICTS if (n := int((primary.verdict == word).sum()))]
    if idle := int(primary.idle.sum()):
        verdicts.append(f"{idle} without a verdict on the module (attention that hardly moves Dice)")
    margins = [f"{n} {word}" for word, n in primary.margin[primary.margin != ""].value_counts().sort_index().items()]
    parts = [f"of {counted(len(primary), 'primary comparison')} {', '.join(verdicts)}"] if len(primary) else []
    parts += [", ".join(margins)] if margins else []
    parts += [f"{others} exploratory"] if (others := len(rows) - len(primary)) else []
    seeds, images = (counted(rows[f"{noun}s"].max(), noun) for noun in ("seed", "image"))
    return f"{'' if len(primary) else 'no verdict: '}{'; '.join(parts)} ({seeds}, {images})"
