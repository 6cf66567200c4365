"""From one number per row to the result: none, sum, mean, batchmean, and the denominators of the mean.

The mean over nothing is 0/0 = nan (an empty batch, everything ignored, weights that sum to zero), and its gradient is
zero where no row counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from reference.arguments import ArgumentError
from reference.numbers import Number

N = TypeVar("N", bound=Number)


@dataclass(frozen=True, eq=False)
class RowWeights(Generic[N]):
    """What a mean may divide by: a weight per row, and which rows count."""

    weights: N
    """One per row, or one for all."""
    valid: NDArray[np.bool_]
    """Flat."""
    rows: tuple[int, ...]
    """The shape of the rows."""
    elements: int
    """Entries of the primary input: what a mean over N·C divides by."""
    default: str


def denominator_kind(rows: RowWeights[N], options: Mapping[str, Any], convention: Mapping[str, Any]) -> str:
    """The name of what the mean divides by, or the number that was handed in."""
    return str(convention.get("denominator", options.get("denominator") or rows.default))


def denominator(rows: RowWeights[N], options: Mapping[str, Any], convention: Mapping[str, Any]) -> N:
    """What the mean divides by, as a number."""
    kind = denominator_kind(rows, options, convention)
    given = options.get("denominator")
    count = rows.valid.size
    if options.get("reduction") == "batchmean":
        if not rows.rows:
            raise ArgumentError("reduction batchmean: expected a batch axis, got a scalar")
        return rows.weights.constant(float(rows.rows[0]))
    if given is not None and not isinstance(given, str) and "denominator" not in convention:
        return rows.weights.constant(float(given))
    match kind:
        case "count":
            return rows.weights.constant(float(count))
        case "valid":
            return rows.weights.constant(float(rows.valid.sum()))
        case "elements":
            return rows.weights.constant(float(rows.elements))
        case "one":
            return rows.weights.constant(1.0)
        case "nonzero_weights":
            return rows.weights.constant(float((rows.valid & ~rows.weights.is_zero()).sum()))
    each = rows.weights + rows.weights.constant(np.zeros(count))
    return _masked(each, rows.valid).sum()


def _masked(number: N, keep: NDArray[np.bool_]) -> N:
    return number.where(keep, number.zeros())


@dataclass(frozen=True, eq=False)
class Reduction(Generic[N]):
    """The way to the result, and what each row is multiplied with in it (for gradients)."""

    kind: str
    divisor: N | None
    zero_mean: bool

    def value(self, rows: N, shape: tuple[int, ...]) -> N:
        """The result from one number per row; `shape` is that of the rows."""
        if self.kind == "none":
            return rows.reshape(*shape)
        total = rows.sum()
        if self.divisor is None:
            return total
        mean = total / self.divisor
        return mean.zeros().where(self.divisor.is_zero(), mean) if self.zero_mean else mean

    def scale(self, one: N, cotangent: N | None) -> N:
        """∂result/∂row times the cotangent: one number, or one per row where the cotangent has one per row."""
        scaled = one if cotangent is None else cotangent
        return scaled if self.divisor is None else scaled / self.divisor


def reduction(rows: RowWeights[N], options: Mapping[str, Any], convention: Mapping[str, Any]) -> Reduction[N]:
    kind = str(options.get("reduction", "mean"))
    divides = kind in ("mean", "batchmean")
    divisor = denominator(rows, options, convention) if divides else None
    return Reduction(kind, divisor, bool(convention.get("finite_zero_mean")))
