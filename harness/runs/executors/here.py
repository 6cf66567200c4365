"""Parts done on this machine, by threads of this process: each asks workers of its own."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

from harness.runs.executors.base import Found, Part
from harness.runs.executors.warm import WarmPools


class Here:
    """The executor where none is named."""

    def __init__(self, width: int) -> None:
        self.width = width
        self._pools = WarmPools()
        self._threads = ThreadPoolExecutor(width, "part")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._threads.shutdown(cancel_futures=True)
        self._pools.close()

    def submit(self, part: Part[Found]) -> Future[Found]:
        """As `Executor.submit`."""
        return self._threads.submit(part.answer, self._pools)
