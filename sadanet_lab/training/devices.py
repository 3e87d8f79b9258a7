"""Which GPU a process takes: a free one, without being told which, so that jobs share those of a machine.

Each GPU has slots, one unless the environment's ``GPU_SLOTS`` says how many small trainings fit on one side by side. A
slot is a lock file under the machine's folder for temporary files, named by the GPU's own identity: it is held until
the process ends, however it ends, or ``release`` is called. Locks are one user's: between users, a queue such as
Slurm's decides.
"""

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from filelock import FileLock, Timeout

from sadanet_lab.errors import BadInput
from sadanet_lab.progress import watcher

SECONDS_BETWEEN_LOOKS = 1.0
_held: dict[int, FileLock] = {}
"""Index of the GPU that this process holds -> its lock; one entry at most."""


def count_devices() -> int:
    """GPUs that this process may use; those that ``CUDA_VISIBLE_DEVICES`` hides do not count."""
    import torch  # seconds to load, and not needed to plan

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def planned_devices() -> int:
    """The same for a plan: loads no torch where there is no ``nvidia-smi`` either."""
    return count_devices() if shutil.which("nvidia-smi") else 0


def ran_out_of_memory(error: BaseException) -> bool:
    """Whether it says that a GPU, or this machine, has no more memory to give."""
    import torch

    of_cpu = isinstance(error, RuntimeError) and "can't allocate memory" in str(error)  # of no class of its own
    return of_cpu or isinstance(error, torch.OutOfMemoryError | MemoryError)


def slots() -> int:
    """Processes that may share a GPU; raises ``BadInput`` if ``GPU_SLOTS`` is no number from 1 on."""
    text = os.environ.get("GPU_SLOTS") or "1"
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise BadInput(f"GPU_SLOTS: found {text!r}; expected how many trainings share a GPU, 1 or more")
    return int(text)


def take_devices(device: str) -> int | list[int]:
    """What Fabric's ``devices`` is to be for "auto", "cpu", "cuda" or "mps": [index] of a GPU that this process now
    holds a slot of, or 1 where no GPU is meant. Waits, and says so, while all slots are taken.

    An open notebook in JupyterLab holds none, for it would do so as long as its page is open: it gets the GPU that
    PyTorch would take.
    """
    if device not in ("auto", "cuda") or count_devices() == 0 or watcher() == "notebook":
        return 1
    if not _held:
        _hold(_lock_files())
    return list(_held)


def release() -> None:
    """Give back what ``take_devices`` took. To be called before waiting for another process: it may wait for a GPU."""
    for held in _held.values():
        held.release()
    _held.clear()


def _lock_files() -> list[tuple[int, Path]]:
    """(index, lock file) of every slot, the first of each GPU before the second of any."""
    import torch

    folder = Path(tempfile.gettempdir()) / f"sadanet-gpus-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    names = [str(torch.cuda.get_device_properties(index).uuid) for index in range(count_devices())]
    return [(index, folder / f"{name}-{slot}.lock") for slot in range(slots()) for index, name in enumerate(names)]


def _hold(files: list[tuple[int, Path]]) -> None:
    told = False
    while True:
        for index, path in files:
            held = FileLock(path)
            try:
                held.acquire(blocking=False)
            except Timeout:
                continue
            _held[index] = held
            return
        if not told:
            print(f"all {len(files)} GPU slots are taken; waiting for one", file=sys.stderr, flush=True)
            told = True
        time.sleep(SECONDS_BETWEEN_LOOKS)
