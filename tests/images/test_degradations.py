"""What each degradation does to a picture and its mask, by strength; and how far bones stand out of a known picture."""

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import center_of_mass

from sadanet_lab.images.degradations import DEGRADATIONS
from sadanet_lab.images.png import read_mask
from sadanet_lab.studies.robustness import bone_contrasts, recall_by_contrast

HEIGHT, WIDTH = 256, 96
RNG = np.random.default_rng(0)
STRIP = slice(16, 80)
IMAGE = np.zeros((HEIGHT, WIDTH), np.uint8)
IMAGE[:, STRIP] = RNG.integers(0, 256, (HEIGHT, 64))
MASK = np.zeros((HEIGHT, WIDTH), np.uint8)
MASK[:, STRIP] = RNG.choice([0, 1, 3], (HEIGHT // 8, 8)).repeat(8, axis=0).repeat(8, axis=1)
"""Id 2 is missing: an interpolation between 1 and 3 would make it."""
CASES = [(name, strength) for name, one in DEGRADATIONS.items() for strength in one.strengths]


def degraded(name, strength, image=IMAGE, mask=MASK, seed=0):
    return DEGRADATIONS[name].apply(image, mask, strength, np.random.default_rng(seed))


@pytest.mark.parametrize("name", DEGRADATIONS)
def test_strength_0_leaves_image_and_mask_alone(name):
    for seed in range(5):
        image, mask = degraded(name, 0, seed=seed)
        assert np.array_equal(image, IMAGE)
        assert np.array_equal(mask, MASK)


@pytest.mark.parametrize("name", DEGRADATIONS)
def test_the_strengths_that_are_tested_hold_0_and_every_other_one_does_something(name):
    assert 0 in DEGRADATIONS[name].strengths
    for strength in set(DEGRADATIONS[name].strengths) - {0}:
        image, _ = degraded(name, strength)
        assert image.shape != IMAGE.shape or not np.array_equal(image, IMAGE)


@pytest.mark.parametrize(("name", "strength"), CASES)
def test_bytes_stay_bytes_and_masks_get_no_new_ids(name, strength):
    image, mask = degraded(name, strength)
    assert image.dtype == mask.dtype == np.uint8
    assert image.shape == mask.shape
    assert set(np.unique(mask)) <= {0, 1, 3}
    if name != "cut_off":
        assert image.shape == IMAGE.shape
    if name not in ("cut_off", "rotation"):
        assert np.array_equal(mask, MASK)


@pytest.mark.parametrize(("name", "strength"), CASES)
def test_the_same_stream_gives_the_same_and_the_input_is_left_alone(name, strength):
    before = IMAGE.copy(), MASK.copy()
    first, second = degraded(name, strength, seed=3), degraded(name, strength, seed=3)
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert all(np.array_equal(a, b) for a, b in zip(before, (IMAGE, MASK), strict=True))


@pytest.mark.parametrize("name", ["noise", "lost_frames", "rotation", "cut_off"])
def test_other_streams_give_other_pictures(name):
    strength = DEGRADATIONS[name].strengths[-1]
    pictures = {degraded(name, strength, seed=seed)[0].tobytes() for seed in range(10)}
    # Rotation draws nothing but the way round, a cut one of 103 rows.
    assert len(pictures) == 2 if name == "rotation" else len(pictures) >= 8


@pytest.mark.parametrize("sd", [5, 20])
def test_noise_has_the_sd_asked_for_and_leaves_black_alone(sd):
    """Rounding to whole greys adds a variance of 1/12."""
    grey = np.zeros((512, 512), np.uint8)
    grey[:, :400] = 128
    off = degraded("noise", sd, grey, grey)[0][:, :400] - 128.0
    assert off.std() == pytest.approx(np.sqrt(sd**2 + 1 / 12), rel=0.01)
    assert off.mean() == pytest.approx(0, abs=0.01 * sd)
    assert abs(np.corrcoef(off[:, 1:].ravel(), off[:, :-1].ravel())[0, 1]) < 0.01
    assert not degraded("noise", sd, grey, grey)[0][:, 400:].any()


@pytest.mark.parametrize(("octaves", "expected"), [(1, [0, 2, 200, 254, 255]), (-1, [0, 0, 50, 64, 128])])
def test_gain_doubles_and_halves_greys_and_cuts_at_255(octaves, expected):
    greys = np.array([[0, 1, 100, 127, 255]], np.uint8)
    assert degraded("gain", octaves, greys, greys)[0].tolist() == [expected]


def test_blur_of_a_line_is_a_gaussian_of_sigma_thousandths_of_the_height():
    line = np.zeros((1000, 101), np.uint8)
    line[:, 50] = 255
    expected = 255 / (4 * np.sqrt(2 * np.pi)) * np.exp(-((np.arange(101) - 50) ** 2) / (2 * 4**2))
    assert np.abs(degraded("blur", 4, line, line)[0] - expected).max() < 1


def test_reduced_resolution_keeps_the_mean_and_loses_what_is_finer():
    coarse = (np.indices((HEIGHT, WIDTH)).sum(0) // 2).astype(np.uint8)
    stripes = (255 * (np.indices((HEIGHT, WIDTH))[0] % 2)).astype(np.uint8)
    assert np.abs(degraded("resolution", 3, coarse, MASK)[0].astype(int) - coarse)[8:-8, 8:-8].max() <= 1
    assert np.ptp(degraded("resolution", 3, stripes, MASK)[0][8:-8]) <= 2
    assert degraded("resolution", 3, stripes, MASK)[0].mean() == pytest.approx(127.5, abs=1)


@pytest.mark.parametrize("height", [2574, 2048, 1024, 300])
def test_lost_frames_only_darken(height):
    grey = np.full((height, height // 4), 100, np.uint8)
    image, _ = degraded("lost_frames", 20, grey, grey)
    assert image.max() <= 100
    assert image.min() < 60


def test_lost_frames_lose_more_light_the_more_bundles_there_are():
    grey = np.full((1024, 256), 100, np.uint8)
    means = [np.mean([degraded("lost_frames", n, grey, grey, s)[0].mean() for s in range(8)]) for n in (0, 5, 20)]
    assert means[0] == 100
    assert (100 - means[1]) / (100 - means[2]) == pytest.approx(5 / 20, rel=0.3)


@pytest.mark.parametrize("degrees", [5, 10, 20])
def test_rotation_turns_image_and_mask_together_about_the_middle(degrees):
    mask = np.zeros((201, 101), np.uint8)
    mask[40:51, 60:71] = 3
    expected = []
    for way in (-1, 1):
        turn = np.radians(way * degrees)
        y, x = 45 - 100, 65 - 50
        expected.append((100 + y * np.cos(turn) + x * np.sin(turn), 50 + x * np.cos(turn) - y * np.sin(turn)))
    seen = set()
    for seed in range(10):
        image, turned = degraded("rotation", degrees, mask * 80, mask, seed)
        assert center_of_mass(image) == pytest.approx(center_of_mass(turned), abs=0.2)
        away = [np.hypot(*np.subtract(center_of_mass(image), place)) for place in expected]
        assert min(away) < 0.2
        seen.add(int(np.argmin(away)))
    assert seen == {0, 1}, "one way or the other"


@pytest.mark.parametrize("share", [0.1, 0.4])
def test_cut_off_keeps_a_run_of_rows_of_both(share):
    tops = set()
    for seed in range(20):
        image, mask = degraded("cut_off", share, seed=seed)
        assert len(image) == HEIGHT - round(share * HEIGHT)
        (top,) = (t for t in range(HEIGHT) if np.array_equal(IMAGE[t : t + len(image)], image))
        assert np.array_equal(MASK[top : top + len(image)], mask)
        tops.add(top)
    assert len(tops) > 8
    assert max(tops) <= round(share * HEIGHT)


@dataclass(frozen=True)
class KnownSample:
    """As ``Sample``, from memory."""

    pixels: np.ndarray
    labels: np.ndarray
    stem: str = "known"

    def image(self) -> np.ndarray:
        return self.pixels

    def mask(self) -> np.ndarray:
        return self.labels


@dataclass(frozen=True)
class KnownRun:
    """As a ``Run``, with predictions that were drawn by hand."""

    folder: Path
    recipe: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(seed=0))

    def prediction(self, stem: str) -> np.ndarray:
        return read_mask(self.folder / f"{stem}.png")


@pytest.fixture
def known(tmp_path):
    """Two ribs, a process and a lump with tissue around them, and the predictions of two runs.

    500 rows: the ring of tissue is 3 pixels wide.
    """
    image, mask = np.full((500, 100), 150, np.uint8), np.zeros((500, 100), np.uint8)
    for class_id, rows, columns, grey in (
        (1, slice(20, 40), slice(10, 40), 50),
        (1, slice(20, 40), slice(60, 90), 150),
        (2, slice(100, 110), slice(10, 20), 170),
        (3, slice(200, 240), slice(0, 100), 60),
    ):
        mask[rows, columns] = class_id
        image[rows, columns] = grey
    mask[60, 50:52] = 1  # a crumb, which is no bone
    image[17:20, :50] = 0  # black beside the first rib is no tissue: it leaves the ring alone
    image[197:200] = 120  # half of the lump's ring; the other half keeps 150
    paths = {title: tmp_path / title for title in ("good", "poor")}
    poor = np.zeros_like(mask)
    poor[20:40, 10:25] = 1  # half of the first rib
    poor[20:40, 60:90] = 2  # the second rib, taken for a process
    poor[100:110, 10:20] = 2
    poor[190:210] = 3  # a quarter of the lump, and as much that isn't there
    for title, labels in (("good", mask), ("poor", poor)):
        paths[title].mkdir()
        Image.fromarray(labels).save(paths[title] / "known.png")
    return {title: [KnownRun(path)] for title, path in paths.items()}, KnownSample(image, mask)


def test_contrast_and_recall_of_single_bones_are_those_drawn(known):
    runs, sample = known
    table = bone_contrasts(runs, [sample])
    assert list(table.columns) == ["bone", "contrast", "network", "seed", "recall", "stem"]
    assert set(table.stem) == {"known"}
    expected = [("rib", 100), ("rib", 0), ("thoracic_process", -20), ("lump", 75)]
    recalls = {"good": [1, 1, 1, 1], "poor": [0.5, 0, 1, 0.25]}
    for title, recall in recalls.items():
        part = table[table.network == title]
        assert list(zip(part.bone, part.contrast, strict=True)) == expected
        assert part.recall.tolist() == recall


def test_several_seeds_have_their_own_recalls(known):
    runs, sample = known
    (good,), (poor,) = runs.values()
    poor.recipe.seed = 1
    both = bone_contrasts({"both": [good, poor]}, [sample])
    assert both.groupby("seed").recall.agg(list).to_dict() == {0: [1, 1, 1, 1], 1: [0.5, 0, 1, 0.25]}
    assert recall_by_contrast(both, bins=1).recall.tolist() == [0.625, 0.625, 1]


def test_a_ring_leaves_other_bones_out_and_a_bone_without_tissue_around_it_is_dropped(known):
    runs, _ = known
    image, mask = np.full((500, 100), 150, np.uint8), np.zeros((500, 100), np.uint8)
    mask[100:200, 10:40], mask[100:200, 40:70] = 1, 2  # side by side
    image[mask > 0] = 30
    image[290:410], mask[300:400] = 0, 3  # black all around it
    image[mask == 3] = 60
    table = bone_contrasts(runs, [KnownSample(image, mask)])
    assert set(zip(table.bone, table.contrast, strict=True)) == {("rib", 120), ("thoracic_process", 120)}
