"""Which executor the words of a person mean."""

from __future__ import annotations

from harness.core.errors import UsageError
from harness.runs.executors.base import Executor
from harness.runs.executors.here import Here

ADDRESSES = ("tcp://", "tls://")
"""How the address of a scheduler begins."""


def executor_of(name: str | None, parallel: int) -> Executor:
    """`dask`: a cluster of `parallel` workers on this machine; tcp://HOST:PORT: the one there; None: this process.

    UsageError for anything else, and where Dask is asked for and not installed.
    """
    if name is None:
        return Here(parallel)
    if name != "dask" and not name.startswith(ADDRESSES):
        raise UsageError(f"--executor {name}: expected dask, or the address of a scheduler such as tcp://HOST:8786")
    try:
        from harness.runs.executors.dask_cluster import OnDask
    except ModuleNotFoundError as error:
        raise UsageError(f"--executor {name}: {error.name} is not installed; install xent[dask]") from error
    return OnDask(None if name == "dask" else name, parallel)
