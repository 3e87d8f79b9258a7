"""One segmented image as a person gets it: overlay, summary, files."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from PIL import Image

from sadanet_lab.images.png import labels_png, png_bytes
from sadanet_lab.inference.segmenter import Segmentation
from sadanet_lab.spine import description
from sadanet_lab.spine.names import USUAL, Convention
from sadanet_lab.views.overlays import overlay, with_levels

SCREEN_HEIGHT = 700
"""Of the overlay in a notebook, screen pixels."""


@dataclass(frozen=True)
class SegmentedImage:
    """A grey image uint8 (H, W), what a network made of it, what its entry is called, and how its levels are named."""

    name: str
    image: np.ndarray
    segmentation: Segmentation
    convention: Convention = USUAL

    @property
    def labels(self) -> np.ndarray:
        """uint8 (H, W), ids 0..3."""
        return self.segmentation.labels

    @cached_property
    def overlay(self) -> np.ndarray:
        """RGB uint8 (H, W, 3): the bones and the levels that were measured, drawn over the image."""
        return with_levels(overlay(self.image, self.labels), self.segmentation.measurement)

    @property
    def angles(self) -> dict:
        """See ``description.describe``."""
        return description.describe(self.name, self.segmentation.measurement, self.convention)

    @property
    def summary(self) -> str:
        """The angles in a line."""
        return description.as_table([self.angles])

    def thumbnail(self) -> Image.Image:
        """The overlay, at most ``SCREEN_HEIGHT`` tall."""
        picture = Image.fromarray(self.overlay)
        picture.thumbnail((4 * SCREEN_HEIGHT, SCREEN_HEIGHT))
        return picture

    def files(self) -> dict[str, bytes]:
        """What there is to keep of it, as files: how each one's name ends after the image's stem -> its bytes."""
        return {
            "_labels.png": labels_png(self.labels),
            "_overlay.png": png_bytes(self.overlay),
            "_angles.json": description.as_json([self.angles]).encode() + b"\n",
        }
