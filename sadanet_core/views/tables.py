"""The paper's tables beside ours: long tables of numbers, and the Markdown that people read."""

from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd

from sadanet_core import methods
from sadanet_core.experiment import calibration
from sadanet_core.experiment.run_store import Run
from sadanet_core.experiment.scores import counts_array, scores_of
from sadanet_core.images.classes import BONES, CLASSES
from sadanet_core.places import ROOT

PUBLISHED = ROOT / "data" / "published"

REGIONS = {
    "rib": "Rib",
    "thoracic_process": "Thoracic process",
    "lump": "Lump",
    "average_3_bones": "Average (3 bones)",
    "average_4_classes": "Average (4 classes)",
}
METRICS = {"dice": "Dice", "iou": "IoU", "recall": "Acc (recall)"}
"""The paper's three columns; its "Acc" behaves like recall, not like Eq. (10)."""

ONE_SEED = "One seed: these are differences between the networks that were trained, not between the methods."

Label = Callable[[Run], str]
"""How a run is called in a table."""


def method_label(run: Run) -> str:
    """The method's title, as in Tables I and II."""
    return methods.find(run.recipe.method).title


def lambda_label(run: Run) -> str:
    """ "λ = 3", as in Table IV."""
    return f"λ = {run.recipe.lambda_dice:g}"


def normalisation_label(run: Run) -> str:
    """The form of the channel attention: "softmax" or "max-minus"."""
    return run.recipe.normalisation


def published(table: str) -> pd.DataFrame:
    """Table "I", "II" or "IV" as printed, in percent, long: method, region, metric, mean; averages on one basis each.

    average_3_bones is computed from the printed regions. average_4_classes is the printed "Ave." of the rows that
    include the background in it. The others (UNet, RSNU, SEAM) print a mean of three, and have none. Rows are named
    as ours: "~ w/o SCA" of Table II is "SADANet w/o SCA", and Table IV's lambda "λ = 3".
    """
    file, name = {
        "I": ("table1_methods.csv", str),
        "II": ("table2_ablation.csv", lambda row: row.replace("~", "SADANet")),
        "IV": ("table4_lambda.csv", "λ = {:g}".format),
    }[table]
    numbers = pd.read_csv(PUBLISHED / file)
    numbers.columns = ["method", "region", "dice", "iou", "recall"]
    numbers["method"] = numbers.method.map(name)
    bones = numbers[numbers.region.isin(BONES)].groupby("method", sort=False)[["dice", "iou", "recall"]].mean()
    printed = numbers[numbers.region == "average_as_published"].set_index("method")[["dice", "iou", "recall"]]
    # The background's score is near 100: a printed average of four lies more than 2 points above that of the bones.
    of_four = printed[(printed.dice - bones.dice) > 2]
    averages = [bones.assign(region="average_3_bones"), of_four.assign(region="average_4_classes")]
    rows = [numbers[numbers.region.isin(BONES)], *(a.reset_index() for a in averages)]
    return pd.concat(rows).melt(["method", "region"], var_name="metric", value_name="mean").assign(source="paper")


def scores_of_runs(runs: Iterable[Run], basis: str = "pooled", label: Label = method_label) -> pd.DataFrame:
    """Scores of runs in percent, long: method (their label), seed, region, metric, percent."""
    tables = []
    for run in runs:
        scores = 100 * scores_of(run.counts, basis)
        long = scores.reset_index().melt("region", var_name="metric", value_name="percent")
        tables.append(long.assign(method=label(run), seed=run.recipe.seed))
    return pd.concat(tables, ignore_index=True)


def beside_paper(runs: Iterable[Run], table: str, basis: str = "pooled", label: Label = method_label) -> pd.DataFrame:
    """One of the paper's tables and our runs in one long table, in percent.

    Columns source ("paper" or "here"), method, region, metric, mean, sd (over seeds; NaN for a single one), seeds.
    """
    ours = scores_of_runs(runs, basis, label).query("metric in @METRICS and region in @REGIONS")
    grouped = ours.groupby(["method", "region", "metric"], sort=False).percent
    ours = grouped.agg(mean="mean", sd="std", seeds="count").reset_index().assign(source="here")
    paper = published(table).query("method in @ours.method.unique()")
    columns = ["source", "method", "region", "metric", "mean", "sd", "seeds"]
    return pd.concat([paper, ours]).reindex(columns=columns).reset_index(drop=True)


def beside_paper_markdown(long: pd.DataFrame, first: str = "Method") -> str:
    """``beside_paper`` as Markdown: a row a method and source, best of each source and column in bold, +- sd."""
    order = list(long[long.source == "here"].method.unique())
    long = long[long["mean"].notna()]
    best = long.groupby(["source", "region", "metric"])["mean"].transform("max").round(2) == long["mean"].round(2)
    cells = long["mean"].map("{:.2f}".format) + long.sd.map(lambda sd: "" if np.isnan(sd) else f" ± {sd:.2f}")
    cells = cells.where(~best, "**" + cells + "**")
    wide = long.assign(cell=cells).pivot(index=["method", "source"], columns=["region", "metric"], values="cell")
    columns = [(region, metric) for region in REGIONS for metric in METRICS]
    rows = [(m, s) for m in order for s in ("paper", "here") if (m, s) in wide.index]
    wide = wide.reindex(index=rows, columns=columns).fillna("n/a")
    wide.columns = [f"{REGIONS[region]} {METRICS[metric]}" for region, metric in columns]
    return wide.rename_axis([first, "Source"]).reset_index().to_markdown(index=False)


def wide_markdown(scores: pd.DataFrame, first: str = "Method") -> str:
    """One metric of ``scores_of_runs`` as Markdown: a row a label and seed, a column a region."""
    wide = scores[scores.region.isin(REGIONS)].pivot(index=["method", "seed"], columns="region", values="percent")
    wide = wide.reindex(columns=list(REGIONS)).rename(columns=REGIONS).rename_axis([first, "Seed"])
    return _markdown_of_numbers(wide)


def _markdown_of_numbers(table: pd.DataFrame, form: str = "{:.2f}") -> str:
    """A table with its index on the left, every number in the same form; NaN is "n/a"."""
    shown = table.map(lambda value: "n/a" if np.isnan(value) else form.format(value)).reset_index()
    return shown.to_markdown(index=False, disable_numparse=True, colalign=["left"] + ["right"] * (shown.shape[1] - 1))


def differences_markdown(table: pd.DataFrame) -> str:
    """``statistics.differences_to`` as Markdown: a row a method, a column a region; separable ones in bold."""
    if table.empty:
        return "n/a: there is no second method."
    span = "(" + table.low.map("{:+.1f}".format) + " to " + table.high.map("{:+.1f}".format) + ")"
    cells = table.difference.map("{:+.2f} ".format) + span.where(table.low.notna(), "(no interval)")
    cells = cells.where(~table.separable, "**" + cells + "**").where(table.difference.notna(), "n/a")
    wide = table.assign(cell=cells).pivot(index="other", columns="region", values="cell")
    wide = wide.loc[table.other.unique(), table.region.unique()].rename(columns=REGIONS)
    text = wide.rename_axis(f"{table.method.iloc[0]} minus").reset_index().to_markdown(index=False)
    return text if table.seeds.min() > 1 else f"{text}\n\n{ONE_SEED}"


def counts_by_label(runs: Iterable[Run], label: Label = method_label) -> dict[str, np.ndarray]:
    """Label -> counts (seeds, images, classes, 4), for ``statistics`` and ``claims``."""
    tables: dict[str, list[pd.DataFrame]] = {}
    for run in runs:
        tables.setdefault(label(run), []).append(run.counts)
    return {name: counts_array(each) for name, each in tables.items()}


def claims_markdown(claims: pd.DataFrame, comparisons: pd.DataFrame) -> str:
    """``claims.check`` as Markdown: each claim with its summary, then a verdict a comparison."""
    if claims.empty:
        return "No claim is about the methods chosen."
    parts = []
    for claim in claims.itertuples():
        lines = comparisons[comparisons.said == claim.said]
        told = [f"- {line.verdict}; in the paper {line.paper:+.2f}" for line in lines.itertuples()]
        parts.append("\n".join([f"**{claim.said}**: {claim.verdict}.", "", *told]))
    return "\n\n".join(parts)


def outlines(runs: Iterable[Run], label: Label = method_label) -> pd.DataFrame:
    """Outline distances and missed and false bones, a row a method and bone class, means over images and seeds.

    Columns method, region, hd95 (pixels), hd95_percent (of the image's height), surface_distance,
    surface_distance_percent, bones, missed, false (an image). NaN where a class is nowhere.
    """
    tables = []
    for run in runs:
        table = run.table("surfaces")
        percent = {f"{c}_percent": 100 * table[c] / table.height for c in ("hd95", "surface_distance")}
        tables.append(table.assign(method=label(run), **percent).rename(columns={"class": "region"}))
    columns = ["hd95", "hd95_percent", "surface_distance", "surface_distance_percent", "bones", "missed", "false"]
    return pd.concat(tables).groupby(["method", "region"], sort=False)[columns].mean().reset_index()


def outlines_markdown(table: pd.DataFrame) -> str:
    """``outlines`` as Markdown."""
    shown = pd.DataFrame({"Method": table.method, "Region": table.region.map(REGIONS)})
    for key, title in (("hd95", "HD95"), ("surface_distance", "Mean distance")):
        pixels, percent = table[key].map("{:.1f}".format), table[f"{key}_percent"].map("{:.1f} %".format)
        shown[f"{title} (pixels, of height)"] = (pixels + ", " + percent).where(table[key].notna(), "n/a")
    for key, title in (("bones", "Bones"), ("missed", "missed"), ("false", "false")):
        shown[f"{title}, an image"] = table[key].map("{:.2f}".format)
    return shown.to_markdown(index=False, disable_numparse=True)


def confusion_of_runs(runs: Iterable[Run]) -> pd.DataFrame:
    """Share of each true class (row) predicted as each class (column), over images and runs; NaN: no such class."""
    pixels = pd.concat(run.table("confusion") for run in runs).groupby("class")[list(CLASSES)].sum().loc[list(CLASSES)]
    totals = pixels.sum(axis=1)
    return pixels.div(totals.where(totals > 0), axis=0)


def confusion_markdown(shares: pd.DataFrame) -> str:
    """``confusion_of_runs`` as Markdown, in percent."""
    return _markdown_of_numbers(100 * shares.rename_axis("In the mask"), "{:.1f}")


def reliability_of_runs(runs: Iterable[Run], label: Label = method_label) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(bins: method, region, bin, pixels, confidence, accuracy; errors: method, region, percent), seeds pooled."""
    tables: dict[str, list[pd.DataFrame]] = {}
    for run in runs:
        tables.setdefault(label(run), []).append(run.table("calibration"))
    bins, errors = [], []
    for name, parts in tables.items():
        together = calibration.pooled(parts)
        bins.append(calibration.reliability(together).assign(method=name))
        error = 100 * calibration.expected_calibration_error(together)
        errors.append(error.rename("percent").rename_axis("region").reset_index().assign(method=name))
    return pd.concat(bins, ignore_index=True), pd.concat(errors, ignore_index=True)


def calibration_errors(errors: pd.DataFrame) -> pd.DataFrame:
    """The errors of ``reliability_of_runs``, a row a method and a column a region, in percent."""
    return errors.pivot(index="method", columns="region", values="percent").loc[errors.method.unique()]


def calibration_markdown(wide: pd.DataFrame) -> str:
    """``calibration_errors`` as Markdown."""
    return _markdown_of_numbers(wide.rename_axis("Method"))


def speed_markdown(table: pd.DataFrame) -> str:
    """``speed.speeds`` as Markdown."""
    shown = pd.DataFrame(
        {
            "Method": table.method,
            "Step (s)": table.seconds_per_step.map("{:.3g}".format),
            "Step (GFLOP)": table.step_gigaflop.map("{:.3g}".format),
            "Sustained (GFLOP/s)": table.gigaflops.map("{:.3g}".format),
            "Test image (s)": table.seconds_per_image.map("{:.2g}".format),
            "Hours here": table.hours_here.map("{:.3g}".format),
            "Hours on the GPU": table.hours_gpu.map("{:.3g}".format),
        }
    )
    return shown.to_markdown(index=False, disable_numparse=True)


def methods_markdown(names: Iterable[str]) -> str:
    """What is known of each method and what we assumed, as Markdown."""
    rows = [(m.title, m.known, m.assumed) for m in map(methods.find, names)]
    return pd.DataFrame(rows, columns=["Method", "Known", "Assumed"]).to_markdown(index=False)
