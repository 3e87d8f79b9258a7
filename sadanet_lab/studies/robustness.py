"""How trained networks fare where it gets hard: on test images made worse on purpose, and on bones hardly seen."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.ndimage import binary_dilation, find_objects
from torch import nn

from sadanet_lab.images.degradations import DEGRADATIONS
from sadanet_lab.images.vpi_folder import Sample
from sadanet_lab.inference.segmentation import labels_of
from sadanet_lab.metrics.scores import BONE_AVERAGE, count, counts_array, score_of
from sadanet_lab.metrics.statistics import estimate_of_seeds
from sadanet_lab.progress import progress
from sadanet_lab.spine.bones import connected_bones
from sadanet_lab.spine.classes import BONES, CLASSES
from sadanet_lab.spine.curve_angles import measure_curves
from sadanet_lab.training.recipe import Recipe
from sadanet_lab.training.run_store import kept_table
from sadanet_lab.training.runs import Run
from sadanet_lab.training.trainer import find_device

VERSION = 1
"""Raised whenever the same networks and images would give other tables here: what is kept with runs is made again."""
COLUMNS = ("degradation", "strength", "stem", "dice", "angle_error", "measurable")
UNDEGRADED = "Undegraded"
RING = 0.006
"""Width of the ring of tissue around a bone, as a share of the picture's height."""
FAINT = 0.25
"""Share of the bones that are called faint: those of the lowest contrast."""


def robustness(runs: Mapping[str, Sequence[Run]], samples: Sequence[Sample], seed: int = 0) -> pd.DataFrame:
    """Every network on every image under every degradation and strength; kept with each run, for it takes long.

    runs: title -> the runs of each seed. Columns network (title), seed, degradation, strength, stem, dice (mean of the
    bones, see ``scores``), angle_error (degrees against the angle of the degraded mask, NaN where one of the two is not
    measurable), measurable (1 or 0: whether the network's is; NaN where the mask's is not). The same random stream
    serves all networks.
    """
    strengths = {name: one.strengths for name, one in DEGRADATIONS.items()}
    kept_as = f"degraded-{_digest(VERSION, seed, strengths, [sample.stem for sample in samples])}"
    tables = []
    for title, each in runs.items():
        for run in each:
            table = kept_table(run, kept_as, partial(_degraded, run, samples, seed))
            tables.append(table.assign(network=title, seed=run.recipe.seed))
    return pd.concat(tables, ignore_index=True)[["network", "seed", *COLUMNS]]


def _degraded(run: Run, samples: Sequence[Sample], seed: int) -> pd.DataFrame:
    network = run.network().to(find_device("auto"))
    tables, number_of_cases = [], sum(len(one.strengths) for one in DEGRADATIONS.values())
    with progress(number_of_cases * len(samples), f"{run.recipe.name} on degraded images", "images") as bar:
        for number, sample in enumerate(samples):
            rows = []
            for name, strength, *scores in _degraded_sample(network, run.recipe, sample, seed, number):
                rows.append((name, strength, sample.stem, *scores))
                bar.update()
            tables.append(pd.DataFrame(rows, columns=list(COLUMNS)))
    return pd.concat(tables).sort_index(kind="stable").reset_index(drop=True)


def _degraded_sample(network: nn.Module, recipe: Recipe, sample: Sample, seed: int, number: int) -> Iterator[tuple]:
    """(degradation, strength, dice, angle_error, measurable) of each."""
    clean, true = (sample.image(), sample.mask()), _Once(_angle)
    scored = _Once(lambda image, mask: _scores(labels_of(network, image, recipe), mask, true(mask)))
    for place, (name, one) in enumerate(DEGRADATIONS.items()):
        for strength in one.strengths:
            rng = np.random.default_rng([seed, place, number])
            yield name, strength, *scored(*one.apply(*clean, strength, rng))


class _Once:
    """A function of pictures, asked once of each: of strength 0 all degradations are alike, of masks most."""

    def __init__(self, function: Callable[..., Any]):
        self._function, self._known = function, {}

    def __call__(self, *pictures: np.ndarray) -> Any:
        key = tuple((each.shape, each.tobytes()) for each in pictures)
        if key not in self._known:
            self._known[key] = self._function(*pictures)
        return self._known[key]


def _angle(mask: np.ndarray) -> float | None:
    return measure_curves(mask).largest_angle_degrees


def _scores(labels: np.ndarray, mask: np.ndarray, true: float | None) -> tuple[float, float, float]:
    """dice, angle_error and measurable of ``robustness``; true: the mask's angle."""
    found = _angle(labels)
    error = np.nan if found is None or true is None else abs(found - true)
    measurable = np.nan if true is None else float(found is not None)
    dice = score_of(BONE_AVERAGE, "dice")(counts_array([count(mask, labels, "")]))
    return float(dice[0]), error, measurable


def over_seeds(table: pd.DataFrame) -> pd.DataFrame:
    """``robustness`` with the mean over seeds of each image: seeds of a network are no further images.

    angle_error: the mean over the seeds whose angle is measurable; measurable: their share, NaN where the mask's
    is not.
    """
    keys = ["network", "degradation", "strength", "stem"]
    return table.groupby(keys, sort=False)[["dice", "angle_error", "measurable"]].mean().reset_index()


def bone_contrasts(runs: Mapping[str, Sequence[Run]], samples: Sequence[Sample]) -> pd.DataFrame:
    """How much of each single bone the runs' stored predictions find, and how far the bone stands out.

    A bone is what it is in ``spine.bones.connected_bones``. runs: title -> the runs of each seed, with each of which
    its recalls are kept. Columns bone (class), contrast (mean grey of a ring of tissue around the bone minus its own: 0
    for a bone that cannot be seen), network, seed, recall (share of its pixels found), stem.
    """
    kept_as = f"single_bones-{_digest(VERSION, [sample.stem for sample in samples])}"
    recalls = {
        (title, run.recipe.seed): kept_table(run, kept_as, partial(_recalls, run, samples)).recall.to_numpy()
        for title, each in runs.items()
        for run in each
    }
    rows = []
    for sample in samples:
        image, mask = sample.image(), sample.mask()
        for name, pieces, number, box in _single_bones(mask):
            rows.append((name, _contrast(image, mask, pieces, number, box), sample.stem))
    bones = pd.DataFrame(rows, columns=["bone", "contrast", "stem"])
    tables = [bones.assign(network=title, seed=seed, recall=recall) for (title, seed), recall in recalls.items()]
    table = pd.concat(tables).sort_index(kind="stable").dropna(subset="contrast")
    return table[["bone", "contrast", "network", "seed", "recall", "stem"]]


def _recalls(run: Run, samples: Sequence[Sample]) -> pd.DataFrame:
    """Columns stem and recall of every bone of the masks, in the order of ``_single_bones``."""
    rows = []
    for sample in samples:
        labels = run.prediction(sample.stem)
        for name, pieces, number, box in _single_bones(sample.mask()):
            found = labels[box][pieces[box] == number] == CLASSES.index(name)
            rows.append((sample.stem, found.mean()))
    return pd.DataFrame(rows, columns=["stem", "recall"])


def _single_bones(mask: np.ndarray) -> Iterator[tuple[str, np.ndarray, int, tuple[slice, slice]]]:
    """(class, map of the class's pieces, the bone's number there, its box) of each bone in a mask."""
    for name in BONES:
        pieces, bones = connected_bones(mask == CLASSES.index(name))
        boxes = find_objects(pieces)
        for number in bones:
            yield name, pieces, number, boxes[number - 1]


def recall_by_contrast(bones: pd.DataFrame, bins: int = 6, draws: int = 1000, seed: int = 0) -> pd.DataFrame:
    """``bone_contrasts`` in bins that hold as many bones each: a row per bone (class), network and bin.

    Columns bone, network, contrast and recall (means of the bin, over seeds too), low, high (95 % bootstrap interval of
    the recall over images, since the bones of an image are alike), bones (of the bin), images (that have bones of the
    class).
    """
    rows = []
    for name, of_class in bones.groupby("bone", sort=False):
        of_class = of_class.assign(bin=pd.qcut(of_class.contrast, bins, labels=False, duplicates="drop"))
        for (network, number), part in of_class.groupby(["network", "bin"], sort=False):
            images = part.groupby("stem").recall.agg(["sum", "count"]).to_numpy()
            picks = np.random.default_rng(seed).integers(0, len(images), (draws, len(images)))
            sums, counts = images[picks].sum(1).T
            low, high = np.percentile(sums / counts, [2.5, 97.5])
            row = (
                name,
                network,
                number,
                part.contrast.mean(),
                part.recall.mean(),
                low,
                high,
                len(part) // part.seed.nunique(),
                of_class.stem.nunique(),
            )
            rows.append(row)
    columns = ["bone", "network", "bin", "contrast", "recall", "low", "high", "bones", "images"]
    return (
        pd.DataFrame(rows, columns=columns).sort_values(["bone", "network", "bin"], kind="stable").drop(columns="bin")
    )


def recall_of_faint(bones: pd.DataFrame) -> pd.Series:
    """Of ``bone_contrasts``: network -> mean recall of the faintest ``FAINT`` of the bones, a fraction."""
    return _faintest(bones).groupby("network", sort=False).recall.mean()


def _faintest(bones: pd.DataFrame) -> pd.DataFrame:
    return bones[bones.contrast < bones.contrast.quantile(FAINT)]


class FaintDifference(NamedTuple):
    """How much more of the faintest bones one network finds than another, in points."""

    network: str
    other: str
    points: float
    """Mean over the seeds."""
    low: float
    """Limits of its 95 % interval over the seeds, Student's: the images are the same, and many."""
    high: float
    seeds: int


def faint_difference(bones: pd.DataFrame) -> FaintDifference | None:
    """Of ``bone_contrasts``, the first network minus the second, paired by seed.

    None where there are not two networks, or not two seeds that both have.
    """
    recall = 100 * _faintest(bones).groupby(["seed", "network"], sort=False).recall.mean().unstack().dropna()
    if len(recall.columns) != 2 or len(recall) < 2:
        return None
    one, other = recall_of_faint(bones).index
    found = estimate_of_seeds((recall[one] - recall[other]).to_numpy())
    return FaintDifference(str(one), str(other), found.difference, *found.limits, len(recall))


def _contrast(image: np.ndarray, mask: np.ndarray, pieces: np.ndarray, number: int, box: tuple[slice, slice]) -> float:
    """NaN if no tissue is around the bone."""
    width = max(1, round(RING * image.shape[0]))
    wider = tuple(slice(max(0, side.start - width), side.stop + width) for side in box)
    bone = pieces[wider] == number
    ring = binary_dilation(bone, iterations=width) & (mask[wider] == 0) & (image[wider] > 0)
    return image[wider][ring].mean() - image[wider][bone].mean() if ring.any() else np.nan


def _digest(*looked_at: object) -> str:
    return hashlib.sha256(json.dumps(looked_at).encode()).hexdigest()[:8]


def worst_dice(table: pd.DataFrame) -> pd.DataFrame:
    """Mean Dice of the images as they are, and under each degradation at the strength that costs most.

    table: of ``robustness``. Columns network, degradation (``UNDEGRADED``, or its title), strength, dice; the networks
    in their order.
    """
    means = table.groupby(["network", "degradation", "strength"], sort=False).dice.mean().reset_index()
    as_they_are = means[means.strength == 0].drop_duplicates("network").assign(degradation=UNDEGRADED)
    degraded = means[means.strength != 0].dropna(subset="dice")
    worst = degraded.loc[degraded.groupby(["network", "degradation"], sort=False).dice.idxmin()]
    worst = worst.assign(degradation=worst.degradation.map({name: one.title for name, one in DEGRADATIONS.items()}))
    return pd.concat([as_they_are, worst], ignore_index=True)
