"""How well curve angles are measured: in masks, by the networks trained here, by the shipped model."""

import pandas as pd

from sadanet_lab.metrics.agreement import WITHIN
from sadanet_lab.spine.judgement import SHARE
from sadanet_lab.studies import angle_agreement as study
from sadanet_lab.studies.angle_agreement import CLOSE, MASK
from sadanet_lab.studies.conclusions.wording import extremes, not_measured, sentence
from sadanet_lab.studies.curve_agreement import curve_agreement
from sadanet_lab.words import counted, join


def _parts(rows: pd.DataFrame, column: str, form: str) -> str:
    """ "0.37° in the masks and from 1.82° (shipped model) to 4.33° (SA2Net) from networks"."""
    values = rows.set_index("source")[column].astype(float)
    told = [f"{form.format(values[MASK])} in the masks"] if MASK in values and values[MASK] == values[MASK] else []
    networks = values.drop(MASK, errors="ignore")
    return join([*told, f"{extremes(networks, form)} from networks"] if len(networks) else told)


def agreement(table: pd.DataFrame) -> str:
    """Of ``angle_agreement.angles``: the mean error of each source, and how much of all is measurable."""
    rows = study.agreement(table)
    if rows.empty or not rows.measurable.sum():
        return not_measured("the error of the largest angle")
    shares = 100 * rows.set_index("source").measurable / rows.set_index("source").images
    lowest = shares.idxmin()
    images, seeds = table.stem.nunique(), table.groupby("source").seed.nunique().max()
    return sentence(
        f"the mean error of the largest angle is {_parts(rows, 'mae', '{:.2f}°')} ({counted(images, 'test image')}, "
        f"{counted(int(seeds), 'seed')}; an order that no test stands behind)",
        "every angle is measurable"
        if shares.min() == 100
        else f"measurable are {shares.min():.3g} % at least ({lowest})",
    )


def close(table: pd.DataFrame) -> str:
    """Of the same: the share of all images within ``CLOSE`` degrees."""
    rows = study.agreement(table)
    if rows.empty:
        return not_measured("angles close to the truth")
    rows["share"] = 100 * rows.share_close
    return sentence(f"within {CLOSE:g}° of the truth lie, of all images, {_parts(rows, 'share', '{:.0f} %')}")


def smoothing(table: pd.DataFrame) -> str:
    """Of the same: for how many sources smoothing lowers the mean error, and whether flagged angles are further off."""
    rows = study.raw_agreement(table)
    if rows.empty or (rows := rows.dropna(subset=["smoothed_mae", "raw_mae"])).empty:
        return not_measured("smoothing")
    both = rows.dropna(subset=["mae_flagged", "mae_others"])
    worse = (both.mae_flagged > both.mae_others).sum()
    better = (rows.smoothed_mae < rows.raw_mae).sum()
    return sentence(
        f"smoothing lowers the mean error of {better} of {counted(len(rows), 'source')}, "
        f"from a mean of {rows.raw_mae.mean():.2f}° to {rows.smoothed_mae.mean():.2f}°",
        f"in {worse} of {len(both)} the flagged angles are further off than the others" if len(both) else "",
    )


def bias(table: pd.DataFrame) -> str:
    """Of rows source, measured, true: who measures too large, and who scatters most."""
    off = (table.measured - table.true).groupby(table.source, sort=False)
    means, sds = off.mean().dropna(), off.std().dropna()
    if means.empty:
        return not_measured("bias")
    return sentence(
        f"{(means > 0).sum()} of {counted(len(means), 'source')} measure too large on average, the bias being "
        f"{extremes(means, '{:+.1f}°')}",
        f"the limits of agreement are widest for {sds.idxmax()} (± {WITHIN * sds.max():.1f}°)" if len(sds) else "",
    )


def severity(table: pd.DataFrame, sources: list[str]) -> str:
    """Of ``angle_agreement.angles``: how many images get their true band, of some sources."""
    rows = study.agreement(table)
    if rows.empty:
        return not_measured("severity")
    rows = rows.set_index("source").reindex(sources).dropna(subset="images")
    told = [f"{100 * row.share_same_severity:.0f} % ({name})" for name, row in rows.iterrows()]
    part = table[table.source.isin(rows.index)]
    of = f"{counted(part.stem.nunique(), 'test image')}, {counted(part.seed.nunique(), 'seed')}"
    return sentence(f"in their true severity band are {join(told)} ({of})")


def curves(table: pd.DataFrame) -> str:
    """Of ``curve_agreement.curves``: how many are missed and invented, and how well the others agree."""
    rows = curve_agreement(table)
    if rows.empty or not rows.curves.sum():
        return not_measured("single curves")
    rows["missed_share"] = 100 * rows.missed / rows.curves
    rows["false_share"] = 100 * rows.false / rows.curves
    return sentence(
        f"of the true curves, missed are {_parts(rows, 'missed_share', '{:.0f} %')}",
        f"for each 100 of them, false are {_parts(rows, 'false_share', '{:.0f}')}",
        f"of those found the ICC is {_parts(rows, 'icc', '{:.2f}')}",
    )


def coverage(table: pd.DataFrame) -> str:
    """Of ``limits.coverage``: how often intervals hold the true largest angle, by kind of phantom."""
    shares = 100 * table.set_index("kind").covered
    if shares.isna().all():
        return not_measured("intervals")
    fewer = (shares < 100 * SHARE).sum()
    return sentence(
        f"intervals that are to hold {100 * SHARE:.0f} % of the largest angles hold {extremes(shares, '{:.0f} %')}, "
        f"fewer than that in {fewer} of {counted(len(shares.dropna()), 'kind')} of phantoms"
    )


def worst(table: pd.DataFrame, source: str, seed: int) -> str:
    """Of ``angle_agreement.angles``: the image that one network is furthest off in, and those not measurable."""
    part = table[(table.source == source) & (table.seed == seed)].set_index("stem")
    off = (part.measured - part.true).abs()
    lost = int(off.isna().sum())
    if lost == len(off):
        return not_measured(f"{source}'s worst angles")
    furthest = part.assign(off=off).sort_values("off", na_position="first").iloc[-1]
    return sentence(
        f"{source} is furthest off in {furthest.name}: {furthest.measured:.1f}° for {furthest.true:.1f}°",
        f"half of the {counted(len(off) - lost, 'measured image')} are off by {off.median():.1f}° or less",
        f"{lost} could not be measured" if lost else "",
    )
