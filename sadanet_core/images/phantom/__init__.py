"""Synthetic VPI images ("phantoms") with known masks, levels and curve angles."""

from sadanet_core.images.phantom.anatomy import Bone, Spine, draw_spine
from sadanet_core.images.phantom.appearance import render
from sadanet_core.images.phantom.ranges import SPREADS, Body, Spread, Style, draw
from sadanet_core.images.phantom.writer import write_folder

__all__ = [
    "SPREADS",
    "VERSION",
    "Body",
    "Bone",
    "Spine",
    "Spread",
    "Style",
    "draw",
    "draw_spine",
    "render",
    "write_folder",
]

VERSION = 3
"""Raised whenever the same seed gives other phantoms, so that folders written before are not taken for new ones."""
