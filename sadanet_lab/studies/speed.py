"""How fast stored runs were trained and tested, and what all of the paper's tables would take at that rate."""

from collections.abc import Iterable, Mapping

import pandas as pd
import torch

from sadanet_lab import methods
from sadanet_lab.studies.complexity import macs, training_step
from sadanet_lab.training.profiles import find_profile
from sadanet_lab.training.recipe import Recipe
from sadanet_lab.training.runs import Run


def step_flops(recipe: Recipe) -> int:
    """Floating-point operations (2 a multiply-add) of one training step: a batch of patches, forward and backward."""
    with torch.device("meta"):
        network = methods.find_method(recipe.method).build(recipe.bare_network_settings())
        patch = torch.empty(1, recipe.input_channels, recipe.patch_height, recipe.patch_width)
        return 2 * recipe.batch * macs(training_step(network, methods.find_method(recipe.method)), patch)


def speeds(runs: Iterable[Run], trainings: Mapping[str, int], gpu_teraflops: float) -> pd.DataFrame:
    """One row per run: what was measured, and the hours of all its method's trainings.

    trainings: method -> how many. gpu_teraflops: what a GPU is assumed to sustain. Columns method, device,
    seconds_per_step, step_gigaflop, gigaflops (sustained here), seconds_per_image (of testing, with all scores),
    hours_here (measured steps times the profile's iterations and the trainings, without testing), hours_gpu (counted
    operations at the assumed rate).
    """
    rows = []
    for run in runs:
        recipe, took = run.recipe, run.environment
        steps = find_profile(recipe.profile)["iterations"] * trainings[recipe.method]
        seconds, flops = took["training_seconds"] / recipe.iterations, step_flops(recipe)
        rows.append(
            {
                "method": methods.find_method(recipe.method).title,
                "device": took["device"],
                "seconds_per_step": seconds,
                "step_gigaflop": flops / 1e9,
                "gigaflops": flops / 1e9 / seconds,
                "seconds_per_image": took["testing_seconds"] / run.counts.stem.nunique(),
                "hours_here": steps * seconds / 3600,
                "hours_gpu": steps * flops / (gpu_teraflops * 1e12) / 3600,
            }
        )
    return pd.DataFrame(rows)
