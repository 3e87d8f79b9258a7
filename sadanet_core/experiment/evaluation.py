"""Testing a trained network on images with masks: everything that any table needs, counted once."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

from sadanet_core.experiment import calibration
from sadanet_core.experiment.inference import logits_of
from sadanet_core.experiment.progress import progress
from sadanet_core.experiment.recipe import Recipe
from sadanet_core.experiment.scores import confusion, counts_of
from sadanet_core.experiment.surfaces import surfaces
from sadanet_core.images.vpi_folder import Sample, png_bytes
from sadanet_core.places import write_atomically
from sadanet_core.scoliosis.spine_curve import measure


def evaluate(
    network: nn.Module, samples: tuple[Sample, ...], recipe: Recipe, predictions: Path | None = None
) -> dict[str, pd.DataFrame]:
    """Segment images and compare with their masks; label maps go to the folder ``predictions`` if given.

    Returns the tables "counts" and "confusion" (see ``scores``), "surfaces" (see there) and "angles" (see
    ``angle_of``), over all images in order, and "calibration", summed over them.
    """
    if predictions is not None:
        predictions.mkdir(parents=True, exist_ok=True)
    tables = {"counts": [], "confusion": [], "surfaces": [], "angles": [], "calibration": []}
    with progress(len(samples), f"{recipe.name} on test images", "images") as bar:
        for sample in samples:
            truth, logits = sample.mask(), logits_of(network, sample.image(), recipe)
            labels = logits.argmax(0).to(torch.uint8).cpu().numpy()
            if predictions is not None:
                write_atomically(predictions / f"{sample.stem}.png", png_bytes(labels))
            tables["confusion"].append(confusion(truth, labels, sample.stem))
            tables["counts"].append(counts_of(tables["confusion"][-1]))
            tables["surfaces"].append(surfaces(truth, labels, sample.stem))
            tables["angles"].append(angle_of(labels, sample.stem))
            tables["calibration"].append(calibration.calibration(truth, logits))
            bar.update()
    summed = {"calibration": calibration.pooled(tables.pop("calibration"))}
    return {name: pd.concat(parts, ignore_index=True) for name, parts in tables.items()} | summed


def angle_of(labels: np.ndarray, stem: str) -> pd.DataFrame:
    """One row: stem, measured (largest curve angle in degrees, NaN if not measurable), confidence, reason."""
    found = measure(labels)
    measured = np.nan if found.largest_angle_degrees is None else found.largest_angle_degrees
    return pd.DataFrame([{"stem": stem, "measured": measured, "confidence": found.confidence, "reason": found.reason}])
