"""One worker process: started, spoken to with deadlines, killed. Everything that can go wrong with it is a value."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.execution import protocol

KEPT_NOISE = 20_000
"""Bytes of stdout and stderr that are kept of a worker: the end, where the reason is."""


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
    """A running worker and its two pipes."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start it. Raises OSError where the program cannot be executed."""
        request_read, self._requests = os.pipe()
        self._responses, response_write = os.pipe()
        self._noise = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the worker, closed in `stop`
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=self._noise,
                stderr=self._noise,
                pass_fds=(request_read, response_write),
                env={
                    **environment,
                    protocol.REQUEST_FD: str(request_read),
                    protocol.RESPONSE_FD: str(response_write),
                },
                start_new_session=True,  # so that children of its own can be ended with it
            )
        except OSError:
            os.close(self._requests)
            os.close(self._responses)
            self._noise.close()
            raise
        finally:
            os.close(request_read)
            os.close(response_write)
        self._buffer = bytearray()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._responses, selectors.EVENT_READ)

    def send(self, message: bytes) -> bool:
        """Write one request; False where nobody reads any more."""
        view = memoryview(message)
        try:
            while view:
                view = view[os.write(self._requests, view) :]
        except BrokenPipeError:
            return False
        return True

    def receive(self, timeout: float) -> Reply:
        """The next message, or why there is none within `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while (end := self._buffer.find(b"\n")) < 0:
            left = deadline - time.monotonic()
            if left <= 0 or not self._selector.select(left):
                return Silent(timeout)
            chunk = os.read(self._responses, 1 << 20)
            if not chunk:
                return Died(self._how_it_died())
            self._buffer += chunk
            if len(self._buffer) > protocol.LONGEST_LINE:
                return Garbled(f"protocol violated: more than {protocol.LONGEST_LINE} bytes without an end of line")
        raw = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        try:
            return protocol.parse(raw)
        except protocol.ProtocolError as error:
            return Garbled(f"protocol violated: {error}")

    def _how_it_died(self) -> str:
        try:
            code = self._process.wait(timeout=5)  # its pipe is closed: what is left is the exit itself
        except subprocess.TimeoutExpired:
            return "closed its pipe"
        if code < 0:
            try:
                return signal.Signals(-code).name
            except ValueError:
                return f"signal {-code}"
        return f"exit status {code}"

    def noise(self) -> str:
        """The end of what it wrote to stdout and stderr."""
        size = self._noise.seek(0, os.SEEK_END)
        self._noise.seek(max(0, size - KEPT_NOISE))
        return self._noise.read().decode("utf-8", errors="replace")

    def stop(self) -> str:
        """End it and everything it started; returns its noise."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        noise = self.noise()
        self._selector.close()
        os.close(self._requests)
        os.close(self._responses)
        self._noise.close()
        return noise
