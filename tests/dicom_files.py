"""DICOM files to read, made with pydicom."""

import io

import numpy as np
from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, UltrasoundImageStorage, generate_uid

PATIENT = {"PatientID": "ID-4711-XY", "PatientName": "Mustermann^Erika", "PatientBirthDate": "19991231"}


def dataset(pixels, bits=None, **attributes):
    """A dataset with the pixels (H, W) or (H, W, 3) of 8 or 16 bits; attributes replace or add to what it has."""
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    stored = 8 * pixels.dtype.itemsize
    colour = pixels.ndim == 3
    given = {
        "SOPClassUID": UltrasoundImageStorage,
        "SOPInstanceUID": generate_uid(),
        "StudyInstanceUID": generate_uid(),
        "SeriesInstanceUID": generate_uid(),
        "Modality": "US",
        "StudyID": "S7",
        "AccessionNumber": "A-88",
        "StudyDate": "20250102",
        "Rows": pixels.shape[0],
        "Columns": pixels.shape[1],
        "SamplesPerPixel": 3 if colour else 1,
        "PhotometricInterpretation": "RGB" if colour else "MONOCHROME2",
        "BitsAllocated": stored,
        "BitsStored": bits or stored,
        "HighBit": (bits or stored) - 1,
        "PixelRepresentation": int(pixels.dtype.kind == "i"),
        "PixelData": np.ascontiguousarray(pixels).tobytes(),
    }
    if colour:
        given["PlanarConfiguration"] = 0
    for keyword, value in (given | PATIENT | attributes).items():
        setattr(made, keyword, value)
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    return made


def content(made):
    """The bytes of its file."""
    buffer = io.BytesIO()
    dcmwrite(buffer, made, enforce_file_format=True)
    return buffer.getvalue()


def dicom(pixels, bits=None, **attributes):
    """The bytes of a file; see ``dataset``."""
    return content(dataset(pixels, bits, **attributes))


def region(down, across, units=3):
    """One of an ultrasound picture's regions, spacing in centimetres."""
    made = Dataset()
    made.PhysicalDeltaY, made.PhysicalDeltaX = down, across
    made.PhysicalUnitsXDirection = made.PhysicalUnitsYDirection = units
    return made
