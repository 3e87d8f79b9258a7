"""Bring your own image: segmentation, curve angles and overlay of one picture, in a notebook."""

import base64
import html
from pathlib import Path

import ipywidgets as widgets
import numpy as np

from sadanet_core.errors import BadInput
from sadanet_core.experiment.datasets import PHANTOM, open_data
from sadanet_core.images.vpi_folder import decode_vpi, png_bytes, read_vpi
from sadanet_core.places import resolve
from sadanet_core.views.segmenter import Segmenter

LINKS = {
    "_labels.png": ("label map", "image/png"),
    "_overlay.png": ("overlay", "image/png"),
    "_angles.json": ("angles", "application/json"),
}
"""What a download is called and its kind, by how its file's name ends; see ``segmenter.Found.files``."""


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
            _link(content, LINKS[end][1], stem + end, LINKS[end][0]) for end, content in found.files().items()
        )


def _link(content: bytes, kind: str, name: str, text: str) -> str:
    """A download that needs no server: the file is in the link."""
    code = base64.b64encode(content).decode()
    return f'<a download="{html.escape(name, quote=True)}" href="data:{kind};base64,{code}">{text}</a>'
