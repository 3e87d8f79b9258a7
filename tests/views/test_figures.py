"""Figures hide nothing: what is off the axis is marked, what cannot be measured is counted, and all can be printed."""

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PolyCollection
from printed import check_print

from sadanet_lab.images.degradations import DEGRADATIONS
from sadanet_lab.images.folder_check import open_folder
from sadanet_lab.images.image_statistics import quantity_title
from sadanet_lab.methods import registry
from sadanet_lab.paths import PUBLISHED
from sadanet_lab.spine.curve_angles import measure_curves
from sadanet_lab.spine.names import SEVERITIES
from sadanet_lab.studies import robustness
from sadanet_lab.studies.angle_agreement import MASK
from sadanet_lab.studies.attention_maps import attention_maps
from sadanet_lab.studies.conclusions.data import real_among
from sadanet_lab.studies.hidden_bones import KINDS, THORACIC
from sadanet_lab.studies.selection import phantom_truth, pick_samples
from sadanet_lab.training.shipped import shipped_run
from sadanet_lab.views import (
    angle_figures,
    attention_effects,
    attention_figures,
    audit_figures,
    convergence,
    few_images,
    figures,
    real_image,
    robustness_figures,
    style,
    tables,
)
from sadanet_lab.views.overlays import overlay, with_levels

TITLES = [method.title for method in registry().values()]


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def note_of(figure):
    return figure.get_supxlabel().replace("\n", " ")


@pytest.fixture
def real():
    known = pd.read_csv(PUBLISHED / "real_vpi_statistics.csv")
    table = pd.DataFrame({"quantity": known.quantity, "low": known.real - 1, "high": known.real + 1})
    return table.assign(median=known.real, real=known.real, within=True)


def test_a_quantity_is_called_alike_everywhere(real):
    titles = {"rib_percent": "rib (%)", "strip_grey_1th_percentile": "strip grey 1st percentile", "grey_sd": "grey sd"}
    assert {name: quantity_title(name) for name in titles} == titles
    table = tables.real_comparison_markdown(real)
    labels = [text.get_text() for axis in real_image.real_among(real, 24).axes for text in axis.get_yticklabels()]
    outside = real_among(real.assign(within=real.quantity != "strip_grey_1th_percentile"), 24)
    assert all("1st percentile" in told and "1th" not in told for told in (table, " ".join(labels), outside))


def test_every_quantity_of_the_real_image_has_a_theme_and_a_line(real):
    assert set(real.quantity.map(real_image.theme_of)) == set(real_image.THEMES)
    figure = real_image.real_among(real, 24)
    points = [line for axis in figure.axes for line in axis.lines if line.get_marker() == "o"]
    assert len(points) == len(real)
    assert "n = 24 images" in note_of(figure)
    check_print(figure)


@pytest.mark.parametrize(("real_value", "arrow"), [(50.0, ">"), (-50.0, "<")])
def test_a_value_off_the_axis_is_an_arrowhead_at_the_edge_with_its_value(real, real_value, arrow):
    real.loc[3, ["low", "median", "high", "real", "within"]] = [0.0, 5.0, 10.0, real_value, False]
    figure = real_image.real_among(real, 24)
    (head,) = [(axis, line) for axis in figure.axes for line in axis.lines if line.get_marker() == arrow]
    axis, line = head
    assert line.get_xdata()[0] in axis.get_xlim()
    assert f"{real_value / 10:+.2g}" in [text.get_text() for text in axis.texts]
    for axis in figure.axes:
        low, high = axis.get_xlim()
        assert all(low <= x <= high for line in axis.lines for x in line.get_xdata())
    check_print(figure)


def degraded(images, lost=False):
    rows = [
        (network, name, strength, f"phantom_{image}", 0.8 - 0.001 * image, np.nan if lost and strength else 2.0 + image)
        for network in ("SADANet", "SADANet w/o SAA", "shipped model")
        for name, one in DEGRADATIONS.items()
        for strength in one.strengths
        for image in range(images)
    ]
    table = pd.DataFrame(rows, columns=["network", "degradation", "strength", "stem", "dice", "angle_error"])
    return robustness.over_seeds(table.assign(seed=0, measurable=table.angle_error.notna().astype(float)))


def test_of_few_images_the_images_are_drawn_and_no_interval():
    for images, bands in ((3, 0), (robustness_figures.FEWEST_IMAGES, 3)):
        figure = robustness_figures.curves(degraded(images))
        drawn = [one for one in figure.axes[0].collections if isinstance(one, PolyCollection)]
        assert len(drawn) == bands
        assert f"n = {images} test images" in note_of(figure)
        assert ("interval over images" in note_of(figure)) == (bands > 0)
        check_print(figure)


def test_a_network_whose_angles_cannot_be_measured_is_still_in_the_figure():
    figure = robustness_figures.curves(degraded(12, lost=True))
    below = figure.axes[2 * len(DEGRADATIONS)]
    shares = {tuple(line.get_ydata()) for line in below.lines if len(line.get_ydata()) > 1}
    assert shares == {(100, 0, 0, 0)}


def test_bands_of_recall_are_over_images_and_hold_their_mean():
    rng = np.random.default_rng(0)
    rows = [(bone, rng.uniform(0, 90), "SADANet", rng.uniform(0.5, 1), f"i{k}")
            for bone in ("rib", "thoracic_process", "lump") for k in range(12) for _ in range(20)]  # fmt: skip
    bones = pd.DataFrame(rows, columns=["bone", "contrast", "network", "recall", "stem"]).assign(seed=0)
    found = robustness.recall_by_contrast(bones)
    assert found.bones.sum() == len(bones)
    assert (found.images == 12).all()
    assert ((found.low < found.recall) & (found.recall < found.high)).all()
    # Were an image's bones all alike, twenty of them would tell no more than one.
    alike = bones.assign(recall=bones.groupby("stem").recall.transform("first"))
    one = alike.groupby(["bone", "stem"], sort=False).head(1)
    wide = robustness.recall_by_contrast(alike, bins=1)
    np.testing.assert_allclose(wide.high - wide.low, robustness.recall_by_contrast(one, bins=1).eval("high - low"))
    check_print(robustness_figures.recall_against_contrast(found))


def angle_table(sources, seeds=1, images=20):
    rng = np.random.default_rng(0)
    true = rng.uniform(0, 60, images)
    rows = [(source, seed, f"p{k}", t + rng.normal(0, 3) if k else np.nan, k % 5 == 1, t)
            for source in sources for seed in range(seeds) for k, t in enumerate(true)]  # fmt: skip
    return pd.DataFrame(rows, columns=["source", "seed", "stem", "measured", "flagged", "true"])


def test_angles_that_cannot_be_measured_are_counted_and_sources_keep_their_colour():
    table = angle_table([MASK, *TITLES])
    figure = angle_figures.scatter(table)
    assert "19 of 20" in figure.axes[0].get_title(loc="left")
    place = 1 + TITLES.index("SADANet")
    (colour,) = figure.axes[place].collections[1].get_facecolor()[:, :3]
    assert tuple(colour) == pytest.approx(plt.matplotlib.colors.to_rgb(style.look("SADANet").colour))
    check_print(figure)
    check_print(angle_figures.bland_altman(table))


def test_severities_say_all_bands_and_do_not_collide():
    figure = angle_figures.severities(angle_table([MASK, "SADANet"]), [MASK, "SADANet"])
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == [*SEVERITIES, "not\nmeasurable"]
    assert figure.axes[1].get_title(loc="left") == "SADANet (n = 20)"
    check_print(figure)


def test_no_angle_is_cut_off_at_the_picture_s_edge(phantoms):
    """The degree sign stands within the picture, however far to the right the apex lies."""
    sample = open_folder(phantoms).test[0]
    labels = sample.mask()
    right = np.flatnonzero((labels > 0).any(0))[-1] + 2
    for cut in (labels[:, :right], labels):
        found = measure_curves(np.ascontiguousarray(cut))
        if not found.curves:
            pytest.skip("a spine without a curve")
        black = np.zeros((*cut.shape, 3), np.uint8)
        drawn = with_levels(black, found)
        wider = with_levels(np.pad(black, ((0, 0), (0, 200), (0, 0))), found)
        assert (drawn == 255).any()
        # As much is written where there is room: nothing of the letters is lost.
        letters = [np.all(one == 255, axis=-1).sum() for one in (drawn, wider)]
        assert letters[0] >= 0.9 * letters[1]


def test_data_figures_can_be_printed(phantoms):
    data = open_folder(phantoms)
    check_print(figures.images_and_masks(*pick_samples(data, 2)))
    truth = phantom_truth(data)
    figure = figures.angle_histogram(truth)
    assert f"test (n = {(truth.split == 'test').sum()})" in [t.get_text() for t in figure.legends[0].get_texts()]
    check_print(figure)


def test_lines_of_all_methods_can_be_printed():
    rows = [(title, steps, 0, 70 + steps / 400) for title in TITLES for steps in (400, 800, 1600)]
    figure = convergence.dice_against_length(pd.DataFrame(rows, columns=["method", "iterations", "seed", "dice"]))
    assert {text.get_text() for text in figure.axes[0].texts} == set(TITLES)
    check_print(figure)
    losses = pd.DataFrame(
        [(t, 0, s, 9 - s / 9) for t in TITLES for s in (0, 9)], columns=["method", "seed", "step", "loss"]
    )
    check_print(figures.training_curves(losses))


def test_hidden_bones_of_all_methods_and_modules_can_be_printed():
    rows = [(title, without, kind, seed, 60.0 + place + seed, 10 + place)
            for place, title in enumerate(TITLES) for without in ("", "SCA", "GCA", "SAA", "a new module")
            for kind in KINDS for seed in (0, 1)]  # fmt: skip
    recall = pd.DataFrame(rows, columns=["method", "without", "kind", "seed", "recall", "bones"]).assign(of=THORACIC)
    figure = attention_effects.recall_of_kinds(recall)
    assert "without a new module" in [text.get_text() for text in figure.legends[0].get_texts()]
    check_print(figure)
    shares = pd.concat([recall[recall.kind == "seen"].assign(share=share) for share in (0.1, 0.3)])
    figure = attention_effects.dose_and_response(shares.assign(images=[20] * len(shares), kinds="pair, level"))
    assert "(one of a pair, a whole level)" in " ".join(figure.texts[-1].get_text().split())
    check_print(figure)


def test_figures_of_the_audit_and_of_few_images_can_be_printed():
    costs = pd.DataFrame(
        [(name, h, counted * h, 1e7 * k * h, 1e5 * k * h)
         for k, (name, counted) in enumerate([("PAM", 1e6), ("SCA x 2", 1e6), ("GCA", 0)], 1)
         for h in (256, 2048)], columns=["attention", "image_height", "paper_macs", "macs", "peak_bytes"],
    )  # fmt: skip
    check_print(figures.attention_costs(costs))
    entropy = pd.DataFrame([(f, n, 0.5) for f in ("softmax", "max-minus") for n in ("trained", "at the start")],
                           columns=["normalisation", "network", "relative_entropy"])  # fmt: skip
    check_print(audit_figures.affinity_entropies(entropy))
    sizes = pd.DataFrame([(n, e, 2**k, 64, f"i{i}", k / 12) for n in ("trained here, softmax", "shipped model")
                          for e in ("Eq. (1)", "Eq. (3)") for k in (7, 9) for i in range(3)],
                         columns=["network", "equation", "height", "width", "stem", "one_hot"])  # fmt: skip
    figure = audit_figures.saturation_by_size(sizes)
    assert "n = 3 test images" in note_of(figure)
    check_print(figure)
    starts = pd.DataFrame([(s, n, k, 50.0 + n + k, 9.0 - k)
                           for s in few_images.STARTS for n in (0, 1, 20) for k in (0, 1)],
                          columns=["start", "images", "seed", "dice", "mae"])  # fmt: skip
    check_print(few_images.few_images(starts))


@pytest.fixture(scope="module")
def maps(phantoms):
    run = shipped_run()
    return attention_maps(run.network(), run.recipe, open_folder(phantoms).test[0].image())


def test_attention_has_one_scale_named_rows_and_keys_without_names(maps):
    figure = attention_figures.attention_figure({"one": maps, "other": maps}, [(0.3, 0.35), (0.72, 0.5)])
    rows = [axis.get_ylabel() for axis in figure.axes if axis.get_ylabel()]
    assert rows == ["one", "other"]
    titles = [axis.get_title(loc="left") for axis in figure.axes[:10]]
    assert titles[6:] == [f"SAA,\nkey {key}" for key in range(4)]
    scales = {(image.norm.vmin, image.norm.vmax) for row in (0, 10) for axis in figure.axes[row + 2 : row + 6]
              for image in axis.images[1:]}  # fmt: skip
    assert scales == {(attention_figures.EVEN, attention_figures.MOST)}
    labels = [axis.get_xlabel() for axis in figure.axes if "spread" in axis.get_xlabel()]
    assert labels == ["attention, times that of an even spread"]
    check_print(figure)


def test_without_a_module_the_pixels_that_change_are_marked_where_they_are(maps):
    labels = maps.labels.copy()
    labels[100:110, 20:30] = (labels[100:110, 20:30] + 1) % 4
    figure = attention_figures.knockouts_figure({"one": maps, "UNet": maps}, {"one": {"SCA": labels}, "UNet": {}})
    whole, without = figure.axes
    assert whole.get_ylabel() == "one"
    assert without.get_title(loc="left") == f"without SCA:\n{100 * 100 / labels.size:.1f} %"
    marked = without.images[1].get_array()[..., 3] > 0
    rows, columns = np.nonzero(marked)
    assert marked[100:110, 20:30].all()
    assert (rows.min(), columns.min()) == (99, 19)  # a little larger than it is
    assert marked.sum() < 2 * 100
    check_print(figure)
    none = attention_figures.knockouts_figure({"UNet": maps}, {"UNet": {}})
    assert "no network with attention" in none.texts[0].get_text()


def test_an_even_spread_is_one_on_the_scale(maps):
    _, axes = style.panels(1, 1, 2)
    drawn = attention_figures.draw_attention(axes[0, 0], maps, np.full(maps.grid, 1 / np.prod(maps.grid)))
    np.testing.assert_allclose(drawn.get_array(), 1)


def test_the_first_figure_shows_image_modules_mask_levels_and_the_angle_measured(maps):
    figure = attention_figures.overview({"shipped model": maps}, (0.3, 0.35))
    found = measure_curves(maps.labels)
    image, *_, labels, levels, angle = figure.axes
    np.testing.assert_array_equal(image.images[0].get_array(), maps.image)
    np.testing.assert_array_equal(labels.images[0].get_array(), overlay(maps.image, maps.labels))
    assert len(levels.lines) == len(found.levels)
    assert f"{found.largest_angle_degrees:.0f}°" in [text.get_text() for text in angle.texts]
    channel, other, weight = maps.tied_channels()
    assert channel != other
    assert weight == pytest.approx(float(maps.channels[channel, other]))
    check_print(figure)


def test_without_such_a_network_or_levels_the_first_figure_says_so(maps):
    assert "no network" in attention_figures.overview({}, (0.5, 0.5)).texts[0].get_text()
    blank = replace(maps, labels=np.zeros_like(maps.labels))
    assert "no two levels" in attention_figures.overview({"one": blank}, (0.5, 0.5)).texts[0].get_text()
