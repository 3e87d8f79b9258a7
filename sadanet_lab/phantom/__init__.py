"""Synthetic VPI images ("phantoms") with known masks, levels and curve angles."""

from sadanet_lab.phantom.anatomy import Spine, draw_spine
from sadanet_lab.phantom.appearance import render
from sadanet_lab.phantom.picture import draw_picture
from sadanet_lab.phantom.ranges import CASES, SPREADS, Body, Cases, Scanner, Spread, Style, draw
from sadanet_lab.phantom.scan import scan
from sadanet_lab.phantom.writer import write_folder

__all__ = [
    "CASES",
    "SPREADS",
    "VERSION",
    "Body",
    "Cases",
    "Scanner",
    "Spine",
    "Spread",
    "Style",
    "draw",
    "draw_picture",
    "draw_spine",
    "render",
    "scan",
    "write_folder",
]

VERSION = 3
"""Raised whenever the same seed gives other phantoms, so that folders written before are not taken for new ones."""
