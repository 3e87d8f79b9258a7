"""Demanding phantoms: every severity, bends at single levels, bones that cannot be seen and stay in the mask."""

import csv
import shutil

import numpy as np
import pytest
from PIL import Image

from sadanet_lab.images.folder_check import open_folder
from sadanet_lab.phantom import draw_spine, render, write_folder
from sadanet_lab.phantom.anatomy import LUMP
from sadanet_lab.phantom.axis import LARGEST_DEMANDING_ANGLE
from sadanet_lab.phantom.hiding import KINDS, LARGEST_SHARE, draw_hidden
from sadanet_lab.spine.classes import CLASSES
from sadanet_lab.spine.levels import largest_angle

WIDTH, HEIGHT = 96, 384


@pytest.fixture(scope="module")
def spines():
    return [draw_spine(np.random.default_rng([3, i]), WIDTH, HEIGHT, cases="demanding") for i in range(200)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("demanding") / "data"
    write_folder(out, 3, 4, width=WIDTH, height=HEIGHT, cases="demanding", val=2)
    return out


def test_severities_are_spread_evenly_up_to_above_60_degrees(spines):
    angles = np.array([largest_angle(spine.levels) for spine in spines])
    assert angles.max() > 60
    share_of_each_quarter = np.histogram(angles, np.linspace(0, LARGEST_DEMANDING_ANGLE - 8, 5))[0] / len(spines)
    assert (share_of_each_quarter > 0.15).all()


def test_some_spines_bend_at_single_levels(spines):
    """Of a smooth curve of 72 degrees over some ten levels no two neighbours differ by much more than 12."""
    steps = [np.abs(np.diff([level.tilt for level in spine.levels])).max() for spine in spines]
    usual = [
        np.abs(np.diff([level.tilt for level in draw_spine(np.random.default_rng([3, i]), WIDTH, HEIGHT).levels])).max()
        for i in range(200)
    ]
    assert np.mean(np.array(steps) > 15) > 0.08
    assert max(usual) < 15


def test_shares_of_hidden_bones_go_up_to_the_largest_and_every_kind_is_among_them(spines):
    hidden = [[bone.hidden for bone in spine.bones] for spine in spines]
    shares = np.array([np.mean([bool(kind) for kind in kinds]) for kinds in hidden])
    assert (shares == 0).any()
    assert 0.45 < shares.max() <= LARGEST_SHARE + 0.05
    assert {kind for kinds in hidden for kind in kinds} == {"", *KINDS}


def test_kinds_are_what_they_are_called():
    for seed in range(100):
        hidden = draw_hidden(np.random.default_rng(seed), pairs=11, lumps=5)
        for level, found in hidden.items():
            neighbours = [hidden[other].kind for other in (level - 1, level + 1) if other in hidden]
            if found.kind == "pair":
                assert level < 11
                assert found.sides in [(-1,), (1,)]
            else:
                assert found.sides == (-1, 1)
            assert ("run" in neighbours) == (found.kind == "run")
            assert set(neighbours) <= {"run"}


def test_a_hidden_bone_stays_in_the_mask_and_leaves_no_shadow():
    """Of the pictures of one spine with and without its hidden bones only those where some are hidden differ."""
    for seed in range(40):
        spine = draw_spine(np.random.default_rng([4, seed]), WIDTH, HEIGHT, cases="demanding")
        lumps = [i for i, bone in enumerate(spine.bones, 1) if bone.hidden and bone.class_id == LUMP]
        if lumps:
            break
    numbers, labels = spine.bone_numbers(), spine.labels()
    there = numbers == lumps[0]
    assert (labels[there] == LUMP).all()
    bare = type(spine)(**{**vars(spine), "bones": tuple(vars_of_seen(bone) for bone in spine.bones)})
    pictures = [render(np.random.default_rng(0), each).astype(float) for each in (spine, bare)]
    assert pictures[0][there].mean() > pictures[1][there].mean() + 15


def vars_of_seen(bone):
    return type(bone)(**{**vars(bone), "hidden": ""})


def test_the_folder_says_which_bone_every_pixel_is(folder):
    data = open_folder(folder)
    with (folder / "bones.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for sample in (*data.train, *data.test, *data.val):
        class_of = {0: 0} | {int(r["bone"]): CLASSES.index(r["class"]) for r in rows if r["stem"] == sample.stem}
        numbers = sample.bone_numbers()
        assert (np.vectorize(class_of.get)(numbers) == sample.mask()).all()
    assert {row["hidden"] for row in rows} <= {"", *KINDS}
    assert {row["side"] for row in rows if row["class"] == "lump"} == {"middle"}


def test_a_third_list_is_read_and_part_of_the_fingerprint(folder, tmp_path):
    data = open_folder(folder)
    assert (len(data.train), len(data.test), len(data.val)) == (3, 4, 2)
    write_folder(tmp_path / "less", 3, 4, width=WIDTH, height=HEIGHT, cases="demanding")
    less = open_folder(tmp_path / "less")
    assert less.val == ()
    assert not (tmp_path / "less" / "val.txt").exists()
    assert less.fingerprint != data.fingerprint
    for one, other in zip(data.test, less.test, strict=True):
        assert one.image_path.read_bytes() == other.image_path.read_bytes()


def test_the_fingerprint_follows_what_is_known_of_single_bones(folder, tmp_path):
    before = open_folder(folder).fingerprint
    for name in ("bones.csv", "bones/test/phantom_100001.png"):
        copy = tmp_path / name.replace("/", "-")
        shutil.copytree(folder, copy)
        with (copy / name).open("ab") as file:
            file.write(b"\n")
        assert open_folder(copy).fingerprint != before


def test_usual_phantoms_have_no_table_of_bones(tmp_path):
    write_folder(tmp_path / "usual", 1, 1, width=WIDTH, height=HEIGHT)
    assert not (tmp_path / "usual" / "bones.csv").exists()
    assert open_folder(tmp_path / "usual").test[0].bone_numbers() is None
    picture = Image.open(tmp_path / "usual" / "dataset" / "test" / "phantom_100001.png")
    assert picture.size == (WIDTH, HEIGHT)
