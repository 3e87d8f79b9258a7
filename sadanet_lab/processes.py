"""Processes that share one work: pools of them, and how they end."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager


def usable_cores() -> int:
    """Cores that this process may use: in a container or a job of a cluster, not all that the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1  # macOS and Windows


@contextmanager
def pool_of(processes: int, start: Callable[..., None] | None = None, *given) -> Iterator[ProcessPoolExecutor]:
    """A pool whose processes compute with one thread each and call ``start(*given)`` first.

    Submit within ``undisturbed``. When the body ends, by Ctrl-C too, those at work end what they do, and no other is
    begun.
    """
    threads = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        with ProcessPoolExecutor(
            processes, multiprocessing.get_context("spawn"), _end_with_parent, (start, given)
        ) as pool:
            try:
                yield pool
            finally:
                pool.shutdown(cancel_futures=True)
    finally:
        os.environ.pop("OMP_NUM_THREADS")
        if threads is not None:
            os.environ["OMP_NUM_THREADS"] = threads


@contextmanager
def undisturbed() -> Iterator[None]:
    """Processes that are started within don't hear Ctrl-C, which a terminal sends to all: their parent ends them."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_with_parent(start: Callable[..., None] | None, given: tuple) -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    # A pool's process waits for ever for one that was killed.
    threading.Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()
    if start is not None:
        start(*given)
