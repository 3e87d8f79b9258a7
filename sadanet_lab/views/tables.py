"""The paper's tables beside ours: long tables of numbers, and the Markdown that people read."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sadanet_lab import methods
from sadanet_lab.images.image_statistics import quantity_title
from sadanet_lab.metrics.claims import p_told
from sadanet_lab.metrics.scores import BONE_REGIONS, METRICS, REGIONS, TABLE_METRICS
from sadanet_lab.metrics.statistics import PRIMARY

ONE_SEED = "One seed: these are differences between the networks that were trained, not between the methods."
EXPLORATORY = (
    "Exploratory, each bone for itself, uncorrected, no verdicts: difference (95 % interval; smallest to be found)."
)

if TYPE_CHECKING:
    from sadanet_lab.studies.finding import Finding


def paper_comparison_markdown(long: pd.DataFrame, first: str = "Method") -> str:
    """``compare_with_paper`` as Markdown: one row per method and source, +- sd; Dice first, then the other metrics.

    The paper's best of each column is bold, as it prints it. Ours is not: which is above stands in the differences.
    """
    order = list(long[long.source == "here"].method.unique())
    long = long[long["mean"].notna()]
    highest = long.groupby(["source", "region", "metric"])["mean"].transform("max")
    best = (long.source == "paper") & (highest.round(2) == long["mean"].round(2))
    cells = long["mean"].map("{:.2f}".format) + long.sd.map(lambda sd: "" if np.isnan(sd) else f" ± {sd:.2f}")
    cells = cells.where(~best, "**" + cells + "**")
    wide = long.assign(cell=cells).pivot(index=["method", "source"], columns=["region", "metric"], values="cell")
    columns = [(region, metric) for metric in TABLE_METRICS for region in REGIONS]
    rows = [(m, s) for m in order for s in ("paper", "here") if (m, s) in wide.index]
    wide = wide.reindex(index=rows, columns=columns).fillna("n/a")
    wide.columns = [f"{REGIONS[region]} {METRICS[metric].title}" for region, metric in columns]
    return wide.rename_axis([first, "Source"]).reset_index().to_markdown(index=False, disable_numparse=True)


def wide_markdown(scores: pd.DataFrame, first: str = "Method") -> str:
    """One metric of ``scores_of_runs`` as Markdown: one row per label and seed, one column per region."""
    wide = scores[scores.region.isin(REGIONS)].pivot(index=["method", "seed"], columns="region", values="percent")
    wide = wide.reindex(columns=list(REGIONS)).rename(columns=REGIONS).rename_axis([first, "Seed"])
    return _markdown_of_numbers(wide)


def _markdown_of_numbers(table: pd.DataFrame, form: str = "{:.2f}") -> str:
    """A table with its index on the left, every number in the same form; NaN is "n/a"."""
    shown = table.map(lambda value: "n/a" if np.isnan(value) else form.format(value)).reset_index()
    return shown.to_markdown(index=False, disable_numparse=True, colalign=["left"] + ["right"] * (shown.shape[1] - 1))


def differences_markdown(table: pd.DataFrame) -> str:
    """``statistics.differences_to`` as Markdown: the primary comparisons in full, then the exploratory ones.

    With the remarks of ``claims.remark_idle``, where it has been asked.
    """
    if table.empty:
        return "n/a: there are no two methods to compare."
    minus = f"{table.method.iloc[0]} minus"
    first, rest = table[table.role == PRIMARY], table[table.role != PRIMARY]
    shown = pd.DataFrame(
        {
            minus: first.other,
            f"{REGIONS[first.region.iloc[0]]} {METRICS[first.metric.iloc[0]].title}": _told(
                first, "difference", "+.2f"
            ),
            "95 % interval": _spans(first),
            "p (Holm)": first.p_corrected.map(p_told),
            "Smallest to be found": _told(first, "smallest", ".2f"),
            "p of equivalence (Holm)": first.p_equivalent_corrected.map(p_told),
            "Verdict": first.verdict
            + (first.remark.map(lambda said: said and f"; {said}") if "remark" in first else ""),
        }
    )
    cells = _told(rest, "difference", "+.2f") + " (" + _spans(rest) + "; " + _told(rest, "smallest", ".2f") + ")"
    cells = cells.where(rest.difference.notna(), "n/a")
    wide = rest.assign(cell=cells).pivot(index="other", columns="region", values="cell")
    wide = wide.loc[list(rest.other.unique()), list(rest.region.unique())].rename(columns=REGIONS)
    parts = [shown.to_markdown(index=False, disable_numparse=True)]
    parts += [EXPLORATORY, wide.rename_axis(minus).reset_index().to_markdown(index=False, disable_numparse=True)]
    return "\n\n".join(parts if table.seeds.min() > 1 else [*parts, ONE_SEED])


def _told(table: pd.DataFrame, column: str, form: str) -> pd.Series:
    return table[column].map(lambda value: "n/a" if np.isnan(value) else format(value, form))


def _spans(table: pd.DataFrame) -> pd.Series:
    """Intervals: "-0.61 to +0.54"."""
    return (_told(table, "low", "+.2f") + " to " + _told(table, "high", "+.2f")).where(table.low.notna(), "no interval")


def claims_markdown(claims: pd.DataFrame, comparisons: pd.DataFrame) -> str:
    """``claims.check`` as Markdown: each claim with its summary, then a line for each comparison."""
    if claims.empty:
        return "n/a: no claim is about the methods that there are runs of."
    parts = []
    for claim in claims.itertuples():
        lines = comparisons[comparisons.said == claim.said]
        told = [f"- {line.told}; in the paper {line.paper:+.2f}" for line in lines.itertuples()]
        parts.append("\n".join([f"**{claim.said}**: {claim.verdict}.", "", *told]))
    return "\n\n".join(parts)


def outlines_markdown(table: pd.DataFrame) -> str:
    """``outlines`` as Markdown."""
    shown = pd.DataFrame({"Method": table.method, "Region": table.region.map(REGIONS)})
    for key, title in (("hd95", "HD95"), ("surface_distance", "Mean distance")):
        pixels, percent = table[key].map("{:.1f}".format), table[f"{key}_percent"].map("{:.1f} %".format)
        shown[f"{title} (pixels, of height)"] = (pixels + ", " + percent).where(table[key].notna(), "n/a")
    for key, title in (("bones", "Bones"), ("missed", "missed"), ("false", "false")):
        shown[f"{title} per image"] = table[key].map("{:.2f}".format)
    return shown.to_markdown(index=False, disable_numparse=True)


def frame_markdown(table: pd.DataFrame) -> str:
    """``frame_scores`` as Markdown."""
    share = table.false_in_frame_percent.map("{:.1f} %".format).where(table.false_in_frame_percent.notna(), "n/a")
    shown = pd.DataFrame(
        {
            "Method": table.method,
            "Bone Dice": table.dice.map("{:.2f}".format),
            "in the strip alone": table.dice_in_strip.map("{:.2f}".format),
            "False bone pixels in the black frame": share,
            "Bones invented there, an image": table.invented.map("{:.2f}".format),
        }
    )
    return shown.to_markdown(index=False, disable_numparse=True)


def confusion_markdown(shares: pd.DataFrame) -> str:
    """``confusion_of_runs`` as Markdown, in percent."""
    return _markdown_of_numbers(100 * shares.rename_axis("In the mask"), "{:.1f}")


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
    """What is known of each method and what we assumed, as Markdown; names: see ``methods.expand_names``."""
    rows = [(m.title, m.known, m.assumed) for m in map(methods.find_method, methods.expand_names(names))]
    return pd.DataFrame(rows, columns=["Method", "Known", "Assumed"]).to_markdown(index=False)


def table3_markdown(table: pd.DataFrame) -> str:
    """``table3.compare_rows`` as Markdown, a tick where both decimals agree."""
    shown = pd.DataFrame({"Row of Table III": table.row, "Configuration": table.configuration})
    for title, key in (("FLOPs (G)", "flops"), ("Parameters (M)", "params")):
        published, here = table[f"{key}_published"], table[f"{key}_here"].round(2)
        shown[f"{title}, paper"] = published.map("{:.2f}".format)
        shown[f"{title}, here"] = here.map("{:.2f}".format) + (here == published).map({True: " ✓", False: ""})
    return shown.to_markdown(index=False, disable_numparse=True)


def trace_markdown(table: pd.DataFrame) -> str:
    """``table3.trace_numbers`` as Markdown."""
    shown = pd.DataFrame(
        {
            "FLOPs (G)": table.flops_giga.map("{:.2f}".format) + " (" + table.flops_row + ")",
            "Parameters (M)": table.params_million.map("{:.2f}".format) + " (" + table.params_row + ")",
            "One row of the table": (table.flops_row == table.params_row).map({True: "yes", False: "no, exchanged"}),
            "What gives both": table.configurations,
        }
    )
    return shown.to_markdown(index=False, disable_numparse=True)


def attention_costs_markdown(costs: pd.DataFrame) -> str:
    """``complexity.attention_costs`` as Markdown."""
    shown = pd.DataFrame(
        {
            "Attention": costs.attention,
            "Image height": costs.image_height,
            "The paper's count (G)": costs.paper_macs / 1e9,
            "All products (G)": costs.macs / 1e9,
            "Memory (MiB)": costs.peak_bytes / 2**20,
        }
    )
    return shown.to_markdown(index=False, floatfmt=("", ".0f", ".2f", ".2f", ".0f"))


def complexity_for_people(table: pd.DataFrame) -> pd.DataFrame:
    """``complexity.complexity_table`` in millions, G and MiB, under headings for people."""
    g, mib = "{:.2f} G".format, "{:.0f} MiB".format
    return pd.DataFrame(
        {
            "method": table.method + table["head"].map(" ({})".format, na_action="ignore").fillna(""),
            "parameters": (table.parameters / 1e6).map("{:.2f} M".format),
            "paper's count": (table.paper_macs / 1e9).map(g),
            "inference": (table.inference_macs / 1e9).map(g),
            "training, forward": (table.training_macs / 1e9).map(g),
            "training step": (table.step_macs / 1e9).map(g),
            "inference memory": (table.inference_peak_bytes / 2**20).map(mib),
            "training memory": (table.training_peak_bytes / 2**20).map(mib),
            "inference memory at 512 x 2048": (table.whole_image_peak_bytes / 2**20).map(mib),
        }
    )


def finding_markdown(finding: "Finding") -> str:
    """One finding of the audit as Markdown: question, evidence, verdict."""
    evidence = finding.evidence.to_markdown(index=False, floatfmt=".2f")
    return f"### {finding.question}\n\n{evidence}\n\n**Verdict.** {finding.verdict}\n"


def real_comparison_markdown(table: pd.DataFrame) -> str:
    """``compare_with_real`` as Markdown."""
    shown = pd.DataFrame(
        {
            "": table.quantity.map(quantity_title),
            "Here: 5 %": table.low.map("{:.4g}".format),
            "median": table["median"].map("{:.4g}".format),
            "95 %": table.high.map("{:.4g}".format),
            "One real image": table.real.map("{:.4g}".format),
            "within": table.within.map({True: "yes", False: "**no**"}),
        }
    )
    return shown.to_markdown(index=False, disable_numparse=True)


def tracing_markdown(table: pd.DataFrame) -> str:
    """``tracing.score_traced`` as Markdown."""
    shown = {f"{REGIONS[region]} Dice (%)": table[region].map("{:.1f}".format) for region in BONE_REGIONS}
    shown["Largest angle: MAE (°)"] = table.mae.map("{:.2f}".format)
    shown["Within 5°"] = (100 * table.share_close).map("{:.0f} %".format)
    return pd.DataFrame(shown).to_markdown(index=False, disable_numparse=True)
