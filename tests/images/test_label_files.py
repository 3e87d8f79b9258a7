"""Label maps written as files are what they say to any reader, and are read back, also as 3D Slicer corrects them."""

import gzip
import re

import nrrd
import numpy as np
import pytest
import SimpleITK
import slicerio
from damage import assert_read_or_refused, damaged
from PIL import Image

from sadanet_lab.errors import BadInput
from sadanet_lab.images.label_files import label_files, read_labels
from sadanet_lab.images.picture import Picture
from sadanet_lab.images.png import labels_png, read_mask
from sadanet_lab.images.slicer import seg_nrrd
from sadanet_lab.phantom import draw_spine
from sadanet_lab.spine.classes import BONES, CLASSES, COLOUR_BLIND_SAFE, COLOURS


@pytest.fixture(scope="module")
def labels():
    return draw_spine(np.random.default_rng(0), 160, 640).labels()


def written(path, content):
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("colours", [COLOUR_BLIND_SAFE, COLOURS], ids=["colour-blind-safe", "field"])
@pytest.mark.parametrize("present", [(0, 1, 2, 3), (0,), (0, 1), (0, 3), (2, 3), (1,), (2,), (3,)])
def test_a_palette_png_is_seen_in_colours_and_its_indices_are_the_ids(colours, present, tmp_path):
    """Also with classes that are missing: their colours then do not tell which palette it is."""
    labels = np.random.default_rng(0).choice(np.array(present, np.uint8), (90, 70))
    path = written(tmp_path / "x.png", labels_png(labels, colours))
    with Image.open(path) as picture:
        assert picture.mode == "P"
        np.testing.assert_array_equal(np.asarray(picture), labels)
        np.testing.assert_array_equal(np.asarray(picture.convert("RGB")), colours[labels])
    np.testing.assert_array_equal(read_mask(path), labels)
    np.testing.assert_array_equal(read_labels(path), labels)


@pytest.mark.parametrize("colours", [COLOUR_BLIND_SAFE, COLOURS], ids=["colour-blind-safe", "field"])
@pytest.mark.parametrize("present", [(0, 1, 2, 3), (1, 3), (2,)])
def test_an_editor_that_keeps_the_colours_keeps_the_classes(colours, present, tmp_path):
    labels = np.random.default_rng(0).choice(np.array(present, np.uint8), (90, 70))
    seen = Image.fromarray(colours[labels])
    shuffled = seen.quantize(4)
    assert len(present) == 1 or (np.asarray(shuffled) != labels).any()
    for name, picture in (("rgb", seen), ("palette", shuffled)):
        picture.save(tmp_path / f"{name}.png")
        np.testing.assert_array_equal(read_labels(tmp_path / f"{name}.png"), labels)


def test_the_four_colours_can_be_told_apart_in_grey_too():
    assert len({tuple(colour) for colour in COLOUR_BLIND_SAFE.tolist()}) == 4
    brightness = np.sort(COLOUR_BLIND_SAFE @ [0.299, 0.587, 0.114])
    assert np.diff(brightness).min() > 20


def test_an_independent_reader_finds_names_colours_geometry_and_labels(labels, tmp_path):
    path = written(tmp_path / "x.seg.nrrd", seg_nrrd(labels, (0.3, 0.2), "PixelSpacing"))
    volume = SimpleITK.ReadImage(path)
    said = {key: volume.GetMetaData(key) for key in volume.GetMetaDataKeys()}
    height, width = labels.shape
    assert volume.GetSize() == (width, height, 1)
    np.testing.assert_allclose(volume.GetSpacing(), (0.2, 0.3, 1.0))
    assert volume.GetOrigin() == (0, 0, 0)
    assert volume.GetDirection() == (1, 0, 0, 0, 1, 0, 0, 0, 1)
    assert said["NRRD_space"] == "left-posterior-superior"
    assert "PixelSpacing" in said["sadanet_spacing"]
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(volume)[0], labels)
    for index, bone in enumerate(BONES):
        of = f"Segment{index}_"
        assert (said[of + "ID"], said[of + "Name"], said[of + "Layer"]) == (bone, bone, "0")
        assert int(said[of + "LabelValue"]) == CLASSES.index(bone)
        colour = [float(channel) for channel in said[of + "Color"].split()]
        np.testing.assert_allclose(colour, COLOUR_BLIND_SAFE[CLASSES.index(bone)] / 255, atol=1e-6)
        # Slicer cuts the one volume of a layer down to the extent of its first segment.
        assert said[of + "Extent"] == f"0 {width - 1} 0 {height - 1} 0 0"
        assert re.search(r"TerminologyEntry:[^|]*~SCT\^\d+\^[^~]+~SCT\^\d+\^[^~]+~\^\^~", said[of + "Tags"])
    for field in ("MasterRepresentation", "SourceRepresentation", "ContainedRepresentationNames"):
        assert said["Segmentation_" + field].rstrip("|") == "Binary labelmap"
    assert said["Segmentation_ReferenceImageExtentOffset"] == "0 0 0"


def test_the_reader_of_slicers_makers_finds_them_and_what_it_changes_is_read_back(labels, tmp_path):
    """slicerio is written by the 3D Slicer team for its files; here it keeps two bones and gives them other values."""
    found = slicerio.read_segmentation(str(written(tmp_path / "x.seg.nrrd", seg_nrrd(labels, (0.2, 0.2)))))
    np.testing.assert_array_equal(found["voxels"][:, :, 0], labels.T)
    for class_id, said in enumerate(found["segments"], start=1):
        assert (said["name"], said["labelValue"], said["layer"]) == (CLASSES[class_id], class_id, 0)
        np.testing.assert_allclose(said["color"], COLOUR_BLIND_SAFE[class_id] / 255, atol=1e-6)
        assert said["terminology"]["category"] == ["SCT", "123037004", "Anatomical Structure"]
        assert said["terminology"]["type"][0] == "SCT"
    changed = slicerio.extract_segments(found, [("lump", 5), ("rib", 9)])
    slicerio.write_segmentation(str(tmp_path / "y.seg.nrrd"), changed)
    expected = np.where(labels == CLASSES.index("thoracic_process"), 0, labels)
    np.testing.assert_array_equal(read_labels(tmp_path / "y.seg.nrrd"), expected)


def test_without_a_spacing_the_file_says_that_pixels_stand_for_millimetres(labels, tmp_path):
    volume = SimpleITK.ReadImage(written(tmp_path / "x.seg.nrrd", seg_nrrd(labels, None)))
    assert volume.GetSpacing() == (1, 1, 1)
    assert volume.GetMetaData("sadanet_spacing") == "unknown; one pixel is written as 1 mm"


def test_the_same_labels_are_the_same_bytes_at_any_time(labels):
    header = seg_nrrd(labels, None).split(b"\n\n")[0]
    assert header.startswith(b"NRRD0005\n# Complete NRRD file format specification at:\n")
    assert not re.search(rb"\d{4}-\d\d-\d\d", header)


def test_what_is_written_of_a_picture_without_dicom(labels, tmp_path):
    files, reason = label_files(labels, Picture(labels * 80, "PNG"), "x.png", "net")
    assert reason is None
    assert set(files) == {"_labels.png", ".seg.nrrd"}
    for end, content in files.items():
        np.testing.assert_array_equal(read_labels(written(tmp_path / f"x{end}", content)), labels)


def slicer_file(path, data, segments, offset=(0, 0, 0), geometry=None, compressed=True):
    """As 3D Slicer writes: data (column, row, slice) or (layer, column, row, slice); segments: fields of each."""
    header = {
        "space": "left-posterior-superior",
        "space directions": np.vstack([np.full((data.ndim - 3, 3), np.nan), np.eye(3)]),
        "space origin": np.array(offset, float),
        "kinds": ["list"] * (data.ndim - 3) + ["domain"] * 3,
        "encoding": "gzip" if compressed else "raw",
        "Segmentation_ReferenceImageExtentOffset": " ".join(map(str, offset)),
        "Segmentation_ConversionParameters": "Collapse labelmaps|1|Merge the labelmaps|&",
    }
    if geometry:
        width, height = geometry
        matrix = "-1;0;0;0;0;-1;0;0;0;0;1;0;0;0;0;1;"
        header["Segmentation_ConversionParameters"] += (
            f"Reference image geometry|{matrix}0;{width - 1};0;{height - 1};0;0;|Image geometry description|&"
        )
    for index, fields in enumerate(segments):
        header |= {f"Segment{index}_{field}": str(value) for field, value in fields.items()}
    nrrd.write(str(path), data, header)
    return path


def segment(name, value, layer=0, identity=None):
    return {"ID": identity or name, "Name": name, "LabelValue": value, "Layer": layer}


def volume(labels):
    return np.ascontiguousarray(labels.T[:, :, None])


def layers(labels, values=(1, 1, 1)):
    return np.stack([volume((labels == i + 1) * np.uint8(value)) for i, value in enumerate(values)])


def test_segments_are_known_by_name_in_any_order_and_with_any_values(labels, tmp_path):
    values = np.array([0, 7, 3, 1], np.uint8)  # rib 7, process 3, lump 1
    segments = [segment("Lump", 1, identity="S1"), segment("thoracic process", 3, identity="S2"), segment("RIB", 7)]
    path = slicer_file(tmp_path / "x.seg.nrrd", volume(values[labels]), segments)
    np.testing.assert_array_equal(read_labels(path), labels)


@pytest.mark.parametrize("compressed", [True, False])
def test_several_layers(labels, tmp_path, compressed):
    segments = [segment(bone, value, layer) for layer, (bone, value) in enumerate(zip(BONES, (1, 2, 1), strict=True))]
    path = slicer_file(tmp_path / "x.seg.nrrd", layers(labels, (1, 2, 1)), segments[::-1], compressed=compressed)
    np.testing.assert_array_equal(read_labels(path), labels)


def test_a_file_of_slicer_before_layers(labels, tmp_path):
    segments = [{"ID": f"Segment_{bone}", "Name": bone} for bone in BONES]
    np.testing.assert_array_equal(read_labels(slicer_file(tmp_path / "x.seg.nrrd", layers(labels), segments)), labels)


def test_segments_renamed_are_known_by_their_ids(labels, tmp_path):
    segments = [segment(f"Knochen {i}", 3 - i, identity=bone) for i, bone in enumerate(BONES)]
    values = np.array([0, 3, 2, 1], np.uint8)
    path = slicer_file(tmp_path / "x.seg.nrrd", volume(values[labels]), segments)
    np.testing.assert_array_equal(read_labels(path), labels)


def test_segments_of_unknown_names_are_known_by_their_values(labels, tmp_path):
    segments = [segment(f"Segment_{value}", value) for value in (3, 1, 2)]
    np.testing.assert_array_equal(read_labels(slicer_file(tmp_path / "x.seg.nrrd", volume(labels), segments)), labels)


def test_a_volume_without_segments_holds_ids(labels, tmp_path):
    path = tmp_path / "x.nrrd"
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(labels[None].astype(np.int16)), path)
    np.testing.assert_array_equal(read_labels(path), labels)


def test_an_empty_segment_beside_and_empty_slices_do_no_harm(labels, tmp_path):
    padded = np.pad(volume(labels), [(0, 0), (0, 0), (1, 2)])
    segments = [segment(bone, i + 1) for i, bone in enumerate(BONES)] + [segment("ruler", 9)]
    np.testing.assert_array_equal(read_labels(slicer_file(tmp_path / "x.seg.nrrd", padded, segments)), labels)


@pytest.mark.parametrize("knows_the_whole", [True, False])
def test_a_file_cropped_on_saving_gets_its_place_back(labels, knows_the_whole, tmp_path):
    rows, columns = (np.flatnonzero((labels > 0).any(axis=axis)) for axis in (1, 0))
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    assert (top, left) > (0, 0)
    segments = [segment(bone, i + 1) for i, bone in enumerate(BONES)]
    found = read_labels(
        slicer_file(
            tmp_path / "x.seg.nrrd",
            volume(labels[top:bottom, left:right]),
            segments,
            offset=(left, top, 0),
            geometry=labels.shape[::-1] if knows_the_whole else None,
        )
    )
    np.testing.assert_array_equal(found, labels if knows_the_whole else labels[:bottom, :right])


def test_what_was_drawn_beyond_the_picture_is_cut_off(labels, tmp_path):
    drawn = np.pad(labels, [(3, 0), (5, 0)], constant_values=1)
    segments = [segment(bone, i + 1) for i, bone in enumerate(BONES)]
    path = slicer_file(tmp_path / "x.seg.nrrd", volume(drawn), segments, offset=(-5, -3, 0))
    np.testing.assert_array_equal(read_labels(path), labels)


def overlapping(labels, path):
    data = layers(labels)
    data[2] |= data[0]
    slicer_file(path, data, [segment(bone, 1, layer) for layer, bone in enumerate(BONES)])


def unknown_segment(labels, path):
    slicer_file(path, volume(labels), [segment("rib", 1), segment("vessel", 2), segment("lump", 3)])


def two_slices(labels, path):
    slicer_file(path, np.concatenate([volume(labels)] * 2, axis=2), [segment("rib", 1)])


def id_seven(labels, path):
    slicer_file(path, volume(labels * 7), [])


def five_dimensions(labels, path):
    nrrd.write(str(path), volume(labels)[None, None])


def truncated(labels, path):
    slicer_file(path, volume(labels), [segment("rib", 1)])
    path.write_bytes(path.read_bytes()[:-200])


def detached(_labels, path):
    path.write_text("NRRD0004\ntype: uchar\ndimension: 3\nsizes: 64 64 1\nencoding: raw\ndata file: /etc/passwd\n\n")


def bomb(_labels, path):
    header = b"NRRD0004\ntype: uchar\ndimension: 3\nsizes: 60000 60000 1\nencoding: gzip\n\n"
    path.write_bytes(header + gzip.compress(bytes(1000)))


def missing_layer(labels, path):
    slicer_file(path, volume(labels), [segment("rib", 1), segment("lump", 3, layer=1)])


def layer_before_the_first(labels, path):
    slicer_file(path, volume(labels), [segment("rib", 1), segment("lump", 3, layer=-1)])


def far_offset(labels, path):
    slicer_file(path, volume(labels == 1) * 1, [segment("rib", 1)], offset=(10**6, 10**6, 0))


def no_number(labels, path):
    slicer_file(path, volume(labels), [segment("rib", "one")])


FAULTS = {
    overlapping: "rib and lump overlap in",
    unknown_segment: "segment 'vessel'; expected rib, thoracic_process, lump",
    two_slices: "segments in 2 slices",
    id_seven: "class id 7; expected 0..3",
    five_dimensions: "5 dimensions; expected a volume",
    truncated: "damaged or truncated NRRD file",
    detached: "in two files; expected one .seg.nrrd",
    bomb: "60000 x 60000 x 1 voxels; expected at most 16,777,216",
    missing_layer: "segment 'lump' in layer 1 of 1",
    layer_before_the_first: "segment 'lump' in layer -1 of 1",
    far_offset: "voxels; expected at most 16,777,216",
    no_number: "damaged or truncated NRRD file",
}


@pytest.mark.parametrize("spoil", FAULTS, ids=lambda f: f.__name__)
def test_every_fault_is_one_line_that_names_the_file_and_what_was_found(labels, spoil, tmp_path):
    path = tmp_path / "x.seg.nrrd"
    spoil(labels, path)
    with pytest.raises(BadInput) as caught:
        read_labels(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert FAULTS[spoil] in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_cannot_be_opened_is_refused(tmp_path):
    for path, said in ((tmp_path / "none", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(BadInput, match=said):
            read_labels(path)


def test_a_damaged_file_is_read_or_one_line(labels, tmp_path):
    content = seg_nrrd(labels, None)
    for spoilt in damaged(content, 4, len(content)):
        path = written(tmp_path / "x", spoilt)
        assert_read_or_refused(lambda path=path: read_labels(path), path)
