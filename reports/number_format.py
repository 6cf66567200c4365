"""Numbers as people read them: shortest digits of a dtype, ulps, ratios, counts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = ["count", "duration", "percent", "rough", "shown"]

_DIGITS = {"float32": 9, "float16": 5, "bfloat16": 4}
"""Significant digits that tell any two numbers of the dtype apart: 1 + ceil(precision * log10 2)."""


def shown(value: Any, dtype: str) -> str:
    """A number, or nested lists of numbers, with as many digits as `dtype` has; larger arrays by their worst element.

    >>> shown([0.10000000149011612, "nan"], "float32")
    '[0.1, nan]'
    """
    if value is None:
        return ""
    if isinstance(value, Mapping):
        if "raises" in value:
            return f"raises {value['raises']}"
        shape = "×".join(str(n) for n in value.get("shape", ()))
        index = value.get("worst_index")
        at = f" at {_plain(index)}" if index not in (None, []) else ""
        return f"array {shape or '()'}, worst element{at}: {shown(value.get('worst'), dtype)}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(shown(v, dtype) for v in value) + "]"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return _shortest(float(value), dtype)


def _plain(index: object) -> str:
    return "[" + ", ".join(str(i) for i in index) + "]" if isinstance(index, list | tuple) else f"[{index}]"


def _shortest(value: float, dtype: str) -> str:
    if not math.isfinite(value):
        return str(value)
    if dtype == "float32" and abs(value) <= float(np.finfo(np.float32).max) and float(np.float32(value)) == value:
        return _tidy(str(np.float32(value)))
    digits = _DIGITS.get(dtype)
    return _tidy(repr(value) if digits is None else f"{value:.{digits}g}")


def _tidy(digits: str) -> str:
    """1e-07 as 1e-7, 1.50e9 as 1.5e9 and 2.0 as 2."""
    mantissa, e, exponent = digits.partition("e")
    if "." in mantissa:
        mantissa = mantissa.rstrip("0").rstrip(".")
    return f"{mantissa}e{int(exponent)}" if e else mantissa


def rough(value: float | str | None) -> str:
    """Three significant digits, for errors: 0.512, 12.3, 4.5e+9."""
    if value is None:
        return ""
    number = float(value)
    if not math.isfinite(number):
        return str(number)
    if number == 0:
        return "0"
    if 0.001 <= abs(number) < 100000:
        digits = f"{number:.3g}"
        return f"{float(digits):,.0f}" if abs(number) >= 1000 else digits
    return _tidy(f"{number:.2e}")


def count(number: int) -> str:
    return f"{number:,}"


def percent(share: float | None) -> str:
    """One decimal, and never 100 % or 0 % unless it is exactly that: a rounding must not hide a single cell."""
    if share is None:
        return "–"
    if share in (0.0, 100.0):
        return f"{share:.0f} %"
    return f"{min(max(share, 0.1), 99.9):.1f} %"


_UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))


def duration(seconds: float) -> str:
    """A time in the unit that leaves one to three digits before the point.

    >>> duration(6.19e-6)
    '6.19 µs'
    """
    size, unit = next((u for u in _UNITS if abs(seconds) >= u[0]), _UNITS[-1])
    return f"{seconds / size:.3g} {unit}"
