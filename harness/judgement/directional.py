"""The derivative along a vector from a gradient: Σ g_j v_j, of exact products and rounded once. Pure."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from harness.judgement.agreement import Floats


def along(hi: Floats, lo: Floats, vector: Floats) -> tuple[float, float]:
    """Σ (hi + lo) · v as hi and lo. In a direction that does not move an element its gradient counts for nothing, even
    an infinite one, as 0 · inf = 0 inside an expectation; what is no number is none in any direction."""
    moving = (vector != 0) | np.isnan(hi)
    h, low, v = hi[moving], lo[moving], vector[moving]
    beyond = ~(np.isfinite(h) & np.isfinite(v))  # a vector may be infinite in a format that it was not written for
    if beyond.any():
        with np.errstate(invalid="ignore"):  # inf − inf is nan, which is what the sum is then
            return float(np.sum(h[beyond] * v[beyond])), 0.0
    exact = sum(
        ((Fraction(float(a)) + Fraction(float(b))) * Fraction(float(c)) for a, b, c in zip(h, low, v, strict=True)),
        Fraction(0),
    )
    try:
        nearest = float(exact)
    except OverflowError:  # beyond every number
        return (math.inf if exact > 0 else -math.inf), 0.0
    return nearest, float(exact - Fraction(nearest))
