"""Pictures made as a scanner makes them: speckle, shadows, losses, sweeps and gaps, against their physics."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from sadanet_lab.phantom import draw_spine, scan
from sadanet_lab.phantom.appearance import CELL, canvas_shape
from sadanet_lab.phantom.ranges import Scanner, draw
from sadanet_lab.phantom.scan import SINGLE_LOOK, bone_echo, draw_sweeps, gaps, muscle_above, speckle

WIDTH, HEIGHT = 256, 1024
PLAIN = replace(
    draw(Scanner, np.random.default_rng(0), "varied"),
    **dict.fromkeys(("cloudiness", "bone_patchiness", "displacement", "lean", "divergence", "rim", "unlike"), 0.0),
    **dict.fromkeys(("frame_gain", "tremor", "sweep_gain", "sweep_focus", "sweep_offset", "gap_bundles"), 0.0),
    sweeps=1.0,
)
"""A scanner without anything uneven."""


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
    spine = draw_spine(np.random.default_rng([9, 0]), WIDTH, HEIGHT, "varied")
    columns = np.arange(canvas_shape(spine)[1])
    middle = columns[-1] / 2

    def outward(scanner):
        shadow = -echo_of(spine, scanner)
        return (shadow * np.abs(columns - middle)).sum() / shadow.sum()

    assert outward(replace(PLAIN, divergence=0.15)) > outward(PLAIN) + 1
    bare = replace(spine, bones=tuple(replace(bone, hidden="level") for bone in spine.bones))
    assert echo_of(bare, PLAIN) == pytest.approx(0)


def test_the_side_that_faces_the_probe_outshines_the_tissue():
    spine = draw_spine(np.random.default_rng([9, 0]), WIDTH, HEIGHT, "varied")
    assert echo_of(spine, PLAIN).max() == pytest.approx(0, abs=1e-6)
    assert 2 < echo_of(spine, replace(PLAIN, rim=10.0, bone_blur=3.0)).max() <= 15


def test_deeper_layers_are_darker_and_the_noise_fills_what_is_left():
    spine = draw_spine(np.random.default_rng([9, 0]), WIDTH, HEIGHT, "scanner2")
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
