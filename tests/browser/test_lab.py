"""Notebooks in a real JupyterLab: run by hand, widgets clicked; and every one as the graph has executed it, opened.

What needs no hand has been executed once by the graph; opening that tells whether all of it can be read.
"""

import re
import shutil
from pathlib import Path

import nbformat
import numpy as np
import pytest
from explorer_page import ExplorerPage
from PIL import Image
from servers import open_page

from sadanet_lab.images.folder_check import open_folder
from sadanet_lab.paths import PHANTOM, ROOT, result_file
from sadanet_lab.reporting.parameters import list_notebooks
from sadanet_lab.training.recipe import make_recipe
from sadanet_lab.training.run_store import get_or_train

SCREENSHOTS = ROOT / "results" / "browser"
RUN = ("00_data_tour", "01_table1_comparison")
"""Run by hand, beside the two whose widgets are clicked: the first that one opens, and the one that calls most."""
KEEP_TITLES = """() => {
    const groups = document.querySelector(".attention-explorer .groups");
    window.titles = [];
    new MutationObserver(() => {
        const title = groups.querySelector("h4").textContent;
        if (title !== window.titles.at(-1)) window.titles.push(title);
    }).observe(groups, { childList: true });
}"""


def set_parameters(path: Path, results: Path, **others) -> None:
    """Write the smoke profile's parameters, and others, into a notebook's parameters cell."""
    notebook = nbformat.read(path, as_version=4)
    (cell,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    given = {"profile": "smoke", "results": str(results), **others}
    cell.source += "".join(f"\n{key} = {value!r}" for key, value in given.items())
    nbformat.write(notebook, path)


@pytest.fixture
def opened(lab, context, reproduced):
    """Open a notebook, ready to run on what the graph has trained; returns its page and the path of its result."""
    results, _ = reproduced

    def open_notebook(name, **parameters):
        set_parameters(lab.folder / f"{name}.ipynb", results, **parameters)
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
    """The text of every error that a cell shows; JupyterLab gives it the kind of what is printed to standard error."""
    texts = page.eval_on_selector_all(
        "[data-mime-type='application/vnd.jupyter.stderr']", "found => found.map(e => e.innerText)"
    )
    return [text for text in texts if "Traceback" in text]


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


@pytest.fixture
def explorer(opened, phantoms, tmp_path):
    """Notebook 06 with a run of six steps, of which two were kept."""
    data = open_folder(phantoms)
    run = get_or_train(make_recipe("sadanet", "smoke", data.fingerprint), data, tmp_path / "results", snapshots=2)
    page, last = opened("06_attention_explorer", run=str(run.folder))
    run_all(page, last)
    return ExplorerPage(page)


def test_the_explorer_follows_clicks_drags_keys_tabs_and_plays_steps(explorer, screenshot):
    page = explorer.page
    size, begun = np.array(explorer.size()), explorer.maps()
    assert list(begun) == ["shipped model: SCA, one pass", "shipped model: SCA, two passes"]

    page.mouse.click(*explorer.place(0.25, 0.3))
    clicked = explorer.maps()
    assert explorer.pixel() == pytest.approx(size * (0.25, 0.3), abs=2)
    assert all(clicked[name] != begun[name] for name in begun)

    explorer.drag((0.25, 0.3), (0.8, 0.6))
    dragged = explorer.maps()
    assert explorer.pixel() == pytest.approx(size * (0.8, 0.6), abs=2)
    assert all(dragged[name] != clicked[name] for name in begun)

    row, column = explorer.pixel()
    explorer.press("ArrowDown", "ArrowDown", "ArrowLeft")  # the click has given the picture the keys
    down, left = explorer.pixel()
    assert down > row
    assert left < column
    assert all(explorer.maps()[name] != dragged[name] for name in begun)
    page.focus("[name=row]")
    explorer.press("ArrowLeft")
    assert explorer.pixel() == (down - 1, left)

    page.select_option("[name=second]", "SADANet")
    apart = explorer.maps()
    assert list(apart) == [*begun, "SADANet: SCA, one pass", "SADANet: SCA, two passes"]
    page.mouse.click(*explorer.place(0.4, 0.5))
    together = explorer.maps()
    assert all(together[name] != apart[name] for name in apart)
    screenshot(page, "explorer_looks")

    tabs = page.locator(".attention-explorer [role=tab]")  # JupyterLab has tabs too
    tabs.first.focus()
    for number, title in enumerate(["channel", "key 0", "classes", "whole network"], 1):
        explorer.press("ArrowRight")
        assert f"shipped model: {title}" in next(iter(explorer.maps()))
        assert tabs.nth(number).get_attribute("aria-selected") == "true"
        screenshot(page, f"explorer_{title.replace(' ', '_')}")

    trained = page.locator("[name=network] option").nth(1).inner_text()
    tabs.first.click()
    page.select_option("[name=network]", trained)
    ended = explorer.maps()
    page.evaluate(KEEP_TITLES)
    page.click(".attention-explorer .play")
    page.wait_for_function("() => document.querySelector('.attention-explorer .play').textContent === 'Play'")
    assert page.evaluate("window.titles") == [f"{trained}, step 2", f"{trained}, step 4", trained]
    assert explorer.maps() == ended
    screenshot(page, "explorer_played")
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
