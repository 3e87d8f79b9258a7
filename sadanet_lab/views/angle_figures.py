"""True against measured curve angles: table, scatter, Bland-Altman, severity bands, and the spines that fail."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sadanet_lab import methods
from sadanet_lab.images.vpi_folder import VpiFolder
from sadanet_lab.spine.classes import COLOUR_BLIND_SAFE
from sadanet_lab.spine.curve_angles import RAW_DIFFERS, measure_curves
from sadanet_lab.spine.names import SEVERITIES, USUAL
from sadanet_lab.studies.angle_agreement import CLOSE, agreement, raw_agreement, severity_table
from sadanet_lab.studies.curve_agreement import curve_agreement
from sadanet_lab.training.runs import Run
from sadanet_lab.views.overlays import overlay, with_levels


def agreement_markdown(table: pd.DataFrame) -> str:
    """``angle_agreement.agreement`` as Markdown."""
    rows = agreement(table)
    shown = pd.DataFrame(
        {
            "Angle from": rows.source,
            "Measurable": [f"{m} of {n}" for m, n in zip(rows.measurable, rows.images, strict=True)],
            "MAE (°)": [_number(v, ".2f") for v in rows.mae],
            "Bias (°)": [_number(v, "+.2f") for v in rows.bias],
            "SD (°)": [_number(v, ".2f") for v in rows.sd],
            f"Within {CLOSE:g}°": [_number(100 * v, ".0f") + " %" for v in rows.share_close],
            "Same severity": [_number(100 * v, ".0f") + " %" for v in rows.share_same_severity],
        }
    )
    return shown.to_markdown(index=False, disable_numparse=True)


def raw_agreement_markdown(table: pd.DataFrame) -> str:
    """``angle_agreement.raw_agreement`` as Markdown: smoothed beside raw, and the flagged apart."""
    rows = raw_agreement(table)
    columns = {"Angle from": list(rows.source)}
    for name in ("smoothed", "raw"):
        mae, bias, low, high = (rows[f"{name}_{key}"] for key in ("mae", "bias", "low", "high"))
        columns[f"MAE, {name} (°)"] = [_number(v, ".2f") for v in mae]
        columns[f"Bias, {name} (°)"] = [_number(v, "+.2f") for v in bias]
        columns[f"95 % limits, {name} (°)"] = [_range(*each, "+.1f") for each in zip(low, high, strict=True)]
    columns["Flagged (%)"] = [_number(100 * v, ".0f") for v in rows.share_flagged]
    columns["MAE, flagged (°)"] = [_number(v, ".2f") for v in rows.mae_flagged]
    columns["MAE, others (°)"] = [_number(v, ".2f") for v in rows.mae_others]
    return pd.DataFrame(columns).to_markdown(index=False, disable_numparse=True)


def curve_agreement_markdown(table: pd.DataFrame) -> str:
    """``curve_agreement.curve_agreement`` as Markdown."""
    rows = curve_agreement(table)
    shown = pd.DataFrame(
        {
            "Angles from": rows.source,
            "Curves": rows.curves,
            "Missed": rows.missed,
            "False": rows.false,
            "MAE (°)": [_number(v, ".2f") for v in rows.mae],
            "Bias (°)": [_number(v, "+.2f") for v in rows.bias],
            "95 % limits (°)": [_range(*limits, "+.1f") for limits in zip(rows.low, rows.high, strict=True)],
            "ICC(2,1)": [_number(v, ".3f") for v in rows.icc],
            "95 % interval": [_range(*limits, ".3f") for limits in zip(rows.icc_low, rows.icc_high, strict=True)],
            "Apex within 1 level (%)": [_number(100 * v, ".0f") for v in rows.share_apex],
            "Same region (%)": [_number(100 * v, ".0f") for v in rows.share_region],
        }
    )
    return shown.to_markdown(index=False, disable_numparse=True)


def _range(low: float, high: float, form: str) -> str:
    return f"{low:{form}} to {high:{form}}" if low == low else "n/a"


def _number(value: float, form: str) -> str:
    return "n/a" if value != value else format(value, form)


def _panels(count: int, columns: int = 4, height: float = 2.5) -> tuple[Figure, list[Axes]]:
    rows = max(1, -(-count // columns))
    figure, axes = plt.subplots(
        rows,
        columns,
        figsize=(2.5 * columns, height * rows),
        layout="constrained",
        sharex=True,
        sharey=True,
        squeeze=False,
    )
    for axis in axes.flat[count:]:
        axis.axis("off")
    return figure, list(axes.flat[:count])


def scatter(table: pd.DataFrame) -> Figure:
    """Measured against true angle, one panel per source: the identity line, and +-5 degrees around it.

    Angles that are flagged have a ring.
    """
    sources = list(table.source.unique())
    figure, axes = _panels(len(sources))
    top = 1.05 * np.nanmax(table[["true", "measured"]].to_numpy())
    line = np.array([0, top])
    for axis, source in zip(axes, sources, strict=True):
        part = table[table.source == source]
        axis.fill_between(line, line - CLOSE, line + CLOSE, color="0.9")
        axis.plot(line, line, color="0.5", linewidth=0.8)
        axis.scatter(part.true, part.measured, s=12, color=COLOUR_BLIND_SAFE[3] / 255, linewidth=0)
        flagged = part[part.flagged.astype(bool)]
        axis.scatter(flagged.true, flagged.measured, s=45, facecolors="none", edgecolors="0.2", linewidth=0.8)
        share = 100 * len(flagged) / max(part.measured.notna().sum(), 1)
        axis.set(title=f"{source}\n{share:.0f} % flagged", xlim=(0, top), ylim=(0, top), aspect="equal")
    figure.supxlabel(f"true angle (°); ring: the raw angle differs by more than {RAW_DIFFERS:g}°")
    figure.supylabel("measured angle (°)")
    return figure


def bland_altman(table: pd.DataFrame) -> Figure:
    """Difference against mean of measured and true angle, with bias and 95 % limits, one panel per source."""
    sources = list(table.source.unique())
    figure, axes = _panels(len(sources), height=2.1)
    for axis, source in zip(axes, sources, strict=True):
        part = table[(table.source == source) & table.measured.notna()]
        off = part.measured - part.true
        axis.axhline(0, color="0.8", linewidth=0.8)
        axis.scatter((part.measured + part.true) / 2, off, s=12, color=COLOUR_BLIND_SAFE[1] / 255, linewidth=0)
        if len(off) > 1:
            bias, limit = off.mean(), 1.96 * off.std()
            for y, style in ((bias, "-"), (bias - limit, "--"), (bias + limit, "--")):
                axis.axhline(y, color="black", linestyle=style, linewidth=0.8)
            title = f"{source}\n{bias:+.1f}°, limits {bias - limit:.1f}° to {bias + limit:.1f}°"
        axis.set_title(title if len(off) > 1 else source, fontsize=9)
    figure.supxlabel("mean of measured and true angle (°)")
    figure.supylabel("measured - true (°)")
    return figure


def severities(table: pd.DataFrame, sources: list[str]) -> Figure:
    """Images by true and measured severity band, one panel per source."""
    figure, axes = plt.subplots(
        1, len(sources), figsize=(3.4 * len(sources), 2.9), layout="constrained", sharey=True, squeeze=False
    )
    for axis, source in zip(axes.flat, sources, strict=True):
        sns.heatmap(
            severity_table(table, source), annot=True, fmt="d", cmap="Blues", cbar=False, ax=axis, linewidths=0.5
        )
        axis.set(title=source, xlabel="measured", ylabel="true" if axis is axes.flat[0] else "")
        axis.tick_params(axis="x", rotation=30)
        axis.tick_params(axis="y", rotation=0)
    return figure


def worst(data: VpiFolder, table: pd.DataFrame, run: Run, count: int = 4) -> Figure:
    """The test images whose angle is furthest off: what is measured in the expert's mask, and in a run's."""
    part = table[(table.source == methods.find_method(run.recipe.method).title) & table.true.notna()]
    order = (part.measured - part.true).abs().fillna(np.inf).sort_values(ascending=False).index[:count]
    samples = {sample.stem: sample for sample in data.test}
    figure, axes = plt.subplots(1, 2 * len(order), figsize=(1.5 * 2 * len(order), 5.6), layout="constrained")
    for pair, (_, row) in zip(axes.reshape(-1, 2), part.loc[order].iterrows(), strict=True):
        sample = samples[row.stem]
        measured = "not measurable" if np.isnan(row.measured) else f"measured {row.measured:.1f}°"
        predicted = run.prediction(row.stem)
        for axis, labels, title in zip(
            pair, (sample.mask(), predicted), (f"true {row.true:.1f}°", measured), strict=True
        ):
            axis.imshow(with_levels(overlay(sample.image(), labels, COLOUR_BLIND_SAFE), measure_curves(labels)))
            axis.set_title(title, fontsize=9)
            axis.axis("off")
    return figure


def severity_bands() -> str:
    """The bands in words: "none below 10°, mild below 25°, ..."."""
    below = [f"{name} below {limit:g}°" for name, limit in zip(SEVERITIES[:-1], USUAL.severities, strict=True)]
    return ", ".join([*below, f"{SEVERITIES[-1]} above"])
