"""What a careful reader finds in the paper's own tables of scores: each finding recomputed, with its verdict.

What any table gives away is asked by ``forensics``; here its answers for this paper's, and what needs the project's
other data: the class shares of one annotated image, the spread between seeds.
"""

from dataclasses import replace

import numpy as np
import pandas as pd

from sadanet_lab.metrics import consistency, pixel_balance
from sadanet_lab.metrics.claims import lambda_title
from sadanet_lab.metrics.scores import CLASS_AVERAGE
from sadanet_lab.spine.classes import BONES
from sadanet_lab.studies import forensics
from sadanet_lab.studies.finding import Finding
from sadanet_lab.studies.printed_rows import UNPRINTED
from sadanet_lab.studies.printed_table import AVERAGE
from sadanet_lab.studies.published import FILES, REAL_IMAGE, printed_table, real_image


def of_tables() -> list[Finding]:
    """Every finding that Tables I, II and IV give on their own."""
    return [
        averages(),
        iou_from_dice(),
        averaging_over_images(),
        acc_is_recall(),
        backgrounds(),
        order_of("I"),
        order_of("II"),
        pixels_predicted_once(),
    ]


def _asked(finding: Finding | None, question: str, more: str = "") -> Finding:
    assert finding is not None  # the paper's tables hold what every check needs
    return replace(finding, question=question, verdict=finding.verdict + more)


def averages() -> Finding:
    """Is "Ave." the mean of the three bones, or of four classes?"""
    table = printed_table("I")
    means = table.value.drop(AVERAGE, level="class").groupby("row", sort=False).mean()
    dice, iou = means.dice, means.iou
    return _asked(
        forensics.averages(table),
        'Is "Ave." of Table I one definition?',
        f" On one basis SADANet gains {dice.SADANet - dice.RSNU:+.2f} Dice on RSNU and {dice.SADANet - dice.SEAM:+.2f} "
        f"on SEAM, and its IoU is {iou.SADANet - iou.SEAM:+.2f} against SEAM.",
    )


def iou_from_dice() -> Finding:
    """Does IoU = Dice / (2 - Dice) hold, as it must where counts are pooled over the test set?"""
    return _asked(forensics.pooled(printed_table(*FILES)), "Does IoU = Dice / (2 - Dice) hold?")


def averaging_over_images() -> Finding:
    """How much must Dice differ between the images, if the rows that are not pooled are means over images?"""
    return _asked(
        forensics.deviations(printed_table("I")), "What would UNet, RSNU and SEAM need to be averages over images?"
    )


def acc_is_recall() -> Finding:
    """Is "Acc" the accuracy of Eq. (10)?

    With share s of the picture, Dice d and recall r of a class, TP = r s and FP + FN = 2 TP (1 / d - 1), so accuracy
    is 1 - 2 r s (1 / d - 1). The shares are those of one expert-annotated image (data/published).
    """
    table = printed_table("I").value.query("`class` in @BONES")[["dice", "recall"]] / 100
    d, r = table.dice, table.recall
    s = table.index.get_level_values("class").map(dict(zip(BONES, _real_shares()[:-1], strict=True)))
    evidence = pd.DataFrame(
        {
            "Acc printed": 100 * r,
            "accuracy by Eq. (10), if Acc is recall": 100 * (1 - 2 * r * s * (1 / d - 1)),
            "precision, if Acc is recall": 100 * consistency.precision(d, r),
        }
    )
    low = evidence["accuracy by Eq. (10), if Acc is recall"].min()
    precision = evidence["precision, if Acc is recall"]
    return Finding(
        'Is "Acc" the accuracy of Eq. (10)?',
        evidence.reset_index(),
        f"No: with true negatives counted every class would stand above {np.floor(low):.0f} %, at the class shares of "
        f"one annotated image ({REAL_IMAGE}); the largest printed is {100 * r.max():.2f}. Read as recall the numbers "
        f"can belong together (precision {precision.min():.0f} to {precision.max():.0f} %). Recall and accuracy are "
        "reported apart here.",
    )


def backgrounds() -> Finding:
    """What background do the averages of four classes imply, in all tables?"""
    return _asked(forensics.unprinted(printed_table(*FILES)), "Which background do the averages of 4 classes imply?")


def order_of(table: str) -> Finding:
    """Do the rows of Table "I" or "II" keep their order on the three bones?"""
    return _asked(forensics.order(printed_table(table)), f"Does Table {table} keep its order on the 3 bones?")


def pixels_predicted_once() -> Finding:
    """Do the rows that include the background predict each test pixel once? See ``pixel_balance``."""
    table = printed_table(*FILES)
    of_table_i, of_all = forensics.balance(printed_table("I")), forensics.balance(table)
    assert of_table_i is not None
    assert of_all is not None
    rows, classes, value, low, high = forensics.ratios(table)
    assert classes == [*BONES, UNPRINTED]
    shares = _real_shares()
    least, here, most = (100 * pixel_balance.imbalance_at(shares, part) for part in (low, value, high))
    column = "pixels too many (%), at the real image's shares"
    evidence = of_all.evidence.assign(**{column: here, "rounding, from": least, "to": most})
    evidence.columns = [name.replace(UNPRINTED, "background") for name in evidence.columns]
    off = [f"{row} ({e:+.1f})" for row, e, a, b in zip(rows, here, least, most, strict=True) if a > 0 or b < 0]
    return Finding(
        "Do the rows of four classes predict each pixel once?",
        evidence,
        f"Table I. {of_table_i.verdict} All tables. {of_all.verdict.replace(UNPRINTED, 'background')} At the shares of "
        f"one annotated image ({REAL_IMAGE}: {', '.join(f'{100 * s:.1f} %' for s in shares[:-1])}), in per cent of the "
        f"pixels: {', '.join(off)}; the other {len(rows) - len(off)} rows balance to rounding.",
        of_all.flagged,
    )


def _real_shares() -> np.ndarray:
    """Shares of the pixels of one annotated image: the bones, then the background."""
    real = real_image() / 100
    bones = np.array([real[f"{name}_percent"] for name in BONES])
    return np.append(bones, 1 - bones.sum())


def lambdas(scores: pd.DataFrame) -> Finding:
    """Does Table IV single out lambda = 3? scores: of ``run_scores.scores_of_runs``, runs of lambda 3."""
    evidence = printed_table("IV").value.xs(AVERAGE, level="class")
    dice, iou = evidence.dice, evidence.iou
    zero, three = lambda_title(0), lambda_title(3)
    spread, seeds = between_seeds(scores)
    measured = (
        "One seed was trained here, so how far another moves the score is not measured."
        if np.isnan(spread)
        else f"SADANet of lambda 3 trained here with {seeds} seeds (table eq3_scores) has a standard deviation of "
        f"{spread:.2f} points between seeds in the same average."
    )
    return Finding(
        "Does Table IV single out lambda = 3?",
        evidence.rename_axis("lambda").reset_index(),
        f"No: {iou.idxmax()} has the best IoU ({iou.max():.2f} against {iou[three]:.2f}), and no Dice loss at all is "
        f"{dice[three] - dice[zero]:.2f} Dice below. All {len(dice)} lie within {dice.max() - dice.min():.2f} points, "
        f"and no spread is printed. {measured}",
    )


def between_seeds(scores: pd.DataFrame) -> tuple[float, int]:
    """(standard deviation between seeds of the mean Dice of four classes, in points; largest number of seeds).

    Pooled over the labels: the root of the sum of squares about each label's mean over the degrees of freedom. NaN of
    one seed each.
    """
    dice = scores[(scores.metric == "dice") & (scores.region == CLASS_AVERAGE)]
    groups = dice.groupby("method").percent
    freedom = (groups.count() - 1).sum()
    squares = ((dice.percent - groups.transform("mean")) ** 2).sum()
    return float(np.sqrt(squares / freedom)) if freedom else float("nan"), int(groups.count().max())
