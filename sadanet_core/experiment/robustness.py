"""Dice and angle error of trained networks on test images that have been made worse on purpose."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from sadanet_core.experiment.inference import labels_of
from sadanet_core.experiment.progress import progress
from sadanet_core.experiment.run_store import Run
from sadanet_core.experiment.scores import count, ratios
from sadanet_core.images.classes import BONES
from sadanet_core.images.degradations import DEGRADATIONS
from sadanet_core.images.vpi_folder import Sample
from sadanet_core.scoliosis.spine_curve import measure


def robustness(runs: Mapping[str, Run], samples: Sequence[Sample], seed: int = 0) -> pd.DataFrame:
    """Every network on every image under every degradation and strength.

    runs: title -> run. Columns network, degradation, strength, stem, dice (mean of the bones, see ``scores``),
    angle_error (degrees against the angle of the degraded mask, NaN where one of the two is not measurable). The same
    random stream serves all networks.
    """
    networks = {title: (run.network(), run.recipe) for title, run in runs.items()}
    cases = [(name, strength) for name, one in DEGRADATIONS.items() for strength in one.strengths]
    rows = []
    with progress(len(cases) * len(samples), "degraded images", "images") as bar:
        for name, strength in cases:
            for number, sample in enumerate(samples):
                rng = np.random.default_rng([seed, list(DEGRADATIONS).index(name), number])
                image, mask = DEGRADATIONS[name].apply(sample.image(), sample.mask(), strength, rng)
                true = measure(mask).largest_angle_degrees
                for title, (network, recipe) in networks.items():
                    labels = labels_of(network, image, recipe)
                    found = measure(labels).largest_angle_degrees
                    error = np.nan if None in (true, found) else abs(found - true)
                    counts = count(mask, labels, sample.stem)
                    dice = ratios(counts).dice[counts["class"].isin(BONES)].mean()
                    rows.append((title, name, strength, sample.stem, dice, error))
                bar.update()
    return pd.DataFrame(rows, columns=["network", "degradation", "strength", "stem", "dice", "angle_error"])
