"""The one place that writes a file as a whole: it is there completely, or what stood there before still stands."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from harness.core.errors import InfrastructureError, UsageError


class OutputError(InfrastructureError):
    """A file that could not be written though its name is possible: a full disk, no permission. Says which and why."""


_IMPOSSIBLE = (errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL)
"""What a system answers where the name itself is wrong, and trying again later would not help."""


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file by way of a temporary one beside it, which takes its name once all of it is on the disk.

    Parameters
    ----------
    path : Path
        The file; its folder is made where there is none. A link is followed, so that it still points at the file.
    content : str or bytes
        All of it. Text is written as UTF-8 with the line ends it has; half a surrogate pair, which is no character,
        becomes a question mark.

    Raises
    ------
    UsageError
        Where no file can have this name: a folder, a name too long or with a NUL, a file where a folder should be.
    OutputError
        Where the system cannot write it; what stood there before still stands.
    """
    data = content.encode("utf-8", "replace") if isinstance(content, str) else content
    beginning: Path | None = None
    try:
        place = path.resolve()
        if place.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        place.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{place.name[:100]}.", dir=place.parent)
        beginning = Path(name)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, _mode_of(place))
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        beginning.replace(place)
    except (
        OSError,
        ValueError,
        RuntimeError,
    ) as error:  # ValueError: a NUL in the name; RuntimeError: links in a circle
        _remove(beginning)
        raise refusal(path, error) from error
    except BaseException:
        _remove(beginning)
        raise


def refusal(path: Path, error: Exception) -> UsageError | OutputError:
    """What to raise where `path` cannot be written for the reason `error`."""
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    if not isinstance(error, OSError) or error.errno in _IMPOSSIBLE or isinstance(error, FileExistsError):
        return UsageError(f"{str(path)!r} cannot be written: {reason}. Name a file in a folder that can hold it")
    return OutputError(f"{path} could not be written: {reason}. What stood there before still stands")


def check_outputs(outputs: Iterable[Path | None], inputs: Iterable[Path] = ()) -> None:
    """Refuse outputs that are one file, or a file that is read: UsageError names both. None is no output."""
    read = {_place(path): path for path in inputs}
    written: dict[Path, Path] = {}
    for path in outputs:
        if path is None:
            continue
        place = _place(path)
        if place in read:
            raise UsageError(f"{path} is also read ({read[place]}): name another file for what is written")
        if place in written:
            raise UsageError(f"{path} and {written[place]} are one file: name one for each")
        written[place] = path


def _place(path: Path) -> Path:
    """The file behind a name; what the system cannot resolve is left to the writing."""
    try:
        return path.resolve()
    except (OSError, ValueError, RuntimeError):
        return path


def _mode_of(place: Path) -> int:
    """The permissions of the file that is replaced, else those that a new file gets."""
    if place.exists():
        return place.stat().st_mode & 0o7777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _remove(beginning: Path | None) -> None:
    if beginning is not None:
        with contextlib.suppress(OSError):
            beginning.unlink(missing_ok=True)
