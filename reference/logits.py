"""What is done to logits before anything else: scaled, capped, and of their classes some do not count.

In this order: y = x · `logit_scale`; then z = c tanh(y / c) for a `softcap` c; then z = −inf where the class does not
count by the `class_mask`. Such a class has no mass, no gradient and no share in smoothing, whatever its logit is.

    ∂z/∂x   = s sech²(y / c)                   sech² u = 4 e^{−2|u|} / (1 + e^{−2|u|})², never 1 − tanh² u
    ∂²z/∂x² = −2 s²/c tanh(y / c) sech²(y / c)

with tanh |u| = −expm1(−2|u|) / (2 + expm1(−2|u|)), where nothing cancels. Limits: an infinite logit is ±c under a cap.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reference import arguments
from reference.numbers import vanishing
from reference.problem import Problem


@dataclass(frozen=True, eq=False)
class Transformed:
    """Some rows of logits as the loss sees them, classes last."""

    z: Any
    slope: Any | None
    """∂z/∂x, broadcastable to z; None where it is 1."""
    bend: Any | None
    """∂²z/∂x², of the shape of z; None where it is 0 everywhere."""
    counting: NDArray[np.bool_] | None
    """Which classes count; None: all."""

    def pull_back(self, g: Any) -> Any:
        """From the gradient with respect to z that with respect to x."""
        return self._masked(g if self.slope is None else vanishing(g, g * self.slope))

    def push(self, v: Any) -> Any:
        """From a direction of x that of z."""
        return v if self.slope is None else v * self.slope

    def pull_back_twice(self, g: Any, product: Any, v: Any) -> Any:
        """From the gradient g with respect to z and the product of the Hessian there with the pushed v, the product of
        the Hessian with respect to x with v."""
        pulled = self.pull_back(product)
        return pulled if self.bend is None else pulled + self._masked(vanishing(g, g * self.bend * v))

    def _masked(self, number: Any) -> Any:
        return number if self.counting is None else number.where(self.counting, number.zeros())


@dataclass(frozen=True, eq=False)
class Transformation:
    """The options of logits of a problem."""

    make: Any
    scale: float
    cap: float | None
    mask: NDArray[np.bool_] | None
    """One row for all rows, or one per row; None: all classes count."""

    def __call__(self, x: Any, rows: slice) -> Transformed:
        """Some rows of logits, classes last."""
        z, slope, bend = x, None, None
        scale = self.make(self.scale)
        if self.scale != 1.0:
            z, slope = x * scale, scale
        if self.cap is not None:
            cap = self.make(self.cap)
            tanh, sech_squared = _hyperbolic(z / cap)
            z, slope = cap * tanh, scale * sech_squared
            bend = -(scale * scale * z.constant(2.0) / cap * tanh * sech_squared)
        counting = None
        if self.mask is not None:
            counting = np.broadcast_to(self.mask if self.mask.shape[0] == 1 else self.mask[rows], z.shape)
            z = z.where(counting, z.zeros() + z.constant(-np.inf))
        return Transformed(z, slope, bend, counting)


def _hyperbolic(u: Any) -> tuple[Any, Any]:
    """tanh u and sech² u."""
    positive = ~u.negative()
    one, two = u.constant(1.0), u.constant(2.0)
    twice = -(two * u.where(positive, -u))
    less = twice.expm1()
    tanh = -(less / (two + less))
    e = twice.exp()
    sum_ = one + e
    return tanh.where(positive, -tanh), u.constant(4.0) * e / (sum_ * sum_)


def transformation(problem: Problem, rows: tuple[int, ...], classes: int, axis: int) -> Transformation:
    """The checked options of the logits of a problem; `axis` is where a mask of all logits has its classes."""
    options = problem.options
    cap = options.get("softcap")
    mask = None
    if "class_mask" in options:
        mask = arguments.class_mask(options["class_mask"], rows, classes, axis)
    scale = float(options.get("logit_scale", 1.0))
    return Transformation(problem.make, scale, None if cap is None else float(cap), mask)
