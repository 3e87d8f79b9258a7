"""Writing files so that nothing is left half-written, no two processes collide, and damage is noticed."""

import glob
import hashlib
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedWriter
from pathlib import Path

from filelock import AcquireReturnProxy, FileLock, Timeout

from sadanet_lab.errors import BadInput, Failed


def writable_folder(path: Path) -> Path:
    """Make ``path`` if needed; raises ``BadInput`` if nothing can be written there."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise BadInput(f"{path}: cannot be written to ({error.strerror}); expected a writable folder") from None
    return path


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file so that a reader, or a crash, sees the old content or the new, never a part."""
    with open_atomically(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


@contextmanager
def open_atomically(path: Path) -> Iterator[BufferedWriter]:
    """As ``write_atomically``, of a content that comes in parts: it is there once the block ends without an error.

    Raises ``Failed``, one line, if the disk is full or the folder is gone.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())  # before it takes its name: a power cut leaves the old content or the new
        temporary.replace(path)
    except OSError as error:
        if error.filename not in (None, str(temporary)):
            raise  # of another file, read within the block
        raise Failed(f"{path}: cannot be written ({error.strerror}); nothing of it is left") from None
    finally:
        with suppress(OSError):  # its folder may be gone
            temporary.unlink()


def check_free(out: Path) -> None:
    """Raises ``BadInput`` if ``out`` exists and is not an empty folder, or is a link."""
    if out.is_symlink():
        raise BadInput(f"{out}: a link; expected a new or an empty folder")
    if out.exists() and not (out.is_dir() and next(out.iterdir(), None) is None):
        raise BadInput(f"{out}: exists already; expected a new or an empty folder")


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """A folder to write into, which becomes ``out`` once the block ends without an error, and else is gone.

    See ``check_free`` for where ``out`` is there already. What a killed process left of such a folder is told.
    """
    check_free(out)
    place = out.absolute()  # of ".", a name
    writable_folder(place.parent)
    for left in sorted(place.parent.glob(f".{glob.escape(place.name)}.????????")):
        if left.is_dir():
            told = f"{left}: left by a process that was killed, or written by another one now; if by none, delete it"
            print(told, file=sys.stderr, flush=True)
    draft = Path(tempfile.mkdtemp(dir=place.parent, prefix=f".{place.name}."))
    try:
        yield draft
        draft.chmod(0o755)  # mkdtemp's folder is closed to everyone else
        try:
            draft.replace(place)
        except OSError as error:
            raise BadInput(f"{out}: cannot be made ({error.strerror}); expected a new or an empty folder") from None
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def sum_of(content: bytes) -> str:
    """16 hex digits over a file's content, by which damage shows."""
    return hashlib.sha256(content).hexdigest()[:16]


def lock(path: Path, what: str) -> AcquireReturnProxy:
    """Hold the lock file ``path`` for a ``with`` block; says so if another process holds it, and waits.

    The lock is the operating system's: it falls with its process, however that dies.
    """
    lock = FileLock(path)
    try:
        return lock.acquire(blocking=False)
    except Timeout:
        print(f"{what}: another process is making it; waiting for it", file=sys.stderr, flush=True)
        return lock.acquire()
