"""Varied phantoms and those of another scanner: physics, annotators, frames, and what each never shares with the other.

Sizes are reference pixels where not said otherwise; a picture of 640 x 2574 is unscaled.
"""

from dataclasses import fields, replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.ndimage import center_of_mass, label

from sadanet_lab.images.image_statistics import measure_image
from sadanet_lab.images.vpi_folder import find_problems, open_folder
from sadanet_lab.phantom import draw_picture, draw_spine, picture, ranges, scan, write_folder
from sadanet_lab.phantom.anatomy import PROCESS, annotate
from sadanet_lab.phantom.annotation import redrawn
from sadanet_lab.phantom.appearance import CELL, canvas_shape
from sadanet_lab.phantom.ranges import OUTSIDE, SCANNED, SPREADS, Annotator, Body, Scanner, Style, draw
from sadanet_lab.phantom.scan import SINGLE_LOOK, bone_echo, draw_sweeps, gaps, muscle_above, speckle
from sadanet_lab.phantom.shapes import bend
from sadanet_lab.spine.classes import CLASSES
from sadanet_lab.spine.curve_angles import measure_curves
from sadanet_lab.spine.levels import largest_angle

WIDTH, HEIGHT = 256, 1024
EXACT = Annotator(margin=0, smoothing=0, side=1, rib_end=0, tremor=0, misplacing=0)
PLAIN = replace(
    draw(Scanner, np.random.default_rng(0), "varied"),
    **dict.fromkeys(("cloudiness", "bone_patchiness", "displacement", "lean", "divergence", "rim", "unlike"), 0.0),
    **dict.fromkeys(("frame_gain", "tremor", "sweep_gain", "sweep_focus", "sweep_offset", "gap_bundles"), 0.0),
    sweeps=1.0,
)
"""A scanner without anything uneven."""


def spines(spread, count, cases="usual", size=(WIDTH, HEIGHT)):
    return [draw_spine(np.random.default_rng([9, i]), *size, spread, cases) for i in range(count)]


def area(polygon):
    x, y = polygon.T
    return abs((x * np.roll(y, -1) - y * np.roll(x, -1)).sum()) / 2


# What is drawn from which range


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in OUTSIDE.items() for name in names])
def test_ranges_of_another_scanner_meet_no_other_spreads(kind, name):
    value = next(one for one in fields(getattr(ranges, kind)) if one.name == name)
    low, high = value.metadata["scanner2"]
    for spread in set(SPREADS) - {"scanner2"}:
        others = value.metadata.get(spread, (value.default, value.default))
        if kind == "Body" or spread in SCANNED:  # others have no annotator and no scanner
            assert high < others[0] or others[1] < low


def test_speckle_of_another_scanner_is_outside_the_painted_texture_too():
    texture, scanned = (
        next(one.metadata for one in fields(kind) if one.name == name)
        for kind, name in ((Style, "texture"), (Scanner, "speckle"))
    )
    assert texture["wide"][1] < scanned["scanner2"][0]


@pytest.mark.parametrize("name", [one.name for one in fields(Body) if "wide" in one.metadata])
def test_the_varied_range_of_a_body_holds_the_wide_one(name):
    metadata = next(one.metadata for one in fields(Body) if one.name == name)
    assert metadata["varied"][0] <= metadata["wide"][0]
    assert metadata["wide"][1] <= metadata["varied"][1]


def test_varied_pictures_are_painted_or_scanned_and_others_always_the_same_way(monkeypatch):
    monkeypatch.setattr(picture, "render", lambda *_: "painted")
    monkeypatch.setattr(picture, "scan", lambda *_: "scanned")
    (spine,) = spines("varied", 1)
    drawn = {spread: [draw_picture(np.random.default_rng(i), spine, spread) for i in range(300)] for spread in SPREADS}
    assert drawn["varied"].count("painted") == pytest.approx(300 * picture.PAINTED, abs=30)  # 3.5 sd
    assert [set(drawn[spread]) for spread in ("usual", "wide", "scanner2")] == [{"painted"}, {"painted"}, {"scanned"}]


# Masks, truth and frames


@pytest.mark.parametrize("spread", SCANNED)
@pytest.mark.parametrize("cases", ["usual", "demanding"])
def test_every_level_lies_in_the_picture_and_has_its_bones(spread, cases):
    for spine in spines(spread, 60, cases):
        regions = [level.region for level in spine.levels]
        assert regions.count("thoracic") >= 7
        assert regions.count("lumbar") >= 3
        for i, level in enumerate(spine.levels):
            for x, y in (level.left, level.right):
                assert 0 < x < WIDTH
                assert 0 < y < HEIGHT
            found = sorted((bone.class_id, bone.side) for bone in spine.bones if bone.level == i)
            assert found == ([(1, -1), (1, 1), (2, -1), (2, 1)] if level.region == "thoracic" else [(3, 0)])


@pytest.mark.parametrize("spread", SCANNED)
def test_masks_lie_where_the_levels_say(spread):
    """An exact hand's processes have their level's ends as centroids; those of a real one scatter about them."""
    for hand, most in ((EXACT, 0.5), (None, 3)):
        shifts = []
        for spine in spines(spread, 5, size=(512, 2048)):
            drawn = annotate(np.random.default_rng(0), spine, hand) if hand else spine
            labels = drawn.labels()
            assert not labels[~drawn.strip_mask()].any()
            parts, count = label(labels == PROCESS)
            centroids = np.array(center_of_mass(parts > 0, parts, range(1, count + 1)))[:, ::-1] + 0.5
            ends = [end for level in drawn.levels if level.region == "thoracic" for end in (level.left, level.right)]
            away = centroids - np.array(ends)[:, None]
            shifts.extend(away[range(len(ends)), np.linalg.norm(away, axis=2).argmin(1)])
        assert np.median(np.linalg.norm(shifts, axis=1)) < most
        assert np.median(shifts, axis=0) == pytest.approx([0, 0], abs=0.6 * most)


@pytest.mark.parametrize("spread", SCANNED)
def test_masks_give_back_the_true_angle(spread):
    errors = []
    for spine in spines(spread, 40):
        found = measure_curves(spine.labels())
        assert found.measurable
        errors.append(abs(found.largest_angle_degrees - largest_angle(spine.levels)))
    assert np.mean(errors) < 1.5
    assert np.mean(np.array(errors) < 5) > 0.94


def test_frames_differ_as_their_values_say():
    for spread in SCANNED:
        zoom = next(one.metadata[spread] for one in fields(Body) if one.name == "zoom")
        stretch = next(one.metadata[spread] for one in fields(Body) if one.name == "stretch")
        for spine in spines(spread, 40):
            across, down = np.array(spine.scales) / (HEIGHT / ranges.REFERENCE_HEIGHT)
            assert stretch[0] <= across / down <= stretch[1]
            assert down <= zoom[1]  # and smaller where the spine needs more room


@pytest.mark.parametrize("spread", SCANNED)
def test_one_patient_at_any_size(spread):
    small, large = (draw_spine(np.random.default_rng(5), width, 4 * width, spread) for width in (128, 512))
    for level, same in zip(small.levels, large.levels, strict=True):
        assert np.multiply(level.left, 4) == pytest.approx(same.left)
    for bone, same in zip(small.bones, large.bones, strict=True):
        assert bone.annotation * 4 == pytest.approx(same.annotation)
    greys = [draw_picture(np.random.default_rng(6), spine, spread).astype(float) for spine in (small, large)]
    reduced = greys[1].reshape(512, 4, 128, 4).mean((1, 3))
    assert np.corrcoef(greys[0].ravel(), reduced.ravel())[0, 1] > 0.97


# Annotators


def test_annotators_differ_in_the_mask_alone():
    for spread in SCANNED:
        (spine,) = spines(spread, 1)
        hands = [draw(Annotator, np.random.default_rng(0), each) for each in SCANNED]
        one, other = (annotate(np.random.default_rng(1), spine, hand) for hand in hands)
        assert (one.labels() != other.labels()).mean() > 0.01
        assert one.levels == other.levels
        for draw_it in (draw_picture, lambda rng, drawn, each: scan(rng, drawn, draw(Scanner, rng, each))):
            images = [draw_it(np.random.default_rng(2), drawn, spread) for drawn in (one, other)]
            assert (images[0] == images[1]).all()


def circle(radius, count=400):
    around = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.stack([300 + radius * np.cos(around), 700 + radius * np.sin(around)], axis=1)


@pytest.mark.parametrize("margin", [-6, 0, 12])
@pytest.mark.parametrize("turn", [1, -1])
def test_an_outline_with_a_margin_is_that_much_wider(margin, turn):
    drawn = redrawn(np.random.default_rng(0), circle(40)[::turn], replace(EXACT, margin=margin))
    assert area(drawn) == pytest.approx(np.pi * (40 + margin) ** 2, rel=0.01)


def test_straight_sides_cut_a_circle_to_a_polygon():
    side, radius = 40.0, 45.0
    drawn = redrawn(np.random.default_rng(0), circle(radius), replace(EXACT, side=side))
    sides = round(2 * np.pi * radius / side)
    assert len(drawn) == sides
    assert area(drawn) == pytest.approx(sides / 2 * radius**2 * np.sin(2 * np.pi / sides), rel=0.02)


def test_smoothing_takes_ragged_edges_away_and_tremor_makes_them():
    rough = circle(40) + np.random.default_rng(1).normal(0, 3, (400, 2))
    for outline, hand, rougher in (
        (rough, replace(EXACT, smoothing=12), False),
        (circle(40), replace(EXACT, tremor=3), True),
    ):
        drawn = redrawn(np.random.default_rng(0), outline, hand)
        before, after = (np.linalg.norm(line - [300, 700], axis=1).std() for line in (outline, drawn))
        assert (after > before + 1) if rougher else (after < 0.5 * before)


@pytest.mark.parametrize("side", [-1, 1])
def test_a_rib_is_drawn_out_or_stops_short_at_its_outer_end_alone(side):
    """Of a bar 120 long, 40 high."""
    along = np.linspace(0, 120, 60)
    bar = np.concatenate([np.stack([along, along * 0 - 20], 1), np.stack([along[::-1], along * 0 + 20], 1)])
    bar = bar * [side, 1] + 500
    for further, reach in ((30, 150), (-40, 80), (-100, 60)):  # half of it is drawn at least
        drawn = redrawn(np.random.default_rng(0), bar, replace(EXACT, rib_end=further), side)
        outward = side * (drawn[:, 0] - 500)
        assert (outward.min(), outward.max()) == pytest.approx((0, reach), abs=3)


def test_bones_of_a_kind_are_not_drawn_into_one_another():
    """With the widest margin there are as many lumps as with none."""
    wide = replace(EXACT, margin=14)
    lumps = CLASSES.index("lump")
    for spine in spines("scanner2", 10):
        counts = [label(annotate(np.random.default_rng(0), spine, hand).labels() == lumps)[1] for hand in (EXACT, wide)]
        assert counts[0] == counts[1]


def test_a_bent_rib_hangs_down_at_its_outer_end():
    bar = np.array([(0.0, -10), (100, -10), (100, 10), (0, 10)])
    assert bend(bar, 100, 0, 0) == pytest.approx(bar)
    assert bend(bar, 100, 0.4, 0.5) == pytest.approx(np.array([(0, -10), (100, 35), (100, 45), (0, 10)]))


# The scanner's physics


def test_speckle_of_a_single_look_has_an_exponential_power():
    """Fully developed speckle: power is distributed exponentially (Goodman), whatever the tissue."""
    scanner = replace(PLAIN, range=51.0, speckle=SINGLE_LOOK * 5, grain_across=1.0, grain_down=1.0)
    power = 10 ** (speckle(np.random.default_rng(0), (800, 800), np.zeros((1, 1)), scanner)[::8, ::8].ravel() / 10)
    assert stats.kstest(power / power.mean(), "expon").pvalue > 0.001
    assert power.std() / power.mean() == pytest.approx(1, abs=0.05)


def test_averaged_speckle_has_the_strength_asked_for_and_no_black_holes():
    scanner = replace(PLAIN, speckle=10.0, range=40.0)
    field = speckle(np.random.default_rng(0), (600, 600), np.zeros((1, 1)), scanner)
    assert field.std() * 255 / scanner.range == pytest.approx(10, rel=1e-3)
    assert field.min() > -4 * field.std()


def test_grains_are_as_wide_as_the_beam_and_wider_in_the_depth():
    """A field blurred by sigma has the autocorrelation exp(-(lag / 2 sigma)^2); that of its power is the square."""

    def correlation(deep, axis, lag):
        rng, shape = np.random.default_rng(0), (700, 700)
        scanner = replace(PLAIN, grain_across=8.0, grain_down=4.0, defocus=1.5, range=51.0, speckle=SINGLE_LOOK * 5)
        power = 10 ** (speckle(rng, shape, np.full((1, 1), deep), scanner) / 10)
        moved = np.roll(power, lag, axis)
        return np.corrcoef(power.ravel(), moved.ravel())[0, 1]

    for deep, share in ((0.0, 1.0), (1.0, 1.5)):
        for axis, sigma in ((0, 4.0), (1, 8.0)):
            lag = 4
            expected = np.exp(-((lag * CELL / (2 * share * sigma)) ** 2)) ** 2
            assert correlation(deep, axis, lag) == pytest.approx(expected, abs=0.05)


def echo_of(spine, scanner):
    shape = canvas_shape(spine)
    return bone_echo(np.random.default_rng(0), spine, muscle_above(spine, shape[0]), scanner)


def test_shadows_spread_outward_from_under_the_probe_and_hidden_bones_have_none():
    (spine,) = spines("varied", 1)
    columns = np.arange(canvas_shape(spine)[1])
    middle = columns[-1] / 2

    def outward(scanner):
        shadow = -echo_of(spine, scanner)
        return (shadow * np.abs(columns - middle)).sum() / shadow.sum()

    assert outward(replace(PLAIN, divergence=0.15)) > outward(PLAIN) + 1
    bare = replace(spine, bones=tuple(replace(bone, hidden="level") for bone in spine.bones))
    assert echo_of(bare, PLAIN) == pytest.approx(0)


def test_the_side_that_faces_the_probe_outshines_the_tissue():
    (spine,) = spines("varied", 1)
    assert echo_of(spine, PLAIN).max() == pytest.approx(0, abs=1e-6)
    assert 2 < echo_of(spine, replace(PLAIN, rim=10.0, bone_blur=3.0)).max() <= 15


def test_deeper_layers_are_darker_and_the_noise_fills_what_is_left():
    (spine,) = spines("scanner2", 1)
    means = []
    for loss, noise in ((0.0, -60.0), (12.0, -60.0), (12.0, -5.0)):
        scanner = replace(
            PLAIN, lumbar_loss=loss, noise=noise, contact=0.0, edge_loss=0.0, range=40.0, tissue_grey=160.0
        )
        grey = scan(np.random.default_rng(3), spine, scanner)
        rows = np.arange(HEIGHT)[:, None]
        first_lump = next(level.centre[1] for level in spine.levels if level.region == "lumbar")
        parts = (rows < first_lump - 300 * spine.scales[1], rows > first_lump)
        means.append([grey[spine.strip_mask() & part].mean() for part in parts])
    assert means[1][1] < means[0][1] - 30
    assert means[1][0] == pytest.approx(means[0][0], abs=1)
    assert means[2][1] > means[1][1] + 20


def test_sweeps_below_or_beside_each_other_differ_in_gain_and_place():
    for beside, axis in ((0.0, 0), (1.0, 1)):
        scanner = replace(PLAIN, sweeps=3.5, beside=beside, sweep_gain=2.0, sweep_offset=20.0)
        sweeps = draw_sweeps(np.random.default_rng(0), (300, 90), scanner)
        gain = np.broadcast_to(sweeps.gain, (300, 90))
        assert len(np.unique(gain)) == 3
        assert (np.diff(gain, axis=1 - axis) == 0).all()
        assert not (sweeps.rows == np.arange(300)[:, None]).all()
    still = draw_sweeps(np.random.default_rng(0), (300, 90), PLAIN)
    assert not still.gain.any()
    assert (still.rows == np.arange(300)[:, None]).all()
    assert (still.columns == np.arange(90)).all()


def test_gaps_are_thin_lines_and_none_where_none_are_asked_for():
    assert not gaps(np.random.default_rng(0), (400, 100), 0).any()
    lost = gaps(np.random.default_rng(0), (400, 100), 6)
    assert 0 <= lost.min() < lost.max() <= 1
    assert 0.001 < lost.mean() < 0.3


# Folders, and the exam as a whole


@pytest.mark.parametrize("spread", SCANNED)
def test_same_seed_same_folder_and_it_is_sound(spread, tmp_path, monkeypatch):
    write_folder(tmp_path / "one", 2, 2, 4, 64, 256, spread, val=1)
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    write_folder(tmp_path / "two", 2, 2, 4, 64, 256, spread, val=1)
    one, two = (
        {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}
        for root in (tmp_path / "one", tmp_path / "two")
    )
    assert one == two
    assert find_problems(tmp_path / "one") == []


def test_only_the_training_images_are_varied_but_all_are_another_scanners(tmp_path):
    for spread in ("usual", *SCANNED):
        write_folder(tmp_path / spread, 1, 1, 4, 64, 256, spread, val=1)
    usual, varied, other = (open_folder(tmp_path / spread) for spread in ("usual", *SCANNED))
    for split in ("train", "test", "val"):
        images = [getattr(folder, split)[0].image() for folder in (usual, varied, other)]
        assert (images[0] == images[1]).all() == (split != "train")
        assert not (images[0] == images[2]).all()


@pytest.mark.slow
def test_another_scanners_pictures_are_of_another_kind():
    """Texture, brightness and shapes that are measured in the pictures lie beyond nine in ten of the varied ones."""

    def measured(spread):
        rows = []
        for i in range(16):
            for_anatomy, for_appearance = np.random.default_rng([1, i]).spawn(2)
            spine = draw_spine(for_anatomy, 320, 1287, spread)
            rows.append(measure_image(draw_picture(for_appearance, spine, spread), spine.labels()))
        table = pd.DataFrame(rows)
        table["flatness"] = table.thoracic_process_width / table.thoracic_process_height
        return table

    varied, other = (measured(spread) for spread in SCANNED)
    for quantity, above in (("texture_sd", 1), ("flatness", 1), ("tissue_grey_thoracic", -1)):
        assert (above * other[quantity]).quantile(0.05) > (above * varied[quantity]).quantile(0.9), quantity
