"""Work cut into parts by the seconds that earlier parts took, and handed to an executor a few at a time."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from harness.runs.executors.base import Executor, Found, Killed, Part

AIMED = 45.0
"""Seconds of a part: long beside importing a framework, short beside what is lost with a machine."""

MOST_GROWTH = 8
"""Times as many items as in the part before, at most: the first ones may have been the quick ones."""

SMALLEST_SHARE = 8
"""The last parts are not cut below this share of a whole one: who is ready first waits six seconds at most."""

Item = TypeVar("Item")


@dataclass
class Remaining(Generic[Item]):
    """What is still to be asked of one implementation, and how much of it makes a part."""

    items: deque[Item]
    size: int
    halves: deque[tuple[Item, ...]] = field(default_factory=deque)
    """Parts that ended whoever did them: they are tried again by halves."""

    def next(self, width: int) -> tuple[Item, ...]:
        """The items of the next part; where `width` do them at the same time, none has the rest alone, unless that is
        little: a part costs a tenth of a second by itself."""
        if self.halves:
            return self.halves.popleft()
        share = max(math.ceil(len(self.items) / width), self.size // SMALLEST_SHARE)
        count = min(self.size, share, len(self.items))
        return tuple(self.items.popleft() for _ in range(count))

    def took(self, items: int, seconds: float) -> None:
        """A part of so many items took so long."""
        wanted = int(AIMED * items / max(seconds, 1e-3))
        self.size = max(1, min(wanted, MOST_GROWTH * max(items, self.size)))


def in_parts(
    executor: Executor,
    todo: Mapping[str, Remaining[Item]],
    part: Callable[[str, tuple[Item, ...]], Part[Found]],
    seconds: Callable[[Found], float],
) -> Iterator[tuple[str, tuple[Item, ...], Found | Killed]]:
    """What every part found, as they come, by implementation; `Killed` of one item that ends whoever does it.

    `part` makes a part of some items of an implementation, `seconds` says how long what was found took.
    """
    running: dict[Future[Found], tuple[str, tuple[Item, ...]]] = {}
    most = 2 * executor.width  # whoever is ready finds another part waiting
    while True:
        for name, remaining in todo.items():
            while len(running) < most and (remaining.items or remaining.halves):
                items = remaining.next(executor.width)
                running[executor.submit(part(name, items))] = name, items
        if not running:
            return
        done, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in done:
            name, items = running.pop(future)
            try:
                found = future.result()
            except Killed as killed:
                if len(items) > 1:
                    half = len(items) // 2
                    todo[name].halves += (items[:half], items[half:])
                else:
                    yield name, items, killed
            else:
                todo[name].took(len(items), seconds(found))
                yield name, items, found
