"""Runs that were never trained, and an image for them: what tests of attention look at."""

from types import SimpleNamespace

import numpy as np
import torch

from sadanet_lab.training.recipe import make_recipe
from sadanet_lab.training.trainer import build_network

IMAGE = np.random.default_rng(0).integers(0, 256, (256, 96), np.uint8)


def stub_run(method, profile="smoke", **changes):
    """A run that was never trained: its recipe and its random network."""
    recipe = make_recipe(method, profile, "none", **changes)
    network = build_network(recipe).eval()
    with torch.no_grad():
        for module in network.modules():
            if hasattr(module, "gamma"):
                module.gamma.fill_(0.5)
    return SimpleNamespace(recipe=recipe, network=lambda step=None: network, snapshots={})
