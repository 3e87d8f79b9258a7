"""Attention maps of any network here, without an edit to it."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from sadanet_core.attention import Softmax


@contextmanager
def record_attention(network: nn.Module) -> Iterator[dict[str, list[Tensor]]]:
    """While open, every forward pass leaves its attention maps in the yielded dict.

    name of the softmax submodule, such as "head.spatial_attention.attend" -> one map per call, in order (SCA is called
    twice a pass), detached, in float32 or better; shapes as each module's docstring says.

        with record_attention(network) as maps:
            network(picture)
        first, second = maps["head.spatial_attention.attend"]
    """
    maps: dict[str, list[Tensor]] = defaultdict(list)

    def keeper(name: str):
        return lambda _module, _inputs, output: maps[name].append(output.detach())

    hooks = [
        module.register_forward_hook(keeper(name))
        for name, module in network.named_modules()
        if isinstance(module, Softmax)
    ]
    try:
        yield maps
    finally:
        for hook in hooks:
            hook.remove()
