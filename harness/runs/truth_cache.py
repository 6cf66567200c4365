"""What the reference says, kept on disk: a truth that was evaluated once is read by the next run.

What `reference.evaluate` says depends on its arguments, on its own source, on the versions of Python and NumPy, and on
the processor should NumPy's routines differ between instruction sets. A file of kept truths belongs to one of each, and
inside it a truth is found by a digest of all arguments. It is one SQLite file: several runs may read and write it.

A run is never worse off for it: what cannot be read, checked or written is evaluated, as if nothing had been kept.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import json
import math
import os
import platform
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import platformdirs
from numpy.typing import NDArray

import reference
from harness.certification.committed import source_digest
from harness.execution.worker_environment import processor
from reference.arguments import ArgumentError

LAYOUT = "1"
"""Raised when a row holds something else than it does now."""

LARGEST_KEPT = 2**19
"""Numbers of an answer, gradients counted, up to which it is kept: a row of 8 MiB, twice the largest of the suite,
which fills 100 MB in all. The gradient of a whole batch and vocabulary would be gigabytes."""

BATCH = 256
"""Truths that are written together, since each transaction costs a millisecond or more."""

LARGE = 2**18
"""Bytes of a row that is written at once: what waits to be written stays below 64 MiB."""

PATIENCE = 1.0
"""Seconds to wait for another run that writes, which takes milliseconds; who takes longer is not waited for twice."""

UNUSED_DAYS = 30.0
"""Days after which the file of another reference, version or processor goes, unless somebody opened it."""

_CHECK = 16
"""Bytes of a row that say whether the others are what was written."""

_PARAMETERS = inspect.signature(reference.evaluate)
"""However they are passed, the same arguments are one truth."""

Said = reference.Evaluation | ArgumentError
"""Numbers, or why the reference refuses the input."""


@functools.cache
def truths_file() -> Path:
    """Where the truths of this reference, Python, NumPy and processor are kept."""
    parts = (LAYOUT, source_digest(), platform.python_version(), np.__version__, processor())
    name = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
    return platformdirs.user_cache_path("xent") / "truths" / f"{name}.sqlite"


class KeptTruths:
    """`evaluate` says what `reference.evaluate` says; inside a `with` block, it remembers from run to run.

    `fresh` evaluates every truth and keeps it anew, without reading what is kept.
    """

    def __init__(
        self,
        path: Path,
        evaluate: Callable[..., reference.Evaluation] = reference.evaluate,
        *,
        fresh: bool = False,
    ) -> None:
        self._path = path
        self._evaluate = evaluate
        self._fresh = fresh
        self._connection: sqlite3.Connection | None = None
        self._unwritten: dict[bytes, bytes] = {}

    def __enter__(self) -> Self:
        try:
            self._connection = _opened(self._path)
        except (OSError, sqlite3.Error) as error:
            self._without(error)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._write()
        self._without()

    def evaluate(self, *arguments: Any, **named: Any) -> reference.Evaluation:
        """`reference.evaluate` of these arguments; it is not called where what it said is kept."""
        key = None
        if self._connection is not None:
            given = _PARAMETERS.bind(*arguments, **named)
            given.apply_defaults()
            key = key_of(tuple(given.arguments.values()))
        said = None if key is None else self._read(key)
        if said is None:
            try:
                said = self._evaluate(*arguments, **named)
            except ArgumentError as refusal:
                said = refusal
            if key is not None:
                self._keep(key, said)
        if isinstance(said, ArgumentError):
            raise said
        return said

    def _read(self, key: bytes) -> Said | None:
        row: Any = self._unwritten.get(key)
        if row is None and self._connection is not None and not self._fresh:
            try:
                (row,) = self._connection.execute("SELECT said FROM truths WHERE key = ?", (key,)).fetchone() or (None,)
            except sqlite3.Error as error:
                self._without(error)
        return decoded(key, row) if isinstance(row, bytes) else None

    def _keep(self, key: bytes, said: Said) -> None:
        row = encoded(key, said)
        if row is None:
            return
        self._unwritten[key] = row
        if len(self._unwritten) >= BATCH or len(row) > LARGE:
            self._write()

    def _write(self) -> None:
        if self._connection is not None and self._unwritten:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                self._connection.executemany("REPLACE INTO truths VALUES (?, ?)", self._unwritten.items())
                self._connection.execute("COMMIT")
            except sqlite3.Error as error:
                self._without(error)
        self._unwritten.clear()

    def _without(self, error: Exception | None = None) -> None:
        """Go on without a file, and remove one that is broken, so that the next run begins another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if error is not None and _is_broken(error):
            _remove(self._path)


def _opened(path: Path) -> sqlite3.Connection:
    """The file, made where there is none and made anew where it is broken; those nobody uses any more are removed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        connection = _connected(path)
    except sqlite3.DatabaseError as error:
        if not _is_broken(error):
            raise
        _remove(path)
        connection = _connected(path)
    _remove_unused(path)
    return connection


def _connected(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)
    try:
        # Every row is checked when it is read: not to wait for the disk costs at most that it is evaluated again.
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("CREATE TABLE IF NOT EXISTS truths (key BLOB PRIMARY KEY, said BLOB NOT NULL)")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _is_broken(error: Exception) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    # The low byte is the kind of error, what stands above tells more about it.
    return code is not None and code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return  # Then it stays, and is no use.


def _remove_unused(path: Path) -> None:
    """Note that this file is used; the others go when nobody did so for long."""
    try:
        os.utime(path)
        for other in path.parent.glob("*.sqlite"):
            if time.time() - other.stat().st_mtime > UNUSED_DAYS * 86_400.0:
                other.unlink(missing_ok=True)
    except OSError:
        return  # A folder that cannot be written to, or another run that was quicker: nothing that matters here.


def key_of(arguments: Sequence[Any]) -> bytes | None:
    """A digest of everything a truth depends on; None where an argument is of a kind that has none."""
    h = hashlib.sha256()
    try:
        for part in _told(arguments):
            h.update(part)
    except TypeError:
        return None
    return h.digest()


def _told(value: Any) -> Iterator[bytes | memoryview]:
    """A value bit for bit, such that no two tell the same; TypeError for what is neither array nor plain."""
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        # The strides too: they decide the order in which NumPy adds.
        yield f"array {value.dtype.str} {value.shape} {value.strides}:".encode()
        yield np.ascontiguousarray(value).data.cast("B") if value.size else b""
    elif isinstance(value, Mapping):
        yield f"{len(value)} entries:".encode()
        for name, entry in value.items():
            yield from _told(name)
            yield from _told(entry)
    elif isinstance(value, list | tuple):
        yield f"{len(value)} of {type(value).__name__}:".encode()
        for entry in value:
            yield from _told(entry)
    elif value is None or isinstance(value, bool | int | float | str | np.number):
        text = f"{type(value).__name__} {value!r}".encode()
        yield f"{len(text)} bytes:".encode()
        yield text
    else:
        raise TypeError(f"{type(value).__name__} has no digest")


def encoded(key: bytes, said: Said) -> bytes | None:
    """A row: the check, a line of JSON with the shapes or the refusal, all hi and lo as little-endian float64.

    None where there are too many numbers, or one is of another type.
    """
    if isinstance(said, ArgumentError):
        return _checked(key, json.dumps({"refusal": str(said)}).encode() + b"\n")
    exact = [said.value, *said.gradients.values()]
    exact += [] if said.hessian_vector is None else [said.hessian_vector]
    halves = [half for number in exact for half in (number.hi, number.lo)]
    if sum(number.hi.size for number in exact) > LARGEST_KEPT or any(half.dtype != np.float64 for half in halves):
        return None
    head = {
        "shapes": [number.hi.shape for number in exact],
        "gradients": list(said.gradients),
        "hessian_vector": said.hessian_vector is not None,
    }
    numbers = b"".join(half.astype("<f8").tobytes() for half in halves)
    return _checked(key, json.dumps(head).encode() + b"\n" + numbers)


def decoded(key: bytes, row: bytes) -> Said | None:
    """The inverse of `encoded`; None where the row is not what was written."""
    if row != _checked(key, row[_CHECK:]):
        return None
    line, _, numbers = row[_CHECK:].partition(b"\n")
    head = json.loads(line)
    if "refusal" in head:
        return ArgumentError(head["refusal"])
    flat = np.frombuffer(numbers, "<f8").astype(np.float64)
    exact: list[reference.Exact] = []
    start = 0
    for shape in head["shapes"]:
        size = math.prod(shape)
        hi, lo = (_half(flat, start + offset, size, shape) for offset in (0, size))
        exact.append(reference.Exact(hi, lo))
        start += 2 * size
    product = exact.pop() if head["hessian_vector"] else None
    return reference.Evaluation(exact[0], dict(zip(head["gradients"], exact[1:], strict=True)), product)


def _half(flat: NDArray[np.float64], start: int, size: int, shape: Sequence[int]) -> NDArray[np.float64]:
    return flat[start : start + size].reshape(shape)


def _checked(key: bytes, content: bytes) -> bytes:
    return hashlib.sha256(key + content).digest()[:_CHECK] + content
