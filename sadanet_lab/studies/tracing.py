"""What a phantom shows, against what its mask says: the scores of one who traces every bone just where it is seen.

A bone's shadow lies beside its outline in the mask, by the picture's ``Style.displacement``, and is larger or smaller:
experts draw bones by what they know of the anatomy, too. A demanding phantom hides bones altogether. So tracing without
a fault does not score 100 %. It is no upper limit: whoever knows how spines are built, as a network may, can do better.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from sadanet_lab.metrics.scores import BONE_REGIONS, count, scores_of
from sadanet_lab.paths import PHANTOM
from sadanet_lab.phantom import Cases, Spine, Spread, Style, draw, draw_spine
from sadanet_lab.phantom.appearance import CELL, displaced
from sadanet_lab.phantom.ranges import SCANNED
from sadanet_lab.phantom.writer import FIRST_TEST_INDEX
from sadanet_lab.spine.curve_angles import measure_curves
from sadanet_lab.spine.levels import largest_angle
from sadanet_lab.studies.angle_agreement import CLOSE
from sadanet_lab.training.profiles import find_profile


class Traced(NamedTuple):
    """A phantom as its mask and its truth tell it, and as it was traced."""

    spine: Spine
    seen: np.ndarray
    """Label map (H, W)."""


def trace(
    images: int, seed: int = 0, width: int = 128, height: int = 512, spread: Spread = "usual", cases: Cases = "usual"
) -> Iterator[Traced]:
    """The spines that the test images of ``sadanet phantom --seed`` show, each traced where a painted picture of it
    would have its shadows: they lie as far from the mask's bones as in that image, but are drawn anew. Raises
    ``ValueError`` for a spread that is not painted."""
    if spread in SCANNED:
        raise ValueError(f"spread {spread!r}: expected one that is painted, usual or wide")
    for number in range(images):
        for_anatomy, for_appearance = np.random.default_rng([seed, FIRST_TEST_INDEX + number]).spawn(2)
        spine = draw_spine(for_anatomy, width, height, spread, cases)
        displacement, scale = draw(Style, for_appearance, spread).displacement, CELL * np.array(spine.scales)
        seen = tuple(
            replace(bone, polygon=scale * displaced(for_appearance, bone.polygon / scale, displacement))
            for bone in spine.bones
            if not bone.hidden
        )
        yield Traced(spine, replace(spine, bones=seen).labels())


def score_traced(traced: Iterator[Traced]) -> pd.DataFrame:
    """One row: of the bones and their average the Dice in percent, pooled, and of the largest curve angle mae (degrees,
    of those that are measurable) and share_close (within ``CLOSE`` degrees, of all); images."""
    counts, off = [], []
    for number, (spine, seen) in enumerate(traced):
        counts.append(count(spine.labels(), seen, str(number)))
        angle = measure_curves(seen).largest_angle_degrees
        off.append(np.nan if angle is None else abs(angle - largest_angle(list(spine.levels))))
    dice, errors = 100 * scores_of(pd.concat(counts)).dice[list(BONE_REGIONS)], pd.Series(off)
    row = {**dice, "mae": errors.mean(), "share_close": (errors <= CLOSE).mean(), "images": len(off)}
    return pd.DataFrame([row])


def trace_profile(profile: str, data: str = PHANTOM, images: int = 100) -> pd.DataFrame | None:
    """``score_traced`` of the profile's first test phantoms, as many as it has up to ``images``; None where ``data``
    is another folder, or the phantoms are scanned."""
    size = find_profile(profile)["phantom"]
    if data != PHANTOM or size["spread"] == "scanner2":  # of other profiles the test images have the usual spread
        return None
    return score_traced(trace(min(images, size["test"]), 0, size["width"], size["height"], "usual", size["cases"]))
