"""What is to be reproduced, and how its numbers are written as Python."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.arrays import Array

LARGEST_WRITTEN = 4096
"""Numbers of one array that are written out: a script of more is no longer read by anybody."""


class Inexpressible(Exception):  # noqa: N818 - a statement about the cell, not an error
    """The cell cannot be written as a standalone script, with the reason."""


@dataclass(frozen=True, eq=False)
class Problem:
    """One call of one implementation, with its exact bits."""

    implementation: str
    loss: str
    inputs: Mapping[str, Array]
    options: Mapping[str, Any]
    dtype: str
    mode: str
    differentiate: str | None = None
    """The input whose gradient is asked for; None: the value."""
    cotangent: Array | None = None
    vector: Array | None = None
    """The direction in which that gradient is differentiated again; None: it is not."""

    @property
    def reduction(self) -> str:
        return str(self.options.get("reduction", "none"))

    @property
    def axis(self) -> int:
        return int(self.options.get("axis", -1))

    @property
    def rank(self) -> int:
        """Axes of the first input."""
        return len(next(iter(self.inputs.values())).shape)

    def targets_are_distributions(self, scores: str) -> bool:
        targets, rows = self.inputs["targets"], self.inputs[scores]
        return targets.shape == rows.shape or (targets.is_float and len(targets.shape) == len(rows.shape))

    def understands(self, *names: str) -> None:
        """Refuse options no template knows how to write."""
        for name in self.options:
            if name not in ("reduction", "denominator", *names):
                raise Inexpressible(f"no template writes the option {name}")

    def keyword(self, name: str, renamed: str | None = None) -> list[str]:
        """`name=value` where the option is given; arrays by their variable's name."""
        if name not in self.options:
            return []
        value = self.options[name]
        return [f"{renamed or name}={name if isinstance(value, Array) else literal(value)}"]

    @property
    def arrays(self) -> dict[str, Array]:
        """Every array by the name of its variable."""
        return {**self.inputs, **{n: v for n, v in self.options.items() if isinstance(v, Array)}}


@dataclass(frozen=True)
class Code:
    """How one framework computes one problem."""

    imports: tuple[str, ...]
    body: tuple[str, ...]
    """Statements that define `answer`, as NumPy can read it: the value, or the gradient, or its derivative, whichever
    is asked for."""
    versions: str
    """An expression for the text that names the versions."""
    environment: tuple[str, ...] = ()
    """Statements that come before the imports."""


def literal(value: Any) -> str:
    """A number, a text or nested lists as Python source; nan and infinities as NumPy's."""
    if isinstance(value, tuple | list):
        return "[" + ", ".join(literal(entry) for entry in value) + "]"
    if isinstance(value, float | np.floating):
        number = float(value)
        if np.isnan(number):
            return "np.nan"
        if np.isinf(number):
            return "np.inf" if number > 0 else "-np.inf"
        return repr(number)
    return repr(value.item() if isinstance(value, np.generic) else value)


def numpy_source(array: Array) -> str:
    """The array as an expression of NumPy: float64 for every floating format, which holds all of them exactly."""
    values = array.to_float64() if array.is_float else array.storage
    dtype = "np.float64" if array.is_float else f"np.{values.dtype.name}" + ("_" if values.dtype.kind == "b" else "")
    return dense_source(values, dtype)


def dense_source(values: NDArray[Any], dtype: str = "np.float64") -> str:
    if values.ndim and values.size > 16:
        first = values[:1]
        same = first.size <= LARGEST_WRITTEN and (values == first) | ((values != values) & (first != first))
        if np.all(same):
            counts = (values.shape[0], *(1,) * (values.ndim - 1))
            return f"np.tile(np.array({literal(first.tolist())}, dtype={dtype}), {counts})"
    if values.size > LARGEST_WRITTEN:
        raise Inexpressible(f"{values.size} numbers are too many to write down")
    shaped = "" if values.size else f".reshape({values.shape})"
    return f"np.array({literal(values.tolist())}, dtype={dtype}){shaped}"
