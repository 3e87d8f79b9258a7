"""The registry: method name -> Method. To add one, write a file with a ``METHOD`` and name it in the list here."""

from sadanet_core.errors import BadInput
from sadanet_core.methods import (
    ccnet,
    danet,
    fpn,
    psanet,
    rsnu,
    sa2net,
    sadanet,
    sadanet_without_saa,
    sadanet_without_sca,
    seam,
    unet,
)
from sadanet_core.methods.method import Method, NetworkSettings

_TABLE_1 = (unet, fpn, rsnu, seam, psanet, ccnet, danet, sadanet)
_BEYOND = (sa2net, sadanet_without_sca, sadanet_without_saa)

METHODS: dict[str, Method] = {m.METHOD.name: m.METHOD for m in (*_TABLE_1, *_BEYOND)}
"""Those of Table I in its order, then the successor, then the ablations of Table II."""


def find(name: str) -> Method:
    """The method of that name; raises ``BadInput`` naming those there are."""
    if name not in METHODS:
        raise BadInput(f"method {name!r} is unknown; expected one of {', '.join(METHODS)}")
    return METHODS[name]


__all__ = ["METHODS", "Method", "NetworkSettings", "find"]
