"""One style: letters and widths of print, and methods that are told apart, whoever looks at them."""

import io
from itertools import combinations, pairwise

import matplotlib.pyplot as plt
import numpy as np
import pytest
from colour_vision import DEFICIENCIES, ciede2000, contrast_with_white, lab
from matplotlib.colors import to_rgb
from matplotlib.text import Text
from PIL import Image

from sadanet_lab.images.png import decode_mask, labels_png
from sadanet_lab.spine.classes import COLOUR_BLIND_SAFE, PALETTES
from sadanet_lab.studies.published import published_scores
from sadanet_lab.views import style
from sadanet_lab.views.overlays import overlay

LOOKS = style.METHODS | {"any other": style.OTHER}
APART = 7.0
"""CIEDE2000; about 2 is seen side by side, 5 at a glance."""


@pytest.mark.parametrize(
    ("one", "other", "difference"),
    [
        ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
        ((50, 2.49, -0.001), (50, -2.49, 0.0009), 7.1792),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
        ((2.0776, 0.0795, -1.135), (0.9033, -0.0636, -0.5514), 0.9082),
    ],
)
def test_the_ruler_gives_the_published_test_values(one, other, difference):
    """Of Sharma, Wu and Dalal (2005), Table 1: pairs 1, 9, 17 and 34."""
    assert ciede2000(one, other) == pytest.approx(difference, abs=5e-5)
    assert ciede2000(other, one) == pytest.approx(difference, abs=5e-5)


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_greys_stay_greys_in_simulated_colour_blindness(deficiency):
    for grey in ((0.2,) * 3, (0.8,) * 3):
        assert ciede2000(lab(grey), lab(grey, deficiency)) < 0.1


def test_the_ruler_sees_what_colour_blind_people_do_not():
    red, green = to_rgb("#C05050"), to_rgb("#7A7A30")
    assert ciede2000(lab(red), lab(green)) > 3 * ciede2000(lab(red, "deuteranopia"), lab(green, "deuteranopia"))


@pytest.mark.parametrize("name", LOOKS)
def test_lines_stand_out_from_white(name):
    """WCAG 2.1, 1.4.11: graphical objects have a contrast of 3 at least."""
    assert contrast_with_white(to_rgb(LOOKS[name].colour)) >= 3


@pytest.mark.parametrize("deficiency", [None, *DEFICIENCIES])
def test_any_two_methods_are_told_apart_by_colour(deficiency):
    seen = {name: lab(to_rgb(look.colour), deficiency) for name, look in style.METHODS.items()}
    near = {(a, b): round(ciede2000(seen[a], seen[b]), 1) for a, b in combinations(seen, 2)}
    assert {pair: distance for pair, distance in near.items() if distance < APART} == {}


def test_no_two_methods_share_marker_or_marker_and_dash():
    markers = [look.marker for look in LOOKS.values()]
    assert len(set(markers)) == len(markers)
    seen = {name: lab(to_rgb(look.colour)) for name, look in LOOKS.items()}
    for a, b in combinations(LOOKS, 2):  # near in colour: another dash too
        if ciede2000(seen[a], seen[b]) < 2 * APART:
            assert (LOOKS[a].dash, LOOKS[a].width) != (LOOKS[b].dash, LOOKS[b].width), (a, b)


def test_sadanet_is_the_strongest():
    assert all(look.width < style.look("SADANet").width for name, look in LOOKS.items() if name != "SADANet")


def test_every_method_of_the_paper_has_a_look_and_a_new_one_gets_the_default():
    assert set(published_scores("I").method) | set(published_scores("II").method) <= set(style.METHODS)
    assert style.look("a network of tomorrow") == style.OTHER


@pytest.mark.filterwarnings("error")
def test_an_empty_figure_says_why_and_warns_of_nothing():
    figure = style.empty("Nothing to draw.")
    assert [text.get_text() for text in figure.texts] == ["Nothing to draw."]
    assert style.file_of(figure, "png").startswith(b"\x89PNG")
    plt.close(figure)


def test_modules_are_told_apart_too():
    assert len({(look.colour, look.marker) for look in style.MODULES.values()}) == len(style.MODULES)
    assert all(contrast_with_white(to_rgb(look.colour)) >= 3 for look in style.MODULES.values())


def test_the_bones_have_one_colour_each_in_figures_label_maps_and_predictions():
    assert PALETTES["safe"] is COLOUR_BLIND_SAFE
    labels = np.arange(4, dtype=np.uint8)[None].repeat(9, 0).repeat(9, 1)
    drawn = overlay(np.zeros_like(labels), labels)
    opened = np.asarray(Image.open(io.BytesIO(labels_png(labels))).convert("RGB"))
    for bone in (1, 2, 3):
        colour = tuple(COLOUR_BLIND_SAFE[bone])
        assert colour in {tuple(pixel) for pixel in drawn[labels == bone]}
        assert {tuple(pixel) for pixel in opened[labels == bone]} == {colour}
    np.testing.assert_array_equal(decode_mask(labels_png(labels), "labels"), labels)


@pytest.mark.parametrize(("width", "millimetres"), [(style.ONE_COLUMN, 89), (style.TWO_COLUMNS, 183)])
def test_files_are_as_wide_as_a_column_and_the_same_each_time(width, millimetres):
    figure, axes = style.panels(1, 1, 1.5, width)
    axes[0, 0].plot([0, 1])
    picture = Image.open(io.BytesIO(style.file_of(figure, "png")))
    assert picture.width / style.DOTS * 25.4 == pytest.approx(millimetres, abs=0.2)
    vector = style.file_of(figure, "pdf")
    box = vector.split(b"/MediaBox [")[1].split(b"]")[0].split()
    assert float(box[2]) / 72 * 25.4 == pytest.approx(millimetres, abs=0.2)
    assert vector == style.file_of(figure, "pdf")


def test_names_at_the_ends_of_lines_keep_the_lines_order_and_do_not_touch():
    figure, axes = style.panels(1, 1, 2.0)
    heights = {"a": 0.50, "b": 0.51, "c": 0.505, "d": 0.0, "e": 1.0}
    axes[0, 0].set(xlim=(0, 1), ylim=(0, 1))
    style.label_lines(axes[0, 0], {name: (1, y) for name, y in heights.items()}, dict.fromkeys(heights, "black"))
    figure.draw_without_rendering()
    boxes = {text.get_text(): Text.get_window_extent(text) for text in axes[0, 0].texts}
    order = sorted(heights, key=heights.__getitem__)
    assert [text for text, _ in sorted(boxes.items(), key=lambda item: item[1].y0)] == order
    for lower, upper in pairwise(order):
        assert boxes[lower].y1 <= boxes[upper].y0 + 1


def test_a_figure_of_nothing_says_why():
    assert [text.get_text() for text in style.empty("no runs").texts] == ["no runs"]


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")
