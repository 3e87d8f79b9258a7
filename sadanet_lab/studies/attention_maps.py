"""The attention of one network on one image: computed once, then the map of any pixel at once.

The maps are the network's own, caught by hooks on its softmax modules (``sadanet_core.record_attention``); nothing is
computed a second time but the chain of two criss-cross passes.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from sadanet_core import record_attention
from sadanet_core.attention import GlobalChannelAttention, SpatialCrissCrossAttention, StructureAffinityAttention
from sadanet_core.sadanet import StructureAffinityHead
from sadanet_lab.errors import BadInput
from sadanet_lab.inference.framing import network_input
from sadanet_lab.inference.knockouts import knocked_out, shared_features
from sadanet_lab.inference.segmentation import as_tensor, at_full_size, labels_of
from sadanet_lab.methods import find_method
from sadanet_lab.methods.danet import PositionAttention
from sadanet_lab.training.recipe import Recipe


@dataclass(frozen=True)
class AttentionMaps:
    """Maps on a grid of (h, w) cells, the network's stride apart. A map that a network does not have is None."""

    image: np.ndarray
    """Grey, uint8 (H, W)."""
    labels: np.ndarray
    """Predicted ids, uint8 (H, W)."""
    confidence: np.ndarray
    """Probability of the predicted class, float32 (H, W)."""
    grid: tuple[int, int]
    crosses: tuple[Tensor, ...]
    """SCA's map of each pass, (h, w, h + w): see ``SpatialCrissCrossAttention``."""
    positions: Tensor | None
    """DANet's position attention, (hw, hw)."""
    classes: Tensor | None
    """SAA's class maps, (N, h, w), probabilities."""
    affinity: Tensor | None
    """SAA's affinity of its channels to the classes, (C', N)."""
    channels: Tensor | None
    """GCA's channel matrix, (C, C)."""
    features: Tensor | None
    """What GCA is applied to, (C, h, w)."""

    @property
    def bytes(self) -> int:
        """Of all maps together."""
        found = [each for value in vars(self).values() for each in (value if isinstance(value, tuple) else (value,))]
        return sum(each.nbytes for each in found if isinstance(each, (Tensor, np.ndarray)))

    def cell(self, row: int, column: int) -> tuple[int, int]:
        """The grid's cell that holds a pixel of the image."""
        (height, width), (h, w) = self.image.shape, self.grid
        return min(row * h // height, h - 1), min(column * w // width, w - 1)

    def criss_cross(self, cell: tuple[int, int], passes: int) -> np.ndarray | None:
        """How much each cell gives to one cell in SCA, (h, w), summing to 1.

        After one pass its own column and row; after two every cell: A(p, q) = sum over u of s2(p, u) s1(u, q), the
        attention alone, without the residual sum that each pass adds.
        """
        if len(self.crosses) < passes:
            return None
        row, column = cell
        if passes == 1:
            return _spread(self.crosses[0][row, column], cell, self.grid).numpy()
        h = self.grid[0]
        first, second = self.crosses[0], self.crosses[1][row, column]
        down, across = second[:h], second[h:]
        found = down[:, None] * first[:, column, h:]  # from each cell of the column along its row,
        found[:, column] += down @ first[:, column, :h]  # and along the column again
        found += (across[:, None] * first[row, :, :h]).T  # from each cell of the row along its column,
        found[row] += across @ first[row, :, h:]  # and along the row again
        return found.numpy()

    def position(self, cell: tuple[int, int]) -> np.ndarray | None:
        """How much each cell gives to one cell in DANet's position attention, (h, w), summing to 1."""
        if self.positions is None:
            return None
        return self.positions[cell[0] * self.grid[1] + cell[1]].reshape(self.grid).numpy()

    def partners(self, channel: int, count: int = 3) -> list[tuple[int, float]]:
        """The other channels that give most to a channel in GCA, and their weights, heaviest first."""
        assert self.channels is not None  # asked of networks with a GCA only
        weights = self.channels[channel].clone()
        weights[channel] = -1
        values, found = weights.topk(min(count, len(weights) - 1))
        return list(zip(found.tolist(), values.tolist(), strict=True))

    def tied_channels(self) -> tuple[int, int, float]:
        """(channel, other, weight): the two that GCA mixes most, weight times how much both vary in the image."""
        assert self.channels is not None  # asked of networks with a GCA only
        assert self.features is not None
        vary = self.features.flatten(1).std(1)
        mixed = self.channels * vary * vary[:, None]
        mixed.fill_diagonal_(0)
        channel, other = divmod(int(mixed.argmax()), len(mixed))
        return channel, other, float(self.channels[channel, other])


def attention_maps(network: nn.Module, recipe: Recipe, image: np.ndarray) -> AttentionMaps:
    """One forward pass of a network in evaluation mode on a grey image uint8 (H, W) of any size.

    SADANet's SAA, which runs in training only, is run too. The black around a framed image is cut off every
    map. Raises ``BadInput`` for networks that have no backbone to see a grid of.
    """
    owners = dict(network.named_modules())
    if "backbone" not in owners:
        raise BadInput(f"{recipe.method}: a network without a backbone and attention; expected one of the others")
    framed = network_input(image, recipe)
    picture = as_tensor(framed.picture)
    kept: dict[str, Tensor] = {}
    hooks = [
        owners["backbone"].register_forward_hook(lambda _m, _i, output: kept.update(layer3=output[0])),
        *(
            module.register_forward_hook(lambda _m, inputs, _o: kept.update(features=inputs[0]))
            for module in owners.values()
            if isinstance(module, GlobalChannelAttention)
        ),
    ]
    try:
        with torch.inference_mode(), record_attention(network) as maps:
            logits = network(picture)
            auxiliary = owners.get("auxiliary")
            if isinstance(auxiliary, StructureAffinityHead):
                auxiliary(kept["layer3"])
    finally:
        for hook in hooks:
            hook.remove()
    full = at_full_size(framed.on_image(logits), image.shape)
    labels, confidence = full.argmax(0), full.softmax(0).amax(0)  # of a saturated softmax there is no largest entry

    def of(kind: type, name: str) -> list[Tensor]:
        wanted = (f"{owner}.{name}" for owner, module in owners.items() if isinstance(module, kind))
        return [found[0].float() for key in wanted for found in maps.get(key, [])]

    whole = kept["layer3"].shape[-2:]
    shown = framed.grid(whole)
    h, w = kept["layer3"][..., *shown].shape[-2:]
    crosses = [_cut_cross(found, whole, shown) for found in of(SpatialCrissCrossAttention, "attend")]
    positions, classes, affinity, channels = (
        next(iter(of(kind, name)), None)
        for kind, name in (
            (PositionAttention, "attend"),
            (StructureAffinityAttention, "class_maps"),
            (StructureAffinityAttention, "affinity"),
            (GlobalChannelAttention, "attend"),
        )
    )
    return AttentionMaps(
        image=image,
        labels=labels.to(torch.uint8).numpy(),
        confidence=confidence.numpy(),
        grid=(h, w),
        crosses=tuple(crosses),
        positions=None if positions is None else _cut_positions(positions, whole, shown),
        classes=None if classes is None else framed.on_image(classes),
        affinity=affinity,
        channels=channels,
        features=framed.on_image(kept["features"][0]).float() if "features" in kept else None,
    )


def labels_without(network: nn.Module, recipe: Recipe, image: np.ndarray) -> dict[str, np.ndarray]:
    """Label maps, uint8 (H, W), of a network without each of its attention modules: see ``knockouts``.

    Title of the module, one that runs in testing -> label map; of the picture alone, as ``attention_maps``.
    """
    found, of_one_view = {}, recipe.model_copy(update={"test_scales": (1.0,), "test_flip": False})
    with shared_features(network):
        for title, module in find_method(recipe.method).attention.items():
            with knocked_out(network, module):
                found[title] = labels_of(network, image, of_one_view)
    return found


def _cut_cross(cross: Tensor, whole: torch.Size, shown: tuple[slice, slice]) -> Tensor:
    rows, columns = shown
    down, across = cross[shown].split(list(whole), dim=-1)
    return torch.cat([down[..., rows], across[..., columns]], dim=-1)


def _cut_positions(positions: Tensor, whole: torch.Size, shown: tuple[slice, slice]) -> Tensor:
    cut = positions.view(*whole, *whole)[(*shown, *shown)]
    return cut.reshape(cut.shape[0] * cut.shape[1], -1)


def _spread(cross: Tensor, cell: tuple[int, int], grid: tuple[int, int]) -> Tensor:
    """One pixel's map of a pass, (h + w), laid out on the grid (h, w)."""
    row, column = cell
    found = torch.zeros(grid)
    found[:, column] = cross[: grid[0]]
    found[row] += cross[grid[0] :]
    return found
