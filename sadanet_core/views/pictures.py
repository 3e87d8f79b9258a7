"""Label maps drawn over their images."""

import numpy as np
from scipy import ndimage

from sadanet_core.images.classes import CLASSES, COLOURS


def overlay(image: np.ndarray, labels: np.ndarray, colours: np.ndarray = COLOURS, opacity: float = 0.35) -> np.ndarray:
    """Grey image (H, W) and label map (H, W), both uint8 -> RGB (H, W, 3): tinted bones with a full-colour outline.

    The outline is about 1/300 of the picture's height thick, so that it stays visible when the picture is reduced.
    """
    rgb = np.repeat(image[..., None], 3, axis=2).astype(np.float32)
    thickness = max(1, round(image.shape[0] / 600))
    for class_id in range(1, len(CLASSES)):
        inside = labels == class_id
        rgb[inside] = (1 - opacity) * rgb[inside] + opacity * colours[class_id]
        outline = inside & ~ndimage.binary_erosion(inside, iterations=thickness)
        rgb[outline] = colours[class_id]
    return rgb.round().astype(np.uint8)
