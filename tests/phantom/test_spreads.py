"""Varied phantoms and those of another scanner: their ranges, frames, masks and folders, and what they never share."""

from dataclasses import fields

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import center_of_mass, label

from sadanet_lab.cli.data import phantom as phantom_command
from sadanet_lab.images.folder_check import examine_folder, open_folder
from sadanet_lab.images.image_statistics import measure_image
from sadanet_lab.phantom import draw_picture, draw_spine, picture, ranges, write_folder
from sadanet_lab.phantom.anatomy import PROCESS, annotate
from sadanet_lab.phantom.ranges import OUTSIDE, SCANNED, SPREADS, Annotator, Body, Scanner, Style
from sadanet_lab.spine.curve_angles import measure_curves
from sadanet_lab.spine.levels import largest_angle

WIDTH, HEIGHT = 256, 1024
EXACT = Annotator(margin=0, smoothing=0, side=1, rib_end=0, tremor=0, misplacing=0)


def spines(spread, count, cases="usual", size=(WIDTH, HEIGHT)):
    return [draw_spine(np.random.default_rng([9, i]), *size, spread, cases) for i in range(count)]


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


def test_the_command_knows_every_spread():
    option = next(option for option in phantom_command.params if option.name == "spread")
    assert tuple(option.type.choices) == SPREADS


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


@pytest.mark.parametrize("spread", ["wide", *SCANNED])
def test_masks_give_back_the_true_angle(spread):
    errors = []
    for spine in spines(spread, 40):
        found = measure_curves(spine.labels())
        assert found.measurable
        errors.append(abs(found.largest_angle_degrees - largest_angle(spine.levels)))
    assert np.mean(errors) < 1.2
    assert np.mean(np.array(errors) < 5) >= 0.97


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


@pytest.mark.parametrize("spread", SCANNED)
def test_same_seed_same_folder_and_it_is_sound(spread, tmp_path, monkeypatch):
    write_folder(tmp_path / "one", 2, 2, 4, 64, 256, spread, val=1)
    monkeypatch.setattr("sadanet_lab.phantom.writer.usable_cores", lambda: 1)
    write_folder(tmp_path / "two", 2, 2, 4, 64, 256, spread, val=1)
    one, two = (
        {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}
        for root in (tmp_path / "one", tmp_path / "two")
    )
    assert one == two
    assert examine_folder(tmp_path / "one").problems == []


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
