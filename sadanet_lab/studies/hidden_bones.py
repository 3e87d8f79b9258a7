"""Who finds the bones that cannot be seen? Their recall by kind and by how many of a spine's bones are hidden.

Where structure helps, hidden bones are found from those around them: recall should fall with the share that is hidden
(the dose), less so with a module that knows the structure than without it (the response).

All is said of ribs and thoracic processes, of which each kind hides as many of one as of the other. Lumps have no other
side, so that no lump is one of a pair, and they are found more easily: mixed in, they would pass for an effect of kind
and share. ``recall_by_kind`` has them in rows of their own.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd

from sadanet_lab.metrics.hidden import SEEN
from sadanet_lab.metrics.statistics import estimate_of_seeds
from sadanet_lab.studies.run_scores import Label, method_label
from sadanet_lab.training.runs import Run

SHARES = (0.0, 0.15, 0.3, 0.45, 1.0)
"""Bounds of the bins of the share of a spine's bones that are hidden."""
COLUMNS = ("method", "seed", "without", "stem", "class", "kind", "bones", "found", "pixels", "found_pixels", "share")
DRAWS = 2000
"""Of the images of a bin, for the interval of what more hidden bones cost."""
THORACIC, LUMPS = "ribs and processes", "lumps"
PAIRED = "rib", "thoracic_process"
KINDS = {SEEN: "seen", "pair": "one of a pair", "level": "a whole level", "run": "a run of levels"}
"""Kind of bone (see ``phantom.hiding``) -> how it is called."""
HIDDEN, FALSE = "hidden", "false"
"""Beside the kinds of bone: all hidden ones, and pixels that are none."""
WHOLE = ""
"""What ``without`` is of the whole network."""


def hidden_rows(runs: Iterable[Run], label: Label = method_label) -> pd.DataFrame:
    """One row per run, image, class, kind and knocked-out module.

    Columns method, seed, without (``WHOLE`` of the whole network, else a module), stem, class, kind ("seen" or a kind
    of hidden bone), bones, found, pixels, found_pixels (see ``metrics.hidden``), share (of the image's bones hidden).
    """
    tables = [pd.DataFrame(columns=list(COLUMNS))]
    for run in runs:
        whole = run.table("hidden").assign(without=WHOLE)
        without = run.table("hidden_without")  # of a network without attention there are no rows
        both = pd.concat([whole, without], ignore_index=True) if len(without) else whole
        bones = whole.groupby("stem").bones.sum()
        hidden = whole[whole.kind != SEEN].groupby("stem").bones.sum()
        share = (hidden / bones).fillna(0)
        tables.append(both.assign(method=label(run), seed=run.recipe.seed, share=both.stem.map(share)))
    return pd.concat([table for table in tables if len(table)] or tables, ignore_index=True)


def recall_by_kind(rows: pd.DataFrame) -> pd.DataFrame:
    """Recall of bones in percent: method, without, of (``THORACIC`` or ``LUMPS``), kind, seed, bones, recall (pixels),
    found (bones)."""
    of = rows["class"].map(lambda name: LUMPS if name == "lump" else THORACIC)
    return _recall(rows.assign(of=of), ["method", "without", "of", "kind", "seed"])


def thoracic(recall: pd.DataFrame) -> pd.DataFrame:
    """The rows of ``recall_by_kind`` that are of ribs and thoracic processes."""
    return recall[recall.of == THORACIC]


def recall_by_share(rows: pd.DataFrame) -> pd.DataFrame:
    """Recall of hidden ribs and processes by the share of a spine's bones that is hidden: method, without, share, seed,
    images (of the bin, that have such kinds), kinds, recall.

    share: the mean over the images of a bin of ``SHARES``. The recall is the mean over the kinds of each kind's own, of
    the kinds that every bin has (told in ``kinds``): a run of levels takes more bones than the smallest shares hide,
    and what follows from the mix of kinds is not to be put down to the share. Where no kind is in every bin there are
    no rows.
    """
    hidden = _in_bins(rows)
    shared = _kinds_of_every_bin(hidden)
    hidden = hidden[hidden.kind.isin(shared)]
    of_image = hidden[hidden.bones > 0].drop_duplicates("stem").groupby("bin").share.agg(["mean", "count"])
    hidden = hidden.assign(share=hidden.bin.map(of_image["mean"]).round(3), images=hidden.bin.map(of_image["count"]))
    keys = ["method", "without", "share", "seed", "images", "kind"]
    of_kinds = _recall(hidden, keys).assign(kinds=", ".join(shared))
    keys = ["method", "without", "share", "seed", "images", "kinds"]
    return of_kinds.groupby(keys, sort=False).recall.mean().reset_index()


def _kinds_of_every_bin(hidden: pd.DataFrame) -> list[str]:
    """The kinds of hidden bones that every bin in a table of ``_in_bins`` holds."""
    bins = hidden[hidden.bones > 0].groupby("kind", sort=False).bin.nunique()
    return list(bins[bins == hidden.bin.nunique()].index)


def _in_bins(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of hidden ribs and processes, with the number of their bin of ``SHARES``."""
    hidden = rows[(rows.kind != SEEN) & (rows["class"] != "lump")]
    return hidden.assign(bin=pd.cut(hidden.share, list(SHARES), labels=False, include_lowest=True))


class DoseEffect(NamedTuple):
    """How recall of hidden bones changes from the smallest share that is hidden to the largest, in points."""

    change: float
    """Mean over methods and seeds, whole networks."""
    low: float
    """Limits of its 95 % bootstrap interval over the images, which all methods and seeds share."""
    high: float


def dose_effect(rows: pd.DataFrame) -> DoseEffect | None:
    """Of ``recall_by_share``'s first and last bin; None where there are not two."""
    hidden = _in_bins(rows[rows["without"] == WHOLE])
    hidden = hidden[hidden.kind.isin(_kinds_of_every_bin(hidden))]
    if hidden.bin.nunique() < 2:
        return None
    random = np.random.default_rng(0)
    first, last = (_recall_of_bin(hidden[hidden.bin == at], random) for at in (hidden.bin.min(), hidden.bin.max()))
    change = last - first
    low, high = np.nanpercentile(change[1:], [2.5, 97.5])
    return DoseEffect(float(change[0]), float(low), float(high))


def _recall_of_bin(hidden: pd.DataFrame, random: np.random.Generator) -> np.ndarray:
    """Recall in percent of the images of a bin as they are, then of each draw of as many of them, (1 + DRAWS)."""
    sums = hidden.pivot_table(
        index="stem", columns=["method", "seed", "kind"], values=["pixels", "found_pixels"], aggfunc="sum", fill_value=0
    )
    images = len(sums)
    weights = np.vstack([np.ones(images), random.multinomial(images, np.full(images, 1 / images), size=DRAWS)])
    pixels, found = weights @ sums["pixels"].to_numpy(), weights @ sums["found_pixels"].to_numpy()
    return (100 * found / np.where(pixels > 0, pixels, np.nan)).mean(axis=1)


def _recall(rows: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    sums = rows.groupby(by, sort=False)[["bones", "found", "pixels", "found_pixels"]].sum().reset_index()
    recall = 100 * sums.found_pixels / sums.pixels.where(sums.pixels > 0)
    return sums[[*by, "bones"]].assign(recall=recall, found=100 * sums.found / sums.bones.where(sums.bones > 0))


def false_pixels(runs: Iterable[Run], label: Label = method_label) -> pd.DataFrame:
    """How many false pixels of ribs and processes each module adds: columns method, module, kind (``FALSE``), seed,
    added (in percent of the true pixels)."""
    rows = []
    for run in runs:
        whole, without = (table[table["class"].isin(PAIRED)] for table in (run.counts, run.table("counts_without")))
        true = (whole.tp + whole.fn).sum()
        for module, left in without.groupby("without", sort=False):
            rows.append((label(run), module, FALSE, run.recipe.seed, 100 * (whole.fp.sum() - left.fp.sum()) / true))
    return pd.DataFrame(rows, columns=["method", "module", "kind", "seed", "added"])


def modules_response(rows: pd.DataFrame, false: pd.DataFrame) -> pd.DataFrame:
    """What each module adds to the recall of hidden and of seen ribs and processes, in points, paired by seed.

    false: of ``false_pixels``; a module may find more by calling more a bone. Columns method, module, kind (``HIDDEN``:
    the mean over the kinds of hidden bone), added (mean over seeds: recall of pixels of the whole network minus that
    without the module), low and high (its 95 % interval over seeds, Student's; NaN of one seed), seeds.
    """
    recall = thoracic(recall_by_kind(rows))
    keys = ["method", "kind", "seed"]
    whole = recall[recall["without"] == WHOLE][[*keys, "recall"]]
    without = recall[recall["without"] != WHOLE].rename(columns={"without": "module"})
    both = without.merge(whole, on=keys, suffixes=("_without", ""))
    both["added"] = both.recall - both.recall_without
    keys = ["method", "module", "seed"]
    of_hidden = both[both.kind != SEEN].groupby(keys, sort=False).added.mean().reset_index().assign(kind=HIDDEN)
    every = pd.concat([both, of_hidden, false])[[*keys, "kind", "added"]]
    keys, added = ["method", "module", "kind"], []
    for key, part in every.groupby(keys, sort=False):
        by_seed = part.added.dropna().to_numpy(float)
        found = estimate_of_seeds(by_seed)
        added.append((*key, found.difference, len(by_seed), *found.limits))
    return pd.DataFrame(added, columns=[*keys, "added", "seeds", "low", "high"])
