"""Who finds the bones that cannot be seen? Their recall by kind and by how many of a spine's bones are hidden.

Where structure helps, hidden bones are found from those around them: recall should fall with the share that is hidden
(the dose), less so with a module that knows the structure than without it (the response).

All is said of ribs and thoracic processes, of which each kind hides as many of one as of the other. Lumps have no other
side, so that no lump is one of a pair, and they are found more easily: mixed in, they would pass for an effect of kind
and share. ``recall_by_kind`` has them in rows of their own.
"""

from collections.abc import Iterable

import pandas as pd

from sadanet_lab.metrics.hidden import SEEN
from sadanet_lab.studies.run_scores import Label, method_label
from sadanet_lab.training.runs import Run

SHARES = (0.0, 0.15, 0.3, 0.45, 1.0)
"""Bounds of the bins of the share of a spine's bones that are hidden."""
COLUMNS = ("method", "seed", "without", "stem", "class", "kind", "bones", "found", "pixels", "found_pixels", "share")
THORACIC, LUMPS = "ribs and processes", "lumps"
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
    recall.

    share: the mean over the images of a bin of ``SHARES``. The recall is the mean over the kinds of each kind's own,
    since large shares hold more runs of levels: what follows from the mix of kinds is not put down to the share.
    """
    hidden = rows[(rows.kind != SEEN) & (rows["class"] != "lump")]
    bins = pd.cut(hidden.share, list(SHARES), include_lowest=True)
    of_image = hidden.drop_duplicates("stem").set_index("stem").share
    middle = bins.map(of_image.groupby(pd.cut(of_image, list(SHARES), include_lowest=True), observed=True).mean())
    of_kinds = _recall(
        hidden.assign(share=middle.astype(float).round(3)), ["method", "without", "share", "kind", "seed"]
    )
    return of_kinds.groupby(["method", "without", "share", "seed"], sort=False).recall.mean().reset_index()


def _recall(rows: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    sums = rows.groupby(by, sort=False)[["bones", "found", "pixels", "found_pixels"]].sum().reset_index()
    recall = 100 * sums.found_pixels / sums.pixels.where(sums.pixels > 0)
    return sums[[*by, "bones"]].assign(recall=recall, found=100 * sums.found / sums.bones.where(sums.bones > 0))


def modules_response(rows: pd.DataFrame) -> pd.DataFrame:
    """What each module adds to the recall of hidden and of seen ribs and processes, in points, paired by seed.

    Columns method, module, kind, added (mean over seeds: recall of pixels of the whole network minus that without the
    module), sd (NaN of one seed), seeds.
    """
    recall = thoracic(recall_by_kind(rows))
    keys = ["method", "kind", "seed"]
    whole = recall[recall["without"] == WHOLE][[*keys, "recall"]]
    without = recall[recall["without"] != WHOLE].rename(columns={"without": "module"})
    both = without.merge(whole, on=keys, suffixes=("_without", ""))
    both["added"] = both.recall - both.recall_without
    grouped = both.groupby(["method", "module", "kind"], sort=False).added
    return grouped.agg(added="mean", sd="std", seeds="count").reset_index()
