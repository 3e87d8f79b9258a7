"""Bring your own image: drop picture files on a field in a notebook, or in the page of ``make app``."""

from pathlib import Path
from typing import Any

import anywidget
import traitlets

from sadanet_lab.errors import BadInput
from sadanet_lab.images.formats import decode_picture
from sadanet_lab.inference.segmenter import Segmenter
from sadanet_lab.reporting.cohort_report import ARTICLE_STYLE, article, key, picture_report
from sadanet_lab.spine.description import as_json
from sadanet_lab.views.segmented_image import SegmentedImage

LARGEST_FILE = 64 << 20
"""Bytes of a picture file that is taken; eight bits of the largest picture that is decoded, see ``picture.LARGEST``."""
REPORT_HEIGHT = 1400
"""Of the overlay in a report, pixels at most: sharp in print too."""
DOWNLOADS = {
    "_report.html": ("Report", "text/html"),
    "_overlay.png": ("Overlay", "image/png"),
    "_labels.png": ("Label map", "image/png"),
    ".seg.nrrd": ("3D Slicer", "application/octet-stream"),
    "_seg.dcm": ("DICOM SEG", "application/dicom"),
    "_angles.json": ("Angles (JSON)", "application/json"),
}
"""What a download is called on the page and its kind, by how its file's name ends."""
FAULT = "the program failed; what it says of it stands where it was started"


class DropZone(anywidget.AnyWidget):
    """A field that takes pictures; below it what was found in each: overlay, curves, warnings and files to download.

    Pictures and results are messages between browser and kernel, never state of the widget: no notebook saves them,
    and the kernel keeps none.
    """

    _esm = Path(__file__).with_name("own_image.js")
    _css = ARTICLE_STYLE + Path(__file__).with_name("own_image.css").read_text(encoding="utf-8")
    largest = traitlets.Int(LARGEST_FILE).tag(sync=True)

    def __init__(self, segmenter: Segmenter, model: str = "shipped"):
        """model: what made the label maps, as reports and DICOM segmentations name it."""
        super().__init__()
        self._segmenter, self._model = segmenter, model
        self.on_msg(self._answer)

    def _answer(self, _widget: Any, asked: dict[str, Any], buffers: list[memoryview]) -> None:
        try:
            told, contents = self.measure(bytes(buffers[0]), asked["name"])
        except Exception:
            self.send({"id": asked["id"], "fault": f"{asked['name']}: {FAULT}"})
            raise
        self.send({"id": asked["id"], **told}, buffers=contents)

    def measure(self, content: bytes, name: str) -> tuple[dict[str, Any], list[bytes]]:
        """Segment a picture file's bytes: what the page is told, and the contents of the files that it offers.

        Told is "html" and "files" (name, text, kind, in the order of the contents); or, of what is no picture, "fault",
        one line.
        """
        try:
            picture = decode_picture(content, name)
        except BadInput as error:
            return {"fault": str(error)}, []
        segmented = SegmentedImage(name, picture, self._segmenter(picture.square_image))
        files, found, shown = segmented.files(self._model), segmented.angles, segmented.jpeg(REPORT_HEIGHT)
        files["_angles.json"] = (as_json([found]) + "\n").encode()
        files["_report.html"] = picture_report(name, found, shown, self._model).encode()
        offered = [end for end in DOWNLOADS if end in files]
        stem = Path(name).stem
        told = [dict(zip(("name", "text", "kind"), (stem + end, *DOWNLOADS[end]), strict=True)) for end in offered]
        return {"html": article(name, found, shown) + key(found), "files": told}, [files[end] for end in offered]
