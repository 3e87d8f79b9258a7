"""Sentences of attention and hidden bones: of small tables told by hand, and of nothing."""

import numpy as np
import pandas as pd
import torch

from sadanet_lab.studies.attention_maps import AttentionMaps
from sadanet_lab.studies.conclusions import attention
from sadanet_lab.studies.hidden_bones import LUMPS, THORACIC, DoseEffect

NO_RUNS = " nothing can be said: there are no runs from which a verdict may be drawn."
NOTHING_MEASURED = " nothing can be said: nothing could be measured."


def lost(*rows):
    table = pd.DataFrame(rows, columns=["method", "module", "lost_rib", "lost_thoracic_process", "lost_lump"])
    of_bones = table[["lost_rib", "lost_thoracic_process", "lost_lump"]]
    return table.assign(lost=of_bones.mean(axis=1), seed=0, gamma=1.0, one_hot_percent=0.0, low=np.nan, high=np.nan)


def test_knockouts_count_modules_that_dice_hardly_needs_and_those_that_do_harm():
    cancel = ("B", "PAM", 0.5, -0.2, -0.57)  # -0.09 on average, and no bone is left alone
    table = lost(("A", "GCA", 0.05, 0.05, 0.05), ("A", "SCA", 1.5, 2, 1), ("B", "SCA", -0.3, -0.4, -0.2), cancel)
    assert attention.knockouts(table) == (
        "Taken out of the trained networks, 2 of 4 attention modules move mean bone Dice by less than 0.1 points on "
        "average (1 of them every single bone); most is lost without A's SCA (+1.50, 1 seed)."
    )
    seeds = pd.concat([table, table.assign(seed=1)]).assign(
        low=[-0.1, 1.2, -0.5, -0.4] * 2, high=[0.2, 1.8, -0.1, 0.2] * 2
    )
    assert attention.knockouts(seeds).endswith(
        "; the 95 % interval of what is lost, uncorrected, lies above 0 for A's SCA, below 0 for B's SCA; most is lost "
        "without A's SCA (+1.50, +1.20 to +1.80, 2 seeds)."
    )
    assert attention.knockouts(table[:1]) == (
        "Taken out of the trained networks, 1 of 1 attention module moves mean bone Dice by less than 0.1 points on "
        "average (1 of them every single bone); none is worth more."
    )
    assert attention.knockouts(table[:0]) == "None of these networks has attention that runs in testing."


def hidden():
    rows = [("A", "", "seen", 90.0), ("A", "", "pair", 60.0), ("B", "", "seen", 80.0), ("B", "", "pair", 65.0)]
    rows += [("A", "SCA", "pair", 1.0)]  # without a module: no recall of a whole network
    table = pd.DataFrame(rows, columns=["method", "without", "kind", "recall"]).assign(of=THORACIC, seed=0)
    lumps = [("A", "", "level", 75.0), ("B", "", "level", 71.0)]
    return pd.concat([table, pd.DataFrame(lumps, columns=table.columns[:4]).assign(of=LUMPS, seed=0)])


def test_hidden_bones_by_kind():
    assert attention.kinds(hidden()) == (
        "Recall of whole networks (1 seed) of ribs and processes: seen 80 % (B) to 90 % (A), one of a pair hidden "
        "60 % (A) to 65 % (B); of lumps: a whole level hidden 71 % (B) to 75 % (A)."
    )
    assert attention.kinds(hidden()[:0]).endswith(NO_RUNS)


def test_hidden_bones_by_dose():
    rows = [("A", 0.1, 60.0), ("A", 0.4, 40.0), ("B", 0.1, 50.0), ("B", 0.4, 55.0)]
    table = pd.DataFrame(rows, columns=["method", "share", "recall"]).assign(without="", seed=0, images=[9, 7] * 2)
    assert attention.doses(table, DoseEffect(-7.5, -9, -6)) == (
        "From 10 % of the bones hidden to 40 % the recall of hidden ribs and processes falls: -7.5 points in the mean "
        "over 2 methods and 1 seed (95 % interval over the 9 and 7 images: -9.0 to -6.0), -20.0 (A) to +5.0 (B)."
    )
    unsure = attention.doses(table, DoseEffect(-7.5, -16, 1))
    assert "neither falls nor rises for certain" in unsure
    assert "-16.0 to +1.0, so that 8 points more or less could not have been told from none)" in unsure
    assert "processes rises: +3.0" in attention.doses(table, DoseEffect(3, 1, 5))
    assert attention.doses(table[:1], None).startswith("One share alone is hidden")
    assert attention.doses(table[:0], None).endswith(NO_RUNS)


def test_what_modules_add_to_hidden_bones():
    rows = [("A", "SCA", "pair", 3.0), ("A", "SCA", "hidden", 2.0), ("A", "SCA", "seen", 0.5),
            ("A", "SCA", "false", 4.5), ("A", "GCA", "hidden", -1.0)]  # fmt: skip
    table = pd.DataFrame(rows, columns=["method", "module", "kind", "added"])
    table = table.assign(seeds=1, low=np.nan, high=np.nan)
    assert attention.responses(table) == (
        "Of 2 modules A's SCA adds most to the recall of hidden ribs and processes: +2.0 points, +0.5 to that of seen "
        "ones; false pixels, in percent of the true ones, +4.5; one seed gives no verdict."
    )
    assert attention.responses(table.assign(seeds=5, low=table.added - 3, high=table.added + 0.5)) == (
        "Of 2 modules A's SCA adds most to the recall of hidden ribs and processes: +2.0 points (-1.0 to +2.5), +0.5 "
        "to that of seen ones; false pixels, in percent of the true ones, +4.5; the 95 % interval over 5 seeds, "
        "uncorrected, lies above 0 for none, below 0 for A's GCA."
    )
    assert attention.responses(table[table.kind == "seen"]).endswith(NO_RUNS)


def test_rows_of_g_and_sizes():
    rows = pd.DataFrame({"largest": [1.0, 0.2, 0.999, 1.0], "normalisation": ["x", "x", "y", "y"]})
    assert attention.entropies(rows.assign(network="trained")) == (
        "Rows of g that look at one channel alone: 50 % with x (trained), 100 % with y (trained)."
    )
    rows = [("A", 10, 10, 0.1), ("A", 20, 10, 0.4), ("B", 10, 10, 0.3), ("B", 20, 10, 0.2)]
    table = pd.DataFrame(rows, columns=["network", "height", "width", "one_hot"]).assign(equation="Eq. (1)")
    assert attention.sizes(table) == (
        "Eq. (1): 10 to 30 % of the rows one-hot on the smallest pictures, 20 to 40 % on whole images, more in 1 of 2 "
        "networks."
    )
    assert attention.sizes(table[:0]).endswith(NOTHING_MEASURED)


def test_maps_of_one_image():
    """``measure_curves`` finds nothing in an empty label map; a network without GCA has no rows of it."""
    rest = {"image": np.zeros((8, 4)), "confidence": np.zeros((8, 4)), "grid": (2, 1), "crosses": (), "positions": None}
    rest |= {"classes": None, "affinity": None, "features": None, "labels": np.zeros((8, 4), np.uint8)}
    found = {
        "A": AttentionMaps(channels=torch.tensor([[1.0, 0], [0.5, 0.5]]), **rest),
        "B": AttentionMaps(channels=None, **rest),
    }
    assert attention.maps(found) == "In this image, rows of GCA that look at one channel alone: 50 % in A."
    assert attention.maps({"B": found["B"]}).endswith(": no GCA here.")
    changed = found["A"].labels.copy()
    changed[0] = 1
    assert attention.changes(found, {"A": {"SCA": changed, "GCA": found["A"].labels}, "B": {}}) == (
        "In this image 0.0 % (A's GCA) to 12.5 % (A's SCA) of the pixels get another class without one module; one "
        "image is an anecdote."
    )
    assert attention.changes(found, {"A": {}, "B": {}}).startswith("None of these networks")
    assert attention.measured(found) == (
        "The largest angle in this image: A not measurable, B not measurable; one image is an anecdote."
    )
