"""Where things are, and writing them so that nothing is left half-written and no two processes collide."""

import os
import sys
import tempfile
import threading
from pathlib import Path

from filelock import AcquireReturnProxy, FileLock, Timeout

from sadanet_core.errors import BadInput

_CHECKOUT = Path(__file__).resolve().parents[1]
ROOT = _CHECKOUT if (_CHECKOUT / "notebooks").is_dir() else Path.cwd()
"""The project's folder when we run from a checkout, otherwise the current one."""


def resolve(path: str | Path) -> Path:
    """A path from a notebook's parameters: relative ones start at ``ROOT``, whatever the kernel's folder is."""
    return ROOT / Path(path).expanduser()


def output_folder(results: str, data: str, profile: str) -> Path:
    """Where a notebook's tables and figures go: ``results/<name of the data folder>-<profile>``."""
    return resolve(results) / f"{Path(data).name}-{profile}"


def writable_folder(path: Path) -> Path:
    """Make ``path`` if needed; raises ``BadInput`` if nothing can be written there."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise BadInput(f"{path}: can't be written to ({error.strerror}); expected a writable folder") from None
    return path


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file so that a reader, or a crash, sees the old content or the new, never a part."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}")
    with temporary.open("wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def locked(path: Path, what: str) -> AcquireReturnProxy:
    """Hold the lock file ``path`` for a ``with`` block; says so if another process holds it, and waits.

    The lock is the operating system's: it falls with its process, however that dies.
    """
    lock = FileLock(path)
    try:
        return lock.acquire(blocking=False)
    except Timeout:
        print(f"{what}: another process is making it; waiting for it", file=sys.stderr, flush=True)
        return lock.acquire()
