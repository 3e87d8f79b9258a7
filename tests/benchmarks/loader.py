"""Patches prepared a second, by this process and by workers, beside what a training step eats: the paper's size.

Run: make benchmark
"""

import argparse
import tempfile
import time
from pathlib import Path

import torch

from sadanet_lab.images.folder_check import open_folder
from sadanet_lab.phantom import write_folder
from sadanet_lab.training.patches import TrainingSet, normalised
from sadanet_lab.training.recipe import make_recipe
from sadanet_lab.training.trainer import build_network, find_device

IMAGES = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=40, help="Batches of four to prepare.")
    parser.add_argument("--eaten", type=int, default=2, help="Training steps to time.")
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2])
    given = parser.parse_args()
    device = find_device("auto")
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "phantoms"
        write_folder(data, train=IMAGES, test=1)
        recipe = make_recipe("sadanet", "paper", "x", iterations=given.steps).model_copy(update={"weights": "none"})
        training_set = TrainingSet(open_folder(data).train, recipe)
    for workers in given.workers:
        print(f"{workers} workers: {prepared(training_set, workers):.0f} patches a second prepared")
    print(f"{device}: {eaten(training_set, device, given.eaten):.1f} patches a second eaten by a step forward and back")


def prepared(training_set: TrainingSet, workers: int) -> float:
    """Patches a second, from the first batch on: starting the workers is not in it."""
    batches = training_set.batches(0, workers)
    next(batches)
    start, patches = time.perf_counter(), 0
    for pictures, _ in batches:
        patches += len(pictures)
    return patches / (time.perf_counter() - start)


def eaten(training_set: TrainingSet, device: torch.device, steps: int) -> float:
    """Patches a second of SADANet's step without its optimizer, after one that is not timed."""
    network = build_network(training_set.recipe).to(device).train()
    pictures, _ = training_set[0]
    for step in range(steps + 1):
        if step == 1:
            start = time.perf_counter()
        logits = network(normalised(pictures.to(device), training_set.recipe.input_channels))
        sum(part.float().mean() for part in logits.values()).backward()
        next(network.parameters()).grad.sum().item()  # waits for a GPU
    return steps * len(pictures) / (time.perf_counter() - start)


if __name__ == "__main__":
    main()
