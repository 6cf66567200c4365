"""When a result agrees with the truth: the ratio R, its budget, and the grade.

For a result `got` in a format with unit `eps`, a truth held as hi + lo, and the error scale A of the mathematics,

    R = max(0, |got − truth| − floor) / (eps · A),

and `got` agrees when R ≤ k at every element and the pattern of nans and infinities is the same. `floor` is the
smallest subnormal number: below it a format cannot tell numbers apart. For implementations that flush subnormals to
zero it is the smallest normal number, times the weights and the upstream gradient that multiply a probability which was
flushed on the way (in float16, whose numbers are computed in float32, only the result is ever flushed). −0 equals 0.

Why k = 4 for float64 and float32: the straightforward stable formula rounds four times on its way (the shift, the sum
of exponentials, the logarithm, the final difference), each time by at most half a unit of the error scale, and the
library's exp and log add up to one unit each. Why k = 2 for the half formats: frameworks compute those in float32 and
round once at the end (half a unit), a second rounding of an intermediate result being the most that is defensible.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.core.formats import FloatFormat, quantum, rounded

Floats = NDArray[np.float64]

BUDGET: Mapping[str, float] = MappingProxyType({"float64": 4.0, "float32": 4.0, "float16": 2.0, "bfloat16": 2.0})


@dataclass(frozen=True, eq=False)
class Target:
    """What is right, with the unavoidable error beside it. All arrays have the shape of the result."""

    hi: Floats
    lo: Floats
    error_scale: Floats
    magnitude: float = 0.0
    """Largest finite |input|: what a merely normwise stable computation may lose besides (grade C)."""
    amplification: float = 1.0
    """What a number that was flushed to zero on the way is multiplied with: weights, upstream gradient."""
    terms: Mapping[str, Floats] = field(default_factory=dict)
    """What the error scale is the sum of, each in the shape of the result; empty where it is no plain sum."""

    def error_scale_at(self, index: tuple[int, ...]) -> dict[str, float]:
        """The error scale of one element, term by term; the error scale itself, named A, where it is no plain sum."""
        found = {name: float(term[index]) for name, term in self.terms.items()}
        return found or {"A": float(self.error_scale[index])}


@dataclass(frozen=True)
class Agreement:
    """How far a result is from the truth, at its worst element."""

    agrees: bool
    ratio: float
    budget: float
    grade: str
    ulps: float
    worst: tuple[int, ...]
    """Index of the worst element; () for scalars and empty results."""
    pattern: str | None = None
    """Where nans or infinities differ: a sentence."""


def floor_of(fmt: FloatFormat, *, flush_to_zero: bool = False) -> float:
    """The distance below which a format cannot tell numbers apart."""
    return fmt.smallest_normal if flush_to_zero else fmt.smallest_subnormal


def allowed(target: Target, fmt: FloatFormat, *, flush_to_zero: bool = False) -> Floats:
    """The absolute error that is allowed of each element; 0 where the truth is nan or infinite."""
    with np.errstate(over="ignore"):
        error = BUDGET[fmt.name] * fmt.eps * target.error_scale + floor_of(fmt, flush_to_zero=flush_to_zero)
    return np.where(np.isfinite(target.hi), error, 0.0)


def compare(got: Floats, target: Target, fmt: FloatFormat, *, flush_to_zero: bool = False) -> Agreement:
    """`got` (of the target's shape) against the truth. Raises ValueError for another shape."""
    if got.shape != target.hi.shape:
        raise ValueError(f"got has shape {got.shape}, the truth {target.hi.shape}")
    budget = BUDGET[fmt.name]
    if got.size == 0:
        return Agreement(True, 0.0, budget, "A", 0.0, ())
    amplified = 1.0 if fmt.name == "float16" else target.amplification
    floor = fmt.smallest_normal * amplified if flush_to_zero else fmt.smallest_subnormal
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        error = np.abs((got - target.hi) - target.lo)
        nearest = rounded(target.hi, fmt)
        # A truth beyond the largest number of the format is right as infinity, and also as a number within the budget.
        same = (got == nearest) | (np.isnan(got) & np.isnan(target.hi))
        finite = np.isfinite(got)
        broken = ~(same | finite & np.isfinite(target.hi))
        excess = np.where(same, 0.0, np.maximum(error - floor, 0.0))
        ratio = _quotient(excess, fmt.eps * target.error_scale)
        ratio[broken] = np.inf
        ulps = np.where(same & ~finite, 0.0, error) / quantum(target.hi, fmt)
        any_broken = bool(broken.any())
        grade = "F" if any_broken else _grade(excess, ratio, target, fmt, budget)
    # Where everything is as right as can be, the element that is furthest off.
    figure = ratio if ratio.any() else np.where(np.isfinite(ulps), ulps, 0.0)
    worst = tuple(int(i) for i in np.unravel_index(int(figure.argmax()), figure.shape))
    off = float(ulps[worst])
    pattern = _pattern_sentence(got, target.hi, broken) if any_broken else None
    return Agreement(
        agrees=pattern is None and bool((ratio <= budget).all()),
        ratio=float(ratio[worst]),
        budget=budget,
        grade=grade,
        ulps=off if not math.isnan(off) else math.inf if broken[worst] else 0.0,
        worst=worst,
        pattern=pattern,
    )


def _quotient(error: Floats, unit: Floats) -> Floats:
    """error / unit where an error of zero is zero whatever the unit, and any error without a unit is infinite."""
    return np.where(error == 0.0, 0.0, error / unit)


def _grade(excess: Floats, ratio: Floats, target: Target, fmt: FloatFormat, budget: float) -> str:
    """The best grade whose figure is within the budget everywhere; what is nan has no error there."""
    if not (_quotient(excess, fmt.eps * np.abs(target.hi)) > budget).any():
        return "A"
    if not (ratio > budget).any():
        return "B"
    normwise = _quotient(excess, fmt.eps * (target.error_scale + target.magnitude * (target.error_scale > 0)))
    return "F" if (normwise > budget).any() else "C"


def _pattern_sentence(got: Floats, truth: Floats, broken: NDArray[np.bool_]) -> str:
    index = tuple(int(i) for i in np.argwhere(broken)[0]) if got.ndim else ()
    place = f" at {list(index)}" if index else ""
    count = int(broken.sum())
    more = f" and {count - 1} more of {got.size}" if count > 1 else ""
    return f"{_word(got[index])} where the truth is {_word(truth[index])}{place}{more}"


def _word(value: Any) -> str:
    return repr(float(value))
