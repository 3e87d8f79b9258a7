"""Learning from phantoms how far a model's answers can be trusted, and measuring on others whether that holds.

An interval is the angle and as much either way as what the network is unsure of is worth. The worth is the 0.9
quantile of the errors, as a sum of doubts with weights of 0 or more (quantile regression), times what makes it hold on
phantoms that had no part in the weights (split conformal prediction: Romano, Patterson, Candes, NeurIPS 2019).
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from math import ceil
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.optimize import linprog

from sadanet_lab.errors import BadInput
from sadanet_lab.files import write_atomically
from sadanet_lab.images.degradations import DEGRADATIONS
from sadanet_lab.inference.limits import Limits, look_at
from sadanet_lab.inference.segmenter import Model, Segmenter
from sadanet_lab.paths import COVERAGE, LIMITS, SHIPPED
from sadanet_lab.phantom import draw_picture, draw_spine
from sadanet_lab.phantom.ranges import Spread
from sadanet_lab.processes import pool_of, undisturbed
from sadanet_lab.progress import progress
from sadanet_lab.spine.curve_angles import Measurement, measure_curves
from sadanet_lab.spine.judgement import SHARE
from sadanet_lab.spine.levels import largest_angle
from sadanet_lab.studies.curve_agreement import CurvedSpine, TrueSpine, match_curves
from sadanet_lab.training.models import find_model, limits_file

FEWEST = 50
"""Angles without which intervals cannot be learned."""
FAMILIAR_SHARE = 0.97
"""Of the phantoms that limits are learned from, those that are not to be called strange: of others it is a bit less."""
SHRINKAGE = 0.1
"""Share of the statistics' covariance that is taken as if they were independent."""
HEIGHTS = (1024, 1536, 2048)
LEARNING, TESTING = 1, 2
"""Seeds of the phantoms that limits are learned from and those that they are tested on; training's are others."""


@dataclass(frozen=True)
class Kind:
    """Of phantoms: their spread, and what is wrong with their pictures."""

    spread: Spread
    degradation: str = ""
    strength: float = 0.0

    @property
    def title(self) -> str:
        return f"{self.spread}, {self.degradation} {self.strength:g}" if self.degradation else self.spread


KINDS = (
    *(Kind(spread) for spread in ("usual", "wide", "varied")),
    *(Kind("usual", name, strength) for name, each in DEGRADATIONS.items() for strength in each.mild),
)


@dataclass(frozen=True)
class Known:
    """One phantom: its picture, and its true spine; where the degradation moves bones, the one in its mask."""

    kind: Kind
    image: np.ndarray
    true: CurvedSpine


def draw_known(kind: Kind, seed: int, index: int) -> Known:
    """A phantom that depends on these alone."""
    rng = np.random.default_rng([seed, KINDS.index(kind), index])
    height = HEIGHTS[index % len(HEIGHTS)]
    spine = draw_spine(rng, height // 4, height, kind.spread)
    image, labels = draw_picture(rng, spine, kind.spread), spine.labels()
    if not kind.degradation:
        return Known(kind, image, TrueSpine(spine.levels))
    image, moved = DEGRADATIONS[kind.degradation].apply(image, labels, kind.strength, rng)
    return Known(kind, image, TrueSpine(spine.levels) if moved is labels else measure_curves(moved))


@dataclass(frozen=True)
class Seen:
    """What a model makes of one phantom: doubts and true angle of the largest angle and of each curve that is there."""

    kind: Kind
    statistics: dict[str, float]
    largest: tuple[dict[str, float], float] | None
    curves: tuple[tuple[dict[str, float], float], ...]


def see(model: Model, known: Known) -> Seen:
    """Doubts of angles that have a true one: the largest angle has, and each curve that matches a true curve."""
    logits = Segmenter(model).logits(known.image)
    found = measure_curves(logits.argmax(0).astype(np.uint8))
    statistics, doubts = look_at(known.image, logits, found)
    true = _largest(known.true)
    if not doubts or true is None:
        return Seen(known.kind, statistics, None, ())
    curves = [
        (doubts[1 + j], known.true.curves[i].angle_degrees)
        for i, j in match_curves(known.true, found)
        if i is not None and j is not None
    ]
    return Seen(known.kind, statistics, (doubts[0], true), tuple(curves))


def _largest(spine: CurvedSpine) -> float | None:
    if isinstance(spine, Measurement) and not spine.measurable:
        return None
    return largest_angle(spine.levels)


def look_at_phantoms(
    name: str, results: str, start: str, counts: Sequence[tuple[Kind, int]], seed: int, jobs: int
) -> list[Seen]:
    """What the model of a name (see ``models.find_model``) makes of so many phantoms of each kind."""
    phantoms = [(kind, index) for kind, count in counts for index in range(count)]
    with progress(len(phantoms), "phantoms", "pictures") as bar:
        seen = []
        for one in _in_processes(partial(_look, (name, results, start), seed), phantoms, jobs):
            seen.append(one)
            bar.update()
    return seen


def _in_processes(function, items: list, jobs: int) -> Iterator:
    if jobs == 1:
        yield from map(function, items)
        return
    with pool_of(jobs) as pool:
        with undisturbed():
            found = pool.map(function, items, chunksize=4)
        yield from found


@cache
def _model(name: str, results: str, start: str) -> Model:
    return find_model(name, results, Path(start))


def _look(where: tuple[str, str, str], seed: int, phantom: tuple[Kind, int]) -> Seen:
    return see(_model(*where), draw_known(phantom[0], seed, phantom[1]))


def calibrate_model(name: str, results: str | Path, phantoms: int, jobs: int, start: Path = Path()) -> pd.DataFrame:
    """Learn limits, write them and their ``coverage`` on other phantoms beside the model, and return that.

    phantoms: of each kind that is not degraded, for learning and again for testing; of the others a quarter. name,
    results, start: see ``models.find_model``.
    """
    file, model = limits_file(name, results, start), find_model(name, results, start)
    counts = [(kind, ceil(phantoms / 4) if kind.degradation else phantoms) for kind in KINDS]
    where = name, str(results), str(start.absolute())
    limits = learn_limits(model.identity, look_at_phantoms(*where, counts, LEARNING, jobs))
    table = coverage(limits, look_at_phantoms(*where, counts, TESTING, jobs))
    write_atomically(
        file.with_name(file.name.replace(LIMITS, COVERAGE)), table.to_csv(index=False, float_format="%.4g")
    )
    write_atomically(file, limits.to_json())
    return table


def shipped_coverage() -> pd.DataFrame:
    """``coverage`` of the model in the package, as it was measured when its limits were learned.

    Raises ``BadInput`` if they were not: another model has been shipped since.
    """
    path = SHIPPED / COVERAGE
    if not path.is_file():
        raise BadInput(f"{path}: no such file; expected what `sadanet calibrate shipped` writes")
    return pd.read_csv(path)


def learn_limits(model: str, seen: Sequence[Seen]) -> Limits:
    """Limits of the model of that identity. Every second phantom gives what is fitted, the others make it hold.

    Those that make it hold are not degraded: as all degraded ones are of the usual spread, it would count for most.
    Raises ``BadInput`` if too few angles could be measured.
    """
    fitted, held = seen[::2], [one for one in seen[1::2] if not one.kind.degradation]
    limits = _without_weights(model, fitted)
    doubts, errors = _doubts(limits, fitted)
    others, their_errors = _doubts(limits, held)
    if min(len(errors), len(their_errors)) < FEWEST:
        found = len(errors) + len(their_errors)
        raise BadInput(f"{found} phantoms' angles could be measured; expected {2 * FEWEST} or more to learn from")
    weights = quantile_weights(doubts.to_numpy(), errors, SHARE)
    weights *= conformal_factor(their_errors / (others.to_numpy() @ weights), SHARE)
    groups = _by_kind(held).values()
    farthest = max(np.quantile([limits.distance(one.statistics) for one in group], FAMILIAR_SHARE) for group in groups)
    return replace(
        limits,
        weights={name: float(weight) for name, weight in zip(doubts, weights, strict=True) if weight > 0},
        largest_distance=float(farthest),
        made_of=dict(Counter(one.kind.title for one in seen)),
    )


def _without_weights(model: str, seen: Sequence[Seen]) -> Limits:
    """Limits that know how pictures are distributed, and no more."""
    statistics = pd.DataFrame([one.statistics for one in seen])
    mean, sd = statistics.mean(), statistics.std().clip(lower=1e-6)
    correlation = ((statistics - mean) / sd).cov().to_numpy()
    precision = np.linalg.inv((1 - SHRINKAGE) * correlation + SHRINKAGE * np.eye(len(mean)))
    arrays = tuple(mean.tolist()), tuple(sd.tolist()), tuple(map(tuple, precision.tolist()))
    return Limits(model, SHARE, {}, np.inf, tuple(seen[0].statistics), *arrays, {})


def _doubts(limits: Limits, seen: Iterable[Seen]) -> tuple[pd.DataFrame, np.ndarray]:
    """(all doubts, a row each, errors (n)) of the largest angles."""
    there = [(*one.largest, one.statistics) for one in seen if one.largest is not None]
    errors = [abs(doubts["angle"] - true) for doubts, true, _ in there]
    return pd.DataFrame([limits.doubts(doubts, told) for doubts, _, told in there]), np.array(errors)


def quantile_weights(doubts: np.ndarray, errors: np.ndarray, share: float) -> np.ndarray:
    """Weights >= 0 (d) for which doubts (n, d) @ weights is the ``share`` quantile of errors (n).

    Koenker and Bassett 1978: the least sum of share * (error - quantile) above and (1 - share) * (quantile - error)
    below it, a linear program.
    """
    n, d = doubts.shape
    cost = np.concatenate([np.zeros(d), np.full(n, share), np.full(n, 1 - share)])
    table = sparse.hstack([doubts, sparse.eye(n), -sparse.eye(n)])
    found = linprog(cost, A_eq=table, b_eq=errors, bounds=(0, None))
    return found.x[:d]


def conformal_factor(scores: np.ndarray, share: float) -> float:
    """The smallest score that ceil((n + 1) share) of n scores do not exceed; of one more, as likely, it holds too."""
    rank = min(ceil((len(scores) + 1) * share), len(scores))
    return float(np.sort(scores)[rank - 1])


def coverage(limits: Limits, seen: Iterable[Seen]) -> pd.DataFrame:
    """One row per kind of phantoms, in their order, in shares of 1 and degrees.

    Columns kind, pictures, measurable; covered: of the largest angles those that their intervals hold, and width, the
    intervals' median; curves: number of curves that are there, curves_covered, curves_width; strange: share of the
    pictures that are called so.
    """
    rows = []
    for kind, group in _by_kind(seen).items():
        distances = [limits.distance(one.statistics) for one in group]
        largest = [(*one.largest, one.statistics) for one in group if one.largest is not None]
        curves = [(*each, one.statistics) for one in group for each in one.curves]
        covered, width = _covered(limits, largest)
        curves_covered, curves_width = _covered(limits, curves)
        rows.append(
            {
                "kind": kind.title,
                "pictures": len(group),
                "measurable": len(largest) / len(group),
                "covered": covered,
                "width": width,
                "curves": len(curves),
                "curves_covered": curves_covered,
                "curves_width": curves_width,
                "strange": np.mean(np.array(distances) > limits.largest_distance),
            }
        )
    return pd.DataFrame(rows)


def _by_kind(seen: Iterable[Seen]) -> dict[Kind, list[Seen]]:
    groups: dict[Kind, list[Seen]] = {}
    for one in seen:
        groups.setdefault(one.kind, []).append(one)
    return groups


def _covered(limits: Limits, angles: Sequence[tuple[dict[str, float], float, dict[str, float]]]) -> tuple[float, float]:
    """(share of angles, each with doubts, truth and statistics, that are in their interval, median width)."""
    if not angles:
        return float("nan"), float("nan")
    intervals = [(limits.interval(doubts, told), true) for doubts, true, told in angles]
    inside = [interval.low <= true <= interval.high for interval, true in intervals]
    return float(np.mean(inside)), float(np.median([interval.high - interval.low for interval, _ in intervals]))
