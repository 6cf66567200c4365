"""The least time the bytes of a loss need on this machine. Pure.

Every input has to be read once and every output written once; nothing else has to touch memory. The machine's own
speed is measured in the same run at the same size: reading takes r seconds per byte; copying reads and writes, so that
writing takes what copying takes beyond reading.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from harness.core.formats import FORMATS

WITHOUT_REDUCTION = ("softmax", "log_softmax")


@dataclass(frozen=True)
class Traffic:
    """What a loss has to move, and how large it is."""

    elements: int
    """Terms of the loss: of the first input; rows × classes behind a linear layer."""
    read: int
    """Bytes."""
    written: int


def traffic(
    loss: str,
    shapes: Mapping[str, tuple[int, ...]],
    dtypes: Mapping[str, str],
    reduction: str | None,
    differentiate: tuple[str, ...],
) -> Traffic:
    """Bytes by the definition of the loss: each input once, each gradient once, and the value."""
    sizes = {name: math.prod(shape) * item_size(dtypes[name]) for name, shape in shapes.items()}
    first = next(iter(shapes))
    elements = math.prod(shapes[first])
    if "weight" in shapes:
        elements = math.prod(shapes["hidden"][:-1]) * shapes["weight"][-1]
    written = sum(sizes[name] for name in differentiate)
    if loss in WITHOUT_REDUCTION:
        written += sizes[first]
    elif reduction == "none":
        written += sizes[first] // max(1, shapes[first][-1])
    return Traffic(elements, sum(sizes.values()), written)


def item_size(dtype: str) -> int:
    """Bytes of one number; bfloat16 has two."""
    if dtype == "bfloat16":
        return 2
    name = FORMATS[dtype].storage if dtype in FORMATS else dtype
    digits = "".join(character for character in name if character.isdigit())
    return int(digits) // 8 if digits else 1


@dataclass(frozen=True)
class Bandwidth:
    """Bytes per second of the machine at one size. Copying n bytes reads n and writes n."""

    read: float
    copy: float

    def least_seconds(self, needs: Traffic) -> float:
        """Read all, write all; where copying came out faster than reading twice, writing is as fast as reading."""
        reading = 1 / self.read
        writing = max(1 / self.copy - reading, 0.0)
        return needs.read * reading + needs.written * writing
