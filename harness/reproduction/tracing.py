"""Arrays that remember how they were computed: a relation's equations, evaluated on them, become source code.

So a script checks the very equations that judge, and cannot drift from them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.reproduction.example import Inexpressible, dense_source, literal

_INFIX = {"add": "+", "subtract": "-", "multiply": "*", "true_divide": "/", "divide": "/"}


@dataclass(frozen=True, eq=False)
class Traced:
    """Numbers with the expression of NumPy that made them, and the names it uses. NumPy calls the two protocols."""

    values: NDArray[Any]
    source: str
    names: frozenset[str] = field(default_factory=frozenset)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Traced:
        if method != "__call__" or options:
            raise Inexpressible(f"no script writes numpy.{ufunc.__name__}.{method}")
        return self._computed(ufunc, _of_ufunc(ufunc.__name__, [source_of(entry) for entry in inputs]), inputs, {})

    def __array_function__(
        self, function: Callable[..., Any], types: Any, given: tuple[Any, ...], options: Mapping[str, Any]
    ) -> Traced:
        written = [*map(source_of, given), *(f"{name}={source_of(value)}" for name, value in options.items())]
        return self._computed(function, f"np.{function.__name__}({', '.join(written)})", given, options)

    def _computed(
        self, function: Callable[..., Any], source: str, given: tuple[Any, ...], options: Mapping[str, Any]
    ) -> Traced:
        traced = [entry for entry in (*given, *options.values()) if isinstance(entry, Traced)]
        values = function(*map(_plain, given), **{name: _plain(value) for name, value in options.items()})
        return Traced(np.asarray(values), source, frozenset().union(*(entry.names for entry in traced)))

    def _method(self, name: str, *given: Any) -> Traced:
        source = f"{self.source}.{name}({', '.join(literal(entry) for entry in given)})"
        return Traced(np.asarray(getattr(self.values, name)(*given)), source, self.names)

    def __add__(self, other: Any) -> Traced:
        return self.__array_ufunc__(np.add, "__call__", self, other)

    def __radd__(self, other: Any) -> Traced:
        return self.__array_ufunc__(np.add, "__call__", other, self)

    def __sub__(self, other: Any) -> Traced:
        return self.__array_ufunc__(np.subtract, "__call__", self, other)

    def __rsub__(self, other: Any) -> Traced:
        return self.__array_ufunc__(np.subtract, "__call__", other, self)

    def __mul__(self, other: Any) -> Traced:
        return self.__array_ufunc__(np.multiply, "__call__", self, other)

    def __rmul__(self, other: Any) -> Traced:
        return self.__array_ufunc__(np.multiply, "__call__", other, self)

    def __truediv__(self, other: Any) -> Traced:
        return self.__array_ufunc__(np.true_divide, "__call__", self, other)

    def __neg__(self) -> Traced:
        return self.__array_ufunc__(np.negative, "__call__", self)

    def __getitem__(self, place: Any) -> Traced:
        entries = place if isinstance(place, tuple) else (place,)
        return Traced(self.values[place], f"{self.source}[{', '.join(map(_place, entries))}]", self.names)

    def __len__(self) -> int:
        return len(self.values)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.values.shape

    @property
    def ndim(self) -> int:
        return self.values.ndim

    @property
    def size(self) -> int:
        return self.values.size

    @property
    def T(self) -> Traced:  # noqa: N802 - NumPy's name
        return Traced(self.values.T, f"{self.source}.T", self.names)

    def sum(self, *axis: int) -> Traced:
        return self._method("sum", *axis)

    def reshape(self, shape: tuple[int, ...]) -> Traced:
        return self._method("reshape", shape)


def source_of(value: Any) -> str:
    """The expression of a traced array, or a constant as one."""
    if isinstance(value, Traced):
        return value.source
    if isinstance(value, np.ndarray):
        return literal(value.item()) if value.ndim == 0 else dense_source(value)
    return literal(value)


def names_of(*values: Any) -> frozenset[str]:
    """The names that expressions use."""
    return frozenset().union(*(value.names for value in values if isinstance(value, Traced)))


def _plain(value: Any) -> Any:
    return value.values if isinstance(value, Traced) else value


def _of_ufunc(name: str, written: list[str]) -> str:
    if name == "negative":
        return f"(-{written[0]})"
    if name in _INFIX:
        return f"({written[0]} {_INFIX[name]} {written[1]})"
    return f"np.{name}({', '.join(written)})"


def _place(entry: Any) -> str:
    if isinstance(entry, slice):
        ends = ("" if end is None else str(end) for end in (entry.start, entry.stop))
        return ":".join(ends) + ("" if entry.step is None else f":{entry.step}")
    return literal(entry)
