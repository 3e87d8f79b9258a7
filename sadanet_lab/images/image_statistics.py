"""Measure a VPI image and its label map: the numbers by which phantoms are held against a real image.

Lengths are in reference pixels, those of a real picture of 640 x 2574: a picture of another size is resampled to 2574
rows first, so that one definition serves all sizes. Greys are 0..255.
"""

import re
from collections.abc import Iterator, Sequence

import numpy as np
from scipy.ndimage import (
    binary_dilation,
    binary_erosion,
    center_of_mass,
    find_objects,
    gaussian_filter,
    labeled_comprehension,
)

from sadanet_lab.images.preparation import resize
from sadanet_lab.images.strip import scanned_strip
from sadanet_lab.images.transforms import resize_mask
from sadanet_lab.phantom.ranges import REFERENCE_HEIGHT
from sadanet_lab.spine.bones import connected_bones
from sadanet_lab.spine.classes import CLASSES

RING = 12
"""Width of the ring of tissue around a bone, reference pixels."""
TEXTURE_BLUR = 15
"""Sigma of the blur whose removal leaves the fine texture, reference pixels."""
TEXTURE_MARGIN = 19
"""Distance from bones and from the strip's edge at which the texture is measured, reference pixels."""
LAGS = (1, 2, 4, 8, 16)
GREY_PERCENTILES = (1, 5, 10, 25, 50, 75, 90, 95, 99)


SMALLEST_BONE = 300
"""Reference pixels below which a piece of a mask is a crumb cut off by another bone: as of the real image."""


def quantity_title(quantity: str) -> str:
    """How a quantity of ``measure_image`` is called: "rib_percent" -> "rib (%)"."""
    return re.sub(r" percent$", " (%)", quantity.replace("_", " ")).replace(" 1th ", " 1st ")


def measure_image(image: np.ndarray, mask: np.ndarray) -> dict[str, float]:
    """Quantity -> value of a grey image uint8 (H, W) and its label map uint8 (H, W), ids 0..3.

    A quantity that the picture does not have (a class without bones, no pair) is NaN.
    """
    width = round(image.shape[1] * REFERENCE_HEIGHT / image.shape[0])
    image = resize(image, REFERENCE_HEIGHT, width)
    mask = resize_mask(mask, REFERENCE_HEIGHT, width)
    strip = scanned_strip(image)
    found = {"grey_mean": image.mean(), "grey_sd": image.std()}
    for part in (_of_strip(strip), _of_greys(image[strip]), _of_texture(image, strip, mask), _of_levels(mask)):
        found |= part
    tissue = strip & np.logical_not(binary_dilation(mask > 0, iterations=RING))
    rows = np.arange(REFERENCE_HEIGHT)[:, None]
    first_lump = found["first_lump_row"]
    for name, where in (("thoracic", rows < first_lump - 100), ("lumbar", rows > first_lump)):
        found[f"tissue_grey_{name}"] = _mean(image[tissue & where])
    for class_id, name in enumerate(CLASSES[1:], start=1):
        found |= {f"{name}_{what}": value for what, value in _of_bones(image, mask, class_id, strip)}
    return {name: float(value) for name, value in found.items()}


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else np.nan


def _sd(values: np.ndarray) -> float:
    return float(values.std()) if values.size else np.nan


def _of_strip(strip: np.ndarray) -> dict[str, float]:
    rows = np.flatnonzero(strip.mean(1) > 0.2)
    left = strip[rows].argmax(1)
    right = strip.shape[1] - strip[rows, ::-1].argmax(1)
    step = np.sqrt(np.mean(np.diff(left) ** 2.0)) if len(rows) > 1 else np.nan
    found = {"strip_percent": 100 * strip.mean(), "strip_edge_step": step}
    for name, edge in (("left", left), ("right", right)):
        low, high = _percentiles(edge, [2, 98]) / strip.shape[1] * 100
        found |= {f"strip_{name}_lowest_percent": low, f"strip_{name}_highest_percent": high}
    return found


def _percentiles(values: np.ndarray, percents: Sequence[int]) -> np.ndarray:
    return np.percentile(values, percents) if values.size else np.full(len(percents), np.nan)


def _of_greys(inside: np.ndarray) -> dict[str, float]:
    values = dict(zip(GREY_PERCENTILES, _percentiles(inside, GREY_PERCENTILES), strict=True))
    found = {f"strip_grey_{percent}th_percentile": value for percent, value in values.items()}
    found |= {"strip_grey_mean": _mean(inside), "strip_grey_sd": _sd(inside)}
    return found | {"saturated_percent": 100 * _mean(inside == 255)}


def _of_texture(image: np.ndarray, strip: np.ndarray, mask: np.ndarray) -> dict[str, float]:
    """Sd and autocorrelation of what a blur takes away, in tissue: away from bones and edges, and not in a shadow."""
    weight = gaussian_filter(strip.astype(np.float32), TEXTURE_BLUR, truncate=3)
    smooth = gaussian_filter(np.where(strip, image, 0).astype(np.float32), TEXTURE_BLUR, truncate=3)
    smooth /= np.maximum(weight, 1e-3)
    fine = image - smooth
    core = binary_erosion(strip, iterations=TEXTURE_MARGIN)
    core = core & np.logical_not(binary_dilation(mask > 0, iterations=TEXTURE_MARGIN))
    if core.any():
        core &= (smooth > np.quantile(smooth[core], 2 / 3)) & (image > 30)  # neither shadows nor lost frames
    found = {"texture_sd": _sd(fine[core])}
    for axis, name in ((0, "y"), (1, "x")):
        for lag in LAGS:
            ahead, behind = (np.s_[lag:], np.s_[:-lag]) if axis == 0 else (np.s_[:, lag:], np.s_[:, :-lag])
            both = core[ahead] & core[behind]
            pair = np.corrcoef(fine[ahead][both], fine[behind][both]) if both.sum() > 1 else np.full((2, 2), np.nan)
            found[f"texture_correlation_{name}_{lag}"] = pair[0, 1]
    return found


def _bones(mask: np.ndarray, class_id: int) -> tuple[np.ndarray, np.ndarray]:
    """(pieces: 0 or the number of a bone (H, W), areas of bones 1..n)."""
    pieces, bones = connected_bones(mask == class_id, SMALLEST_BONE / mask.size)
    number = np.zeros(pieces.max() + 1, dtype=int)
    number[bones] = np.arange(1, len(bones) + 1)
    return number[pieces], np.bincount(pieces.ravel())[bones]


def _of_levels(mask: np.ndarray) -> dict[str, float]:
    """Where the levels lie: rows of the first and the last processes and of the first lump, columns of processes."""
    names = "first_process_row", "last_process_row", "first_lump_row", "process_left_percent", "process_right_percent"
    pieces, areas = _bones(mask, CLASSES.index("thoracic_process"))
    lumps, lump_areas = _bones(mask, CLASSES.index("lump"))
    if len(areas) < 2 or not len(lump_areas):
        return dict.fromkeys(names, np.nan)
    y, x = np.array(center_of_mass(pieces > 0, pieces, range(1, len(areas) + 1))).T
    first_lump = min(row for row, _ in center_of_mass(lumps > 0, lumps, range(1, len(lump_areas) + 1)))
    left = x < np.median(x)
    columns = [100 * x[side].mean() / mask.shape[1] for side in (left, ~left)]
    return dict(zip(names, (y.min(), y.max(), first_lump, *columns), strict=True))


def _of_bones(image: np.ndarray, mask: np.ndarray, class_id: int, strip: np.ndarray) -> Iterator[tuple[str, float]]:
    pieces, areas = _bones(mask, class_id)
    yield "count", len(areas)
    yield "percent", 100 * (mask == class_id).mean()
    inside = pieces > 0
    ring = strip & (mask == 0) & binary_dilation(inside, iterations=RING)
    some = len(areas) > 0
    sizes = np.array([(box[0].stop - box[0].start, box[1].stop - box[1].start) for box in find_objects(pieces)])
    greys = labeled_comprehension(image, pieces, range(1, len(areas) + 1), np.mean, float, np.nan) if some else areas
    yield "area_mean", areas.mean() if some else np.nan
    yield "area_sd", areas.std() if some else np.nan
    yield "height", sizes[:, 0].mean() if some else np.nan
    yield "width", sizes[:, 1].mean() if some else np.nan
    yield "grey_inside", _mean(image[inside])
    yield "grey_inside_sd", image[inside].std() if some else np.nan
    yield "grey_ring", _mean(image[ring])
    yield "grey_darkest_bone", greys.min() if some else np.nan
    yield "grey_brightest_bone", greys.max() if some else np.nan
