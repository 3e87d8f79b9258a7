"""Training that starts from trained weights: the shipped model's, a run's, or a file's."""

import hashlib
from pathlib import Path
from typing import Any

from sadanet_lab.errors import BadInput
from sadanet_lab.paths import at_home
from sadanet_lab.training.recipe import sha256_of
from sadanet_lab.training.run_files import WEIGHTS
from sadanet_lab.training.runs import find_run

NETWORK = ("method", "head", "normalisation", "gamma", "backbone", "input_channels", "width")
PICTURES = ("margin", "framing", "augmentation", "rotation_degrees", "test_scales", "test_flip")
SIZES = ("image_height", "image_width", "patch_height", "patch_width")
"""Of a recipe, what a run that starts from another takes over: the network is the same, and what it is shown too."""


def settings_of(name: str, results: Path, start: Path) -> dict[str, Any]:
    """What a recipe has of the ``start`` that ``name`` names: "shipped", a run, or a file of weights (safetensors).

    Of a file only its weights are known, so that the recipe must say which network they are of. Relative paths start at
    ``start``. Raises ``BadInput`` if there is no such run or file.
    """
    file = start / at_home(name)
    if file.suffix == ".safetensors":
        return {"start": file.name, "start_file": str(file), "start_sha256": sha256_of(file)}
    if file.is_file():
        raise BadInput(f"{name}: expected weights to start from: a run, shipped, or a file that ends in .safetensors")
    run = find_run(name, results, start)
    file = run.folder / WEIGHTS
    kept = {what: getattr(run.recipe, what) for what in (*NETWORK, *PICTURES, *SIZES)}
    told = name if name == "shipped" else run.folder.name
    return kept | {"start": told, "start_file": str(file), "start_sha256": hashlib.sha256(run.weights()).hexdigest()}
