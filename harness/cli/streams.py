"""Standard output and error that take whatever is written to them, so that what becomes of it changes no exit code.

A reader that leaves (`xent … | head`), a full disk behind `>`, a stream that is closed (`>&-`), a locale of ASCII: the
verdict is the same. What could not be written is said once, where there is still a stream to say it on.
"""

from __future__ import annotations

import errno
import io
import os
import select
import sys
from typing import TYPE_CHECKING

from harness.core.printing import tell

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class TakesAll(io.FileIO):
    """A file that takes everything, and keeps why it could not pass it on."""

    failure: OSError | None = None

    def write(self, data: ReadableBuffer, /) -> int:
        size = memoryview(data).nbytes
        if self.failure is not None:
            return size
        try:
            # None: somebody made the terminal or pipe one that never waits, and there is no room yet.
            while (written := super().write(data)) is None:
                select.select([], [self], [])
        except OSError as error:
            self.failure = error
            return size
        return written


def make_robust() -> None:
    """Put such streams in the place of `sys.stdout` and `sys.stderr`; what is closed leads nowhere from now on."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free: this one
    unbuffered = bool(getattr(sys.stdout, "write_through", False))  # python -u
    sys.stdout = _text(1, at_once=unbuffered)
    sys.stderr = _text(2, at_once=True)


def _text(number: int, *, at_once: bool) -> io.TextIOWrapper:
    file = TakesAll(number, "w", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(file),
        encoding="utf-8",
        errors="replace",  # half a surrogate pair, of a file name or a message, is no character
        line_buffering=at_once or file.isatty(),
    )


def say_what_failed() -> None:
    """Write what is still to be written, and say of standard output what it did not take: a reader that left asked for
    no more."""
    sys.stdout.flush()
    file = getattr(sys.stdout.buffer, "raw", None)
    if isinstance(file, TakesAll) and file.failure is not None and file.failure.errno != errno.EPIPE:
        tell(f"xent: standard output could not be written: {file.failure.strerror}", error=True)
    sys.stderr.flush()
