"""One segmented picture as a person gets it: overlay, summary, files."""

import io
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from PIL import Image

from sadanet_lab.images.label_files import label_files
from sadanet_lab.images.picture import Picture, resize_labels
from sadanet_lab.images.png import png_bytes
from sadanet_lab.inference.segmenter import Segmentation
from sadanet_lab.spine import description
from sadanet_lab.spine.classes import PALETTES
from sadanet_lab.spine.curve_angles import trusted
from sadanet_lab.spine.names import USUAL, Convention
from sadanet_lab.views.overlays import overlay, with_levels

SCREEN_HEIGHT = 700
"""Of the overlay in a notebook, screen pixels."""
THUMBNAIL_HEIGHT = 320


@dataclass(frozen=True)
class SegmentedImage:
    """A picture, what a network made of its ``square_image``, its name, how levels are named, in which colours."""

    name: str
    picture: Picture
    segmentation: Segmentation
    convention: Convention = USUAL
    colours: str = "safe"
    """One of ``PALETTES``."""

    @property
    def labels(self) -> np.ndarray:
        """uint8 (H, W), ids 0..3, of the picture's own pixels."""
        return resize_labels(self.segmentation.labels, *self.picture.image.shape)

    @cached_property
    def overlay(self) -> np.ndarray:
        """RGB uint8: the bones and the levels that were measured, drawn over the image with square pixels."""
        drawn = overlay(self.picture.square_image, self.segmentation.labels, PALETTES[self.colours])
        return with_levels(drawn, trusted(self.segmentation.measurement))

    @cached_property
    def angles(self) -> dict[str, Any]:
        """See ``description.describe``; then the picture's width, height (pixels), spacing_mm, pixel_aspect,
        file_viewed_from ("back" or "front"), file_upside_down and the attribute that says these two
        (file_orientation_from), as its file says.

        Levels lie where they do with square pixels, which is elsewhere only where the spacing differs either way.
        """
        found, picture, (height, width) = self.segmentation, self.picture, self.picture.image.shape
        told = description.describe(self.name, found.measurement, self.convention, found.judgement)
        size = {"width": width, "height": height, "spacing_mm": picture.spacing_mm, "pixel_aspect": picture.aspect}
        return (
            told
            | size
            | {
                "file_viewed_from": picture.viewed_from,
                "file_upside_down": picture.upside_down,
                "file_orientation_from": picture.orientation and picture.orientation.said_by,
            }
        )

    @property
    def summary(self) -> str:
        """The angles in a line."""
        return description.as_table([self.angles])

    def screen_picture(self) -> Image.Image:
        """The overlay, at most ``SCREEN_HEIGHT`` tall."""
        return self._reduced(SCREEN_HEIGHT)

    def jpeg(self, height: int) -> bytes:
        """The overlay, at most so many pixels tall, as a file for a report."""
        small = io.BytesIO()
        self._reduced(height).save(small, format="JPEG", quality=80)
        return small.getvalue()

    def _reduced(self, height: int) -> Image.Image:
        picture = Image.fromarray(self.overlay)
        picture.thumbnail((4 * height, height))
        return picture

    def files(self, algorithm: str) -> dict[str, bytes]:
        """What is kept of it beside its angles: how each file's name ends after the picture's -> its bytes.

        algorithm: what made the label map, as a DICOM segmentation names it. Where there is none of a DICOM picture,
        ``angles`` says why from then on ("no_dicom_segmentation").
        """
        files, why = label_files(self.labels, self.picture, self.name, algorithm, PALETTES[self.colours])
        if why is not None:
            self.angles["no_dicom_segmentation"] = why
        return files | {"_overlay.png": png_bytes(self.overlay), "_thumbnail.jpg": self.jpeg(THUMBNAIL_HEIGHT)}
