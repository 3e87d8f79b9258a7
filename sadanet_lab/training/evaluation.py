"""Testing a trained network on images with masks: everything that any table needs, measured once."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from sadanet_core import record_attention
from sadanet_core.attention import Softmax
from sadanet_lab.files import write_atomically
from sadanet_lab.images.png import png_bytes
from sadanet_lab.images.vpi_folder import Sample
from sadanet_lab.inference.knockouts import knocked_out, shared_features
from sadanet_lab.inference.segmentation import logits_of
from sadanet_lab.methods import find_method
from sadanet_lab.methods.shared.method import Attention
from sadanet_lab.metrics.measures import MEASURES, Prediction, stack_rows
from sadanet_lab.metrics.scores import count
from sadanet_lab.progress import progress
from sadanet_lab.training.datasets import read_bones
from sadanet_lab.training.recipe import Recipe

VERSION = 4
"""Raised whenever the same weights would give other tables or predictions; stored runs are then evaluated again from
their weights. A new entry of ``MEASURES`` needs no new version: a run without its table is evaluated again too."""

ONE_HOT = 0.99
"""Weight of the heaviest entry from which a row of an attention map is called one-hot: it looks at one thing alone."""


def table_names() -> list[str]:
    """Every table of an evaluation.

    Those of ``MEASURES``; "<measure>_without" for some, of the network without each of its attention modules;
    "attention": module (title), gamma (NaN without one) and one_hot, the share of one-hot rows in the module's maps of
    all images; "validation": counts of the validation images (see ``metrics.scores``).
    """
    return [*MEASURES, *_knocked_out_tables().values(), "attention", "validation"]


def _knocked_out_tables() -> dict[str, str]:
    return {name: f"{name}_without" for name, measure in MEASURES.items() if measure.knocked_out}


def evaluate(
    network: nn.Module,
    samples: tuple[Sample, ...],
    recipe: Recipe,
    predictions: Path | None = None,
    validation: tuple[Sample, ...] = (),
    knock_out: bool = True,
) -> dict[str, pd.DataFrame]:
    """Segment images and compare with their masks; label maps go to the folder ``predictions`` if given.

    Returns the tables of ``table_names`` over all images in order. knock_out: each attention module in turn; without,
    the tables that tell of them have no rows.
    """
    if predictions is not None:
        predictions.mkdir(parents=True, exist_ok=True)
    tables: dict[str, list[pd.DataFrame]] = {name: [] for name in table_names()}
    knocked_out_tables = _knocked_out_tables()
    attention = find_method(recipe.method).attention if knock_out else {}
    rows = {title: _OneHotRows(network, module) for title, module in attention.items()}
    bones = read_bones(samples[0].root) if samples else None
    with progress(len(samples), f"{recipe.name} on test images", "images") as bar:
        for sample in samples:
            image = sample.image()
            with shared_features(network):
                with record_attention(network) as maps:
                    logits = logits_of(network, image, recipe)
                for each in rows.values():
                    each.add(maps)
                maps.clear()  # position attention's takes a GiB at the paper's size
                prediction = _prediction(sample, image, logits, bones)
                if predictions is not None:
                    write_atomically(predictions / f"{sample.stem}.png", png_bytes(prediction.labels))
                for name, measure in MEASURES.items():
                    tables[name].append(measure.of_image(prediction))
                for title, module in attention.items():
                    with knocked_out(network, module):
                        left = replace(prediction, labels=_labels(logits_of(network, image, recipe)))
                    for name, table in knocked_out_tables.items():
                        tables[table].append(MEASURES[name].of_image(left).assign(without=title))
            bar.update()
    found = {name: measure.combine(tables[name]) for name, measure in MEASURES.items()}
    for name, table in knocked_out_tables.items():
        found[table] = stack_rows(tables[table] or [found[name][:0].assign(without="")])
    found["attention"] = pd.DataFrame(
        [{"module": title, "gamma": each.gamma, "one_hot": each.share} for title, each in rows.items()],
        columns=["module", "gamma", "one_hot"],
    )
    return found | {"validation": _counts(network, validation, recipe)}


def _counts(network: nn.Module, samples: Iterable[Sample], recipe: Recipe) -> pd.DataFrame:
    tables = [count(np.zeros((0, 0), int), np.zeros((0, 0), int), "")[:0]]
    for sample in samples:
        tables.append(count(sample.mask(), _labels(logits_of(network, sample.image(), recipe)), sample.stem))
    return pd.concat(tables, ignore_index=True)


def _labels(logits: Tensor) -> np.ndarray:
    return logits.argmax(0).to(torch.uint8).cpu().numpy()


def _prediction(sample: Sample, image: np.ndarray, logits: Tensor, bones: pd.DataFrame | None) -> Prediction:
    known = None if bones is None else bones[bones.stem == sample.stem]
    numbers = None if bones is None else sample.bone_numbers()
    confidence = logits.softmax(0).amax(0).cpu().numpy()
    return Prediction(sample.stem, image, sample.mask(), _labels(logits), confidence, known, numbers)


class _OneHotRows:
    """Counts the one-hot rows of one attention module's maps."""

    def __init__(self, network: nn.Module, attention: Attention):
        self.dims = {name: cast(Softmax, network.get_submodule(name)).dim for name in attention.maps}
        gamma = getattr(network.get_submodule(attention.module), "gamma", None)
        self.gamma = float(gamma.detach()) if isinstance(gamma, Tensor) else np.nan
        self.one_hot = self.rows = 0

    def add(self, maps: dict[str, list[Tensor]]) -> None:
        for name, dim in self.dims.items():
            for found in maps[name]:
                heaviest = found.amax(dim)
                self.one_hot += int((heaviest >= ONE_HOT).sum())
                self.rows += heaviest.numel()

    @property
    def share(self) -> float:
        return self.one_hot / self.rows if self.rows else np.nan
