"""Timing inside the worker: the clock runs here, around nothing but the calls themselves.

A call is prepared once: inputs made, handed over in the implementation's own type, run twice, so that what the first
call costs (tracing, compiling, warming up) is a number of its own. Then blocks of calls are timed on demand. Standard
library and NumPy only, besides the adapter.
"""

from __future__ import annotations

import gc
import resource
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np

from harness.adapters.base import Adapter, Answer, Array, Call, Prepared, Unsupported


@dataclass(frozen=True)
class Preparation:
    """Seconds of what comes before the steady state."""

    making_inputs: float
    placing: float
    """Inputs into the implementation's own type, and whatever else it does before its first call."""
    first_call: float
    second_call: float | None
    """None where none was asked for."""


@dataclass(frozen=True)
class Block:
    """One timed block of calls."""

    calls: int
    wall: float
    """Seconds, as cpu (user and system, all threads of the process) and system."""
    cpu: float
    system: float
    page_faults: int
    peak_bytes: int
    """Largest resident memory of the process during the block."""


def enlarged(call: Call, times: int, batch: tuple[str, ...]) -> Call:
    """The call with the rows of the inputs in `batch` repeated: row i of the whole is row i mod n of the block.

    The truth of the whole is then the truth of the block: the mean is the same, and each row's gradient, times the
    number of repetitions, too.
    """
    if times == 1:
        return call
    inputs = {
        name: Array(array.dtype, np.tile(array.storage, (times,) + (1,) * (array.storage.ndim - 1)))
        if name in batch
        else array
        for name, array in call.inputs.items()
    }
    return replace(call, inputs=inputs)


def first_rows(answer: Answer, call: Call, times: int, batch: tuple[str, ...]) -> Answer:
    """What of an answer to an enlarged call is judged: what the block itself would have given.

    An unreduced value is cut to the block. So are gradients, and under a mean they are multiplied with the number of
    repetitions, which is a power of two. Gradients of inputs that are not repeated are sums over all rows, as long as
    the block's; they stay here, since nothing large crosses the pipe.
    """
    if times == 1:
        return replace(answer, gradients={n: g for n, g in answer.gradients.items() if n in batch})
    reduction = call.options.get("reduction", "none")
    factor = times if reduction == "mean" else 1
    gradients = {
        name: Array(g.dtype, _rows(g, times) * g.storage.dtype.type(factor))
        for name, g in answer.gradients.items()
        if name in batch
    }
    value = answer.value if reduction == "mean" else Array(answer.value.dtype, _rows(answer.value, times).copy())
    return replace(answer, value=value, gradients=gradients)


def _rows(array: Array, times: int) -> Any:
    return array.storage[: array.storage.shape[0] // times]


def prepare(
    adapter: Adapter, make: Callable[[], Call], *, again: bool = True
) -> tuple[Prepared, Call, Answer, Preparation]:
    """Make the inputs, hand them over, call once, and once `again`. Raises whatever the implementation raises."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # judging has its own run for those
        start = time.perf_counter()
        call = make()
        made = time.perf_counter()
        prepared = _prepared(adapter, call)
        placed = time.perf_counter()
        result = prepared.run()
        first = time.perf_counter()
        answer = prepared.answer(result)
        del result
        second = None
        if again:
            since = time.perf_counter()
            prepared.run()
            second = time.perf_counter() - since
    return prepared, call, answer, Preparation(made - start, placed - made, first - placed, second)


def _prepared(adapter: Adapter, call: Call) -> Prepared:
    offered = getattr(adapter, "prepare", None)
    if offered is None:
        return Prepared(run=lambda: adapter.evaluate(call), answer=lambda answer: answer)
    found: object = offered(call)
    if not isinstance(found, Prepared):
        raise Unsupported(f"prepare() returned {type(found).__name__}, expected Prepared")
    return found


def timed(run: Callable[[], Any], calls: int) -> Block:
    """One block. The garbage collector waits until it is over: when it runs depends on what ran before.

    A block of several calls begins with one that is not timed: another process has had the core and its caches.
    """
    if calls > 1:
        run()
    resettable = _reset_peak()
    enabled = gc.isenabled()
    gc.disable()
    try:
        before = resource.getrusage(resource.RUSAGE_SELF)
        start = time.perf_counter_ns()
        for _ in repeat(None, calls):
            run()
        wall = time.perf_counter_ns() - start
        after = resource.getrusage(resource.RUSAGE_SELF)
    finally:
        if enabled:
            gc.enable()
    system = after.ru_stime - before.ru_stime
    return Block(
        calls=calls,
        wall=wall * 1e-9,
        cpu=after.ru_utime - before.ru_utime + system,
        system=system,
        page_faults=after.ru_minflt + after.ru_majflt - before.ru_minflt - before.ru_majflt,
        peak_bytes=_peak_bytes(resettable, after.ru_maxrss),
    )


_CLEAR, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")


def _reset_peak() -> bool:
    """Let the kernel forget the largest resident size so far (Linux; elsewhere the peak is that of the whole life)."""
    try:
        _CLEAR.write_text("5", encoding="ascii")
    except OSError:
        return False
    return True


def _peak_bytes(resettable: bool, high_water_kib: int) -> int:
    if resettable:
        for line in _STATUS.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return high_water_kib * 1024


def preparation_to_wire(preparation: Preparation) -> dict[str, float]:
    return {name: seconds for name, seconds in vars(preparation).items() if seconds is not None}


def block_to_wire(block: Block) -> dict[str, Any]:
    return {"kind": "timed", **vars(block)}


def block_from_wire(message: Mapping[str, Any]) -> Block:
    """ValueError where the message is no block."""
    try:
        return Block(
            calls=int(message["calls"]),
            wall=float(message["wall"]),
            cpu=float(message["cpu"]),
            system=float(message["system"]),
            page_faults=int(message["page_faults"]),
            peak_bytes=int(message["peak_bytes"]),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a timed block: {error!r}") from error
