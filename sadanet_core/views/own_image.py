"""Bring your own image: segmentation, curve angles and overlay of one picture, in a notebook."""

import base64
import html
from dataclasses import dataclass
from pathlib import Path

import ipywidgets as widgets
import numpy as np
from PIL import Image

from sadanet_core.errors import BadInput
from sadanet_core.experiment.datasets import PHANTOM, open_data
from sadanet_core.experiment.inference import labels_of
from sadanet_core.experiment.run_store import Run, open_run
from sadanet_core.experiment.shipped import shipped_run
from sadanet_core.images.vpi_folder import decode_vpi, png_bytes, read_vpi
from sadanet_core.places import resolve
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
        return report.as_table([self.angles])

    def shown(self) -> Image.Image:
        """The overlay, at most ``SHOWN_HEIGHT`` tall."""
        picture = Image.fromarray(self.overlay)
        picture.thumbnail((4 * SHOWN_HEIGHT, SHOWN_HEIGHT))
        return picture


class Segmenter:
    """A trained network, asked for one image after the other. run: "shipped", or a run's folder."""

    def __init__(self, run: str, averaged: bool = False):
        self.run: Run = shipped_run() if run == "shipped" else open_run(resolve(run))
        self.network, self.averaged = self.run.network(), averaged

    def __call__(self, image: np.ndarray, name: str) -> Found:
        """image: grey uint8 (H, W); name: what the angles' entry calls it."""
        labels = labels_of(self.network, image, self.run.recipe, self.averaged)
        measured = measure(labels)
        return Found(labels, with_levels(overlay(image, labels), measured), report.entry(name, measured))


def chosen(data: str, profile: str) -> tuple[np.ndarray, str]:
    """(image, name): ``data`` is a PNG, or a dataset (see ``open_data``), whose first test image is taken."""
    if data != PHANTOM and resolve(data).suffix.lower() == ".png":
        return read_vpi(resolve(data)), data
    sample = open_data(data, profile).test[0]
    return sample.image(), sample.stem


class DropZone:
    """A button that takes a PNG; below it the overlay, the angles, and links to download the label map and angles."""

    def __init__(self, segmenter: Segmenter):
        self.segmenter = segmenter
        self.upload = widgets.FileUpload(description="Your image (PNG)", accept=".png", multiple=False,
                                         layout=widgets.Layout(width="220px"))  # fmt: skip
        self.told, self.links = widgets.HTML(), widgets.HTML()
        self.picture = widgets.Image(format="png")
        self.picture.add_class("own-image")
        self.picture.layout.display = "none"
        self.upload.observe(self._uploaded, "value")
        self.widget = widgets.VBox([self.upload, self.told, self.links, self.picture])

    def _uploaded(self, _change) -> None:
        for file in self.upload.value:
            self.show(bytes(file["content"]), file["name"])

    def show(self, content: bytes, name: str) -> None:
        """Segment a PNG file's bytes and show what was found, or why it could not be."""
        self.picture.layout.display, self.links.value = "none", ""
        try:
            found = self.segmenter(decode_vpi(content, name), name)
        except BadInput as error:
            self.told.value = f"<b>{html.escape(str(error))}</b>"
            return
        self.told.value = html.escape(found.told)
        self.picture.value = png_bytes(np.asarray(found.shown()))
        self.picture.layout.display = None
        stem = Path(name).stem
        self.links.value = " &middot; ".join(
            [
                _link(png_bytes(found.labels), "image/png", f"{stem}_labels.png", "label map"),
                _link(png_bytes(found.overlay), "image/png", f"{stem}_overlay.png", "overlay"),
                _link(report.as_json([found.angles]).encode(), "application/json", f"{stem}_angles.json", "angles"),
            ]
        )


def _link(content: bytes, kind: str, name: str, text: str) -> str:
    """A download that needs no server: the file is in the link."""
    code = base64.b64encode(content).decode()
    return f'<a download="{html.escape(name, quote=True)}" href="data:{kind};base64,{code}">{text}</a>'
