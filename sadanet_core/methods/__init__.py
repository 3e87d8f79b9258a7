"""The registry: method name -> Method. To add one, write a file with a ``METHOD`` and name it in the list here."""

from sadanet_core.errors import BadInput
from sadanet_core.methods import ccnet, danet, sadanet, unet
from sadanet_core.methods.method import Method, NetworkSettings

METHODS: dict[str, Method] = {m.METHOD.name: m.METHOD for m in (unet, ccnet, danet, sadanet)}
"""In the order of Table I."""


def find(name: str) -> Method:
    """The method of that name; raises ``BadInput`` naming those there are."""
    if name not in METHODS:
        raise BadInput(f"method {name!r} is unknown; expected one of {', '.join(METHODS)}")
    return METHODS[name]


__all__ = ["METHODS", "Method", "NetworkSettings", "find"]
