"""Label maps as DICOM segmentations of the DICOM picture that they were made of."""

import hashlib
import io
import warnings
from copy import deepcopy

import highdicom as hd
import numpy as np
from highdicom.seg import SegmentAlgorithmTypeValues, SegmentationTypeValues, SegmentDescription
from pydicom import DataElement, Dataset
from pydicom.config import IGNORE, RAISE
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import UID, generate_uid
from pydicom.valuerep import DSfloat

from sadanet_lab import __version__
from sadanet_lab.errors import BadInput
from sadanet_lab.images.dicom import said_safely
from sadanet_lab.images.picture import ASPECT, Picture
from sadanet_lab.images.segments import SEGMENTS, Segment

SERIES_NUMBER = 1000
"""Of the new series, beyond those that a scanner gives."""
SLICE_THICKNESS = 1.0
"""Millimetres, where the picture names none: a picture has no thickness, yet readers ask for one."""
_MAY_LACK = ("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID")
_MAY_LACK += ("StudyDate", "StudyTime")
"""What every DICOM picture has, if only empty; some exports leave it out, or write what DICOM does not allow."""
_REFERRED_TO = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
"""What tells the picture from all others: the segmentation refers to it by these, and its own are made of the last."""
_LONGEST_NAME = 64
"""Characters of an algorithm's name (LO)."""
_UTF_8 = "ISO_IR 192"


def dicom_seg(labels: np.ndarray, picture: Picture, name: str, algorithm: str) -> bytes:
    """Label map uint8 (H, W) of a DICOM picture of that size -> the bytes of a DICOM segmentation, three segments.

    Patient, study and, where there is one, position are the picture's; its spacing, or else its pixels' form, is kept
    too. What names patient and
    study without being a value that DICOM allows is left empty; text is written as UTF-8. algorithm: which network made
    it. Of the same picture and labels the identifiers of series and instance are the same.
    Raises ``BadInput``, beginning with ``name``, for a picture that no segmentation can refer to; nothing of the
    patient is in its line, nor told by a warning.
    """
    assert picture.source is not None  # the caller's to see to: of other kinds there is nothing to refer to
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the libraries: they would print the patient's name
        try:
            made = _segmentation(labels, _repaired(picture), algorithm[-_LONGEST_NAME:])
            if picture.pixel_from == ASPECT:  # required where the ratio is not 1:1 and no spacing is known (C.7.6.3)
                made.PixelAspectRatio = picture.source.PixelAspectRatio
            return _bytes(made)
        except (AttributeError, KeyError, TypeError, ValueError) as error:  # what highdicom raises
            raise BadInput(
                f"{name}: no DICOM segmentation can be made of this DICOM file ({said_safely(error)})"
            ) from error


def _repaired(picture: Picture) -> Dataset:
    """The source as a segmentation can be made of it; raises ``ValueError`` where nothing can refer to it."""
    source = deepcopy(picture.source)
    assert source is not None
    for keyword in _REFERRED_TO:
        if not _identifies(source, keyword):
            raise ValueError(f"{keyword} is missing, empty or no identifier that DICOM allows")
    if "FrameOfReferenceUID" in source and not _identifies(source, "FrameOfReferenceUID"):
        del source.FrameOfReferenceUID
    source.decode()
    source.SpecificCharacterSet = _UTF_8
    for keyword in _MAY_LACK:
        if keyword not in source or not _is_allowed(source[keyword]):
            setattr(source, keyword, None)
    source.SliceThickness = source.get("SliceThickness") or SLICE_THICKNESS
    if picture.spacing_mm is not None:
        source.PixelSpacing = [DSfloat(length, auto_format=True) for length in picture.spacing_mm]
    elif "PixelSpacing" in source:  # 0 or less, which highdicom would hand on
        del source.PixelSpacing
    return source


def _identifies(source: Dataset, keyword: str) -> bool:
    return UID(str(source.get(keyword) or ""), validation_mode=IGNORE).is_valid


def _is_allowed(element: DataElement) -> bool:
    try:
        DataElement(element.tag, element.VR, element.value, validation_mode=RAISE)
        return True
    except ValueError:
        return False


def _segmentation(labels: np.ndarray, source: Dataset, algorithm: str) -> hd.seg.Segmentation:
    made_of = [str(source.SOPInstanceUID), algorithm, hashlib.sha256(labels.tobytes()).hexdigest()]
    identification = hd.AlgorithmIdentificationSequence(
        name=algorithm, version=__version__, family=codes.DCM.ArtificialIntelligence, source="sadanet"
    )
    return hd.seg.Segmentation(
        source_images=[source],
        pixel_array=labels,
        segmentation_type=SegmentationTypeValues.BINARY,
        segment_descriptions=[_description(segment, identification) for segment in SEGMENTS],
        series_instance_uid=generate_uid(entropy_srcs=["series", *made_of]),
        series_number=SERIES_NUMBER,
        sop_instance_uid=generate_uid(entropy_srcs=["instance", *made_of]),
        instance_number=1,
        manufacturer="sadanet",
        manufacturer_model_name="sadanet",
        software_versions=__version__,
        device_serial_number=algorithm,
        content_label="SPINE",
        content_description="Bones of the spine in an ultrasound picture",
        series_description="sadanet segmentation",
    )


def _description(segment: Segment, identification: hd.AlgorithmIdentificationSequence) -> SegmentDescription:
    return SegmentDescription(
        segment_number=segment.class_id,
        segment_label=segment.name,
        segmented_property_category=codes.cid7150.AnatomicalStructure,
        segmented_property_type=Code(segment.code.value, "SCT", segment.code.meaning),
        algorithm_type=SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=identification,
        display_color=hd.color.CIELabColor.from_rgb(*segment.colour),
    )


def _bytes(segmentation: hd.seg.Segmentation) -> bytes:
    buffer = io.BytesIO()
    segmentation.save_as(buffer)
    return buffer.getvalue()
