"""The seam: a part of some work goes to an executor, which hands back a future of what the part found."""

from __future__ import annotations

from concurrent.futures import Future
from types import TracebackType
from typing import Protocol, Self, TypeVar

from harness.runs.executors.warm import WarmPools

Found_co = TypeVar("Found_co", covariant=True)
Found = TypeVar("Found")


class Part(Protocol[Found_co]):
    """Work that can be done on any machine with this program; it can be pickled, as what it finds."""

    def answer(self, pools: WarmPools) -> Found_co:
        """Do it, with workers that may be running already."""


class Executor(Protocol):
    """Whoever does parts. Leaving its block ends what is under way."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    @property
    def width(self) -> int:
        """How many parts are done at the same time."""

    def submit(self, part: Part[Found]) -> Future[Found]:
        """What the part will have found; `Killed` where it ended whoever tried, as often as is tried."""


class Killed(Exception):  # noqa: N818 - what happened to a part, not an error of ours
    """A part ended, with itself, every process that did it."""
