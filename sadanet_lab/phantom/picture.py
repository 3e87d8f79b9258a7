"""The grey picture of a drawn spine, painted or scanned as its spread says."""

import numpy as np

from sadanet_lab.phantom.anatomy import Spine
from sadanet_lab.phantom.appearance import render
from sadanet_lab.phantom.ranges import Scanner, Spread, Style, draw
from sadanet_lab.phantom.scan import scan

PAINTED = 0.4
"""Share of the varied pictures that are painted, with the wide ranges: what either way lacks, the other has."""


def draw_picture(rng: np.random.Generator, spine: Spine, spread: Spread = "usual") -> np.ndarray:
    """Grey picture (H, W) of ``spine``, uint8; 0 outside the strip. Its look is drawn from the ranges of ``spread``."""
    if spread == "scanner2" or (spread == "varied" and rng.random() >= PAINTED):
        return scan(rng, spine, draw(Scanner, rng, spread))
    return render(rng, spine, draw(Style, rng, "wide" if spread == "varied" else spread))
