"""Which images of a dataset to look at."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from sadanet_lab.errors import BadInput, one_line
from sadanet_lab.images.formats import read_picture
from sadanet_lab.images.picture import Picture
from sadanet_lab.images.png import read_vpi
from sadanet_lab.images.vpi_folder import Sample, VpiFolder
from sadanet_lab.paths import PHANTOM, resolve
from sadanet_lab.studies.disagreement import dice_of_images
from sadanet_lab.training.datasets import open_data
from sadanet_lab.training.patches import TrainingSet
from sadanet_lab.training.recipe import Recipe
from sadanet_lab.training.runs import Run


def phantom_truth(data: VpiFolder) -> pd.DataFrame | None:
    """``truth.csv`` of a phantom folder (stem, split, largest_angle_degrees, ...); None for real images.

    Raises ``BadInput`` unless it has a row with a largest angle for every image of the lists.
    """
    if not data.is_phantom:
        return None
    path, expected = data.root / "truth.csv", "a table with a largest angle for each image, as `sadanet phantom` writes"
    try:
        table = pd.read_csv(path, dtype={"stem": str}, keep_default_na=False).astype({"largest_angle_degrees": float})
        known = set(table.stem[np.isfinite(table.largest_angle_degrees)])
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise BadInput(f"{path}: damaged ({one_line(str(error))[:200]}); expected {expected}") from None
    lost = [sample.stem for sample in (*data.train, *data.test, *data.val) if sample.stem not in known]
    if lost:
        raise BadInput(f"{path}: no angle of {lost[0]!r}; expected {expected}")
    return table


def pick_samples(data: VpiFolder, count: int) -> tuple[list[Sample], list[str]]:
    """Test images to look at, and a title each: of phantoms those from the smallest angle to the largest."""
    truth = phantom_truth(data)
    samples = list(data.test)
    titles = {sample.stem: sample.stem for sample in samples}
    if truth is not None:
        angles = truth.set_index("stem").largest_angle_degrees
        samples.sort(key=lambda sample: angles[sample.stem])
        titles = {sample.stem: f"largest angle {angles[sample.stem]:.0f}°" for sample in samples}
    places = np.linspace(0, len(samples) - 1, min(count, len(samples))).round().astype(int)
    return [samples[i] for i in places], [titles[samples[i].stem] for i in places]


def pick_sample(data: VpiFolder, run: Run, stem: str = "") -> Sample:
    """The test image of that stem; of none, the one whose Dice is the median of the run's."""
    if stem:
        found = [sample for sample in data.test if sample.stem == stem]
        if not found:
            raise BadInput(f"{data.root}: no test image {stem!r}; the first is {data.test[0].stem!r}")
        return found[0]
    dice = dice_of_images(run)
    return sorted(data.test, key=lambda sample: np.nan_to_num(dice[sample.stem]))[len(data.test) // 2]


def pick_image(samples: Sequence[Sample], image: str) -> np.ndarray:
    """``image`` is a test image's stem, the path of a PNG, or "" for the first test image."""
    by_stem = {sample.stem: sample for sample in samples}
    if not image:
        return samples[0].image()
    if image in by_stem:
        return by_stem[image].image()
    return read_vpi(resolve(image))


def pick_image_or_file(data: str, profile: str) -> tuple[Picture, str]:
    """(picture, name): ``data`` is its file, or a dataset (see ``open_data``), whose first test image is taken."""
    if data != PHANTOM and resolve(data).is_file():
        return read_picture(resolve(data)), data
    sample = open_data(data, profile).test[0]
    return read_picture(sample.image_path), sample.stem


def pick_patches(data: VpiFolder, recipe: Recipe, steps: int = 3) -> tuple[Tensor, Tensor]:
    """(pictures (B, 1, h, w), label maps (B, h, w)), uint8, of the first training steps: see ``TrainingSet``."""
    training_set = TrainingSet(data.train[: steps * recipe.batch], recipe)  # enough for a patch each
    pictures, labels = zip(*(training_set[step] for step in range(steps)), strict=True)
    return torch.cat(pictures), torch.cat(labels)
