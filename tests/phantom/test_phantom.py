"""The phantoms: same seed same bytes, the truth agrees with the pictures, and the curve angle with known answers."""

import csv
from math import radians, tan
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import binary_dilation, center_of_mass, label

from sadanet_lab.errors import BadInput
from sadanet_lab.phantom import draw_spine, render, write_folder
from sadanet_lab.phantom.shapes import pixels_inside
from sadanet_lab.spine.classes import BONES, CLASSES
from sadanet_lab.spine.levels import Level, curves_of, largest_angle

WIDTH, HEIGHT = 256, 1024
TRAIN, TEST = 6, 4


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def levels_with(tilts: list[float]) -> list[Level]:
    """Levels 100 px wide and 50 px apart whose midline is perpendicular to them."""
    levels, x, y = [], 0.0, 0.0
    for tilt in tilts:
        slope = tan(radians(tilt))
        levels.append(Level("thoracic", (x - 50, y - 50 * slope), (x + 50, y + 50 * slope)))
        x, y = x - 50 * slope, y + 50
    return levels


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("phantoms") / "seed_0"
    write_folder(out, TRAIN, TEST, seed=0, width=WIDTH, height=HEIGHT)
    return out


@pytest.fixture(scope="module")
def phantoms() -> list[tuple]:
    """(spine, grey, labels) of 12 patients."""
    drawn = []
    for seed in range(12):
        spine = draw_spine(np.random.default_rng([seed, 0]), WIDTH, HEIGHT)
        drawn.append((spine, render(np.random.default_rng([seed, 1]), spine), spine.labels()))
    return drawn


def test_folder_has_the_published_layout(folder):
    names = set(contents(folder))
    for split, count in (("train", TRAIN), ("test", TEST)):
        stems = (folder / f"{split}.txt").read_text().split()
        assert len(stems) == count
        for stem in stems:
            picture, mask = f"dataset/{split}/{stem}.png", f"groundtruth/{split}/{stem}_bone_3.png"
            names -= {picture, mask}
            for name in (picture, mask):
                with Image.open(folder / name) as opened:
                    assert (opened.mode, opened.size) == ("L", (WIDTH, HEIGHT))
    assert names == {"train.txt", "test.txt", "truth.csv", "curves.csv", "levels.csv"}
    assert [p.name for p in folder.parent.iterdir()] == [folder.name]


def test_same_seed_same_bytes(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("sadanet_lab.phantom.writer.usable_cores", lambda: 1)
    done = []
    write_folder(tmp_path / "again", TRAIN, TEST, 0, WIDTH, HEIGHT, on_image_done=lambda: done.append(1))
    assert contents(tmp_path / "again") == contents(folder)
    assert len(done) == TRAIN + TEST


def test_other_seed_other_pictures_and_test_images_do_not_depend_on_train(folder, tmp_path):
    write_folder(tmp_path / "other", 1, TEST, 1, WIDTH, HEIGHT)
    write_folder(tmp_path / "fewer", 1, TEST, 0, WIDTH, HEIGHT)
    ours, other, fewer = (contents(f) for f in (folder, tmp_path / "other", tmp_path / "fewer"))
    pictures = [name for name in ours if "/test/" in name]
    assert len(pictures) == 2 * TEST
    assert all(fewer[name] == ours[name] and other[name] != ours[name] for name in pictures)
    assert fewer["test.txt"] == ours["test.txt"]


def test_tables_agree_with_each_other(folder):
    truth, curves, levels = (table(folder / f"{name}.csv") for name in ("truth", "curves", "levels"))
    assert len(truth) == TRAIN + TEST
    for row in truth:
        rows = [level for level in levels if level["stem"] == row["stem"]]
        assert [int(level["level"]) for level in rows] == list(range(len(rows)))
        read = [
            Level(r["region"], (float(r["left_x"]), float(r["left_y"])), (float(r["right_x"]), float(r["right_y"])))
            for r in rows
        ]
        assert [level.region for level in read] == ["thoracic"] * int(row["pairs"]) + ["lumbar"] * int(row["lumps"])
        assert [level.tilt for level in read] == pytest.approx([float(r["tilt_degrees"]) for r in rows], abs=0.001)
        assert largest_angle(read) == pytest.approx(float(row["largest_angle_degrees"]), abs=0.002)
        listed = [curve for curve in curves if curve["stem"] == row["stem"]]
        assert len(listed) == int(row["curves"])
        for curve, found in zip(listed, curves_of(read), strict=True):
            assert float(curve["angle_degrees"]) == pytest.approx(found.angle_degrees, abs=0.002)
            assert (curve["side"], int(curve["apex"])) == (found.side, found.apex)
            assert (int(curve["upper_end"]), int(curve["lower_end"])) == (found.upper_end, found.lower_end)


def test_tilts_can_be_read_from_the_masks(phantoms):
    """Centroids of the ovals, each given to the nearest end of a level, give back the level's tilt."""
    errors = []
    for spine, _, labels in phantoms:
        parts, count = label(labels == CLASSES.index("thoracic_process"))
        centroids = np.array(center_of_mass(parts > 0, parts, range(1, count + 1)))[:, ::-1] + 0.5
        for level in (level for level in spine.levels if level.region == "thoracic"):
            ends = []
            for end in (level.left, level.right):
                distances = np.linalg.norm(centroids - end, axis=1)
                if distances.min() < 10 * HEIGHT / 1024:
                    ends.append(tuple(centroids[distances.argmin()]))
            if len(ends) == 2:
                errors.append(abs(Level("thoracic", *ends).tilt - level.tilt))
    assert len(errors) > 0.9 * sum(level.region == "thoracic" for spine, _, _ in phantoms for level in spine.levels)
    assert np.mean(errors) < 1.5


def test_masks_lie_where_the_levels_say():
    """No shift between masks and levels.csv: a process's centroid is its level's end, to a tenth of a pixel."""
    shifts = []
    for seed in range(4):
        spine = draw_spine(np.random.default_rng([seed, 0]), 512, 2048)
        parts, count = label(spine.labels() == CLASSES.index("thoracic_process"))
        centroids = np.array(center_of_mass(parts > 0, parts, range(1, count + 1)))[:, ::-1] + 0.5
        ends = [end for level in spine.levels if level.region == "thoracic" for end in (level.left, level.right)]
        away = centroids - np.array(ends)[:, None]
        nearest = away[range(len(ends)), np.linalg.norm(away, axis=2).argmin(1)]
        shifts.extend(nearest[np.linalg.norm(nearest, axis=1) < 4])  # the others are clipped or touch each other
    assert len(shifts) > 70
    assert np.mean(shifts, axis=0) == pytest.approx([0, 0], abs=0.1)


def test_a_mask_has_its_outlines_area():
    around = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    for half_width, half_height in ((12, 8), (20, 9), (50, 31)):
        outline = np.stack([60.3 + half_width * np.cos(around), 40.8 + half_height * np.sin(around)], axis=1)
        rows, columns = pixels_inside(outline, (80, 120))
        assert len(rows) == pytest.approx(np.pi * half_width * half_height, rel=0.02)
        assert (columns.mean() + 0.5, rows.mean() + 0.5) == pytest.approx((60.3, 40.8), abs=0.1)


def test_an_outline_beyond_the_picture_is_clipped():
    square = np.array([(-5.0, -5.0), (3.0, -5.0), (3.0, 2.0), (-5.0, 2.0)])
    rows, columns = pixels_inside(square, (10, 10))
    assert sorted(zip(rows, columns, strict=True)) == [(i, j) for i in range(2) for j in range(3)]
    assert not len(pixels_inside(square - 20, (10, 10))[0])


def test_bones_are_darker_than_the_tissue_around_them(phantoms):
    for bone in BONES:
        differences = []
        for spine, grey, labels in phantoms:
            inside = labels == CLASSES.index(bone)
            ring = binary_dilation(inside, iterations=8) & (labels == 0) & spine.strip_mask()
            differences.append(grey[ring].mean() - grey[inside].mean())
        assert np.mean(differences) > 30
        assert np.min(differences) > 0


def test_labels_are_known_ids_inside_the_strip(phantoms):
    for spine, grey, labels in phantoms:
        assert labels.dtype == grey.dtype == np.uint8
        assert set(np.unique(labels)) == set(range(len(CLASSES)))
        outside = ~spine.strip_mask()
        assert not labels[outside].any()
        assert not grey[outside].any()
        assert grey[~outside].mean() > 60


def test_class_shares_are_near_those_of_a_real_picture(phantoms):
    shares = [[(labels == i).mean() for i in (1, 2, 3)] for _, _, labels in phantoms]
    assert np.mean(shares, axis=0) == pytest.approx([0.057, 0.072, 0.088], rel=0.25)


def test_one_patient_at_any_size():
    small, large = (draw_spine(np.random.default_rng(5), width, 4 * width) for width in (128, 512))
    for level, same in zip(small.levels, large.levels, strict=True):
        assert np.multiply(level.left, 4) == pytest.approx(same.left)
        assert level.tilt == pytest.approx(same.tilt)
    greys = [render(np.random.default_rng(6), spine).astype(float) for spine in (small, large)]
    reduced = greys[1].reshape(512, 4, 128, 4).mean((1, 3))
    assert np.corrcoef(greys[0].ravel(), reduced.ravel())[0, 1] > 0.97


@pytest.mark.parametrize("bulge", [1, -1])
def test_single_curve(bulge):
    tilts = [bulge * t for t in (-15, -10, -4, 0, 4, 10, 15)]
    (curve,) = curves_of(levels_with(tilts))
    assert curve.angle_degrees == pytest.approx(30)
    assert curve.side == ("right" if bulge > 0 else "left")
    assert (curve.upper_end, curve.apex, curve.lower_end) == (0, 3, 6)


def test_double_curve():
    curves = curves_of(levels_with([-18, -20, -5, 10, 18, 5, -8, -12, -9.5]))
    assert [c.angle_degrees for c in curves] == pytest.approx([38, 30])
    assert [c.side for c in curves] == ["right", "left"]
    assert [(c.upper_end, c.lower_end) for c in curves] == [(1, 4), (4, 7)]


def test_small_swings_are_ignored():
    noisy = levels_with([-10, -5, -6.5, 0, 5, 4, 9, 12])
    assert [c.angle_degrees for c in curves_of(noisy)] == pytest.approx([22])
    assert len(curves_of(noisy, smallest=0.5)) == 5


def test_straight_spine_has_no_curve_but_an_angle():
    levels = levels_with([0.5, -0.4, 0.2, -0.7, 0.1])
    assert curves_of(levels) == []
    assert largest_angle(levels) == pytest.approx(1.2)
    assert largest_angle([]) == 0


def test_existing_folder_is_refused_and_left_alone(tmp_path):
    out = tmp_path / "mine"
    out.mkdir()
    (out / "notes.txt").write_text("keep")
    with pytest.raises(BadInput, match="mine"):
        write_folder(out, 1, 1)
    assert contents(tmp_path) == {"mine/notes.txt": b"keep"}


@pytest.mark.parametrize("wrong", [{"train": 0}, {"test": 0}, {"seed": -1}, {"width": 63}, {"height": 255}])
def test_numbers_out_of_range_are_refused(tmp_path, wrong):
    with pytest.raises(BadInput, match=f"new: {next(iter(wrong))}"):
        write_folder(tmp_path / "new", **wrong)
    assert list(tmp_path.iterdir()) == []


def test_too_narrow_a_picture_is_refused(tmp_path):
    with pytest.raises(BadInput, match="size 100 x 500"):
        write_folder(tmp_path / "new", width=100, height=500)


def test_failure_half_way_leaves_nothing(tmp_path):
    def fail() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_folder(tmp_path / "new", 3, 1, 0, 64, 256, on_image_done=fail)
    assert list(tmp_path.iterdir()) == []


def test_empty_folder_is_filled(tmp_path):
    write_folder(tmp_path, 1, 1, 0, 64, 256)
    assert len(table(tmp_path / "truth.csv")) == 2
