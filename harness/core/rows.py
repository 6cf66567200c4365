"""Which elements of an input each element of a loss belongs to: its row, the classes last."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[Any]


def rows_of(array: Numbers, shape: tuple[int, ...], axis: int) -> Numbers:
    """`array`, in the shape of an input, as one row for each element of a value of this shape.

    All of it is the row of a value that is reduced, a row of classes that of a class loss, and an element that of a
    binary one.

    >>> rows_of(np.zeros((4, 3)), (), -1).shape, rows_of(np.zeros((4, 3)), (4,), -1).shape
    ((12,), (4, 3))
    """
    if shape == ():
        return np.ravel(array)
    return array[..., None] if array.shape == shape else np.moveaxis(array, axis, -1)


def upstreams(shape: tuple[int, ...], axis: int) -> Iterator[tuple[tuple[Any, ...], Numbers]]:
    """For each class of a value that has classes: its place in the value, and the cotangent that asks for it alone."""
    for position in range(shape[axis]):
        place = [slice(None)] * len(shape)
        place[axis] = slice(position, position + 1)
        alone = np.zeros(shape)
        alone[tuple(place)] = 1.0
        yield tuple(place), alone
