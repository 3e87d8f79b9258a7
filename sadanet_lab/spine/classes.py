"""The four classes: their ids, names and the field's colours."""

import numpy as np

from sadanet_lab.errors import BadInput

CLASSES = ("background", "rib", "thoracic_process", "lump")
"""Name of each id; a label map holds the ids 0..3 as uint8."""

BONES = CLASSES[1:]

COLOURS = np.array([[0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255]], dtype=np.uint8)
"""RGB of each id, as the field draws them and as one of its converters stores masks."""

COLOUR_BLIND_SAFE = np.array([[0, 0, 0], [213, 94, 0], [240, 228, 66], [0, 114, 178]], dtype=np.uint8)
"""RGB of each id for figures (Okabe and Ito's palette: vermilion, yellow, blue)."""

PALETTES = {"safe": COLOUR_BLIND_SAFE, "field": COLOURS}
"""What ``sadanet predict --colours`` calls them."""


def rgb_to_labels(rgb: np.ndarray) -> np.ndarray:
    """RGB mask (H, W, 3) in one of ``PALETTES`` -> label map (H, W), uint8.

    Raises ``BadInput`` naming the colours that are none of ``COLOURS``.
    """
    as_code = np.array([1 << 16, 1 << 8, 1], dtype=np.uint32)
    code = rgb.astype(np.uint32) @ as_code
    used = np.unique(code)
    safe, known = (colours.astype(np.uint32) @ as_code for colours in (COLOUR_BLIND_SAFE, COLOURS))
    if np.isin(used, safe).all():
        known = safe
    unknown = np.setdiff1d(used, known)
    if unknown.size:
        names = ", ".join(f"#{c:06x}" for c in unknown[:3]) + (", ..." if unknown.size > 3 else "")
        raise BadInput(f"unknown colours {names}; expected black, red (rib), green (thoracic process), blue (lump)")
    labels = np.zeros(code.shape, dtype=np.uint8)
    for class_id, colour in enumerate(known):
        labels[code == colour] = class_id
    return labels
