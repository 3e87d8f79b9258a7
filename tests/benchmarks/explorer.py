"""How long the attention explorer takes to redraw after a slider has moved: `make benchmark`. Prints, asserts nothing.

SADANet at the paper's picture, 512 x 2048 pixels, on a grid of 64 x 256 cells; random weights, which cost the same.
"""

import statistics
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch

from sadanet_lab.phantom import draw_spine, render
from sadanet_lab.training.recipe import make_recipe
from sadanet_lab.training.trainer import build_network
from sadanet_lab.views.explorer import Explorer

MOVES = 50


def run_at_full_size(method: str) -> SimpleNamespace:
    recipe = make_recipe(method, "quick", "none", image_height=2048, image_width=512)
    network = build_network(recipe).eval()
    return SimpleNamespace(recipe=recipe, network=lambda step=None: network, snapshots={})


def main() -> None:
    image = render(np.random.default_rng(1), draw_spine(np.random.default_rng(0), 512, 2048))
    print(f"{torch.get_num_threads()} threads, PyTorch {torch.__version__}; image {image.shape[1]} x {image.shape[0]}")
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        explorer = Explorer({"phantom": image}, {"SADANet": run_at_full_size("sadanet")}, Path(folder))
    print(f"features, computed once: {time.perf_counter() - start:.2f} s")
    rows = np.random.default_rng(2).permutation(2000)[:MOVES]
    seconds = []
    for row in rows:
        start = time.perf_counter()
        explorer.row.value = int(row)
        seconds.append(time.perf_counter() - start)
    low, high = np.percentile(seconds, [5, 95])
    median = 1000 * statistics.median(seconds)
    print(f"redraw, median of {MOVES} moves: {median:.0f} ms (5-95 %: {1000 * low:.0f} to {1000 * high:.0f} ms)")


if __name__ == "__main__":
    main()
