"""The exit codes of the command line: pytest's 0–5, then ours. One code, the gravest, never combined."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum


class ExitCode(IntEnum):
    """What a command ended with."""

    FINE = 0
    DISAGREES = 1
    INTERRUPTED = 2
    INTERNAL = 3
    USAGE = 4
    NOTHING_RAN = 5
    STALE_LEDGER = 6
    CHANGED = 7
    SLOWER = 8
    INFRASTRUCTURE = 9


_GRAVITY = (
    ExitCode.INTERNAL,
    ExitCode.INTERRUPTED,
    ExitCode.USAGE,
    # What could not be judged may hide anything, so it outweighs what was judged.
    ExitCode.INFRASTRUCTURE,
    ExitCode.NOTHING_RAN,
    ExitCode.DISAGREES,
    ExitCode.CHANGED,
    ExitCode.STALE_LEDGER,
    ExitCode.SLOWER,
    ExitCode.FINE,
)


def gravest(codes: Iterable[ExitCode]) -> ExitCode:
    """The one to exit with; FINE where there is none."""
    found = set(codes)
    return next((code for code in _GRAVITY if code in found), ExitCode.FINE)
