"""How long the attention explorer takes from a click to the new picture: `make benchmark`. Prints, asserts nothing.

SADANet, alone and with DANet beside it, at the paper's picture, 512 x 2048 pixels, on a grid of 64 x 256 cells; random
weights, which cost the same. In the kernel alone; and, where there is Chromium, in a JupyterLab that it shows: from the
time stamp of the browser's own event to the end of the first frame that holds the new maps.
"""

import statistics
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import numpy as np
import torch
from playwright.sync_api import TimeoutError, sync_playwright

from sadanet_lab.phantom import draw_spine, render
from sadanet_lab.training.recipe import make_recipe
from sadanet_lab.training.trainer import build_network
from sadanet_lab.views.explorer import Explorer

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent / "browser"))

from servers import ARGUMENTS, CHROMIUM, Lab, open_page  # noqa: E402

MOVES = 50
SHOWN = (["sadanet"], ["sadanet", "danet"])
KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
CELL = """import sys
sys.path.append({here!r})
import explorer
explorer.full_size({methods}, "saved")"""
KEEP_TIMES = """() => {
    const explorer = document.querySelector(".attention-explorer");
    window.milliseconds = [];
    explorer.addEventListener("pointerdown", (event) => {
        const before = explorer.dataset.asked;
        const look = () => {
            const { asked, shown } = explorer.dataset;
            if (asked === before || asked !== shown) return requestAnimationFrame(look);
            const { port1, port2 } = new MessageChannel(); // heard once this frame is painted
            port1.onmessage = () => window.milliseconds.push(performance.now() - event.timeStamp);
            port2.postMessage(0);
        };
        requestAnimationFrame(look);
    }, true);
}"""


def full_size(methods: list[str], folder: str) -> Explorer:
    """The explorer of one or two networks that were never trained, on a phantom of 512 x 2048 pixels."""
    image = render(np.random.default_rng(1), draw_spine(np.random.default_rng(0), 512, 2048))
    explorer = Explorer({"phantom": image}, {method: run_at_full_size(method) for method in methods}, Path(folder))
    if len(methods) > 1:
        explorer.set_state({"second": methods[1], "asked": 1})
    return explorer


def run_at_full_size(method: str) -> SimpleNamespace:
    recipe = make_recipe(method, "quick", "none", image_height=2048, image_width=512)
    network = build_network(recipe).eval()
    return SimpleNamespace(recipe=recipe, network=lambda step=None: network, snapshots={})


def in_the_kernel(methods: list[str]) -> list[float]:
    """Milliseconds of each move."""
    start = time.perf_counter()
    explorer = full_size(methods, "saved")
    print(f"features, computed once: {time.perf_counter() - start:.2f} s")
    found = []
    for row in np.random.default_rng(2).permutation(2000)[:MOVES]:
        start = time.perf_counter()
        explorer.set_state({"row": int(row), "asked": explorer.asked + 1})
        found.append(1000 * (time.perf_counter() - start))
    return found


def in_the_browser(methods: list[str]) -> list[float]:
    """Milliseconds of each click on the image."""
    with (
        tempfile.TemporaryDirectory(prefix="lab-", ignore_cleanup_errors=True) as home,
        sync_playwright() as playwright,
    ):
        folder = Path(home) / "notebooks"
        folder.mkdir()
        cell = CELL.format(here=str(HERE), methods=methods)
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)], metadata=KERNEL)
        nbformat.write(notebook, folder / "explorer.ipynb")
        lab = Lab(folder, Path(home))
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        try:
            context = browser.new_context(viewport={"width": 1600, "height": 1200})
            page = open_page(context, lab, "explorer")
            run_all(page)
            page.evaluate(KEEP_TIMES)
            box = page.locator(".attention-explorer .picture").first.bounding_box()
            assert box is not None
            for number, (x, y) in enumerate(np.random.default_rng(2).uniform(0.02, 0.98, (MOVES, 2))):
                page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
                page.wait_for_function("number => window.milliseconds.length > number", arg=number)
            return page.evaluate("window.milliseconds")
        finally:
            browser.close()
            lab.stop()


def run_all(page: Any) -> None:
    """Until the explorer is there: a command that comes while the kernel is still connecting can be lost."""
    for _ in range(5):
        page.evaluate("window.jupyterapp.commands.execute('notebook:run-all-cells')")
        with suppress(TimeoutError):
            page.wait_for_selector(".attention-explorer[data-shown]", timeout=40_000)
            return
    raise SystemExit("no explorer in JupyterLab")


def tell(where: str, milliseconds: list[float]) -> None:
    low, high = np.percentile(milliseconds, [5, 95])
    median = statistics.median(milliseconds)
    print(f"{where}, median of {len(milliseconds)} moves: {median:.0f} ms (5-95 %: {low:.0f} to {high:.0f} ms)")


def main() -> None:
    print(f"{torch.get_num_threads()} threads, PyTorch {torch.__version__}; image 512 x 2048")
    for methods in SHOWN:
        print(*methods, sep=" beside ")
        tell("kernel alone", in_the_kernel(methods))
        if CHROMIUM is None:
            print("from click to picture: not measured, no Chromium")
        else:
            tell("from click to picture in Chromium", in_the_browser(methods))


if __name__ == "__main__":
    main()
