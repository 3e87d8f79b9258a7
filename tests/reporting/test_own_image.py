"""The field for pictures: what it answers is what `sadanet predict` writes; a fault is one line."""

import io
import json

import numpy as np
import pydicom
import pytest
from dicom_files import PATIENT, dicom
from PIL import Image

from sadanet_lab.images.png import png_bytes
from sadanet_lab.inference.segmenter import Segmenter
from sadanet_lab.reporting.cohort import Settings, segment_all
from sadanet_lab.reporting.cohort_pictures import Entry
from sadanet_lab.reporting.own_image import FAULT, DropZone
from sadanet_lab.training.models import find_model


@pytest.fixture(scope="module")
def image(phantoms):
    return np.asarray(Image.open(next((phantoms / "dataset" / "test").glob("*.png"))))


@pytest.fixture(scope="module")
def zone():
    return DropZone(Segmenter(find_model("shipped")))


def offered(zone, content, name):
    told, contents = zone.measure(content, name)
    return dict(zip([file["name"] for file in told["files"]], contents, strict=True))


@pytest.mark.parametrize("kind", ["png", "dcm"])
def test_the_files_are_those_that_predict_writes(kind, zone, image, tmp_path):
    content = png_bytes(image) if kind == "png" else dicom(image, PixelSpacing=[0.5, 0.5])
    entry = Entry("mine", tmp_path / f"mine.{kind}")
    entry.path.write_bytes(content)
    assert segment_all([entry], Settings(), tmp_path / "out", 1) == {}
    files = offered(zone, content, entry.path.name)
    same = {"mine_labels.png", "mine_overlay.png", "mine.seg.nrrd"} | ({"mine_seg.dcm"} if kind == "dcm" else set())
    assert files.keys() == same | {"mine_angles.json", "mine_report.html"}
    for name in same:
        theirs = (tmp_path / "out" / name).read_bytes()
        if name.endswith(".dcm"):
            assert pixels_and_identifiers(files[name]) == pixels_and_identifiers(theirs)
        else:
            assert files[name] == theirs, name
    (told,) = json.loads(files["mine_angles.json"])
    (theirs,) = json.loads((tmp_path / "out" / "mine_angles.json").read_text())
    assert told.pop("file") == entry.path.name
    assert told.items() <= theirs.items()
    assert theirs.keys() - told.keys() == {"file", "files", "made_of", "sums"}


def pixels_and_identifiers(content):
    """Of a DICOM segmentation: beside these it says when it was made."""
    found = pydicom.dcmread(io.BytesIO(content))
    return found.PixelData, found.SOPInstanceUID, found.SeriesInstanceUID, found.StudyInstanceUID, found.PatientID


def test_the_patient_is_named_in_the_dicom_segmentation_alone(zone, image):
    files = offered(zone, dicom(image), "mine.dcm")
    assert PATIENT["PatientID"].encode() in files.pop("mine_seg.dcm")
    for content in files.values():
        assert PATIENT["PatientID"].encode() not in content


def test_the_report_says_what_the_page_says_and_names_are_text(zone, image):
    told, _ = zone.measure(png_bytes(image), "<b>&.png")
    report = offered(zone, png_bytes(image), "<b>&.png")["<b>&_report.html"].decode()
    article = told["html"][: told["html"].index("</article>")]
    assert article in report
    assert "<b>" not in report
    assert "&lt;b&gt;&amp;.png" in article
    assert "no medical device" in report


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"Dear colleague", "no picture of a kind that is read here"),
        (png_bytes(np.zeros((256, 96), np.uint8))[:-30], "damaged or truncated"),
        (png_bytes(np.tile(np.arange(40, dtype=np.uint8), (40, 1))), "40 x 40 pixels; expected 64 or more"),
    ],
    ids=["text", "corrupt", "small"],
)
def test_what_is_no_picture_is_one_line(content, said, zone):
    told, contents = zone.measure(content, "bad.png")
    assert told.keys() == {"fault"}
    assert told["fault"].startswith("bad.png: ")
    assert said in told["fault"]
    assert "\n" not in told["fault"]
    assert contents == []


def test_a_fault_of_the_program_is_told_and_raised(image, monkeypatch):
    def fails(_image):
        raise ZeroDivisionError

    zone, sent = DropZone(fails), []
    monkeypatch.setattr(zone, "send", lambda content, buffers=None: sent.append(content))
    with pytest.raises(ZeroDivisionError):
        zone._answer(zone, {"id": 0.5, "name": "mine.png"}, [memoryview(png_bytes(image))])
    assert sent == [{"id": 0.5, "fault": f"mine.png: {FAULT}"}]


def test_pictures_are_no_part_of_the_widget_s_state(zone, image):
    before = zone.get_state()
    zone.measure(png_bytes(image), "mine.png")
    assert zone.get_state() == before
