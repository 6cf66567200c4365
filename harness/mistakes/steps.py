"""The steps of the losses that go wrong in practice, each of them right here.

A known-bad implementation replaces one step of `Steps` and leaves the rest right. Everything is computed in NumPy's
widest float and rounded once at the end, so that what the harness finds in a mutant is its mistake and nothing else.

Class losses work on rows (R, C), the classes last. With F_j(x) the penalty of class j and a_j its coefficient
(target probability × class weight × sample weight, 0 where the row is ignored), a row's loss is Σ_j a_j F_j.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.adapters.base import Answer, Call
from harness.adapters.micro_batches import Evaluate, accumulated
from harness.core.call import default_denominator

Wide = NDArray[Any]
"""Numbers in `WIDE`."""
WIDE = np.longdouble


@dataclass(frozen=True, eq=False)
class Batch:
    """What a reduction needs to know of a batch of unreduced losses."""

    losses: Wide
    weights: Wide
    """The weight of each loss where a mean divides by weights."""
    kept: NDArray[np.bool_]
    """False where a loss is ignored."""
    terms: int
    """How many numbers one loss was summed from: the number of classes, or 1."""


def scalar(value: Any) -> Wide:
    return np.asarray(value, dtype=WIDE)


def as_given(call: Call) -> Call:
    return call


def as_answered(call: Call, answer: Answer) -> Answer:  # noqa: ARG001 - the shape of the step
    return answer


def times(a: Wide, b: Wide) -> Wide:
    """a · b, and 0 where a is 0, whatever b: what does not count, counts nothing."""
    return np.where(a == 0, WIDE(0), a * b)


def natural(call: Call, p: Wide) -> Wide:  # noqa: ARG001
    return np.log(p)


def reciprocal(call: Call, p: Wide) -> Wide:  # noqa: ARG001
    """The derivative of ln p."""
    return 1 / p


def counting(call: Call, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Which classes of each row count, classes last."""
    mask = call.options.get("class_mask")
    if mask is None:
        return np.ones(shape, dtype=bool)
    kept = mask.storage.astype(bool)
    if kept.shape != shape[-1:]:
        kept = np.moveaxis(kept, int(call.options.get("axis", -1)), -1)
    return np.broadcast_to(kept, shape)


def transformed(call: Call, x: Wide) -> tuple[Wide, Wide, Wide]:
    """z, ∂z/∂x and ∂²z/∂x²: the logits scaled, capped, and without the classes that do not count."""
    s, cap = WIDE(call.options.get("logit_scale", 1)), call.options.get("softcap")
    z, slope, bend = s * x, np.full_like(x, s), np.zeros_like(x)
    if cap is not None:
        c = WIDE(cap)
        t, sech_squared = np.tanh(z / c), np.cosh(z / c) ** -2
        z, slope, bend = c * t, s * sech_squared, -2 * s**2 / c * t * sech_squared
    kept = counting(call, x.shape)
    return np.where(kept, z, -np.inf), np.where(kept, slope, 0), np.where(kept, bend, 0)


def log_sum_exp(z: Wide, L: Wide) -> Wide:
    """ln Σ e^z of each row, from the largest and its −ln p."""
    top = z.argmax(axis=-1)[..., None]
    return (np.take_along_axis(z, top, axis=-1) + np.take_along_axis(L, top, axis=-1))[..., 0]


def penalty_factor(call: Call, row_weights: Wide) -> Wide:
    """What the squared logsumexp of each row is multiplied with: λ times the row's sample weight."""
    return WIDE(call.options.get("z_loss", 0)) * row_weights


def squared(lse: Wide) -> tuple[Wide, Wide]:
    """lse² and its derivative."""
    return lse**2, 2 * lse


def negative_log_softmax(call: Call, x: Wide) -> tuple[Wide, Wide]:  # noqa: ARG001
    """−ln p and p of each row: with d = x − max and S = Σ e^d over all but the largest, −ln p_j = log1p(S) − d_j."""
    top = x.argmax(axis=-1)[..., None]
    d = x - np.take_along_axis(x, top, axis=-1)
    d = d + 0 * np.take_along_axis(d, top, axis=-1)  # inf − inf at the largest makes the whole row undefined
    e = np.exp(d)
    rest = e.copy()
    np.put_along_axis(rest, top, WIDE(0), axis=-1)
    S = rest.sum(axis=-1, keepdims=True)
    return np.log1p(S) - d, e / (1 + S)


def pull_back(a: Wide, p: Wide) -> Wide:
    """From a_j = ∂loss/∂(−ln p_j) to ∂loss/∂x: p_j Σ_{k≠j} a_k − a_j Σ_{k≠j} p_k, where nothing cancels."""
    others = np.where(p > 0.5, p.sum(axis=-1, keepdims=True) - p, 1 - p)
    top = p.argmax(axis=-1)[..., None] if p.shape[-1] else np.zeros((*p.shape[:-1], 0), dtype=np.intp)
    rest = p.copy()
    np.put_along_axis(rest, top, WIDE(0), axis=-1)
    np.put_along_axis(others, top, rest.sum(axis=-1, keepdims=True), axis=-1)
    return p * (a.sum(axis=-1, keepdims=True) - a) - a * others


def one_hot(labels: NDArray[Any], classes: int) -> Wide:
    """A row of C for each label; a label outside 0 … C − 1 has no row."""
    if labels.size and (labels.min() < 0 or labels.max() >= classes):
        raise IndexError(f"label {labels.min()} or {labels.max()} is out of range for {classes} classes")
    hot = np.zeros((*labels.shape, classes), dtype=WIDE)
    np.put_along_axis(hot, labels[..., None].astype(np.intp), WIDE(1), axis=-1)
    return hot


def kept_rows(labels: NDArray[Any], ignored: Any) -> NDArray[np.bool_]:
    return np.ones(labels.shape, dtype=bool) if ignored is None else np.asarray(labels != ignored)


def smoothed(q: Wide, smoothing: float) -> Wide:
    """(1 − ε) q + ε/C."""
    return (1 - WIDE(smoothing)) * q + WIDE(smoothing) / q.shape[-1] if smoothing else q


def smoothed_among(q: Wide, smoothing: float, kept: NDArray[np.bool_]) -> Wide:
    """(1 − ε) q + ε/K for the K classes that count, where some do not."""
    share = WIDE(smoothing) / np.maximum(kept.sum(axis=-1, keepdims=True), 1)
    return (1 - WIDE(smoothing)) * q + share * kept


def smoothed_binary(t: Wide, smoothing: float) -> Wide:
    """(1 − ε) t + ε/2."""
    return (1 - WIDE(smoothing)) * t + WIDE(smoothing) / 2 if smoothing else t


def focal(L: Wide, p: Wide, gamma: float) -> tuple[Wide, Wide]:
    """(1 − p)^γ · L with L = −ln p, and its derivative with respect to L, (1 − p)^γ (1 + γ p L/(1 − p))."""
    if gamma == 0:
        return L, np.ones_like(L)
    q = -np.expm1(-L)
    ratio = np.where(q == 0, 1, times(p, L) / q)  # L/(1 − p) tends to 1 as p does
    return times(q**gamma, L), q**gamma * (1 + gamma * ratio)


def focal_bend(L: Wide, p: Wide, gamma: float) -> Wide:
    """The second derivative of (1 − p)^γ · L with respect to L."""
    q = -np.expm1(-L)
    ratio = np.where(q == 0, 1, times(p, L) / q)
    inner = 2 * p - times(p, L) + (gamma - 1) * p * ratio
    return np.where((q == 0) | (gamma == 0), 0, gamma * q ** (gamma - 1) * inner)


def sides(call: Call, z: Wide) -> tuple[Wide, Wide]:  # noqa: ARG001
    """−ln σ(z) and −ln σ(−z)."""
    tail = np.log1p(np.exp(-np.abs(z)))
    return np.maximum(-z, 0) + tail, np.maximum(z, 0) + tail


def sigmoid(z: Wide) -> Wide:
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1, e) / (1 + e)


def divisor(call: Call, batch: Batch) -> Wide:
    """What a mean divides by."""
    if call.options["reduction"] == "batchmean":
        return scalar(batch.losses.shape[0] if batch.losses.ndim else 1)
    match call.options.get("denominator", default_denominator(call.options)):
        case float() | int() as given:
            return scalar(given)
        case "weights":
            return scalar(np.sum(batch.weights))
        case "valid":
            return scalar(np.count_nonzero(batch.kept))
        case _:
            return scalar(batch.losses.size)


def reduced(call: Call, batch: Batch, d: Wide) -> Wide:
    match call.options["reduction"]:
        case "none":
            return batch.losses
        case "sum":
            return np.sum(batch.losses)
        case "mean" | "batchmean":
            return np.sum(batch.losses) / d
        case other:
            raise ValueError(f"invalid reduction {other!r}")


def upstream(call: Call, batch: Batch, d: Wide) -> Wide:
    """∂result/∂(each loss) times the cotangent, in the shape of the unreduced losses."""
    given = WIDE(1) if call.cotangent is None else call.cotangent.to_float64().astype(WIDE)
    scale = given / d if call.options["reduction"] in ("mean", "batchmean") else given
    return np.broadcast_to(scale, batch.losses.shape).astype(WIDE)


def centred(p: Wide, u: Wide) -> Wide:
    """u_j − Σ_k p_k u_k, where what has no mass says nothing."""
    return u - times(p, u).sum(axis=-1, keepdims=True)


def mixture(p: Wide, q: Wide, beta: Wide) -> Wide:
    """m of a Jensen–Shannon divergence."""
    return beta * p + (1 - beta) * q


def checked_probabilities(p: Wide) -> None:
    if ((p < 0) | (p > 1)).any():
        raise ValueError("probabilities must lie between 0 and 1")


def softmax_slope(p: Wide, u: Wide) -> Wide:
    return p * (u - (u * p).sum(axis=-1, keepdims=True))


def log_softmax_slope(p: Wide, u: Wide) -> Wide:
    return u - p * u.sum(axis=-1, keepdims=True)


def curvature_along(p: Wide, a: Wide, v: Wide) -> Wide:
    """From a_j = ∂loss/∂(−ln p_j) to the Hessian with respect to x times v, Σ_k a_k · p_j Σ_k p_k (v_j − v_k)."""
    apart = v[..., :, None] - v[..., None, :]
    return a.sum(axis=-1, keepdims=True) * p * (p[..., None, :] * apart).sum(axis=-1)


def sigmoid_slope(z: Wide) -> Wide:
    """σ′(z) = σ(z) σ(−z)."""
    return sigmoid(z) * sigmoid(-z)


def log_curvature(p: Wide) -> Wide:
    """−(ln p)″ = 1/p²."""
    return 1 / p**2


def alphas(alpha: Any) -> tuple[Any, Any]:
    """The weights of the positive and the negative side."""
    return (1, 1) if alpha is None else (WIDE(alpha), 1 - WIDE(alpha))


@dataclass(frozen=True)
class Steps:
    """The steps of the losses; each default is right."""

    prepare: Callable[[Call], Call] = as_given
    negative_log_softmax: Callable[[Call, Wide], tuple[Wide, Wide]] = negative_log_softmax
    pull_back: Callable[[Wide, Wide], Wide] = pull_back
    log: Callable[[Call, Wide], Wide] = natural
    log_slope: Callable[[Call, Wide], Wide] = reciprocal
    times: Callable[[Wide, Wide], Wide] = times
    one_hot: Callable[[NDArray[Any], int], Wide] = one_hot
    kept_rows: Callable[[NDArray[Any], Any], NDArray[np.bool_]] = kept_rows
    transformed: Callable[[Call, Wide], tuple[Wide, Wide, Wide]] = transformed
    log_sum_exp: Callable[[Wide, Wide], Wide] = log_sum_exp
    penalty_factor: Callable[[Call, Wide], Wide] = penalty_factor
    squared: Callable[[Wide], tuple[Wide, Wide]] = squared
    smoothed: Callable[[Wide, float], Wide] = smoothed
    smoothed_among: Callable[[Wide, float, NDArray[np.bool_]], Wide] = smoothed_among
    smoothed_binary: Callable[[Wide, float], Wide] = smoothed_binary
    focal: Callable[[Wide, Wide, float], tuple[Wide, Wide]] = focal
    alphas: Callable[[Any], tuple[Any, Any]] = alphas
    sides: Callable[[Call, Wide], tuple[Wide, Wide]] = sides
    sigmoid: Callable[[Wide], Wide] = sigmoid
    softmax_slope: Callable[[Wide, Wide], Wide] = softmax_slope
    log_softmax_slope: Callable[[Wide, Wide], Wide] = log_softmax_slope
    curvature_along: Callable[[Wide, Wide, Wide], Wide] = curvature_along
    sigmoid_slope: Callable[[Wide], Wide] = sigmoid_slope
    focal_bend: Callable[[Wide, Wide, float], Wide] = focal_bend
    log_curvature: Callable[[Wide], Wide] = log_curvature
    centred: Callable[[Wide, Wide], Wide] = centred
    mixture: Callable[[Wide, Wide, Wide], Wide] = mixture
    checked_probabilities: Callable[[Wide], None] = checked_probabilities
    divisor: Callable[[Call, Batch], Wide] = divisor
    reduced: Callable[[Call, Batch, Wide], Wide] = reduced
    upstream: Callable[[Call, Batch, Wide], Wide] = upstream
    finish: Callable[[Call, Answer], Answer] = as_answered
    accumulated: Callable[[Call, Evaluate], Answer] = accumulated
