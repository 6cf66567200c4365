"""In which order blocks are timed, and how many calls make a block. Pure."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

Name = TypeVar("Name")


def rounds(names: Sequence[Name], count: int, seed: int) -> list[tuple[Name, ...]]:
    """`count` rounds, each with every name once: a random order, then the same backwards, then another.

    Forwards and backwards, a drift of the machine that is linear in time hits all alike; a random order keeps any one
    from always coming after the same other, whose data it finds in the cache.
    """
    generator = random.Random(seed)
    planned: list[tuple[Name, ...]] = []
    while len(planned) < count:
        order = list(names)
        generator.shuffle(order)
        planned += [tuple(order), tuple(reversed(order))]
    return planned[:count]


def calls_per_block(seconds_per_call: float, block_seconds: float) -> int:
    """As many calls as fill a block; at least one."""
    return max(1, round(block_seconds / max(seconds_per_call, 1e-9)))


def round_count(seconds_per_call: float, block_seconds: float, most: int, budget: float) -> int:
    """Rounds that fit into `budget` seconds, at least one and at most `most`."""
    block = max(seconds_per_call, block_seconds)
    return max(1, min(most, int(budget / block)))


def groups(names: Sequence[Name], size: int) -> list[tuple[Name, ...]]:
    """`names` in as few groups of at most `size` as possible, as equal as possible; one empty group of none."""
    count = max(1, -(-len(names) // size))
    return [tuple(names[i::count]) for i in range(count)]
