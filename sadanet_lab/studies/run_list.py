"""What runs a results folder holds: which method, on what, how good, and in what each differs from its profile."""

from pathlib import Path

import pandas as pd

from sadanet_lab.errors import BadInput
from sadanet_lab.metrics.scores import bone_dice
from sadanet_lab.training.recipe import Recipe, make_recipe
from sadanet_lab.training.runs import CUT, is_complete, list_runs, open_run

COLUMNS = ("run", "method", "profile", "data", "seed", "steps", "dice", "settings")
BESIDES = {"start_sha256", "weights_sha256", "weights_file"}
"""Settings that say the same as others do, or where a file was."""


def list_of_runs(results: Path) -> tuple[pd.DataFrame, list[str]]:
    """(a row for each complete run of a results folder, by name; a line for each folder that is none).

    Columns ``COLUMNS``: data is the dataset's fingerprint, dice the mean of the bones in percent over its test images,
    settings what differs from the method's own in this profile, as "name=value".
    """
    rows, others = [], []
    for folder in list_runs(results):
        try:
            run = open_run(folder)
            made = run.recipe
            row = folder.name, made.method, made.profile, made.data, made.seed, made.iterations, bone_dice(run.counts)
            rows.append((*row, _chosen(made)))
        except BadInput as error:
            others.append(str(error))
    for folder in sorted((Path(results) / "runs").glob("[!.]*/recipe.json")):
        if not is_complete(folder.parent):
            others.append(f"{folder.parent}: {CUT}")
    return pd.DataFrame(rows, columns=list(COLUMNS)), others


def _chosen(recipe: Recipe) -> str:
    own = make_recipe(recipe.method, recipe.profile, recipe.data, seed=recipe.seed).model_dump(exclude=BESIDES)
    made = recipe.model_dump(exclude=BESIDES)
    return ", ".join(f"{name}={value}" for name, value in made.items() if value != own[name])
