"""Where rows and columns are not equally far apart, angles are those of the body, not of the pixels."""

import io
import re
import struct

import numpy as np
import pytest
import SimpleITK
from dicom_files import dicom
from PIL import Image

from sadanet_lab.images.folder_making import Pair
from sadanet_lab.images.formats import decode_picture
from sadanet_lab.images.label_files import label_files, read_labels
from sadanet_lab.images.picture import ASPECT, Picture, square_size
from sadanet_lab.images.png import decode_mask, labels_png, pixel_of
from sadanet_lab.images.slicer import read_seg_nrrd, seg_nrrd
from sadanet_lab.inference.segmenter import Segmentation
from sadanet_lab.phantom import draw_picture, draw_spine
from sadanet_lab.spine.curve_angles import measure_curves
from sadanet_lab.views.segmented_image import SegmentedImage

SPACINGS = [(1.5, 1.0), (0.4, 0.8)]


@pytest.fixture(scope="module")
def spine():
    """One with a large angle."""
    return draw_spine(np.random.default_rng([9, 149]), 256, 1024, "wide")


def squeezed(image, spacing):
    """As a scanner of this spacing would store it: fewer pixels along the wider one."""
    down, across = np.array(spacing) / min(spacing)
    size = round(image.shape[1] / across), round(image.shape[0] / down)
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.NEAREST))


def test_sizes_follow_the_spacing():
    assert square_size((100, 40), (2.0, 0.5)) == (400, 40)
    assert square_size((100, 40), (0.5, 1.0)) == (100, 80)
    assert square_size((100, 40), (0.3, 0.3)) == square_size((100, 40), None) == (100, 40)


@pytest.mark.parametrize("spacing", SPACINGS)
def test_a_slicer_segmentation_has_the_angles_of_the_body(spine, spacing):
    labels = spine.labels()
    true, stored = measure_curves(labels).largest_angle_degrees, squeezed(labels, spacing)
    assert abs(measure_curves(stored).largest_angle_degrees - true) > 5  # what the pixels alone say
    read = read_seg_nrrd(io.BytesIO(seg_nrrd(stored, spacing)), "file")
    assert measure_curves(read).largest_angle_degrees == pytest.approx(true, abs=1.5)


@pytest.mark.parametrize("spacing", SPACINGS)
def test_every_file_of_a_label_map_has_the_angles_of_the_body(spine, spacing, tmp_path):
    labels = spine.labels()
    true, stored = measure_curves(labels).largest_angle_degrees, squeezed(labels, spacing)
    for pixel_from in ("PixelSpacing", ASPECT):
        files, _ = label_files(stored, Picture(stored * 80, "DICOM", spacing, pixel_from), "x", "net")
        for end, content in files.items():
            (tmp_path / f"x{end}").write_bytes(content)
            assert measure_curves(read_labels(tmp_path / f"x{end}")).largest_angle_degrees == pytest.approx(
                true, abs=1.5
            )


@pytest.mark.parametrize("spacing", SPACINGS)
def test_a_dicom_picture_that_tells_the_form_of_its_pixels_alone_is_made_square(spine, spacing):
    stored = squeezed(draw_picture(np.random.default_rng(1), spine), spacing)
    sides = [round(10 * side) for side in spacing]
    picture = decode_picture(dicom(stored, PixelAspectRatio=sides), "x")
    assert picture.square_image.shape == pytest.approx((1024, 256), abs=2)
    assert picture.spacing_mm is None
    assert picture.aspect == pytest.approx(spacing[0] / spacing[1])
    both = decode_picture(dicom(stored, PixelAspectRatio=sides, PixelSpacing=[0.3, 0.3]), "x")
    assert (both.spacing_mm, both.aspect) == ((0.3, 0.3), None)


@pytest.mark.parametrize(("pixel_from", "unit"), [("PixelSpacing", 1), (ASPECT, 0)])
def test_millimetres_are_claimed_only_where_the_picture_has_them(spine, pixel_from, unit, tmp_path):
    """Of PixelAspectRatio nothing is known but the pixel's form: 1 in a PNG's pHYs means metres, 0 an unknown unit."""
    labels = spine.labels()
    picture = Picture(labels * 80, "DICOM", (0.6, 0.3), pixel_from)
    files, _ = label_files(labels, picture, "x", "net")
    (chunk,) = re.findall(rb"\x00\x00\x00\x09pHYs(.{9})", files["_labels.png"], re.DOTALL)
    across, down, found = struct.unpack(">IIB", chunk)
    assert found == unit
    assert across == pytest.approx(2 * down, rel=1e-3)
    if unit:
        assert down == round(1000 / 0.6)
    path = tmp_path / "x.seg.nrrd"
    path.write_bytes(files[".seg.nrrd"])
    volume = SimpleITK.ReadImage(path)
    np.testing.assert_allclose(volume.GetSpacing(), (0.3, 0.6, 1))
    assert volume.GetMetaData("sadanet_spacing").startswith("from PixelSpacing" if unit else "unknown; the form")


def test_a_ratio_of_large_numbers_gives_a_slicer_segmentation_of_ordinary_size(spine, tmp_path):
    """Such as 1024 by 768: as if in millimetres the picture would be hundreds of metres tall."""
    labels = spine.labels()
    picture = decode_picture(dicom(labels * 80, PixelAspectRatio=[1024, 768]), "x")
    files, _ = label_files(labels, picture, "x", "net")
    path = tmp_path / "x.seg.nrrd"
    path.write_bytes(files[".seg.nrrd"])
    volume = SimpleITK.ReadImage(path)
    np.testing.assert_allclose(volume.GetSpacing(), (1, 4 / 3, 1))
    assert picture.aspect == pytest.approx(4 / 3)


def test_resolution_that_is_alike_both_ways_or_of_no_use_changes_nothing(spine):
    labels = spine.labels()
    for spacing in ((0.1, 0.1), (1e-9, 1e-9), None):
        assert decode_mask(labels_png(labels, pixel=spacing), "x").shape == labels.shape
        np.testing.assert_allclose(*(pixel_of(labels_png(labels, pixel=spacing)) or (1, 1)))


@pytest.mark.parametrize(("dpi", "is_uneven"), [((96, 95.9), False), ((95.9, 96), False), ((96, 94), True)])
def test_a_resolution_of_print_that_is_rounded_is_no_form_of_a_pixel(spine, dpi, is_uneven, tmp_path):
    labels = spine.labels()
    Image.fromarray(labels).save(tmp_path / "x.png", dpi=dpi)
    (tmp_path / "x.seg.nrrd").write_bytes(seg_nrrd(labels, (1 / dpi[1], 1 / dpi[0])))
    for name in ("x.png", "x.seg.nrrd"):
        read = read_labels(tmp_path / name)
        if is_uneven:
            assert read.shape == (round(1024 * 96 / 94), 256)
        else:
            np.testing.assert_array_equal(read, labels)


def test_a_picture_whose_pixels_are_nearly_square_and_its_label_maps_still_go_together(spine, tmp_path):
    """Of a DICOM picture, the spacing in millimetres is no print: 1024 rows become 1032."""
    content = dicom(draw_picture(np.random.default_rng(1), spine), PixelSpacing=[0.252, 0.25])
    (tmp_path / "x.dcm").write_bytes(content)
    picture, labels = decode_picture(content, "x"), spine.labels()
    assert picture.square_image.shape == (1032, 256)
    files, _ = label_files(labels, picture, "x", "net")
    for end in ("_labels.png", ".seg.nrrd"):
        (tmp_path / f"x{end}").write_bytes(files[end])
        image, mask = Pair("x", tmp_path / "x.dcm", tmp_path / f"x{end}").read()
        assert image.shape == mask.shape == (1032, 256)


@pytest.mark.parametrize("spacing", SPACINGS)
def test_a_picture_is_shown_with_square_pixels_and_its_label_map_has_its_own(spine, spacing):
    stored = squeezed(draw_picture(np.random.default_rng(1), spine), spacing)
    picture = Picture(stored, "DICOM", spacing)
    assert picture.square_image.shape == pytest.approx((1024, 256), abs=2)
    labels = np.asarray(Image.fromarray(spine.labels()).resize(picture.square_image.shape[::-1], 0))
    segmented = SegmentedImage("picture", picture, Segmentation(labels, measure_curves(labels)))
    assert segmented.labels.shape == stored.shape
    assert segmented.overlay.shape[:2] == picture.square_image.shape
    assert (segmented.angles["height"], segmented.angles["width"]) == stored.shape
    again = read_seg_nrrd(io.BytesIO(segmented.files("model")[".seg.nrrd"]), "file")
    angle = segmented.angles["largest_angle_degrees"]
    assert measure_curves(again).largest_angle_degrees == pytest.approx(angle, abs=1.5)
