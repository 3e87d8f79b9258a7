"""What knocked-out modules, hidden bones, the frame and longer training say, from tables written out by hand."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from sadanet_lab.studies import convergence, hidden_bones, knockouts, run_scores
from sadanet_lab.views import attention_effects as views
from sadanet_lab.views import convergence as convergence_views

BONES = ("rib", "thoracic_process", "lump")
HIDDEN_COLUMNS = ["stem", "class", "kind", "bones", "found", "pixels", "found_pixels"]


def counts(tp, fp, fn):
    """One image; the same counts of each bone."""
    rows = [("x", "background", 0, 0, 0, 0), *(("x", name, tp, fp, fn, 0) for name in BONES)]
    return pd.DataFrame(rows, columns=["stem", "class", "tp", "fp", "fn", "tn"])


class StoredRun:
    def __init__(self, method, seed=0, iterations=1600, whole=(50, 50, 50), **tables):
        self.recipe = SimpleNamespace(method=method, seed=seed, iterations=iterations)
        self.counts = counts(*whole)
        self.tables = tables

    def table(self, name):
        return self.tables[name]


def label(run):
    return run.recipe.method


def attention(*rows):
    return pd.DataFrame(rows, columns=["module", "gamma", "one_hot"])


def with_modules(seed, gca, sca):
    """A run with Dice 50 whose Dice without GCA and SCA is as given: 2 x 50 tp over 100 + fp + fn."""
    left = [counts(50, round(100 * 100 / dice) - 100, 0).assign(without=m) for m, dice in (("GCA", gca), ("SCA", sca))]
    table = attention(("GCA", 0.9, 0.8), ("SCA", 0.5, 0.1))
    return StoredRun("SADANet", seed, attention=table, counts_without=pd.concat(left))


def twice(run):
    """The run on two images that are alike."""
    run.counts, run.tables["counts_without"] = (
        pd.concat([table.assign(stem=stem) for stem in "xy"]) for table in (run.counts, run.tables["counts_without"])
    )
    return run


class TestKnockouts:
    def test_dice_lost_is_the_difference_of_the_two_scores(self):
        lost = knockouts.dice_lost([with_modules(0, 40, 50)], label)
        assert lost.dice.tolist() == [50, 50]
        assert lost.without.tolist() == pytest.approx([40, 50])
        assert lost.lost.tolist() == pytest.approx([10, 0])
        assert lost.one_hot_percent.tolist() == [80, 10]

    def test_over_seeds_it_is_the_mean_with_student_s_interval_where_images_are_alike(self):
        runs = [twice(with_modules(seed, gca, 50)) for seed, gca in enumerate((40, 25, 32))]
        found = knockouts.summarise(knockouts.dice_lost(runs, label)).set_index("module")
        lost = [100 * 100 / (100 + round(100 * 100 / gca) - 100) for gca in (40, 25, 32)]
        lost = 50 - np.array(lost)
        half = stats.t.ppf(0.975, 2) * lost.std(ddof=1) / np.sqrt(3)
        assert found.lost["GCA"] == pytest.approx(lost.mean())
        assert (found.low["GCA"], found.high["GCA"]) == pytest.approx((lost.mean() - half, lost.mean() + half))
        assert found.seeds["GCA"] == 3

    def test_one_seed_has_no_interval(self):
        assert knockouts.summarise(knockouts.dice_lost([twice(with_modules(0, 40, 50))], label)).low.isna().all()

    def test_modules_without_which_the_mean_stays_are_told_each_for_itself(self):
        lost = knockouts.dice_lost([with_modules(0, 40, 50), with_modules(1, 25, 50)], label)
        assert knockouts.small_effects(lost) == {("SADANet", "SCA"): (pytest.approx(0), True)}

    def test_a_module_whose_moves_cancel_over_bones_or_seeds_is_not_idle(self):
        """SCA helps ribs as much as it harms lumps, GCA helps in one seed as much as it harms in the other."""
        columns = ["method", "module", "seed", "lost", "lost_rib", "lost_thoracic_process", "lost_lump"]
        rows = [("A", "SCA", 0, 0, 2, 0, -2), ("A", "SCA", 1, 0, 2, 0, -2), ("A", "GCA", 0, 1, 1, 1, 1),
                ("A", "GCA", 1, -1, -1, -1, -1), ("A", "PAM", 0, 0.01, 0.05, 0, -0.02)]  # fmt: skip
        lost = pd.DataFrame(rows, columns=columns).assign(gamma=1.0, one_hot_percent=0.0, low=np.nan, high=np.nan)
        idle = {module: effect.idle for (_, module), effect in knockouts.small_effects(lost).items()}
        assert idle == {"SCA": False, "GCA": False, "PAM": True}

    @pytest.mark.parametrize(("tps", "said"), [((40, 40), ", better without"), ((40, 45), "")])
    def test_a_module_that_does_harm_for_certain_is_said_to(self, tps, said):
        runs = [twice(StoredRun("A", seed, attention=attention(("GCA", 1, 0)), whole=(tp, 100 - tp, 100 - tp),
                                counts_without=counts(50, 50, 50).assign(without="GCA")))
                for seed, tp in enumerate(tps)]  # fmt: skip
        table = knockouts.summarise(knockouts.dice_lost(runs, label))
        lost, low, high = table[["lost", "low", "high"]].iloc[0]
        row = views.knockouts_markdown(table).splitlines()[2]
        assert row.split("|")[3].strip() == f"{lost:+.2f} ({low:+.2f} to {high:+.2f}){said}"

    def test_a_network_without_attention_has_no_rows_and_a_sentence(self):
        none = StoredRun("UNet", attention=attention(), counts_without=counts(0, 0, 0).assign(without="")[:0])
        lost = knockouts.dice_lost([none], label)
        assert lost.empty
        assert views.knockouts_markdown(knockouts.summarise(lost)).startswith("n/a")

    def test_the_table_says_which_module_is_idle(self):
        text = views.knockouts_markdown(knockouts.summarise(knockouts.dice_lost([with_modules(0, 40, 50)], label)))
        of_gca, of_sca = (next(line for line in text.splitlines() if f"| {name}" in line) for name in ("GCA", "SCA"))
        assert "+10.00" in of_gca
        assert "idle" not in of_gca
        assert "+0.00, idle" in of_sca

    def test_the_frame_is_what_the_strip_leaves_out(self):
        strip = counts(50, 20, 50).assign(invented=[0, 1, 0, 2])
        found = run_scores.frame_scores([StoredRun("UNet", whole=(50, 50, 50), strip=strip)], label).iloc[0]
        assert found.dice == 50
        assert found.dice_in_strip == pytest.approx(100 * 100 / 170)
        assert found.false_in_frame_percent == pytest.approx(60)
        assert found.invented == 3


class TestConvergence:
    def runs(self, *rows):
        """method, iterations, seed, tp of 100: Dice is tp with as many false as missed."""
        return [StoredRun(m, s, n, whole=(tp, 100 - tp, 100 - tp)) for m, n, s, tp in rows]

    def test_the_last_doubling_is_paired_by_seed(self):
        runs = self.runs(("A", 100, 0, 40), ("A", 200, 0, 50), ("A", 400, 0, 60), ("A", 400, 1, 90), ("B", 400, 0, 70))
        found = convergence.last_doubling(convergence.dice_by_length(runs, label)).set_index("method")
        assert found.dice.to_dict() == pytest.approx({"A": 75, "B": 70})
        assert found["rank"].to_dict() == {"A": 1, "B": 2}
        assert found.gained["A"] == pytest.approx(10)
        assert found.seeds["A"] == 1
        assert np.isnan(found.gained["B"])

    @pytest.mark.parametrize(("gained", "done"), [(0.4, True), (0.6, False)])
    def test_more_than_half_a_point_is_marked(self, gained, done):
        lengths = pd.DataFrame([("A", 100, 0, 50.0), ("A", 200, 0, 50 + gained)],
                               columns=["method", "iterations", "seed", "dice"])  # fmt: skip
        table = convergence.last_doubling(lengths)
        assert bool(table.converged[0]) is done
        assert ("not done" in convergence_views.doubling_markdown(table).split("\n\n")[0]) is not done


class TestHiddenBones:
    @pytest.fixture
    def rows(self):
        """Image a: 4 of 10 ribs and 2 of 5 lumps hidden, image b: none. Without GCA fewer pixels of hidden ribs are
        found. All hidden lumps are found, which must not show where ribs and processes are told."""
        whole = pd.DataFrame(
            [("a", "rib", "seen", 6, 6, 600, 540), ("a", "rib", "run", 3, 1, 300, 150),
             ("a", "rib", "pair", 1, 1, 100, 90), ("a", "lump", "seen", 3, 3, 300, 300),
             ("a", "lump", "run", 2, 2, 900, 900), ("b", "rib", "seen", 10, 9, 1000, 900)],
            columns=HIDDEN_COLUMNS)  # fmt: skip
        without = whole.assign(found_pixels=[540, 30, 70, 300, 900, 900], without="GCA")
        return hidden_bones.hidden_rows([StoredRun("A", hidden=whole, hidden_without=without)], label)

    def test_recall_by_kind_pools_the_pixels(self, rows):
        every = hidden_bones.recall_by_kind(rows)
        assert every[every.of == hidden_bones.LUMPS].recall.tolist() == [100, 100, 100, 100]
        recall = hidden_bones.thoracic(every).set_index(["without", "kind"])
        assert recall.recall["", "seen"] == pytest.approx(90)
        assert recall.recall["", "run"] == pytest.approx(50)
        assert recall.found["", "run"] == pytest.approx(100 / 3)
        assert recall.recall["GCA", "pair"] == pytest.approx(70)

    def test_recall_by_share_is_of_hidden_bones_alone_each_kind_with_the_same_weight(self, rows):
        recall = hidden_bones.recall_by_share(rows).set_index("without")
        assert recall.share[""] == pytest.approx(0.4)
        assert recall.recall[""] == pytest.approx((50 + 90) / 2)
        assert recall.recall["GCA"] == pytest.approx((10 + 70) / 2)

    @pytest.fixture
    def every_kind_its_own(self):
        """Thirty images each with a small and a large share hidden. Recall goes by the kind alone; only large shares
        hold runs of levels."""
        tables = []
        for number in range(60):
            kinds = {"pair": 70, "level": 50} | ({"run": 20} if number >= 30 else {})
            rows = [(f"{number}", "rib", kind, 2, 1, 100, found) for kind, found in kinds.items()]
            rows.append((f"{number}", "rib", "seen", 40 if number < 30 else 8, 8, 100, 90))
            tables += rows
        whole = pd.DataFrame(tables, columns=HIDDEN_COLUMNS)
        stored = StoredRun("A", hidden=whole, hidden_without=whole[:0].assign(without=""))
        return hidden_bones.hidden_rows([stored], label)

    def test_recall_that_goes_by_the_kind_alone_does_not_change_with_the_share(self, every_kind_its_own):
        recall = hidden_bones.recall_by_share(every_kind_its_own)
        assert recall.recall.tolist() == [60, 60]
        assert recall.images.tolist() == [30, 30]
        assert set(recall.kinds) == {"pair, level"}
        assert hidden_bones.dose_effect(every_kind_its_own) == (0, 0, 0)

    def test_the_dose_s_interval_is_that_of_the_images(self, every_kind_its_own):
        """Against the normal interval of the difference of two means of thirty images each."""
        random, rows = np.random.default_rng(0), every_kind_its_own
        rows["found_pixels"] = np.where(rows.kind == "pair", random.integers(20, 80, len(rows)), rows.found_pixels)
        pairs = rows[rows.kind == "pair"].assign(large=rows.share > 0.15)
        means = pairs.groupby("large").found_pixels.agg(["mean", "var"])
        change = (means["mean"][True] - means["mean"][False]) / 2  # of the two kinds the other stands still
        width = 1.96 * np.sqrt(means["var"].sum() / 30) / 2
        found = hidden_bones.dose_effect(rows)
        assert found.change == pytest.approx(change)
        assert (found.low, found.high) == pytest.approx((change - width, change + width), abs=0.15 * width)

    def test_of_one_share_there_is_no_dose(self, rows):
        assert hidden_bones.dose_effect(rows) is None

    def test_a_module_s_response_is_what_its_removal_costs(self, rows):
        false = hidden_bones.false_pixels([with_modules(0, 40, 50)], label).query("module == 'GCA'")
        response = hidden_bones.modules_response(rows, false.assign(method="A")).set_index("kind")
        expected = {"seen": 0, "run": 40, "pair": 20, "hidden": 30, "false": -100}  # of 100 true pixels, 50 and 150
        assert response.added.round(6).to_dict() == expected
        assert response.low.isna().all()

    def test_its_interval_is_student_s_over_the_seeds(self, rows):
        tables = []
        for seed, less in enumerate((0, 60, 90)):
            found = rows.found_pixels - less * ((rows["without"] == "GCA") & (rows.kind == "run"))
            tables.append(rows.assign(seed=seed, found_pixels=found))
        false = hidden_bones.false_pixels([], label)
        table = hidden_bones.modules_response(pd.concat(tables), false).set_index("kind").loc["hidden"]
        added = np.array([30, 40, 45])  # of 300 pixels of runs 60 and 90 less, the mean with pairs
        half = stats.t.ppf(0.975, 2) * added.std(ddof=1) / np.sqrt(3)
        assert (table.low, table.high) == pytest.approx((added.mean() - half, added.mean() + half))
        assert f"{added.mean():+.1f} ({table.low:+.1f} to {table.high:+.1f})" in views.response_markdown(
            table.to_frame().T.rename_axis("kind").reset_index()
        )

    def test_pictures_have_a_panel_a_kind_and_a_method(self, rows):
        kinds = views.recall_of_kinds(hidden_bones.recall_by_kind(rows))
        assert [axis.get_title("left") for axis in kinds.axes] == ["seen", "one of a pair", "a run of levels"]
        doses = views.dose_and_response(hidden_bones.recall_by_share(rows))
        (legend,) = doses.legends
        assert [text.get_text() for text in legend.get_texts()] == ["whole network", "without GCA"]
