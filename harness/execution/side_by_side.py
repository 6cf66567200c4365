"""Processes of our own code side by side, which end with us."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

from harness.core.errors import InfrastructureError


@contextmanager
def processes(count: int) -> Iterator[ProcessPoolExecutor]:
    """A pool of `count` processes. Leaving the block early, or dying, ends them whatever they are at.

    InfrastructureError where somebody ended one of them.
    """
    # Spawned: a fork would share locks with whatever threads the caller has, and could hang.
    context = multiprocessing.get_context("spawn")
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(count, mp_context=context, initializer=_end_with_parent)
    try:
        _start(pool, count)
        yield pool
    except BaseException as error:
        for process in set(multiprocessing.active_children()) - others:
            process.kill()
        if isinstance(error, BrokenProcessPool):
            raise InfrastructureError(f"a process ended before its work was done: {error}") from error
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _start(pool: ProcessPoolExecutor, count: int) -> None:
    """Start the processes deaf to Ctrl-C, which reaches all of a terminal's processes: we hear it, and end them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        # A task that finds no idle process starts one, and none is idle before it is up.
        for _ in range(count):
            pool.submit(os.getpid)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_with_parent() -> None:
    """Have a thread end this process when its parent is gone. Our code and NumPy let a thread run now and then."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "these processes are spawned"

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
