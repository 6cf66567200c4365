"""A command of somebody's, run to its end or to its time limit, with everything that it started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.execution.leftovers import Leftovers

KEPT = 20_000
"""Bytes that are kept of what a command printed: the end, where the reason is."""

GLANCE = 0.05
"""Seconds between two looks at whether it ended: what is graded runs for a second at least."""


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: int | None
    """None: not within its time, or it was stopped."""
    seconds: float
    printed: str
    """The end of stdout and stderr."""


def run_command(
    command: Sequence[str],
    environment: Mapping[str, str],
    limit: float,
    stopped: threading.Event,
    leftovers: Leftovers,
) -> Ended:
    """Run it in a session of its own and end that session, whatever is left in it; so do the leftovers.

    Raises OSError where the command cannot be started.
    """
    since = time.monotonic()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=dict(environment),
            start_new_session=True,
        )
        leftovers.group(process.pid)
        try:
            ended = _ends(process.pid, since + limit, stopped)
        finally:
            # Before it is waited for: afterwards its number may be somebody else's.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            leftovers.ended(process.pid)
            status = process.wait()
        output.seek(0, os.SEEK_END)
        output.seek(max(0, output.tell() - KEPT))
        printed = output.read().decode("utf-8", errors="replace")
    return Ended(status if ended else None, time.monotonic() - since, printed)


def _ends(pid: int, deadline: float, stopped: threading.Event) -> bool:
    """Whether it ends in time; it is left to be waited for."""
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        if time.monotonic() >= deadline or stopped.wait(GLANCE):
            return False
    return True
