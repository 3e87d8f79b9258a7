"""The paper's tables beside ours: long tables of numbers, and the Markdown that people read."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from sadanet_core import methods
from sadanet_core.experiment.run_store import Run
from sadanet_core.experiment.scores import scorer
from sadanet_core.images.classes import BONES, CLASSES
from sadanet_core.images.vpi_folder import Sample, VpiFolder
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


def published_table1() -> pd.DataFrame:
    """Table I as printed, in percent, long: method, region, metric, mean; both averages on one basis each.

    average_3_bones is computed from the printed regions. average_4_classes is the printed "Ave." of the rows that
    include the background in it. The others (UNet, RSNU, SEAM) print a mean of three, and have none.
    """
    table = pd.read_csv(PUBLISHED / "table1_methods.csv")
    table.columns = ["method", "region", "dice", "iou", "recall"]
    bones = table[table.region.isin(BONES)].groupby("method", sort=False)[["dice", "iou", "recall"]].mean()
    printed = table[table.region == "average_as_published"].set_index("method")[["dice", "iou", "recall"]]
    # The background's score is near 100: a printed average of four lies more than 2 points above that of the bones.
    of_four = printed[(printed.dice - bones.dice) > 2]
    averages = [bones.assign(region="average_3_bones"), of_four.assign(region="average_4_classes")]
    rows = [table[table.region.isin(BONES)], *(a.reset_index() for a in averages)]
    return pd.concat(rows).melt(["method", "region"], var_name="metric", value_name="mean").assign(source="paper")


def scores_of_runs(runs: Iterable[Run], basis: str = "pooled") -> pd.DataFrame:
    """Scores of runs in percent, long: method, seed, region, metric, percent."""
    tables = []
    for run in runs:
        scores = 100 * scorer(basis)(run.counts).rename_axis("region")
        long = scores.reset_index().melt("region", var_name="metric", value_name="percent")
        tables.append(long.assign(method=methods.find(run.recipe.method).title, seed=run.recipe.seed))
    return pd.concat(tables, ignore_index=True)


def normalisation_scores(runs: Iterable[Run]) -> pd.DataFrame:
    """Scores of the same method with other forms of channel attention: normalisation, seed, a column a region."""
    rows = []
    for run in runs:
        dice = 100 * scorer("pooled")(run.counts).dice
        origin = {"normalisation": run.recipe.normalisation, "seed": run.recipe.seed}
        rows.append(origin | {f"{title} Dice": dice[region] for region, title in REGIONS.items()})
    return pd.DataFrame(rows)


def table1(runs: Iterable[Run], basis: str = "pooled") -> pd.DataFrame:
    """The paper's Table I and our runs in one long table, in percent.

    Columns source ("paper" or "here"), method, region, metric, mean, sd (over seeds; NaN for a single one), seeds.
    """
    ours = scores_of_runs(runs, basis).query("metric in @METRICS and region in @REGIONS")
    grouped = ours.groupby(["method", "region", "metric"], sort=False).percent
    ours = grouped.agg(mean="mean", sd="std", seeds="count").reset_index().assign(source="here")
    paper = published_table1().query("method in @ours.method.unique()")
    columns = ["source", "method", "region", "metric", "mean", "sd", "seeds"]
    return pd.concat([paper, ours]).reindex(columns=columns).reset_index(drop=True)


def table1_markdown(long: pd.DataFrame) -> str:
    """Table I as Markdown: a row a method and source, best of each source and column in bold, +- sd over seeds."""
    long = long[long["mean"].notna()]
    best = long.groupby(["source", "region", "metric"])["mean"].transform("max").round(2) == long["mean"].round(2)
    cells = long["mean"].map("{:.2f}".format) + long.sd.map(lambda sd: "" if np.isnan(sd) else f" ± {sd:.2f}")
    cells = cells.where(~best, "**" + cells + "**")
    wide = long.assign(cell=cells).pivot(index=["method", "source"], columns=["region", "metric"], values="cell")
    order = [(region, metric) for region in REGIONS for metric in METRICS]
    rows = [(m, s) for m in long.method.unique() for s in ("paper", "here") if (m, s) in wide.index]
    wide = wide.reindex(index=rows, columns=order).fillna("n/a")
    wide.columns = [f"{REGIONS[region]} {METRICS[metric]}" for region, metric in order]
    return wide.rename_axis(["Method", "Source"]).reset_index().to_markdown(index=False)


def dataset_summary(data: VpiFolder) -> pd.DataFrame:
    """A row an image: split, stem, height, width, mean and sd of grey, share of each class in percent."""
    rows = []
    for sample in (*data.train, *data.test):
        image, mask = sample.image(), sample.mask()
        shares = 100 * np.bincount(mask.ravel(), minlength=len(CLASSES)) / mask.size
        rows.append(
            {
                "split": sample.split,
                "stem": sample.stem,
                "height": image.shape[0],
                "width": image.shape[1],
                "grey_mean": image.mean(),
                "grey_sd": image.std(),
                **{f"{name}_percent": share for name, share in zip(CLASSES, shares, strict=True)},
            }
        )
    return pd.DataFrame(rows)


def dataset_statistics(summary: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Mean and sd over images of greys and class shares, beside what is known of real images; also as Markdown.

    summary: of ``dataset_summary``. Columns quantity, mean, sd, real (a number of patients' images), real_source.
    """
    known = pd.read_csv(PUBLISHED / "real_vpi_statistics.csv")
    over_images = summary[known.quantity].agg(["mean", "std"]).T.rename(columns={"std": "sd"})
    table = over_images.rename_axis("quantity").reset_index().merge(known, on="quantity")
    shown = pd.DataFrame(
        {
            "": table.quantity.str.replace("_percent", " (% of the picture)").str.replace("_", " "),
            "Here": [f"{mean:.1f} ({sd:.1f})" for mean, sd in zip(table["mean"], table.sd, strict=True)],
            "Real": table.real.map("{:.1f}".format),
            "Real images": table.real_source,
        }
    )
    return table, shown.to_markdown(index=False, disable_numparse=True)


def phantom_truth(data: VpiFolder) -> pd.DataFrame | None:
    """``truth.csv`` of a phantom folder (stem, split, largest_angle_degrees, ...); None for real images."""
    return pd.read_csv(data.root / "truth.csv") if data.is_phantom else None


def chosen_samples(data: VpiFolder, count: int) -> tuple[list[Sample], list[str]]:
    """Test images to look at, and a title each: of phantoms those from the smallest angle to the largest."""
    truth = phantom_truth(data)
    samples = list(data.test)
    titles = {sample.stem: sample.stem for sample in samples}
    if truth is not None:
        angles = truth.set_index("stem").largest_angle_degrees
        samples.sort(key=lambda sample: angles[sample.stem])
        titles = {sample.stem: f"{angles[sample.stem]:.0f}°" for sample in samples}
    places = np.linspace(0, len(samples) - 1, min(count, len(samples))).round().astype(int)
    return [samples[i] for i in places], [titles[samples[i].stem] for i in places]


def methods_markdown(names: Iterable[str]) -> str:
    """What is known of each method and what we assumed, as Markdown."""
    rows = [(m.title, m.known, m.assumed) for m in map(methods.find, names)]
    return pd.DataFrame(rows, columns=["Method", "Known", "Assumed"]).to_markdown(index=False)
