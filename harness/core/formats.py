"""The four floating-point formats a case is run in, and rounding a float64 to each of them once.

Standard library and NumPy only: this module also runs inside workers. bfloat16 has no NumPy type, so its numbers are
stored as the sixteen bits themselves (`uint16`), which every framework can reinterpret without a copy.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class FloatFormat:
    """A binary format of `precision` significant bits (the hidden one counted) and normal exponents emin..emax."""

    name: str
    precision: int
    emin: int
    emax: int
    storage: str
    """Name of the NumPy type that holds the bits."""

    @property
    def eps(self) -> float:
        """Distance from 1 to the next number: 2^(1 - precision)."""
        return 2.0 ** (1 - self.precision)

    @property
    def smallest_normal(self) -> float:
        return 2.0**self.emin

    @property
    def smallest_subnormal(self) -> float:
        return 2.0 ** (self.emin - self.precision + 1)

    @property
    def largest(self) -> float:
        return (2.0 - self.eps) * 2.0**self.emax


FORMATS = MappingProxyType(
    {
        "float64": FloatFormat("float64", 53, -1022, 1023, "float64"),
        "float32": FloatFormat("float32", 24, -126, 127, "float32"),
        "float16": FloatFormat("float16", 11, -14, 15, "float16"),
        "bfloat16": FloatFormat("bfloat16", 8, -126, 127, "uint16"),
    }
)


_EXPONENT = np.int64(0x7FF0 << 48)
"""The bits of a float64 that hold its exponent: by themselves the power of two below the number, 0 for a subnormal."""

_BLOCK = 2**15
"""Elements rounded at once: what is made on the way stays in the processor's cache, where a large array would be
written to memory, and read again, five times."""


def _powers(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """2^floor(log2 |x|) of each value; 0 for subnormal numbers and zero, infinity for infinities and nans."""
    powers: NDArray[np.float64] = (values.view(np.int64) & _EXPONENT).view(np.float64)
    return powers


def quantum(values: NDArray[np.float64], fmt: FloatFormat) -> NDArray[np.float64]:
    """The unit in the last place of each value in `fmt`: 2^(max(floor(log2 |x|), emin) - precision + 1).

    Zero has the quantum of the subnormals. Infinities and nans yield nan.
    """
    unit = np.maximum(_powers(values), fmt.smallest_normal) * fmt.eps
    return np.where(np.isfinite(unit), unit, np.nan)


def rounded(values: NDArray[Any], fmt: FloatFormat) -> NDArray[np.float64]:
    """Each value rounded once to the nearest number of `fmt` (ties to even), returned as float64."""
    exact = np.asarray(values, dtype=np.float64)
    if fmt.name == "float64":
        return exact
    if exact.size <= _BLOCK:
        return _rounded(exact, fmt)
    flat = exact.ravel()
    nearest = np.empty_like(flat)
    for start in range(0, flat.size, _BLOCK):
        part = slice(start, start + _BLOCK)
        nearest[part] = _rounded(flat[part], fmt)
    return nearest.reshape(exact.shape)


def _rounded(exact: NDArray[np.float64], fmt: FloatFormat) -> NDArray[np.float64]:
    """To a narrower format than float64.

    With u the unit in the last place of x in `fmt`, |x| < 2^precision u, so x + 1.5 2^52 u lies between 2^52 u and
    2^53 u, where the numbers of float64 are the multiples of u: the processor itself rounds x to one of them, ties to
    even, and the subtraction is exact. Beyond the format any u will do, since the result is infinite.
    """
    powers = np.clip(_powers(exact), fmt.smallest_normal, 2.0 ** (fmt.emax + 1))
    shift = powers * (1.5 * 2.0 ** (53 - fmt.precision))
    nearest = (exact + shift) - shift
    # The sign of what is rounded to zero is lost on the way.
    return np.copysign(np.where(np.abs(nearest) > fmt.largest, np.inf, nearest), exact)


def encode(values: NDArray[Any], fmt: FloatFormat) -> NDArray[Any]:
    """`values` rounded once to `fmt`, in the type that stores its bits."""
    nearest = rounded(values, fmt)
    if fmt.name == "bfloat16":
        with np.errstate(over="ignore", invalid="ignore"):
            bits: NDArray[Any] = (nearest.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
        return bits
    with np.errstate(over="ignore", invalid="ignore"):
        stored: NDArray[Any] = nearest.astype(fmt.storage)
    return stored


def decode(storage: NDArray[Any], fmt: FloatFormat) -> NDArray[np.float64]:
    """The float64 values of stored bits; exact, since every format here is contained in float64."""
    with np.errstate(invalid="ignore"):  # a signalling nan becomes a quiet one, and is a nan all the same
        if fmt.name == "bfloat16":
            widened = np.ascontiguousarray(storage).astype(np.uint32) << np.uint32(16)
            return widened.view(np.float32).astype(np.float64).reshape(np.shape(storage))
        return np.asarray(storage).astype(np.float64)
