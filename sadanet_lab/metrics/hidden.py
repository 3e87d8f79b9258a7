"""How much of the bones that cannot be seen is found: phantoms of demanding cases know which these are.

A table of hidden bones has one row per image, class and kind ("seen", or one of ``phantom.hiding.KINDS``), with the
columns

    stem, class, kind
    bones, found              bones of that kind, and those of which at least half the pixels got their class
    pixels, found_pixels      the same of pixels
"""

import numpy as np
import pandas as pd

from sadanet_lab.spine.classes import CLASSES

SEEN = "seen"
COLUMNS = ("stem", "class", "kind", "bones", "found", "pixels", "found_pixels")


def found_bones(bones: pd.DataFrame, numbers: np.ndarray, labels: np.ndarray, stem: str) -> pd.DataFrame:
    """The rows of one image.

    bones: bone (its number), class (name) and hidden (kind, "" where it is seen) of each; numbers: which of them each
    pixel belongs to (H, W), 0 none; labels: predicted ids (H, W). A bone without a pixel is not counted.
    """
    last = int(max(numbers.max(), bones.bone.max()))
    class_ids = np.zeros(last + 1, dtype=np.intp)
    class_ids[bones.bone] = bones["class"].map(CLASSES.index)
    pixels = np.bincount(numbers.ravel(), minlength=last + 1)
    right = np.bincount(numbers[class_ids[numbers] == labels], minlength=last + 1)
    each = bones[["class"]].assign(kind=bones.hidden.replace("", SEEN), bones=1)
    each = each.assign(pixels=pixels[bones.bone], found_pixels=right[bones.bone])
    each = each[each.pixels > 0]
    each["found"] = (2 * each.found_pixels >= each.pixels).astype(int)
    totals = each.groupby(["class", "kind"], sort=True)[list(COLUMNS[3:])].sum().reset_index()
    return totals.assign(stem=stem)[list(COLUMNS)]
