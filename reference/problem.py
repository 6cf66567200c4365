"""One evaluation: checked names, raw arrays, and the way through them in blocks of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reference import arguments
from reference.arguments import ArgumentError, Floats
from reference.reductions import Reduction

BLOCK = 2**12
"""Elements worked on at once. A formula holds some forty float64 arrays of a block at a time: 1.3 MB, which stays in a
second-level cache; half or twice as many are no faster."""

SMALLEST_BLOCK = 2**10
"""Below this many elements NumPy's calls take longer than their arithmetic."""

FEWEST_BLOCKS = 8
"""Blocks that an input is cut into where they are not too small for it: forty arrays of an eighth are five times the
input, which leaves room for the results in twelve times the input."""

Make = Callable[[ArrayLike], Any]
"""From ordinary numbers to those the formulas run on."""

Result = tuple[Any, dict[str, Any]]
"""The value, and the gradients by input."""

Body = Callable[[slice], Result]
"""From a block of rows to one value per row, and to gradients with one row per row."""


@dataclass(frozen=True, eq=False)
class Problem:
    """Checked names and raw arrays of one evaluation."""

    make: Make
    loss: str
    inputs: Mapping[str, NDArray[Any]]
    options: Mapping[str, Any]
    convention: Mapping[str, Any]
    cotangent: ArrayLike | None
    wanted: tuple[str, ...]
    vector: ArrayLike | None = None
    """What the Hessian with respect to the first input that is no target is multiplied with, in its shape."""

    def classes_last(self, name: str) -> tuple[Floats, int]:
        """An input with its classes last, and the axis they came from, counted from the end."""
        array = arguments.floats(name, self.inputs[name])
        axis = arguments.axis_of(name, array, self.options.get("axis", -1))
        if array.shape[axis] == 0:
            raise ArgumentError(f"{name} has shape {array.shape}: expected at least one class along axis {axis}")
        return np.moveaxis(array, axis, -1), axis

    def cotangent_of(self, shape: tuple[int, ...]) -> Any | None:
        if self.cotangent is None:
            return None
        array = arguments.floats("cotangent", self.cotangent)
        return self.make(arguments.shaped("cotangent", array, shape, "the shape of the value"))

    def vector_like(self, shape: tuple[int, ...]) -> Floats | None:
        """The vector of a Hessian-vector product, checked against the shape of the input it belongs to."""
        if self.vector is None:
            return None
        array = arguments.floats("vector", self.vector)
        return arguments.shaped("vector", array, shape, "the shape of the input that is differentiated twice")

    def value_shape(self, rows: tuple[int, ...]) -> tuple[int, ...]:
        return rows if self.options.get("reduction", "mean") == "none" else ()

    def scale(self, how: Reduction[Any], rows: tuple[int, ...]) -> Any:
        """∂result/∂row times the cotangent: one number for all rows, or one per row."""
        cotangent = self.cotangent_of(self.value_shape(rows))
        scale = how.scale(self.make(1.0), cotangent)
        return scale if scale.shape == () else scale.reshape(scale_size(scale.shape))


HESSIAN_VECTOR = "hessian vector"
"""The name a Hessian-vector product has among the gradients of rows; no input has a space in its name."""


def scale_size(shape: tuple[int, ...]) -> int:
    return int(np.prod(shape))


def of_block(number: Any, block: slice) -> Any:
    """The rows of a block; a number that stands for all rows stays as it is."""
    return number if number.shape == () else number[block]


def blocks(rows: int, classes: int) -> Iterator[slice]:
    """Slices of rows, each of at most `BLOCK` elements or one row; one empty slice where there is no row."""
    size = min(BLOCK, max(SMALLEST_BLOCK, rows * classes // FEWEST_BLOCKS))
    step = max(1, size // max(classes, 1))
    for start in range(0, max(rows, 1), step):
        yield slice(start, min(start + step, rows))


def by_rows(rows: int, classes: int, body: Body) -> Result:
    """The values (rows,) and the gradients of all rows, block by block."""
    values: list[Any] = []
    slopes: dict[str, list[Any]] = {}
    for block in blocks(rows, classes):
        value, found = body(block)
        values.append(value)
        for name, slope in found.items():
            slopes.setdefault(name, []).append(slope)
    value = _joined(values)
    return value, {name: _joined(parts) for name, parts in slopes.items()}


def _joined(parts: list[Any]) -> Any:
    """Blocks of rows back together; the list is emptied, since keeping both would double the memory."""
    first = parts[0]
    fields = {}
    if len(parts) > 1:
        for name in vars(first):
            fields[name] = np.concatenate([getattr(part, name) for part in parts])
    parts.clear()
    return type(first)(**fields) if fields else first


def shaped_back(gradients: Mapping[str, Any], shape: tuple[int, ...], axis: int) -> dict[str, Any]:
    """Gradients of rows of classes in the shape of the inputs: rows as they were, classes back on their axis."""
    return {name: slope.reshape(*shape).moveaxis(-1, axis) for name, slope in gradients.items()}
