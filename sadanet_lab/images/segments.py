"""The bones as segments of a standard file: what each is called, coloured and coded."""

from typing import NamedTuple

from sadanet_lab.spine.classes import BONES, CLASSES, COLOUR_BLIND_SAFE


class Code(NamedTuple):
    """A concept of SNOMED CT, DICOM's scheme "SCT"."""

    value: str
    meaning: str


class Segment(NamedTuple):
    """A bone as a segment."""

    class_id: int
    name: str
    """The class's."""
    colour: tuple[int, int, int]
    """RGB of ``COLOUR_BLIND_SAFE``."""
    code: Code
    """The nearest concept: of a process in the thoracic part, and of what makes a lump in the lumbar part."""


_CODES = {
    "rib": Code("113197003", "Rib"),
    "thoracic_process": Code("73400003", "Transverse process of vertebra"),
    "lump": Code("122496007", "Lumbar spine"),
}
SEGMENTS = tuple(
    Segment(CLASSES.index(bone), bone, tuple(COLOUR_BLIND_SAFE[CLASSES.index(bone)].tolist()), _CODES[bone])
    for bone in BONES
)
"""In the order of the class ids."""
