"""Whether a call leaves its arguments as they were.

A kernel that keeps its gradient where the logits lay saves memory and breaks whoever needs them again: the layer before
it, or the caller. Nothing in the answer shows it.

Standard library and NumPy only: this module runs inside workers.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from harness.adapters.base import Call
from harness.core.arrays import Array


class ArgumentOverwritten(Exception):  # noqa: N818 - what happened to the argument, not to the call
    """The implementation wrote into an array that it was given."""


def arrays_of(call: Call) -> dict[str, Array]:
    """Everything a call hands over that could be written into, by name."""
    options = {name: value for name, value in call.options.items() if isinstance(value, Array)}
    others = {"cotangent": call.cotangent, "vector": call.vector}
    return {**call.inputs, **options, **{name: array for name, array in others.items() if array is not None}}


def copies_of(call: Call) -> dict[str, Array]:
    return {name: Array(array.dtype, array.storage.copy()) for name, array in arrays_of(call).items()}


def restored(call: Call, copies: Mapping[str, Array]) -> tuple[str, ...]:
    """The names of the arguments that differ from `copies` taken before; they hold the old numbers again afterwards."""
    written = [name for name, array in arrays_of(call).items() if not array.same_bits(copies[name])]
    for name in written:
        np.copyto(arrays_of(call)[name].storage, copies[name].storage)
    return tuple(written)
