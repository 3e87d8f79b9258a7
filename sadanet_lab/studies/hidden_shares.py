"""Does the order of the methods depend on how much cannot be seen? Differences by the share of bones that is hidden."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from sadanet_lab.metrics.scores import BONE_AVERAGE, score_of
from sadanet_lab.metrics.statistics import Estimate, estimate, estimate_of_seeds
from sadanet_lab.studies.hidden_bones import hidden_rows
from sadanet_lab.studies.run_scores import Label, counts_by_label, method_label
from sadanet_lab.training.runs import Run

MUCH = 0.3
"""Share of a spine's bones; the images of which more is hidden stand against those of which nothing is."""
NOTHING_HIDDEN, MUCH_HIDDEN, CHANGE = "nothing hidden", f"over {100 * MUCH:.0f} % hidden", "change"
COLUMNS = ("method", "other", "images_of", "images", "difference", "low", "high", "seeds")
DICE = score_of(BONE_AVERAGE, "dice")


def differences_by_share(runs: Iterable[Run], label: Label = method_label) -> pd.DataFrame:
    """SADANet (the first method, where it is not among them) minus each other in mean bone Dice, in points.

    Columns ``COLUMNS``. images_of: ``NOTHING_HIDDEN``, ``MUCH_HIDDEN``, or the ``CHANGE`` from the first to the second;
    low and high: the 95 % interval over seeds and images as of ``statistics.estimate``, uncorrected. No rows of fewer
    than two methods, or where two images of each kind are not there.
    """
    runs = list(runs)
    counts = counts_by_label(runs, label)
    method = "SADANet" if "SADANet" in counts else next(iter(counts), "")
    groups = _groups(runs, label) if len(counts) > 1 else []
    rows = []
    for other in counts if groups else ():
        if other == method:
            continue
        pairs = [(counts[method][:, group], counts[other][:, group]) for group in groups]
        found = [estimate(*pair, DICE) for pair in pairs]
        found.append(_change(pairs, found))
        images = [int(group.sum()) for group in groups]
        for of, number, each in zip((NOTHING_HIDDEN, MUCH_HIDDEN, CHANGE), (*images, sum(images)), found, strict=True):
            rows.append((method, other, of, number, each.difference, *each.limits, len(counts[method])))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _groups(runs: list[Run], label: Label) -> list[np.ndarray]:
    """Which test images, in the order of the counts, have nothing hidden, and which much; none where there are few."""
    rows = hidden_rows(runs[:1], label)
    share = rows.groupby("stem").share.first().reindex(runs[0].counts.stem.unique()).to_numpy()
    groups = [share == 0, share > MUCH]
    return groups if min(group.sum() for group in groups) > 1 else []


def _change(pairs: list[tuple[np.ndarray, np.ndarray]], found: list[Estimate]) -> Estimate:
    """The second pair's difference minus the first's: of the same seeds, so paired by them, and of other images, whose
    parts of the variance, in the estimates ``found``, add."""
    first, second = (100 * (DICE(one) - DICE(other)) for one, other in pairs)
    over_seeds = estimate_of_seeds(second - first)
    of_seeds = over_seeds.parts if len(first) > 1 else ()
    return Estimate(over_seeds.difference, (*of_seeds, *(each.parts[-1] for each in found)))
