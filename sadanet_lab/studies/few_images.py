"""A trained model taught another scanner by a few annotated images, beside a new network taught by the same."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from sadanet_lab.images.vpi_folder import VpiFolder, require_training_images
from sadanet_lab.metrics.scores import bone_dice
from sadanet_lab.paths import ROOT, resolve
from sadanet_lab.studies.angle_agreement import agreement, compare_with_truth
from sadanet_lab.training.adaptation import adapt
from sadanet_lab.training.evaluation import evaluate
from sadanet_lab.training.recipe import make_recipe
from sadanet_lab.training.run_store import get_or_train
from sadanet_lab.training.runs import Run
from sadanet_lab.training.shipped import shipped_run
from sadanet_lab.training.start import settings_of

PROFILE = "finetune"
SHIPPED, ADAPTED, NEW = "shipped model", "shipped model, adapted", "random weights"
LONGER = 4
NEW_LONGER = f"{NEW}, {LONGER} times the steps"
"""Whether images or steps are what random weights lack."""
ADAPTED_TO = 20
"""Training images whose pictures, without their masks, the shipped model is adapted to."""
COLUMNS = ("start", "images", "seed", "dice", "mae", "share_close", "measurable")


def train_on_few(
    counts: Sequence[int], longer: Sequence[int], seeds: Sequence[int], data: VpiFolder, results: str | Path
) -> list[Run]:
    """Runs of profile ``PROFILE`` on the first so many training images, from the shipped weights and from random ones.

    counts: each 1 or more; longer: those at which random weights are trained ``LONGER`` times as long as well, with the
    first seed. results: relative paths start at the project's folder. The network, what it is shown and else the steps
    are the same from both starts. Raises ``BadInput`` if the training list is shorter than the largest count.
    """
    require_training_images(data, max([*counts, *longer]))
    shipped = settings_of("shipped", resolve(results), ROOT)
    method = shipped.pop("method")
    new = {name: value for name, value in shipped.items() if not name.startswith("start")}
    told = [(count, seed, settings) for settings in (shipped, new) for count in counts for seed in seeds]
    told += [(count, seeds[0], new | {"length": LONGER}) for count in longer]
    recipes = [
        make_recipe(method, PROFILE, data.fingerprint, seed=seed, training_images=count, **settings)
        for count, seed, settings in told
    ]
    return [get_or_train(recipe, data, resolve(results)) for recipe in recipes]


def few_image_scores(runs: Iterable[Run], data: VpiFolder) -> pd.DataFrame:
    """Columns ``COLUMNS``, a row for each run: what it starts from, number of annotated images, seed.

    Of its test images: dice, mean of the bones in percent, pooled; of the largest curve angle mae in degrees,
    share_close (see ``angle_agreement.agreement``) and measurable, both shares of all images.
    """
    rows, runs = [], list(runs)
    fewest = min((run.recipe.iterations for run in runs), default=0)
    for run in runs:
        new = NEW if run.recipe.iterations == fewest else NEW_LONGER
        start = new if run.recipe.start is None else SHIPPED
        row = start, run.recipe.training_images, run.recipe.seed
        rows.append((*row, *_measured(run.counts, run.table("angles"), data)))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def scores_without_masks(data: VpiFolder) -> pd.DataFrame:
    """The same of the shipped model, taught by no mask: as it is, and adapted to ``ADAPTED_TO`` training pictures."""
    run = shipped_run()
    images = [sample.image() for sample in data.train[:ADAPTED_TO]]
    networks = {SHIPPED: run.network(), ADAPTED: adapt(run.network(), images, run.recipe)}
    rows = []
    for start, network in networks.items():
        tables = evaluate(network, data.test, run.recipe, knock_out=False)
        rows.append((start, 0, run.recipe.seed, *_measured(tables["counts"], tables["angles"], data)))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _measured(counts: pd.DataFrame, angles: pd.DataFrame, data: VpiFolder) -> tuple[float, float, float, float]:
    dice, rows = bone_dice(counts), agreement(compare_with_truth(angles.assign(source="run"), data))
    if rows.empty:  # of real images whose masks give no angle
        return dice, np.nan, np.nan, np.nan
    (found,) = rows.to_dict("records")
    return dice, found["mae"], found["share_close"], found["measurable"] / found["images"]
