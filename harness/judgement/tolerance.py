"""The error scale of each loss: the size of error the mathematics itself makes unavoidable, per element of the result.

A backward stable computation in a format with unit eps cannot promise less than a few eps times these quantities,
because rounding the shifted logit x_j − M alone moves the result by them. Written with L_j = −ln p_j:

    log_softmax                      1 + L_j + ln C
    cross-entropy from logits        Σ_j |w_j q_j| (1 + L_j + ln C)       (an integer label: q is one-hot)
    softmax                          p_j (1 + L_j + ln C)
    gradient of these                |g_j| + p_j (1 + L_j + ln C) · Σ|q|
    from probabilities               Σ_j |w_j q_j| (1 + |ln p_j|), gradient 2 |w_j q_j / p_j|
    binary from logits               t (1 + softplus(−z)) w + (1 − t)(1 + softplus(z)), + t (1−t) |z| for soft t
    entropy, KL                      Σ p (1 + |ln p| + |ln q|), from logits each function says
    logsumexp                        1 + |lse| + ln C
    a reduction                      the same reduction of the absolute error scales

Second derivatives, as products with a vector v, follow from the same roundings. With r_k = 1 + L_k + ln C, rounding the
shifted logits moves p_k by eps p_k r_k, so h_j = Σ|q| p_j (v_j − Σ_k p_k v_k) is moved

    by its own rounding              |h_j|
    through the p_j outside          p_j r_j |v_j − Σ p_k v_k|  ≤  p_j r_j (|v_j| + Σ_k p_k |v_k|)
    through the mean of v            p_j Σ_k p_k r_k |v_k|

the last two times Σ|q|. The vector enters with |v_k| and not |v_k − v_j|: who differentiates the first derivative has a
p whose sum is 1 only to rounding, and a v of ones gives p_j times that. The curvature σ(z) σ(−z) (w t + 1 − t) of a
binary logit moves with the σ it is made from, as the gradient does: by (w t + 1 − t) Σ p (1 − ln p) |v|. That of a
probability, t/p² + (1 − t)/(1 − p)², rounds p or 1 − p, its square and the quotient: three times its terms, times |v|.
A divergence has the curvature of a softmax whose targets sum to one; hidden numbers that of the logits they make, along
the direction that these move in, pulled back by the weights. The categorical focal loss has besides what its factor and
the factor's derivative are off by, E_j, as the binary one has: with V_k = |v_k| + Σ p |v| and m = Σ p r |v|, a class of
weight a_j moves p_k V_k Σ a_j E_j, and its own by a_j E_j (V_j + p_j m), since 1/p_j and its derivative cancel.

Options of logits make z of x: y = s x, z = c tanh(y / c). Where s is no power of two y is rounded, which moves it by
eps |y|; under a cap y / c and z are rounded too, so that z is off by eps times

    moved_j = (moved of x · |s| + |y_j|) sech²(y_j / c) + |y_j| sech²(y_j / c) + |z_j|

(without a cap: moved of x · |s| + |y_j|). A loss that holds −ln p_j is off by moved_j + Σ_k p_k moved_k besides, and
p_j by p_j times that. A gradient with respect to x is the one with respect to z times the slope s sech²(y / c): the
first brings its own scale times the slope, and the slope, of which who keeps z makes s (1 − (z / c)²), is off by eps
s (z / c)² and its own rounding. A z-loss λ lse² has the scale λ |lse| (|lse| + 2 r) with what lse is off by, r = 1 +
|lse| + ln C + Σ_k p_k moved_k, and its gradient 2 λ (r p_j + |lse| · the scale of p_j). The second derivatives are made
of the same and move alike.

The logits, weights and probabilities are the exact bits the implementation received. Everything here is float64: an
error scale is a yardstick, its own last digits do not matter.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.core.call import default_denominator

Floats = NDArray[np.float64]
Inputs = Mapping[str, NDArray[Any]]
Options = Mapping[str, Any]
Terms = Mapping[str, Floats]


@dataclass(frozen=True, eq=False)
class ErrorScales:
    """The error scale of the value and of each gradient, in the shapes of the results."""

    value: Floats
    gradients: Mapping[str, Floats]
    terms: Mapping[str, Terms] = field(default_factory=dict)
    """What an error scale is the sum of, in the letters of the table above, by "value" or the name of the input; one
    that is no plain sum has none."""
    hessian_vector: Floats | None = None


@dataclass(frozen=True, eq=False)
class Twice:
    """What is asked of second derivatives."""

    vector: Floats
    product: Floats
    """The true product of the Hessian with the vector."""


def error_scales(
    loss: str,
    inputs: Inputs,
    options: Options,
    gradients: Mapping[str, Floats],
    cotangent: Floats | None,
    convention: Mapping[str, Any] | None = None,
    twice: Twice | None = None,
) -> ErrorScales:
    """The error scales of one loss on one input.

    `gradients` are the true gradients (their sizes enter their own error scales), and so is what `twice` holds, where
    second derivatives are asked for. Under a convention the error scale is that of the probabilities it computes with:
    a clipped zero has the error scale of ε, not the infinite one of 0.
    """
    with np.errstate(all="ignore"):
        return _FAMILIES[loss](_Subject(loss, inputs, options, gradients, cotangent, convention or {}, twice))


@dataclass(frozen=True, eq=False)
class _Subject:
    loss: str
    inputs: Inputs
    options: Options
    gradients: Mapping[str, Floats]
    cotangent: Floats | None
    convention: Mapping[str, Any]
    twice: Twice | None = None

    @property
    def axis(self) -> int:
        return int(self.options.get("axis", -1))

    def option(self, name: str) -> Floats | None:
        value = self.options.get(name)
        return None if value is None else np.asarray(value, dtype=np.float64)

    @property
    def log_base(self) -> float:
        base = self.options.get("base")
        return 1.0 if base is None else float(np.log(float(base)))

    def classes_last(self, name: str) -> Floats:
        return np.moveaxis(np.asarray(self.inputs[name], dtype=np.float64), self.axis, -1)

    def scale(self, rows: tuple[int, ...], weights: Floats) -> Floats:
        """What each element of the unreduced loss is multiplied with in the result: |cotangent| over denominator."""
        reduction = self.options.get("reduction", "mean")
        factor = np.ones(rows)
        if self.cotangent is not None:
            factor = factor * np.abs(self.cotangent)
        if reduction in ("mean", "batchmean"):
            factor = factor / _denominator(self, rows, weights)
        return np.nan_to_num(factor, nan=0.0, posinf=0.0)

    def reduced(self, terms: Floats, weights: Floats) -> Floats:
        """The error scale of the result, from that of each unreduced element."""
        reduction = self.options.get("reduction", "mean")
        if reduction == "none":
            return _tidy(terms)
        total = np.asarray(_tidy(terms).sum())
        if reduction in ("mean", "batchmean"):
            total = total / _denominator(self, terms.shape, weights)
        return _tidy(np.asarray(total))

    def reduced_each(self, terms: Terms, weights: Floats) -> dict[str, Floats]:
        """The terms of the result's error scale, from those of each unreduced element."""
        return {name: self.reduced(term, weights) for name, term in terms.items()}

    def placed(self, terms: Terms) -> dict[str, Floats]:
        """Terms with the classes last, where the input has its classes."""
        return {name: np.moveaxis(term, -1, self.axis) for name, term in terms.items()}


def _tidy(error_scale: Floats) -> Floats:
    """Undefined error scales belong to results that are nan or infinite, which are compared by pattern alone."""
    return np.nan_to_num(np.asarray(error_scale, dtype=np.float64), nan=0.0, posinf=np.finfo(np.float64).max)


def _denominator(subject: _Subject, rows: tuple[int, ...], weights: Floats) -> float:
    count = float(np.prod(rows)) if rows else 1.0
    kind = subject.options.get("denominator")
    if kind is not None and not isinstance(kind, str):
        return float(kind)
    if subject.options.get("reduction") == "batchmean":
        return float(rows[0]) if rows else 1.0
    if kind is None:
        kind = default_denominator(subject.options)
    if kind == "weights":
        return abs(float(weights.sum()))
    if kind == "valid":
        return float(_valid(subject, rows).sum())
    if kind == "nonzero_weights":
        return float((weights != 0).sum())
    if kind == "one":
        return 1.0
    if kind == "elements":
        return float(np.asarray(next(iter(subject.inputs.values()))).size)
    return count


def _valid(subject: _Subject, rows: tuple[int, ...]) -> NDArray[np.bool_]:
    ignored = subject.options.get("ignore_index")
    targets = np.asarray(subject.inputs["targets"])
    if ignored is None or targets.dtype.kind not in "iu":
        return np.ones(rows, dtype=bool)
    return np.asarray(targets != ignored).reshape(rows)


def _distribution(subject: _Subject, shape: tuple[int, ...]) -> tuple[Floats, Floats]:
    """|weights × smoothed targets| with the classes last, and the weight of each row that enters a denominator."""
    rows, classes = shape[:-1], shape[-1]
    targets = np.asarray(subject.inputs["targets"])
    class_weights = subject.option("class_weights")
    row_weights = np.ones(rows)
    if targets.dtype.kind in "iu" and targets.ndim == len(rows):
        labels = targets.reshape(rows)
        valid = _valid(subject, rows)
        inside = np.clip(np.where(valid, labels, 0), 0, max(classes - 1, 0)).astype(np.int64)
        q = ((inside[..., None] == np.arange(classes)) & valid[..., None]).astype(np.float64)
        if class_weights is not None:
            row_weights = class_weights[inside]
        row_weights = row_weights * valid
    else:
        q = np.abs(np.moveaxis(targets.astype(np.float64), subject.axis, -1))
        valid = np.ones(rows, dtype=bool)
    smoothing = float(subject.options.get("label_smoothing") or 0.0)
    if smoothing:
        counting = np.broadcast_to(True if "class_mask" not in subject.options else _counting(subject, shape), shape)
        shares = abs(smoothing) / np.maximum(counting.sum(axis=-1, keepdims=True), 1)
        q = (abs(1.0 - smoothing) * q + shares * counting) * valid[..., None]
    if class_weights is not None:
        q = q * np.abs(class_weights)
    sample_weights = subject.option("sample_weights")
    if sample_weights is not None:
        q = q * np.abs(sample_weights)[..., None]
        row_weights = row_weights * np.abs(sample_weights)
    return q, row_weights


def _log_probabilities(logits: Floats) -> Floats:
    """L_j = −ln p_j ≥ 0, rows of logits last; rows that are not finite give what they give.

    The largest adds e^0 = 1 to the sum, which stands in the logarithm of 1 + the others: of a nearly certain class,
    L is the others' sum, however small.
    """
    if logits.shape[-1] == 0:
        return np.zeros_like(logits)
    first = logits.argmax(axis=-1, keepdims=True)
    shifted = logits - np.take_along_axis(logits, first, axis=-1)
    others = np.exp(shifted)
    np.put_along_axis(others, first, 0.0, axis=-1)
    negative_logs: Floats = np.log1p(others.sum(axis=-1, keepdims=True)) - shifted
    return negative_logs


def _term(factor: Floats, size: Floats) -> Floats:
    """factor × size with 0 × inf = 0: a class that does not count has no error, whatever its logit."""
    return np.where(factor == 0.0, 0.0, factor * size)


def _spread(negative_logs: Floats) -> Floats:
    """p_j (1 + L_j + ln C): what rounding the logits moves p_j by."""
    classes = max(negative_logs.shape[-1], 1)
    p = np.exp(-negative_logs)
    return _term(p, 1.0 + negative_logs + np.log(classes))


@dataclass(frozen=True, eq=False)
class _Seen:
    """Rows of logits as a loss sees them, classes last, and what the way there costs, in units of eps."""

    L: Floats
    """−ln p of the transformed logits."""
    log_sum_exp: Floats
    """One per row, as a column."""
    moved: Floats
    """What rounding moves −ln p_j by besides what stands in its own scale."""
    slope: Floats
    """|∂z/∂x|."""
    slope_moved: Floats
    """What rounding moves it by."""
    bend: Floats
    """|∂²z/∂x²|."""

    @property
    def lift(self) -> float:
        return float(np.log(max(self.L.shape[-1], 1)))

    @property
    def of_logarithm(self) -> Floats:
        """The scale of −ln p_j."""
        return np.asarray(1.0 + self.L + self.lift + self.moved)

    @property
    def of_probability(self) -> Floats:
        """The scale of p_j."""
        return _term(np.exp(-self.L), self.of_logarithm)

    @property
    def of_sum(self) -> Floats:
        """The scale of the logsumexp: its own rounding, that of the sum, and what moves all logits together."""
        p = np.exp(-self.L)
        return np.asarray(1.0 + np.abs(self.log_sum_exp) + self.lift + _term(p, self.moved).sum(axis=-1, keepdims=True))

    @property
    def changed(self) -> bool:
        """Whether rounding the transformed logits costs anything."""
        return bool((self.moved != 0.0).any() or (self.slope_moved != 0.0).any())


def _counting(subject: _Subject, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    mask = np.asarray(subject.options["class_mask"], dtype=bool)
    return np.broadcast_to(mask if mask.shape == shape[-1:] else np.moveaxis(mask, subject.axis, -1), shape)


def _seen(subject: _Subject, x: Floats, moved: Floats | float = 0.0) -> _Seen:
    """Logits through the options of the call; `moved` is what they are off by before."""
    scale = float(subject.options.get("logit_scale", 1.0))
    cap = subject.options.get("softcap")
    exact = math.frexp(abs(scale))[0] in (0.0, 0.5)
    z = x if scale == 1.0 else scale * x
    shift = np.broadcast_to(abs(scale) * np.asarray(moved), x.shape) + (0.0 if exact else np.abs(z))
    slope, slope_moved, bend = np.full(x.shape, abs(scale)), np.zeros(x.shape), np.zeros(x.shape)
    if cap is not None:
        y, e = z, np.exp(-2.0 * np.abs(z / cap))
        t, sech_squared = np.tanh(y / cap), 4.0 * e / (1.0 + e) ** 2
        z = cap * t
        shift = _term(sech_squared, shift + np.abs(y)) + np.abs(z)
        slope_moved, slope = abs(scale) * t**2, abs(scale) * sech_squared
        bend = 2.0 * scale**2 / cap * np.abs(t) * (sech_squared + t**2)
    if "class_mask" in subject.options:
        counting = _counting(subject, x.shape)
        z = np.where(counting, z, -np.inf)
        shift, slope, slope_moved, bend = (np.where(counting, a, 0.0) for a in (shift, slope, slope_moved, bend))
    L = _log_probabilities(z)
    top = z.max(axis=-1, keepdims=True, initial=-np.inf)
    lse = top + np.min(L, axis=-1, keepdims=True, initial=np.inf)
    lost = _term(np.exp(-L), shift).sum(axis=-1, keepdims=True)
    return _Seen(L, lse, shift + lost, slope, slope_moved, bend)


def _penalty(subject: _Subject, rows: tuple[int, ...]) -> Floats:
    """λ of a z-loss times the weight of each row that counts, as a column."""
    given = subject.option("sample_weights")
    weights = np.ones(rows) if given is None else np.abs(given)
    return np.asarray(float(subject.options.get("z_loss", 0.0)) * (weights * _valid(subject, rows))[..., None])


def _softmax_cross_entropy(subject: _Subject) -> ErrorScales:
    seen = _seen(subject, subject.classes_last("logits"))
    q, weights = _distribution(subject, seen.L.shape)
    penalty = _penalty(subject, seen.L.shape[:-1])
    value, of_rows, grad = _cross_entropy_error_scales(subject, seen, q, penalty, weights)
    gradients: dict[str, Floats] = {}
    terms = {"value": of_rows}
    if "logits" in subject.gradients:
        own = np.abs(subject.gradients["logits"])
        gradients["logits"] = _tidy(own + np.moveaxis(sum(grad.values(), np.zeros_like(seen.L)), -1, subject.axis))
        terms["logits"] = {_OWN: own, **subject.placed(grad)}
    if "targets" in subject.gradients:
        gradients["targets"] = _target_error_scale(subject, seen.of_logarithm, weights)
    return ErrorScales(value, gradients, terms, _softmax_hessian_error_scale(subject, seen, q, penalty, weights))


def _softmax_hessian_error_scale(
    subject: _Subject, seen: _Seen, q: Floats, penalty: Floats, weights: Floats
) -> Floats | None:
    """|h_j| + Σ|q| [p_j r_j (|v_j| + Σ_k p_k |v_k|) + p_j Σ_k p_k r_k |v_k|], see the top of this file."""
    if subject.twice is None:
        return None
    v = np.abs(np.moveaxis(subject.twice.vector, subject.axis, -1))
    size = _hessian_of_logits(seen, q, penalty, v)
    size = size * subject.scale(seen.L.shape[:-1], weights)[..., None]
    return _tidy(np.abs(subject.twice.product) + np.moveaxis(size, -1, subject.axis))


def _hessian_of_logits(seen: _Seen, q: Floats, penalty: Floats, v: Floats) -> Floats:
    """The error scale of the product with v, |v| given, without its own rounding, of rows that are not reduced."""
    p, spread, total = np.exp(-seen.L), seen.of_probability, q.sum(axis=-1, keepdims=True)
    u = v * seen.slope

    def mean(of: Floats) -> Floats:
        return np.asarray((of * u).sum(axis=-1, keepdims=True))

    turned = spread * (u + mean(p)) + p * mean(spread)
    along = p * (u + mean(p))
    # λ lse² besides: 2 λ lse of the softmax's own, and 2 λ p Σ p u.
    lse = np.abs(seen.log_sum_exp)
    size = total * turned + _term(penalty, 2.0 * ((1.0 + lse) * turned + seen.of_sum * along))
    inner, slope = (total + _term(penalty, 2.0 * (1.0 + lse))) * along, _slope_sizes(seen, q, penalty)
    return np.asarray(size * seen.slope + inner * seen.slope_moved + v * seen.bend * (slope[0] + slope[1]))


def _slope_sizes(seen: _Seen, q: Floats, penalty: Floats) -> tuple[Floats, Floats]:
    """The size of the gradient with respect to z, and its error scale without it, of rows that are not reduced."""
    p, total, lse = np.exp(-seen.L), q.sum(axis=-1, keepdims=True), np.abs(seen.log_sum_exp)
    of_penalty = _term(penalty, 2.0 * (_term(p, seen.of_sum) + _term(seen.of_probability, lse)))
    size = np.abs(p * total - q) + _term(penalty, 2.0 * _term(p, lse))
    return size, seen.of_probability * total + of_penalty


_OWN = "|g|"
_SPREAD = "p (1 + L + ln C)"


def _of_logits(seen: _Seen, q: Floats) -> dict[str, Floats]:
    """The terms of q · (1 + L + ln C), summed over the classes, and what rounding z adds."""
    L = seen.L
    sizes = {"1": np.ones_like(L), "L": L, "ln C": np.full_like(L, seen.lift)}
    if seen.changed:
        sizes[_MOVED] = seen.moved
    return {name: _term(q, size).sum(axis=-1) for name, size in sizes.items()}


def _cross_entropy_error_scales(
    subject: _Subject, seen: _Seen, q: Floats, penalty: Floats, weights: Floats
) -> tuple[Floats, dict[str, Floats], dict[str, Floats]]:
    """Error scale of the reduced loss, its terms, and the terms of its gradient wrt the logits without |g_j| (classes
    last)."""
    of_rows = _of_logits(seen, q)
    lse = np.abs(seen.log_sum_exp)
    if "z_loss" in subject.options:
        of_rows[_Z_LOSS] = _term(penalty, lse * (lse + 2.0 * seen.of_sum))[..., 0]
    rows = sum(of_rows.values(), np.zeros(seen.L.shape[:-1]))
    scale = subject.scale(rows.shape, weights)[..., None]
    total = q.sum(axis=-1, keepdims=True)
    slope = {f"{_SPREAD} · Σ|w q|": seen.of_probability * total * scale * seen.slope}
    size, whole = _slope_sizes(seen, q, penalty)
    if "z_loss" in subject.options:
        slope[_Z_LOSS] = (whole - seen.of_probability * total) * scale * seen.slope
    if "softcap" in subject.options:
        slope[_SLOPE] = size * scale * seen.slope_moved
    return subject.reduced(rows, weights), subject.reduced_each(of_rows, weights), slope


_MOVED = "what rounding z costs"
_Z_LOSS = "λ |lse| (|lse| + 2 r)"
_SLOPE = "|g of z| s (z/c)²"


def _target_error_scale(subject: _Subject, size: Floats, weights: Floats) -> Floats:
    """Error scale of the gradient wrt distributions: each entry is a (smoothed, weighted) −ln p_j."""
    scale = subject.scale(size.shape[:-1], weights)
    for name in ("sample_weights",):
        option = subject.option(name)
        if option is not None:
            scale = scale * np.abs(option)
    class_weights = subject.option("class_weights")
    sized = size if class_weights is None else size * np.abs(class_weights)
    return _tidy(np.moveaxis(sized * scale[..., None], -1, subject.axis))


def _log_softmax(subject: _Subject) -> ErrorScales:
    seen = _seen(subject, subject.classes_last("logits"))
    L = seen.L
    sizes = {"1": np.ones_like(L), "L": L, "ln C": np.full_like(L, seen.lift)}
    if seen.changed:
        sizes[_MOVED] = seen.moved
    gradients: dict[str, Floats] = {}
    terms = {"value": subject.placed(sizes)}
    if "logits" in subject.gradients:
        u = np.abs(_cotangent_like(subject, L))
        pull = u.sum(axis=-1, keepdims=True)
        grad = {f"{_SPREAD} · Σ|u|": seen.of_probability * pull * seen.slope}
        if "softcap" in subject.options:
            grad[_SLOPE] = (u + np.exp(-L) * pull) * seen.slope_moved
        gradients["logits"], terms["logits"] = _of_function(subject, grad)
    return ErrorScales(_tidy(np.moveaxis(seen.of_logarithm, -1, subject.axis)), gradients, terms)


def _softmax(subject: _Subject) -> ErrorScales:
    seen = _seen(subject, subject.classes_last("logits"))
    spread = seen.of_probability
    gradients: dict[str, Floats] = {}
    terms = {"value": subject.placed({_SPREAD: spread})}
    if "logits" in subject.gradients:
        u, p = np.abs(_cotangent_like(subject, seen.L)), np.exp(-seen.L)
        grad = {f"{_SPREAD} · (|u| + Σ|u| p)": spread * (u + (u * spread).sum(axis=-1, keepdims=True)) * seen.slope}
        if "softcap" in subject.options:
            grad[_SLOPE] = p * (u + (u * p).sum(axis=-1, keepdims=True)) * seen.slope_moved
        gradients["logits"], terms["logits"] = _of_function(subject, grad)
    return ErrorScales(_tidy(np.moveaxis(spread, -1, subject.axis)), gradients, terms)


def _of_function(subject: _Subject, grad: Terms) -> tuple[Floats, dict[str, Floats]]:
    """The error scale of the gradient of an activation, and its terms: these and its own size."""
    own = np.abs(subject.gradients["logits"])
    placed = subject.placed(grad)
    return _tidy(sum(placed.values(), own)), {_OWN: own, **placed}


def _cotangent_like(subject: _Subject, classes_last: Floats) -> Floats:
    if subject.cotangent is None:
        return np.ones_like(classes_last)
    return np.moveaxis(subject.cotangent, subject.axis, -1)


def _transformed(subject: _Subject, p: Floats) -> Floats:
    """The probabilities the convention computes with, classes last."""
    for name, parameter in subject.convention.items():
        if name == "clip":
            low, high = (parameter, 1.0 - parameter) if isinstance(parameter, int | float) else parameter
            p = np.clip(p, low, high)
        elif name == "renormalize" and parameter:
            p = p / p.sum(axis=-1, keepdims=True)
    return p


def _logarithm(subject: _Subject, p: Floats) -> Floats:
    """|ln p| as the convention computes it."""
    inside = np.log(p + float(subject.convention.get("add_inside_log", 0.0)))
    return np.abs(np.maximum(inside, float(subject.convention.get("log_clamp", -np.inf))))


def _from_probabilities(subject: _Subject) -> ErrorScales:
    given = subject.classes_last("probabilities")
    p = _transformed(subject, given)
    logs = _logarithm(subject, p)
    q, weights = _distribution(subject, p.shape)
    terms = _term(q, 1.0 + logs).sum(axis=-1) / subject.log_base
    gradients: dict[str, Floats] = {}
    parts = {
        "value": subject.reduced_each(
            {
                "|w q|": q.sum(axis=-1) / subject.log_base,
                "|w q ln p|": _term(q, logs).sum(axis=-1) / subject.log_base,
            },
            weights,
        )
    }
    scale = subject.scale(terms.shape, weights)
    if "probabilities" in subject.gradients:
        size = 2.0 * np.moveaxis(np.abs(subject.gradients["probabilities"]), subject.axis, -1)
        parts["probabilities"] = subject.placed({"2 |w q / p|": size})
        if subject.convention.get("renormalize"):
            # Every entry of a row pulls on every other, and the pulls cancel: ∂/∂p_j = (Σq − q_j/p'_j) / Σp.
            total = given.sum(axis=-1, keepdims=True)
            pull = q.sum(axis=-1, keepdims=True) + _term(q, 1.0 / p)
            pulled = pull / total * scale[..., None] / subject.log_base
            parts["probabilities"] |= subject.placed({"renormalizing": pulled})
            size = size + pulled
        gradients["probabilities"] = _tidy(np.moveaxis(size, -1, subject.axis))
    if "targets" in subject.gradients:
        gradients["targets"] = _target_error_scale(subject, (1.0 + logs) / subject.log_base, weights)
    return ErrorScales(subject.reduced(terms, weights), gradients, parts)


def _logsumexp(subject: _Subject) -> ErrorScales:
    seen = _seen(subject, subject.classes_last("logits"))
    gradients: dict[str, Floats] = {}
    rows = seen.L.shape[:-1]
    terms = {"value": {"1": np.ones(rows), "|lse|": np.abs(seen.log_sum_exp)[..., 0], "ln C": np.full(rows, seen.lift)}}
    value = seen.of_sum[..., 0]
    if "logits" in subject.gradients:
        u = np.abs(np.ones(rows) if subject.cotangent is None else subject.cotangent)[..., None]
        grad = {f"{_SPREAD} · |u|": seen.of_probability * u * seen.slope}
        if "softcap" in subject.options:
            grad[_SLOPE] = np.exp(-seen.L) * u * seen.slope_moved
        gradients["logits"], terms["logits"] = _of_function(subject, grad)
    if seen.changed:
        terms["value"][_MOVED] = value - sum(terms["value"].values(), np.zeros(rows))
    return ErrorScales(_tidy(value), gradients, terms)


def _entropy_of_logits(subject: _Subject) -> ErrorScales:
    """Σ p L: p is off by p r and L by r, with r = 1 + L + ln C; its gradient p (L − H) by the same and by what H is."""
    seen = _seen(subject, subject.classes_last("logits"))
    p, r = np.exp(-seen.L), seen.of_logarithm
    of_rows = _term(p, r * (1.0 + seen.L)).sum(axis=-1) / subject.log_base
    gradients: dict[str, Floats] = {}
    if "logits" in subject.gradients:
        scale = subject.scale(of_rows.shape, np.ones(of_rows.shape))[..., None]
        gradients["logits"] = _pulled_back(subject, seen, "logits", seen.L, r, scale / subject.log_base)
    return ErrorScales(subject.reduced(of_rows, np.ones(of_rows.shape)), gradients)


def _pulled_back(subject: _Subject, seen: _Seen, name: str, u: Floats, moved: Floats, scale: Floats) -> Floats:
    """The error scale of the gradient p (u − Σ p u) for a u that is off by `moved`: its own size and the following."""
    placed = np.moveaxis(_through_softmax(seen, u, moved) * scale, -1, subject.axis)
    return _tidy(np.abs(subject.gradients[name]) + placed)


def _through_softmax(seen: _Seen, u: Floats, moved: Floats) -> Floats:
    """What p (u − Σ p u) is off by: p r (|u| + Σ p |u|), and p (moved + Σ p moved), with Σ p r |u| for the p in the
    mean."""
    p, spread, size = np.exp(-seen.L), seen.of_probability, np.abs(u)

    def mean(of: Floats, weights: Floats) -> Floats:
        return np.asarray(_term(weights, of).sum(axis=-1, keepdims=True))

    whole = _term(spread, size + mean(size, p)) + _term(p, moved + mean(moved, p) + mean(size, spread))
    return np.asarray(whole * seen.slope)


def _kl_of_logits(subject: _Subject) -> ErrorScales:
    """Σ p k with k = L^q − L^p, which is off by r^p + r^q; wrt the logits of q the gradient is q − p."""
    target, seen = (_seen(subject, subject.classes_last(name)) for name in ("target_logits", "logits"))
    p, moved = np.exp(-target.L), target.of_logarithm + seen.of_logarithm
    size = np.abs(seen.L - target.L)
    of_rows = _term(p, target.of_logarithm * size + moved).sum(axis=-1)
    ones = np.ones(of_rows.shape)
    scale = subject.scale(of_rows.shape, ones)[..., None]
    gradients: dict[str, Floats] = {}
    if "logits" in subject.gradients:
        slope = (seen.of_probability + target.of_probability) * seen.slope * scale
        own = np.abs(subject.gradients["logits"])
        gradients["logits"] = _tidy(own + np.moveaxis(slope, -1, subject.axis))
    if "target_logits" in subject.gradients:
        gradients["target_logits"] = _pulled_back(subject, target, "target_logits", size, moved, scale)
    hessian = _softmax_hessian_error_scale(subject, seen, p, np.zeros((*of_rows.shape, 1)), ones)
    return ErrorScales(subject.reduced(of_rows, ones), gradients, hessian_vector=hessian)


def _jensen_shannon(subject: _Subject) -> ErrorScales:
    """Σ β p ln(p / m) + (1 − β) q ln(q / m): each logarithm is off by 1 + |ln p| + |ln m|; of logits it is off by r^p +
    r^q, and p by p r^p."""
    from_logits = "logits" in subject.inputs
    names = ("target_logits", "logits") if from_logits else ("targets", "probabilities")
    given = [subject.classes_last(name) for name in names]
    gradients: dict[str, Floats] = {}
    if from_logits:
        seen = [_seen(subject, x) for x in given]
        terms, pulls = _between_softmaxes(subject, seen)
    else:
        beta, terms, pulls = float(subject.options.get("beta", 0.5)), np.zeros(given[0].shape), []
        log_m = np.log(beta * given[0] + (1.0 - beta) * given[1])
        for x, weight in zip(given, (beta, 1.0 - beta), strict=True):
            moved = weight * (1.0 + np.abs(np.log(x)) + np.abs(log_m))
            terms = terms + _term(x, moved)
            pulls.append((np.zeros(x.shape), moved))
    of_rows = terms.sum(axis=-1) / subject.log_base
    ones = np.ones(of_rows.shape)
    scale = subject.scale(of_rows.shape, ones)[..., None] / subject.log_base
    for place, name in enumerate(names):
        if name in subject.gradients and from_logits:
            gradients[name] = _pulled_back(subject, seen[place], name, *pulls[place], scale)
        elif name in subject.gradients:
            gradients[name] = _tidy(np.moveaxis(pulls[place][1] * scale, -1, subject.axis))
    return ErrorScales(subject.reduced(of_rows, ones), gradients)


def _between_softmaxes(subject: _Subject, seen: list[_Seen]) -> tuple[Floats, list[tuple[Floats, Floats]]]:
    """The scale of each class's terms in a Jensen–Shannon divergence, and of p and of q the size of what they are
    multiplied with and what that is off by."""
    beta = float(subject.options.get("beta", 0.5))
    p, q = (np.exp(-s.L) for s in seen)
    log_m = np.log(beta * p + (1.0 - beta) * q)
    terms, pulls = np.zeros(p.shape), []
    for one, number, weight in zip(seen, (p, q), (beta, 1.0 - beta), strict=True):
        size = np.abs(-one.L - log_m) * weight
        moved = weight * (seen[0].of_logarithm + seen[1].of_logarithm)
        terms = terms + _term(number, one.of_logarithm * size + moved)
        pulls.append((size, moved))
    return terms, pulls


def _entropy(subject: _Subject) -> ErrorScales:
    if "logits" in subject.inputs:
        return _entropy_of_logits(subject)
    p = subject.classes_last("probabilities")
    logs = np.abs(np.log(p))
    terms = _term(p, 1.0 + logs).sum(axis=-1) / subject.log_base
    ones = np.ones(terms.shape)
    gradients: dict[str, Floats] = {}
    own, sized = p.sum(axis=-1) / subject.log_base, _term(p, logs).sum(axis=-1) / subject.log_base
    parts = {"value": subject.reduced_each({"p": own, "p |ln p|": sized}, ones)}
    if "probabilities" in subject.gradients:
        scale = subject.scale(terms.shape, ones)[..., None] / subject.log_base
        gradients["probabilities"] = _tidy(np.moveaxis((1.0 + logs) * scale, -1, subject.axis))
        parts["probabilities"] = subject.placed({"1": np.ones_like(logs) * scale, "|ln p|": logs * scale})
    return ErrorScales(subject.reduced(terms, ones), gradients, parts)


def _nll(subject: _Subject) -> ErrorScales:
    logs = np.abs(subject.classes_last("log_probabilities"))
    q, weights = _distribution(subject, logs.shape)
    terms = _term(q, logs).sum(axis=-1)
    gradients = {name: _tidy(np.abs(g)) for name, g in subject.gradients.items()}
    value = subject.reduced(terms, weights)
    parts = {"value": {"|w ln p|": value}, **{name: {_OWN: error_scale} for name, error_scale in gradients.items()}}
    return ErrorScales(value, gradients, parts)


def _kl(subject: _Subject) -> ErrorScales:
    if "logits" in subject.inputs:
        return _kl_of_logits(subject)
    log_q = subject.classes_last("log_probabilities")
    t = subject.classes_last("targets")
    log_p, p = (t, np.exp(t)) if subject.options.get("log_target") else (np.log(t), t)
    if "clip" in subject.convention:
        p, q = _transformed(subject, p), _transformed(subject, np.exp(log_q))
        log_p, log_q = np.log(p), np.log(q)
    size = 1.0 + np.abs(log_p) + np.abs(log_q)
    terms = _term(p, size).sum(axis=-1)
    ones = np.ones(terms.shape)
    scale = subject.scale(terms.shape, ones)[..., None]
    gradients: dict[str, Floats] = {}
    rows = {"p": np.ones_like(p), "p |ln p|": np.abs(log_p), "p |ln q|": np.abs(log_q)}
    parts = {"value": subject.reduced_each({name: _term(p, row).sum(axis=-1) for name, row in rows.items()}, ones)}
    if "log_probabilities" in subject.gradients:
        sized = np.abs(np.where(p == 0, 0.0, log_p))
        slope = _term(p, 1.0 + sized) * scale
        gradients["log_probabilities"] = _tidy(np.moveaxis(slope, -1, subject.axis))
        parts["log_probabilities"] = subject.placed({"p": p * scale, "p |ln p|": _term(p, sized) * scale})
    if "targets" in subject.gradients:
        slope = (_term(p, size) if subject.options.get("log_target") else size) * scale
        gradients["targets"] = _tidy(np.moveaxis(slope, -1, subject.axis))
    return ErrorScales(subject.reduced(terms, ones), gradients, parts)


def _binary_weights(subject: _Subject, shape: tuple[int, ...]) -> Floats:
    weights = subject.option("sample_weights")
    return np.ones(shape) if weights is None else np.broadcast_to(np.abs(weights), shape).astype(np.float64)


def _binary_targets(subject: _Subject) -> Floats:
    t = np.asarray(subject.inputs["targets"], dtype=np.float64)
    smoothing = float(subject.options.get("label_smoothing") or 0.0)
    return (1.0 - smoothing) * t + 0.5 * smoothing if smoothing else t


def _binary(subject: _Subject) -> ErrorScales:
    given = np.asarray(subject.inputs["probabilities"], dtype=np.float64)
    p = _transformed(subject, given)
    t = _binary_targets(subject)
    weights = _binary_weights(subject, p.shape)
    # 1 − p rounds where p is small, and its logarithm moves by that much: the 1 of the error scale.
    positive, negative = 1.0 + _logarithm(subject, p), 1.0 + _logarithm(subject, 1.0 - p)
    of_one, of_zero = _term(np.abs(t), positive), _term(np.abs(1.0 - t), negative)
    terms = (of_one + of_zero) * weights / subject.log_base
    sides = {"w t (1 + |ln p|)": of_one, "w (1 − t) (1 + |ln(1 − p)|)": of_zero}
    parts = {
        "value": subject.reduced_each(
            {name: side * weights / subject.log_base for name, side in sides.items()}, weights
        )
    }
    scale = subject.scale(p.shape, weights) * weights / subject.log_base
    gradients: dict[str, Floats] = {}
    if "probabilities" in subject.gradients:
        clamp = subject.convention.get("gradient_clamp")
        if clamp is not None:
            size = (np.abs(p) + np.abs(t)) / np.maximum(p * (1.0 - p), float(clamp))
        else:
            quotients = {
                "2 w t / p": _term(np.abs(t), 1.0 / p),
                "2 w (1 − t) / (1 − p)": _term(np.abs(1.0 - t), 1.0 / (1.0 - p)),
            }
            size = sum(quotients.values(), np.zeros_like(p))
            parts["probabilities"] = {name: 2.0 * quotient * scale for name, quotient in quotients.items()}
        gradients["probabilities"] = _tidy(2.0 * size * scale)
    if "targets" in subject.gradients:
        gradients["targets"] = _tidy((positive + negative) * scale)
    hessian = None
    if subject.twice is not None:
        # p or 1 − p, its square and the quotient round: three times each term.
        size = _term(np.abs(t), 1.0 / p**2) + _term(np.abs(1.0 - t), 1.0 / (1.0 - p) ** 2)
        hessian = _tidy(3.0 * size * scale * np.abs(subject.twice.vector))
    return ErrorScales(subject.reduced(terms, weights), gradients, parts, hessian)


def _softplus(z: Floats) -> Floats:
    return np.maximum(z, 0.0) + np.log1p(np.exp(-np.abs(z)))


def _binary_with_logits(subject: _Subject) -> ErrorScales:
    z = np.asarray(subject.inputs["logits"], dtype=np.float64)
    t = _binary_targets(subject)
    weights = _binary_weights(subject, z.shape)
    pos = subject.option("pos_weight")
    w = np.asarray(1.0 if pos is None else np.abs(pos))
    a, b = np.abs(t) * w, np.abs(1.0 - t)
    soft = _term(np.minimum(a, b), np.abs(z))
    positive, negative = 1.0 + _softplus(-z), 1.0 + _softplus(z)
    terms = (_term(a, positive) + _term(b, negative) + soft) * weights
    scale = subject.scale(z.shape, weights) * weights
    gradients: dict[str, Floats] = {}
    sides = {
        "w t (1 + softplus(−z))": _term(a, positive),
        "(1 − t) (1 + softplus(z))": _term(b, negative),
        "min(w t, 1 − t) |z|": soft,
    }
    parts = {"value": subject.reduced_each({name: side * weights for name, side in sides.items()}, weights)}
    # σ(z) − t rounds σ itself: p (1 − ln p) of both sides, as for softmax with two classes.
    p, m = np.exp(-_softplus(-z)), np.exp(-_softplus(z))
    spread = np.minimum(_term(p, 1.0 + _softplus(-z)) + _term(m, 1.0 + _softplus(z)), 2.0)
    if "logits" in subject.gradients:
        own, rounding = np.abs(subject.gradients["logits"]), np.maximum(a, b) * spread * scale
        gradients["logits"] = _tidy(own + rounding)
        parts["logits"] = {_OWN: own, "max(w t, 1 − t) · Σ p (1 − ln p)": rounding}
    if "targets" in subject.gradients:
        gradients["targets"] = _tidy((w * positive + negative + np.abs(z)) * scale)
    hessian = None
    if subject.twice is not None:
        size = (a + b) * spread * scale * np.abs(subject.twice.vector)
        hessian = _tidy(np.abs(subject.twice.product) + size)
    return ErrorScales(subject.reduced(terms, weights), gradients, parts, hessian)


def _soft_margin(subject: _Subject) -> ErrorScales:
    """w (1 + softplus(−t z)): as a binary logit t z, whose product is exact for t of 1 and −1 and rounds else."""
    z = np.asarray(subject.inputs["logits"], dtype=np.float64)
    t = np.asarray(subject.inputs["targets"], dtype=np.float64)
    weights = _binary_weights(subject, z.shape)
    margin = t * z
    rounded = np.where(np.abs(t) == 1.0, 0.0, np.abs(margin))
    down = np.exp(-_softplus(margin))
    terms = (1.0 + _softplus(-margin) + _term(down, rounded)) * weights
    scale = subject.scale(z.shape, weights) * weights
    # σ(−m) rounds by its own size and by what moves it: σ(−m) (1 + softplus(m)), never more than 2.
    spread = np.minimum(_term(down, 1.0 + _softplus(margin) + rounded), 2.0)
    gradients: dict[str, Floats] = {}
    for name, factor in (("logits", np.abs(t)), ("targets", np.abs(z))):
        if name in subject.gradients:
            gradients[name] = _tidy(np.abs(subject.gradients[name]) + _term(spread, factor) * scale)
    return ErrorScales(subject.reduced(terms, weights), gradients)


def _bernoulli_kl(subject: _Subject) -> ErrorScales:
    """t (1 + |ln t| + |ln p|) and the same of 1 − t and 1 − p: both complements round, which moves their logarithms."""
    p = np.asarray(subject.inputs["probabilities"], dtype=np.float64)
    t = np.asarray(subject.inputs["targets"], dtype=np.float64)
    weights = _binary_weights(subject, p.shape)
    up = 1.0 + np.abs(np.log(t)) + np.abs(np.log(p))
    down = 1.0 + np.abs(np.log1p(-t)) + np.abs(np.log1p(-p))
    terms = (_term(t, up) + _term(1.0 - t, down)) * weights
    scale = subject.scale(p.shape, weights) * weights
    gradients: dict[str, Floats] = {}
    if "probabilities" in subject.gradients:
        # −t / p + (1 − t) / (1 − p): each quotient rounds twice.
        size = _term(t, 1.0 / p) + _term(1.0 - t, 1.0 / (1.0 - p))
        gradients["probabilities"] = _tidy(2.0 * size * scale)
    if "targets" in subject.gradients:
        gradients["targets"] = _tidy((up + down) * scale)
    return ErrorScales(subject.reduced(terms, weights), gradients)


def _focal_terms(subject: _Subject, L: Floats) -> tuple[Floats, Floats]:
    """Error scales of (1 − p)^γ L and of its derivative wrt the logits, for the probability p = e^−L of the true class.

    Rounding 1 − p moves the factor by γ (1 − p)^(γ−1); for γ < 1 that is unbounded at p = 1, and capped at 1 because
    an implementation can form 1 − p without cancellation.
    """
    gamma = float(subject.options.get("gamma", 2.0))
    rest = -np.expm1(-L)
    factor = rest**gamma
    moved = gamma * np.where(rest > 0, rest, 1.0) ** max(gamma - 1.0, 0.0)
    value = _term(factor, 1.0 + L) + _term(moved, np.minimum(L, 1.0) + _term(np.exp(-L), L))
    slope = factor * (1.0 + gamma * np.minimum(L, 1.0)) + moved * (1.0 + _term(np.exp(-L), L))
    return value, slope


def _binary_focal(subject: _Subject) -> ErrorScales:
    z = np.asarray(subject.inputs["logits"], dtype=np.float64)
    t = _binary_targets(subject)
    alpha = subject.options.get("alpha")
    a, b = (1.0, 1.0) if alpha is None else (abs(float(alpha)), abs(1.0 - float(alpha)))
    value_pos, slope_pos = _focal_terms(subject, _softplus(-z))
    value_neg, slope_neg = _focal_terms(subject, _softplus(z))
    positive, negative = np.abs(t) * a, np.abs(1.0 - t) * b
    terms = _term(positive, value_pos) + _term(negative, value_neg)
    ones = np.ones(z.shape)
    scale = subject.scale(z.shape, ones)
    gradients: dict[str, Floats] = {}
    if "logits" in subject.gradients:
        size = (_term(positive, slope_pos) + _term(negative, slope_neg)) * scale
        gradients["logits"] = _tidy(np.abs(subject.gradients["logits"]) + size)
    if "targets" in subject.gradients:
        gradients["targets"] = _tidy((a * value_pos + b * value_neg) * scale)
    hessian = None
    if subject.twice is not None:
        size = _term(positive, _focal_curvature(subject, z)) + _term(negative, _focal_curvature(subject, -z))
        hessian = _tidy(np.abs(subject.twice.product) + size * scale * np.abs(subject.twice.vector))
    return ErrorScales(subject.reduced(terms, ones), gradients, hessian_vector=hessian)


def _focal_curvature(subject: _Subject, z: Floats) -> Floats:
    """Error scale of the second derivative of σ(−z)^γ softplus(−z), whose terms cancel where it changes sign.

    Each term is rounded by its own size: F″ f, 2 F′ f′, F f″ with F = σ(−z)^γ, and by what rounding the logarithm and
    the probabilities costs, p (1 − ln p), in the factor and in its derivative.
    """
    gamma = float(subject.options.get("gamma", 2.0))
    L, M = _softplus(-z), _softplus(z)
    p, rest = np.exp(-L), np.exp(-M)
    factor = rest**gamma
    terms = _term(p, L) * gamma * (gamma * p + rest) + (2.0 * gamma + 1.0) * p * rest
    moved = gamma * np.where(rest > 0, rest, 1.0) ** max(gamma - 1.0, 0.0)
    spread = np.minimum(_term(p, 1.0 + L) + _term(rest, 1.0 + M), 2.0)
    return np.asarray(factor * terms + (1.0 + gamma) * (factor + moved) * spread)


def _categorical_focal(subject: _Subject) -> ErrorScales:
    L = _log_probabilities(subject.classes_last("logits"))
    q, weights = _distribution(subject, L.shape)
    alpha = subject.option("alpha")
    if alpha is not None:
        q = q * np.abs(alpha)
    lift = 1.0 + np.log(max(L.shape[-1], 1))
    value, slope = _focal_terms(subject, L)
    terms = _term(q, value * lift).sum(axis=-1)
    scale = subject.scale(terms.shape, weights)
    gradients: dict[str, Floats] = {}
    if "logits" in subject.gradients:
        pull = _term(q, slope * lift)
        size = (pull + _spread(L) * pull.sum(axis=-1, keepdims=True)) * scale[..., None]
        gradients["logits"] = _tidy(np.abs(subject.gradients["logits"]) + np.moveaxis(size, -1, subject.axis))
    if "targets" in subject.gradients:
        sized = value * lift if alpha is None else value * lift * np.abs(alpha)
        gradients["targets"] = _tidy(np.moveaxis(sized * scale[..., None], -1, subject.axis))
    hessian = None
    if subject.twice is not None:
        v = np.abs(np.moveaxis(subject.twice.vector, subject.axis, -1))
        size = _categorical_focal_curvature(subject, L, q, v) * scale[..., None]
        hessian = _tidy(np.abs(subject.twice.product) + np.moveaxis(size, -1, subject.axis))
    return ErrorScales(subject.reduced(terms, weights), gradients, hessian_vector=hessian)


def _categorical_focal_curvature(subject: _Subject, L: Floats, a: Floats, v: Floats) -> Floats:
    """Error scale of the product with v, |v| given, without its own rounding: see the top of this file."""
    gamma = float(subject.options.get("gamma", 2.0))
    p, spread, rest = np.exp(-L), _spread(L), -np.expm1(-L)
    moved = gamma * np.where(rest > 0, rest, 1.0) ** max(gamma - 1.0, 0.0)
    factor = (1.0 + gamma) ** 2 * (rest**gamma + moved)
    along = v + (p * v).sum(axis=-1, keepdims=True)
    of_mean = (spread * v).sum(axis=-1, keepdims=True)
    own = _term(a, factor * (along + p * of_mean))
    shared = spread * along + p * of_mean
    return np.asarray(shared * _term(a, factor).sum(axis=-1, keepdims=True) + own + p * own.sum(axis=-1, keepdims=True))


def _of_layer(subject: _Subject, hidden: str, weight: str, bias: str = "") -> tuple[Floats, Floats, float, _Seen]:
    """hidden, weight, how many roundings each of their dot products has, and the logits that they are."""
    h, w = (np.asarray(subject.inputs[name], dtype=np.float64) for name in (hidden, weight))
    offset = np.asarray(subject.inputs[bias], dtype=np.float64) if bias in subject.inputs else np.zeros(())
    # Each logit is a dot product: a pairwise or blocked summation loses about log2(n) + 1 units of Σ|h||w|.
    steps = float(1.0 + np.log2(max(h.shape[-1], 1)))
    seen = _seen(subject, h @ w + offset, (np.abs(h) @ np.abs(w) + np.abs(offset)) * steps)
    return h, w, steps, seen


def _linear_jensen_shannon(subject: _Subject) -> ErrorScales:
    """That of jensen_shannon of logits that are dot products, pulled back by them."""
    layers = [_of_layer(subject, *names) for names in _LAYERS]
    terms, pulls = _between_softmaxes(subject, [seen for *_, seen in layers])
    counts = _valid(subject, terms.shape[:-1]) if "targets" in subject.inputs else np.ones(terms.shape[:-1], bool)
    of_rows = np.where(counts, terms.sum(axis=-1), 0.0)
    weights = counts.astype(np.float64)
    scale = subject.scale(of_rows.shape, weights)[..., None]
    gradients: dict[str, Floats] = {}
    for (hidden, weight), (h, w, _, seen), (size, moved) in zip(_LAYERS, layers, pulls, strict=True):
        p = np.exp(-seen.L)
        own = _term(p, size + _term(p, size).sum(axis=-1, keepdims=True)) * seen.slope
        slope = np.where(counts[..., None], (own + _through_softmax(seen, size, moved)) * scale, 0.0)
        rows, flat = slope.reshape(-1, slope.shape[-1]), np.abs(h).reshape(-1, h.shape[-1])
        if hidden in subject.gradients:
            gradients[hidden] = _tidy((rows @ np.abs(w).T).reshape(h.shape))
        if weight in subject.gradients:
            gradients[weight] = _tidy(flat.T @ rows)
    return ErrorScales(subject.reduced(of_rows, weights), gradients)


_LAYERS = (("target_hidden", "target_weight"), ("hidden", "weight"))


def _linear(subject: _Subject) -> ErrorScales:
    hidden, weight, steps, seen = _of_layer(subject, "hidden", "weight", "bias")
    p = np.exp(-seen.L)
    q, weights = _distribution(subject, seen.L.shape)
    penalty = _penalty(subject, seen.L.shape[:-1])
    value, _, grad = _cross_entropy_error_scales(subject, seen, q, penalty, weights)
    total = q.sum(axis=-1, keepdims=True)
    own = _slope_sizes(seen, q, penalty)[0] - np.abs(p * total - q) + q + p * total
    size = sum(grad.values(), own * seen.slope * subject.scale(seen.L.shape[:-1], weights)[..., None])
    # A row that does not count has no error, whatever it holds.
    counts = (total != 0.0) | (penalty != 0.0)
    size, hidden = np.where(counts, size, 0.0), np.where(counts, hidden, 0.0)
    rows = size.reshape(-1, size.shape[-1])
    flat = np.abs(hidden).reshape(-1, hidden.shape[-1])
    gradients: dict[str, Floats] = {}
    if "hidden" in subject.gradients:
        gradients["hidden"] = _tidy((rows @ np.abs(weight).T).reshape(hidden.shape))
    if "weight" in subject.gradients:
        gradients["weight"] = _tidy(flat.T @ rows)
    if "bias" in subject.gradients:
        gradients["bias"] = _tidy(rows.sum(axis=0))
    if "targets" in subject.gradients:
        gradients["targets"] = _target_error_scale(subject, seen.of_logarithm - seen.lift, weights)
    hessian = None
    if subject.twice is not None:
        # The direction of the logits is a dot product too, which rounds as they do.
        v = np.abs(subject.twice.vector) @ np.abs(weight) * (1.0 + steps)
        size = np.where(counts, _hessian_of_logits(seen, q, penalty, v), 0.0)
        size = size * subject.scale(seen.L.shape[:-1], weights)[..., None]
        hessian = _tidy(size @ np.abs(weight).T)
    return ErrorScales(value, gradients, hessian_vector=hessian)


_FAMILIES: Mapping[str, Callable[[_Subject], ErrorScales]] = {
    "entropy": _entropy,
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    "logsumexp": _logsumexp,
    "cross_entropy": _from_probabilities,
    "kl_divergence": _kl,
    "jensen_shannon": _jensen_shannon,
    "bernoulli_kl": _bernoulli_kl,
    "nll_loss": _nll,
    "categorical_cross_entropy": _from_probabilities,
    "softmax_cross_entropy": _softmax_cross_entropy,
    "binary_cross_entropy": _binary,
    "binary_cross_entropy_with_logits": _binary_with_logits,
    "soft_margin": _soft_margin,
    "binary_focal": _binary_focal,
    "categorical_focal": _categorical_focal,
    "linear_cross_entropy": _linear,
    "linear_jensen_shannon": _linear_jensen_shannon,
}
