"""Label maps in files: what is written of a segmented picture, and what is read back."""

import io
from pathlib import Path

import numpy as np

from sadanet_lab.errors import BadInput
from sadanet_lab.images import slicer
from sadanet_lab.images.content import read_content
from sadanet_lab.images.picture import Picture
from sadanet_lab.images.png import decode_mask, labels_png
from sadanet_lab.spine.classes import COLOUR_BLIND_SAFE


def read_labels(path: Path) -> np.ndarray:
    """Label map of a file, uint8 (H, W), ids 0..3: a mask PNG (see ``png.read_mask``) or a ``.seg.nrrd``.

    Told by content. Raises ``BadInput``, one line that names the file, for anything else.
    """
    content = read_content(Path(path), "a mask PNG or a .seg.nrrd")
    if content.startswith(slicer.MAGIC):
        return slicer.read_seg_nrrd(io.BytesIO(content), str(path))
    return decode_mask(content, str(path))


def label_files(
    labels: np.ndarray, picture: Picture, name: str, algorithm: str, colours: np.ndarray = COLOUR_BLIND_SAFE
) -> tuple[dict[str, bytes], str | None]:
    """A label map uint8 (H, W) as files: how each one's name ends after the picture's stem -> its bytes.

    Palette PNG and 3D Slicer's segmentation, in which nothing of the patient is; of a DICOM picture a DICOM
    segmentation too, which names patient and study, or else the line that says why there is none. name: what that line
    calls the picture; algorithm: which network made the label map; colours: RGB of each id in the PNG.
    """
    files = {
        "_labels.png": labels_png(labels, colours),
        ".seg.nrrd": slicer.seg_nrrd(labels, picture.spacing_mm, picture.spacing_from),
    }
    if picture.source is None:
        return files, None
    from sadanet_lab.images.dicom_seg import dicom_seg  # a second to load, of which other pictures need nothing

    try:
        return files | {"_seg.dcm": dicom_seg(labels, picture, name, algorithm)}, None
    except BadInput as error:
        return files, str(error)
