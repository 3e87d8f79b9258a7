"""Bring your own image: segmentation, curve angles and overlay of one image, in a notebook."""

import base64
import html
from pathlib import Path

import ipywidgets as widgets
import numpy as np

from sadanet_lab.errors import BadInput
from sadanet_lab.images.formats import decode_picture
from sadanet_lab.images.png import png_bytes
from sadanet_lab.inference.segmenter import Segmenter
from sadanet_lab.views.segmented_image import SegmentedImage

LINKS = {
    "_labels.png": ("label map", "image/png"),
    "_overlay.png": ("overlay", "image/png"),
    "_angles.json": ("angles", "application/json"),
}
"""What a download is called and its kind, by how its file's name ends; see ``SegmentedImage.downloads``."""
KINDS = ".png,.tif,.tiff,.bmp,.jpg,.jpeg,.dcm"
"""Endings that the browser's file dialog offers."""


class DropZone:
    """A button that takes a picture; below it the overlay, the angles, and links to download label map and angles."""

    def __init__(self, segmenter: Segmenter):
        self.segmenter = segmenter
        self.upload = widgets.FileUpload(
            description="Your image", accept=KINDS, multiple=False, layout=widgets.Layout(width="220px")
        )
        self.summary, self.links = widgets.HTML(), widgets.HTML()
        self.picture = widgets.Image(format="png")
        self.picture.add_class("own-image")
        self.picture.layout.display = "none"
        self.upload.observe(self._uploaded, "value")
        self.widget = widgets.VBox([self.upload, self.summary, self.links, self.picture])

    def _uploaded(self, _change) -> None:
        for file in self.upload.value:
            self.show(bytes(file["content"]), file["name"])

    def show(self, content: bytes, name: str) -> None:
        """Segment a picture file's bytes and show what was found, or why it could not be."""
        self.picture.layout.display, self.links.value = "none", ""
        try:
            picture = decode_picture(content, name)
            segmented = SegmentedImage(name, picture, self.segmenter(picture.square_image))
        except BadInput as error:
            self.summary.value = f"<b>{html.escape(str(error))}</b>"
            return
        self.summary.value = html.escape(segmented.summary)
        self.picture.value = png_bytes(np.asarray(segmented.screen_picture()))
        self.picture.layout.display = None
        stem = Path(name).stem
        self.links.value = " &middot; ".join(
            _link(content, LINKS[end][1], stem + end, LINKS[end][0]) for end, content in segmented.downloads().items()
        )


def _link(content: bytes, kind: str, name: str, text: str) -> str:
    """A download that needs no server: the file is in the link."""
    code = base64.b64encode(content).decode()
    return f'<a download="{html.escape(name, quote=True)}" href="data:{kind};base64,{code}">{text}</a>'
