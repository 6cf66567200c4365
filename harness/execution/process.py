"""One worker process: started, spoken to with deadlines, killed. Everything that can go wrong with it is a value.

Nothing here blocks without a deadline: the pipes are read and written as they are ready, so that neither a worker that
does not read, nor one that prints without end, nor one that forked a child which keeps its pipes open, can hold us up.
POSIX only: file descriptors are handed to the child.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.execution import protocol
from harness.execution.leftovers import Leftovers

KEPT_NOISE = 20_000
"""Bytes of stdout and stderr that are kept of a worker: the end, where the reason is."""

CHUNK = 1 << 18
"""Bytes read at once: four times what a pipe holds by default."""

GRACE = 5.0
"""Seconds between a worker closing its pipe and being killed: an interpreter that is exiting runs its exit handlers
after that, and its exit status is worth waiting for."""

GLANCE = 0.1
"""Seconds between two looks at whether the process lives, where the system cannot wake us when it ends."""


@dataclass(frozen=True)
class Died:
    """The process ended."""

    how: str


@dataclass(frozen=True)
class Silent:
    """No answer within the time allowed."""

    seconds: float


@dataclass(frozen=True)
class Garbled:
    """Something came that is not the protocol."""

    reason: str


Reply = dict[str, Any] | Died | Silent | Garbled


class WorkerProcess:
    """A running worker and its pipes. One thread uses it; `kill` may be called from any."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], leftovers: Leftovers) -> None:
        """Start it, to end with us. Raises OSError where the program cannot be executed."""
        self._leftovers = leftovers
        with contextlib.ExitStack() as theirs, contextlib.ExitStack() as ours:
            request_read, self._requests = _pipe(theirs, ours, they_read=True)
            self._responses, response_write = _pipe(ours, theirs, they_read=False)
            self._noises, noise_write = _pipe(ours, theirs, they_read=False)
            fds = {protocol.REQUEST_FD: request_read, protocol.RESPONSE_FD: response_write}
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=noise_write,
                stderr=noise_write,
                pass_fds=tuple(fds.values()),
                env={**environment, **{name: str(fd) for name, fd in fds.items()}},
                # A session of its own: an interrupt at the terminal is for the harness, and what the worker starts can
                # be ended together with it.
                start_new_session=True,
            )
            leftovers.group(self._process.pid)
            self._selector = ours.enter_context(selectors.DefaultSelector())
            self._life = _life(self._process.pid, ours)
            self._ours = ours.pop_all()
        self._outgoing = bytearray()
        self._incoming = bytearray()
        self._searched = 0
        self._noise = bytearray()
        self._open = True
        self._released = False
        self._reaped = False
        self._reaping = threading.Lock()
        self._watch(self._responses, self._read_responses)
        self._watch(self._noises, self._read_noise)
        if self._life is not None:
            self._watch(self._life, lambda: None)

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, message: bytes) -> None:
        """Take a request on its way; what the pipe cannot hold yet follows while we wait for answers."""
        waiting = bool(self._outgoing)
        self._outgoing += message
        if not waiting:
            self._write()
            if self._outgoing:
                self._selector.register(self._requests, selectors.EVENT_WRITE, self._write)

    def receive(self, timeout: float) -> Reply:
        """The next message, or why there is none within `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while (raw := self._next_line()) is None:
            if len(self._incoming) > protocol.LONGEST_LINE:
                return Garbled(f"more than {protocol.LONGEST_LINE} bytes without an end of line")
            if not self._open:
                return Died(self._how_it_died())
            left = deadline - time.monotonic()
            if left <= 0:
                return Silent(timeout)
            self._turn(left)
        try:
            return protocol.parse(raw)
        except protocol.ProtocolError as error:
            return Garbled(str(error))

    def kill(self) -> None:
        """End it and everything it started, now. Safe to call from another thread, at any time, repeatedly."""
        with self._reaping:
            if not self._reaped:  # afterwards its number may be somebody else's
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(self._process.pid, signal.SIGKILL)

    def stop(self) -> str:
        """End it, release what it held, and return the end of what it printed."""
        if not self._released:
            self._released = True
            self._reap()
            self._read_noise()
            self._ours.close()
        return self.printed()

    def printed(self) -> str:
        """The end of what it wrote to stdout and stderr."""
        return self._noise.decode("utf-8", errors="replace")

    def _watch(self, fd: int, react: Callable[[], None]) -> None:
        self._selector.register(fd, selectors.EVENT_READ, react)

    def _turn(self, left: float) -> None:
        """React to whatever happens first, waiting at most `left` seconds."""
        ready = self._selector.select(left if self._life is not None else min(left, GLANCE))
        for key, _ in ready:
            key.data()
        if self._has_ended(ready):
            # Not at the end of the pipe, which children it forked may hold open. What it wrote itself is all there.
            self._read_responses()
            self._open = False

    def _has_ended(self, ready: list[tuple[selectors.SelectorKey, int]]) -> bool:
        if self._life is None:
            return self._process.poll() is not None
        return any(key.fd == self._life for key, _ in ready)

    def _next_line(self) -> bytes | None:
        end = self._incoming.find(b"\n", self._searched)
        if end < 0:
            self._searched = len(self._incoming)  # or a long line would be searched again with every piece of it
            return None
        raw = bytes(self._incoming[:end])
        del self._incoming[: end + 1]
        self._searched = 0
        return raw

    def _read_responses(self) -> None:
        while len(self._incoming) <= protocol.LONGEST_LINE:
            chunk = _read(self._responses)
            if chunk is None:
                return
            if not chunk:
                self._open = False
                return
            self._incoming += chunk

    def _read_noise(self) -> None:
        chunk = _read(self._noises)
        if chunk:
            self._noise += chunk
            del self._noise[:-KEPT_NOISE]
        elif chunk is not None and self._noises in self._selector.get_map():
            self._selector.unregister(self._noises)  # it closed both; there is nothing to wait for any more

    def _write(self) -> None:
        try:
            while self._outgoing:
                written = os.write(self._requests, self._outgoing[:CHUNK])
                del self._outgoing[:written]
        except BlockingIOError:
            return
        except BrokenPipeError:
            self._outgoing.clear()  # nobody reads any more: the end of the process, or of its answers, will tell
        if self._requests in self._selector.get_map():
            self._selector.unregister(self._requests)

    def _how_it_died(self) -> str:
        if not self._ends_within(GRACE):
            return "closed its pipe"
        code = self._reap()
        if code < 0:
            try:
                return signal.Signals(-code).name
            except ValueError:
                return f"signal {-code}"
        return f"exit status {code}"

    def _ends_within(self, seconds: float) -> bool:
        for fd in (self._responses, self._requests):
            with contextlib.suppress(KeyError):
                self._selector.unregister(fd)  # closed at the other end, hence ready for ever
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            ready = self._selector.select(left if self._life is not None else min(left, GLANCE))
            self._read_noise()
            if self._has_ended(ready):
                return True
        return False

    def _reap(self) -> int:
        self.kill()  # before it is reaped: until then its number, and that of its group, is its own
        self._leftovers.ended(self._process.pid)
        code = self._process.wait()
        with self._reaping:
            self._reaped = True
        return code


def _pipe(reader: contextlib.ExitStack, writer: contextlib.ExitStack, *, they_read: bool) -> tuple[int, int]:
    """A pipe whose ends are closed with the stacks given; our end never blocks, theirs does as any program expects."""
    read, write = os.pipe()
    reader.callback(os.close, read)
    writer.callback(os.close, write)
    os.set_blocking(write if they_read else read, False)
    return read, write


def _life(pid: int, stack: contextlib.ExitStack) -> int | None:
    """A descriptor that becomes readable when the process ends, where the system has such a thing (Linux)."""
    if not hasattr(os, "pidfd_open"):
        return None
    try:
        descriptor = os.pidfd_open(pid)
    except OSError:  # a kernel before 5.3, or a sandbox that forbids it
        return None
    stack.callback(os.close, descriptor)
    return descriptor


def _read(fd: int) -> bytes | None:
    """What is there to read; nothing at the end of the pipe; None where nothing is there yet."""
    try:
        return os.read(fd, CHUNK)
    except BlockingIOError:
        return None
