"""Label maps drawn over their images."""

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from sadanet_lab.spine.classes import CLASSES, COLOUR_BLIND_SAFE
from sadanet_lab.spine.curve_angles import Measurement


def overlay(
    image: np.ndarray, labels: np.ndarray, colours: np.ndarray = COLOUR_BLIND_SAFE, opacity: float = 0.35
) -> np.ndarray:
    """Grey image (H, W) and label map (H, W), both uint8 -> RGB (H, W, 3): tinted bones with a full-colour outline.

    The outline is about 1/300 of the picture's height thick, so that it stays visible when the picture is reduced.
    """
    grey = np.arange(256)[:, None]
    tinted = (1 - opacity) * grey + opacity * colours[:, None, :]  # (classes, greys, RGB)
    tinted[0] = grey  # the background
    rgb = tinted.round().astype(np.uint8)[labels, image]
    thickness = max(1, round(image.shape[0] / 600))
    for class_id in range(1, len(CLASSES)):
        inside = labels == class_id
        rgb[inside & np.logical_not(ndimage.binary_erosion(inside, iterations=thickness))] = colours[class_id]
    return rgb


def with_levels(rgb: np.ndarray, found: Measurement) -> np.ndarray:
    """RGB picture (H, W, 3) uint8 with a thin line through each level, and through both ends of each curve a long one.

    Each curve's angle is written to the right of its apex, or as far right as the picture has room.
    """
    picture = Image.fromarray(rgb)
    draw = ImageDraw.Draw(picture)
    thin = max(1, round(rgb.shape[0] / 900))
    ends = {end for curve in found.curves for end in (curve.upper_end, curve.lower_end)}
    for index, level in enumerate(found.levels):
        left, right = np.array(level.left), np.array(level.right)
        reach = 0.45 * (right - left) if index in ends else 0
        line = [tuple(left - reach), tuple(right + reach)]
        draw.line(
            line, fill=(255, 255, 255) if index in ends else (255, 210, 0), width=thin * (2 if index in ends else 1)
        )
    for curve in found.curves:
        left, right = (np.array(end) for end in (found.levels[curve.apex].left, found.levels[curve.apex].right))
        size = max(10, round(rgb.shape[0] / 60))
        text, edge = f"{curve.angle_degrees:.0f}°", max(1, size // 8)
        x, y = right + 0.12 * (right - left)
        room = rgb.shape[1] - draw.textlength(text, font_size=size) - 2 * edge
        draw.text((min(x, room), y), text, "white", font_size=size, anchor="lm", stroke_width=edge, stroke_fill="black")
    return np.asarray(picture)
