"""Testing a trained network on images with masks: everything that any table needs, measured once."""

from pathlib import Path

import pandas as pd
import torch
from torch import nn

from sadanet_lab.files import write_atomically
from sadanet_lab.images.png import png_bytes
from sadanet_lab.images.vpi_folder import Sample
from sadanet_lab.inference.segmentation import logits_of
from sadanet_lab.metrics.measures import MEASURES, Prediction
from sadanet_lab.progress import progress
from sadanet_lab.training.recipe import Recipe

VERSION = 1
"""Raised whenever the same weights would give other tables or predictions; stored runs are then evaluated again from
their weights. A new entry of ``MEASURES`` needs no new version: a run without its table is evaluated again too."""


def evaluate(
    network: nn.Module, samples: tuple[Sample, ...], recipe: Recipe, predictions: Path | None = None
) -> dict[str, pd.DataFrame]:
    """Segment images and compare with their masks; label maps go to the folder ``predictions`` if given.

    Returns the tables of ``MEASURES`` over all images in order.
    """
    if predictions is not None:
        predictions.mkdir(parents=True, exist_ok=True)
    tables: dict[str, list[pd.DataFrame]] = {name: [] for name in MEASURES}
    with progress(len(samples), f"{recipe.name} on test images", "images") as bar:
        for sample in samples:
            image = sample.image()
            logits = logits_of(network, image, recipe)
            labels = logits.argmax(0).to(torch.uint8).cpu().numpy()
            if predictions is not None:
                write_atomically(predictions / f"{sample.stem}.png", png_bytes(labels))
            confidence = logits.softmax(0).amax(0).cpu().numpy()
            prediction = Prediction(sample.stem, image, sample.mask(), labels, confidence)
            for name, measure in MEASURES.items():
                tables[name].append(measure.of_image(prediction))
            bar.update()
    return {name: measure.combine(tables[name]) for name, measure in MEASURES.items()}
