"""A trained network asked for one image after the other: label map, overlay and curve angles."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from sadanet_core.experiment.inference import labels_of
from sadanet_core.experiment.run_store import Run
from sadanet_core.images.vpi_folder import png_bytes
from sadanet_core.scoliosis import report
from sadanet_core.scoliosis.spine_curve import measure
from sadanet_core.views.pictures import overlay, with_levels

SHOWN_HEIGHT = 700
"""Of the overlay in a notebook, screen pixels."""


@dataclass(frozen=True)
class Found:
    """What a network makes of one image."""

    labels: np.ndarray
    """uint8 (H, W), ids 0..3."""
    overlay: np.ndarray
    """RGB uint8 (H, W, 3): the bones and the levels that were measured, drawn over the image."""
    angles: dict
    """See ``scoliosis.report.entry``."""

    @property
    def told(self) -> str:
        """The angles in a line."""
        return report.as_table([self.angles])

    def shown(self) -> Image.Image:
        """The overlay, at most ``SHOWN_HEIGHT`` tall."""
        picture = Image.fromarray(self.overlay)
        picture.thumbnail((4 * SHOWN_HEIGHT, SHOWN_HEIGHT))
        return picture

    def files(self) -> dict[str, bytes]:
        """What there is to keep of it, as files: how each one's name ends after the image's stem -> its bytes."""
        return {
            "_labels.png": png_bytes(self.labels),
            "_overlay.png": png_bytes(self.overlay),
            "_angles.json": report.as_json([self.angles]).encode() + b"\n",
        }


class Segmenter:
    """``averaged`` over sideways flips and three scales: six times slower."""

    def __init__(self, run: Run, averaged: bool = False):
        self.recipe, self.network, self.averaged = run.recipe, run.network(), averaged

    def __call__(self, image: np.ndarray, name: str) -> Found:
        """image: grey uint8 (H, W); name: what the angles' entry calls it."""
        labels = labels_of(self.network, image, self.recipe, self.averaged)
        measured = measure(labels)
        return Found(labels, with_levels(overlay(image, labels), measured), report.entry(name, measured))
