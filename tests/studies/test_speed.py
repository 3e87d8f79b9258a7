"""What all tables take at the rate of the runs that there are: by hand from what a run says of itself."""

from types import SimpleNamespace

import pandas as pd
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from sadanet_lab.methods import find_method
from sadanet_lab.studies.speed import speeds, step_flops
from sadanet_lab.training.profiles import find_profile
from sadanet_lab.training.recipe import make_recipe


def test_hours_are_those_of_the_profiles_length_times_the_trainings():
    recipe = make_recipe("unet", "smoke", "x").model_copy(update={"iterations": 2})
    took = {"training_seconds": 10.0, "testing_seconds": 3.0, "device": "CPU"}
    run = SimpleNamespace(recipe=recipe, environment=took, counts=pd.DataFrame({"stem": ["a", "a", "b"]}))
    (found,) = speeds([run], {"unet": 8}, gpu_teraflops=1.0).to_dict("records")
    steps, flops = find_profile("smoke")["iterations"], step_flops(recipe)
    assert found["seconds_per_step"] == 5
    assert found["seconds_per_image"] == 1.5
    assert found["hours_here"] == pytest.approx(8 * steps * 5 / 3600)
    assert found["hours_gpu"] == pytest.approx(8 * steps * flops / 1e12 / 3600)
    assert found["gigaflops"] == pytest.approx(flops / 1e9 / 5)


def test_a_steps_operations_are_those_that_torchs_own_counter_sees():
    recipe = make_recipe("unet", "smoke", "x")
    network = find_method("unet").build(recipe.network_settings()).train()
    with FlopCounterMode(display=False) as counter:
        outputs = network(torch.zeros(recipe.batch, recipe.input_channels, recipe.patch_height, recipe.patch_width))
        sum(each.sum() for each in outputs.values()).backward()
    assert step_flops(recipe) == counter.get_total_flops()
