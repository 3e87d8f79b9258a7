"""The measured numbers of pictures drawn by hand, and the phantoms' numbers around those of a real image.

The hand-drawn picture is made so that its numbers follow on paper: everything is symmetrical about the middle, where
the tissue's slope across the strip cancels out, and bones begin and end at the nodes of the texture's waves.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from itertools import product

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from sadanet_lab.images.image_statistics import measure_image
from sadanet_lab.paths import ROOT
from sadanet_lab.phantom import draw_picture, draw_spine
from sadanet_lab.phantom.ranges import SCANNED, SPREADS, Annotator, Body, Scanner, Style, draw

WIDTH, HEIGHT = 640, 2574
AREA = WIDTH * HEIGHT
WAVE, SWING = 32, 14
"""Rows of one wave of the texture, and its amplitude in greys."""
REAL = pd.read_csv(ROOT / "data/published/real_vpi_statistics.csv").set_index("quantity").real
BONES = "rib", "thoracic_process", "lump"


def strip_with_texture() -> np.ndarray:
    """Tissue of 170 above row 1408 and 130 below, with a slope of 20 across and the waves, black outside the strip.

    The strip lies in rows 32 to 2559; its left edge runs from column 128 to 160 and back in zigzag, its right one
    mirrors that.
    """
    y, x = np.arange(HEIGHT)[:, None] + 0.5, np.arange(WIDTH) + 0.5
    level = np.where(y < 1408, 170, 130) + 20 * (x - 320) / 192 + SWING * np.sin(2 * np.pi * y / WAVE)
    edge = 128 + np.abs((y // 4 + 32) % 64 - 32)
    inside = (x > edge) & (x < WIDTH - edge) & (y > 32) & (y < 2560)
    return np.where(inside, np.rint(level), 0).astype(np.uint8)


@pytest.fixture(scope="module")
def drawn() -> tuple[np.ndarray, np.ndarray]:
    """Ten pairs of processes with ribs beside them, the ribs of every second pair smaller, and five lumps."""
    image, mask = strip_with_texture(), np.zeros((HEIGHT, WIDTH), np.uint8)

    def bone(class_id: int, top: int, left: int, height: int, width: int, grey: int) -> None:
        mask[top : top + height, left : left + width] = class_id
        image[top : top + height, left : left + width] = grey

    for i in range(10):
        top = 96 + 128 * i
        for process, rib in ((212, 172), (348, 428)):
            bone(2, top, process, 96, 80, 255 if i == 9 else 80 + 10 * i)
            bone(1, top, rib, 64 if i % 2 else 96, 40, 50 + 10 * i)
    for i in range(5):
        bone(3, 1440 + 160 * i, 192, 96, 256, 40 + 10 * i)
    return image, mask


@pytest.fixture(scope="module")
def found(drawn) -> dict[str, float]:
    return measure_image(*drawn)


def test_counts_areas_and_sizes_are_those_drawn(found):
    expected = {
        "rib": (20, 3200, 640, 80, 40),
        "thoracic_process": (20, 7680, 0, 96, 80),
        "lump": (5, 24576, 0, 96, 256),
    }
    for name, (count, mean, sd, height, width) in expected.items():
        shown = [found[f"{name}_{what}"] for what in ("count", "area_mean", "area_sd", "height", "width")]
        assert shown == [count, mean, sd, height, width]
        assert found[f"{name}_percent"] == pytest.approx(100 * count * mean / AREA)


def test_levels_lie_where_they_were_drawn(found):
    """A bone that covers pixels a to b - 1 has its middle at (a + b - 1) / 2."""
    assert found["first_process_row"] == 96 + 47.5
    assert found["last_process_row"] == 96 + 9 * 128 + 47.5
    assert found["first_lump_row"] == 1440 + 47.5
    assert found["process_left_percent"] == pytest.approx(100 * 251.5 / WIDTH)
    assert found["process_right_percent"] == pytest.approx(100 * 387.5 / WIDTH)


def test_greys_of_bones_and_of_the_tissue_around_them_are_those_drawn(found):
    greys = {
        "rib": (np.repeat(50 + 10 * np.arange(10), 2), np.tile([96, 96, 64, 64], 5)),
        "thoracic_process": (np.repeat([*range(80, 170, 10), 255], 2), np.ones(20)),
        "lump": (40 + 10 * np.arange(5), np.ones(5)),
    }
    for name, (grey, weight) in greys.items():
        mean = np.average(grey, weights=weight)
        assert found[f"{name}_grey_inside"] == pytest.approx(mean)
        assert found[f"{name}_grey_inside_sd"] == pytest.approx(np.sqrt(np.average((grey - mean) ** 2, weights=weight)))
        assert found[f"{name}_grey_darkest_bone"] == grey.min()
        assert found[f"{name}_grey_brightest_bone"] == grey.max()
        assert found[f"{name}_grey_ring"] == pytest.approx(130 if name == "lump" else 170, abs=0.2)
    # The rows of tissue are no whole number of waves.
    assert found["tissue_grey_thoracic"] == pytest.approx(170, abs=0.5)
    assert found["tissue_grey_lumbar"] == pytest.approx(130, abs=0.5)


def test_the_strip_is_the_one_drawn(found):
    """Its left edge is 144 on average, and steps by one column every fourth row."""
    assert found["strip_percent"] == pytest.approx(100 * (WIDTH - 2 * 144) * 2528 / AREA, abs=0.05)
    assert found["strip_left_lowest_percent"] == pytest.approx(100 * 128.5 / WIDTH, abs=0.2)
    assert found["strip_left_highest_percent"] == pytest.approx(100 * 159.5 / WIDTH, abs=0.2)
    assert found["strip_right_lowest_percent"] == pytest.approx(100 * 480.5 / WIDTH, abs=0.2)
    assert found["strip_right_highest_percent"] == pytest.approx(100 * 511.5 / WIDTH, abs=0.2)
    assert found["strip_edge_step"] == pytest.approx(np.sqrt(1 / 4), rel=0.05)


def test_greys_of_the_picture_and_of_the_strip_are_those_of_their_pixels(found, drawn):
    image, _ = drawn
    assert (found["grey_mean"], found["grey_sd"]) == pytest.approx((image.mean(), image.std()))
    lit = image[image > 0]
    assert found["strip_grey_mean"] == pytest.approx(lit.mean(), abs=0.1)
    assert found["strip_grey_sd"] == pytest.approx(lit.std(), abs=0.2)
    for percent in (1, 5, 10, 25, 50, 75, 90, 95, 99):
        assert found[f"strip_grey_{percent}th_percentile"] == pytest.approx(np.percentile(lit, percent), abs=1)
    assert found["saturated_percent"] == pytest.approx(100 * 2 * 7680 / len(lit), rel=0.002)


def test_the_texture_of_waves_has_their_sd_and_their_correlation():
    """A wave of rows repeats itself along a row, and k rows on is cos(2 pi k / wave) of itself.

    The blur that is taken away (sigma 15) leaves exp(-2 (pi * 15 / wave)^2) of it in what it takes.
    """
    beside = np.zeros((HEIGHT, WIDTH), np.uint8)
    beside[100:400, :60] = np.arange(1, 4).repeat(100)[:, None]  # bones, but far from the strip
    found = measure_image(strip_with_texture(), beside)
    left = 1 - np.exp(-2 * (np.pi * 15 / WAVE) ** 2)
    assert found["texture_sd"] == pytest.approx(left * SWING / np.sqrt(2), rel=0.02)
    for lag in (1, 2, 4, 8, 16):
        assert found[f"texture_correlation_y_{lag}"] == pytest.approx(np.cos(2 * np.pi * lag / WAVE), abs=0.02)
        assert found[f"texture_correlation_x_{lag}"] == pytest.approx(1, abs=0.02)


def test_what_a_picture_without_bones_lacks_is_nan():
    found = measure_image(strip_with_texture(), np.zeros((HEIGHT, WIDTH), np.uint8))
    missing = {name for name, value in found.items() if np.isnan(value)}
    of_bones = {name for name in found if name.startswith(BONES)}
    assert {name for name in of_bones if found[name] == 0} == {f"{b}_{w}" for b in BONES for w in ("count", "percent")}
    places = {
        "first_process_row",
        "last_process_row",
        "first_lump_row",
        "process_left_percent",
        "process_right_percent",
    }
    tissue = {"tissue_grey_thoracic", "tissue_grey_lumbar"}
    assert missing == places | tissue | {name for name in of_bones if found[name] != 0}


def test_a_picture_without_strip_or_tissue_has_no_number_of_them():
    black = measure_image(np.zeros((HEIGHT, WIDTH), np.uint8), np.zeros((HEIGHT, WIDTH), np.uint8))
    all_bone = measure_image(strip_with_texture(), np.ones((HEIGHT, WIDTH), np.uint8))
    for found in (black, all_bone):
        assert np.isnan([value for name, value in found.items() if name.startswith("texture")]).all()
    of_strip = ("strip_edge_step", "strip_left_lowest_percent", "saturated_percent", "strip_grey_sd")
    assert np.isnan([black[name] for name in of_strip]).all()
    assert (black["strip_percent"], black["grey_mean"]) == (0, 0)
    assert black.keys() == all_bone.keys()


def test_a_picture_of_half_the_size_has_nearly_the_same_numbers(drawn, found):
    image, mask = drawn
    lit = image[image > 0]
    half = measure_image(np.asarray(Image.fromarray(image).reduce(2)), mask[::2, ::2])
    assert half.keys() == found.keys()
    for name, value in found.items():
        if "percentile" in name:  # a hair's breadth away another bone's grey may begin
            percent = int(name.split("_")[2][:-2])
            low, high = np.percentile(lit, [percent - 0.5, percent + 0.5])
            assert low - 1 <= half[name] <= high + 1, name
        elif "correlation" in name:
            assert half[name] == pytest.approx(value, abs=0.03), name
        else:
            # At the rims of bones and in the narrow band along the strip's edge the enlarged picture mixes greys.
            mixed = name in ("saturated_percent", "tissue_grey_thoracic")
            assert half[name] == pytest.approx(value, rel=0.06 if mixed else 0.03), name


@pytest.fixture(scope="module", params=["usual", "varied"])
def phantoms(request) -> pd.DataFrame:
    """``measure`` of 60 usual phantoms of the real image's size, or of 40 varied ones; a row each."""

    def one(index: int) -> dict[str, float]:
        for_anatomy, for_appearance = np.random.default_rng([0, index]).spawn(2)
        spine = draw_spine(for_anatomy, WIDTH, HEIGHT, request.param)
        return measure_image(draw_picture(for_appearance, spine, request.param), spine.labels())

    with ThreadPoolExecutor(2) as pool:
        return pd.DataFrame(list(pool.map(one, range(60 if request.param == "usual" else 40))))


@pytest.mark.slow
def test_real_values_are_known_of_every_quantity_measured(phantoms):
    assert set(REAL.index) == set(phantoms.columns)
    assert phantoms.notna().all(axis=None)


@pytest.mark.parametrize("quantity", REAL.index)
@pytest.mark.slow
def test_the_real_image_lies_among_the_phantoms(phantoms, quantity):
    low, high = phantoms[quantity].quantile([0.05, 0.95])
    assert low <= REAL[quantity] <= high


def range_of(kind, name, spread):
    """The range that ``draw`` draws a value from; None if it is not drawn."""
    return next(one.metadata.get(spread) for one in fields(kind) if one.name == name)


@pytest.mark.parametrize(
    ("kind", "spread"),
    [
        *product([Body], SPREADS),
        *product([Style], ["usual", "wide"]),
        *product([Annotator, Scanner], SCANNED),
    ],
)
def test_drawn_values_lie_in_their_ranges_and_fill_them(kind, spread):
    rng = np.random.default_rng(0)
    values = pd.DataFrame([vars(draw(kind, rng, spread)) for _ in range(300)])
    for name in values:
        if range_of(kind, name, spread) is None:
            assert values[name].nunique() == 1
            continue
        low, high = range_of(kind, name, spread)
        assert low < high
        assert values[name].between(low, high).all()
        assert np.ptp(values[name]) > 0.95 * (high - low)


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, one.name) for kind in (Body, Style) for one in fields(kind) if "wide" in one.metadata]
)
def test_the_wide_range_holds_the_usual_one(kind, name):
    (wide_low, wide_high), (low, high) = range_of(kind, name, "wide"), range_of(kind, name, "usual")
    assert wide_low <= low < high <= wide_high
    assert (wide_low, wide_high) != (low, high)
