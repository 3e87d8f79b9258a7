"""A picture in a DICOM file, as a viewer shows it: with its modality and VOI tables or window, black where it is dark.

Greys become 8 bits by the first rule that applies:
1. The file has a VOI table or a window: what that shows as black and white becomes 0 and 255.
2. 8 bits are stored, and nothing is rescaled: they stay.
3. The picture's own range becomes 0..255.
MONOCHROME1 counts from white and is inverted at the end. Colour is taken where its content is grey.
"""

import logging
import re
import zlib
from typing import BinaryIO

import numpy as np
from pydicom import Dataset, dcmread
from pydicom.filereader import read_dataset
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi_lut
from pydicom.pixels.utils import pixel_array
from pydicom.uid import DeflatedExplicitVRLittleEndian, MediaStorageDirectoryStorage

from sadanet_lab.errors import BadInput
from sadanet_lab.images.content import LARGEST_FILE, grows_too_large
from sadanet_lab.images.picture import ASPECT, Orientation, Picture, check_size, eight_bits, one_channel, own_range

logging.getLogger("pydicom").addHandler(logging.NullHandler())  # what it would print to stderr: a fault is one line

PREAMBLE = 132
"""Bytes before the first element, the last four of which are "DICM"."""
_VALUES = re.compile(r"""'[^']*'|"[^"]*"|\d[\d.:/-]{5,}""")
"""What in a line may be a value: what is quoted, dates and long numbers."""
_CENTIMETRES = 3
"""DICOM's code of that unit in an ultrasound region (PS3.3, C.8.5.5.1.15)."""
_TOWARDS = (("L", "R"), ("P", "A"), ("H", "F"))
"""Where DICOM's axes x, y and z run to, and where from (PS3.3, C.7.6.2.1.1)."""


def read(file: BinaryIO, name: str) -> Picture:
    """The picture in a DICOM file; raises ``BadInput``, one line that begins with ``name``, for what is none.

    None is: a damaged file, one without pixels or with several frames, one whose compression needs packages that are
    not installed, colour, and sizes that ``check_size`` refuses. Only the header is read before these are checked.
    """
    try:
        _check_deflated(file, name)
        header = dcmread(file, stop_before_pixels=True)
        source = Dataset(header)  # which, other than the header, does not hold the file
        pixel, pixel_from = _pixel(header)
        _check(header, pixel, name)
        file.seek(0)
        return Picture(_grey(dcmread(file), name), "DICOM", pixel, pixel_from, _orientation(header), source)
    except BadInput:
        raise
    except Exception as error:  # of a damaged file pydicom raises nearly anything
        raise BadInput(f"{name}: damaged or truncated DICOM file ({said_safely(error)})") from error


def said_safely(error: Exception) -> str:
    """What an error of pydicom's or highdicom's says, without values of the file: they may be a patient's."""
    said = (str(error).splitlines() or [type(error).__name__])[0]
    return said if isinstance(error, AttributeError | KeyError) else _VALUES.sub("...", said)


def _check_deflated(file: BinaryIO, name: str) -> None:
    """Raises ``BadInput`` for a file that is compressed as a whole, and larger than any picture."""
    file.seek(PREAMBLE)
    meta = read_dataset(file, is_implicit_VR=False, is_little_endian=True, stop_when=lambda tag, *_: tag >> 16 != 2)
    deflated = meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian
    if deflated and grows_too_large(file.read(), zlib.decompressobj(-zlib.MAX_WBITS)):
        raise BadInput(f"{name}: too large once inflated; expected at most {LARGEST_FILE:,} bytes")
    file.seek(0)


def _check(header: Dataset, pixel: tuple[float, float] | None, name: str) -> None:
    if header.file_meta.get("MediaStorageSOPClassUID") == MediaStorageDirectoryStorage:
        raise BadInput(f"{name}: a DICOMDIR, which lists a medium's files; expected a picture")
    if "Rows" not in header or "Columns" not in header:
        raise BadInput(f"{name}: DICOM file without a picture ({header.SOPClassUID.name}); expected one")
    check_size(header.Columns, header.Rows, name, pixel)
    frames = int(header.get("NumberOfFrames") or 1)
    if frames > 1:
        raise BadInput(f"{name}: {frames} frames; expected one picture")
    if header.BitsAllocated not in (8, 16):
        raise BadInput(f"{name}: {header.BitsAllocated} bits a pixel; expected 8 or 16")
    syntax = header.file_meta.TransferSyntaxUID
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError:
        raise BadInput(f"{name}: compressed as {syntax.name}, which pydicom cannot read") from None
    if not decoder.is_available:
        needed = "; or ".join(decoder.missing_dependencies)
        raise BadInput(f"{name}: compressed as {syntax.name}, for which packages are missing: {needed}")


def _grey(dataset: Dataset, name: str) -> np.ndarray:
    """uint8 (H, W), as the rules at the top of this file say."""
    stored = pixel_array(dataset)  # of YBR it makes RGB
    meaning = dataset.PhotometricInterpretation
    if meaning == "PALETTE COLOR":
        stored = apply_color_lut(stored, dataset)
        whole = float(np.iinfo(stored.dtype).max)
        return eight_bits(one_channel(stored, name, lossy=False), 0.0, whole)
    if stored.ndim == 3:
        lossy = meaning.startswith("YBR") or dataset.get("LossyImageCompression") == "01"
        values = one_channel(stored, name, lossy)
        return values if dataset.BitsStored == 8 else own_range(values, name)
    for name_of, usual in (("RescaleSlope", 1), ("RescaleIntercept", 0)):
        if name_of in dataset and dataset[name_of].is_empty:
            setattr(dataset, name_of, usual)
    values, padding = apply_modality_lut(stored, dataset), _padding(stored, dataset)
    if dataset.get("VOILUTSequence") or _has_window(dataset):
        grey = eight_bits(apply_voi_lut(values, dataset), *_voi_range(dataset))
    elif dataset.BitsStored == 8 and dataset.PixelRepresentation == 0 and np.array_equal(values, stored):
        grey = stored
    else:
        grey = own_range(values, name, shown=~padding)
    grey = 255 - grey if meaning == "MONOCHROME1" else grey
    return np.where(padding, np.uint8(0), grey)


def _has_window(dataset: Dataset) -> bool:
    """Whether the window is one: some files have its attributes empty, or of no width (PS3.3, C.11.2.1.2)."""
    if any(name not in dataset or dataset[name].is_empty for name in ("WindowWidth", "WindowCenter")):
        return False
    width = float(np.atleast_1d(dataset.WindowWidth)[0])
    return width >= 1 or (width > 0 and dataset.get("VOILUTFunction") in ("LINEAR_EXACT", "SIGMOID"))


def _padding(stored: np.ndarray, dataset: Dataset) -> np.ndarray:
    """Where pixels are no picture: PixelPaddingValue, or from it to PixelPaddingRangeLimit."""
    value = dataset.get("PixelPaddingValue")
    if value is None:
        return np.zeros(stored.shape, bool)
    low, high = sorted((int(value), int(dataset.get("PixelPaddingRangeLimit") or value)))
    return (stored >= low) & (stored <= high)


def _voi_range(dataset: Dataset) -> tuple[float, float]:
    """What the VOI table or window gives for black and for white."""
    if dataset.get("VOILUTSequence"):
        return 0.0, 2.0 ** dataset.VOILUTSequence[0].LUTDescriptor[2] - 1
    far = 1e12  # beyond any window
    black, white = apply_voi_lut(np.array([-far, far]), dataset)
    return float(black), float(white)


def _pixel(header: Dataset) -> tuple[tuple[float, float] | None, str | None]:
    """A pixel's height and width, see ``Picture.pixel``, and the attribute that says so; (None, None) if none does.

    PixelSpacing is what the picture shows of the body; so are the regions of an ultrasound picture, if they agree.
    ImagerPixelSpacing is that at the detector, and magnified in a radiograph.
    """
    regions = [
        (abs(region.PhysicalDeltaY) * 10, abs(region.PhysicalDeltaX) * 10)
        for region in header.get("SequenceOfUltrasoundRegions") or []
        if region.get("PhysicalUnitsXDirection") == region.get("PhysicalUnitsYDirection") == _CENTIMETRES
        and "PhysicalDeltaX" in region
        and "PhysicalDeltaY" in region
    ]
    found = {
        "PixelSpacing": header.get("PixelSpacing"),
        "SequenceOfUltrasoundRegions": regions[0] if len(set(regions)) == 1 else None,
        "ImagerPixelSpacing": header.get("ImagerPixelSpacing"),
        ASPECT: header.get(ASPECT),
    }
    for attribute, value in found.items():
        sides = [float(side) for side in np.atleast_1d(value if value is not None else [])]
        if len(sides) == 2 and min(sides) > 0:
            unit = min(sides) if attribute == ASPECT else 1.0  # of a form alone the numbers say nothing: 1024 by 768
            return (sides[0] / unit, sides[1] / unit), attribute
    return None, None


def _orientation(header: Dataset) -> Orientation | None:
    """See ``Picture.orientation``: by PatientOrientation, or by ImageOrientationPatient where that alone says all."""
    found = [
        Orientation(*_letters(header), "PatientOrientation"),
        Orientation(*_nearest(header), "ImageOrientationPatient"),
    ]
    found.sort(key=lambda said: not said.along_rows or not said.down_columns)
    return next((said for said in found if said.along_rows or said.down_columns), None)


def _letters(header: Dataset) -> tuple[str, str]:
    said = header.get("PatientOrientation")
    values = [said] if isinstance(said, str) else list(said or [])
    along, down, *_ = (str(value)[:1] for value in [*values, "", ""])
    return along, down


def _nearest(header: Dataset) -> tuple[str, str]:
    try:
        vectors = np.array(header.get("ImageOrientationPatient") or [], float).reshape(2, 3)
    except (TypeError, ValueError):  # what is there is no number, or not six of them: the picture is one all the same
        return "", ""
    if not np.isfinite(vectors).all() or not vectors.any(axis=1).all():
        return "", ""
    nearest = np.abs(vectors).argmax(axis=1)
    along, down = (_TOWARDS[axis][int(vector[axis] < 0)] for axis, vector in zip(nearest, vectors, strict=True))
    return along, down
