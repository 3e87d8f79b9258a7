"""Lists and numbers in words."""

from collections.abc import Iterable


def join(names: Iterable[str]) -> str:
    """ "a, b and c"; "none" of nothing."""
    *first, last = [*names] or ["none"]
    return f"{', '.join(first)} and {last}" if first else last


def counted(number: int, noun: str) -> str:
    """ "1 seed", "2 seeds", "3 patches"."""
    plural = f"{noun}es" if noun.endswith("ch") else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"
