"""Synthetic VPI images ("phantoms") with known masks, levels and curve angles."""

from sadanet_core.images.phantom.anatomy import Bone, Spine, draw_spine
from sadanet_core.images.phantom.appearance import render
from sadanet_core.images.phantom.writer import write_folder

__all__ = ["Bone", "Spine", "draw_spine", "render", "write_folder"]
