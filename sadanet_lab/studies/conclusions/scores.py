"""What Tables I, II and IV show: scores, differences, claims, and what lies beside overlap."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from sadanet_lab.metrics.scores import BONE_AVERAGE, REGIONS
from sadanet_lab.metrics.statistics import ALPHA, PRIMARY, VERDICTS
from sadanet_lab.studies.conclusions.wording import caution, extremes, no_runs, not_measured, sentence, span
from sadanet_lab.words import counted, join

STANDINGS = BORNE_OUT, IN_PART, CONTRADICTED, EQUIVALENT, MIXED, UNDECIDED, WITHHELD, NOT_IN_PAPER, EXPLORED = (
    "borne out", "borne out in part, for a method is missing", "contradicted", "of differences within half a point",
    "neither borne out nor contradicted", "left undecided", "without a verdict, for attention hardly moves Dice",
    "not so in the paper's own numbers on this basis", "exploratory, without a verdict",
)  # fmt: skip
"""Of a claim, from the best on."""
END = 0.2
"""The last share of a training, in which its loss is looked at."""


def scores(long: pd.DataFrame, profile: str) -> str:
    """Of ``run_scores.compare_with_paper``: the lowest and the highest mean bone Dice, here and in the paper."""
    dice = long[(long.region == BONE_AVERAGE) & (long.metric == "dice")].set_index("method")
    here, paper = (dice[dice.source == source] for source in ("here", "paper"))
    if here["mean"].notna().sum() == 0:
        return not_measured("Dice")
    seeds = int(here.seeds.max())
    several = len(here) > 1
    return sentence(
        f"mean bone Dice is {extremes(here['mean'], '{:.2f} %')}" + (f" over {len(here)} methods" if several else "")
        + f", {counted(seeds, 'seed')}",
        f"its sd over the seeds of a method is at most {here.sd.max():.2f} points" if here.sd.notna().any() else "",
        f"the paper's, of patients, is {extremes(paper['mean'], '{:.2f} %')}" if len(paper) else "",
        caution(seeds, profile) if several else "",
    )  # fmt: skip


def sweep(long: pd.DataFrame, profile: str) -> str:
    """Of the same of Table IV: how far the values of lambda lie apart, here and in the paper, beside the seeds."""
    dice = long[(long.region == BONE_AVERAGE) & (long.metric == "dice")].dropna(subset="mean")
    here, paper = (dice[dice.source == source] for source in ("here", "paper"))
    if here.empty:
        return not_measured("Dice")
    apart = {name: rows["mean"].max() - rows["mean"].min() for name, rows in (("here", here), ("paper", paper))}
    seeds = int(here.seeds.max())
    return sentence(
        f"from one lambda to another mean bone Dice moves by at most {apart['here']:.2f} points here "
        f"({counted(len(here), 'value')}, {counted(seeds, 'seed')})"
        + (f" and {apart['paper']:.2f} in the paper (single runs)" if len(paper) else ""),
        f"from seed to seed by an sd of up to {here.sd.max():.2f}" if here.sd.notna().any() else "",
        caution(seeds, profile) if len(here) > 1 else "",
    )


def differences(table: pd.DataFrame) -> str:
    """Of ``statistics.differences_to``, or ``claims.remark_idle`` of it: the verdicts of its primary comparisons."""
    if table.empty:
        return no_runs("differences to other methods")
    primary = table[table.role == PRIMARY]
    method, seeds = primary.method.iloc[0], int(primary.seeds.min())
    of = f"{counted(seeds, 'seed')}, {counted(int(primary.images.max()), 'test image')}"
    if primary.difference.isna().all():
        return not_measured("differences to other methods")
    if seeds == 1:
        values = primary.set_index("other").difference
        return sentence(
            f"{method} minus the others is {extremes(values, '{:+.2f}')} points of mean bone Dice ({of})",
            "one seed gives no verdict",
        )
    words = {"above": "above", "below": "below", "equivalent": "equivalent to", "undecided": "undecided against"}
    told = [f"{words[word]} {join(primary.other[primary.verdict == word])}" for word in VERDICTS
            if (primary.verdict == word).any()]  # fmt: skip
    remarks = [f"beside {row.other}, {row.remark}" for row in primary.itertuples() if getattr(row, "remark", "")]
    missed = primary[primary.verdict == "undecided"].set_index("other").smallest.dropna()
    return sentence(
        f"in mean bone Dice {method} is {', '.join(told)} ({of})",
        f"where undecided, a true difference of {extremes(missed, '{:.2f} points')} would have been found with 80 % "
        "power, were the spreads as estimated"
        if len(missed)
        else "",
        *remarks,
    )


def claims(verdicts: pd.DataFrame, compared: pd.DataFrame) -> str:
    """Of ``claims.check``: how many claims their primary comparisons, of mean bone Dice, bear out.

    A claim is borne out if all of them are surely above, by the margin where one is claimed, be it by less than half a
    point; it is contradicted if one is below or excludes the margin. What the paper's own numbers do not show on the
    basis tested is not asked of ours.
    """
    if verdicts.empty:
        return no_runs("the paper's claims")
    if compared.seeds.min() == 1:
        return f"One seed gives no verdict on any of {counted(len(verdicts), 'claim')}."
    standings = {said: _standing(compared[compared.said == said]) for said in verdicts.said}
    numbers = pd.Series(standings).value_counts().reindex(STANDINGS, fill_value=0)
    told = [f"{number} {'is' if number == 1 else 'are'} {word}" for word, number in numbers.items() if number]
    images = counted(int(compared.images.max()), "test image")
    of = f"{counted(int(compared.seeds.min()), 'seed')}, {images}"
    standing = compared.said.map(standings)
    others = compared.role != PRIMARY
    against = int((others & (standing == BORNE_OUT) & (compared.high < 0)).sum())
    explored = compared[others & (standing == EXPLORED)]
    told_by = (explored.low > 0).sum(), (explored.high < 0).sum()
    return sentence(
        f"of {counted(len(verdicts), 'claim')}, in mean bone Dice, {join(told)} ({of})",
        f"against those borne out {'speaks' if against == 1 else 'speak'} {counted(against, 'exploratory interval')}"
        if against
        else "",
        f"of the {counted(len(explored), 'uncorrected interval')} of the exploratory ones, wholly for them: "
        f"{told_by[0]}, wholly against: {told_by[1]}"
        if any(told_by)
        else "",
    )


def _standing(rows: pd.DataFrame) -> str:
    """Of the comparisons of one claim that could be made."""
    primary = rows[rows.role == PRIMARY]
    equivalent, undecided = primary.verdict == "equivalent", primary.verdict == "undecided"
    above = (primary.verdict == "above") | (equivalent & (primary.p_corrected < ALPHA) & (primary.difference > 0))
    reached = (primary.at_least == 0) | (primary.margin == "holds by the margin")
    if primary.empty:
        return EXPLORED
    if (primary.paper < primary.at_least).any():
        return NOT_IN_PAPER
    if (primary.verdict == "below").any() or (primary.margin == "margin excluded").any():
        return CONTRADICTED
    if primary.idle.any():
        return WITHHELD
    if (above & reached).all():
        return BORNE_OUT if len(rows) == rows.asked.max() else IN_PART
    return EQUIVALENT if equivalent.all() else UNDECIDED if (above | undecided).all() else MIXED


def of_forms(scores: pd.DataFrame, profile: str) -> str:
    """Of ``run_scores.scores_of_runs``, labelled by one setting: mean bone Dice of each label, over its seeds."""
    dice = scores[(scores.region == BONE_AVERAGE) & (scores.metric == "dice")]
    means = dice.groupby("method", sort=False).percent.mean()
    seeds = dice.seed.nunique()
    why = caution(seeds, profile) if len(means) > 1 else ""
    return sentence(f"mean bone Dice is {extremes(means, '{:.2f} %')}, {counted(seeds, 'seed')}", why)


def outlines(table: pd.DataFrame, seeds: int, profile: str) -> str:
    """Of ``run_scores.outlines``: bones that are missed and invented in an image, over the three classes, and how far
    each one's outlines lie apart."""
    sums = table.groupby("method", sort=False)[["bones", "missed", "false"]].sum()
    apart = [
        f"{str(bone).replace('_', ' ')} {extremes(rows.set_index('method').hd95, '{:.1f}')}"
        for bone, rows in table.groupby("region", sort=False)
    ]
    return sentence(
        f"of {sums.bones.max():.1f} bones an image, those missed are {extremes(sums.missed, '{:.1f}')}",
        f"those invented are {extremes(sums['false'], '{:.1f}')}, {counted(seeds, 'seed')}",
        f"the 95 % Hausdorff distance, in pixels: {', '.join(apart)}",
        caution(seeds, profile) if len(sums) > 1 else "",
    )


def frame(table: pd.DataFrame) -> str:
    """Of ``run_scores.frame_scores``: how much of what is invented lies in the black frame."""
    table = table.set_index("method")
    shares = table.false_in_frame_percent
    if shares.isna().all():
        return "No bone pixel is invented."
    gains = (table.dice_in_strip - table.dice).dropna()
    return sentence(
        f"of the false bone pixels {extremes(shares, '{:.0f} %')} lie in the black frame",
        f"inside the strip alone mean bone Dice differs by {span(gains, '{:+.1f} points')}" if len(gains) else "",
    )


def confusion(shares: pd.DataFrame, name: str) -> str:
    """Of ``run_scores.confusion_of_runs``: how much of each bone is found, and what is most often taken for what."""
    known = shares.dropna(how="all")
    bones = [bone for bone in known.index if bone != "background"]
    if not bones:
        return not_measured("confused classes")
    found = [f"{100 * known.loc[bone, bone]:.0f} % of {REGIONS[bone].lower()}" for bone in bones]
    wrong = {
        f"{true} is taken for {predicted}".replace("_", " "): known.loc[true, predicted]
        for true in known.index
        for predicted in known.columns
        if true != predicted
    }
    most = max(wrong, key=wrong.__getitem__)
    return sentence(f"{name} finds {join(found)} pixels", f"most often {most} ({100 * wrong[most]:.0f} %)")


def reliability(bins: pd.DataFrame) -> str:
    """Of the bins of ``run_scores.reliability_of_runs``: who is surer than right on pixels called a bone."""
    bones = bins[bins.region == "bones"].dropna(subset=["confidence", "accuracy"])
    off = {
        name: 100 * float(np.average(part.confidence - part.accuracy, weights=part.pixels))
        for name, part in bones.groupby("method", sort=False)
        if part.pixels.sum()
    }
    if not off:
        return not_measured("confidence on bones")
    sure = sum(value > 0 for value in off.values())
    of = f"{sure} of {counted(len(off), 'method')}"
    return sentence(
        f"on pixels called a bone {of} {'is' if sure == 1 else 'are'} surer than right",
        f"confidence minus accuracy is {extremes(pd.Series(off), '{:+.1f}')} points",
    )


def calibration(wide: pd.DataFrame) -> str:
    """Of ``run_scores.calibration_errors``."""
    names = {"all": "all pixels", "bones": "pixels called a bone"}
    told = [f"of {names[region]} {extremes(wide[region], '{:.1f} %')}" for region in names if region in wide]
    return sentence(f"expected calibration error: {', '.join(told)}")


def training(losses: pd.DataFrame) -> str:
    """Of ``run_scores.smooth_losses``: how far the loss still moves at the end; the mean over seeds."""
    moves: dict[str, list[float]] = {}
    for (name, _), run in losses.groupby(["method", "seed"], sort=False):
        before = run.loss[run.step <= (1 - END) * run.step.max()]
        if len(before) and before.iloc[-1] > 0:
            moves.setdefault(str(name), []).append(100 * (run.loss.iloc[-1] / before.iloc[-1] - 1))
    if not moves:
        return "These trainings are too short to say whether their loss still falls."
    means = pd.Series({name: float(np.mean(each)) for name, each in moves.items()})
    return sentence(f"over the last {100 * END:.0f} % of the steps the loss moves by {extremes(means, '{:+.0f} %')}")


def in_this_image(dice: Mapping[str, float], stem: str) -> str:
    """Method -> mean bone Dice of one image, in percent."""
    return sentence(
        f"in {stem} mean bone Dice is {extremes(pd.Series(dict(dice), dtype=float), '{:.1f} %')}",
        "one image and one seed are an anecdote",
    )


def over_images(dice: Mapping[str, float], name: str) -> str:
    """Stem -> a network's mean bone Dice in that image, in percent."""
    values = pd.Series(dict(dice), dtype=float)
    if values.isna().all():
        return not_measured(f"{name}'s Dice")
    return sentence(
        f"over {counted(len(values), 'test image')} {name}'s mean bone Dice is {extremes(values, '{:.1f} %')}, median "
        f"{values.median():.1f} %"
    )
