"""Which bones of a demanding phantom cannot be seen: they stay in its mask, and a network has to know where they are.

Three kinds, by what is left around a hidden bone: "pair" hides the rib and the process of one side of a level, whose
other side is seen; "level" both sides, or a lump; "run" from two to four levels, one below the other.
"""

from dataclasses import dataclass

import numpy as np

KINDS = ("pair", "level", "run")
LARGEST_SHARE = 0.6
NOTHING_HIDDEN = 0.1
"""Share of the phantoms that are meant to hide nothing; with those that may hide less than one bone it is some 12 %."""


@dataclass(frozen=True)
class Hidden:
    """What is hidden of a level: its sides (-1 left, 1 right; both of a lump), and of which kind that is."""

    sides: tuple[int, ...]
    kind: str


def draw_hidden(rng: np.random.Generator, pairs: int, lumps: int) -> dict[int, Hidden]:
    """Level (0 on top) -> what is hidden of it, of ``pairs`` thoracic levels with four bones and ``lumps`` with one.

    At most a share drawn evenly up to ``LARGEST_SHARE`` is hidden: kinds come in turn, at places that are free, until
    no more fits. So large shares are rare (half the phantoms hide less than 25 %, one in twelve more than 45 %), and
    hold more runs than small ones do.
    """
    levels = pairs + lumps
    bones = np.where(np.arange(levels) < pairs, 4, 1)
    wanted = 0 if rng.random() < NOTHING_HIDDEN else round(rng.uniform(0, LARGEST_SHARE) * bones.sum())
    hidden: dict[int, Hidden] = {}
    count = 0
    for kind in rng.permutation(np.repeat(KINDS, levels)):
        length = int(rng.integers(2, 5)) if kind == "run" else 1
        first = int(rng.integers(0, (pairs if kind == "pair" else levels) - length + 1))
        chosen = range(first, first + length)
        sides = (int(rng.choice([-1, 1])),) if kind == "pair" else (-1, 1)
        added = int(bones[first : first + length].sum() * len(sides) / 2)
        # A hidden neighbour above or below would make another kind of it.
        taken = any(level in hidden for level in range(first - 1, first + length + 1))
        if not taken and count + added <= wanted:
            hidden |= {level: Hidden(sides, str(kind)) for level in chosen}
            count += added
    return hidden
