"""What the tour of the data shows."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from sadanet_lab.images.image_statistics import quantity_title
from sadanet_lab.images.vpi_folder import Sample
from sadanet_lab.metrics.scores import BONE_AVERAGE
from sadanet_lab.spine.names import SEVERITIES, USUAL
from sadanet_lab.studies.conclusions.wording import not_measured, sentence, span
from sadanet_lab.words import counted, join


def masks(labels: Sequence[np.ndarray], noun: str = "image") -> str:
    """Of label maps (H, W), ids 0..3: how much of each is bone, and how many have none."""
    shares = pd.Series([100 * float((np.asarray(one) > 0).mean()) for one in labels])
    empty = int((shares == 0).sum())
    return sentence(
        f"bones cover {span(shares, '{:.0f} %')} of {'this' if len(shares) == 1 else 'these'} "
        f"{counted(len(shares), noun)}",
        f"{empty} of them {'has' if empty == 1 else 'have'} none" if empty else "",
    )


def examples(samples: Sequence[Sample]) -> str:
    """The same of dataset images."""
    return masks([sample.mask() for sample in samples])


def real_among(table: pd.DataFrame, images: int) -> str:
    """Of ``dataset_statistics.compare_with_real`` over so many images: what of a real image lies outside, and where."""
    known = table.dropna(subset=["low", "high"])
    if known.empty:
        return not_measured("a real image among these")
    width = (known.high - known.low).replace(0, np.nan)
    beyond = pd.concat([known.low - known.real, known.real - known.high], axis=1).max(axis=1) / width
    furthest = known.assign(beyond=beyond)[~known.within.astype(bool)].sort_values("beyond", ascending=False).quantity
    names = join(map(quantity_title, furthest[:3]))
    return sentence(
        f"of {len(known)} quantities of one real image {int(known.within.sum())} lie within the 5 to 95 % range of "
        f"these {counted(images, 'image')}",
        f"furthest outside: {names}" if len(furthest) else "",
        "one image is an example, no target",
    )


def angles(truth: pd.DataFrame) -> str:
    """Of a phantom folder's ``truth.csv``: how far its largest angles reach, and how many are how severe."""
    degrees = truth.largest_angle_degrees
    bands = degrees.map(USUAL.severity_of)
    counts = ", ".join(f"{(bands == name).sum()} {name}" for name in SEVERITIES)
    return sentence(
        f"largest angles of {counted(len(degrees), 'phantom')} reach {span(degrees, '{:.1f}°')}, median "
        f"{degrees.median():.1f}°",
        f"by severity {counts}",
    )


def traced(table: pd.DataFrame) -> str:
    """Of ``tracing.score_traced``, one row."""
    (row,) = table.to_dict("records")
    return sentence(
        f"who traced every bone of {counted(int(row['images']), 'phantom')} just where it is seen would have a mean "
        f"bone Dice of {row[BONE_AVERAGE]:.1f} % and the largest angle off by {row['mae']:.2f}°",
        "no upper limit: a network that knows how spines are built can have more",
    )
