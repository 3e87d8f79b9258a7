"""Scores of several runs in one long table, beside the paper's."""

from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd

from sadanet_lab import methods
from sadanet_lab.errors import BadInput
from sadanet_lab.metrics import calibration
from sadanet_lab.metrics.claims import lambda_title
from sadanet_lab.metrics.scores import REGIONS, TABLE_METRICS, bone_dice, counts_array, scores_of
from sadanet_lab.spine.classes import CLASSES
from sadanet_lab.studies.published import published_scores
from sadanet_lab.training.runs import Run

Label = Callable[[Run], str]
"""How a run is called in a table."""


def method_label(run: Run) -> str:
    """The method's title, as in Tables I and II."""
    return methods.find_method(run.recipe.method).title


def lambda_label(run: Run) -> str:
    """ "λ = 3", as in Table IV."""
    return lambda_title(run.recipe.lambda_dice)


def normalisation_label(run: Run) -> str:
    """The form of the channel attention: "softmax" or "max-minus"."""
    form = run.recipe.normalisation
    assert form is not None  # asked of runs with a channel attention only
    return form


def scores_of_runs(runs: Iterable[Run], basis: str = "pooled", label: Label = method_label) -> pd.DataFrame:
    """Scores of runs in percent, long: method (their label), seed, region, metric, percent."""
    tables = []
    for run in runs:
        scores = 100 * scores_of(run.counts, basis)
        long = scores.reset_index().melt("region", var_name="metric", value_name="percent")
        tables.append(long.assign(method=label(run), seed=run.recipe.seed))
    return pd.concat(tables, ignore_index=True)


def compare_with_paper(
    runs: Iterable[Run], table: str, basis: str = "pooled", label: Label = method_label
) -> pd.DataFrame:
    """One of the paper's tables and our runs in one long table, in percent.

    Columns source ("paper" or "here"), method, region, metric, mean, sd (over seeds; NaN for a single one), seeds.
    """
    ours = scores_of_runs(runs, basis, label)
    ours = ours[ours.metric.isin(TABLE_METRICS) & ours.region.isin(list(REGIONS))]
    grouped = ours.groupby(["method", "region", "metric"], sort=False).percent
    ours = grouped.agg(mean="mean", sd="std", seeds="count").reset_index().assign(source="here")
    paper = published_scores(table)
    paper = paper[paper.method.isin(ours.method)]
    columns = ["source", "method", "region", "metric", "mean", "sd", "seeds"]
    return pd.concat([paper, ours]).reindex(columns=columns).reset_index(drop=True)


def runs_by_label(runs: Iterable[Run], label: Label = method_label) -> dict[str, list[Run]]:
    """Label -> its runs, one a seed."""
    found: dict[str, list[Run]] = {}
    for run in runs:
        found.setdefault(label(run), []).append(run)
    return found


def counts_by_label(runs: Iterable[Run], label: Label = method_label) -> dict[str, np.ndarray]:
    """Label -> counts (seeds, images, classes, 4), for ``statistics`` and ``claims``: the same seeds, in order.

    Raises ``BadInput`` where a label lacks a seed that another has: differences are taken seed by seed.
    """
    found = {name: {run.recipe.seed: run for run in each} for name, each in runs_by_label(runs, label).items()}
    seeds = {name: sorted(each) for name, each in found.items()}
    for name, those in seeds.items():
        if those != (expected := next(iter(seeds.values()))):
            raise BadInput(f"seeds of {name}: found {those}; expected {expected}, those of {next(iter(seeds))}")
    return {name: counts_array(each[seed].counts for seed in seeds[name]) for name, each in found.items()}


def outlines(runs: Iterable[Run], label: Label = method_label) -> pd.DataFrame:
    """Outline distances and missed and false bones, one row per method and bone class, means over images and seeds.

    Columns method, region, hd95 (pixels), hd95_percent (of the image's height), surface_distance,
    surface_distance_percent, bones, missed, false (an image). NaN where a class is nowhere.
    """
    tables = []
    for run in runs:
        table = run.table("surfaces")
        percent = {f"{c}_percent": 100 * table[c] / table.height for c in ("hd95", "surface_distance")}
        tables.append(table.assign(method=label(run), **percent).rename(columns={"class": "region"}))
    columns = ["hd95", "hd95_percent", "surface_distance", "surface_distance_percent", "bones", "missed", "false"]
    return pd.concat(tables).groupby(["method", "region"], sort=False)[columns].mean().reset_index()


def frame_scores(runs: Iterable[Run], label: Label = method_label) -> pd.DataFrame:
    """Scores inside the scanned strip, and what is invented in the black frame; means over seeds, one row per method.

    Columns method, dice (mean of the bones, whole picture), dice_in_strip, false_in_frame_percent (share of all false
    bone pixels), invented (bones an image of which most lies in the frame).
    """
    rows = []
    for run in runs:
        strip, whole = run.table("strip"), run.counts
        bones = whole["class"] != "background"
        false, false_in_strip = (int(table.fp[bones].sum()) for table in (whole, strip))
        dice, inside = (bone_dice(table) for table in (whole, strip))
        share = 100 * (false - false_in_strip) / false if false else np.nan
        rows.append((label(run), dice, inside, share, strip.invented.sum() / strip.stem.nunique()))
    columns = ["method", "dice", "dice_in_strip", "false_in_frame_percent", "invented"]
    return pd.DataFrame(rows, columns=columns).groupby("method", sort=False).mean().reset_index()


def confusion_of_runs(runs: Iterable[Run]) -> pd.DataFrame:
    """Share of each true class (row) predicted as each class (column), over images and runs; NaN: no such class."""
    pixels = pd.concat(run.table("confusion") for run in runs).groupby("class")[list(CLASSES)].sum().loc[list(CLASSES)]
    totals = pixels.sum(axis=1)
    return pixels.div(totals.where(totals > 0), axis=0)


def reliability_of_runs(runs: Iterable[Run], label: Label = method_label) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(bins: method, region, bin, pixels, confidence, accuracy; errors: method, region, percent), seeds pooled."""
    tables: dict[str, list[pd.DataFrame]] = {}
    for run in runs:
        tables.setdefault(label(run), []).append(run.table("calibration"))
    bins, errors = [], []
    for name, parts in tables.items():
        together = calibration.pool(parts)
        bins.append(calibration.reliability(together).assign(method=name))
        error = 100 * calibration.expected_calibration_error(together)
        errors.append(error.rename("percent").rename_axis("region").reset_index().assign(method=name))
    return pd.concat(bins, ignore_index=True), pd.concat(errors, ignore_index=True)


def calibration_errors(errors: pd.DataFrame) -> pd.DataFrame:
    """The errors of ``reliability_of_runs``, one row per method and one column per region, in percent."""
    return errors.pivot(index="method", columns="region", values="percent").loc[errors.method.unique()]


def smooth_losses(runs: Iterable[Run], label: Label = method_label) -> pd.DataFrame:
    """Columns step, learning_rate, loss (the mean over a tenth of the training before it), method, seed."""
    tables = []
    for run in runs:
        smooth = run.history.loss.rolling(max(1, len(run.history) // 10), min_periods=1).mean()
        tables.append(run.history.assign(loss=smooth, method=label(run), seed=run.recipe.seed))
    return pd.concat(tables)
