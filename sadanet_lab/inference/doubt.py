"""What a network is unsure of in a picture, and what the picture is like: the numbers that ``limits`` weighs."""

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.special import softmax

from sadanet_lab.images import preparation
from sadanet_lab.inference.framing import at_full_size
from sadanet_lab.spine.classes import BONES
from sadanet_lab.spine.curve_angles import Measurement, measure_curves
from sadanet_lab.spine.levels import Level

HEIGHT = 448
"""Rows of the reduced picture on which all of this is measured."""
SAMPLES = 6
NOISE = 1.0
"""Sd of what is added to the logits of a sample: a probability of a half then spreads from 0.2 to 0.8."""
GRAIN = 8
"""Rows over which that noise is alike, about half a bone."""
SMALLEST_SHARE = 1e-3
SEEN = 0.05
"""Probability from which a pixel is looked at as one of a bone."""


def reduced(image: np.ndarray, logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Grey image uint8 (H, W) and logits (classes, H, W), both at ``HEIGHT`` rows in the same proportions."""
    width = max(1, round(image.shape[1] * HEIGHT / image.shape[0]))
    return preparation.resize(image, HEIGHT, width), at_full_size(logits, (HEIGHT, width))


def sample_levels(logits: np.ndarray) -> list[Sequence[Level]]:
    """Levels measured in ``SAMPLES`` label maps that the network finds almost as likely as its own.

    logits: float32 (classes, h, w). The noise is the same for every picture of a size. A sample without a spine is
    left out.
    """
    rng, (classes, height, width) = np.random.default_rng(0), logits.shape
    coarse = classes, height // GRAIN + 2, width // GRAIN + 2
    found = []
    for _ in range(SAMPLES):
        noise = at_full_size(rng.standard_normal(coarse, dtype=np.float32), (height, width))
        sample = measure_curves((logits + NOISE / noise.std() * noise).argmax(0).astype(np.uint8))
        if sample.measurable:
            found.append(sample.levels)
    return found


def spread_of_angle(samples: Sequence[Sequence[Level]], upper: float, lower: float, angle: float, height: int) -> float:
    """Degrees by which the angle between the levels at two heights differs in the samples from ``angle``, on average.

    upper, lower: shares of the picture's height; height: pixels of the samples' pictures. Without samples it is
    ``angle`` itself: as if they were straight.
    """
    off = []
    for levels in samples:
        y = np.array([level.centre[1] for level in levels]) / height
        above, below = np.interp([upper, lower], y, [level.tilt for level in levels])
        off.append(abs(abs(below - above) - angle))
    return float(np.mean(off)) if off else angle


def uncertainty(probability: np.ndarray) -> float:
    """Mean entropy, in nats, of the pixels (classes, h, w) that may be bone; log(classes) where there are none."""
    bone = probability[1:].max(0) > SEEN
    return float(_entropy(probability)[bone].mean()) if bone.any() else float(np.log(len(probability)))


def describe_picture(image: np.ndarray, logits: np.ndarray, found: Measurement) -> dict[str, float]:
    """Statistics of a reduced picture uint8 (h, w) and of what the network makes of it: see ``limits.Limits.distance``.

    Keys are said to people who ask why a picture is called unlike those trained on.
    """
    grey, inside = image.astype(np.float32) / 255, image > 0
    probability = softmax(logits, axis=0)
    labels = probability.argmax(0)
    seen = grey[inside] if inside.any() else np.zeros(1, np.float32)
    rows, widths = inside.any(1), inside.sum(1)[inside.any(1)] / HEIGHT
    told = {"share of the frame that is black": 1 - inside.mean(), "rows that show something": rows.mean()}
    told["width of the strip"] = _log(widths.mean() if len(widths) else 0)
    told["raggedness of the strip"] = _log(widths.std() if len(widths) else 0)
    for share in (5, 25, 50, 75, 95):
        told[f"grey that {share} % are below"] = np.percentile(seen, share)
    left = grey
    for sigma in (1, 2, 4, 8, 16):
        smooth = gaussian_filter(left, sigma)
        told[f"texture of {2 * sigma} rows"] = _log((left - smooth)[inside].std() if inside.any() else 0)
        left = smooth
    across, down = np.diff(grey, axis=1)[:-1], np.diff(grey, axis=0)[:, :-1]
    told["direction of the texture"] = _log(across.std()) - _log(down.std())
    entropy = _entropy(probability)
    told["doubt of the network"] = _log(entropy[inside].mean() if inside.any() else 0)
    told["doubt of the network about bones"] = uncertainty(probability)
    count = max(inside.sum(), 1)
    told["bones outside the strip"] = _log((labels[~inside] > 0).sum() / count)
    background = grey[inside & (labels == 0)].mean() if (inside & (labels == 0)).any() else 0
    heights = {}
    for class_id, name in enumerate(BONES, start=1):
        there, name = labels == class_id, name.replace("_", " ")
        told[f"share of {name}"] = _log(there.sum() / count)
        told[f"confidence in {name}"] = probability[class_id][there].mean() if there.any() else 0.25
        told[f"contrast of {name}"] = grey[there].mean() - background if there.any() else 0
        heights[name] = np.nonzero(there)[0].mean() / HEIGHT if there.any() else 0
    told["height of lumps below processes"] = heights["lump"] - heights["thoracic process"]
    told["height of processes below ribs"] = heights["thoracic process"] - heights["rib"]
    told["confidence in the levels"] = found.confidence or 0
    for region in ("thoracic", "lumbar"):
        told[f"number of {region} levels"] = sum(level.region == region for level in found.levels)
    return {name: float(value) for name, value in told.items()}


def _entropy(probability: np.ndarray) -> np.ndarray:
    return -(probability * np.log(probability + 1e-9)).sum(0)


def _log(value: float) -> float:
    return float(np.log(value + SMALLEST_SHARE))
