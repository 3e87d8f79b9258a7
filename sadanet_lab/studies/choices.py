"""What the profile's own choices cost or bring: runs with a setting changed against those that keep it."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from sadanet_lab.metrics.scores import BONE_AVERAGE, bone_dice, counts_array, score_of
from sadanet_lab.metrics.statistics import estimate
from sadanet_lab.studies.run_scores import frame_scores, method_label
from sadanet_lab.training.choices import changed_settings, own_recipe
from sadanet_lab.training.runs import Run

Pair = tuple[pd.DataFrame, pd.DataFrame]

MEASURES = ("dice", "validation", "frame")


def compare_choices(runs: Iterable[Run]) -> pd.DataFrame:
    """Each run with a changed setting beside the run that keeps it, seed by seed; one row per change.

    Columns method, iterations, change (such as "gamma 0.0 (1.0)", its own in brackets), seeds, and for each of
    ``MEASURES``, of the test images' mean bone Dice, the validation images' (NaN without such) and the share of false
    bone pixels that lie in the frame, all in percent: its value as the profile has it, ``<measure>_changed``, and their
    difference. low, high: 95 % limits of that of Dice (see ``statistics.estimate``), NaN of one seed.
    """
    by_digest = {run.recipe.digest: run for run in runs}
    rows, counts = [], dict[tuple, list[Pair]]()
    for run in by_digest.values():
        changes = changed_settings(run.recipe)
        own = by_digest.get(own_recipe(run.recipe).digest)
        if not changes or own is None:
            continue
        told = ", ".join(f"{name} {value} ({getattr(own.recipe, name)})" for name, value in changes.items())
        values = dict(zip(MEASURES, _measured(own), strict=True))
        values |= {f"{name}_changed": value for name, value in zip(MEASURES, _measured(run), strict=True)}
        key = method_label(run), run.recipe.iterations, told
        rows.append(dict(zip(("method", "iterations", "change"), key, strict=True)) | values)
        counts.setdefault(key, []).append((run.counts, own.counts))
    columns = ["method", "iterations", "change", *MEASURES, *(f"{name}_changed" for name in MEASURES)]
    groups = pd.DataFrame(rows, columns=columns).groupby(columns[:3], sort=False)
    table = groups.mean().reset_index()
    table.insert(3, "seeds", groups.size().to_numpy())
    table = table.assign(**{f"{name}_difference": table[f"{name}_changed"] - table[name] for name in MEASURES})
    limits = [_limits(counts[key]) for key in table[columns[:3]].itertuples(index=False, name=None)]
    return table.assign(low=[low for low, _ in limits], high=[high for _, high in limits])


def _limits(pairs: Sequence[Pair]) -> tuple[float, float]:
    """pairs: of each seed the counts with the change and without."""
    if len(pairs) < 2:
        return np.nan, np.nan
    changed, own = (counts_array(tables) for tables in zip(*pairs, strict=True))
    return estimate(changed, own, score_of(BONE_AVERAGE, "dice")).limits


def _measured(run: Run) -> tuple[float, float, float]:
    validation = run.table("validation")
    frame = float(frame_scores([run]).false_in_frame_percent.iloc[0])
    return bone_dice(run.counts), bone_dice(validation) if len(validation) else float("nan"), frame
