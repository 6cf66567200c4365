"""A loss a project wrote for itself: softmax cross-entropy with integer labels, in NumPy, with its gradient."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]


def cross_entropy(logits: Floats, labels: NDArray[np.integer]) -> tuple[Floats, Floats]:
    """The loss of every row, and its gradient with respect to the logits.

    The row's largest logit is taken off first, so that nothing overflows; the logarithm of the sum of the rest is a
    log1p, so that a confident row keeps the digits of its small loss.
    """
    if logits.dtype.kind != "f":
        raise TypeError(f"logits of {logits.dtype}: expected floating-point numbers; differences of integers wrap")
    rows = np.arange(len(labels))
    top = logits.argmax(axis=-1)
    shifted = logits - logits[rows, top][:, None]
    weights = np.exp(shifted)
    weights[rows, top] = 0.0
    rest = weights.sum(axis=-1)
    losses = np.log1p(rest) - shifted[rows, labels]
    weights[rows, top] = 1.0
    gradient = weights / (1.0 + rest)[:, None]
    others = gradient.copy()
    others[rows, labels] = 0.0
    gradient[rows, labels] = -others.sum(axis=-1)
    return losses, gradient
