"""Headless Chromium, and servers of their own on loopback for it to look at."""

import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
ARGUMENTS = [
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--no-first-run"),
]
PRIVATE = ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR")


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
        """End it; one that still waits for a kernel half a minute later is killed."""
        self.process.terminate()
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


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


def open_page(context, lab, name):
    """The page of a notebook in the lab's folder, its kernel ready."""
    page = context.new_page()
    page.goto(f"{lab.address}/lab/tree/{name}.ipynb?token={lab.token}&reset")
    page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]", timeout=90_000)
    page.wait_for_function(
        "() => !['', 'No Kernel'].includes(document.querySelector('.jp-Toolbar-kernelName')?.textContent.trim())",
        timeout=90_000,
    )
    return page
