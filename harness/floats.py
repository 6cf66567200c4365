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


def quantum(values: NDArray[np.float64], fmt: FloatFormat) -> NDArray[np.float64]:
    """The unit in the last place of each value in `fmt`: 2^(max(floor(log2 |x|), emin) - precision + 1).

    Zero has the quantum of the subnormals. Infinities and nans yield nan.
    """
    _, exponent = np.frexp(values)
    exponent = np.where(values == 0.0, fmt.emin, np.maximum(exponent - 1, fmt.emin))
    unit = np.ldexp(1.0, exponent - fmt.precision + 1)
    return np.where(np.isfinite(values), unit, np.nan)


def rounded(values: NDArray[Any], fmt: FloatFormat) -> NDArray[np.float64]:
    """Each value rounded once to the nearest number of `fmt` (ties to even), returned as float64."""
    exact = np.asarray(values, dtype=np.float64)
    if fmt.name == "float64":
        return exact
    finite = np.isfinite(exact)
    safe = np.where(finite, exact, 0.0)
    unit = quantum(safe, fmt)
    # Dividing by a power of two is exact here: the narrowest quantum is 2^-149 and float64 reaches 2^1023.
    with np.errstate(over="ignore"):  # what overflows float64 here is an infinity in the narrower format anyway
        nearest = np.rint(safe / unit) * unit
    nearest = np.where(np.abs(nearest) > fmt.largest, np.copysign(np.inf, safe), nearest)
    nearest = np.copysign(nearest, safe)
    return np.where(finite, nearest, exact)


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
    if fmt.name == "bfloat16":
        widened = np.ascontiguousarray(storage).astype(np.uint32) << np.uint32(16)
        return widened.view(np.float32).astype(np.float64).reshape(np.shape(storage))
    return np.asarray(storage).astype(np.float64)
