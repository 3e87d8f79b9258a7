"""What the paper's Table III, its widths and its equations say when they are taken at their word."""

import pandas as pd
import torch

from sadanet_core import SpatialCrissCrossAttention, cross_entropy, dice_loss, record_attention
from sadanet_lab.methods import find_method
from sadanet_lab.methods.shared.method import NetworkSettings
from sadanet_lab.studies import table3
from sadanet_lab.studies.finding import Finding
from sadanet_lab.words import join


def operations(costs: pd.DataFrame) -> Finding:
    """Which configuration gives each pair of Table III? costs: of ``complexity.complexity_table``."""
    evidence = table3.trace_numbers(costs)
    flops, parameters = table3.undocumented_cost(costs)
    exchanged = evidence[evidence.flops_row != evidence.params_row]
    nothing = evidence[evidence.configurations == "none"]
    danet = evidence[evidence.configurations.str.split(", ").map({"DANet"}.issubset)]
    return Finding(
        "Which networks give the numbers of Table III?",
        evidence,
        f"Nothing here gives both numbers of the row {join(nothing.flops_row)}, and DANet gives "
        f"{len(danet) or 'no'} pair. With the FLOPs of the first two rows exchanged, "
        f"{join(exchanged.configurations)} give both numbers of each. The SADANet row has {flops:.2f} G and "
        f"{parameters:.2f} M beyond the text. The count that gives these numbers (`complexity.paper_macs`) leaves out "
        "every attention product.",
    )


def equations() -> Finding:
    """What Eq. (4) to (6) say when they are taken at their word, tried on small tensors."""
    logits, labels = torch.full((1, 4, 8, 8), -200.0), torch.zeros(1, 8, 8, dtype=torch.long)
    logits[:, 0] = 200.0  # sure of the background, which is all there is
    plain = torch.nn.functional.cross_entropy(torch.zeros(1, 4, 8, 8), labels)
    factor = float(plain / cross_entropy(torch.zeros(1, 4, 8, 8), labels))
    attention = SpatialCrissCrossAttention(16)
    with record_attention(attention) as maps, torch.no_grad():
        attention(torch.randn(1, 16, 5, 7))
    positions = int((maps["attend"][0] > 0).sum(-1).unique())
    evidence = pd.DataFrame(
        [
            ("(4)", "positions of one pixel's cross on a map of 5 x 7, its second copy masked", positions),
            ("(4)", "H + W - 1 there", 5 + 7 - 1),
            ("(5)", "usual cross-entropy / Eq. (5)", factor),
            ("(6)", "Dice loss of absent, unpredicted classes, no smoothing", float(dice_loss(logits, labels, 0.0))),
            ("(6)", "the same, smoothing 1e-5", float(dice_loss(logits, labels))),
        ],
        columns=["equation", "quantity", "value"],
    )
    return Finding(
        "Are Eq. (4) to (6) complete as printed?",
        evidence,
        'Not quite. Eq. (4) prints "+" where the text above it says concatenate, and has its H + W - 1 positions only '
        "if one copy of the pixel is masked. Eq. (5) divides by the number of classes too: the usual cross-entropy is "
        f"{factor:.0f} times it, so lambda = 3 weighs {factor:.0f} times as much as beside the usual one. Eq. (6) "
        "has no smoothing, and is 0 / 0 where a class is absent and not predicted.",
    )


def widths() -> Finding:
    """Are "C = 1024" and "C = 2048" widths in which the modules work?"""
    rows, entering = [], []
    for width in (512, 1024, 2048):
        with torch.device("meta"):
            network = find_method("sadanet").build(NetworkSettings(width=width))
        rows.append((width // 2, width, sum(p.numel() for p in network.parameters()) / 1e6))
        entering = list(map(str, network.get_submodule("backbone").channels))  # pyright: ignore[reportArgumentType]
    evidence = pd.DataFrame(rows, columns=["width of SAA", "width of GCA and SCA", "parameters (M)"])
    published = sorted(table3.published_table3().params_million)
    fits = evidence[evidence["parameters (M)"].round(2).isin(published)]
    pairs = [f"{saa} and {dual}" for saa, dual in zip(fits.iloc[:, 0], fits.iloc[:, 1], strict=True)]
    return Finding(
        'Are "C = 1024" and "C = 2048" the widths in which the modules work?',
        evidence,
        f"No: only {join(pairs)} give a number of Table III ({', '.join(f'{p:.2f}' for p in published)} M). The "
        f"backbone that fits, `resnet50c`, hands the heads {join(entering)} channels: the widths of the text.",
    )
