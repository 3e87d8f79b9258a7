"""A trained network with one of its attention modules taken out: what it does without tells what that module adds."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from sadanet_lab.methods.shared.method import Attention


@contextmanager
def knocked_out(network: nn.Module, attention: Attention) -> Iterator[None]:
    """While open, the network goes on with what ``attention`` leaves: its input, or zeros. Weights stay as they are."""
    module = network.get_submodule(attention.module)
    computed = module.forward

    def forward(f: Tensor, *others: Tensor) -> Tensor:
        return f if attention.left == "input" else torch.zeros_like(computed(f, *others))

    with _forward_of(module, forward):
        yield


@contextmanager
def shared_features(network: nn.Module) -> Iterator[None]:
    """While open, the backbone computes the features of a picture only once.

    For several passes over the views of one image, which differ in the head alone. A network without a backbone is left
    be.
    """
    backbone = getattr(network, "backbone", None)
    if backbone is None:
        yield
        return
    kept: list[tuple[Tensor, list[Tensor]]] = []
    computed = backbone.forward

    def forward(picture: Tensor) -> list[Tensor]:
        for seen, features in kept:
            if torch.equal(seen, picture):  # a mirror image has the same size
                return list(features)
        kept.append((picture, computed(picture)))
        return list(kept[-1][1])

    with _forward_of(backbone, forward):
        yield


@contextmanager
def _forward_of(module: nn.Module, forward) -> Iterator[None]:
    module.forward = forward
    try:
        yield
    finally:
        del module.forward
