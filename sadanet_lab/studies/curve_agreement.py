"""Agreement curve for curve, not of the largest angle alone: which curves are found, which are false, how far off."""

import csv
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import pandas as pd

from sadanet_lab.images.vpi_folder import VpiFolder
from sadanet_lab.metrics.agreement import intraclass_correlation, limits_of_agreement
from sadanet_lab.spine.levels import Curve, Level, curves_of
from sadanet_lab.spine.names import USUAL, name_spine
from sadanet_lab.studies.angle_agreement import Source

COUNTED = USUAL.severities[0]
"""Degrees from which a curve counts as missed or false: below that there is no scoliosis."""
COLUMNS = ("source", "seed", "stem", "side", "true", "measured", "raw", "true_apex", "apex", "true_region", "region")


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

    Two are one curve if they bend to the same side and the apex of each lies, by its height in the image, between the
    ends of the other. So none has two others: a spine's curves change sides from one to the next, and those of one side
    have no height in common.
    """
    pairs: list[tuple[int | None, int | None]] = []
    left = list(range(len(found.curves)))
    for i, curve in enumerate(true.curves):
        j = next((j for j in left if _is_same(true, curve, found, found.curves[j])), None)
        pairs.append((i, j))
        left = [other for other in left if other != j]
    return pairs + [(None, j) for j in left]


def _is_same(true: CurvedSpine, curve: Curve, found: CurvedSpine, other: Curve) -> bool:
    (top, apex, bottom), (other_top, other_apex, other_bottom) = _heights(true, curve), _heights(found, other)
    return curve.side == other.side and top <= other_apex <= bottom and other_top <= apex <= other_bottom


def _heights(spine: CurvedSpine, curve: Curve) -> list[float]:
    """y of upper end, apex and lower end."""
    return [spine.levels[i].centre[1] for i in (curve.upper_end, curve.apex, curve.lower_end)]


def curves(sources: Sequence[Source], data: VpiFolder) -> pd.DataFrame:
    """Every true and every measured curve of the test images, matched by ``match_curves``: one row each.

    sources: the first is the experts' masks. Columns ``COLUMNS``: side (the image's) of the convexity; true, measured
    and raw angle in degrees, NaN where there is no such curve; names of the apex and of its region, "" where there is
    none. Of real images the curves in the expert's mask stand for the true ones, as in ``angle_agreement.angles``.
    """
    truth = true_spines(data) or sources[0].measured
    rows = []
    for source in sources:
        for stem, found in source.measured.items():
            rows += [(source.title, source.seed, stem, *row) for row in _rows(truth[stem], found)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _rows(true: CurvedSpine, found: CurvedSpine) -> list[tuple]:
    true_names, names = (name_spine(s.levels, s.curves, left_out=s.left_out).curves for s in (true, found))
    rows = []
    for i, j in match_curves(true, found):
        side = true.curves[i].side if i is not None else found.curves[j or 0].side
        true_angle, true_apex, true_region = np.nan, "", ""
        if i is not None:
            true_angle, true_apex, true_region = true.curves[i].angle_degrees, true_names[i].apex, true_names[i].region
        angle, raw, apex, region = np.nan, np.nan, "", ""
        if j is not None:
            curve = found.curves[j]
            angle, raw, apex, region = curve.angle_degrees, curve.raw_angle_degrees, names[j].apex, names[j].region
        rows.append((side, true_angle, angle, raw, true_apex, apex, true_region, region))
    return rows


def counted(table: pd.DataFrame) -> pd.DataFrame:
    """Of ``curves``, the true ones that count, found or missed: those of ``COUNTED`` degrees or more."""
    return table[table.true >= COUNTED]


def curve_agreement(table: pd.DataFrame) -> pd.DataFrame:
    """One row per source of ``curves``, of every seed.

    Columns source; curves: the ``counted`` ones; missed: those that match none; false: measured ones of as many degrees
    that match none; of those that are found, however small they were measured, mae, bias, 95 % limits of agreement
    (low, high), ICC(2,1) with its 95 % interval (icc, icc_low, icc_high), and the shares whose apex is named right to
    one vertebra (share_apex) and whose region is right (share_region). Curves of one image, and those that the networks
    of several seeds find in it, are taken as independent, which makes the interval of the ICC somewhat too narrow.
    """
    place = USUAL.vertebrae().index
    rows = []
    for source, part in table.groupby("source", sort=False):
        true = counted(part)
        both = true[true.measured.notna()]
        bias, low, high = limits_of_agreement((both.measured - both.true).to_numpy())
        icc, icc_low, icc_high = intraclass_correlation(both[["true", "measured"]].to_numpy())
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
