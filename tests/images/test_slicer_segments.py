"""Of a ``.seg.nrrd`` no class is guessed from a value whose segment has another name, and no voxel is dropped."""

import numpy as np
import pytest
from test_label_files import layers, segment, slicer_file, volume

from sadanet_lab.errors import BadInput
from sadanet_lab.images.label_files import read_labels
from sadanet_lab.phantom import draw_spine
from sadanet_lab.spine.classes import BONES

GERMAN = ("Rippe", "Lendenwirbel", "Querfortsatz")


@pytest.fixture(scope="module")
def labels():
    return draw_spine(np.random.default_rng(0), 160, 640).labels()


def refusal(path):
    with pytest.raises(BadInput) as caught:
        read_labels(path)
    line = str(caught.value)
    assert line.startswith(f"{path}: ")
    assert "\n" not in line
    return line.removeprefix(f"{path}: ")


@pytest.mark.parametrize("identity", [None, "Segment_1", ""])
def test_names_in_other_words_are_refused_and_not_read_by_value(labels, identity, tmp_path):
    """The order of the values is that in which somebody drew: 2 is a lumbar vertebra here."""
    segments = [segment(name, value, identity=identity) for value, name in enumerate(GERMAN, start=1)]
    path = slicer_file(tmp_path / "x.seg.nrrd", volume(labels), segments)
    said = "segments 'Rippe', 'Lendenwirbel', 'Querfortsatz'; expected rib, thoracic_process, lump"
    assert refusal(path) == said


def test_one_name_that_says_something_among_others_is_enough(labels, tmp_path):
    segments = [segment("Segment_1", 1), segment("Rippe", 2), segment("3", 3)]
    path = slicer_file(tmp_path / "x.seg.nrrd", volume(labels), segments)
    assert refusal(path) == "segment 'Rippe'; expected rib, thoracic_process, lump"


def test_an_id_counts_where_there_is_no_name(labels, tmp_path):
    segments = [segment("", value, identity=name) for value, name in enumerate(GERMAN, start=1)]
    assert "segments 'Rippe'," in refusal(slicer_file(tmp_path / "x.seg.nrrd", volume(labels), segments))


def test_of_many_names_a_line_has_the_first(labels, tmp_path):
    segments = [segment(f"Knochen {chr(64 + value)}", value) for value in range(1, 10)]
    many = np.arange(labels.size, dtype=np.uint8).reshape(labels.shape) % 10
    line = refusal(slicer_file(tmp_path / "x.seg.nrrd", volume(many), segments))
    assert "'Knochen E', ...; expected" in line


@pytest.mark.parametrize(
    "name", ["", " ", "Segment_{}", "Segment {}", "segment{}", "{}", "label {}", "Label_{}", "00{}"]
)
def test_names_that_say_nothing_are_read_by_value(labels, name, tmp_path):
    segments = [segment(name.format(value), value, identity=f"Segment_{value}") for value in (3, 1, 2)]
    path = slicer_file(tmp_path / "x.seg.nrrd", volume(labels), segments)
    np.testing.assert_array_equal(read_labels(path), labels)


def test_a_name_without_a_voxel_says_nothing_of_the_others(labels, tmp_path):
    segments = [*(segment(f"Segment_{value}", value) for value in (1, 2, 3)), segment("Lineal", 9)]
    path = slicer_file(tmp_path / "x.seg.nrrd", volume(labels), segments)
    np.testing.assert_array_equal(read_labels(path), labels)


def without(path, labels, numbers, data=None):
    """A file in which the fields of some segments are missing."""
    fields = [segment(bone, value) if value - 1 not in numbers else {} for value, bone in enumerate(BONES, start=1)]
    return slicer_file(path, volume(labels) if data is None else data, fields)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_voxels_of_a_segment_that_is_not_listed_are_no_background(labels, number, tmp_path):
    kept = [value for value in (1, 2, 3) if value != number + 1]
    line = refusal(without(tmp_path / "x.seg.nrrd", labels, [number]))
    assert line == f"value {number + 1} of no segment; expected 0, {kept[0]}, {kept[1]}"


def test_layers_that_no_segment_explains_are_refused(labels, tmp_path):
    path = slicer_file(tmp_path / "x.seg.nrrd", layers(labels), [])
    assert refusal(path) == "3 layers and no segment; expected segments that say what is in each"


@pytest.mark.parametrize("number", [0, 1])
def test_segments_behind_a_gap_in_the_numbers_are_read(labels, number, tmp_path):
    """A gap alone is no fault: nothing is drawn that would belong there."""
    expected = np.where(labels == number + 1, 0, labels).astype(np.uint8)
    np.testing.assert_array_equal(read_labels(without(tmp_path / "x.seg.nrrd", expected, [number])), expected)


def test_ten_segments_are_in_the_order_of_their_numbers(labels, tmp_path):
    """Without layers in the file, a segment's number is its layer; as text, 10 comes before 2."""
    data = np.concatenate([layers(labels)[:2], np.zeros((8, *volume(labels).shape), np.uint8), layers(labels)[2:]])
    names = [*BONES[:2], *(f"empty {i}" for i in range(8)), BONES[2]]
    path = slicer_file(tmp_path / "x.seg.nrrd", data, [{"ID": name, "Name": name} for name in names])
    np.testing.assert_array_equal(read_labels(path), labels)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda data: -data, "values -3, -2, -1 of no segment; expected 0, 1, 2, 3"),
        (lambda data: np.where(data == 3, 200, data), "value 200 of no segment; expected 0, 1, 2, 3"),
        (lambda data: data / 2, "values 0.5, 1.5 of no segment; expected 0, 1, 2, 3"),
    ],
)
def test_values_that_no_segment_has_are_refused(labels, change, said, tmp_path):
    data = change(volume(labels).astype(np.int16))
    assert refusal(without(tmp_path / "x.seg.nrrd", labels, [], data)) == said


def test_a_layer_is_named_where_there_are_several(labels, tmp_path):
    segments = [segment(bone, 1, layer) for layer, bone in enumerate(BONES)]
    path = slicer_file(tmp_path / "x.seg.nrrd", layers(labels, (1, 1, 2)), segments)
    assert refusal(path) == "value 2 of no segment in layer 2; expected 0, 1"
