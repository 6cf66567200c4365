"""Losses of probabilities: −Σ a_j ln p_j, with the conventions that act on p before or on the logarithm.

Limits: ln 0 = −inf; a term whose weight is 0 is 0 whatever its logarithm.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from reference.numbers import Number, vanishing

N = TypeVar("N", bound=Number)


@dataclass(frozen=True, eq=False)
class Logarithms(Generic[N]):
    """−ln of probabilities as a convention computes it, and the way back for gradients."""

    negative_logs: N
    pull_back: Callable[[N], N]
    """From weights a_j (the derivative wrt −ln) to the gradient wrt the probabilities given."""


def logarithms(p: N, convention: Mapping[str, Any]) -> Logarithms[N]:
    """−log p_j along the last axis under a convention; the transformations of p apply in the order given."""
    backward: list[Callable[[N], N]] = []
    for name, parameter in convention.items():
        if name == "clip":
            p, step = clipped(p, parameter)
            backward.append(step)
        elif name == "renormalize" and parameter:
            p, step = _renormalize(p)
            backward.append(step)
    inside = p
    if "add_inside_log" in convention:
        inside = p + p.constant(float(convention["add_inside_log"]))
    negative_logs = -inside.log()
    counted = np.ones(inside.shape, dtype=bool)
    if "log_clamp" in convention:
        limit = inside.zeros() + inside.constant(-float(convention["log_clamp"]))
        counted = ~limit.below(negative_logs)
        negative_logs = negative_logs.where(counted, limit)
    scale = None
    if "base" in convention:
        scale = inside.constant(float(convention["base"])).log()
        negative_logs = negative_logs / scale

    def pull_back(a: N) -> N:
        gradient = vanishing(a, -(a / inside))
        gradient = gradient.where(counted, gradient.zeros())
        if scale is not None:
            gradient = gradient / scale
        for step in reversed(backward):
            gradient = step(gradient)
        return gradient

    return Logarithms(negative_logs, pull_back)


def clipped(p: N, parameter: Any) -> tuple[N, Callable[[N], N]]:
    """p within [ε, 1 − ε] or [lower, upper], and the way back for gradients: 0 outside."""
    low, high = (parameter, 1.0 - parameter) if isinstance(parameter, int | float) else parameter
    lower, upper = p.zeros() + p.constant(float(low)), p.zeros() + p.constant(float(high))
    below, above = p.below(lower), upper.below(p)
    inside = ~(below | above)
    return lower.where(below, upper.where(above, p)), lambda g: g.where(inside, g.zeros())


def _renormalize(p: N) -> tuple[N, Callable[[N], N]]:
    total = p.sum().column()
    normal = p / total
    return normal, lambda g: (g - vanishing(normal, g * normal).sum().column()) / total


def expectation(a: N, negative_logs: N) -> N:
    """Σ_j a_j (−ln p_j), one per row."""
    return vanishing(a, a * negative_logs).sum()
