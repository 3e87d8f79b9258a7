"""Forensics: tables of true counts pass, planted faults are flagged, and each finding of the paper's tables by hand."""

import numpy as np
import pytest

from sadanet_lab.paths import PUBLISHED
from sadanet_lab.studies import forensics
from sadanet_lab.studies.printed_rows import UNPRINTED, bases, identity, with_unprinted
from sadanet_lab.studies.printed_table import read_tables

CLASSES = ("background", "rib", "process", "lump", "disc")


class Made:
    """A table of true counts: random confusion matrices of some methods over one truth, rounded as printed."""

    def __init__(self, random, rows=5, classes=4, average="all", print_background=False, decimals=2):
        shares = random.dirichlet([12, *[1.5] * (classes - 1)])
        self.decimals, self.names = decimals, CLASSES[:classes]
        self.scores, first = {}, 0 if print_background else 1
        for row in range(rows):
            right = random.uniform(0.6, 0.95, classes)
            confusion = random.dirichlet(np.ones(classes), classes) * (1 - right)[:, None] + np.diag(right)
            tp, true, predicted = confusion.diagonal() * shares, shares, (confusion * shares[:, None]).sum(0)
            numbers = 100 * np.stack([2 * tp / (true + predicted), tp / (true + predicted - tp), tp / true], 1)
            mean = numbers.mean(0) if average == "all" else numbers[1:].mean(0)
            cells = dict(zip(self.names[first:], numbers[first:], strict=True))
            self.scores[f"M{row}"] = cells | ({"average": mean} if average else {})

    def table(self, tmp_path):
        lines = ["method,class,dice,iou,recall"]
        for row, cells in self.scores.items():
            for name, numbers in cells.items():
                lines.append(",".join([row, name, *(f"{x:.{self.decimals}f}" for x in numbers)]))
        (tmp_path / "made.csv").write_text("\n".join(lines))
        return read_tables([tmp_path / "made.csv"])


def flagged(table):
    return {finding.question: finding.flagged for finding in forensics.examine(table)[0] if finding.flagged}


@pytest.mark.parametrize("average", ["all", "bones", ""])
@pytest.mark.parametrize("print_background", [False, True])
def test_tables_of_true_counts_pass_clean(tmp_path, average, print_background):
    random = np.random.default_rng([len(average), print_background])
    for draw in range(15):
        made = Made(random, int(random.integers(1, 8)), int(random.integers(3, 6)), average, print_background)
        assert flagged(made.table(tmp_path)) == {}, draw


@pytest.mark.parametrize("decimals", [0, 1, 4])
def test_they_do_whatever_they_are_rounded_to(tmp_path, decimals):
    random = np.random.default_rng(decimals)
    for draw in range(15):
        assert flagged(Made(random, decimals=decimals).table(tmp_path)) == {}, draw


@pytest.mark.slow
def test_many_more_draws_pass_clean(tmp_path):
    random = np.random.default_rng(99)
    for draw in range(300):
        average, print_background = ("all", "bones", "")[draw % 3], bool(draw % 2)
        made = Made(random, int(random.integers(1, 8)), int(random.integers(3, 6)), average, print_background)
        assert flagged(made.table(tmp_path)) == {}, draw


def test_the_basis_of_an_average_is_found(tmp_path):
    random = np.random.default_rng(0)
    for average, print_background, said in (
        ("all", False, "4 classes, one of them not printed"),
        ("all", True, "the 4 classes printed"),
        ("bones", False, "the 3 classes printed"),
        ("bones", True, "all classes but the background"),
    ):
        found = bases(Made(random, average=average, print_background=print_background).table(tmp_path))
        assert set(found.basis) == {said}
        assert set(found.unprinted) == {said.endswith("not printed")}


def test_an_average_of_two_classes_is_named(tmp_path):
    made = Made(np.random.default_rng(1), average="bones")
    for cells in made.scores.values():
        cells["average"] = (cells["rib"] + cells["lump"]) / 2
    assert set(bases(made.table(tmp_path)).basis) == {"rib and lump"}


def test_the_class_not_printed_is_given_back(tmp_path):
    made, again = (Made(np.random.default_rng(5), print_background=both) for both in (False, True))
    more = with_unprinted(made.table(tmp_path))
    for row, cells in again.scores.items():
        found, half = more.value.loc[(row, UNPRINTED)], more.half.loc[(row, UNPRINTED)]
        assert half.tolist() == pytest.approx([0.035] * 3)
        assert (np.abs(found - cells["background"]) <= half).all()


def plant(made, row, name, metric, by):
    made.scores[row][name] = made.scores[row][name] + by * np.eye(3)[["dice", "iou", "recall"].index(metric)]


def test_a_changed_iou_is_flagged_and_only_in_its_row(tmp_path):
    random = np.random.default_rng(7)
    for by in (0.05, -0.05, 1.0):
        made = Made(random)
        plant(made, "M2", "rib", "iou", by)
        assert flagged(made.table(tmp_path))["Does IoU = Dice / (2 - Dice) hold?"] == ("M2",)


def test_an_iou_below_the_pooled_one_is_no_mean_over_images_either(tmp_path):
    made = Made(np.random.default_rng(8))
    plant(made, "M1", "lump", "iou", -0.5)
    plant(made, "M3", "lump", "iou", 0.5)
    table = made.table(tmp_path)
    assert "no means over images either: M1 (lump)" in forensics.pooled(table).verdict
    found = forensics.deviations(table)
    assert set(found.evidence.row) == {"M3"}


def test_what_no_images_can_have_is_told_with_its_class_and_not_as_a_number(tmp_path):
    made = Made(np.random.default_rng(8))
    plant(made, "M1", "rib", "iou", 0.5)
    plant(made, "M1", "lump", "iou", 0.99 * (made.scores["M1"]["lump"][0] - made.scores["M1"]["lump"][1]))
    plant(made, "M2", "lump", "iou", 2 + made.scores["M2"]["lump"][0] - made.scores["M2"]["lump"][1])
    told = forensics.deviations(made.table(tmp_path))
    assert "inf" not in told.verdict
    assert "; M2 more than any images can have for lump" in told.verdict
    assert told.flagged == ("M2",)


def test_a_table_of_means_over_images_needs_no_more_deviation_than_its_images_have(tmp_path):
    """Every row is averaged over 30 images: the bound lies below the deviation that they have."""
    random = np.random.default_rng(9)
    made = Made(random, average="bones")
    spread = {}
    for row, cells in made.scores.items():
        for name in CLASSES[1:4]:
            dice = random.beta(12, 3, 30)
            spread[row, name] = 100 * dice.std()
            cells[name] = np.array([100 * dice.mean(), 100 * (dice / (2 - dice)).mean(), 95.0])
        cells["average"] = np.mean([cells[name] for name in CLASSES[1:4]], 0)
    found = forensics.deviations(made.table(tmp_path)).evidence.set_index(["row", "class"])["deviation, at least"]
    assert len(found) > 10
    assert all(0 < least <= spread[cell] for cell, least in found.items())


def test_one_average_off_by_itself_and_one_of_another_basis_are_flagged(tmp_path):
    random = np.random.default_rng(10)
    made = Made(random, average="bones")
    plant(made, "M1", "average", "dice", 0.3)
    found = forensics.averages(made.table(tmp_path))
    assert found.flagged == ("M1",)
    assert "Off by themselves: M1 (Dice)" in found.verdict
    made, other = Made(np.random.default_rng(11)), Made(np.random.default_rng(11), average="bones")
    made.scores["M4"] = other.scores["M4"]
    assert forensics.averages(made.table(tmp_path)).flagged == ("M4",)


def test_an_average_that_contradicts_itself_is_flagged(tmp_path):
    made = Made(np.random.default_rng(12))
    plant(made, "M0", "average", "dice", -0.2)  # the background's Dice 0.8 lower, its IoU not
    assert flagged(made.table(tmp_path))["Is the class that only the averages hold consistent?"] == ("M0",)


def test_a_recall_below_the_iou_is_flagged(tmp_path):
    made = Made(np.random.default_rng(13))
    made.scores["M3"]["rib"][2] = made.scores["M3"]["rib"][1] - 0.1
    assert flagged(made.table(tmp_path))["Can the recall belong to the Dice?"] == ("M3",)


@pytest.mark.parametrize("print_background", [False, True])
def test_recalls_that_predict_too_few_pixels_are_flagged(tmp_path, print_background):
    """Each recall of a row a twentieth down: Dice, IoU and averages still fit each other, the pixels no longer do."""
    found = []
    for seed in range(8):
        made = Made(np.random.default_rng(seed), rows=8, print_background=print_background)
        for name in made.scores["M5"]:
            plant(made, "M5", name, "recall", -0.05 * made.scores["M5"][name][2])
        found.append(flagged(made.table(tmp_path)).get("Do the rows predict each pixel once?"))
    assert found.count(("M5",)) >= 7
    assert None not in found


def test_what_a_table_does_not_hold_is_not_asked(tmp_path):
    (tmp_path / "t.csv").write_text("method,class,dice\nA,rib,80.12\nB,rib,81.00\n")
    findings, not_asked = forensics.examine(read_tables([tmp_path / "t.csv"]))
    assert findings == []
    assert len(not_asked) == len(forensics.CHECKS)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("metrics", ["dice", "iou", "dice,iou,recall"])
@pytest.mark.parametrize("average", ["all", "bones", ""])
def test_a_row_that_prints_an_average_only_changes_no_verdict_of_the_others(tmp_path, metrics, average):
    made = Made(np.random.default_rng(20), average=average)
    before = flagged(made.table(tmp_path))
    text = (tmp_path / "made.csv").read_text()
    numbers = ["84.00" if metric in metrics.split(",") else "-" for metric in ("dice", "iou", "recall")]
    (tmp_path / "made.csv").write_text(f"{text}\nalone,average,{','.join(numbers)}\n")
    table = read_tables([tmp_path / "made.csv"])
    assert bases(table).basis["alone"] == "no class printed"
    assert flagged(table) == before == {}
    findings, _ = forensics.examine(table)
    told = {finding.question: finding.verdict for finding in findings}
    assert not any("nan" in verdict for verdict in told.values())
    assert ("Are the printed averages of one definition?" in told) == bool(average)
    if average:
        assert told["Are the printed averages of one definition?"].endswith("for no class is printed: alone.")
        assert "alone" not in set(findings[0].evidence.row)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "lines",
    [
        "A,rib,80.00,66.67,81.00\nalone,average,80,70,80\n",
        "A,rib,80.00,60.67,81.00\nalone,average,80,70,80\n",  # no pooled row is left but the one without a class
        "A,rib,80.00,60.67,81.00\nnothing,rib,-,-,-\n",
        "A,rib,80.00,-,-\nA,average,80.00,70.00,-\nalone,average,80,70,80\n",
        "A,rib,-,66.67,-\nA,lump,-,81.82,-\nA,average,-,80.00,-\nalone,average,80,-,-\n",
        "alone,rib,-,-,-\nalone,average,80,70,80\nother,average,81,71,81\n",
    ],
)
def test_rows_without_classes_leave_no_warning_and_no_nan(tmp_path, lines):
    (tmp_path / "t.csv").write_text("method,class,dice,iou,recall\n" + lines)
    findings, not_asked = forensics.examine(read_tables([tmp_path / "t.csv"]))
    assert len(findings) + len(not_asked) == len(forensics.CHECKS)
    assert not any("nan" in finding.verdict for finding in findings)
    assert not any("alone" in finding.flagged for finding in findings)


def test_a_class_without_a_number_is_none_of_those_an_average_is_of(tmp_path):
    """77 is the mean of 60, 70, 80 and of 98, which is not printed; a line of dashes makes no fifth."""
    lines = "A,rib,60.00\nA,process,70.00\nA,lump,80.00\nA,sacrum,-\nA,average,77.00\n"
    (tmp_path / "t.csv").write_text("method,class,dice\n" + lines)
    assert with_unprinted(read_tables([tmp_path / "t.csv"])).value.dice["A", UNPRINTED] == pytest.approx(98)


@pytest.mark.filterwarnings("error")
def test_a_class_that_failed_has_no_precision(tmp_path):
    (tmp_path / "t.csv").write_text("method,class,dice,iou,recall\nA,rib,0.00,0.00,0.00\nB,rib,80.00,66.67,-\n")
    assert forensics.recalls(read_tables([tmp_path / "t.csv"])) is None
    (tmp_path / "t.csv").write_text("method,class,dice,iou,recall\nA,rib,0,0,0\nA,lump,80.00,66.67,81.00\n")
    found = forensics.recalls(read_tables([tmp_path / "t.csv"]))
    assert found.verdict == "Yes: precision would be 79.0 to 79.0 %."  # 1 / (2 / 0.80 - 1 / 0.81)
    (tmp_path / "t.csv").write_text("method,class,dice,iou,recall\nA,rib,0,50,0\n")
    assert forensics.recalls(read_tables([tmp_path / "t.csv"])).flagged == ("A",)


# --- the paper's tables, by hand ---


@pytest.fixture(scope="module")
def all_tables():
    return read_tables([PUBLISHED / f"{name}.csv" for name in ("table1_methods", "table2_ablation", "table4_lambda")])


def test_rows_that_stand_in_two_tables_are_one(all_tables):
    assert len(all_tables.rows) == 8 + 4 + 7 - 3  # DANet and SADANet in Table II, lambda 3 in Table IV


def test_the_backgrounds_of_table_2_by_hand(all_tables):
    """w/o SCA: 4 x 84.46 - (78.36 + 77.52 + 86.51) = 95.45, whose IoU is 91.30; printed 4 x 73.90 - 203.94 = 91.66."""
    more = with_unprinted(all_tables)
    for row, dice, iou in (
        ("~ w/o SCA", 4 * 84.46 - (78.36 + 77.52 + 86.51), 4 * 73.90 - (64.42 + 63.29 + 76.23)),
        ("~ w/o SAA", 4 * 84.72 - (78.06 + 77.06 + 86.80), 4 * 74.29 - (64.02 + 62.68 + 76.68)),
    ):
        assert more.value.loc[(row, UNPRINTED), ["dice", "iou"]].tolist() == pytest.approx([dice, iou])
        largest, smallest = ((dice + e) / (200 - dice - e) * 100 for e in (0.035, -0.035))
        assert iou - 0.035 > largest or iou + 0.035 < smallest
    assert forensics.unprinted(all_tables).flagged == ("~ w/o SCA", "~ w/o SAA")


def test_the_cell_of_seam_that_needs_most(all_tables):
    """Lump: rounding leaves Dice up to 84.405 and IoU down to 76.515; E = 0.76515 - 0.84405 / 1.15595."""
    excess, s, u = 0.76515 - 0.84405 / 1.15595, 1.15595, 0.15595
    least = np.sqrt(u * excess * s**2 / (2 * u - excess * s))
    assert identity(all_tables).deviation["SEAM", "lump"] == pytest.approx(least, rel=1e-3)


def test_ratios_by_hand(all_tables):
    """SADANet's background: recall 4 x 86.15 - 250.00 = 94.60, Dice 4 x 84.90 - 243.42 = 96.18."""
    rows, classes, value, low, high = forensics.ratios(all_tables)
    assert (len(rows), classes[-1]) == (13, UNPRINTED)
    place = rows.index("SADANet")
    assert value[place] == pytest.approx([79.64 / 78.82, 79.70 / 77.64, 90.66 / 86.96, 94.60 / 96.18])
    assert low[place, 0] == pytest.approx(79.635 / 78.825)
    assert high[place, 3] == pytest.approx(94.635 / 96.145)
