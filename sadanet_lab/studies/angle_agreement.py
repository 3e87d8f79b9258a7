"""Curve angles of whole test sets: true ones, those measured in experts' masks, those measured in predictions."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from sadanet_lab import methods
from sadanet_lab.images.vpi_folder import Sample, VpiFolder
from sadanet_lab.inference.segmentation import labels_of
from sadanet_lab.metrics.measures import angle_of
from sadanet_lab.progress import progress
from sadanet_lab.spine.curve_angles import SEVERITIES, severity_of
from sadanet_lab.studies.selection import phantom_truth
from sadanet_lab.training.run_store import Run

CLOSE = 5.0
"""Degrees: the error of repeated expert readings that is commonly accepted for the Cobb angle."""
EXPERT, SHIPPED = "expert's mask", "shipped model"


def true_angles(data: VpiFolder) -> pd.Series | None:
    """Largest angle in degrees of each stem, of phantoms; None for real images, whose angles nobody knows."""
    truth = phantom_truth(data)
    return None if truth is None else truth.set_index("stem").largest_angle_degrees


def angles(data: VpiFolder, runs: Iterable[Run], shipped: Run | None = None) -> pd.DataFrame:
    """Angles of the test images from the experts' masks, from each run's predictions, from the shipped model.

    Runs of one method and several seeds are one source. Columns source, seed, stem, measured (degrees, NaN if not
    measurable), raw, flagged, confidence, reason (see ``measures.angle_of``), true: known of phantoms; of real images
    the angle in the expert's mask stands for it.
    """
    tables = [pd.concat([angle_of(sample.mask(), sample.stem) for sample in data.test]).assign(source=EXPERT, seed=0)]
    for run in runs:
        source = methods.find_method(run.recipe.method).title
        tables.append(run.table("angles").assign(source=source, seed=run.recipe.seed))
    if shipped is not None:
        tables.append(_segmented(data.test, shipped).assign(source=SHIPPED, seed=shipped.recipe.seed))
    return compare_with_truth(pd.concat(tables, ignore_index=True), data)


def compare_with_truth(table: pd.DataFrame, data: VpiFolder) -> pd.DataFrame:
    """``table`` with the column true; see ``angles``."""
    truth = true_angles(data)
    if truth is None:
        truth = pd.concat([angle_of(sample.mask(), sample.stem) for sample in data.test]).set_index("stem").measured
    return table.assign(true=table.stem.map(truth))


def _segmented(samples: tuple[Sample, ...], run: Run) -> pd.DataFrame:
    network, rows = run.network(), []
    with progress(len(samples), f"{SHIPPED} on test images", "images") as bar:
        for sample in samples:
            rows.append(angle_of(labels_of(network, sample.image(), run.recipe), sample.stem))
            bar.update()
    return pd.concat(rows)


def agreement(table: pd.DataFrame) -> pd.DataFrame:
    """One row per source of ``angles``: images (of every seed), measurable, and of those that are measurable the mean
    absolute error (mae), bias, sd of the difference, the share within ``CLOSE`` degrees of all images, and the share of
    all images whose severity band is right."""
    rows = []
    for source, part in table.dropna(subset="true").groupby("source", sort=False):
        off = (part.measured - part.true)[part.measured.notna()]
        same = [m == m and severity_of(m) == severity_of(t) for m, t in zip(part.measured, part.true, strict=True)]
        rows.append(
            {
                "source": source,
                "images": len(part),
                "measurable": len(off),
                "mae": off.abs().mean(),
                "bias": off.mean(),
                "sd": off.std(),
                "share_close": (off.abs() <= CLOSE).sum() / len(part),
                "share_same_severity": np.mean(same),
            }
        )
    return pd.DataFrame(rows)


def raw_agreement(table: pd.DataFrame) -> pd.DataFrame:
    """What smoothing does: one row per source of ``angles``.

    Columns source; of the smoothed and of the raw angles their mae, bias and 95 % limits of agreement (low, high) with
    the true ones, as smoothed_mae, raw_mae, ...; share_flagged; mae_flagged and mae_others: of the smoothed angles of
    those flagged and of the others. All are of the measurable images, NaN where there are none.
    """
    rows = []
    for source, part in table.dropna(subset="true").groupby("source", sort=False):
        part = part[part.measured.notna()]
        row: dict[str, object] = {"source": source}
        for name, angle in (("smoothed", part.measured), ("raw", part.raw)):
            off = angle - part.true
            reach = 1.96 * off.std()
            found = {"mae": off.abs().mean(), "bias": off.mean(), "low": off.mean() - reach, "high": off.mean() + reach}
            row |= {f"{name}_{key}": value for key, value in found.items()}
        flagged, off = part.flagged.astype(bool), (part.measured - part.true).abs()
        row |= {"share_flagged": flagged.mean(), "mae_flagged": off[flagged].mean(), "mae_others": off[~flagged].mean()}
        rows.append(row)
    return pd.DataFrame(rows)


def severity_table(table: pd.DataFrame, source: str) -> pd.DataFrame:
    """Images by true severity (rows) and measured severity (columns, with "not measurable") of one source."""
    names = [name for _, name in SEVERITIES]

    def severity_found(degrees: float) -> str:
        return severity_of(degrees) if degrees == degrees else "not measurable"

    part = table[(table.source == source) & table.true.notna()]
    true = part.true.map(severity_of)
    found = part.measured.map(severity_found)
    return pd.crosstab(true, found).reindex(index=names, columns=[*names, "not measurable"], fill_value=0)
