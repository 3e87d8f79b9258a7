"""A ``.seg.nrrd`` that another program turned or mirrored is read as the picture lies, or refused in one line."""

import io

import nrrd
import numpy as np
import pytest
import SimpleITK

from sadanet_lab.errors import BadInput
from sadanet_lab.images.label_files import read_labels
from sadanet_lab.images.slicer import seg_nrrd
from sadanet_lab.phantom import draw_spine
from sadanet_lab.spine.curve_angles import measure_curves

X, Y, Z = np.eye(3)
TURNS = {
    "as it was": lambda volume: volume,
    "mirrored in x": lambda volume: SimpleITK.Flip(volume, [True, False, False]),
    "mirrored in y": lambda volume: SimpleITK.Flip(volume, [False, True, False]),
    "mirrored in both": lambda volume: SimpleITK.Flip(volume, [True, True, False]),
    "mirrored in z": lambda volume: SimpleITK.Flip(volume, [False, False, True]),
    "axes exchanged": lambda volume: SimpleITK.PermuteAxes(volume, [1, 0, 2]),
    "slices first": lambda volume: SimpleITK.PermuteAxes(volume, [2, 0, 1]),
    "exchanged and mirrored": lambda volume: SimpleITK.Flip(
        SimpleITK.PermuteAxes(volume, [1, 0, 2]), [True, False, False]
    ),
}


@pytest.fixture(scope="module")
def labels():
    return draw_spine(np.random.default_rng(0), 160, 640).labels()


def turned(path, content, turn, keeps_fields, crop=None):
    """A file as SimpleITK writes it, with the header fields of ours or, as its filters leave it, without."""
    path.write_bytes(content)
    volume = SimpleITK.ReadImage(path)
    fields = {key: volume.GetMetaData(key) for key in volume.GetMetaDataKeys()} if keeps_fields else {}
    if crop is not None:
        left, top, right, bottom = crop
        volume = volume[left:right, top:bottom, :]
        fields["Segmentation_ReferenceImageExtentOffset"] = f"{left} {top} 0"
    volume = turn(volume)
    for key, value in fields.items():
        volume.SetMetaData(key, value)
    SimpleITK.WriteImage(volume, path, True)
    return path


@pytest.mark.parametrize("keeps_fields", [True, False])
@pytest.mark.parametrize("pixel", [None, (0.3, 0.3)])
@pytest.mark.parametrize("turn", TURNS)
def test_a_file_of_ours_comes_back_pixel_by_pixel(labels, turn, pixel, keeps_fields, tmp_path):
    path = turned(tmp_path / "x.seg.nrrd", seg_nrrd(labels, pixel), TURNS[turn], keeps_fields)
    np.testing.assert_array_equal(read_labels(path), labels)


@pytest.mark.parametrize("turn", TURNS)
def test_uneven_pixels_are_made_square_the_right_way_round(labels, turn, tmp_path):
    content = seg_nrrd(labels[::2], (0.4, 0.2))
    straight = turned(tmp_path / "x.seg.nrrd", content, TURNS["as it was"], keeps_fields=True)
    path = turned(tmp_path / "y.seg.nrrd", content, TURNS[turn], keeps_fields=True)
    np.testing.assert_array_equal(read_labels(path), read_labels(straight))
    assert read_labels(path).shape == labels.shape


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("offset", ["before the turn", "after it", "not kept"])
def test_a_crop_gets_its_place_back_whichever_way_its_offset_counts(labels, turn, offset, tmp_path):
    """3D Slicer counts it along the axes of the reference picture, which may be turned; others leave it as it was."""
    height, width = labels.shape
    crop = left, top, right, bottom = 9, 30, width - 4, height - 50
    path = turned(tmp_path / "x.seg.nrrd", seg_nrrd(labels, (0.2, 0.2)), TURNS[turn], keeps_fields=True, crop=crop)
    if offset != "before the turn" and turn != "as it was":
        data, header = nrrd.read(str(path))
        said = {"after it": f"{width - right} {height - bottom} 0", "not kept": "0 0 0"}[offset]
        nrrd.write(str(path), data, header | {"Segmentation_ReferenceImageExtentOffset": said})
    inside = np.zeros_like(labels)
    inside[top:bottom, left:right] = labels[top:bottom, left:right]
    np.testing.assert_array_equal(read_labels(path), inside[:bottom, :right])


def changed(path, labels, directions, origin=(5, -60, 7.5), ours=False, space="left-posterior-superior"):
    """The same pixels in the same order, which are said to lie otherwise."""
    file = io.BytesIO(seg_nrrd(labels, None))
    header = nrrd.read_header(file)
    data = nrrd.read_data(header, file, index_order="F")
    if not ours:
        del header["sadanet_spacing"]
    header |= {"space": space, "space directions": np.array(directions), "space origin": np.array(origin, float)}
    nrrd.write(str(path), data, header)
    return path


IN_A_PATIENT = {
    "from the front": (X, -Z, Y),
    "from the back": (-X, -Z, -Y),
    "upside-down": (X, Z, -Y),
    "lying on a table": (-X, -Y, Z),
    "slanted": (0.96 * X + 0.28 * Y, -Z, 0.28 * X - 0.96 * Y),
    "a little turned": (0.995 * X - 0.1 * Z, -0.1 * X - 0.995 * Z, Y),
    "from the side": (Y, -Z, X),
}


@pytest.mark.parametrize("origin", [(5, -60, 7.5), (0, 0, 0)])
@pytest.mark.parametrize("case", IN_A_PATIENT)
def test_what_was_drawn_on_a_picture_with_a_place_in_the_patient_is_read_as_its_pixels_are(
    labels, case, origin, tmp_path
):
    path = changed(tmp_path / "x.seg.nrrd", labels, IN_A_PATIENT[case], origin)
    np.testing.assert_array_equal(read_labels(path), labels)


def test_another_space_is_the_same_place(labels, tmp_path):
    for space, ours in (("right-anterior-superior", True), ("RAS", True), ("RAS", False), ("scanner-xyz", False)):
        signs = (-1, -1) if ours else (1, 1)
        directions = (signs[0] * X, signs[1] * Y, Z)
        path = changed(tmp_path / "x.seg.nrrd", labels, directions, (0, 0, 0), ours, space)
        np.testing.assert_array_equal(read_labels(path), labels)


def test_layers_are_turned_with_the_rest(labels, tmp_path):
    data = np.stack([(labels.T[::-1, :, None] == value).astype(np.uint8) for value in (1, 2, 3)])
    header = {
        "space": "left-posterior-superior",
        "space directions": np.vstack([np.full(3, np.nan), -X, Y, Z]),
        "space origin": np.array([labels.shape[1] - 1.0, 0, 0]),
        "kinds": ["list", "domain", "domain", "domain"],
        "sadanet_spacing": "",
    }
    for layer, bone in enumerate(("rib", "thoracic_process", "lump")):
        header |= {f"Segment{layer}_ID": bone, f"Segment{layer}_Layer": str(layer), f"Segment{layer}_LabelValue": "1"}
    nrrd.write(str(tmp_path / "x.seg.nrrd"), data, header)
    np.testing.assert_array_equal(read_labels(tmp_path / "x.seg.nrrd"), labels)


FAULTS = {
    "ours, oblique": ((0.995 * X - 0.1 * Y, 0.1 * X + 0.995 * Y, Z), True, "axes that run obliquely"),
    "ours, in a patient": ((X, -Z, Y), True, "slices; expected the one of a picture"),
    "exchanged": ((Z, X, Y), False, "rows and columns are exchanged"),
    "exchanged in one plane": ((Y, X, Z), False, "rows and columns are exchanged"),
    "sheared": ((X, 0.3 * X - Z, Y), False, "columns and rows that are not at right angles"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_axes_that_cannot_be_told_are_one_line(labels, fault, tmp_path):
    directions, ours, said = FAULTS[fault]
    path = changed(tmp_path / "x.seg.nrrd", labels, directions, ours=ours)
    with pytest.raises(BadInput) as caught:
        read_labels(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_side_and_angle_are_those_of_the_file_before(tmp_path):
    labels = draw_spine(np.random.default_rng([9, 149]), 256, 1024, "wide").labels()
    path = turned(tmp_path / "x.seg.nrrd", seg_nrrd(labels, (0.2, 0.2)), TURNS["mirrored in x"], keeps_fields=False)
    found, true = measure_curves(read_labels(path)), measure_curves(labels)
    assert found.largest_angle_degrees == true.largest_angle_degrees
    assert [curve.side for curve in found.curves] == [curve.side for curve in true.curves]
