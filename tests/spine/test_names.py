"""Names of levels, curves, regions and sides: by hand, in drawings whose names are known, and in phantoms."""

import numpy as np
import pytest
from spine_drawings import DOUBLE, SINGLE, bent_at, levels_of, painted, spine_of

from sadanet_lab.errors import BadInput
from sadanet_lab.phantom import draw_spine
from sadanet_lab.spine.curve_angles import measure_curves
from sadanet_lab.spine.levels import Level, curves_of
from sadanet_lab.spine.names import LOWEST, USUAL, Convention, SpineNames, name_spine, region_of
from sadanet_lab.spine.smoothing import LARGEST_BEND

THORACIC, LUMBAR = [f"T{i}" for i in range(1, 13)], [f"L{i}" for i in range(1, 6)]
FIVE = bent_at([0, 16], [-15, 15])[:16], 11
"""Eleven pairs and five lumps: T2 to L5."""


def names_in(labels: np.ndarray, convention: Convention = USUAL) -> SpineNames:
    found = measure_curves(labels)
    return name_spine(found.levels, found.curves, convention, found.left_out)


def named(pairs: int, lumps: int, convention: Convention = USUAL) -> SpineNames:
    """Of upright levels at even distances."""
    return name_spine(upright("thoracic", pairs) + upright("lumbar", lumps, pairs), (), convention)


def upright(region, count: int, first: float = 0) -> list[Level]:
    return [Level(region, (0, 10 * (first + i)), (20, 10 * (first + i))) for i in range(count)]


def test_levels_are_counted_up_from_the_lowest_lump():
    assert named(12, 5) == SpineNames((*THORACIC, *LUMBAR), (), None)
    assert named(5, 5).levels == ("T8", "T9", "T10", "T11", "T12", *LUMBAR)
    assert names_in(painted(spine_of(*FIVE))).levels == (*THORACIC[1:], *LUMBAR)
    assert names_in(painted(spine_of(*FIVE))).doubt is None


@pytest.mark.parametrize(
    ("lowest", "lumps"),
    [("L3", ["L1", "L2", "L3"]), ("L4", LUMBAR[:4]), ("L5", LUMBAR), ("L6", [*LUMBAR, "L6"]), ("S1", [*LUMBAR, "S1"])],
)
def test_the_lowest_lump_is_what_the_user_says(lowest, lumps):
    found = named(12, len(lumps), Convention(lowest=lowest))
    assert found == SpineNames((*THORACIC, *lumps), (), None)
    assert lowest in LOWEST


def test_other_numbers_of_lumps_are_counted_in_the_same_way_and_are_doubtful():
    six = names_in(painted(spine_of(*SINGLE)))
    assert six.levels == (*THORACIC, *LUMBAR)  # the sixth lump from below is T12
    assert six.doubt == "6 lumps, while L1 to L5 are 5"
    assert names_in(painted(spine_of(*SINGLE)), Convention(lowest="S1")).doubt is None
    four = names_in(painted(spine_of(*DOUBLE)))
    assert four.levels == (*THORACIC[4:], *LUMBAR)  # the lowest pair is L1: a lump was missed, or the lowest is L4
    assert four.doubt == "4 lumps, while L1 to L5 are 5"
    assert names_in(painted(spine_of(*DOUBLE)), Convention(lowest="L4")).doubt is None


def test_without_a_lump_the_lowest_pair_is_t12_and_doubtful():
    found = named(7, 0)
    assert found.levels == tuple(THORACIC[5:])
    assert found.doubt == "no lump, so the lowest pair was taken for T12"


def test_fewer_than_five_pairs_are_doubtful():
    assert named(4, 5).doubt == "4 pairs of thoracic processes, fewer than 5"
    assert named(5, 5).doubt is None


def test_more_levels_than_up_to_t1_are_doubtful_and_never_run_out_of_names():
    assert named(13, 5).levels[:2] == ("C7", "T1")
    assert named(13, 5).doubt == "more levels than up to T1"
    assert len(named(40, 5).levels) == 45


def test_a_level_missed_in_between_moves_no_other_name_and_is_doubtful():
    names, bones = (*THORACIC[1:], *LUMBAR), spine_of(*FIVE)
    of_level = [range(2 * i, 2 * i + 2) for i in range(11)] + [range(i, i + 1) for i in range(22, 27)]
    for i in range(1, 15):
        found = names_in(painted([bone for j, bone in enumerate(bones) if j not in of_level[i]]))
        assert found.levels == names[:i] + names[i + 1 :]
        assert f"a gap between {names[i - 1]} and {names[i + 1]}" in found.doubt
    without_first = names_in(painted(bones[2:]))
    assert (without_first.levels, without_first.doubt) == (names[1:], None)


def test_levels_too_close_and_a_lump_above_a_pair_are_doubtful():
    crowded = sorted(upright("thoracic", 6) + upright("thoracic", 1, 2.4), key=lambda level: level.centre[1])
    assert "too close together" in name_spine(crowded + upright("lumbar", 5, 6), ()).doubt
    mixed = upright("thoracic", 7) + upright("lumbar", 1, 7) + upright("thoracic", 1, 8) + upright("lumbar", 4, 9)
    assert name_spine(mixed, ()).doubt == "a lump lies above a pair of thoracic processes"


UPSIDE_DOWN = "lumps lie above the thoracic processes: is the picture upside down?"


def test_lumps_above_the_pairs_are_a_doubt_beside_the_others():
    pairs = upright("thoracic", 9, 10)
    alone = "no lump, so the lowest pair was taken for T12"
    assert name_spine(pairs, ()).doubt == alone
    assert name_spine(pairs, (), lumps_above=True).doubt == f"{alone}; {UPSIDE_DOWN}"
    assert name_spine((), (), lumps_above=True).doubt is None


@pytest.mark.parametrize("off", [11, 15])
def test_a_lump_that_is_left_out_of_the_curves_is_counted_and_doubtful(off):
    names, tilts = [*THORACIC[1:], *LUMBAR], [0.0] * 16
    tilts[off] = LARGEST_BEND + 4
    found = names_in(painted(spine_of(tilts, 11)))
    assert found.levels == tuple(name for i, name in enumerate(names) if i != off)
    assert found.doubt == f"left out of the curves, since the tilt stands off the neighbours': {names[off]}"


def test_no_levels_have_no_names_and_no_doubt():
    assert name_spine((), ()) == SpineNames((), (), None)


def test_regions_are_those_of_the_scoliosis_research_society():
    vertebrae = [*THORACIC, *LUMBAR]
    regions = ["cervicothoracic", *["thoracic"] * 10, *["thoracolumbar"] * 2, *["lumbar"] * 3, "lumbosacral"]
    assert [region_of(name) for name in vertebrae] == regions
    assert region_of("C7") == "cervicothoracic"
    assert region_of("S1") == region_of("L6") == "lumbosacral"


def test_curves_are_named_by_their_ends_and_apex():
    """Twelve pairs and five lumps; the tilt turns at T1, T9 and L3."""
    levels = levels_of(bent_at([0, 8, 14, 16], [-15, 15, -10, -9]))
    levels = [Level("thoracic" if i < 12 else "lumbar", level.left, level.right) for i, level in enumerate(levels)]
    upper, lower = name_spine(levels, curves_of(levels)).curves
    assert (upper.upper_end, upper.apex, upper.lower_end, upper.region) == ("T1", "T5", "T9", "thoracic")
    assert (lower.upper_end, lower.apex, lower.lower_end, lower.region) == ("T9", "T12", "L3", "thoracolumbar")


def test_sides_are_the_patient_s_and_swap_in_a_mirrored_image_and_seen_from_the_front():
    labels = painted(spine_of(*DOUBLE))
    image_sides = [curve.side for curve in measure_curves(labels).curves]
    assert image_sides == ["left", "right"]
    front = Convention(viewed_from="front")

    def sides(labels, convention):
        return [curve.side for curve in names_in(labels, convention).curves]

    assert sides(labels, USUAL) == sides(labels[:, ::-1], front) == ["left", "right"]
    assert sides(labels[:, ::-1], USUAL) == sides(labels, front) == ["right", "left"]
    assert names_in(labels).levels == names_in(labels[:, ::-1], front).levels


def test_severity_bands_begin_at_10_25_and_45_degrees():
    names = [USUAL.severity_of(degrees) for degrees in (0, 9.999, 10, 24.999, 25, 44.999, 45, 120)]
    assert names == ["none", "none", "mild", "mild", "moderate", "moderate", "severe", "severe"]
    other = Convention(severities=(10, 25, 40))
    assert [other.severity_of(degrees) for degrees in (39.9, 40, 42)] == ["moderate", "severe", "severe"]


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ({"lowest": "L9"}, "lowest: found 'L9'; expected L3, L4, L5, L6 or S1"),
        ({"viewed_from": "above"}, "viewed from: found 'above'; expected back or front"),
        ({"severities": (10, 45, 25)}, "severity: found 10,45,25; expected three angles above 0 that rise"),
        ({"severities": (10, 25)}, "severity: found 10,25;"),
        ({"severities": (0, 25, 45)}, "severity: found 0,25,45;"),
        ({"severities": (10, 25, float("nan"))}, "severity: found 10,25,nan;"),
    ],
)
def test_what_is_no_convention_is_refused_in_one_line(setting, told):
    with pytest.raises(BadInput) as error:
        Convention(**setting)
    assert str(error.value).startswith(told)
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_phantoms_get_the_names_of_their_levels():
    """Whole masks: each level found has the name of the true one where it lies, and those of five lumps no doubt."""
    wrong = doubtful = 0
    for i in range(60):
        spine = draw_spine(np.random.default_rng([7, i]).spawn(2)[0], 512, 2048)
        true, found = name_spine(spine.levels, ()), measure_curves(spine.labels())
        names = name_spine(found.levels, found.curves, left_out=found.left_out)
        heights = np.array([level.centre[1] for level in spine.levels])
        at = [int(np.abs(heights - level.centre[1]).argmin()) for level in found.levels]
        wrong += [true.levels[k] for k in at] != list(names.levels)
        five = sum(level.region == "lumbar" for level in spine.levels) == 5
        doubtful += five != (names.doubt is None)
        assert five == (true.doubt is None)
    assert wrong == doubtful == 0
