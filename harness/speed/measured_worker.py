"""One worker whose speed is measured: pinned to a processor core, spoken to one request at a time."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.adapters.base import Description
from harness.adapters.registry import Implementation
from harness.core.call import stated
from harness.core.errors import InfrastructureError, UsageError
from harness.core.outcomes import Crashed, Missing, Outcome, TimedOut
from harness.execution import protocol
from harness.execution.process import Died, Garbled, Silent, WorkerProcess
from harness.execution.timing import Block, block_from_wire
from harness.execution.worker_environment import WorkerFolder, command_line, environment_of, with_threads
from harness.speed.workloads import Workload

STARTUP = 180.0
"""Seconds a worker may take to import its framework: thrice what the slowest takes on two busy cores."""

PREPARING = 600.0
"""Seconds for making inputs and two first calls: compiling half a gigabyte's worth of work takes minutes at worst."""

TIMING = 120.0
"""Seconds for one block: a block is one call at least, and the slowest call is some ten seconds."""


SETTLING = 0.1
"""Seconds to wait at most until a worker with several threads rests. Its pool spins on after a call, waiting for the
next: 9 to 12 ms of processor time for PyTorch, 30 and more for ONNX Runtime, on the cores of whoever is timed next."""

LOOK = 0.002
"""Seconds between two looks at whether it rests."""


class WorkerLostError(InfrastructureError):
    """The worker died, fell silent or broke the protocol; it cannot be measured any more."""


@dataclass(frozen=True)
class Prepared:
    """What came before the steady state."""

    outcome: Outcome
    seconds: Mapping[str, float]
    """making_inputs, placing, first_call, second_call."""


@dataclass(frozen=True)
class Core:
    """Where workers run: the same processor cores for all, and how many threads each may use."""

    cpus: tuple[int, ...]
    threads: int
    nearby: tuple[int, ...]
    """Cores on which workers may prepare what is timed on `cpus`: those with the same memory."""


def core(threads: int | None) -> Core:
    """The last core for one thread (interrupts are mostly served by the first); None: all cores, a thread for each."""
    available = tuple(sorted(os.sched_getaffinity(0))) if hasattr(os, "sched_getaffinity") else ()
    if threads is None:
        return Core(available, len(available) or os.cpu_count() or 1, available)
    cpus = available[-threads:]
    return Core(cpus, threads, tuple(cpu for cpu in available if cpu in {*cpus, *_same_memory(cpus)}))


def thread_count(text: str) -> int | None:
    """A number of threads as a user writes it, None for all; UsageError says what was expected."""
    if text == "all":
        return None
    if re.fullmatch(r"[1-9]\d{0,2}", text, re.ASCII) is None:
        raise UsageError(f"--threads {text[:40]}: expected a number or all, from 1 to 999")
    return int(text)


def _same_memory(cpus: Sequence[int], cpus_of_system: Path = Path("/sys/devices/system/cpu")) -> set[int]:
    """The cores of the memory nodes that some cores belong to (Linux; elsewhere none are known)."""
    lists = [path for cpu in cpus for path in cpus_of_system.glob(f"cpu{cpu}/node*/cpulist")]
    return {number for path in lists for number in cores_in(path.read_text(encoding="ascii"))}


def cores_in(text: str) -> set[int]:
    """The numbers in a list of the kernel's, such as 0-3,8."""
    ends = [[int(end) for end in part.split("-")] for part in text.strip().split(",") if part]
    return {number for first_and_last in ends for number in range(first_and_last[0], first_and_last[-1] + 1)}


class TimedWorker:
    """A worker process; `stop` ends it. The thread that made it must live as long as it does."""

    def __init__(
        self,
        implementation: Implementation,
        place: WorkerFolder,
        where: Core,
        python: str | None = None,
        startup: float = STARTUP,
    ) -> None:
        """Start it, without waiting until it is up: `describe` does."""
        environment = with_threads(environment_of(implementation, place.code, os.environ, python), where.threads)
        self._process = WorkerProcess(command_line(implementation, python), environment, place.leftovers)
        self._startup = startup
        self._number = 0
        self._where = where
        self._process.send(protocol.describe_request())

    def describe(self) -> Description | Missing:
        reply = self._process.receive(self._startup)
        if isinstance(reply, dict):
            # Importing may use any core. From now on threads, those there are and those they start, keep to theirs.
            pin(self._process.pid, self._where.cpus)
            return protocol.description_from_wire(reply)
        return Missing(f"{_why(reply)}; it printed: {self._process.printed()[-500:]}")

    def spread(self) -> None:
        """Let it use every core that is as near to the memory as its own, until `gather`."""
        pin(self._process.pid, self._where.nearby)

    def gather(self) -> None:
        """Back to where it is timed."""
        pin(self._process.pid, self._where.cpus)

    def prepare(
        self,
        name: str,
        workload: Workload,
        dtype: str,
        mode: str,
        differentiate: Sequence[str],
        *,
        timeout: float = PREPARING,
    ) -> Prepared:
        """Make the inputs, hand them over, call twice; the outcome is that of the block."""
        return self.prepared(self.ask_to_prepare(name, workload, dtype, mode, differentiate), timeout)

    def ask_to_prepare(
        self,
        name: str,
        workload: Workload,
        dtype: str,
        mode: str,
        differentiate: Sequence[str],
        *,
        again: bool = True,
    ) -> int:
        """The same without waiting: `prepared` does, and wants the number. A second call only `again`."""
        case = workload.case
        request = protocol.request_to_wire(
            protocol.Request(case.loss, dtype, case.inputs, stated(case.options), tuple(differentiate))
        )
        more = {
            "kind": "prepare",
            "again": again,
            "workload": name,
            "mode": mode,
            "repeat": workload.repeat,
            "batch": [*workload.batch],
        }
        return self._send({**request, **more})

    def prepared(self, number: int, timeout: float = PREPARING) -> Prepared:
        """What came of a request to prepare."""
        reply = self._reply(number, timeout)
        if isinstance(reply, Silent):
            return Prepared(TimedOut(timeout), {})
        if isinstance(reply, Died):
            return Prepared(Crashed(reply.how), {})
        if isinstance(reply, Garbled):
            return Prepared(Missing(f"protocol violated: {reply.reason}"), {})
        try:
            outcome = protocol.answer_from_wire(reply, number)
        except protocol.ProtocolError as error:
            return Prepared(Missing(f"protocol violated: {error}"), {})
        return Prepared(outcome, reply.get("preparation", {}))

    def time(self, name: str, calls: int) -> Block:
        """One block of calls. WorkerLostError where no block comes back."""
        reply = self._ask({"kind": "time", "workload": name, "calls": calls}, TIMING)
        if not isinstance(reply, dict) or reply.get("kind") != "timed":
            raise WorkerLostError(f"timing {name}: {_why(reply)}")
        if self._where.threads > 1:
            _settle(self._process.pid)
        return block_from_wire(reply)

    def release(self, name: str) -> None:
        """Let go of what was prepared."""
        self._ask({"kind": "release", "workload": name}, TIMING)

    def stop(self) -> None:
        self._process.stop()

    def _ask(self, message: Mapping[str, Any], timeout: float) -> dict[str, Any] | Died | Silent | Garbled:
        return self._reply(self._send(message), timeout)

    def _send(self, message: Mapping[str, Any]) -> int:
        self._number += 1
        self._process.send(protocol.line({"id": self._number, **message}))
        return self._number

    def _reply(self, number: int, timeout: float) -> dict[str, Any] | Died | Silent | Garbled:
        reply = self._process.receive(timeout)
        if isinstance(reply, dict) and reply.get("id") != number:
            return Garbled(f"an answer to request {reply.get('id')!r}, expected one to {number}")
        return reply


def pin(process: int, cpus: Sequence[int]) -> None:
    """Keep every thread of a process on some processor cores, where the system can (Linux)."""
    if not cpus or not hasattr(os, "sched_setaffinity"):
        return
    threads = Path(f"/proc/{process}/task")
    for thread in [int(entry.name) for entry in threads.iterdir()] if threads.is_dir() else [process]:
        with contextlib.suppress(ProcessLookupError):  # a thread that has just ended
            os.sched_setaffinity(thread, cpus)


def _settle(process: int) -> None:
    """Wait until no thread of a process works any more, `SETTLING` where the system does not tell."""
    deadline, before = time.monotonic() + SETTLING, work_of(process)
    while time.monotonic() < deadline:
        time.sleep(LOOK)
        now = work_of(process)
        if now is not None and not now.running and before is not None and now.seconds - before.seconds < LOOK / 20:
            return
        before = now


@dataclass(frozen=True)
class Work:
    """What the threads of a process have done and do."""

    seconds: float
    """Processor time so far. The time of a thread that is running lags behind by up to a tick (4 ms, or 10): Linux
    adds it up at ticks and when the thread stops running."""

    running: bool
    """Whether a thread runs or waits for a core to run on, which is what a thread does whose `seconds` lag behind."""


def work_of(process: int) -> Work | None:
    """What the threads of a process have done and do (Linux; None elsewhere)."""
    threads = [*Path(f"/proc/{process}/task").glob("*")]
    try:
        times = [(thread / "schedstat").read_text(encoding="ascii").split() for thread in threads]
        # The name of a thread stands in parentheses and may hold anything; its state is the first word after it.
        states = [(thread / "stat").read_bytes().rpartition(b")")[2].split() for thread in threads]
    except OSError:  # a thread that has just ended: look again
        return None
    if not threads:
        return None
    return Work(sum(int(spent) for spent, *_ in times) * 1e-9, any(state == b"R" for state, *_ in states))


def _why(reply: dict[str, Any] | Died | Silent | Garbled) -> str:
    match reply:
        case Died(how):
            return f"the worker ended: {how}"
        case Silent(seconds):
            return f"no answer within {seconds:g} s"
        case Garbled(reason):
            return f"protocol violated: {reason}"
        case _:
            return str(reply.get("reason") or reply.get("message") or reply)
