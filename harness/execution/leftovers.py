"""What must not outlive this process: workers, what they started, folders that are needed only meanwhile.

One way to clean up, whether a block is left, somebody interrupts, or this process is killed: the survivor does it
(`harness.execution.survivor`) once the pipe to it is closed.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from harness.execution import survivor

PATIENCE = 15.0
"""Seconds to wait until the survivor has done its work, thrice what a folder that resists takes it."""


class Leftovers:
    """Process groups and folders that go when its block is left, or when this process is gone. Any thread may use it.

    On POSIX alone, as are the workers.
    """

    def __init__(self, locks: Sequence[int] = ()) -> None:
        """`locks` are descriptors of files whose locks are to be held until everything is gone."""
        read, self._pipe = os.pipe()
        self._told: list[bytes] = []
        try:
            self._survivor = subprocess.Popen(
                [sys.executable, "-I", "-S", survivor.__file__],
                stdin=read,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                # What ends the harness with its whole group, or its terminal, must not end the survivor.
                start_new_session=True,
                pass_fds=tuple(locks),
                cwd="/",
            )
        except BaseException:
            os.close(self._pipe)
            raise
        finally:
            os.close(read)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End and remove everything, and wait until that is done."""
        os.close(self._pipe)
        try:
            done = self._survivor.wait(PATIENCE) == 0
        except subprocess.TimeoutExpired:
            self._survivor.kill()
            self._survivor.wait()
            done = False
        if not done:  # somebody killed it: we are who survives
            survivor.end(b"".join(self._told))

    def group(self, number: int) -> None:
        """A group of processes is at work."""
        self._tell(survivor.entry(True, "group", str(number)))

    def ended(self, number: int) -> None:
        """The group was killed. To be told before its leader is waited for: then its number may be another's."""
        self._tell(survivor.entry(False, "group", str(number)))

    def temporary_folder(self, prefix: str) -> Path:
        """A new folder where temporary ones lie."""
        # Told before it is made: killed in between, we leave nothing.
        path = Path(tempfile.gettempdir()) / f"{prefix}{os.urandom(8).hex()}"
        self.folder(path)
        path.mkdir(mode=0o700)
        return path

    def folder(self, path: Path) -> None:
        """A folder goes, unless it is kept."""
        self._tell(survivor.entry(True, "folder", str(path)))

    def keep(self, path: Path) -> None:
        """The folder stays."""
        self._tell(survivor.entry(False, "folder", str(path)))

    def _tell(self, entry: bytes) -> None:
        self._told.append(entry)
        with contextlib.suppress(BrokenPipeError):  # it was killed: see `close`
            os.write(self._pipe, entry)  # short entries are written in one piece
