"""What the profile's own choices cost or bring: runs with a setting changed against those that keep it."""

from collections.abc import Iterable

import pandas as pd

from sadanet_lab.metrics.scores import bone_dice
from sadanet_lab.studies.run_scores import frame_scores, method_label
from sadanet_lab.training.choices import changed_settings, own_recipe
from sadanet_lab.training.runs import Run

MEASURES = ("dice", "validation", "frame")


def compare_choices(runs: Iterable[Run]) -> pd.DataFrame:
    """Each run with a changed setting beside the run that keeps it, seed by seed; one row per change.

    Columns method, iterations, change (such as "gamma 0.0 (1.0)", its own in brackets), seeds, and for each of
    ``MEASURES``, of the test images' mean bone Dice, the validation images' (NaN without such) and the share of false
    bone pixels that lie in the frame, all in percent: its value as the profile has it, ``<measure>_changed``, and their
    difference.
    """
    by_digest = {run.recipe.digest: run for run in runs}
    rows = []
    for run in by_digest.values():
        changes = changed_settings(run.recipe)
        own = by_digest.get(own_recipe(run.recipe).digest)
        if not changes or own is None:
            continue
        told = ", ".join(f"{name} {value} ({getattr(own.recipe, name)})" for name, value in changes.items())
        values = dict(zip(MEASURES, _measured(own), strict=True))
        values |= {f"{name}_changed": value for name, value in zip(MEASURES, _measured(run), strict=True)}
        rows.append({"method": method_label(run), "iterations": run.recipe.iterations, "change": told} | values)
    columns = ["method", "iterations", "change", *MEASURES, *(f"{name}_changed" for name in MEASURES)]
    groups = pd.DataFrame(rows, columns=columns).groupby(columns[:3], sort=False)
    table = groups.mean().reset_index()
    table.insert(3, "seeds", groups.size().to_numpy())
    return table.assign(**{f"{name}_difference": table[f"{name}_changed"] - table[name] for name in MEASURES})


def _measured(run: Run) -> tuple[float, float, float]:
    validation = run.table("validation")
    frame = float(frame_scores([run]).false_in_frame_percent.iloc[0])
    return bone_dice(run.counts), bone_dice(validation) if len(validation) else float("nan"), frame
