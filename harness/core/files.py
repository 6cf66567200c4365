"""The one place that writes files: a file is there completely, or what stood there before still stands."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import tempfile
from collections.abc import Iterable
from pathlib import Path

from harness.core.errors import InfrastructureError, UsageError


class OutputError(InfrastructureError):
    """A file that could not be written though it may be: a full disk, a failing one. Says which and why."""


_IMPOSSIBLE = (
    errno.EISDIR,
    errno.ENOTDIR,
    errno.ENAMETOOLONG,
    errno.ELOOP,
    errno.EINVAL,
    errno.ENOENT,
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
)
"""What a system answers where no file can be written under the name, and trying again later would not help."""


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
        Where no file can be written there: a folder, a name too long or with a NUL, a file where a folder should be, a
        folder that may not be written to.
    OutputError
        Where the system cannot write it; what stood there before still stands.
    """
    data = content.encode("utf-8", "replace") if isinstance(content, str) else content
    beginning: Path | None = None
    try:
        if _is_device(path):
            path.write_bytes(data)
            return
        place = _place(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{place.name[:100]}.", dir=place.parent)
        beginning = Path(name)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, _mode_of(place))
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        beginning.replace(place)
    except _REFUSED as error:
        _remove(beginning)
        raise _refusal(path, error) from error
    except BaseException:
        _remove(beginning)
        raise


class GrowingFile:
    """A file that grows as NAME.part beside its name, and takes the name once it is whole.

    Left before that, NAME.part stays, with what was found by then. Raises what `write_whole` raises, and UsageError
    where another process is writing it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._place: Path | None = None if _is_device(path) else _place(path)
            if self._place is None:
                self._file = path.open("wb")
                return
            self._place.parent.mkdir(parents=True, exist_ok=True)
            self._part = self._place.with_name(f"{self._place.name}.part")
            self._file = self._part.open("ab")
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not os.path.samestat(os.fstat(self._file.fileno()), self._part.stat()):
                raise BlockingIOError  # the other one finished in this moment: what we opened is no part any more
            os.ftruncate(self._file.fileno(), 0)
        except BlockingIOError as error:
            self._file.close()
            raise UsageError(f"{path} is being written by another process: name another file") from error
        except _REFUSED as error:
            raise _refusal(path, error) from error

    def write(self, data: bytes) -> None:
        """Add to its end."""
        try:
            self._file.write(data)
        except OSError as error:
            raise _refusal(self._path, error) from error

    def flush(self) -> None:
        """Hand it to the system."""
        self._file.flush()

    def finish(self) -> None:
        """It is whole: it takes its name, in the place of what stood there."""
        try:
            self.flush()
            if self._place is not None:
                os.fchmod(self._file.fileno(), _mode_of(self._place))
                os.fsync(self._file.fileno())
                self._part.replace(self._place)
            self._file.close()
        except OSError as error:
            raise _refusal(self._path, error) from error

    def close(self) -> None:
        """Leave it as it is, whole or not."""
        with contextlib.suppress(OSError):  # a disk that was full, and has been told of
            self._file.close()


_REFUSED = (OSError, ValueError, RuntimeError)
"""What is raised of a name: ValueError of one with a NUL, RuntimeError of links in a circle."""


def _refusal(path: Path, error: Exception) -> UsageError | OutputError:
    """What to raise where `path` cannot be written for the reason `error`."""
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    if not isinstance(error, OSError) or error.errno in _IMPOSSIBLE or isinstance(error, FileExistsError):
        return UsageError(f"{str(path)!r} cannot be written: {reason}. Name a file in a folder that can hold it")
    return OutputError(f"{path} could not be written: {reason}. What stood there before still stands")


def check_outputs(outputs: Iterable[Path | None], inputs: Iterable[Path] = ()) -> None:
    """Refuse outputs before anything is done: those that cannot be written, that are one file, or a file that is read.

    UsageError names them, whatever their spelling: links of both kinds are followed. None is no output.
    """
    read = {_identity(path): path for path in inputs}
    written: dict[object, Path] = {}
    for path in outputs:
        if path is None:
            continue
        try:
            if _is_device(path):
                continue
            _place(path)
        except _REFUSED as error:
            raise _refusal(path, error) from error
        identity = _identity(path)
        if identity in read:
            raise UsageError(f"{path} is also read ({read[identity]}): name another file for what is written")
        if identity in written:
            raise UsageError(f"{path} and {written[identity]} are one file: name one for each")
        written[identity] = path


def _identity(path: Path) -> object:
    """The same for two names of one file, there or not."""
    place = path
    with contextlib.suppress(*_REFUSED):
        place = path.resolve()
        found = place.stat()
        return found.st_dev, found.st_ino
    return place


def _is_device(path: Path) -> bool:
    """Whether this is written to as it is and cannot be replaced: /dev/null, /dev/stdout, a named pipe."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def _place(path: Path) -> Path:
    """The file behind a name, all links followed; raises what writing there would raise of the name."""
    place = path.resolve()
    if place.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    with contextlib.suppress(FileNotFoundError):
        place.lstat()  # a file where a folder should be, too long a path
    folder = next(parent for parent in place.parents if parent.exists())
    for name in place.relative_to(folder).parts:
        with contextlib.suppress(FileNotFoundError):
            (folder / name).lstat()  # too long a name, be it that of a folder which is still to be made
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    return place


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
