"""Notebooks in a real JupyterLab: run by hand, widgets clicked; and every one as the graph has executed it, opened.

What needs no hand has been executed once by the graph; opening that tells whether all of it can be read.
"""

import hashlib
import re
import shutil
from pathlib import Path

import nbformat
import numpy as np
import pytest
from PIL import Image
from servers import open_page

from sadanet_lab.paths import PHANTOM, ROOT, result_file
from sadanet_lab.reporting.parameters import list_notebooks

SCREENSHOTS = ROOT / "results" / "browser"
RUN = ("00_data_tour", "01_table1_comparison")
"""Run by hand, beside the two whose widgets are clicked: the first that one opens, and the one that calls most."""
IMAGE_HASH = """async (selector) => {
    const image = document.querySelector(selector);
    const bytes = await (await fetch(image.src)).arrayBuffer();
    return Array.from(new Uint8Array(bytes));
}"""


def set_parameters(path: Path, results: Path) -> None:
    """Write the smoke profile's parameters into a notebook's parameters cell."""
    notebook = nbformat.read(path, as_version=4)
    (cell,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    given = {"profile": "smoke", "results": str(results)}
    cell.source += "".join(f"\n{key} = {value!r}" for key, value in given.items())
    nbformat.write(notebook, path)


@pytest.fixture
def context(browser):
    context = browser.new_context(viewport={"width": 1600, "height": 1400})
    context.set_default_timeout(90_000)
    yield context
    context.close()


@pytest.fixture
def opened(lab, context, reproduced):
    """Open a notebook, ready to run on what the graph has trained; returns its page and the path of its result."""
    results, _ = reproduced

    def open_notebook(name):
        set_parameters(lab.folder / f"{name}.ipynb", results)
        last = result_file(name, results, PHANTOM, "smoke")
        last.unlink(missing_ok=True)
        return open_page(context, lab, name), last

    yield open_notebook
    lab.end_kernels()


def run_all(page, last):
    """Run every cell by the menu, and wait for the result file ``last`` that the notebook writes at its end.

    A click that comes while the kernel is still connecting can be lost: then it is made again.
    """
    for _ in range(3):
        page.click(".lm-MenuBar-item:has-text('Run')")
        page.click('.lm-Menu-item[data-command="runmenu:run-all"]')
        if ran_to_its_end(page, last):
            break
    page.screenshot(path=str(SCREENSHOTS / f"{last.stem}_at_its_end.png"))
    assert failures(page) == []
    assert last.exists()


def ran_to_its_end(page, last, seconds=300, idle_seconds=10):
    """Whether the result is there or a cell has failed; False once the kernel has been idle without either."""
    idle = 0
    for _ in range(2 * seconds):
        page.wait_for_timeout(500)
        is_idle = page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").count() > 0
        idle = idle + 1 if is_idle else 0
        if (last.exists() and is_idle) or failures(page):
            return True
        if idle > 2 * idle_seconds:
            return False
    return False


def failures(page):
    """The text of every error that a cell shows."""
    return page.eval_on_selector_all(
        ".jp-RenderedText[data-mime-type='application/vnd.jupyter.error']", "found => found.map(e => e.innerText)"
    )


def picture(page, selector):
    """Hash of the picture that an image widget shows: its blob address changes even where the picture does not."""
    page.wait_for_selector(f"{selector}[src^=blob]", timeout=60_000)
    return hashlib.sha256(bytes(page.evaluate(IMAGE_HASH, selector))).hexdigest()


def wait_for_another(page, selector, before):
    for _ in range(100):
        if (now := picture(page, selector)) != before:
            return now
        page.wait_for_timeout(100)
    raise AssertionError(f"{selector} still shows the same picture")


def test_the_server_wants_its_token(lab):
    statuses = [lab.status(f"/api/status?token={token}") for token in ("", "wrong", lab.token)]
    assert statuses == [403, 403, 200]


@pytest.mark.parametrize("name", [path.stem for path in list_notebooks()])
def test_every_executed_notebook_opens_with_all_its_pictures_and_no_failed_cell(
    name, lab, context, reproduced, screenshot
):
    folder = result_file(name, reproduced[0], PHANTOM, "smoke").parent
    executed = folder.parent / "executed" / folder.name / f"{name}.ipynb"
    shutil.copyfile(executed, lab.folder / f"executed_{name}.ipynb")
    outputs = [output for cell in nbformat.read(executed, 4).cells for output in cell.get("outputs", [])]
    pictures = sum("image/png" in output.get("data", {}) for output in outputs)
    page = open_page(context, lab, f"executed_{name}")
    tables = sum(
        len(re.findall(r"^\|[:|-]+$", output.get("data", {}).get("text/markdown", ""), re.M)) for output in outputs
    )
    # JupyterLab draws them one after the other: each is waited for.
    page.wait_for_function(
        "wanted => [...document.querySelectorAll('.jp-OutputArea-output img')].filter(e => e.naturalWidth > 0).length"
        " >= wanted[0] && document.querySelectorAll('.jp-OutputArea-output table').length >= wanted[1]",
        arg=[pictures, tables],
    )
    assert failures(page) == []
    screenshot(page, f"executed_{name}")
    lab.end_kernels()


@pytest.mark.parametrize("name", RUN)
def test_run_all_leaves_no_failed_cell(name, opened, screenshot):
    page, last = opened(name)
    run_all(page, last)
    screenshot(page, name)


def test_sliders_by_keyboard_and_mouse_change_the_attention_maps(opened, screenshot):
    name, shown = "06_attention_explorer", ".attention-picture"
    page, last = opened(name)
    run_all(page, last)
    page.locator(shown).scroll_into_view_if_needed()
    first = picture(page, shown)
    handles = page.locator(".widget-slider:visible .noUi-handle")
    handles.nth(0).focus()
    for _ in range(12):
        page.keyboard.press("ArrowRight")
    moved = wait_for_another(page, shown, first)
    screenshot(page, "explorer_moved_by_keyboard")
    box = page.locator(".widget-slider:visible .noUi-target").nth(1).bounding_box()
    handle = handles.nth(1).bounding_box()
    page.mouse.move(handle["x"] + handle["width"] / 2, handle["y"] + handle["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + box["height"] / 2, steps=8)
    page.mouse.up()
    wait_for_another(page, shown, moved)
    screenshot(page, "explorer_moved_by_mouse")
    assert failures(page) == []


def test_a_dropped_image_is_segmented_and_can_be_downloaded(opened, screenshot, tmp_path):
    name = "11_your_image"
    page, last = opened(name)
    run_all(page, last)
    grey = np.random.default_rng(0).integers(0, 256, (400, 100), np.uint8)
    Image.fromarray(grey).save(tmp_path / "mine.png")
    with page.expect_file_chooser() as chooser:
        page.locator(".own-image .drop").click()
    chooser.value.set_files(str(tmp_path / "mine.png"))
    page.wait_for_selector("a[download='mine_labels.png']", timeout=60_000)
    with page.expect_download() as download:
        page.click("a[download='mine_labels.png']")
    download.value.save_as(tmp_path / "labels.png")
    labels = np.asarray(Image.open(tmp_path / "labels.png"))
    assert labels.shape == (400, 100)
    assert set(np.unique(labels)) <= {0, 1, 2, 3}
    screenshot(page, "own_image")
