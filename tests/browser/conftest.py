"""Servers of their own on loopback, JupyterLab with a token and the page of `make app`; headless Chromium before them.

Without Chromium the tests are skipped, with the reason; in CI (`CI=1`, as `.ci/run` sets it) they fail instead.
Screenshots go to results/browser/.
"""

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from servers import ARGUMENTS, CHROMIUM, Lab, Server, free_port

ROOT = Path(__file__).parents[2]
SCREENSHOTS = ROOT / "results" / "browser"


def pytest_collection_modifyitems(items):
    if CHROMIUM is None and not os.environ.get("CI"):
        for item in items:
            if item.get_closest_marker("browser"):
                item.add_marker(pytest.mark.skip(reason="no Chromium: apt-get install chromium"))


# Not for the whole session: while Playwright is open its event loop is, and papermill in other tests wants one itself.
@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    assert CHROMIUM, "CI needs Chromium: apt-get install chromium"
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def context(browser):
    context = browser.new_context(viewport={"width": 1600, "height": 1400})
    context.set_default_timeout(90_000)
    yield context
    context.close()


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """JupyterLab on the project's notebooks, copied, so that none is changed."""
    folder = tmp_path_factory.mktemp("lab") / "notebooks"
    shutil.copytree(ROOT / "notebooks", folder, ignore=shutil.ignore_patterns(".ipynb_*"))
    # A short name: a kernel's sockets lie in it, and the system cuts their names at about 100 characters.
    with tempfile.TemporaryDirectory(prefix="lab-", ignore_cleanup_errors=True) as home:
        lab = Lab(folder, Path(home))
        yield lab
        lab.stop()


@pytest.fixture(scope="module")
def app():
    """What `make app` starts."""
    port = free_port()
    command = [
        "make",
        "--dry-run",
        "--no-print-directory",
        "app",
        f"APP=--no-browser --port={port} --Voila.port_retries=0",
    ]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    python, *arguments = shlex.split(told.splitlines()[-1])
    assert Path(python).name == "python"
    with tempfile.TemporaryDirectory(prefix="app-", ignore_cleanup_errors=True) as home:
        app = Server([sys.executable, *arguments], ROOT, Path(home), port)
        app.wait_for("/voila/files/nothing", 403)
        yield app
        app.stop()


@pytest.fixture
def screenshot():
    """Keep a picture of a page under a name."""
    return lambda page, name: page.screenshot(path=str(SCREENSHOTS / f"{name}.png"))
