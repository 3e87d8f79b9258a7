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

VOC = np.array([[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0]], dtype=np.uint8)
"""RGB of each id in the palette of Pascal VOC, which annotation tools write; its order is fixed."""

_GREYS = np.arange(4, dtype=np.uint8)[:, None].repeat(3, axis=1)
_UNMISTAKABLE = (*PALETTES.values(), VOC, _GREYS)
"""Colours of masks, the order of whose classes is certain."""


def rgb_to_labels(rgb: np.ndarray) -> np.ndarray:
    """RGB mask (H, W, 3) in one of ``PALETTES``, in ``VOC`` or in the greys 0..3 -> label map (H, W), uint8.

    Raises ``BadInput`` naming the colours that are none of ``COLOURS``.
    """
    as_code = np.array([1 << 16, 1 << 8, 1], dtype=np.uint32)
    code = rgb.astype(np.uint32) @ as_code
    used = np.unique(code)
    codes = [colours.astype(np.uint32) @ as_code for colours in _UNMISTAKABLE]
    known = next((code for code in codes if np.isin(used, code).all()), COLOURS.astype(np.uint32) @ as_code)
    unknown = np.setdiff1d(used, known)
    if unknown.size:
        names = ", ".join(f"#{c:06x}" for c in unknown[:3]) + (", ..." if unknown.size > 3 else "")
        raise BadInput(
            f"unknown colours {names}; expected grey 0..3, or black, red (rib), green (thoracic process), blue (lump)"
        )
    labels = np.zeros(code.shape, dtype=np.uint8)
    for class_id, colour in enumerate(known):
        labels[code == colour] = class_id
    return labels
