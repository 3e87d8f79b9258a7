"""DICOM pictures become what a viewer shows, with their spacing; what cannot be read is refused in one line."""

import io

import numpy as np
import pytest
import SimpleITK
from damage import assert_read_or_refused, damaged
from dicom_files import content, dataset, dicom, region
from PIL import Image
from pydicom import Dataset
from pydicom.encaps import encapsulate
from pydicom.pixels.processing import convert_color_space
from pydicom.uid import (
    MPEG2MPML,
    ComprehensiveSRStorage,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from sadanet_lab.errors import BadInput
from sadanet_lab.images.dicom import said_safely
from sadanet_lab.images.formats import decode_picture, read_picture
from sadanet_lab.images.png import read_image


@pytest.fixture(scope="module")
def image(phantoms):
    """A phantom in which the darkest grey is 0 and the brightest 255."""
    found = read_image(next((phantoms / "dataset" / "test").glob("*.png"))).copy()
    found[0, 0], found[1, 1] = 0, 255
    return found


def rgb(image):
    return np.repeat(image[..., None], 3, axis=2)


def read(made):
    return decode_picture(made, "x").image


def test_eight_bits_stay_as_they_are_under_any_name(image, tmp_path):
    path = tmp_path / "scan.png"
    path.write_bytes(dicom(image))
    found = read_picture(path)
    np.testing.assert_array_equal(found.image, image)
    assert found.image.dtype == np.uint8
    assert found.kind == "DICOM"
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(path))[0], image)


def test_monochrome1_is_inverted(image):
    np.testing.assert_array_equal(read(dicom(255 - image, PhotometricInterpretation="MONOCHROME1")), image)
    sixteen = 4000 - image.astype(np.uint16) * 10
    np.testing.assert_array_equal(read(dicom(sixteen, bits=12, PhotometricInterpretation="MONOCHROME1")), image)


@pytest.mark.parametrize("kind", [np.uint16, np.int16])
def test_of_more_bits_without_a_window_the_own_range_becomes_eight(image, kind):
    values = (image.astype(np.int32) * 7 + (30 if kind is np.uint16 else -900)).astype(kind)
    np.testing.assert_array_equal(read(dicom(values, bits=12)), image)


def shown(values, centre, width):
    """DICOM PS3.3, C.11.2.1.2.1, with 0 and 255 as the ends of the output."""
    inner = ((values - (centre - 0.5)) / (width - 1) + 0.5) * 255
    low, high = centre - 0.5 - (width - 1) / 2, centre - 0.5 + (width - 1) / 2
    return np.where(values <= low, 0, np.where(values > high, 255, inner)).round()


@pytest.mark.parametrize(("centre", "width"), [(1000.0, 600.0), (2047.5, 4096.0), (300.0, 2.0)])
@pytest.mark.parametrize("rescale", [None, (2.0, -500.0)])
def test_a_window_is_what_the_standard_writes(centre, width, rescale):
    values = np.random.default_rng(0).integers(0, 4096, (80, 70)).astype(np.uint16)
    values[0, :2] = 0, 4095
    slope, intercept = rescale or (1.0, 0.0)
    more = {"RescaleSlope": slope, "RescaleIntercept": intercept} if rescale else {}
    found = read(dicom(values, bits=12, WindowCenter=[centre, 7], WindowWidth=[width, 9], **more))  # the first counts
    np.testing.assert_array_equal(found, shown(values * slope + intercept, centre, width))


def test_a_window_of_eight_bits_that_covers_them_changes_nothing(image):
    np.testing.assert_array_equal(read(dicom(image, WindowCenter=128, WindowWidth=256)), image)


def test_a_sigmoid_window_and_one_that_counts_from_white(image):
    sigmoid = 255 / (1 + np.exp(-4 * (image.astype(float) - 90) / 70))
    more = {"WindowCenter": 90, "WindowWidth": 70, "VOILUTFunction": "SIGMOID"}
    np.testing.assert_array_equal(read(dicom(image, **more)), sigmoid.round())
    inverted = read(dicom(image, PhotometricInterpretation="MONOCHROME1", **more))
    np.testing.assert_array_equal(inverted, 255 - sigmoid.round())


def table(data, bits):
    made = Dataset()
    made.LUTDescriptor = [len(data), 0, bits]
    made.LUTData = np.asarray(data, np.uint16).tobytes()
    return made


def test_tables_are_looked_up(image):
    curve = (np.sqrt(np.arange(256) / 255) * 1023).astype(int)  # VOI: 10 bits, whole range 0..1023
    found = read(dicom(image, VOILUTSequence=[table(curve, 10)], WindowCenter=10, WindowWidth=2))
    np.testing.assert_array_equal(found, (curve[image] * 255 / 1023).round())
    modality = table(np.arange(256) * 16, 16)  # 16 times the value; then the own range
    modality.ModalityLUTType = "US"
    np.testing.assert_array_equal(read(dicom(image, ModalityLUTSequence=[modality])), image)


def test_grey_content_in_colour(image):
    np.testing.assert_array_equal(read(dicom(rgb(image))), image)
    planes = np.ascontiguousarray(rgb(image).transpose(2, 0, 1)).tobytes()
    np.testing.assert_array_equal(read(dicom(rgb(image), PlanarConfiguration=1, PixelData=planes)), image)
    ybr = convert_color_space(rgb(image), "RGB", "YBR_FULL")
    np.testing.assert_array_equal(read(dicom(ybr, PhotometricInterpretation="YBR_FULL")), image)


def test_a_palette(image):
    ramp = np.arange(256, dtype=np.uint16)[::-1] * 257  # index i stands for grey 255 - i, in 16 bits
    colours = {f"{name}PaletteColorLookupTableData": ramp.tobytes() for name in ("Red", "Green", "Blue")}
    colours |= {f"{name}PaletteColorLookupTableDescriptor": [256, 0, 16] for name in ("Red", "Green", "Blue")}
    np.testing.assert_array_equal(read(dicom(255 - image, PhotometricInterpretation="PALETTE COLOR", **colours)), image)


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless])
@pytest.mark.parametrize("bits", [8, 12])
def test_compressed_without_loss(image, syntax, bits):
    made = dataset(image if bits == 8 else image.astype(np.uint16) * 16, bits=bits)
    made.compress(syntax)
    np.testing.assert_array_equal(read(content(made)), image)


def test_compressed_as_jpeg(image):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="JPEG", quality=90)
    made = dataset(image, LossyImageCompression="01", PixelData=encapsulate([buffer.getvalue()]))
    made["PixelData"].is_undefined_length = True
    made.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    np.testing.assert_array_equal(read(content(made)), np.asarray(Image.open(buffer)))


def test_other_byte_layouts(image):
    made = dataset(image.astype(np.uint16) * 16, bits=12)
    made.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    np.testing.assert_array_equal(read(content(made)), image)


@pytest.mark.parametrize(
    "window", [{"WindowCenter": None, "WindowWidth": None}, {"WindowCenter": 50, "WindowWidth": 0}, {"WindowWidth": 9}]
)
def test_a_window_that_is_none_changes_nothing(image, window):
    np.testing.assert_array_equal(read(dicom(image, **window)), image)


def test_empty_rescaling_is_none(image):
    np.testing.assert_array_equal(read(dicom(image, RescaleSlope=None, RescaleIntercept=None)), image)
    np.testing.assert_array_equal(read(dicom(image, RescaleSlope=1, RescaleIntercept=None)), image)


@pytest.mark.parametrize("meaning", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_is_black_and_takes_no_part_in_the_range(image, meaning):
    inside = image[10:, 10:]
    values = 1000 + 10 * np.pad(inside if meaning == "MONOCHROME2" else 255 - inside, ((10, 0), (10, 0))).astype("u2")
    values[:10], values[:, :10] = 65535, 65534
    padding = {"PixelPaddingValue": 65535, "PixelPaddingRangeLimit": 65534, "PhotometricInterpretation": meaning}
    spread = (inside - float(inside.min())) * 255 / np.ptp(inside)
    expected = np.pad(spread.round().astype(np.uint8), ((10, 0), (10, 0)))
    assert np.abs(read(dicom(values, bits=16, **padding)).astype(int) - expected).max() <= 1


def test_a_value_of_the_patient_is_in_no_line(image):
    made = dicom(image, PatientBirthDate="19800312", BitsStored=77)
    with pytest.raises(BadInput, match="damaged or truncated DICOM file") as raised:
        decode_picture(made, "x")
    assert "1980" not in str(raised.value)
    assert (
        said_safely(ValueError("Unable to convert '12.03.1980' to 'DA', 12.03.1980"))
        == "Unable to convert ... to ..., ..."
    )
    assert said_safely(AttributeError("no attribute 'SOPClassUID'")) == "no attribute 'SOPClassUID'"


def spacing(image, **attributes):
    found = decode_picture(dicom(image, **attributes), "x")
    return found.spacing_mm, found.pixel_from


def test_the_spacing_is_that_of_the_body_before_that_of_the_detector(image):
    regions = [region(0.03, -0.02), region(0.03, 0.02)]
    everything = {"PixelSpacing": [0.5, 0.25], "ImagerPixelSpacing": [0.7, 0.6], "SequenceOfUltrasoundRegions": regions}
    assert spacing(image, **everything) == ((0.5, 0.25), "PixelSpacing")
    assert spacing(image, **everything | {"PixelSpacing": [0.5]})[1] == "SequenceOfUltrasoundRegions"
    del everything["PixelSpacing"]
    found, said = spacing(image, **everything)
    assert found == pytest.approx((0.3, 0.2), rel=1e-12)
    assert said == "SequenceOfUltrasoundRegions"
    everything["SequenceOfUltrasoundRegions"] = [region(0.03, 0.02), region(0.03, 0.04)]  # which of the two?
    assert spacing(image, **everything) == ((0.7, 0.6), "ImagerPixelSpacing")
    everything["SequenceOfUltrasoundRegions"] = [region(0.03, 0.02, units=4)]  # seconds: a Doppler or M-mode picture
    assert spacing(image, **everything) == ((0.7, 0.6), "ImagerPixelSpacing")
    assert spacing(image) == (None, None)
    assert spacing(image, PixelSpacing=[0, 0]) == (None, None)


def test_spacing_and_pixels_are_those_of_an_independent_reader(image, tmp_path):
    path = tmp_path / "x.dcm"
    path.write_bytes(dicom(image, PixelSpacing=[0.5, 0.25]))
    found, other = read_picture(path), SimpleITK.ReadImage(path)
    assert found.spacing_mm == tuple(reversed(other.GetSpacing()[:2]))
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(other)[0], found.image)


def test_what_is_kept_for_a_segmentation_holds_no_pixels(image):
    source = decode_picture(dicom(image), "x").source
    assert source.PatientID
    assert "PixelData" not in source


def encapsulated(syntax):
    def make(image):
        made = dataset(image, PixelData=encapsulate([b"\0" * 64]))
        made["PixelData"].is_undefined_length = True
        made.file_meta.TransferSyntaxUID = syntax
        return content(made)

    return make


def without_picture(image):
    made = dataset(image, SOPClassUID=ComprehensiveSRStorage)
    for keyword in ("Rows", "Columns", "PixelData"):
        delattr(made, keyword)
    return content(made)


def one_coloured_pixel(image):
    pixels = rgb(image)
    pixels[5, 5, 0] ^= 1
    return dicom(pixels)


FAULTS = {
    "several frames": (
        lambda image: dicom(np.concatenate([image] * 3), Rows=image.shape[0], NumberOfFrames=3),
        "3 frames; expected one picture",
    ),
    "no picture": (without_picture, "DICOM file without a picture (Comprehensive SR Storage)"),
    "32 bits": (lambda image: dicom(image.astype(np.uint32)), "32 bits a pixel; expected 8 or 16"),
    "colour": (one_coloured_pixel, "colour in 1 of 16,384 pixels"),
    "flat": (lambda image: dicom(np.full_like(image, 9)), "every pixel has grey 9"),
    "flat window": (lambda image: dicom(image, WindowCenter=5000, WindowWidth=9), "every pixel has grey 0"),
    "small": (lambda image: dicom(image[:, :63].copy()), "63 x 256 pixels; expected 64 or more"),
    "large": (lambda image: dicom(image, Rows=60_000, Columns=60_000), "60000 x 60000 pixels; expected at most"),
    "truncated": (lambda image: dicom(image)[:-5000], "damaged or truncated DICOM file"),
    "cut in the header": (lambda image: dicom(image)[:400], "x.dcm: "),
    "no preamble": (lambda image: dicom(image)[132:], "(DICOM without the 132 bytes before its data); expected PNG"),
    "no preamble, no header": (
        lambda image: dicom(image)[132:].partition(b"\x08\0\x16\0")[2].join([b"\x08\0\x16\0", b""]),
        "(DICOM without the 132 bytes before its data); expected PNG",
    ),
    "nothing but magic": (lambda _: bytes(128) + b"DICM", "x.dcm: "),
    "packages missing": (encapsulated(JPEGLosslessSV1), "for which packages are missing: gdcm"),
    "film": (encapsulated(MPEG2MPML), "compressed as MPEG2 Main Profile / Main Level, which pydicom cannot read"),
    "damaged rle": (encapsulated(RLELossless), "damaged or truncated DICOM file"),
    "damaged jpeg-ls": (encapsulated(JPEGLSLossless), "damaged or truncated DICOM file"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_one_line_that_names_the_file_and_what_was_found(image, fault, tmp_path, capfd, recwarn):
    make, said = FAULTS[fault]
    path = tmp_path / "x.dcm"
    path.write_bytes(make(image))
    with pytest.raises(BadInput) as caught:
        read_picture(path)
    line = str(caught.value)
    assert line.startswith(f"{path}: ")
    assert "\n" not in line
    assert said in line
    assert capfd.readouterr() == ("", ""), "pydicom itself says nothing beside"
    assert not recwarn.list


def test_a_damaged_file_is_read_or_one_line(image, capfd):
    made = dicom(image[:70].copy(), WindowCenter=128, WindowWidth=256, PixelSpacing=[1, 1])
    for spoilt in damaged(made, 132, 1200):
        assert_read_or_refused(lambda spoilt=spoilt: decode_picture(spoilt, "x"), "x")
    assert capfd.readouterr() == ("", "")
