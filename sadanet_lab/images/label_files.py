"""Label maps in files: what is written of a segmented picture, and what is read back."""

import io
from pathlib import Path

import numpy as np

from sadanet_lab.errors import BadInput
from sadanet_lab.images import slicer
from sadanet_lab.images.content import picture_kind, read_content, what_it_is
from sadanet_lab.images.picture import Picture, check_square_size, resize_labels
from sadanet_lab.images.png import decode_mask, labels_png, pixel_of
from sadanet_lab.spine.classes import COLOUR_BLIND_SAFE

EXPECTED = "a mask PNG or a .seg.nrrd"


def read_labels(path: Path) -> np.ndarray:
    """Label map of a file, uint8 (H, W), ids 0..3: a mask PNG (see ``png.read_mask``) or a ``.seg.nrrd``.

    Told by content. Where a pixel is taller than wide, or wider than tall, the label map is the one with square pixels.
    Raises ``BadInput``, one line that names the file, for anything else.
    """
    content = read_content(Path(path), EXPECTED)
    if content.startswith(slicer.MAGIC):
        return slicer.read_seg_nrrd(io.BytesIO(content), str(path))
    if picture_kind(content) != "PNG":
        raise BadInput(f"{path}: {what_it_is(content) or 'neither PNG nor NRRD'}; expected {EXPECTED}")
    labels = decode_mask(content, str(path))
    width, height = check_square_size(labels.shape[1], labels.shape[0], str(path), pixel_of(content))
    return resize_labels(labels, height, width)


def label_files(
    labels: np.ndarray, picture: Picture, name: str, algorithm: str, colours: np.ndarray = COLOUR_BLIND_SAFE
) -> tuple[dict[str, bytes], str | None]:
    """A label map uint8 (H, W) as files: how each one's name ends after the picture's stem -> its bytes.

    Palette PNG and 3D Slicer's segmentation, in which nothing of the patient is; of a DICOM picture a DICOM
    segmentation too, which names patient and study, or else the line that says why there is none. name: what that line
    calls the picture; algorithm: which network made the label map; colours: RGB of each id in the PNG.
    """
    files = {
        "_labels.png": labels_png(labels, colours, picture.pixel, in_mm=picture.spacing_mm is not None),
        ".seg.nrrd": slicer.seg_nrrd(labels, picture.pixel, picture.pixel_from),
    }
    if picture.source is None:
        return files, None
    from sadanet_lab.images.dicom_seg import dicom_seg  # a second to load, of which other pictures need nothing

    try:
        return files | {"_seg.dcm": dicom_seg(labels, picture, name, algorithm)}, None
    except BadInput as error:
        return files, str(error)
