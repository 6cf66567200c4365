"""The machine beside the implementations: what doing nothing, reading and copying take, in the same rounds."""

from __future__ import annotations

from collections.abc import Callable

from harness.adapters.registry import Implementation
from harness.core.case import ArraySpec, Case, Location
from harness.execution.timing import Block
from harness.speed.measured_worker import TimedWorker, WorkerLostError
from harness.speed.workloads import FORWARD, Workload

MACHINE = Implementation("machine", "harness.adapters.machine:Machine")

_BLOCK = 2**14
"""Elements of a block of the machine's workloads, and the fewest of a whole: what is smaller stays in the first-level
cache, where reading takes less time than NumPy's call."""


def machine_workload(what: str, elements: int) -> Workload:
    """So many numbers to read or to copy."""
    block = ArraySpec(generator="full", parameters={"shape": (_BLOCK,), "value": 1}, dtype="float32")
    case = Case(f"machine/{what}", what, "", what, {"block": block}, Location("", 0), {"reduction": "mean"})
    return Workload(case, max(1, elements // _BLOCK), False, (FORWARD,))


class Machine:
    """The machine's worker in one set of processes. Its memory stays prepared while the size stays the same."""

    def __init__(self, worker: TimedWorker) -> None:
        self._worker = worker
        self._elements = 0
        self._first_calls = self._prepare("nothing", 1)

    def timings(self, elements: int) -> dict[str, tuple[Callable[[int], Block], float]]:
        """nothing, read and copy at a size: the function that times a block, and the seconds of a call, roughly."""
        if elements != self._elements:
            if self._elements:
                for what in ("read", "copy"):
                    self._worker.release(what)
            self._elements = elements
            self._first_calls = {
                "nothing": self._first_calls["nothing"],
                **self._prepare("read", elements),
                **self._prepare("copy", elements),
            }
        return {what: (timing(self._worker, what), seconds) for what, seconds in self._first_calls.items()}

    def _prepare(self, what: str, elements: int) -> dict[str, float]:
        prepared = self._worker.prepare(what, machine_workload(what, elements), "float32", "eager", ())
        if "second_call" not in prepared.seconds:
            raise WorkerLostError(f"the machine itself cannot be measured: {what} gave {prepared.outcome}")
        return {what: prepared.seconds["second_call"]}


def timing(worker: TimedWorker, name: str) -> Callable[[int], Block]:
    """The function that times a block of so many calls of what a worker has prepared under a name."""
    return lambda calls: worker.time(name, calls)
