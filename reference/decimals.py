"""Decimal arrays of 400 digits behind the same operators as `DoubleDouble`: for the few results that cancel.

Where terms of a gradient cancel almost entirely (soft targets that are nearly the softmax; the sum of −1 + e^−176 and
1 − e^−160 over two rows), 106 bits are not enough for a last digit that is right. `evaluate` notices and evaluates the
same formulas once more on this type. Decimal arithmetic is software, so its bits too are the same everywhere.
"""

from __future__ import annotations

import decimal
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

DIGITS = 400
"""Terms may cancel to the 340 digits between the largest and the smallest exponential of float64 arguments, and some 20
have to be left."""

Decimals400 = NDArray[Any]


def context() -> decimal.Context:
    """Nothing is trapped: nan and infinities flow through as they do in floating point."""
    return decimal.Context(prec=DIGITS, Emin=decimal.MIN_EMIN, Emax=decimal.MAX_EMAX, traps=[])


_ZERO, _ONE = decimal.Decimal(0), decimal.Decimal(1)


@dataclass(frozen=True, eq=False)
class Decimals:
    """An array of decimal numbers. Use it inside `with decimal.localcontext(context())`."""

    values: Decimals400

    @classmethod
    def of(cls, values: ArrayLike) -> Decimals:
        """float64 values, exactly; −0 becomes 0, which no formula tells apart."""
        raw = np.asarray(values, dtype=np.float64)
        out = np.empty(raw.shape, dtype=object)
        flat = out.reshape(-1)
        for i, value in enumerate(raw.ravel()):
            flat[i] = decimal.Decimal(float(value)) if value != 0 else _ZERO
        return cls(flat.reshape(raw.shape))

    def parts(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        hi = np.empty(self.shape)
        lo = np.zeros(self.shape)
        for index in np.ndindex(self.shape):
            value: decimal.Decimal = self.values[index]  # type: ignore[assignment]
            hi[index] = _float(value)
            if np.isfinite(hi[index]):
                lo[index] = _float(value - decimal.Decimal(float(hi[index])))
        return hi, lo

    def nearest(self) -> NDArray[np.float64]:
        return self.parts()[0]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.values.shape

    def __getitem__(self, index: Any) -> Decimals:
        return Decimals(_array(self.values[index]))

    def column(self) -> Decimals:
        return self[..., None]

    def reshape(self, *shape: int) -> Decimals:
        return Decimals(self.values.reshape(shape))

    def moveaxis(self, source: int, target: int) -> Decimals:
        return Decimals(np.moveaxis(self.values, source, target))

    def take_along(self, labels: NDArray[np.int64]) -> Decimals:
        return Decimals(_array(np.take_along_axis(self.values, labels[..., None], axis=-1)[..., 0]))

    def where(self, mask: NDArray[np.bool_], other: Decimals) -> Decimals:
        return Decimals(_array(np.where(mask, self.values, other.values)))

    def constant(self, value: ArrayLike) -> Decimals:
        return Decimals.of(value)

    def zeros(self) -> Decimals:
        return Decimals.of(np.zeros(self.shape))

    def __neg__(self) -> Decimals:
        return self._each(lambda v: -v)

    def __add__(self, other: Decimals) -> Decimals:
        return Decimals(_array(self.values + other.values))

    def __sub__(self, other: Decimals) -> Decimals:
        return Decimals(_array(self.values - other.values))

    def __mul__(self, other: Decimals) -> Decimals:
        return Decimals(_array(self.values * other.values))

    def __truediv__(self, other: Decimals) -> Decimals:
        return Decimals(_array(self.values / other.values))

    def argmax(self) -> NDArray[np.int64]:
        def place(row: Any) -> int:
            undefined = (i for i, v in enumerate(row) if v.is_nan())
            return next(undefined, max(range(len(row)), key=lambda i: row[i]))

        return np.asarray(np.apply_along_axis(place, -1, self.values), dtype=np.int64)

    def negative(self) -> NDArray[np.bool_]:
        return self._ask(lambda v: bool(v < 0))

    def is_zero(self) -> NDArray[np.bool_]:
        return self._ask(lambda v: bool(v == 0))

    def below(self, other: Decimals) -> NDArray[np.bool_]:
        return (self - other).negative()

    def sum(self) -> Decimals:
        if self.shape[-1] == 0:
            return Decimals.of(np.zeros(self.shape[:-1]))
        return Decimals(_array(np.add.reduce(self.values, axis=-1)))

    def exp(self) -> Decimals:
        return self._each(lambda v: v.exp())

    def expm1(self) -> Decimals:
        return self._each(lambda v: v if abs(v) < decimal.Decimal("1e-300") else v.exp() - _ONE)

    def log(self) -> Decimals:
        return self._each(_ln)

    def log1p(self) -> Decimals:
        # 400 digits hold 1 + u exactly enough for |u| > 1e-340; below, ln(1 + u) = u to more digits than there are.
        return self._each(lambda v: v if abs(v) < decimal.Decimal("1e-300") else _ln(_ONE + v))

    def power(self, exponent: float) -> Decimals:
        if exponent == 0.0:
            return Decimals.of(np.ones(self.shape))
        gamma = decimal.Decimal(exponent)
        return self._each(lambda v: _ZERO if v == 0 else (v.ln() * gamma).exp() if exponent % 1 else v ** int(gamma))

    def _each(self, function: Any) -> Decimals:
        out = np.empty(self.shape, dtype=object)
        for index in np.ndindex(self.shape):
            out[index] = function(self.values[index])
        return Decimals(out)

    def _ask(self, question: Any) -> NDArray[np.bool_]:
        out = np.empty(self.shape, dtype=bool)
        for index in np.ndindex(self.shape):
            out[index] = question(self.values[index])
        return out


WRITTEN = 20
"""Significant digits of a number written out: hi + lo hold some thirty, and float64 sixteen."""


def in_digits(hi: float, lo: float) -> str:
    """hi + lo in decimal, summed without rounding first: two float64 may stand 2100 binary digits apart.

    Examples
    --------
    >>> in_digits(0.1, 0.0), in_digits(0.5, 0.0), in_digits(1e-300, 0.0), in_digits(float("inf"), 0.0)
    ('0.10000000000000000555', '0.5', '1.0000000000000000251e-300', 'inf')
    """
    if not np.isfinite(hi):
        return repr(hi)
    exact = decimal.Context(prec=2200).add(decimal.Decimal(hi), decimal.Decimal(lo))
    written = decimal.Context(prec=WRITTEN, capitals=0)
    return written.to_sci_string(written.plus(exact))


def _ln(value: decimal.Decimal) -> decimal.Decimal:
    if value == 0:
        return decimal.Decimal("-Infinity")
    return value.ln()


def _float(value: decimal.Decimal) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def _array(values: Any) -> Decimals400:
    """NumPy hands out a bare object where an array of no dimensions is meant."""
    if isinstance(values, np.ndarray):
        return values
    out = np.empty((), dtype=object)
    out[()] = values
    return out
