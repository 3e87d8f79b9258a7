"""Agreement curve for curve, not of the largest angle alone: which curves are found, which are false, how far off."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

from sadanet_lab.images.vpi_folder import VpiFolder
from sadanet_lab.metrics.agreement import intraclass_correlation, limits_of_agreement
from sadanet_lab.spine.levels import Curve, Level, curves_of
from sadanet_lab.spine.names import USUAL, name_spine
from sadanet_lab.studies.angle_agreement import Source, in_order, measure_run
from sadanet_lab.studies.run_scores import method_label
from sadanet_lab.training.run_store import kept_table
from sadanet_lab.training.runs import Run

VERSION = 1
"""Raised whenever the same predictions would give other rows of ``curves``: what is kept with runs is made again."""
COUNTED = USUAL.severities[0]
"""Degrees from which a curve counts as missed or false: below that there is no scoliosis."""
COLUMNS = ("source", "seed", "stem", "side", "true", "measured", "raw", "true_apex", "apex", "true_region", "region")
NAMES = ("true_apex", "apex", "true_region", "region")
AGREEMENT_COLUMNS = ("source", "curves", "missed", "false", "mae", "bias", "low", "high", "icc", "icc_low", "icc_high")
AGREEMENT_COLUMNS += ("share_apex", "share_region")


class CurvedSpine(Protocol):
    """Levels from top to bottom and their curves: a ``Measurement``, or the ``TrueSpine`` of a phantom."""

    @property
    def levels(self) -> Sequence[Level]: ...
    @property
    def curves(self) -> Sequence[Curve]: ...
    @property
    def left_out(self) -> Sequence[Level]: ...


class TrueSpine:
    """Of levels that are known, as they are."""

    def __init__(self, levels: Sequence[Level]):
        self.levels, self.curves, self.left_out = levels, curves_of(levels), ()


def true_spines(data: VpiFolder) -> dict[str, TrueSpine] | None:
    """Stem -> its true levels and curves, of phantoms; None for real images, whose curves nobody knows."""
    if not data.is_phantom:
        return None
    spines: dict[str, list[Level]] = {}
    with (data.root / "levels.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            left, right = ((float(row[f"{side}_x"]), float(row[f"{side}_y"])) for side in ("left", "right"))
            region = "thoracic" if row["region"] == "thoracic" else "lumbar"
            spines.setdefault(row["stem"], []).append(Level(region, left, right))
    return {stem: TrueSpine(levels) for stem, levels in spines.items()}


def match_curves(true: CurvedSpine, found: CurvedSpine) -> list[tuple[int | None, int | None]]:
    """Indices of (true, measured) curves of one image, None beside one that has no other.

    Two may be one curve if they bend to the same side and at least half of the shorter one lies, by its height in the
    image, beside the other. Each has one other at most: those are taken that overlap most in all. Where exactly a curve
    ends is left open, since there the tilt hardly changes from one level to the next.
    """
    overlap = np.array([[_overlap(true, i, found, j) for j in found.curves] for i in true.curves])
    rows, columns = linear_sum_assignment(-overlap.reshape(len(true.curves), len(found.curves)))
    other = {int(i): int(j) for i, j in zip(rows, columns, strict=True) if overlap[i, j] > 0}
    pairs: list[tuple[int | None, int | None]] = [(i, other.get(i)) for i in range(len(true.curves))]
    return pairs + [(None, j) for j in range(len(found.curves)) if j not in other.values()]


def _overlap(true: CurvedSpine, curve: Curve, found: CurvedSpine, other: Curve) -> float:
    """Pixels of height that two curves share, 0 where they cannot be one."""
    (top, bottom), (other_top, other_bottom) = _heights(true, curve), _heights(found, other)
    shared = min(bottom, other_bottom) - max(top, other_top)
    shorter = min(bottom - top, other_bottom - other_top)
    return shared if curve.side == other.side and shared >= shorter / 2 else 0.0


def _heights(spine: CurvedSpine, curve: Curve) -> tuple[float, float]:
    """y of upper and lower end."""
    return spine.levels[curve.upper_end].centre[1], spine.levels[curve.lower_end].centre[1]


def curves(sources: Sequence[Source], runs: Iterable[Run], data: VpiFolder) -> pd.DataFrame:
    """Every true and every measured curve of the test images, matched by ``match_curves``: one row each.

    sources: the first is the masks; what is measured in the runs' predictions is kept with each. Columns ``COLUMNS``:
    side (the image's) of the convexity; true, measured and raw angle in degrees, NaN where there is no such curve;
    names of the apex and of its region, "" where there is none. Of real images the curves in the expert's mask stand
    for the true ones, as in ``angle_agreement.angles``.
    """
    truth = true_spines(data) or sources[0].measured
    of_sources = [_of(_matched(source, truth), source.title, source.seed) for source in sources]
    of_runs = []
    for run in runs:
        table = kept_table(run, f"curves-{VERSION}", lambda run=run: _matched(measure_run(data, run), truth))
        named = table.astype(dict.fromkeys(NAMES, object)).fillna(dict.fromkeys(NAMES, ""))
        of_runs.append(_of(named, method_label(run), run.recipe.seed))
    return in_order(of_sources, of_runs, data)


def _of(table: pd.DataFrame, title: str, seed: int) -> pd.DataFrame:
    return table.assign(source=title, seed=seed)[list(COLUMNS)]


def _matched(source: Source, truth: Mapping[str, CurvedSpine]) -> pd.DataFrame:
    rows = [(stem, *row) for stem, found in source.measured.items() for row in _rows(truth[stem], found)]
    return pd.DataFrame(rows, columns=list(COLUMNS[2:]))


def _rows(true: CurvedSpine, found: CurvedSpine) -> list[tuple]:
    rows = []
    for i, j in match_curves(true, found):
        true_side, true_angle, _, true_apex, true_region = _values(true, i)
        side, angle, raw, apex, region = _values(found, j)
        rows.append((true_side or side, true_angle, angle, raw, true_apex, apex, true_region, region))
    return rows


def _values(spine: CurvedSpine, index: int | None) -> tuple:
    """(side, angle, raw angle, apex, region) of one of its curves."""
    if index is None:
        return "", np.nan, np.nan, "", ""
    curve, name = spine.curves[index], name_spine(spine.levels, spine.curves, left_out=spine.left_out).curves[index]
    return curve.side, curve.angle_degrees, curve.raw_angle_degrees, name.apex, name.region


def that_count(table: pd.DataFrame) -> pd.DataFrame:
    """Of ``curves``, the true ones that count, found or missed: those of ``COUNTED`` degrees or more."""
    return table[table.true >= COUNTED]


def curve_agreement(table: pd.DataFrame) -> pd.DataFrame:
    """One row per source of ``curves``, of every seed.

    Columns source; curves: those ``that_count``; missed: those that match none; false: measured ones of as many degrees
    that match none; of those that are found, however small they were measured, mae, bias, 95 % limits of agreement
    (low, high), ICC(2,1) with its 95 % interval (icc, icc_low, icc_high; means of each seed's own: the networks of
    several seeds find the same curves, and pooled they would pass for more curves than there are), and the shares whose
    apex is named right to one vertebra (share_apex) and whose region is right (share_region). Curves of one image are
    taken as independent, which makes the interval of the ICC somewhat too narrow.
    """
    place = USUAL.vertebrae().index
    rows = []
    for source, part in table.groupby("source", sort=False):
        true = that_count(part)
        both = true[true.measured.notna()]
        bias, low, high = limits_of_agreement((both.measured - both.true).to_numpy())
        of_seeds = [
            intraclass_correlation(one[["true", "measured"]].to_numpy())
            for _, one in both.groupby("seed", dropna=False)
        ]
        icc, icc_low, icc_high = np.mean(of_seeds, axis=0) if of_seeds else [np.nan] * 3
        apex_off = [abs(place(one) - place(other)) for one, other in zip(both.true_apex, both.apex, strict=True)]
        rows.append(
            {
                "source": source,
                "curves": len(true),
                "missed": len(true) - len(both),
                "false": int((part.true.isna() & (part.measured >= COUNTED)).sum()),
                "mae": (both.measured - both.true).abs().mean(),
                "bias": bias,
                "low": low,
                "high": high,
                "icc": icc,
                "icc_low": icc_low,
                "icc_high": icc_high,
                "share_apex": (np.array(apex_off) <= 1).mean() if apex_off else np.nan,
                "share_region": (both.true_region == both.region).mean(),
            }
        )
    return pd.DataFrame(rows, columns=list(AGREEMENT_COLUMNS))
