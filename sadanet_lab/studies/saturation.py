"""Do the softmaxes of Eq. (1) and Eq. (3) saturate? Each entry under them is a sum over all H x W pixels.

So its size goes with the size of the picture, and what a softmax makes of it too: weights trained on patches meet
other energies on whole images. A row is called one-hot from a largest weight of ``ONE_HOT`` on.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from sadanet_core import record_attention
from sadanet_core.attention import GlobalChannelAttention, StructureAffinityAttention
from sadanet_core.sadanet import StructureAffinityHead
from sadanet_lab.errors import BadInput
from sadanet_lab.images.vpi_folder import Sample
from sadanet_lab.inference.framing import network_input
from sadanet_lab.inference.segmentation import as_tensor, logits_of
from sadanet_lab.studies.finding import Finding
from sadanet_lab.training.evaluation import ONE_HOT
from sadanet_lab.training.runs import Run
from sadanet_lab.training.trainer import build_network

EQUATIONS = {"Eq. (1)": (StructureAffinityAttention, "affinity"), "Eq. (3)": (GlobalChannelAttention, "attend")}
"""Equation -> (its module, the softmax in it)."""


def affinity_rows(runs: Iterable[Run], samples: Iterable[Sample]) -> pd.DataFrame:
    """Every row of GCA's map g, of SADANet trained and at its start, on whole images.

    Columns normalisation, network ("trained" or "at the start"), stem, seed, relative_entropy (of the row, over
    log C: 0 one-hot, 1 uniform), largest (weight of the row), itself (weight on its own channel). Raises ``BadInput``
    for a run that started from trained weights: they are not kept, and what it was at its start is not known.
    """
    samples, tables = list(samples), []
    for run in runs:
        if run.recipe.start_sha256 is not None:
            raise BadInput(f"{run.folder}: started from {run.recipe.start}; expected a run that started from none")
        for name, network in (("trained", run.network()), ("at the start", build_network(run.recipe).eval())):
            for sample in samples:
                with record_attention(network) as maps:
                    logits_of(network, sample.image(), run.recipe)
                g = maps["head.channel_attention.attend"][0][0].double()
                rows = pd.DataFrame(
                    {
                        "relative_entropy": relative_entropy(g).numpy(),
                        "largest": g.amax(-1).numpy(),
                        "itself": g.diagonal().numpy(),
                    }
                )
                origin = {"normalisation": run.recipe.normalisation, "network": name, "stem": sample.stem}
                tables.append(rows.assign(**origin, seed=run.recipe.seed))
    return pd.concat(tables, ignore_index=True)


def relative_entropy(rows: Tensor) -> Tensor:
    """Entropy of each row of weights (..., n) as a share of the largest possible, log n."""
    return torch.special.entr(rows).sum(-1) / np.log(rows.shape[-1])


def saturation(rows: pd.DataFrame) -> Finding:
    """Does Eq. (3) saturate to one-hot rows? rows: of ``affinity_rows``."""
    groups = rows.assign(one_hot=100.0 * (rows.largest >= ONE_HOT)).groupby(["normalisation", "network"], sort=False)
    evidence = groups[["relative_entropy", "one_hot", "itself"]].mean().reset_index()
    evidence = evidence.rename(
        columns={"relative_entropy": "entropy / log C", "one_hot": "one-hot rows (%)", "itself": "weight on itself"}
    )
    trained = evidence[evidence.network == "trained"].set_index("normalisation")
    told = "; ".join(
        f"{form}: {row['one-hot rows (%)']:.0f} % of the rows one-hot, entropy {row['entropy / log C']:.3f} of its "
        f"largest, weight on itself {row['weight on itself']:.2f}"
        for form, row in trained.iterrows()
    )
    return Finding("Does Eq. (3) saturate?", evidence, f"Measured after training: {told}.")


def by_size(networks: Iterable[tuple[str, Run]], samples: Iterable[Sample]) -> pd.DataFrame:
    """How one-hot the rows of Eq. (1) and Eq. (3) are against the size of the picture, the weights being the same.

    networks: (name, run of a method with either equation). Each sample's picture, as the run's network takes it, is cut
    into tiles of each size of ``sizes_of`` that fill it side by side, so that every size sees the same pixels. A margin
    that the recipe adds is no part of the picture here, unlike in testing.
    SADANet's SAA, which runs in training only, is run too.

    Columns network, equation, height, width, stem, tiles, one_hot (share of the rows), relative_entropy (mean), gap
    (median over the rows of the largest energy minus the second: what the softmax is e to the power of).
    """
    samples, rows = list(samples), []
    for name, run in networks:
        network = run.network()
        for sample in samples:
            framed = network_input(sample.image(), run.recipe)
            picture = framed.on_image(as_tensor(framed.picture))
            for tall, wide in sizes_of(run):
                tiles = [
                    picture[..., top : top + tall, left : left + wide]
                    for top in range(0, picture.shape[-2] - tall + 1, tall)
                    for left in range(0, max(1, framed.width - wide + 1), wide)
                ]
                with _energies(network) as energies, torch.inference_mode():
                    for tile in tiles:
                        network(tile)
                for equation, found in energies.items():
                    origin = {"network": name, "equation": equation, "height": tall, "width": min(wide, framed.width)}
                    rows.append(origin | {"stem": sample.stem, "tiles": len(tiles)} | _saturation_of(torch.cat(found)))
    return pd.DataFrame(rows)


def sizes_of(run: Run) -> list[tuple[int, int]]:
    """Heights and widths of pictures from a training patch of the recipe's to the whole image, each side doubling.

    A recipe that trains on whole images starts at a quarter of the height and half of the width, as the paper's patch.
    """
    recipe = run.recipe
    height, width = recipe.patch_height, recipe.patch_width
    if (height, width) == (recipe.image_height, recipe.image_width):
        height, width = height // 4, width // 2
    sizes = [(height, width)]
    while sizes[-1] != (recipe.image_height, recipe.image_width):
        height, width = sizes[-1]
        sizes.append((min(2 * height, recipe.image_height), min(2 * width, recipe.image_width)))
    return sizes


@contextmanager
def _energies(network: nn.Module) -> Iterator[dict[str, list[Tensor]]]:
    """While open, every forward pass leaves in the yielded dict what each equation's softmax is taken of."""
    kept: dict[str, list[Tensor]] = {}
    owners = dict(network.named_modules())
    hooks = [
        getattr(module, softmax).register_forward_hook(
            lambda _m, inputs, _o, equation=equation: kept.setdefault(equation, []).append(inputs[0].float())
        )
        for module in owners.values()
        for equation, (kind, softmax) in EQUATIONS.items()
        if isinstance(module, kind)
    ]
    auxiliary = owners.get("auxiliary")
    if isinstance(auxiliary, StructureAffinityHead):
        hooks.append(owners["backbone"].register_forward_hook(lambda _m, _i, maps: auxiliary(maps[0]) and None))
    try:
        yield kept
    finally:
        for hook in hooks:
            hook.remove()


def _saturation_of(energy: Tensor) -> dict[str, float]:
    """energy (..., rows, n): what a softmax over n is taken of."""
    weights, two = energy.double().softmax(-1), energy.topk(2).values
    return {
        "one_hot": float((weights.amax(-1) >= ONE_HOT).double().mean()),
        "relative_entropy": float(relative_entropy(weights).mean()),
        "gap": float((two[..., 0] - two[..., 1]).flatten().quantile(0.5)),
    }


def saturation_by_size(table: pd.DataFrame) -> Finding:
    """Does it depend on the image's size how far Eq. (1) and (3) saturate? table: of ``by_size``."""
    groups = table.groupby(["network", "equation", "height", "width"], sort=False)
    evidence = groups.agg(tiles=("tiles", "sum"), one_hot=("one_hot", "mean"), entropy=("relative_entropy", "mean"),
                          gap=("gap", "median")).reset_index()  # fmt: skip
    evidence["one_hot"] *= 100
    told = []
    for (name, equation), rows in evidence.groupby(["network", "equation"], sort=False):
        first, last = rows.iloc[0], rows.iloc[-1]
        told.append(
            f"{name}, {equation}: {first.one_hot:.0f} % of the rows one-hot at {first.width} x {first.height} pixels, "
            f"{last.one_hot:.0f} % at {last.width} x {last.height} (entropy {first.entropy:.3f} and {last.entropy:.3f} "
            "of its largest)"
        )
    evidence = evidence.rename(
        columns={"one_hot": "one-hot rows (%)", "entropy": "entropy / largest", "gap": "largest energy minus second"}
    )
    told = f"The same weights on the same pixels, cut into smaller pictures: {'; '.join(told)}."
    return Finding("Does it depend on the image's size how far Eq. (1) and (3) saturate?", evidence, told)
