"""The one place that reads a file somebody else wrote: its bytes, or why not, and never more than was agreed."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path


def is_there(path: Path) -> bool:
    """Whether there is such a file or folder; no where the system cannot even look, as at a name too long."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def leads_to(path: Path) -> Path:
    """Where a name leads, all links followed; links in a circle lead to themselves, where `Path.resolve` raises."""
    return Path(os.path.realpath(path))


def read_whole(path: Path, most: int) -> bytes:
    """All bytes of a regular file.

    Parameters
    ----------
    path : Path
        The file. A link is followed.
    most : int
        Bytes it may hold.

    Raises
    ------
    OSError
        Where it cannot be read, is larger, or is no regular file: a pipe or a device may never end.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        with path.open("rb") as file:
            content = file.read(most + 1)
    except ValueError as error:  # a NUL in the name
        raise OSError(errno.EINVAL, str(error)) from error
    if len(content) > most:
        raise OSError(errno.EFBIG, f"larger than {most} bytes")
    return content


def reason_of(error: Exception) -> str:
    """Why a file could not be read, without its name, which the message has already."""
    if isinstance(error, OSError):
        return error.strerror or os.strerror(error.errno or 0)
    return str(error)
