"""Ordinary floating-point arrays behind the same operators as `DoubleDouble`.

The formulas of this package are written once. Evaluated on `DoubleDouble` they are the truth; evaluated on `Plain` they
are what a careful author would write in NumPy, and are judged as the implementation named `numpy`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, eq=False)
class Plain:
    """An array of one NumPy floating type; every operation rounds once to it."""

    values: NDArray[Any]

    @classmethod
    def of(cls, values: ArrayLike, dtype: Any = np.float64) -> Plain:
        return cls(np.asarray(values, dtype=dtype))

    def parts(self) -> tuple[NDArray[Any], NDArray[Any]]:
        return self.values, np.zeros_like(self.values)

    def nearest(self) -> NDArray[Any]:
        return self.values

    @property
    def shape(self) -> tuple[int, ...]:
        return self.values.shape

    def __getitem__(self, index: Any) -> Plain:
        return Plain(np.asarray(self.values[index]))

    def column(self) -> Plain:
        return self[..., None]

    def reshape(self, *shape: int) -> Plain:
        return Plain(self.values.reshape(shape))

    def moveaxis(self, source: int, target: int) -> Plain:
        return Plain(np.moveaxis(self.values, source, target))

    def take_along(self, labels: NDArray[np.int64]) -> Plain:
        return Plain(np.take_along_axis(self.values, labels[..., None], axis=-1)[..., 0])

    def where(self, mask: NDArray[np.bool_], other: Plain) -> Plain:
        return Plain(np.where(mask, self.values, other.values))

    def constant(self, value: ArrayLike) -> Plain:
        return Plain(np.asarray(value).astype(self.values.dtype))

    def zeros(self) -> Plain:
        return Plain(np.zeros_like(self.values))

    def __neg__(self) -> Plain:
        return Plain(-self.values)

    def __add__(self, other: Plain) -> Plain:
        return Plain(np.asarray(self.values + other.values))

    def __sub__(self, other: Plain) -> Plain:
        return Plain(np.asarray(self.values - other.values))

    def __mul__(self, other: Plain) -> Plain:
        return Plain(np.asarray(self.values * other.values))

    def __truediv__(self, other: Plain) -> Plain:
        return Plain(np.asarray(self.values / other.values))

    def __abs__(self) -> Plain:
        return Plain(np.abs(self.values))

    def argmax(self) -> NDArray[np.int64]:
        return np.asarray(np.argmax(self.values, axis=-1))

    def negative(self) -> NDArray[np.bool_]:
        return np.asarray(self.values < 0)

    def is_zero(self) -> NDArray[np.bool_]:
        return np.asarray(self.values == 0)

    def below(self, other: Plain) -> NDArray[np.bool_]:
        return np.asarray(self.values < other.values)

    def sum(self) -> Plain:
        return Plain(np.asarray(self.values.sum(axis=-1)))

    def exp(self) -> Plain:
        return Plain(np.exp(self.values))

    def expm1(self) -> Plain:
        return Plain(np.expm1(self.values))

    def log(self) -> Plain:
        return Plain(np.log(self.values))

    def log1p(self) -> Plain:
        return Plain(np.log1p(self.values))

    def power(self, exponent: float) -> Plain:
        return Plain(np.power(self.values, self.values.dtype.type(exponent)))
