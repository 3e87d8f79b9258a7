"""How long work shows itself: a bar when someone watches, a line every few seconds in a log."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tqdm import tqdm

SECONDS_BETWEEN_LINES = 5.0
SESSION = "JPY_SESSION_NAME"
"""What JupyterLab's kernels have in their environment; papermill's have not."""


def watcher() -> str | None:
    """ "terminal", "notebook" (one that is open in JupyterLab), or None.

    What a notebook's cell starts inherits the session's name, and is no kernel.
    """
    if os.environ.get(SESSION) and _is_kernel():
        return "notebook"
    return "terminal" if sys.stderr.isatty() else None


def _is_kernel() -> bool:
    kernels = sys.modules.get("ipykernel.kernelapp")
    return kernels is not None and kernels.IPKernelApp.initialized()


class LogLines:
    """tqdm's few calls that we use, as plain lines for a log."""

    def __init__(self, total: int, initial: int, desc: str, unit: str):
        self.total, self.n, self.initial, self.desc, self.unit = total, initial, initial, desc, unit
        self.start = self.last = time.monotonic()
        self.postfix = ""

    def set_postfix_str(self, text: str, refresh: bool = True) -> None:
        self.postfix = text

    def update(self, n: int = 1) -> None:
        self.n += n
        now = time.monotonic()
        if now - self.last >= SECONDS_BETWEEN_LINES or self.n == self.total:
            self.last = now
            elapsed = now - self.start
            left = elapsed / (self.n - self.initial) * (self.total - self.n)
            line = f"{self.desc}: {self.n}/{self.total} {self.unit}, {elapsed:.0f} s, {left:.0f} s left"
            # In one write: others' lines may go to the same log.
            sys.stderr.write(line + (f", {self.postfix}" if self.postfix else "") + "\n")
            sys.stderr.flush()


@contextmanager
def progress(total: int, desc: str, unit: str, initial: int = 0) -> Iterator[tqdm | LogLines]:
    """A bar or log lines over ``total`` units of work, of which ``initial`` were done in an earlier process."""
    where = watcher()
    if where is None:
        yield LogLines(total, initial, desc, unit)
        return
    bar = tqdm
    if where == "notebook":
        from tqdm.notebook import tqdm as bar  # brings ipywidgets along
    # A page shows results: what was progress is gone when the work is done. A terminal keeps it.
    with bar(total=total, initial=initial, desc=desc, unit=f" {unit}", leave=where == "terminal") as shown:
        yield shown
