"""Curve angles of whole test sets: true ones, those measured in the masks, those measured in predictions."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from sadanet_lab.images.vpi_folder import Sample, VpiFolder
from sadanet_lab.inference.segmentation import labels_of
from sadanet_lab.metrics.agreement import limits_of_agreement
from sadanet_lab.metrics.measures import angle_of
from sadanet_lab.progress import progress
from sadanet_lab.spine.curve_angles import Measurement, measure_curves
from sadanet_lab.spine.names import SEVERITIES, USUAL
from sadanet_lab.studies.run_scores import method_label
from sadanet_lab.studies.selection import phantom_truth
from sadanet_lab.training.runs import Run

CLOSE = 5.0
"""Degrees: the error of repeated expert readings that is commonly accepted for the Cobb angle."""
MASK, SHIPPED = "mask", "shipped model"
"""Sources beside the methods. Where the masks' own angles stand for the true ones, they are not among them."""
EXPERTS = "The angle in the expert's mask stands for the true one."
NOT_MEASURABLE = "not measurable"


def true_angles(data: VpiFolder) -> pd.Series | None:
    """Largest angle in degrees of each stem, of phantoms; None for real images, whose angles nobody knows."""
    truth = phantom_truth(data)
    return None if truth is None else truth.set_index("stem").largest_angle_degrees


@dataclass(frozen=True)
class Source:
    """Whose label maps of the test images were measured; runs of one method and several seeds share the title."""

    title: str
    seed: int
    measured: dict[str, Measurement]
    """By stem."""


def measure_sources(data: VpiFolder, shipped: Run | None = None) -> list[Source]:
    """The test images as measured in the masks and in the shipped model's predictions."""
    sources = [Source(MASK, 0, _measured(data.test, Sample.mask, MASK))]
    if shipped is not None:
        network = shipped.network()
        measured = _measured(data.test, lambda sample: labels_of(network, sample.image(), shipped.recipe), SHIPPED)
        sources.append(Source(SHIPPED, shipped.recipe.seed, measured))
    return sources


def assumption(masks: Source, data: VpiFolder) -> str:
    """What all errors of angles stand on, where the true ones are not known; "" of phantoms.

    masks: the first of ``measure_sources``.
    """
    lost = [found.largest_angle_degrees for found in masks.measured.values()].count(None)
    left_out = f" {lost} of {len(masks.measured)} masks give none; their images are left out." if lost else ""
    return "" if data.is_phantom else EXPERTS + left_out


def measure_run(data: VpiFolder, run: Run) -> Source:
    """The test images as measured in a run's stored predictions."""
    title = method_label(run)
    return Source(title, run.recipe.seed, _measured(data.test, lambda sample: run.prediction(sample.stem), title))


def in_order(of_sources: Sequence[pd.DataFrame], of_runs: Sequence[pd.DataFrame], data: VpiFolder) -> pd.DataFrame:
    """Tables of ``measure_sources`` and of runs as they are shown: the masks', the runs', the shipped model's.

    Of real images those of the masks are left out: they would be compared with themselves.
    """
    of_masks = of_sources[:1] if data.is_phantom else []
    return pd.concat([*of_masks, *of_runs, *of_sources[1:]], ignore_index=True)


def _measured(
    samples: Sequence[Sample], labels_of_sample: Callable[[Sample], np.ndarray], title: str
) -> dict[str, Measurement]:
    found = {}
    with progress(len(samples), f"angles, {title}", "images") as bar:
        for sample in samples:
            found[sample.stem] = measure_curves(labels_of_sample(sample))
            bar.update()
    return found


def angles(sources: Sequence[Source], runs: Iterable[Run], data: VpiFolder) -> pd.DataFrame:
    """The angles of all sources, and those stored with the runs, a row each.

    Columns source, seed, stem, measured (degrees, NaN if not measurable), raw, flagged, confidence, reason (see
    ``measures.angle_of``), true: known of phantoms; of real images the angle in the expert's mask stands for it.
    """
    of_runs = [run.table("angles").assign(source=method_label(run), seed=run.recipe.seed) for run in runs]
    of_sources = []
    for source in sources:
        table = pd.concat([angle_of(found, stem) for stem, found in source.measured.items()])
        of_sources.append(table.assign(source=source.title, seed=source.seed))
    return compare_with_truth(in_order(of_sources, of_runs, data), data)


def compare_with_truth(table: pd.DataFrame, data: VpiFolder) -> pd.DataFrame:
    """``table`` with the column true, see ``angles``, without the images of which nothing stands for the truth."""
    truth = true_angles(data)
    if truth is None:
        experts = [angle_of(measure_curves(sample.mask()), sample.stem) for sample in data.test]
        truth = pd.concat(experts).set_index("stem").measured
    return table.assign(true=table.stem.map(truth)).dropna(subset="true").reset_index(drop=True)


def agreement(table: pd.DataFrame) -> pd.DataFrame:
    """One row per source of ``angles``: images (of every seed), measurable, and of those that are measurable the mean
    absolute error (mae), bias, sd of the difference, the share within ``CLOSE`` degrees of all images, and the share of
    all images whose severity band is right."""
    columns = ("source", "images", "measurable", "mae", "bias", "sd", "share_close", "share_same_severity")
    rows = []
    for source, part in table.groupby("source", sort=False):
        off = (part.measured - part.true)[part.measured.notna()]
        bands = [(_severity(m), _severity(t)) for m, t in zip(part.measured, part.true, strict=True)]
        close, same = (off.abs() <= CLOSE).sum() / len(part), np.mean([one == other for one, other in bands])
        rows.append((source, len(part), len(off), off.abs().mean(), off.mean(), off.std(), close, same))
    return pd.DataFrame(rows, columns=list(columns))


def raw_agreement(table: pd.DataFrame) -> pd.DataFrame:
    """What smoothing does: one row per source of ``angles``.

    Columns source; of the smoothed and of the raw angles their mae, bias and 95 % limits of agreement (low, high) with
    the true ones, as smoothed_mae, raw_mae, ...; share_flagged; mae_flagged and mae_others: of the smoothed angles of
    those flagged and of the others. All are of the measurable images, NaN where there are none.
    """
    rows = []
    for source, part in table.groupby("source", sort=False):
        part = part[part.measured.notna()]
        row: dict[str, object] = {"source": source}
        for name, angle in (("smoothed", part.measured), ("raw", part.raw)):
            off = (angle - part.true).dropna()
            bias, low, high = limits_of_agreement(off.to_numpy())
            found = {"mae": off.abs().mean(), "bias": bias, "low": low, "high": high}
            row |= {f"{name}_{key}": value for key, value in found.items()}
        flagged, off = part.flagged.astype(bool), (part.measured - part.true).abs()
        row |= {"share_flagged": flagged.mean(), "mae_flagged": off[flagged].mean(), "mae_others": off[~flagged].mean()}
        rows.append(row)
    columns = [f"{name}_{key}" for name in ("smoothed", "raw") for key in ("mae", "bias", "low", "high")]
    return pd.DataFrame(rows, columns=["source", *columns, "share_flagged", "mae_flagged", "mae_others"])


def severity_table(table: pd.DataFrame, source: str) -> pd.DataFrame:
    """Images by true severity (rows) and measured severity (columns, with "not measurable") of one source."""
    part = table[table.source == source]
    counts = pd.crosstab(part.true.map(_severity), part.measured.map(_severity))
    return counts.reindex(index=list(SEVERITIES), columns=[*SEVERITIES, NOT_MEASURABLE], fill_value=0)


def _severity(degrees: float) -> str:
    return USUAL.severity_of(degrees) if degrees == degrees else NOT_MEASURABLE
