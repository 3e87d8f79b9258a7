"""True against measured curve angles: table, scatter, Bland-Altman, severity bands, and the spines that fail."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sadanet_lab import methods
from sadanet_lab.images.vpi_folder import VpiFolder
from sadanet_lab.metrics.agreement import WITHIN, limits_of_agreement
from sadanet_lab.spine.classes import COLOUR_BLIND_SAFE
from sadanet_lab.spine.curve_angles import RAW_DIFFERS, measure_curves
from sadanet_lab.spine.names import SEVERITIES, USUAL
from sadanet_lab.studies.angle_agreement import CLOSE, agreement, raw_agreement, severity_table
from sadanet_lab.studies.curve_agreement import curve_agreement
from sadanet_lab.training.runs import Run
from sadanet_lab.views import style
from sadanet_lab.views.level_lines import draw_levels
from sadanet_lab.views.overlays import overlay
from sadanet_lab.words import counted

NOTHING = "Nothing to draw: no angle is known, nor measured in a mask."
CROWD = 150
"""Angles in a panel from which on the points are smaller."""


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


def _panels(count: int, height: float, columns: int = 4) -> tuple[Figure, list[Axes]]:
    rows = max(1, -(-count // columns))
    figure, axes = style.panels(rows, columns, height * rows + 1, sharex=True, sharey=True)
    for axis in axes.flat[count:]:
        axis.axis("off")
    for column in range(columns):  # the last axis of a column has the numbers, be it in the last row or not
        own = [axis for axis in axes[:, column] if axis.axison]
        if own:
            own[-1].tick_params(labelbottom=True)
    return figure, list(axes.flat[:count])


def _seeds(table: pd.DataFrame) -> str:
    return counted(table.groupby("source").seed.nunique().max(), "seed")


def _size(points: int) -> float:
    """Of a panel's points: where they are many, single ones are seen at the edges alone."""
    return 6 if points < CROWD else 2


def scatter(table: pd.DataFrame) -> Figure:
    """Measured against true angle, one panel per source: the identity line, and +-5 degrees around it.

    Angles that are flagged are hollow. Images that are not measurable are counted in the title.
    """
    sources = list(table.source.unique())
    if not sources:
        return style.empty(NOTHING)
    figure, axes = _panels(len(sources), 1.75)
    top = 1.05 * np.nanmax(table[["true", "measured"]].to_numpy())
    line = np.array([0, top])
    for axis, source in zip(axes, sources, strict=True):
        part = table[table.source == source]
        axis.fill_between(line, line - CLOSE, line + CLOSE, color="0.9", linewidth=0)
        axis.plot(line, line, color="0.5", linewidth=0.6)
        flagged, others = (part[part.flagged.astype(bool) == is_so] for is_so in (True, False))
        colour, size = style.look(source).colour, _size(len(part))
        axis.scatter(others.true, others.measured, s=size, color=colour, linewidth=0)
        axis.scatter(flagged.true, flagged.measured, s=2 * size, facecolors="none", edgecolors=colour, linewidth=0.5)
        measured = part.measured.notna().sum()
        share = 100 * len(flagged) / max(measured, 1)
        axis.set_title(f"{source}\n{measured} of {len(part)}, {share:.0f} % flagged")
        axis.set(xlim=(0, top), ylim=(0, top), aspect="equal")
    figure.supylabel("measured angle (°)")
    style.note(
        figure,
        f"Across: true angle (°). Points: the largest curve angle of each test image, {_seeds(table)}; above each "
        f"panel how many of them were measurable. Grey: within {CLOSE:g}° of the truth. Hollow: flagged, the raw angle "
        f"differs by more than {RAW_DIFFERS:g}°.",
    )
    return figure


def bland_altman(table: pd.DataFrame, what: str = "the largest curve angle of each test image") -> Figure:
    """Difference against mean of measured and true angle, with bias and 95 % limits, one panel per source.

    what: the angles that the points are, for the note.
    """
    sources = list(table.source.unique())
    if not sources:
        return style.empty(NOTHING)
    figure, axes = _panels(len(sources), 1.5)
    for axis, source in zip(axes, sources, strict=True):
        part = table[(table.source == source) & table.measured.notna()]
        off = part.measured - part.true
        axis.axhline(0, color="0.8", linewidth=0.6)
        mean, colour = (part.measured + part.true) / 2, style.look(source).colour
        axis.scatter(mean, off, s=_size(len(part)), color=colour, linewidth=0)
        title = f"{source}, n = {len(off)}"
        if len(off) > 1:
            bias, low, high = limits_of_agreement(off.to_numpy())
            for y, dash in ((bias, "-"), (low, "--"), (high, "--")):
                axis.axhline(y, color="black", linestyle=dash, linewidth=0.7)
            title += f"\n{bias:+.1f}° ({low:+.1f}° to {high:+.1f}°)"
        axis.set_title(title)
    figure.supylabel("measured - true (°)")
    style.note(
        figure,
        f"Across: mean of measured and true angle (°). Points: {what}, where measurable, {_seeds(table)}. Line: bias; "
        f"dashed: 95 % limits of agreement (bias ± {WITHIN:g} sd), in brackets above.",
    )
    return figure


def severities(table: pd.DataFrame, sources: list[str]) -> Figure:
    """Images by true and measured severity band, one panel per source; shaded by the share of the true band."""
    if not sources:
        return style.empty(NOTHING)
    figure, axes = style.panels(1, len(sources), 2.2, sharey=True)
    for axis, source in zip(axes.flat, sources, strict=True):
        counts = severity_table(table, source)
        shares = counts.div(counts.sum(axis=1).clip(lower=1), axis=0)
        names = [name.replace("not ", "not\n") for name in counts.columns]
        sns.heatmap(
            shares, annot=counts, fmt="d", cmap="Blues", vmin=0, vmax=1, cbar=False, ax=axis, linewidths=0.5,
            xticklabels=names, annot_kws={"size": 7.5},
        )  # fmt: skip
        seeds = table[table.source == source].seed.nunique()
        of_seeds = f", {seeds} times each" if seeds > 1 else ""
        axis.set(title=f"{source} (n = {counts.to_numpy().sum() // seeds}{of_seeds})", xlabel="measured", ylabel="")
        axis.tick_params(rotation=0, length=0)
    axes[0, 0].set_ylabel("true")
    style.note(
        figure,
        f"Numbers: test images, each once a seed, {_seeds(table)}; shade: share of the row. Severity: "
        f"{severity_bands()}.",
    )
    return figure


def worst(data: VpiFolder, table: pd.DataFrame, run: Run, count: int = 4) -> Figure:
    """The test images whose angle is furthest off: what is measured in the mask, and in a run's label map."""
    method = methods.find_method(run.recipe.method).title
    part = table[(table.source == method) & (table.seed == run.recipe.seed)]
    if part.empty:
        return style.empty(NOTHING)
    order = (part.measured - part.true).abs().fillna(np.inf).sort_values(ascending=False).index[:count]
    samples = {sample.stem: sample for sample in data.test}
    tall, wide = data.test[0].image().shape
    figure, axes = style.panels(1, 2 * len(order), (style.TWO_COLUMNS / (2 * len(order)) - 0.06) * tall / wide + 1.15)
    for pair, (_, row) in zip(axes.reshape(-1, 2), part.loc[order].iterrows(), strict=True):
        sample = samples[row.stem]
        measured = "not measurable" if np.isnan(row.measured) else f"measured {row.measured:.1f}°"
        both = (sample.mask(), "mask", f"true {row.true:.1f}°"), (run.prediction(row.stem), method, measured)
        for axis, (labels, name, title) in zip(pair, both, strict=True):
            axis.imshow(overlay(sample.image(), labels, COLOUR_BLIND_SAFE))
            draw_levels(axis, measure_curves(labels))
            axis.set_title(f"{name}\n{title}", fontsize=style.SMALL)
            axis.axis("off")
    style.class_legend(figure)
    style.note(
        figure,
        f"The {len(order)} of n = {len(part)} test images whose largest angle is furthest off (not measurable: "
        f"furthest of all), {method}, seed {run.recipe.seed}. Thick lines end a curve, thin ones are the other "
        "levels; numbers: angles of the curves as measured in that label map.",
    )
    return figure


def severity_bands() -> str:
    """The bands in words: "none below 10°, mild below 25°, ..."."""
    below = [f"{name} below {limit:g}°" for name, limit in zip(SEVERITIES[:-1], USUAL.severities, strict=True)]
    return ", ".join([*below, f"{SEVERITIES[-1]} above"])
