"""Servers of their own on loopback, JupyterLab with a token and the page of `make app`; headless Chromium before them.

Without Chromium the tests are skipped, with the reason; in CI (`CI=1`, as `.ci/run` sets it) they fail instead.
Screenshots go to results/browser/.
"""

import contextlib
import json
import os
import secrets
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SCREENSHOTS = ROOT / "results" / "browser"
ARGUMENTS = [
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--no-first-run"),
]
PRIVATE = ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR")


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


class Server:
    """A running server: its address, its log, and the home that it has for itself."""

    def __init__(self, command: list[str], folder: Path, home: Path, port: int, **environment: str):
        self.address, self.home, self.log = f"http://127.0.0.1:{port}", home, home / "server.log"
        environment |= {f"JUPYTER_{name}": str(home / name.lower()) for name in PRIVATE}
        environment |= {"IPYTHONDIR": str(home / "ipython"), "HOME": str(home), "TMPDIR": str(home)}
        with self.log.open("w") as log:
            self.process = subprocess.Popen(command, cwd=folder, env=os.environ | environment, stdout=log, stderr=log)

    def status(self, path: str, **headers: str) -> int:
        """HTTP status of a page."""
        try:
            request = urllib.request.Request(f"{self.address}{path}", headers=headers)
            with urllib.request.urlopen(request, timeout=5) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    def wait_for(self, path: str, status: int, seconds: float = 120) -> None:
        """Wait until a page answers with this HTTP status."""
        end, answer = time.monotonic() + seconds, None
        while time.monotonic() < end:
            with contextlib.suppress(OSError):
                answer = self.status(path)
            if answer == status:
                return
            assert self.process.poll() is None, self.log.read_text()[-2000:]
            time.sleep(0.25)
        raise AssertionError(f"{path} answers {answer}, not {status}: {self.log.read_text()[-2000:]}")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=30)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Lab(Server):
    """A running JupyterLab: the folder of its notebooks, address and token."""

    def __init__(self, folder: Path, home: Path):
        self.folder, self.token, port = folder, secrets.token_hex(16), free_port()
        environment = {"JUPYTERLAB_SETTINGS_DIR": str(home / "settings"), "JUPYTER_TOKEN": self.token}
        environment |= {"JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces")}
        config = home / "config_dir"
        (config / "labconfig").mkdir(parents=True)
        # All of a page in it at once, so that what is below the window can be looked at too.
        tracker = home / "settings" / "@jupyterlab" / "notebook-extension" / "tracker.jupyterlab-settings"
        tracker.parent.mkdir(parents=True)
        tracker.write_text(json.dumps({"windowingMode": "none"}))
        # The news toast would lie over what is to be clicked.
        disabled = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
        (config / "labconfig" / "page_config.json").write_text(json.dumps(disabled))
        options = {
            "ServerApp.ip": "127.0.0.1",
            "ServerApp.port": port,
            "ServerApp.port_retries": 0,
            "ServerApp.root_dir": folder,
            "ServerApp.terminals_enabled": False,
            "LabApp.expose_app_in_browser": True,
            "KernelManager.transport": "ipc",
        }
        command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
        command += [f"--{name}={value}" for name, value in options.items()]
        super().__init__(command, folder, home, port, **environment)
        self.wait_for(f"/api/status?token={self.token}", 200)

    def end_kernels(self) -> None:
        """End every kernel: a notebook that is opened again gets a new one."""
        headers = {"Authorization": f"token {self.token}"}
        with urllib.request.urlopen(urllib.request.Request(f"{self.address}/api/sessions", headers=headers)) as answer:
            sessions = json.load(answer)
        for session in sessions:
            address = f"{self.address}/api/sessions/{session['id']}"
            urllib.request.urlopen(urllib.request.Request(address, headers=headers, method="DELETE")).close()


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
