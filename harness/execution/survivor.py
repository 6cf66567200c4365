"""What outlives the harness: a process that waits until the harness is gone, and then ends and removes what it left.

    python -I -S survivor.py < PIPE

After a SIGKILL somebody else has to clean up. The pipe ends when the harness does, however that came about; what was
written to it by then is what there is to do. Standard library only, and of that little: it starts with every pool.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import time

TRIES = 50
"""How often a folder is tried to be removed: what was just killed may still hold or write a file in it."""

PAUSE = 0.1
"""Seconds between two tries; five in all, which is long for a process to end in."""


def entry(began: bool, kind: str, name: str) -> bytes:
    """What is told of a group of processes (`group`, its number) or of a folder (`folder`, its path)."""
    return b"%c%s %s\0" % (b"+" if began else b"-", kind.encode(), os.fsencode(name))


def end(told: bytes) -> None:
    """End and remove what these entries say began and not that it ended. Half an entry at the end says nothing."""
    left: dict[bytes, None] = {}
    for one in told.split(b"\0")[:-1]:
        if one.startswith(b"+"):
            left[one[1:]] = None
        else:
            left.pop(one[1:], None)
    named = [what.partition(b" ") for what in left]
    for number in (name for kind, _, name in named if kind == b"group"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(int(number), signal.SIGKILL)
    for path in (name for kind, _, name in named if kind == b"folder"):
        _remove(path)


def _remove(path: bytes) -> None:
    for _ in range(TRIES):
        shutil.rmtree(path, ignore_errors=True)
        if not os.path.lexists(path):
            return
        time.sleep(PAUSE)


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # whoever ends us all means the harness; we end right after it
    end(sys.stdin.buffer.read())
