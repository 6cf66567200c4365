"""NumPy, slower by a known amount: what the bench has to find, or its verdicts are worth nothing."""

from __future__ import annotations

import time
from typing import Any

from harness.adapters.base import Answer, Call, Description, Prepared
from harness.adapters.numpy import NumPy

SLOWDOWN = 0.10


class Slowed:
    """Every call takes a tenth longer than NumPy's."""

    def __init__(self) -> None:
        self._numpy = NumPy()

    def describe(self) -> Description:
        return self._numpy.describe()

    def evaluate(self, call: Call) -> Answer:
        return self._numpy.evaluate(call)

    def prepare(self, call: Call) -> Prepared:
        def run() -> Any:
            start = time.perf_counter()
            answer = self._numpy.evaluate(call)
            until = start + (1 + SLOWDOWN) * (time.perf_counter() - start)
            while time.perf_counter() < until:
                pass  # busy, as slower arithmetic would be
            return answer

        return Prepared(run, lambda answer: answer)
