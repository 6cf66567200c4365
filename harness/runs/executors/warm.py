"""Workers that stay: importing a framework takes as long as many of its calls."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

from harness.execution.pool import WorkerPool
from harness.runs.session import Order, pool_of

MOST_IDLE = 2
"""Pools that wait for another part, in one process: a worker holds up to a gigabyte."""

Key = tuple[tuple[str, ...], str | None, str, float]
"""Implementations, interpreter of their environment, level, seconds per call."""


class WarmPools:
    """The pools of one process, by what their workers are; any thread may use it."""

    def __init__(self) -> None:
        self._idle: OrderedDict[Key, WorkerPool] = OrderedDict()
        self._changing = threading.Lock()

    @contextmanager
    def pool(self, order: Order) -> Iterator[WorkerPool]:
        """A pool for an order, of which nobody else has the use meanwhile. After an error it is not used again."""
        key = (tuple(i.name for i in order.implementations), order.python, order.level, order.timeout)
        with self._changing:
            pool = self._idle.pop(key, None)
        if pool is None:
            pool = pool_of(order, warm=True)
        try:
            yield pool
        except BaseException:
            pool.close()
            raise
        if pool.start()[1]:  # what could not start may start next time
            pool.close()
            return
        with self._changing:
            earlier = self._idle.pop(key, None)
            self._idle[key] = pool
            surplus = [] if earlier is None else [earlier]
            while len(self._idle) > MOST_IDLE:
                surplus.append(self._idle.popitem(last=False)[1])
        for one in surplus:
            one.close()

    def close(self) -> None:
        """End the workers that wait."""
        with self._changing:
            pools = list(self._idle.values())
            self._idle.clear()
        for pool in pools:
            pool.close()
