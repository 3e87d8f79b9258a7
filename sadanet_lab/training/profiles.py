"""The profiles of ``profiles.toml``: how large, how long, how precise. Loads no torch, for the command line's help."""

import tomllib
from functools import cache
from importlib import resources
from typing import Any

from sadanet_lab.errors import BadInput

DEFAULT_PROFILE = "quick"


@cache
def profiles() -> dict[str, dict[str, Any]]:
    """Profile name -> its settings, from ``profiles.toml``."""
    return tomllib.loads(resources.files("sadanet_lab.training").joinpath("profiles.toml").read_text())


def gives_verdicts(name: str) -> bool:
    """Whether runs of a profile are trained long enough, on images large enough, to judge methods by."""
    return not find_profile(name)["no_verdicts"]


def find_profile(name: str) -> dict[str, Any]:
    """The settings of one profile; raises ``BadInput`` naming those there are."""
    if name not in profiles():
        raise BadInput(f"profile {name!r} is unknown; expected one of {', '.join(profiles())}")
    return profiles()[name]
