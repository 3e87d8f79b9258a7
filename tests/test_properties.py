"""Properties that hold for whatever hypothesis draws: what is written is read back, geometry keeps its invariants."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sadanet_lab.errors import one_line
from sadanet_lab.images.picture import Picture, square_size
from sadanet_lab.images.png import decode_mask, labels_png, png_bytes
from sadanet_lab.images.slicer import read_seg_nrrd, seg_nrrd
from sadanet_lab.images.vpi_folder import SPLITS, in_two_lists
from sadanet_lab.reporting.cohort_pictures import Entry, shard_of
from sadanet_lab.reporting.cohort_report import cohort_csv
from sadanet_lab.reporting.report import code, latex
from sadanet_lab.spine.classes import COLOURS, rgb_to_labels
from sadanet_lab.spine.curve_angles import LEAST_CONFIDENCE, Measurement, measure_curves, trusted
from sadanet_lab.spine.description import describe
from sadanet_lab.spine.levels import Level, curves_of, largest_angle

few = settings(max_examples=50, deadline=None)
sides = st.integers(1, 40)
labels_maps = st.tuples(sides, sides).flatmap(lambda shape: arrays(np.uint8, shape, elements=st.integers(0, 3)))


@few
@given(labels_maps)
def test_label_maps_come_back_from_every_form(labels):
    for content in (labels_png(labels), png_bytes(labels), png_bytes(COLOURS[labels])):
        np.testing.assert_array_equal(decode_mask(content, "x"), labels)
    np.testing.assert_array_equal(rgb_to_labels(COLOURS[labels]), labels)
    np.testing.assert_array_equal(read_seg_nrrd(io.BytesIO(seg_nrrd(labels, None)), "x"), labels)


@given(st.integers(1, 5000), st.integers(1, 5000), st.floats(0.01, 10), st.floats(1, 16), st.booleans())
def test_square_pixels_keep_proportions_and_lose_no_row(height, width, spacing, uneven, tall):
    rows, columns = (spacing * uneven, spacing) if tall else (spacing, spacing * uneven)
    new = square_size((height, width), (rows, columns))
    assert new[0] >= height
    assert new[1] >= width
    assert new[0] * width * columns == pytest.approx(new[1] * height * rows, rel=0.5 / height + 0.5 / width + 1e-9)
    assert square_size((height, width), (spacing, spacing)) == (height, width)


stems = st.text("ab01_", min_size=1, max_size=4)


@given(st.fixed_dictionaries({split: st.lists(stems, unique=True) for split in ("train", "test", "val")}))
def test_stems_in_two_lists_are_those_that_any_pair_shares(lists):
    lists = {split: lists[split] for split in SPLITS}
    expected = {
        (a, x, y) for x, y in (("train", "test"), ("train", "val"), ("test", "val")) for a in lists[x] if a in lists[y]
    }
    assert set(in_two_lists(lists)) == expected


def test_as_many_comparisons_as_stems_find_them():
    asked = 0

    class Stem(str):
        __slots__ = ()
        __hash__ = str.__hash__

        def __eq__(self, other):
            nonlocal asked
            asked += 1
            return str.__eq__(self, other)

    lists = {"train": [Stem(i) for i in range(20_000)], "test": [Stem(i) for i in range(19_990, 40_000)], "val": []}
    assert len(list(in_two_lists(lists))) == 10
    assert asked < 40_000


levels = st.lists(st.tuples(st.floats(-25, 25), st.floats(-20, 20)), min_size=2, max_size=17).map(
    lambda drawn: [_level(tilt, off, index) for index, (tilt, off) in enumerate(drawn)]
)


def _level(tilt, off, index):
    down = 50 * np.tan(np.radians(tilt))
    return Level("thoracic", (100 + off - 50, 60 * index - down), (100 + off + 50, 60 * index + down))


def _moved(spine, place):
    return [Level(level.region, place(*level.left), place(*level.right)) for level in spine]


@given(levels, st.floats(0.1, 20), st.floats(-500, 500))
def test_angles_do_not_change_with_scale_and_place(spine, scale, shift):
    moved = _moved(spine, lambda x, y: (scale * x + shift, scale * y - shift))
    assert largest_angle(moved) == pytest.approx(largest_angle(spine), abs=1e-6)


@given(levels)
def test_a_mirrored_spine_has_the_same_curves_on_the_other_side(spine):
    mirrored = [
        Level(level.region, (-level.right[0], level.right[1]), (-level.left[0], level.left[1])) for level in spine
    ]
    curves, others = curves_of(spine, 3.0000001), curves_of(mirrored, 3.0000001)
    assert [c.angle_degrees for c in others] == pytest.approx([c.angle_degrees for c in curves], abs=1e-6)
    assert [{c.side, other.side} for c, other in zip(curves, others, strict=True)] == [{"left", "right"}] * len(curves)


@given(levels, st.floats(-20, 20))
def test_angles_between_levels_do_not_change_when_all_are_turned(spine, turn):
    cos, sin = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    turned = _moved(spine, lambda x, y: (cos * x - sin * y, sin * x + cos * y))
    for before, after in zip(spine, turned, strict=True):
        assert after.tilt - before.tilt == pytest.approx(turn, abs=1e-6)


@given(st.lists(st.text(max_size=6), unique=True, max_size=60), st.integers(1, 20))
def test_shards_share_a_cohort_whole_whatever_its_order(names, count):
    entries = [Entry(name, None) for name in names]
    shards = [shard_of(entries, number, count) for number in range(1, count + 1)]
    assert sorted(entry.name for shard in shards for entry in shard) == sorted(names)
    assert shards == [shard_of(entries[::-1], number, count) for number in range(1, count + 1)]
    assert max(map(len, shards)) - min(map(len, shards)) <= 1


@given(st.text())
def test_one_line_is_one_and_printable(text):
    assert one_line(text).isprintable()
    assert not text.isprintable() or one_line(text) == text


@given(st.text(min_size=1))
def test_code_is_closed_by_its_own_fence_alone(text):
    shown = code(text)
    fence = shown[: len(shown) - len(shown.lstrip("`"))]
    inside = shown[len(fence) : -len(fence)]
    assert shown.endswith(fence)
    assert fence not in inside
    assert inside.strip(" ") == one_line(text).strip(" ")


@given(st.text(r"\^{}_#$%&~<>`a ", min_size=1))
def test_latex_has_no_sign_of_its_own_left(text):
    (line,) = latex(f"x{text}", "c").splitlines()[2:]
    for command in (r"\textbackslash{}", r"\textasciicircum{}", r"\textasciitilde{}", r"\textless{}",
                    r"\textgreater{}", r"\textasciigrave{}", *(f"\\{sign}" for sign in "&%$#_{}")):  # fmt: skip
        line = line.replace(command, "")
    assert not set(line) & set(r"\^{}_#$%&~<>`")


def measured(confidence):
    spine = tuple(_level(10 * np.sin(index), 0, index) for index in range(8))
    curves = tuple(curves_of(spine))
    return Measurement(True, None, 20.0, 20.0, False, confidence, curves, spine, ())


@given(st.floats(0, 1))
def test_an_angle_is_told_from_the_least_confidence_on(confidence):
    told = describe("x", measured(confidence))
    assert told["measurable"] == (confidence >= LEAST_CONFIDENCE)
    assert told["confidence"] == confidence
    if not told["measurable"]:
        assert (told["severity"], told["largest_angle_degrees"], told["curves"], told["levels"]) == (None, None, [], [])
        assert told["reason"].startswith(f"confidence {confidence:.2f}, below {LEAST_CONFIDENCE:g}")


@few
@given(labels_maps)
def test_any_label_map_is_measured_or_said_not_to_be(labels):
    found = trusted(measure_curves(labels))
    assert found.measurable == (found.reason is None) == (found.largest_angle_degrees is not None)


@given(st.lists(st.text(), min_size=1))
def test_a_cohorts_table_has_a_line_a_picture_whatever_its_name(names):
    text = cohort_csv(
        {"name": name, "file": Path(name), "status": "failed", "reason": f"{name}: bad"} for name in names
    )
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    formulas = ("=", "+", "-", "@")  # a spreadsheet would compute them; after an apostrophe it shows text
    told = [f"'{one_line(name)}" if name.startswith(formulas) else one_line(name) for name in names]
    assert [row["name"] for row in rows] == told
    assert text.count("\n") == len(names) + 1


def test_a_picture_has_square_pixels_already_where_nothing_is_said():
    image = np.zeros((64, 64), np.uint8)
    assert Picture(image, "PNG").square_image is image
