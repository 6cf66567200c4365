"""The last linear layer and its loss in plain floating point, fast: a matrix product for some rows, then their loss.

With H the hidden states, W the weight and b the bias, the logits are X = H·W + b. All at once they would be by far the
largest array there is; here some rows of them exist at a time. With G = ∂loss/∂X of those rows,

    ∂loss/∂H = G·Wᵀ,    ∂loss/∂W = Σ Hᵀ·G,    ∂loss/∂b = Σ G over the rows.

The losses and G of some rows are those of `evaluate_blocked`, whose conditions hold here too: where they do not, the
function returns None.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from reference.blocked import Numbers, evaluate_blocked, reduced, weights_of

LOGIT_BYTES = 2**24
"""Bytes of logits that exist at once: at a vocabulary of 32,000 more than a hundred rows, which is enough for a matrix
product to run at full speed, and half of a last-level cache."""


@dataclass(frozen=True, eq=False)
class BlockedLinear:
    """The value, and the gradients asked for by the name of their input."""

    value: Numbers
    gradients: Mapping[str, Numbers]


def evaluate_linear_blocked(
    inputs: Mapping[str, Any],
    options: Mapping[str, Any],
    *,
    differentiate: Collection[str],
    cotangent: Any = None,
) -> BlockedLinear | None:
    """The value of `linear_cross_entropy` and its gradients, or None where blocks do not cover the call.

    Inputs and options are those of `evaluate`: hidden (…, d), weight (d, C), perhaps bias (C), targets (…) that are
    labels. `cotangent` has the shape of the value.
    """
    hidden, weight, labels = (np.asarray(inputs[name]) for name in ("hidden", "weight", "targets"))
    bias = None if inputs.get("bias") is None else np.asarray(inputs["bias"])
    differentiable = {"hidden": hidden, "weight": weight} | ({} if bias is None else {"bias": bias})
    if hidden.dtype not in (np.float32, np.float64) or {a.dtype for a in differentiable.values()} != {hidden.dtype}:
        return None
    if not set(options) <= {"reduction", "denominator"} or options.get("denominator") == "weights":
        return None
    if options.get("reduction") not in ("none", "sum", "mean") or not set(differentiate) <= set(differentiable):
        return None
    if hidden.ndim < 1 or weight.ndim != 2 or hidden.shape[-1] != weight.shape[0] or hidden.size * weight.size == 0:
        return None
    if labels.dtype.kind not in "iu" or labels.shape != hidden.shape[:-1]:
        return None
    if bias is not None and bias.shape != weight.shape[1:]:
        return None
    rows, targets = hidden.reshape(-1, hidden.shape[-1]), labels.reshape(-1)
    upstream = weights_of(options, cotangent, labels.shape, hidden.dtype)
    losses = np.empty(len(rows), hidden.dtype)
    gradients = {name: np.zeros(differentiable[name].shape, hidden.dtype) for name in differentiate}
    size = max(1, LOGIT_BYTES // (weight.shape[1] * hidden.itemsize))
    with np.errstate(all="ignore"):
        for block in (slice(start, start + size) for start in range(0, len(rows), size)):
            logits = rows[block] @ weight
            if bias is not None:
                logits += bias
            some = evaluate_blocked(
                "softmax_cross_entropy",
                {"logits": logits, "targets": targets[block]},
                {"reduction": "none"},
                gradient=bool(gradients),
                cotangent=upstream[block],
            )
            if some is None:
                return None
            losses[block] = some.value
            if some.gradient is not None:
                _add(gradients, block, some.gradient, rows, weight)
    return BlockedLinear(reduced(losses.reshape(labels.shape), options), gradients)


def _add(gradients: Mapping[str, Numbers], block: slice, of_logits: Numbers, rows: Numbers, weight: Numbers) -> None:
    """What a block of rows brings to each gradient."""
    if "hidden" in gradients:
        np.matmul(of_logits, weight.T, out=gradients["hidden"].reshape(rows.shape)[block])
    if "weight" in gradients:
        gradients["weight"][...] += rows[block].T @ of_logits
    if "bias" in gradients:
        gradients["bias"][...] += of_logits.sum(axis=0)
