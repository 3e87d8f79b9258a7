"""What attention does in trained networks, and whether it finds what is hidden."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from sadanet_lab.metrics.claims import IDLE
from sadanet_lab.metrics.hidden import SEEN
from sadanet_lab.spine.curve_angles import measure_curves
from sadanet_lab.studies import knockouts as study
from sadanet_lab.studies.attention_maps import AttentionMaps
from sadanet_lab.studies.conclusions.wording import extremes, no_runs, not_measured, sentence, span
from sadanet_lab.studies.hidden_bones import FALSE, HIDDEN, KINDS, LUMPS, THORACIC, WHOLE, DoseEffect
from sadanet_lab.studies.hidden_shares import CHANGE, MUCH_HIDDEN, NOTHING_HIDDEN
from sadanet_lab.training.evaluation import ONE_HOT
from sadanet_lab.words import counted, join


def knockouts(lost: pd.DataFrame) -> str:
    """Of ``knockouts.dice_lost``: how many modules Dice hardly depends on, of which it is sure that they help or harm,
    and which it needs most."""
    if lost.empty:
        return "None of these networks has attention that runs in testing."
    table = study.summarise(lost)
    small, idle = study.are_small(table).sum(), study.are_idle(table).sum()
    most = table.sort_values("lost", kind="stable").iloc[-1]
    around = f", {most.low:+.2f} to {most.high:+.2f}" if most.low == most.low else ""
    return sentence(
        f"taken out of the trained networks, {small} of {counted(len(table), 'attention module')} "
        f"{'moves' if small == 1 else 'move'} mean bone Dice by less than {IDLE:g} points on average"
        + (f" ({idle} of them every single bone)" if small else ""),
        f"the 95 % interval of what is lost, uncorrected, lies above 0 for {_named(table[table.low > 0])}, below 0 for "
        f"{_named(table[table.high < 0])}"
        if table.low.notna().any()
        else "",
        f"most is lost without {most.method}'s {most.module} ({most.lost:+.2f}{around}, "
        f"{counted(int(most.seeds), 'seed')})"
        if most.lost >= IDLE
        else "none is worth more",
    )


def _named(table: pd.DataFrame) -> str:
    """The modules of a table: "SADANet's GCA and SEAM's SAA"."""
    return join(f"{row.method}'s {row.module}" for row in table.itertuples())


def kinds(recall: pd.DataFrame) -> str:
    """Of ``hidden_bones.recall_by_kind``: what whole networks find of each kind of bone."""
    whole = recall[recall["without"] == WHOLE].dropna(subset="recall")
    if whole.empty:
        return no_runs("hidden bones")
    told = {}
    for of, part in whole.groupby("of", sort=False):
        means = part.groupby(["kind", "method"], sort=False).recall.mean()
        known = [kind for kind in KINDS if kind in set(part.kind)]
        told[of] = ", ".join(f"{_called(kind)} {extremes(means[kind], '{:.0f} %')}" for kind in known)
    each = [f"of {of}: {told[of]}" for of in (THORACIC, LUMPS) if of in told]
    return sentence(f"recall of whole networks ({counted(whole.seed.nunique(), 'seed')}) {'; '.join(each)}")


def _called(kind: str) -> str:
    return KINDS[kind] if kind == SEEN else f"{KINDS[kind]} hidden"


def doses(recall: pd.DataFrame, effect: DoseEffect | None) -> str:
    """Of ``hidden_bones.recall_by_share`` and ``dose_effect``: what more hidden bones cost whole networks."""
    whole = recall[recall["without"] == WHOLE].dropna(subset="recall")
    if effect is None:
        return (
            no_runs("the share of bones that is hidden")
            if whole.empty
            else "One share alone is hidden: there is no dose to answer to."
        )
    low, high = whole.share.min(), whole.share.max()
    means = whole.groupby(["method", "share"]).recall.mean().unstack()
    changes = (means[high] - means[low]).dropna()
    images = " and ".join(str(whole[whole.share == at].images.iloc[0]) for at in (low, high))
    could = (
        ""
        if effect.high < 0 or effect.low > 0
        else f", so that {effect.high - effect.change:.0f} points more or less could not have been told from none"
    )
    falls = "falls" if effect.high < 0 else "rises" if effect.low > 0 else "neither falls nor rises for certain"
    return sentence(
        f"from {100 * low:.0f} % of the bones hidden to {100 * high:.0f} % the recall of hidden ribs and processes "
        f"{falls}: {effect.change:+.1f} points in the mean over {counted(len(changes), 'method')} and "
        f"{counted(whole.seed.nunique(), 'seed')} (95 % interval over the {images} images: {effect.low:+.1f} to "
        f"{effect.high:+.1f}{could}), {extremes(changes, '{:+.1f}')}"
    )


def differences_by_share(table: pd.DataFrame) -> str:
    """Of ``hidden_shares.differences_by_share``: where the order of the methods depends on how much is hidden."""
    if table.empty:
        return "Nothing to compare: fewer than two methods, or too few images with nothing and with much hidden."
    told = []
    for of in (NOTHING_HIDDEN, MUCH_HIDDEN):
        rows = table[table.images_of == of].set_index("other")
        told.append(f"{extremes(rows.difference, '{:+.1f}')} with {of} ({rows.images.iloc[0]} images)")
    change = table[table.images_of == CHANGE]
    gains, loses = (join(change.other[side]) for side in (change.low > 0, change.high < 0))
    return sentence(
        f"{table.method.iloc[0]} minus another method is, in mean bone Dice, {' and '.join(told)}",
        f"where more is hidden it gains on {gains} and loses on {loses} (95 % interval of the change, "
        f"{counted(int(table.seeds.iloc[0]), 'seed')}, uncorrected)",
    )


def responses(table: pd.DataFrame) -> str:
    """Of ``hidden_bones.modules_response``: which modules surely add to the recall of hidden bones or take from it, and
    which adds most, beside what it adds to seen ones and to false pixels."""
    hidden = table[table.kind == HIDDEN].dropna(subset="added")
    if hidden.empty:
        return no_runs("what modules add to hidden bones")
    most = hidden.sort_values("added", kind="stable").iloc[-1]
    beside = table[(table.method == most.method) & (table.module == most.module)].set_index("kind").added
    seeds = int(hidden.seeds.min())
    around = "" if seeds == 1 else f" ({most.low:+.1f} to {most.high:+.1f})"
    sure = (
        "one seed gives no verdict"
        if seeds == 1
        else f"the 95 % interval over {seeds} seeds, uncorrected, lies above 0 for {_named(hidden[hidden.low > 0])}, "
        f"below 0 for {_named(hidden[hidden.high < 0])}"
    )
    return sentence(
        f"of {counted(len(hidden), 'module')} {most.method}'s {most.module} adds most to the recall of hidden ribs and "
        f"processes: {most.added:+.1f} points{around}, {beside['seen']:+.1f} to that of seen ones; false pixels, in "
        f"percent of the true ones, {beside[FALSE]:+.1f}",
        sure,
    )


def entropies(rows: pd.DataFrame) -> str:
    """Of ``saturation.affinity_rows``: how many of the rows of g are one-hot, by form, trained and at the start."""
    one_hot = rows.assign(percent=100.0 * (rows.largest >= ONE_HOT))
    shares = one_hot.groupby(["normalisation", "network"], sort=False).percent.mean().reset_index()
    told = [f"{row.percent:.0f} % with {row.normalisation} ({row.network})" for row in shares.itertuples()]
    return (
        sentence(f"rows of g that look at one channel alone: {', '.join(told)}")
        if told
        else not_measured("the rows of g")
    )


def sizes(table: pd.DataFrame) -> str:
    """Of ``saturation.by_size``: the same against the size of the picture, each network and equation."""
    told = []
    for equation, part in table.groupby("equation", sort=False):
        pixels = part.height * part.width
        means = (100 * part.one_hot).groupby([part.network, pixels], sort=False).mean()
        first, last = means.groupby(level=0).first(), means.groupby(level=0).last()
        more = (last > first).sum()
        told.append(
            f"{equation}: {span(first, '{:.0f} %')} of the rows one-hot on the smallest pictures, "
            f"{span(last, '{:.0f} %')} on whole images, more in {more} of {counted(len(first), 'network')}"
        )
    return sentence(*told) if told else not_measured("the size of the picture")


def maps(found: Mapping[str, AttentionMaps]) -> str:
    """Of networks' ``attention_maps`` of one image: how many rows of each one's GCA look at one channel alone."""
    told = [
        f"{100 * float((each.channels.amax(-1) >= ONE_HOT).double().mean()):.0f} % in {name}"
        for name, each in found.items()
        if each.channels is not None
    ]
    return sentence(f"in this image, rows of GCA that look at one channel alone: {', '.join(told) or 'no GCA here'}")


def changes(found: Mapping[str, AttentionMaps], without: Mapping[str, Mapping[str, np.ndarray]]) -> str:
    """Of the same and their ``labels_without``: how many pixels change without each attention module."""
    shares = {
        f"{name}'s {module}": 100 * float((labels != each.labels).mean())
        for name, each in found.items()
        for module, labels in without[name].items()
    }
    if not shares:
        return "None of these networks has attention that runs in testing."
    return sentence(
        f"in this image {extremes(pd.Series(shares), '{:.1f} %')} of the pixels get another class without one module",
        "one image is an anecdote",
    )


def measured(found: Mapping[str, AttentionMaps]) -> str:
    """Of the same: the largest angle that each network's label map gives."""
    angles = {name: measure_curves(each.labels).largest_angle_degrees for name, each in found.items()}
    told = [f"{name} {'not measurable' if angle is None else f'{angle:.1f}°'}" for name, angle in angles.items()]
    return sentence(f"the largest angle in this image: {', '.join(told)}", "one image is an anecdote")
