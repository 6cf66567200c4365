"""The machine itself as an implementation: doing nothing, reading memory and copying it, as fast as NumPy can.

`nothing` measures what timing costs us per call and is subtracted from everybody else's; `read` and `copy`, of as many
bytes as a workload has, give the least time its bytes need. Only `xent bench` uses it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np

from harness.adapters.base import Answer, Array, Call, Description, Prepared, Unsupported

TRIALS = 5
"""Of one thread and of all before one of them is chosen: the least of so few is within a tenth of the least of many."""


class Machine:
    def describe(self) -> Description:
        return Description(
            version=np.__version__,
            losses=("nothing", "read", "copy"),
            dtypes=("float32",),
            gradients=False,
            threads=_threads(),
        )

    def evaluate(self, call: Call) -> Answer:
        prepared = self.prepare(call)
        return prepared.answer(prepared.run())

    def prepare(self, call: Call) -> Prepared:
        data = call.inputs["block"].storage
        match call.loss:
            case "nothing":
                run: Callable[[], Any] = _nothing
            case "read":
                # Of NumPy's reductions that of the largest integer comes nearest to the memory's speed.
                integers = np.array_split(data.view(np.int32), _threads())
                run = _soonest(data.view(np.int32).max, [part.max for part in integers])
            case "copy":
                target = np.empty_like(data)
                target.fill(1)  # so that its pages are there
                pairs = zip(np.array_split(target, _threads()), np.array_split(data, _threads()), strict=True)
                parts = [partial(np.copyto, to, source) for to, source in pairs]
                run = _soonest(partial(np.copyto, target, data), parts)
            case other:
                raise Unsupported(f"a machine computes no {other}")
        one = Array.of(np.float32(1))
        return Prepared(run, lambda _: Answer(one, f"machine.{call.loss}"))


def _nothing() -> None:
    """What an implementation would be that took no time."""


def _soonest(alone: Callable[[], Any], parts: Sequence[Callable[[], Any]]) -> Callable[[], Any]:
    """All at once in this thread, or each part in a thread of its own: NumPy lets go of the interpreter's lock.

    Whichever is sooner done: a small array is read before a second thread has been woken.
    """
    if len(parts) == 1:
        return alone
    pool = ThreadPoolExecutor(len(parts))

    def together() -> None:
        for future in [pool.submit(part) for part in parts]:
            future.result()

    return min((alone, together), key=lambda run: min(_seconds(run) for _ in range(TRIALS)))


def _seconds(run: Callable[[], Any]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def _threads() -> int:
    return int(os.environ.get("OMP_NUM_THREADS", "1"))
