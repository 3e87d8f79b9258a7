"""docs/results.md and README's headline: every number is that of the committed results."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from sadanet_lab.methods import expand_names, find_method
from sadanet_lab.metrics.scores import BONE_AVERAGE, counts_array, score_of, scores_of
from sadanet_lab.metrics.statistics import ALPHA, estimate, holm
from sadanet_lab.paths import ROOT, STANDARD
from sadanet_lab.studies import hidden_bones, run_scores, tracing
from sadanet_lab.studies.convergence import CONVERGED
from sadanet_lab.studies.robustness import worst_dice
from sadanet_lab.training.choices import changed_settings
from sadanet_lab.training.recipe import make_recipe
from sadanet_lab.training.runs import list_runs, open_run

README = " ".join((ROOT / "README.md").read_text().split())
RESULTS = (ROOT / "docs" / "results.md").read_text()
ONE_LINE = " ".join(RESULTS.split())
QUICK = ROOT / "results" / "reference" / "quick-cpu"


@pytest.fixture(scope="module")
def runs():
    """Standard's runs of Tables I and II."""
    tables = ("01_table1_comparison", "02_table2_ablation")
    names = {name for table in tables for name in told_by(table)["findings"]["runs"]}
    return [open_run(STANDARD / "runs" / name) for name in sorted(names)]


def test_the_table_of_quick_results_is_the_committed_one():
    table = pd.read_csv(QUICK / "table1.csv").query("source == 'here' and metric == 'dice'")
    table = table.pivot(index="method", columns="region", values="mean")
    for method, row in table.iterrows():
        shown = " | ".join(f"{row[each]:.1f}" for each in ("rib", "thoracic_process", "lump", "average_3_bones"))
        assert f"| {method} | {shown} |\n" in RESULTS


@pytest.mark.parametrize("name", ["table1", "table2", "table4"])
def test_the_tables_of_standard_are_the_committed_ones(name):
    """Dice of each bone, their mean and its spread over seeds, and the primary difference with its verdict."""
    table = pd.read_csv(STANDARD / f"{name}.csv").query("source == 'here' and metric == 'dice'")
    table = table.pivot(index="method", columns="region", values=["mean", "sd"])
    judged = pd.read_csv(STANDARD / f"{name}_differences.csv").query("role == 'primary'").set_index("other")
    for method, row in table.iterrows():
        shown = [f"{row['mean', bone]:.1f}" for bone in ("rib", "thoracic_process", "lump")]
        shown.append(f"{row['mean', 'average_3_bones']:.2f} ± {row['sd', 'average_3_bones']:.2f}")
        if method in judged.index:
            row = judged.loc[method]
            shown += [f"{row.difference:+.2f} ({row.low:+.2f} to {row.high:+.2f})", row.verdict]
        assert f"| {method} | {' | '.join(shown)} |" in RESULTS


def test_corrected_over_both_tables_together_the_verdicts_are_the_same():
    both = pd.concat(pd.read_csv(STANDARD / f"{name}_differences.csv") for name in ("table1", "table2"))
    both = both[both.role == "primary"].drop_duplicates("other")
    assert len(both) == 11
    assert ((holm(both.p) < ALPHA) == both.verdict.isin(("above", "below"))).all()


def test_what_is_lost_without_each_attention_module_is_what_is_committed():
    lost = pd.concat(pd.read_csv(STANDARD / f"{name}_knockouts.csv") for name in ("table1", "table2"))
    lost = lost.drop_duplicates(["method", "module", "seed"])
    for (method, module), rows in lost.groupby(["method", "module"]):
        low, high, gamma = rows.low.iloc[0], rows.high.iloc[0], rows.gamma.abs().mean()
        shown = f"{rows.lost.mean():+z.2f} ({low:+.2f} to {high:+.2f}) | {'' if pd.isna(gamma) else f'{gamma:z.2f}'} |"
        assert f"| {method} | {module} | {shown}\n" in RESULTS


def test_the_hours_of_standard_are_those_of_its_runs(runs):
    spent = [run.environment for run in runs]
    hours = sum(run["training_seconds"] + run["testing_seconds"] for run in spent) / 3600
    assert f"{hours:.0f} core-hours" in RESULTS


def test_what_is_said_of_lambda():
    judged = pd.read_csv(STANDARD / "table4_differences.csv").query("role == 'primary'").set_index("other")
    assert set(judged.drop("λ = 0").verdict) == {"undecided"}
    none = judged.loc["λ = 0"]
    assert f"loses {none.difference:.2f} points ({none.low:.2f} to {none.high:.2f};" in ONE_LINE
    table = pd.read_csv(STANDARD / "table4.csv").query("metric == 'dice' and region == @BONE_AVERAGE")
    dice = {source: rows.set_index("method")["mean"] for source, rows in table.groupby("source")}
    assert f"the paper's table: {dice['paper']['λ = 3'] - dice['paper']['λ = 0']:.2f})" in ONE_LINE
    some = dice["here"].drop("λ = 0")
    assert f"their means lie within {some.max() - some.min():.2f} points" in ONE_LINE
    four, five = (judged.loc[name] for name in ("λ = 4", "λ = 5"))
    more = f"{-four.difference:.2f} points more ({-four.high:.2f} to {-four.low:.2f}, uncorrected)"
    assert f"4 and 5 have {more} and {-five.difference:.2f} ({-five.high:.2f} to {-five.low:.2f})" in ONE_LINE
    found = judged[judged.verdict == "undecided"].smallest
    told = f"{found.min():.2f} ({found.idxmin()}) to {found.max():.2f} points ({found.idxmax()})"
    assert f"true differences of {told} with 80 % power" in ONE_LINE


def told_by(notebook):
    return json.loads((STANDARD / f"{notebook}.json").read_text())


def test_what_tells_the_methods_apart_is_computed_again(runs):
    """Two rows of Table II, ribs that are far off, curves of a severity, and what is found of hidden bones."""
    counts, dice = run_scores.counts_by_label(runs), score_of(BONE_AVERAGE, "dice")
    found = estimate(counts["DANet"], counts["SADANet w/o SCA"], dice)
    low, high = found.limits
    assert f'DANet is {found.difference:.2f} points ({low:.2f} to {high:.2f}) above "w/o SCA"' in ONE_LINE

    far = {name: np.mean([(of_ribs(run).hd95 > 50).mean() for run in runs if run_scores.method_label(run) == name])
           for name in counts}  # fmt: skip
    told = [f"{100 * far[name]:.0f} %" for name in ("SADANet", "DANet", "SADANet w/o SAA", "SADANet w/o SCA")]
    shown = re.search(r'in ([\d]+ %) of .* pixels \(DANet: (\d+ %), "w/o SAA": (\d+ %), "w/o SCA": (\d+ %)\)', ONE_LINE)
    assert list(shown.groups()) == told

    mixed = {name: confused([run for run in runs if run_scores.method_label(run) == name]) for name in counts}
    ours, theirs = mixed["SADANet"], mixed["DANet"]
    assert (
        f"({ours.thoracic_process.rib:.1f} % of the process pixels and {ours.rib.thoracic_process:.1f} % of the rib "
        f"pixels; DANet {theirs.thoracic_process.rib:.1f} and {theirs.rib.thoracic_process:.1f})"
    ) in ONE_LINE
    missed = f"({ours.rib.background:.1f} % of their pixels; DANet {theirs.rib.background:.1f})"
    assert f"but misses more of the ribs {missed}" in ONE_LINE

    true = pd.read_csv(STANDARD / "angles.csv").query("source == 'mask'").set_index("stem").true
    true = true.loc[runs[0].counts.stem.unique()].to_numpy()
    mild, severe = (
        -estimate(counts["SADANet"][:, images], counts["DANet"][:, images], dice).difference
        for images in (true < 25, true >= 45)
    )
    assert f"{mild:.1f} points behind DANet where the largest angle is below 25°, {severe:.1f} from 45° on" in ONE_LINE

    rows = hidden_bones.hidden_rows(runs).query("without == ''")
    hidden = rows[(rows.kind != "seen") & (rows["class"] != "lump")].groupby(["method", "seed"])
    recall = (100 * hidden.found_pixels.sum() / hidden.pixels.sum()).groupby("method").mean()
    behind = [recall[name] - recall["SADANet"] for name in ("CCNet", "DANet", "FPN")]
    less = f"{min(behind):.0f} to {max(behind):.0f} points less than CCNet, DANet, and FPN"
    assert f"finds {recall['SADANet']:.0f} % of them, {less}" in ONE_LINE
    assert recall.min() > 50


def test_what_single_settings_change():
    table = pd.read_csv(STANDARD / "choices.csv")
    table = table.assign(name=table.change.str.partition(" (")[0]).set_index(["method", "name"])

    def told(method, name, sign=1):
        """ "0.92 points {...} (-2.50 to 4.34)": parts of what is said of a difference; sign -1: of what is lost."""
        row = table.loc[method, name]
        low, high = sorted(sign * limit for limit in (row.low, row.high))
        return f"{sign * row.dice_difference:.2f}", f"({low:.2f} to {high:.2f})"

    lost = [told("SADANet", name, -1)
            for name in ("augmentation paper", "first_weights pytorch", "normalisation max-minus")]  # fmt: skip
    (flips, of_flips), (weights, of_weights), (form, of_form) = lost
    assert (
        f"SADANet loses {flips} points by the upside-down flips of Sec. IV-B {of_flips}, {weights} by PyTorch's first "
        f"weights {of_weights} and {form} by DANet's form of Eq. (3) {of_form}"
    ) in ONE_LINE
    margin, (more, limits) = table.loc["UNet", "margin 0"], told("UNet", "margin 0")
    assert (
        f"UNet without the black margin has {more} points more {limits}, and {margin.frame_changed:.1f} % of its false "
        f"bone pixels in the frame in place of {margin.frame:.1f} %"
    ) in ONE_LINE
    tenth, one = (table.loc["RSNU", f"loss total-variation-{weight}"] for weight in ("0.1", "1"))
    assert tenth.validation > max(tenth.validation_changed, one.validation_changed), "its own weight is the best"
    assert (
        f"{tenth.validation:.1f} %, {tenth.validation_changed:.1f} with 0.1, {one.validation_changed:.1f} with 1"
        in ONE_LINE
    )
    danet, limits = told("DANet", "gamma 1.0", -1)
    assert f"DANet loses {danet} {limits[:-1]}, two seeds)" in ONE_LINE
    assert set(table.drop(index=("SADANet", "gamma 0.0")).seeds) == {2}
    page, flipped = (ROOT / "docs" / "choices.md").read_text(), table.loc["SADANet", "augmentation paper"]
    shares = f"from {flipped.frame:.1f} to {flipped.frame_changed:.1f} %"
    assert f"cost SADANet {flips} points of Dice and raise the share in the frame {shares}" in " ".join(page.split())


def test_what_longer_training_brings_is_of_kept_runs():
    """The last doubling of the steps, and what methods have after a quarter of them; one seed."""
    runs = [open_run(folder) for folder in list_runs(STANDARD)]

    def dice(method, **changes):
        recipe = make_recipe(method, "standard", runs[0].recipe.data, seed=0, **changes)
        (run,) = [run for run in runs if run.recipe == recipe]
        return 100 * scores_of(run.counts).dice[BONE_AVERAGE]

    committed = pd.read_csv(STANDARD / "convergence.csv").method.unique()
    gains = {find_method(name).title: dice(name) - dice(name, length=0.5)
             for name in expand_names(["all"]) if find_method(name).title in committed}  # fmt: skip
    (told,) = re.findall(r"With the last doubling \(seed 0\) (.*?)\. All are far above half a point", ONE_LINE)
    assert dict(re.findall(r"(\w[^,]*?) gained (\S+\d)", told)) == {one: f"{gain:.1f}" for one, gain in gains.items()}
    assert min(gains.values()) > 4 * CONVERGED
    others = [gain for one, gain in gains.items() if one not in ("SEAM", "SA2Net")]
    assert f"But for SEAM and SA2Net they gained alike, within {max(others) - min(others):.1f} points" in ONE_LINE
    quarters = pd.read_csv(STANDARD / "convergence.csv").query("iterations == 400").set_index("method").dice
    slow, rest = quarters[["UNet", "RSNU"]], quarters.drop(["UNet", "RSNU"])
    assert {f"{each:.0f}" for each in slow} == {"48"}
    assert f"hardly begun (48 %; the others {rest.min():.0f} to {rest.max():.0f})" in ONE_LINE


def test_where_gamma_begins_changes_the_order():
    in_table = set(pd.read_csv(STANDARD / "table1.csv").query("source == 'here'").method)
    kept = [open_run(folder) for folder in list_runs(STANDARD)]
    whole = [run for run in kept if run.recipe.iterations == 1600]
    from_0 = [run for run in whole if (run.recipe.method, changed_settings(run.recipe)) == ("sadanet", {"gamma": 0.0})]
    own = {name: [run for run in whole if run.recipe.method == name and not changed_settings(run.recipe)]
           for name in expand_names(["table-1"]) if find_method(name).title in in_table}  # fmt: skip
    counts = {
        name: counts_array(run.counts for run in sorted(each, key=lambda run: run.recipe.seed))
        for name, each in (own | {"from 0": from_0}).items()
    }
    assert {len(each) for each in counts.values()} == {5}
    found = {name: estimate(counts["from 0"], each, score_of(BONE_AVERAGE, "dice")) for name, each in counts.items()}
    average = 100 * score_of(BONE_AVERAGE, "dice")(counts["from 0"]).mean()

    def told(name):
        """ "0.44 (0.26 to 0.61)": of a difference below 0, its size."""
        sign, limits = np.sign(found[name].difference), found[name].limits
        low, high = sorted(sign * limit for limit in limits)
        return f"{sign * found[name].difference:.2f} ({low:.2f} to {high:.2f})"

    gain, limits = told("sadanet").split(" ", 1)
    assert f"SADANet has {average:.2f} over five seeds, {gain} points more {limits} than from 1" in ONE_LINE
    assert f"gains {gain} points {limits} and lies above all but CCNet and DANet" in README
    assert f"{told('danet')} below DANet and {told('ccnet')} below CCNet" in ONE_LINE
    below = {name for name, each in found.items() if each.limits[1] < 0}
    above = {name for name, each in found.items() if each.limits[0] > 0}
    assert below == {"danet", "ccnet"}
    assert above == set(own) - below, "SADANet itself, with gamma from 1, is among them"
    assert len(above - {"sadanet"}) == 7
    best = max(above, key=lambda name: score_of(BONE_AVERAGE, "dice")(counts[name]).mean())
    assert f"by {told(best)} above {find_method(best).title}, the best of them" in ONE_LINE
    ends = pd.concat(run.table("attention") for run in from_0).set_index("module").gamma.abs()
    sizes = ends.groupby(level=0).mean()
    assert f"end at {sizes['GCA']:.2f} (GCA) and {sizes['SCA']:.2f} (SCA, nearly 0 in two seeds) in size" in ONE_LINE
    assert (ends["SCA"] < 1e-6).sum() == 2


def test_what_bad_images_cost():
    table = worst_dice(pd.read_csv(STANDARD / "robustness.csv"))
    worst = 100 * table.pivot(index="degradation", columns="network", values="dice")
    lowest = worst.loc[["Noise", "Gain", "Blur", "Resolution"]]
    ours, without = (
        f"{lowest[name].min():.0f} to {lowest[name].max():.0f} %" for name in ("SADANet", "SADANet w/o SAA")
    )
    whole = worst.loc["Undegraded", "SADANet"]
    assert f"leave SADANet {ours} of Dice, of {whole:.0f} %, and SADANet without SAA {without}" in ONE_LINE
    kept = {f"{worst.loc[name, 'shipped model']:.0f}" for name in ("Noise", "Gain")}
    blur, low = (worst.loc[name, "shipped model"] for name in ("Blur", "Resolution"))
    assert (
        f"keeps {' to '.join(sorted(kept))} % in noise and in the dark, but {blur:.0f} % under blur and {low:.0f} % at "
        "low resolution, where no angle can be measured in 30 % of the images"
    ) in ONE_LINE
    measurable = next(each["says"] for each in told_by("10_robustness")["conclusions"] if "measurable" in each["says"])
    assert "shipped model 70 % (resolution 15)" in measurable
    (faint,) = [each["says"] for each in told_by("10_robustness")["conclusions"] if each["of"] == "robustness_contrast"]
    form = r"SADANet finds (.*?) %, without SAA (.*?) %: a difference of (.*?) points \((.*?) to (.*?)\)"
    told = re.search(form, ONE_LINE)
    assert set(told.groups()) <= set(re.findall(r"-?[\d.]+", faint))


def confused(runs):
    """Column: class in the mask; row: class found, in percent of the column's pixels."""
    pixels = pd.concat(run.table("confusion") for run in runs).groupby("class").sum(numeric_only=True).T
    return 100 * pixels / pixels.sum()


def of_ribs(run):
    return run.table("surfaces").query("`class` == 'rib'")


def test_how_much_is_hidden(runs):
    of_one = hidden_bones.hidden_rows(runs[:1]).query("without == ''")
    hidden = of_one[of_one.kind != "seen"].groupby(of_one["class"] == "lump").pixels.sum()
    share = 100 * hidden / of_one.groupby(of_one["class"] == "lump").pixels.sum()
    assert f"{share[False]:.0f} % of the rib and process pixels and {share[True]:.0f} % of the lump pixels" in ONE_LINE


def test_where_nothing_is_hidden_and_where_much_is():
    table = pd.read_csv(STANDARD / "hidden_bones_differences.csv").set_index("other")
    others = ["UNet", "RSNU", "SIU-Net"]
    nothing = table[table.images_of == "nothing hidden"].loc[others]
    told = f"{-nothing.difference.max():.1f} to {-nothing.difference.min():.1f} points above SADANet"
    assert f"where nothing is, UNet, RSNU and SIU-Net are {told}" in ONE_LINE
    assert (nothing.high < 0).all()
    much = table[table.images_of == "over 30 % hidden"].loc[others]
    assert ((much.low < 0) & (much.high > 0)).all()


def test_what_tracing_would_score_is_computed_again():
    table = tracing.trace_profile("standard", images=300)
    assert table is not None
    told = f"300 phantoms just where it is seen, and only what is seen, would have {table[BONE_AVERAGE].item():.1f} %"
    assert f"{told} and the largest angle off by {table.mae.item():.2f}°" in ONE_LINE
    methods = pd.read_csv(STANDARD / "table1.csv").query("source == 'here' and metric == 'dice'")
    assert methods[methods.region == BONE_AVERAGE]["mean"].min() > table[BONE_AVERAGE].item()  # "all methods have more"


@pytest.mark.slow
def test_what_tracing_what_the_shipped_model_is_tested_on_would_score():
    (row,) = tracing.score_traced(tracing.trace(200, seed=5, width=512, height=2048)).to_dict("records")
    card = " ".join((ROOT / "sadanet_lab/shipped/README.md").read_text().split())
    told = f"a Dice of {row[BONE_AVERAGE]:.1f}, the largest angle off by {row['mae']:.2f} degrees"
    assert f"{told} and {row['share_close']:.0%} within 5".replace("%", " %") in card


def test_the_headline_is_that_of_standard_s_verdicts():
    verdicts = pd.read_csv(STANDARD / "table1_differences.csv").query("role == 'primary'").set_index("other").verdict
    (told,) = re.findall(r"it is above (.*?), below (.*?), undecided against (.*?)\.", README)
    for verdict, names in zip(("above", "below", "undecided"), told, strict=True):
        assert {*re.findall(r"\w+-?Net|FPN|RSNU|SEAM", names)} == {*verdicts[verdicts == verdict].index}
    lost = pd.read_csv(STANDARD / "table1_knockouts.csv").query("method == 'SADANet'").groupby("module")
    for module, rows in lost:
        interval = f"{rows.low.iloc[0]:.2f} to {rows.high.iloc[0]:.2f}"
        assert re.search(rf"its {module} .{{,25}}{rows.lost.mean():.2f} (points )?\({interval}\)", README)
