"""Parts done by the workers of a Dask cluster: one on this machine, or one that is there already.

The only module that imports Dask, which is asked for by name. A part whose worker ends is done again by another; what
ends three of them is told as `Killed`.
"""

from __future__ import annotations

import functools
import logging
from concurrent.futures import Future
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

import dask
import distributed

from harness.core.errors import InfrastructureError
from harness.runs.executors.base import Found, Killed, Part
from harness.runs.executors.identity import Identity, identity
from harness.runs.executors.warm import WarmPools

MOST_ENDED = 3
"""Workers that a part may end: the third is the last that is given it."""

OURS = {
    "distributed.scheduler.allowed-failures": MOST_ENDED - 1,
    # No part waits behind another: it would be counted among those that ended the worker.
    "distributed.scheduler.worker-saturation": 1.0,
    # Parts are not moved away from the workers that are warm.
    "distributed.scheduler.work-stealing": False,
    "distributed.comm.timeouts.connect": "60s",
}
"""Of a cluster on this machine; another is as its owner has set it up."""

PATIENCE = 60.0
"""Seconds until a scheduler counts as absent, and a cluster as one without workers; starting a worker takes three."""


class OnDask:
    """The executor of a cluster: `address` of its scheduler, or None for one of `width` workers on this machine."""

    def __init__(self, address: str | None, width: int) -> None:
        self._stack = ExitStack()
        try:
            self._client = self._stack.enter_context(self._connected(address, width))
            self._client.wait_for_workers(1, timeout=PATIENCE)
            _refuse_others(self._client.run(identity))
            self.width = sum(self._client.nthreads().values())
        except (OSError, TimeoutError) as error:
            self._stack.close()
            raise InfrastructureError(f"no Dask cluster at {address or 'this machine'}: {error}") from error
        except BaseException:
            self._stack.close()
            raise

    def _connected(self, address: str | None, width: int) -> Any:
        if address is not None:
            return distributed.Client(address, timeout=PATIENCE)
        # What it says of workers that end is told by us.
        self._stack.enter_context(dask.config.set(OURS))
        cluster = distributed.LocalCluster(
            n_workers=width,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",  # any port that is free
            memory_limit=0,  # what a framework takes is not the memory of Dask's own process
            silence_logs=logging.CRITICAL,
        )
        self._stack.enter_context(cluster)
        return distributed.Client(cluster)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def submit(self, part: Part[Found]) -> Future[Found]:
        """As `Executor.submit`."""
        told: Future[Found] = Future()
        asked = self._client.submit(_answer, part, identity(), pure=False)

        def tell(done: Any) -> None:
            try:
                told.set_result(done.result())
            except distributed.scheduler.KilledWorker:
                told.set_exception(Killed(f"ended {MOST_ENDED} workers of the cluster"))
            except BaseException as error:
                told.set_exception(error)

        asked.add_done_callback(tell)
        return told


def _answer(part: Part[Found], asking: Identity) -> Found:
    """What a worker of the cluster does."""
    _refuse_others({"a worker": identity()}, asking)
    return part.answer(_pools())


@functools.cache
def _pools() -> WarmPools:
    """Those of this worker: they end with it, as all that `harness.execution.leftovers` is told of."""
    return WarmPools()


def _refuse_others(found: dict[str, Identity], asking: Identity | None = None) -> None:
    """InfrastructureError where a worker has another program, or another Python: what it says is not what ours says."""
    ours = asking or identity()
    for worker, theirs in found.items():
        for what, version in ours.items():
            if theirs[what] != version:
                raise InfrastructureError(
                    f"{worker} of the cluster has {what} {theirs[what]}, here it is {version}: install one version on "
                    "both sides"
                )
