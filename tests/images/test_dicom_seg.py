"""A DICOM segmentation belongs to its picture, patient and study; nothing of these is in any other file."""

import io
import subprocess
import sys
import zlib
from pathlib import Path

import highdicom
import numpy as np
import pytest
import SimpleITK
from dicom_files import PATIENT, content, dataset, dicom, region
from pydicom import dcmread
from pydicom.config import disable_value_validation
from pydicom.sr.codedict import codes
from pydicom.uid import (
    CTImageStorage,
    DigitalXRayImageStorageForPresentation,
    SecondaryCaptureImageStorage,
    SegmentationStorage,
    generate_uid,
)

from sadanet_lab.errors import BadInput
from sadanet_lab.images.dicom_seg import dicom_seg
from sadanet_lab.images.formats import decode_picture
from sadanet_lab.images.label_files import label_files
from sadanet_lab.phantom import draw_spine
from sadanet_lab.spine.classes import BONES, COLOUR_BLIND_SAFE

ALGORITHM = "sadanet-0123456789ab"


@pytest.fixture(scope="module")
def labels():
    return draw_spine(np.random.default_rng(0), 160, 640).labels()


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(0).integers(0, 256, (640, 160), np.uint8)


def segmented(labels, picture):
    files, reason = label_files(labels, picture, "x.dcm", ALGORITHM)
    assert reason is None
    return files


def labels_of(path):
    """By two readers: highdicom's, and the plain frames with what each says that it shows."""
    found = highdicom.seg.segread(path)
    source = found.SourceImageSequence[0].ReferencedSOPInstanceUID
    (labels,) = found.get_pixels_by_source_instance([source], combine_segments=True)
    plain = dcmread(path)
    by_frame = np.zeros_like(labels)
    frames = plain.pixel_array.reshape(-1, plain.Rows, plain.Columns)
    for frame, groups in zip(frames, plain.PerFrameFunctionalGroupsSequence, strict=True):
        by_frame[frame > 0] = groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber
    np.testing.assert_array_equal(by_frame, labels)
    return labels


IN_THE_PATIENT = {
    "FrameOfReferenceUID": generate_uid(),
    "ImagePositionPatient": [5.0, -60.0, 7.5],
    "ImageOrientationPatient": [1, 0, 0, 0, 0, -1],
    "PixelSpacing": [0.3, 0.2],
}
SOURCES = {
    "ultrasound": {"PixelSpacing": [0.3, 0.2]},
    "ultrasound regions": {"SequenceOfUltrasoundRegions": [region(0.03, 0.02)]},
    "ultrasound, no spacing": {},
    "ultrasound, reference without a position": {"FrameOfReferenceUID": generate_uid(), "PixelSpacing": [0.3, 0.2]},
    "ultrasound in the patient": IN_THE_PATIENT,
    "secondary capture": {"SOPClassUID": SecondaryCaptureImageStorage, "Modality": "OT", "PixelSpacing": [0.3, 0.2]},
    "secondary capture in the patient": {"SOPClassUID": SecondaryCaptureImageStorage, **IN_THE_PATIENT},
    "radiograph": {"SOPClassUID": DigitalXRayImageStorageForPresentation, "ImagerPixelSpacing": [0.3, 0.2]},
    "one frame that says so": {"NumberOfFrames": 1, "PixelSpacing": [0.3, 0.2]},
}


@pytest.mark.parametrize("case", SOURCES)
def test_patient_study_spacing_and_labels_come_back(image, labels, case, tmp_path):
    picture = decode_picture(dicom(image, **SOURCES[case]), "x.dcm")
    (tmp_path / "seg.dcm").write_bytes(segmented(labels, picture)["_seg.dcm"])
    found, source = dcmread(tmp_path / "seg.dcm"), picture.source
    assert found.SOPClassUID == SegmentationStorage
    kept = ("PatientID", "PatientName", "PatientBirthDate", "StudyInstanceUID", "StudyID", "AccessionNumber")
    for keyword in (*kept, "StudyDate"):
        assert found[keyword].value == source[keyword].value, keyword
    assert found.PatientID == PATIENT["PatientID"]
    assert found.SeriesInstanceUID != source.SeriesInstanceUID
    (referenced,) = found.ReferencedSeriesSequence
    assert referenced.SeriesInstanceUID == source.SeriesInstanceUID
    assert found.SourceImageSequence[0].ReferencedSOPInstanceUID == source.SOPInstanceUID
    shared = found.SharedFunctionalGroupsSequence[0]
    if picture.spacing_mm is None:
        assert "PixelMeasuresSequence" not in shared
    else:
        np.testing.assert_allclose(shared.PixelMeasuresSequence[0].PixelSpacing, (0.3, 0.2), rtol=1e-12)
    if "ImagePositionPatient" in source:
        assert found.FrameOfReferenceUID == source.FrameOfReferenceUID
        frame = found.PerFrameFunctionalGroupsSequence[0]
        assert frame.PlanePositionSequence[0].ImagePositionPatient == source.ImagePositionPatient
        orientation = shared.PlaneOrientationSequence[0].ImageOrientationPatient
        assert orientation == source.ImageOrientationPatient
    np.testing.assert_array_equal(labels_of(tmp_path / "seg.dcm"), labels)


@pytest.mark.parametrize("case", ["ultrasound in the patient", "secondary capture in the patient"])
def test_dcmqi_which_3d_slicer_reads_them_by_finds_labels_and_place(image, labels, case, tmp_path):
    """It refuses any segmentation of a picture that has no place in the patient, as docs/predict.md says."""
    picture = decode_picture(dicom(image, **SOURCES[case]), "x.dcm")
    (tmp_path / "seg.dcm").write_bytes(segmented(labels, picture)["_seg.dcm"])
    reader, files = Path(sys.executable).with_name("segimage2itkimage"), ["--inputDICOM", "seg.dcm"]
    options = ["--outputDirectory", ".", "--mergeSegments"]
    subprocess.run([reader, *files, *options], cwd=tmp_path, check=True, capture_output=True)
    volume = SimpleITK.ReadImage(tmp_path / "1.nrrd")
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(volume).reshape(labels.shape), labels)
    np.testing.assert_allclose(volume.GetSpacing()[:2], (0.2, 0.3))
    np.testing.assert_allclose(volume.GetOrigin(), IN_THE_PATIENT["ImagePositionPatient"])
    across, down = np.reshape(volume.GetDirection(), (3, 3)).T[:2]
    np.testing.assert_allclose([*across, *down], IN_THE_PATIENT["ImageOrientationPatient"])


@pytest.mark.parametrize("ratio", [[4, 3], [1024, 768], [1, 1]])
def test_where_the_form_of_pixels_alone_is_known_it_is_kept_and_no_spacing(image, labels, ratio, tmp_path):
    """PixelAspectRatio is of the Image Pixel module, and a segmentation has that one (PS3.3, A.51 and C.7.6.3)."""
    picture = decode_picture(dicom(image, PixelAspectRatio=ratio), "x.dcm")
    (tmp_path / "seg.dcm").write_bytes(segmented(labels, picture)["_seg.dcm"])
    found = dcmread(tmp_path / "seg.dcm")
    assert found.PixelAspectRatio == ratio
    assert "PixelMeasuresSequence" not in found.SharedFunctionalGroupsSequence[0]
    np.testing.assert_array_equal(labels_of(tmp_path / "seg.dcm"), labels)
    both = decode_picture(dicom(image, PixelAspectRatio=ratio, PixelSpacing=[0.3, 0.3]), "x.dcm")
    assert "PixelAspectRatio" not in dcmread(io.BytesIO(segmented(labels, both)["_seg.dcm"]))


@pytest.mark.parametrize("spacing", [[0, 0], [-1, 1], [1, -1], [0, 0.3]])
def test_a_spacing_that_is_none_is_not_handed_on(image, labels, spacing, tmp_path):
    picture = decode_picture(dicom(image, PixelSpacing=spacing), "x.dcm")
    assert picture.spacing_mm is None
    (tmp_path / "seg.dcm").write_bytes(segmented(labels, picture)["_seg.dcm"])
    assert "PixelMeasuresSequence" not in dcmread(tmp_path / "seg.dcm").SharedFunctionalGroupsSequence[0]
    np.testing.assert_array_equal(labels_of(tmp_path / "seg.dcm"), labels)
    placed = decode_picture(dicom(image, **IN_THE_PATIENT | {"PixelSpacing": spacing}), "x.dcm")
    with pytest.raises(BadInput, match=r"^x\.dcm: no DICOM segmentation .*'PixelSpacing'"):
        dicom_seg(labels, placed, "x.dcm", ALGORITHM)


def test_segments_say_what_they_are_and_who_made_them(image, labels):
    picture = decode_picture(dicom(image), "x.dcm")
    found = dcmread(io.BytesIO(segmented(labels, picture)["_seg.dcm"]))
    assert [segment.SegmentLabel for segment in found.SegmentSequence] == list(BONES)
    types = (codes.SCT.Rib, codes.SCT.TransverseProcessOrVertebra, codes.SCT.LumbarSpine)
    for number, (segment, kind) in enumerate(zip(found.SegmentSequence, types, strict=True), 1):
        assert segment.SegmentNumber == number
        assert segment.SegmentedPropertyTypeCodeSequence[0].CodeValue == kind.value
        category = segment.SegmentedPropertyCategoryCodeSequence[0]
        assert (category.CodeValue, category.CodingSchemeDesignator) == (codes.cid7150.AnatomicalStructure.value, "SCT")
        assert segment.SegmentAlgorithmType == "AUTOMATIC"
        (made_by,) = segment.SegmentationAlgorithmIdentificationSequence
        assert made_by.AlgorithmName == ALGORITHM
        assert made_by.AlgorithmFamilyCodeSequence[0].CodeMeaning == "Artificial Intelligence"
        colour = highdicom.color.CIELabColor.from_dicom_value(segment.RecommendedDisplayCIELabValue).to_rgb()
        np.testing.assert_allclose(colour, COLOUR_BLIND_SAFE[number], atol=2)


@pytest.mark.parametrize("present", [(0,), (0, 2), (1, 2, 3)])
def test_missing_bones(image, present, tmp_path):
    labels = np.random.default_rng(0).choice(np.array(present, np.uint8), image.shape)
    picture = decode_picture(dicom(image), "x.dcm")
    (tmp_path / "seg.dcm").write_bytes(segmented(labels, picture)["_seg.dcm"])
    assert highdicom.seg.segread(tmp_path / "seg.dcm").number_of_segments == 3
    np.testing.assert_array_equal(labels_of(tmp_path / "seg.dcm"), labels)


def test_the_same_picture_and_labels_have_the_same_identifiers_and_others_have_others(image, labels):
    picture = decode_picture(dicom(image), "x.dcm")

    def identifiers(labels, algorithm=ALGORITHM):
        found = dcmread(io.BytesIO(dicom_seg(labels, picture, "x.dcm", algorithm)))
        return found.SOPInstanceUID, found.SeriesInstanceUID

    assert identifiers(labels) == identifiers(labels.copy())
    every = [*identifiers(labels), *identifiers(labels[::-1]), *identifiers(labels, "another")]
    assert len(set(every)) == 6


def test_an_export_without_what_may_be_empty_is_enough(image, labels):
    made = dataset(image)
    for keyword in (*PATIENT, "StudyID", "AccessionNumber", "StudyDate"):
        delattr(made, keyword)
    buffer = io.BytesIO()
    made.save_as(buffer, enforce_file_format=True)
    found = dcmread(io.BytesIO(segmented(labels, decode_picture(buffer.getvalue(), "x.dcm"))["_seg.dcm"]))
    assert found.PatientID in (None, "")
    assert found.StudyInstanceUID == made.StudyInstanceUID


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("keyword", "value", "kept"),
    [("PatientName", "Doe", "Doe"), ("PatientBirthDate", "12.03.1980", ""), ("PatientSex", "unknown to us all", "")],
)
def test_what_dicom_does_not_allow_of_a_patient_is_left_empty_and_told_to_no_one(
    image, labels, keyword, value, kept, capfd
):
    with disable_value_validation():
        made = dicom(image, **{keyword: value})
    picture = decode_picture(made, "x.dcm")
    files, reason = label_files(labels, picture, "x.dcm", ALGORITHM)
    assert reason is None
    assert str(dcmread(io.BytesIO(files["_seg.dcm"]))[keyword].value or "") == kept
    assert capfd.readouterr() == ("", "")


def test_names_in_other_scripts_and_long_names_of_models_are_kept(image, labels):
    made = dataset(image, SpecificCharacterSet=["", "ISO 2022 IR 87"])
    made.PatientName = "Yamada^Tarou=山田^太郎"
    picture = decode_picture(content(made), "x.dcm")
    found = dcmread(io.BytesIO(dicom_seg(labels, picture, "x.dcm", "runs/" + 70 * "a")))
    assert str(found.PatientName) == "Yamada^Tarou=山田^太郎"
    assert found.DeviceSerialNumber == 64 * "a"


@pytest.mark.parametrize("found", [None, "", "1.2.x", "1.2." + 64 * "3", "1.2.04711"])
@pytest.mark.parametrize("missing", ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"])
def test_what_no_segmentation_can_refer_to_gives_a_line_and_the_other_files(image, labels, missing, found):
    with disable_value_validation():
        picture = decode_picture(dicom(image, **{missing: found or "1.2"}), "x.dcm")
        if found is None:
            delattr(picture.source, missing)
        else:
            setattr(picture.source, missing, found)
    files, reason = label_files(labels, picture, "x.dcm", ALGORITHM)
    assert set(files) == {"_labels.png", ".seg.nrrd"}
    assert reason.startswith("x.dcm: no DICOM segmentation can be made of this DICOM file")
    assert missing in reason
    assert not found or found not in reason
    assert "\n" not in reason


@pytest.mark.parametrize("frame", ["", "1.2.x"])
@pytest.mark.parametrize("case", ["ultrasound", "ultrasound in the patient"])
def test_a_frame_of_reference_that_is_none_is_not_handed_on(image, labels, case, frame):
    with disable_value_validation():
        picture = decode_picture(dicom(image, **SOURCES[case] | {"FrameOfReferenceUID": frame}), "x.dcm")
    found = dcmread(io.BytesIO(segmented(labels, picture)["_seg.dcm"]))
    assert "FrameOfReferenceUID" not in found


def test_a_tomogram_without_its_place_gives_a_line(image, labels):
    picture = decode_picture(dicom(image, SOPClassUID=CTImageStorage, Modality="CT"), "x.dcm")
    with pytest.raises(BadInput, match=r"^x\.dcm: no DICOM segmentation .* Frame Of Reference"):
        dicom_seg(labels, picture, "x.dcm", ALGORITHM)


def test_labels_of_another_size_are_refused(image, labels):
    with pytest.raises(BadInput, match="shape"):
        dicom_seg(labels[:-1], decode_picture(dicom(image), "x.dcm"), "x.dcm", ALGORITHM)


def test_nothing_of_the_patient_is_in_the_other_files(image, labels):
    picture = decode_picture(dicom(image, PixelSpacing=[0.3, 0.2]), "x.dcm")
    files = segmented(labels, picture)
    header, data = files[".seg.nrrd"].split(b"\n\n", 1)
    everything = files["_labels.png"] + header + data + zlib.decompress(data, zlib.MAX_WBITS | 16)
    secrets = [element.value for element in picture.source if element.VR in ("PN", "LO", "SH", "UI", "DA")]
    secrets = [str(secret).encode() for secret in secrets if secret]
    assert PATIENT["PatientID"].encode() in secrets
    assert PATIENT["PatientName"].encode() in secrets
    for secret in [*secrets, b"Mustermann", b"Erika"]:
        assert secret not in everything
        if secret in (PATIENT["PatientID"].encode(), PATIENT["PatientName"].encode()):
            assert secret in files["_seg.dcm"]
