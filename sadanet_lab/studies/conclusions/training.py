"""What longer training, other settings and a few annotated images bring; what bad images cost."""

import pandas as pd

from sadanet_lab.images.degradations import DEGRADATIONS
from sadanet_lab.studies.conclusions.wording import extremes, no_runs, not_measured, sentence
from sadanet_lab.studies.convergence import CONVERGED
from sadanet_lab.studies.few_images import NEW, SHIPPED
from sadanet_lab.studies.robustness import UNDEGRADED, FaintDifference, recall_of_faint, worst_dice
from sadanet_lab.words import counted, join


def lengths(dice: pd.DataFrame) -> str:
    """Of ``convergence.dice_by_length``: what the longest training brings beyond the shortest."""
    means = dice.groupby(["method", "iterations"], sort=False).dice.mean().unstack()
    if means.empty:
        return no_runs("longer training")
    first, last = means.columns.min(), means.columns.max()
    if first == last:
        return f"Trainings of one length, {last:,} steps: what more bring is not known."
    gained = (means[last] - means[first]).dropna()
    return sentence(
        f"from {first:,} to {last:,} steps mean bone Dice changes by {extremes(gained, '{:+.2f}')} points "
        f"({counted(dice.seed.nunique(), 'seed')})"
    )


def last_doubling(gains: pd.DataFrame) -> str:
    """Of ``convergence.last_doubling``: who is not done."""
    known = gains.dropna(subset="gained")
    if known.empty:
        return no_runs("the last doubling")
    moving = known[known.gained > CONVERGED]
    unsure = known[(known.gained - CONVERGED).abs() < 2 * known.noise]
    return sentence(
        f"the last doubling gained more than {CONVERGED:g} points in {len(moving)} of {counted(len(known), 'method')}"
        + (f": {join(moving.method)}" if len(moving) else ""),
        f"so near the mark that the seed may have decided: {join(unsure.method)}" if len(unsure) else "",
        f"gains of {counted(int(known.seeds.min()), 'seed')} and ranks are no verdict",
    )


def choices(table: pd.DataFrame) -> str:
    """Of ``choices.compare_choices``: the changes that cost and bring most."""
    if table.empty:
        return no_runs("changed settings")
    added = table.set_index(table.method + ", " + table.change).dice_difference
    fewest, most = int(table.seeds.min()), int(table.seeds.max())
    seeds = counted(most, "seed") if fewest == most else f"{fewest} to {counted(most, 'seed')}"
    return sentence(
        f"of {counted(len(added), 'changed setting')} the difference to the profile's own is "
        f"{extremes(added, '{:+.2f}')} points of mean bone Dice ({seeds})",
        "sizes, no verdicts",
    )


def few_images(table: pd.DataFrame) -> str:
    """Of rows ``few_images.COLUMNS``: mean Dice of each start and number of images, and what the start saves."""
    if table.empty:
        return not_measured("a few annotated images")
    means = table.groupby(["start", "images"])[["dice", "mae"]].mean()
    told = []
    for start in table.start.unique():
        known = means.loc[start]
        told.append(f"{start} {', '.join(f'{dice:.1f} ({images})' for images, dice in known.dice.items())}")
    trained = table[table.images > 0]
    return sentence(
        f"mean bone Dice (%) on the other scanner (annotated images): {told[0]}",
        *told[1:],
        _images_saved(means.dice) if {SHIPPED, NEW} <= set(trained.start) else "",
        _angles(means.mae[SHIPPED]) if SHIPPED in set(trained.start) else "",
        _seeds(trained),
    )


def _seeds(trained: pd.DataFrame) -> str:
    """How many seeds the trained rows of the two usual starts have at least, and what that means."""
    if trained.empty:
        return f"nothing is trained here: what masks add to the {SHIPPED} is not known yet"
    seeds = trained[trained.start.isin((SHIPPED, NEW))].groupby(["start", "images"]).seed.nunique().min()
    return "one seed each gives no verdict" if seeds == 1 else f"{seeds} seeds, the same images in each"


def _angles(mae: pd.Series) -> str:
    """Of the shipped model's error of the largest angle by images: with the fewest and the most."""
    fewest, most = mae.index.min(), mae.index.max()
    return f"its largest angle is off by {mae[fewest]:.2f}° with {fewest} and {mae[most]:.2f}° with {most}"


def _images_saved(means: pd.Series) -> str:
    """Of mean Dice by start and images: how many the shipped model needs for what random weights reach at the most."""
    best, at = means[NEW].max(), means[NEW].idxmax()
    enough = means[SHIPPED].index[means[SHIPPED] >= best]
    if enough.empty:
        return f"the {SHIPPED} does not reach what {NEW} do with {at} in as many steps"
    return f"the {SHIPPED} needs {enough.min()} for what {NEW} reach with {at} in as many steps"


def degradations(table: pd.DataFrame) -> str:
    """Of ``robustness.robustness``: what costs each network most Dice."""
    told = []
    for name, rows in worst_dice(table).groupby("network", sort=False):
        whole, worst = (rows[is_one] for is_one in (rows.degradation == UNDEGRADED, rows.degradation != UNDEGRADED))
        if len(worst):
            most = worst.sort_values("dice", kind="stable").iloc[0]
            lost = 100 * (whole.dice.item() - most.dice)
            by = f"{lost:.0f} points by {most.degradation.lower()} {most.strength:g}"
            told.append(f"{name} {by if lost > 0 else 'nothing'}")
    images = counted(table.stem.nunique(), "image")
    return (
        sentence(f"most mean bone Dice is lost by: {', '.join(told)} ({images})")
        if told
        else not_measured("degraded images")
    )


def measurable(table: pd.DataFrame) -> str:
    """Of ``robustness.over_seeds``: where angles that the mask gives stop being measurable, for each network."""
    shares = 100 * table.groupby(["network", "degradation", "strength"], sort=False).measurable.mean()
    if shares.isna().all():
        return not_measured("angles of degraded images")
    worst = shares.groupby(level=0, sort=False).idxmin()
    told = [
        f"{network} {shares[case]:.0f} %"
        + (f" ({DEGRADATIONS[case[1]].title.lower()} {case[2]:g})" if shares[case] < shares[network].max() else "")
        for network, case in worst.items()
    ]
    images = counted(table.stem.nunique(), "image")
    return sentence(f"angles that are measurable, where it is worst: {', '.join(told)} ({images})")


def faint(bones: pd.DataFrame, difference: FaintDifference | None) -> str:
    """Of ``robustness.bone_contrasts`` and ``faint_difference``: what each network finds of the faintest bones, beside
    what it finds of all."""
    faintest, every = 100 * recall_of_faint(bones), 100 * bones.groupby("network", sort=False).recall.mean()
    told = [f"{name} {recall:.1f} % (of all bones {every[name]:.1f} %)" for name, recall in faintest.items()]
    if not told:
        return not_measured("faint bones")
    return sentence(
        f"of the faintest quarter of the bones the networks find: {', '.join(told)}",
        f"{difference.network} minus {difference.other} is {difference.points:+.1f} points ({difference.low:+.1f} to "
        f"{difference.high:+.1f}, 95 % interval over {difference.seeds} seeds)"
        if difference
        else "",
        "one seed gives no verdict on SAA" if bones.seed.nunique() == 1 else "",
    )
