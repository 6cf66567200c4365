"""The losses people train with, in plain floating point, fast: rows in blocks that stay in the processor's cache.

`evaluate_plain` walks through memory once per operation; here all operations are done on one block of rows before the
next block is touched, so that memory is read once. Formulas without cancellation, as everywhere in this package: with M
the largest logit of a row and S = Σ_{j≠t} e^{x_j − M},

    loss = log1p(S)                          where the target has the largest logit (its own term is e⁰ = 1),
    loss = (M − x_t) + log(S + e^{x_t − M})  elsewhere,
    ∂loss/∂x_j = e^{x_j − M} / Z for j ≠ t, and −S / Z for the target, with Z = S + e^{x_t − M}.

Only plain cases are covered: float32 and float64, numbers that are finite where it matters, no weights. For all others
the functions return None, and the caller evaluates them the other way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

BLOCK_BYTES = 2**18
"""Bytes of one block. Measured on 1 MB of second-level cache: from 2^17 to 2^19 the time is flat, twice as many costs
a fifth more, and below 2^16 the interpreter's own time shows."""

Numbers = NDArray[Any]
Empty = Callable[[tuple[int, ...], Any], Numbers]
"""Makes an array of a shape and a type, whatever is in it."""


@dataclass(frozen=True, eq=False)
class Blocked:
    """The value, and the gradient with respect to the logits where it was asked for."""

    value: Numbers
    gradient: Numbers | None


def evaluate_blocked(
    loss: str,
    inputs: Mapping[str, Any],
    options: Mapping[str, Any],
    *,
    gradient: bool,
    cotangent: Any = None,
    empty: Empty = np.empty,
) -> Blocked | None:
    """The value of `loss` (and its gradient by the logits), or None where blocks do not cover the call.

    Inputs and options are those of `evaluate`; `cotangent` has the shape of the value. `empty` makes
    the arrays of the size of the logits that are returned.
    """
    logits = np.asarray(inputs.get("logits"))
    plain = logits.dtype in (np.float32, np.float64) and logits.flags.c_contiguous and logits.size > 0
    if loss in ("softmax", "log_softmax") and plain and not gradient:
        with np.errstate(all="ignore"):
            return _activation(loss, logits, options, empty)
    if loss not in ("softmax_cross_entropy", "binary_cross_entropy_with_logits"):
        return None
    if not plain or not set(options) <= {"reduction", "denominator", "axis"}:
        return None
    if options.get("reduction") not in ("none", "sum", "mean") or options.get("denominator") == "weights":
        return None
    with np.errstate(all="ignore"):
        if loss == "softmax_cross_entropy":
            return _softmax(logits, np.asarray(inputs["targets"]), options, cotangent, empty if gradient else None)
        return _binary(logits, np.asarray(inputs["targets"]), options, cotangent, empty if gradient else None)


def _softmax(
    logits: Numbers, labels: Numbers, options: Mapping[str, Any], cotangent: Any, empty: Empty | None
) -> Blocked | None:
    if logits.ndim < 2 or options.get("axis", -1) not in (-1, logits.ndim - 1):
        return None
    if labels.dtype.kind not in "iu" or labels.shape != logits.shape[:-1]:
        return None
    classes = logits.shape[-1]
    if labels.min() < 0 or labels.max() >= classes:
        return None
    rows, targets = logits.reshape(-1, classes), labels.reshape(-1)
    count = len(rows)
    numbers = np.arange(count)
    of_target = rows[numbers, targets]
    largest, others = np.empty(count, logits.dtype), np.empty(count, logits.dtype)
    gradient = None if empty is None else empty(rows.shape, rows.dtype)
    weights = weights_of(options, cotangent, labels.shape, logits.dtype)
    per_block = max(1, BLOCK_BYTES // (classes * logits.itemsize))
    spare = np.empty((min(per_block, count), classes), logits.dtype)
    for block in _blocks(count, per_block):
        x, t = rows[block], targets[block]
        e = spare[: len(x)] if gradient is None else gradient[block]
        spot = (numbers[: len(x)], t)
        largest[block] = _largest(x)
        np.subtract(x, largest[block, None], out=e)
        np.exp(e, out=e)
        e[spot] = 0
        np.add.reduce(e, axis=1, out=others[block])
        if gradient is not None:
            scale = weights[block] / (others[block] + np.exp(of_target[block] - largest[block]))
            e *= scale[:, None]
            e[spot] = -others[block] * scale
    distance = largest - of_target
    losses = np.where(distance == 0, np.log1p(others), distance + np.log(others + np.exp(-distance)))
    if np.isnan(losses).any() or not np.isfinite(largest).all():
        return None  # what is not finite has limits of its own
    return Blocked(reduced(losses.reshape(labels.shape), options), _shaped(gradient, logits.shape))


def _activation(loss: str, logits: Numbers, options: Mapping[str, Any], empty: Empty) -> Blocked | None:
    """e^{d_j} / Σ e^{d_k}, or d_j − log Σ e^{d_k}, with d = x − M."""
    if logits.ndim < 1 or options.get("axis", -1) not in (-1, logits.ndim - 1):
        return None
    classes = logits.shape[-1]
    rows = logits.reshape(-1, classes)
    found = empty(rows.shape, rows.dtype)
    per_block = max(1, BLOCK_BYTES // (classes * logits.itemsize))
    spare = np.empty((min(per_block, len(rows)), classes), logits.dtype)
    for block in _blocks(len(rows), per_block):
        x, out = rows[block], found[block]
        largest = _largest(x)
        if not np.isfinite(largest).all():
            return None
        np.subtract(x, largest[:, None], out=out)
        e = np.exp(out, out=out if loss == "softmax" else spare[: len(x)])
        total = e.sum(axis=1, keepdims=True)
        if np.isnan(total).any():
            return None
        if loss == "softmax":
            out /= total
        else:
            out -= np.log(total)
    return Blocked(found.reshape(logits.shape), None)


def _largest(rows: Numbers) -> Numbers:
    """The largest number of each row; of nan something that is not finite, or that makes the sum of the row nan.

    The bits of floats that are not negative are ordered as integers are, and integers are compared faster. A row whose
    largest integer is negative holds negative numbers only, whose order is the reverse.
    """
    integers = rows.view(np.int32 if rows.dtype == np.float32 else np.int64).max(axis=1)
    largest: Numbers = integers.view(rows.dtype)
    if integers.min() < 0:
        negative = integers < 0
        largest[negative] = rows[negative].max(axis=1)
    return largest


def _binary(
    logits: Numbers, targets: Numbers, options: Mapping[str, Any], cotangent: Any, empty: Empty | None
) -> Blocked | None:
    """|z|·w + log1p(u) with u = e^{−|z|} and w = 1 − y where z ≥ 0, else y.

    The gradient is ((1 − y)·a − y·b) / (1 + u) with {a, b} = {1, u}, a = 1 where z ≥ 0.
    """
    if "axis" in options or targets.dtype != logits.dtype or targets.shape != logits.shape:
        return None
    if not targets.flags.c_contiguous or not (targets.min() >= 0 and targets.max() <= 1):
        return None
    z, y = logits.reshape(-1), targets.reshape(-1)
    losses = np.empty_like(z)
    gradient = None if empty is None else empty(z.shape, z.dtype)
    weights = weights_of(options, cotangent, logits.shape, logits.dtype)
    for block in _blocks(len(z), BLOCK_BYTES // (4 * logits.itemsize)):  # four arrays of a block are in use at once
        x, t = z[block], y[block]
        u = np.exp(-np.abs(x))
        whole = 1 + u
        # log1p(u) = u · log(w) / (w − 1) for w = 1 + u as rounded, and u where w is 1 (Kahan): NumPy's logarithm is
        # vectorised, its log1p is not.
        tail = np.where(whole == 1, u, np.log(whole) * (u / (whole - 1)))
        positive = x >= 0
        losses[block] = np.abs(x) * np.where(positive, 1 - t, t) + tail  # |z| times the probability of the other
        if not np.isfinite(losses[block]).all():
            return None
        if gradient is not None:
            for_one, for_zero = np.where(positive, u, 1), np.where(positive, 1, u)
            gradient[block] = ((1 - t) * for_zero - t * for_one) / whole * weights[block]
    return Blocked(reduced(losses.reshape(logits.shape), options), _shaped(gradient, logits.shape))


def _blocks(count: int, size: int) -> Iterator[slice]:
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))


def weights_of(options: Mapping[str, Any], cotangent: Any, shape: tuple[int, ...], dtype: Any) -> Numbers:
    """What each unreduced loss is multiplied with in what is differentiated, one after the other."""
    count = int(np.prod(shape))
    given = np.asarray(1 if cotangent is None else cotangent, dtype)
    if options["reduction"] == "mean":
        given = given / dtype.type(count)
    return np.broadcast_to(given, shape).reshape(-1)


def reduced(losses: Numbers, options: Mapping[str, Any]) -> Numbers:
    """The losses, their sum or their mean."""
    if options["reduction"] == "none":
        return losses
    total = losses.sum()
    return np.asarray(total / losses.dtype.type(losses.size) if options["reduction"] == "mean" else total)


def _shaped(gradient: Numbers | None, shape: tuple[int, ...]) -> Numbers | None:
    return None if gradient is None else gradient.reshape(shape)
