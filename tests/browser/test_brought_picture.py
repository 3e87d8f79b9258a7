"""A picture of the user's own in the attention explorer, in a real JupyterLab: views show it, no notebook saves it."""

import base64
from contextlib import suppress

import nbformat
import numpy as np
import pytest
from explorer_page import ExplorerPage
from PIL import Image
from playwright.sync_api import TimeoutError
from servers import open_page

NAME = "brought"
KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
CELL = """import numpy as np
from pathlib import Path
from sadanet_lab.training.shipped import shipped_run
from sadanet_lab.views.explorer import Explorer
dark = np.tile(np.arange(120, dtype=np.uint8) // 2, (400, 1))
Explorer({"dark": dark}, {"shipped": shipped_run()}, Path("shots"))"""
STATE = "application/vnd.jupyter.widget-state+json"
PICTURES = """() => [...document.querySelectorAll(".attention-explorer .grey")].map((image) => {
    const canvas = new OffscreenCanvas(8, 1).getContext("2d");
    if (image.naturalWidth) canvas.drawImage(image, 0, 0, 8, 1);
    const { data } = canvas.getImageData(0, 0, 8, 1);
    return [image.naturalWidth, image.naturalHeight, data[0], data[28]];
})"""
"""Of each picture, below a map or beside them: width, height, and how bright its left and right edges are."""
OWN, DARK = [200, 800, 20, 220], [120, 400, 4, 56]


@pytest.fixture
def page(lab, context):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)], metadata=KERNEL)
    nbformat.write(notebook, lab.folder / f"{NAME}.ipynb")
    yield open_page(context, lab, NAME)
    lab.end_kernels()


def command(page, name):
    page.evaluate("name => window.jupyterapp.commands.execute(name)", name)


def run(page):
    """Until the explorer is there: a command that comes while the kernel is still connecting can be lost."""
    for _ in range(5):
        command(page, "notebook:run-all-cells")
        with suppress(TimeoutError):
            page.wait_for_selector(".attention-explorer[data-shown]", timeout=40_000)
            return
    raise AssertionError("no explorer in JupyterLab")


def wait_for_pictures(page, expected, views=1):
    """Until each view shows this picture: by itself, and below both of its maps."""
    page.wait_for_function(
        f"([width, count]) => ({PICTURES})().filter((found) => found[0] === width).length === count",
        arg=[expected[0], 3 * views],
    )
    for found in page.evaluate(PICTURES):
        assert found == pytest.approx(expected, abs=12)


def saved(page, lab):
    """The explorer's state in the notebook once it is saved, and all that the notebook holds, decoded too."""
    command(page, "docmanager:save")
    path = lab.folder / f"{NAME}.ipynb"
    for _ in range(60):
        states = nbformat.read(path, 4).metadata.get("widgets", {}).get(STATE, {}).get("state", {}).values()
        for one in states:
            if one["model_module"] == "anywidget":
                return one["state"], [
                    path.read_bytes(),
                    *(base64.b64decode(buffer["data"]) for buffer in one["buffers"]),
                ]
        page.wait_for_timeout(500)
    raise AssertionError("no state of the explorer in the notebook")


def test_a_brought_picture_is_in_every_view_and_in_no_saved_notebook(page, lab, context, screenshot, tmp_path):
    run(page)
    wait_for_pictures(page, DARK)
    grey = np.random.default_rng(0).integers(0, 8, (800, 200), np.uint8) + np.repeat(np.uint8([16, 216]), 100)
    Image.fromarray(grey).save(tmp_path / "doe_jane.png")
    page.set_input_files(".attention-explorer input[type=file]", tmp_path / "doe_jane.png")
    wait_for_pictures(page, OWN)
    explorer = ExplorerPage(page)
    begun = explorer.maps()
    page.mouse.click(*explorer.place(0.25, 0.3))
    assert all(explorer.maps()[name] != begun[name] for name in begun)
    assert explorer.pixel() == pytest.approx((200, 60), abs=4)
    assert page.input_value("[name=image]") == "your picture 1"
    page.select_option("[name=image]", "dark")
    wait_for_pictures(page, DARK)
    page.select_option("[name=image]", "your picture 1")
    wait_for_pictures(page, OWN)

    command(page, "@jupyter-widgets/jupyterlab-manager:saveWidgetState")
    state, contents = saved(page, lab)
    assert (state["image"], state["images"]) == ("your picture 1", ["dark", "your picture 1"])
    assert state["groups"] == []
    for content in contents:
        assert b"jane" not in content
        assert b"\xff\xd8\xff" not in content, "a JPEG"
    command(page, "notebook:create-output-view")
    wait_for_pictures(page, OWN, views=2)
    screenshot(page, "explorer_brought")

    page = open_page(context, lab, NAME)  # with the kernel that is still there
    wait_for_pictures(page, OWN)
    lab.end_kernels()
    page = open_page(context, lab, NAME)  # with another, which knows nothing of it
    page.wait_for_selector(".attention-explorer.lacking")
    assert page.input_value("[name=image]") == "your picture 1"
    assert [found[0] for found in page.evaluate(PICTURES)] == [0]
    screenshot(page, "explorer_lacking")
