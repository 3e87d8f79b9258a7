"""To which side of the patient a picture's rows and columns run, as its DICOM file says in one of two ways."""

import numpy as np
import pytest
from dicom_files import content, dataset, dicom
from pydicom.config import disable_value_validation

from sadanet_lab.images.formats import decode_picture

PO, IOP = "PatientOrientation", "ImageOrientationPatient"


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(0).integers(0, 256, (256, 64), np.uint8)


CASES = {
    "letters, back": ({PO: ["R", "F"]}, ("back", False, PO)),
    "letters, front": ({PO: ["L", "F"]}, ("front", False, PO)),
    "letters, slanted": ({PO: ["LP", "HA"]}, ("front", True, PO)),
    "rows alone": ({PO: "L"}, ("front", None, PO)),
    "columns alone": ({PO: ["", "H"]}, (None, True, PO)),
    "from the side": ({PO: ["A", "F"]}, (None, False, PO)),
    "vectors, front": ({IOP: [1, 0, 0, 0, 0, -1]}, ("front", False, IOP)),
    "vectors, back": ({IOP: [-1, 0, 0, 0, 0, -1]}, ("back", False, IOP)),
    "vectors, upside-down": ({IOP: [-1, 0, 0, 0, 0, 1]}, ("back", True, IOP)),
    "vectors, slanted": ({IOP: [0.96, 0.28, 0, 0.1, -0.2, -0.97]}, ("front", False, IOP)),
    "vectors, from the side": ({IOP: [0.1, -0.99, 0, 0, 0, -1]}, (None, False, IOP)),
    "vectors, lying": ({IOP: [1, 0, 0, 0, 1, 0]}, ("front", None, IOP)),
    "both": ({PO: ["R", "F"], IOP: [1, 0, 0, 0, 0, 1]}, ("back", False, PO)),
    "letters empty": ({PO: "", IOP: [1, 0, 0, 0, 0, -1]}, ("front", False, IOP)),
    "letters in part": ({PO: ["", "F"], IOP: [1, 0, 0, 0, 0, -1]}, ("front", False, IOP)),
    "vectors empty": ({PO: "L", IOP: None}, ("front", None, PO)),
    "vectors of no length": ({IOP: [0, 0, 0, 0, 0, 0]}, (None, None, None)),
    "too few numbers": ({IOP: [1, 0, 0]}, (None, None, None)),
    "neither": ({}, (None, None, None)),
}


@pytest.mark.parametrize("case", CASES)
def test_what_the_file_says_of_side_and_head(image, case):
    attributes, expected = CASES[case]
    found = decode_picture(dicom(image, **attributes), "x")
    assert (found.viewed_from, found.upside_down, found.orientation and found.orientation.said_by) == expected


def test_vectors_that_are_no_numbers_are_none_and_the_picture_is_read(image):
    made = dataset(image)
    with disable_value_validation():
        made.add_new(IOP, "LO", ["1", "x", "0", "0", "0", "-1"])
    written = content(made).replace(b"\x20\x00\x37\x00LO", b"\x20\x00\x37\x00DS")
    assert decode_picture(written, "x").orientation is None
