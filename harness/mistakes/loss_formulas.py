"""The losses put together from their steps: value and gradients, classes moved to the last axis and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.adapters.base import Array, Call
from harness.mistakes.steps import WIDE, Batch, Steps, Wide, counting, scalar

Slopes = Mapping[str, Wide]
"""The gradient with respect to every input that has one; under `HESSIAN_VECTOR` what is asked for of the second
derivatives."""

Result = tuple[Wide, Callable[[], Slopes]]
"""The value, and what computes its slopes for whoever wants them: they are most of the work."""

HESSIAN_VECTOR = "hessian vector"
"""No input has a space in its name."""


def wide(array: Array) -> Wide:
    return array.to_float64().astype(WIDE)


def _axis(call: Call) -> int:
    return int(call.options.get("axis", -1))


def _rows(call: Call, name: str) -> Wide:
    array = wide(call.inputs[name])
    if array.ndim == 0:
        raise ValueError(f"{name} needs an axis of classes, got shape ()")
    return np.moveaxis(array, _axis(call), -1)


def _back(call: Call, gradient: Wide) -> Wide:
    return np.moveaxis(gradient, -1, _axis(call))


def _all_back(call: Call, slopes: Slopes) -> Slopes:
    return {name: _back(call, slope) for name, slope in slopes.items()}


def _reduced(call: Call, steps: Steps, batch: Batch) -> tuple[Wide, Wide]:
    """The value, and its derivative with respect to each unreduced loss."""
    d = steps.divisor(call, batch)
    return steps.reduced(call, batch, d), steps.upstream(call, batch, d)


def _unweighted(losses: Wide, terms: int) -> Batch:
    return Batch(losses, np.ones_like(losses), np.ones(losses.shape, dtype=bool), terms)


@dataclass(frozen=True, eq=False)
class _Targets:
    """The targets of a batch of rows."""

    coefficients: Wide
    """a_j: target probability × class weight × sample weight, classes last."""
    weights: Wide
    """The weight of each row where a mean divides by weights."""
    kept: NDArray[np.bool_]
    slope: Wide
    """∂a_j/∂(target probability j)."""
    penalised: Wide
    """What the squared logsumexp of each row is multiplied with; 0 where the row is ignored."""
    weight_slope: Wide
    """∂(row weight)/∂(target probability j), where class weights meet distributions; 0 elsewhere."""


def _targets(call: Call, steps: Steps, shape: tuple[int, ...]) -> _Targets:
    targets, batch, classes = call.inputs["targets"], shape[:-1], shape[-1]
    class_weights = call.options.get("class_weights")
    per_class = np.ones(classes, dtype=WIDE) if class_weights is None else wide(class_weights)
    if per_class.shape != (classes,):
        raise ValueError(f"class_weights must have shape ({classes},), got {per_class.shape}")
    per_row = _sample_weights(call, batch)
    kept = np.ones(batch, dtype=bool)
    if _is_distribution(call, shape):
        if "ignore_index" in call.options:
            raise ValueError("ignore_index: a distribution cannot be ignored")
        q = np.moveaxis(wide(targets), _axis(call), -1)
    else:
        if targets.is_float or targets.shape != batch:
            raise ValueError(f"targets of {targets.dtype} have shape {targets.shape}: no labels, no distributions here")
        kept = steps.kept_rows(targets.storage, call.options.get("ignore_index"))
        labels = np.where(kept, targets.storage, 0)
        q = steps.one_hot(labels, classes)
    row_weights = np.ones(batch, dtype=WIDE) if class_weights is None else (q * per_class).sum(axis=-1)
    smoothing = float(call.options.get("label_smoothing") or 0.0)
    factor = per_class * per_row[..., None] * kept[..., None]
    if smoothing and "class_mask" in call.options:
        coefficients = steps.smoothed_among(q, smoothing, counting(call, shape)) * factor
    else:
        coefficients = steps.smoothed(q, smoothing) * factor
    penalised = steps.penalty_factor(call, per_row) * kept
    moving = WIDE(class_weights is not None and _is_distribution(call, shape))
    slope = factor * (1 - WIDE(smoothing))
    return _Targets(coefficients, row_weights * per_row * kept, kept, slope, penalised, factor * moving)


def _is_distribution(call: Call, shape: tuple[int, ...]) -> bool:
    targets = call.inputs["targets"].shape
    return len(targets) == len(shape) and tuple(np.moveaxis(np.empty(targets), _axis(call), -1).shape) == shape


def _sample_weights(call: Call, batch: tuple[int, ...]) -> Wide:
    given = call.options.get("sample_weights")
    if given is None:
        return np.ones(batch, dtype=WIDE)
    weights = wide(given)
    if weights.shape != batch:
        raise ValueError(f"sample_weights must have shape {batch}, got {weights.shape}")
    return weights


def _class_loss(
    call: Call, steps: Steps, targets: _Targets, F: Wide, slope: Wide, penalties: Wide | None = None
) -> tuple[Wide, Callable[[], tuple[Wide, Wide, Wide]]]:
    """Value; ∂value/∂(−ln p_j), ∂value/∂(target probability j) and ∂value/∂(row), from the penalties F_j of the classes
    with their slopes, and those of the rows."""
    rows = steps.times(targets.coefficients, F).sum(axis=-1)
    losses = np.where(targets.kept, rows if penalties is None else rows + penalties, 0)
    value, upstream = _reduced(call, steps, Batch(losses, targets.weights, targets.kept, F.shape[-1]))

    def slopes() -> tuple[Wide, Wide, Wide]:
        u = np.where(targets.kept, upstream, 0)[..., None]
        by_target = targets.slope * F * u
        if call.options["reduction"] == "mean" and call.options.get("denominator", "weights") == "weights":
            by_target = by_target - value * targets.weight_slope * u  # the mean divides by weights that move with q
        return steps.times(targets.coefficients, slope) * u, by_target, u

    return value, slopes


def _softmax_family(call: Call, steps: Steps, x: Wide, v: Wide | None) -> Result:
    """Value, gradients with respect to the logits x (classes last) and to a target distribution, and the product of the
    Hessian with the direction v, where there is one."""
    z, first, second = steps.transformed(call, x)
    L, p = steps.negative_log_softmax(call, z)
    F, slope = L, np.ones_like(L)
    scale: Any = WIDE(1)
    if call.loss == "categorical_focal":
        F, slope = steps.focal(L, p, float(call.options.get("gamma", 2.0)))
        alpha = call.options.get("alpha")
        scale = WIDE(1) if alpha is None else wide(alpha) if isinstance(alpha, Array) else WIDE(alpha)
    targets = _targets(call, steps, x.shape)
    penalties, pull = None, None
    if call.options.get("z_loss"):
        square, rising = steps.squared(steps.log_sum_exp(z, L))
        penalties, pull = targets.penalised * square, (targets.penalised * rising)[..., None]
    value, by_class = _class_loss(call, steps, targets, F * scale, slope * scale, penalties)

    def slopes() -> Slopes:
        a, by_target, u = by_class()
        by_z = steps.pull_back(a, p)
        if pull is not None:
            by_z = by_z + steps.times(p, pull * u)
        kept = targets.kept[..., None]
        found = {"logits": np.where(kept, steps.times(first, by_z), 0), "targets": by_target}
        if v is not None:
            turned = steps.curvature_along(p, a, first * v)
            if call.loss == "categorical_focal":
                # −ln p_j moves by Σ p v − v_j.
                moved = (p * v).sum(axis=-1, keepdims=True) - v
                bend = steps.focal_bend(L, p, float(call.options.get("gamma", 2.0))) * scale
                turned = turned + steps.pull_back(steps.times(targets.coefficients, bend) * u * moved, p)
            if pull is not None:
                along = p * (p * first * v).sum(axis=-1, keepdims=True)
                of_rows = pull * u
                turned = turned + steps.curvature_along(p, of_rows, first * v)
                turned = turned + 2 * targets.penalised[..., None] * u * along
            found[HESSIAN_VECTOR] = np.where(kept, steps.times(first, turned) + steps.times(second, by_z * v), 0)
        return found

    return value, slopes


def _softmax_cross_entropy(call: Call, steps: Steps) -> Result:
    v = None if call.vector is None else np.moveaxis(wide(call.vector), _axis(call), -1)
    value, slopes = _softmax_family(call, steps, _rows(call, "logits"), v)
    return value, lambda: _all_back(call, slopes())


def _linear_cross_entropy(call: Call, steps: Steps) -> Result:
    """hidden (…, D) · weight (D, C) + bias (C,), then softmax cross-entropy."""
    hidden, weight = wide(call.inputs["hidden"]), wide(call.inputs["weight"])
    bias = wide(call.inputs["bias"]) if "bias" in call.inputs else np.zeros(weight.shape[-1:], dtype=WIDE)
    if bias.shape != weight.shape[-1:]:
        raise ValueError(f"bias must have shape {weight.shape[-1:]}, got {bias.shape}")
    v = None if call.vector is None else wide(call.vector) @ weight
    value, by_logits = _softmax_family(call, steps, hidden @ weight + bias, v)

    def slopes() -> Slopes:
        found = by_logits()
        g = found["logits"]
        flat = g.reshape(-1, g.shape[-1])
        along = {} if v is None else {HESSIAN_VECTOR: found[HESSIAN_VECTOR] @ weight.T}
        return {
            **along,
            "hidden": g @ weight.T,
            "weight": hidden.reshape(-1, hidden.shape[-1]).T @ flat,
            "bias": flat.sum(axis=0),
            "targets": found["targets"],
        }

    return value, slopes


def _from_probabilities(call: Call, steps: Steps) -> Result:
    p = _rows(call, "probabilities")
    steps.checked_probabilities(p)
    unit = _unit(call)
    targets = _targets(call, steps, p.shape)
    value, by_class = _class_loss(call, steps, targets, -steps.log(call, p) * unit, np.full_like(p, unit))

    def slopes() -> Slopes:
        a, by_target, _ = by_class()
        gradient = np.where(a == 0, 0, -a * steps.log_slope(call, p))
        return {"probabilities": _back(call, gradient), "targets": _back(call, by_target)}

    return value, slopes


def _nll_loss(call: Call, steps: Steps) -> Result:
    log_p = _rows(call, "log_probabilities")
    targets = _targets(call, steps, log_p.shape)
    value, by_class = _class_loss(call, steps, targets, -log_p, np.ones_like(log_p))
    return value, lambda: {"log_probabilities": _back(call, -by_class()[0])}


def _unit(call: Call) -> Wide:
    """1/ln(base): natural logarithms into the base asked for."""
    base = call.options.get("base")
    return scalar(1) if base is None else scalar(1 / np.log(WIDE(base)))


def _distribution(call: Call, steps: Steps, name: str) -> tuple[Wide, Wide, Wide]:
    """p and ln p of an input of logits or of probabilities, classes last, and ∂z/∂x."""
    if name in ("logits", "target_logits"):
        z, slope, _ = steps.transformed(call, _rows(call, name))
        L, p = steps.negative_log_softmax(call, z)
        return p, -L, slope
    p = _rows(call, name)
    steps.checked_probabilities(p)
    return p, steps.log(call, p), np.ones_like(p)


def _pulled(call: Call, steps: Steps, name: str, p: Wide, u: Wide, slope: Wide) -> Wide:
    """From ∂loss/∂p the gradient with respect to the input that p comes from."""
    if name in ("logits", "target_logits"):
        u = steps.times(slope, steps.times(p, steps.centred(p, u)))
    return _back(call, u)


def _logsumexp(call: Call, steps: Steps) -> Result:
    z, slope, _ = steps.transformed(call, _rows(call, "logits"))
    L, p = steps.negative_log_softmax(call, z)
    top = z.max(axis=-1)
    value = np.where(np.isinf(top), top, steps.log_sum_exp(z, L))
    u = WIDE(1) if call.cotangent is None else wide(call.cotangent)[..., None]
    return value, lambda: {"logits": _back(call, steps.times(slope, p) * u)}


def _entropy_of_logits(call: Call, steps: Steps) -> Result:
    p, log_p, slope = _distribution(call, steps, "logits")
    losses = -steps.times(p, log_p).sum(axis=-1) * _unit(call)
    value, u = _reduced(call, steps, _unweighted(losses, p.shape[-1]))
    return value, lambda: {"logits": _pulled(call, steps, "logits", p, -log_p * _unit(call) * u[..., None], slope)}


def _kl_of_logits(call: Call, steps: Steps) -> Result:
    p, log_p, target_slope = _distribution(call, steps, "target_logits")
    q, log_q, slope = _distribution(call, steps, "logits")
    if p.shape != q.shape:
        raise ValueError(f"target_logits have shape {p.shape}, logits {q.shape}, classes last")
    gap = log_p - log_q
    losses = steps.times(p, gap).sum(axis=-1)
    value, u = _reduced(call, steps, _unweighted(losses, p.shape[-1]))
    u = u[..., None]

    def slopes() -> Slopes:
        found = {
            "logits": _back(call, steps.times(slope, q - p) * u),
            "target_logits": _pulled(call, steps, "target_logits", p, gap * u, target_slope),
        }
        if call.vector is not None:
            v = np.moveaxis(wide(call.vector), _axis(call), -1)
            found[HESSIAN_VECTOR] = _back(call, steps.times(slope, steps.curvature_along(q, p * u, slope * v)))
        return found

    return value, slopes


def _jensen_shannon(call: Call, steps: Steps) -> Result:
    names = ("target_logits", "logits") if "logits" in call.inputs else ("targets", "probabilities")
    beta = scalar(call.options.get("beta", 0.5))
    (p, log_p, first), (q, log_q, second) = (_distribution(call, steps, name) for name in names)
    if p.shape != q.shape:
        raise ValueError(f"{names[0]} have shape {p.shape}, {names[1]} {q.shape}, classes last")
    log_m = np.log(steps.mixture(p, q, beta))
    of_p, of_q = beta * (log_p - log_m) * _unit(call), (1 - beta) * (log_q - log_m) * _unit(call)
    losses = (steps.times(p, of_p) + steps.times(q, of_q)).sum(axis=-1)
    value, u = _reduced(call, steps, _unweighted(losses, p.shape[-1]))
    u = u[..., None]
    return value, lambda: {
        names[0]: _pulled(call, steps, names[0], p, of_p * u, first),
        names[1]: _pulled(call, steps, names[1], q, of_q * u, second),
    }


def _linear_jensen_shannon(call: Call, steps: Steps) -> Result:
    """That of the logits target_hidden · target_weight and hidden · weight; an ignored label makes its row 0."""
    layers = (("target_hidden", "target_weight"), ("hidden", "weight"))
    h, w = zip(*((wide(call.inputs[a]), wide(call.inputs[b])) for a, b in layers), strict=True)
    if h[0].shape[:-1] != h[1].shape[:-1] or w[0].shape[-1] != w[1].shape[-1]:
        raise ValueError(f"target_hidden has shape {h[0].shape}, hidden {h[1].shape}")
    of = []
    for hidden, weight in zip(h, w, strict=True):
        z, slope, _ = steps.transformed(call, hidden @ weight)
        L, p = steps.negative_log_softmax(call, z)
        of.append((p, -L, slope))
    (p, log_p, _), (q, log_q, _) = of
    beta = scalar(call.options.get("beta", 0.5))
    log_m = np.log(steps.mixture(p, q, beta))
    of_p, of_q = beta * (log_p - log_m), (1 - beta) * (log_q - log_m)
    kept = np.ones(p.shape[:-1], dtype=bool)
    if "targets" in call.inputs:
        labels = call.inputs["targets"].storage
        if labels.shape != kept.shape:
            raise ValueError(f"targets have shape {labels.shape}, expected {kept.shape}")
        kept = steps.kept_rows(labels, call.options.get("ignore_index"))
        steps.one_hot(np.where(kept, labels, 0), p.shape[-1])
    weights = kept.astype(WIDE)
    losses = steps.times(weights, (steps.times(p, of_p) + steps.times(q, of_q)).sum(axis=-1))
    value, u = _reduced(call, steps, Batch(losses, weights, kept, p.shape[-1]))

    def slopes() -> Slopes:
        found: dict[str, Wide] = {}
        for names, hidden, weight, (p, _, slope), pull in zip(layers, h, w, of, (of_p, of_q), strict=True):
            g = steps.times(slope, steps.times(p, steps.centred(p, pull)))
            g = steps.times(weights[..., None], g * u[..., None])
            flat = hidden.reshape(-1, hidden.shape[-1])
            found |= dict(zip(names, (g @ weight.T, flat.T @ g.reshape(-1, g.shape[-1])), strict=True))
        return found

    return value, slopes


def _soft_margin(call: Call, steps: Steps) -> Result:
    z, t = wide(call.inputs["logits"]), wide(call.inputs["targets"])
    if z.shape != t.shape:
        raise ValueError(f"targets have shape {t.shape}, logits {z.shape}")
    losses, _ = steps.sides(call, t * z)
    weights = _sample_weights(call, z.shape)
    value, u = _reduced(call, steps, Batch(losses * weights, weights, np.ones(z.shape, dtype=bool), 1))

    def slopes() -> Slopes:
        pull = -steps.sigmoid(-t * z) * weights * u
        return {"logits": pull * t, "targets": steps.times(pull, z)}

    return value, slopes


def _bernoulli_kl(call: Call, steps: Steps) -> Result:
    p, t = wide(call.inputs["probabilities"]), wide(call.inputs["targets"])
    if p.shape != t.shape:
        raise ValueError(f"targets have shape {t.shape}, probabilities {p.shape}")
    steps.checked_probabilities(p)
    steps.checked_probabilities(t)
    up, down = steps.log(call, t) - steps.log(call, p), steps.log(call, 1 - t) - steps.log(call, 1 - p)
    weights = _sample_weights(call, p.shape)
    losses = (steps.times(t, up) + steps.times(1 - t, down)) * weights
    value, u = _reduced(call, steps, Batch(losses, weights, np.ones(p.shape, dtype=bool), 1))

    def slopes() -> Slopes:
        slope = steps.times(1 - t, steps.log_slope(call, 1 - p)) - steps.times(t, steps.log_slope(call, p))
        return {"probabilities": slope * weights * u, "targets": (up - down) * weights * u}

    return value, slopes


def _entropy(call: Call, steps: Steps) -> Result:
    if "logits" in call.inputs:
        return _entropy_of_logits(call, steps)
    p = _rows(call, "probabilities")
    steps.checked_probabilities(p)
    log_p = steps.log(call, p) * _unit(call)
    losses = -steps.times(p, log_p).sum(axis=-1)
    value, u = _reduced(call, steps, _unweighted(losses, p.shape[-1]))

    def slopes() -> Slopes:
        gradient = -(log_p + steps.times(p, steps.log_slope(call, p)) * _unit(call)) * u[..., None]
        return {"probabilities": _back(call, gradient)}

    return value, slopes


def _kl_divergence(call: Call, steps: Steps) -> Result:
    """Σ_j p_j (ln p_j − ln q_j), one per row."""
    if "logits" in call.inputs:
        return _kl_of_logits(call, steps)
    t, log_q = _rows(call, "targets"), _rows(call, "log_probabilities")
    if t.shape != log_q.shape:
        raise ValueError(f"targets have shape {t.shape}, log_probabilities {log_q.shape}, classes last")
    logarithmic = bool(call.options.get("log_target"))
    if not logarithmic:
        steps.checked_probabilities(t)
    p, log_p = (np.exp(t), t) if logarithmic else (t, steps.log(call, t))
    gap = log_p - log_q
    losses = steps.times(p, gap).sum(axis=-1)
    value, u = _reduced(call, steps, _unweighted(losses, t.shape[-1]))

    def slopes() -> Slopes:
        by_target = (steps.times(p, gap + 1) if logarithmic else gap + 1) * u[..., None]
        return {"log_probabilities": _back(call, -p * u[..., None]), "targets": _back(call, by_target)}

    return value, slopes


def _softmax(call: Call, steps: Steps) -> Result:
    z, slope, _ = steps.transformed(call, _rows(call, "logits"))
    _, p = steps.negative_log_softmax(call, z)
    return _back(call, p), lambda: {
        "logits": _back(call, steps.times(slope, steps.softmax_slope(p, _cotangent(call, p))))
    }


def _log_softmax(call: Call, steps: Steps) -> Result:
    z, slope, _ = steps.transformed(call, _rows(call, "logits"))
    L, p = steps.negative_log_softmax(call, z)
    return _back(call, -L), lambda: {
        "logits": _back(call, steps.times(slope, steps.log_softmax_slope(p, _cotangent(call, p))))
    }


def _cotangent(call: Call, p: Wide) -> Wide:
    return np.ones_like(p) if call.cotangent is None else np.moveaxis(wide(call.cotangent), _axis(call), -1)


def _binary(
    call: Call,
    steps: Steps,
    positive: Wide,
    negative: Wide,
    name: str,
    derivatives: Callable[[], tuple[tuple[Wide, Wide], tuple[Wide, Wide]]],
) -> Result:
    """t · positive + (1 − t) · negative, weighted; the derivatives are slopes and curvatures of the two sides."""
    raw = wide(call.inputs["targets"])
    if raw.shape != positive.shape:
        raise ValueError(f"targets have shape {raw.shape}, {name} {positive.shape}")
    smoothing = float(call.options.get("label_smoothing") or 0.0)
    t = steps.smoothed_binary(raw, smoothing)
    given = call.options.get("sample_weights")
    weights = np.ones(raw.shape, dtype=WIDE) if given is None else np.broadcast_to(wide(given), raw.shape)
    losses = (steps.times(t, positive) + steps.times(1 - t, negative)) * weights
    value, u = _reduced(call, steps, Batch(losses, weights, np.ones(raw.shape, dtype=bool), 1))

    def slopes() -> Slopes:
        (up, down), curvatures = derivatives()
        scale = weights * u
        gradient = (steps.times(t, up) + steps.times(1 - t, down)) * scale
        found = {name: gradient, "targets": (positive - negative) * scale * (1 - WIDE(smoothing))}
        if call.vector is not None:
            curvature = steps.times(t, curvatures[0]) + steps.times(1 - t, curvatures[1])
            found[HESSIAN_VECTOR] = curvature * scale * wide(call.vector)
        return found

    return value, slopes


def _binary_cross_entropy(call: Call, steps: Steps) -> Result:
    p = wide(call.inputs["probabilities"])
    steps.checked_probabilities(p)
    steps.checked_probabilities(wide(call.inputs["targets"]))
    unit = _unit(call)
    up, down = -steps.log(call, p) * unit, -steps.log(call, 1 - p) * unit

    def derivatives() -> tuple[tuple[Wide, Wide], tuple[Wide, Wide]]:
        slopes = -steps.log_slope(call, p) * unit, steps.log_slope(call, 1 - p) * unit
        return slopes, (steps.log_curvature(p) * unit, steps.log_curvature(1 - p) * unit)

    return _binary(call, steps, up, down, "probabilities", derivatives)


def _binary_cross_entropy_with_logits(call: Call, steps: Steps) -> Result:
    z = wide(call.inputs["logits"])
    given = call.options.get("pos_weight")
    w = WIDE(1) if given is None else wide(given) if isinstance(given, Array) else WIDE(given)
    positive, negative = steps.sides(call, z)

    def derivatives() -> tuple[tuple[Wide, Wide], tuple[Wide, Wide]]:
        slope = steps.sigmoid_slope(z)
        return (-w * steps.sigmoid(-z), steps.sigmoid(z)), (w * slope, slope)

    return _binary(call, steps, w * positive, negative, "logits", derivatives)


def _binary_focal(call: Call, steps: Steps) -> Result:
    """α t (1 − σ)^γ (−ln σ) + (1 − α)(1 − t) σ^γ (−ln(1 − σ)), with σ = σ(z)."""
    z, gamma = wide(call.inputs["logits"]), float(call.options.get("gamma", 2.0))
    a, b = steps.alphas(call.options.get("alpha"))
    L, M = steps.sides(call, z)
    p, q = steps.sigmoid(z), steps.sigmoid(-z)
    positive, rising = steps.focal(L, p, gamma)
    negative, falling = steps.focal(M, q, gamma)

    def derivatives() -> tuple[tuple[Wide, Wide], tuple[Wide, Wide]]:
        # ∂L/∂z = −σ(−z) and ∂M/∂z = σ(z), both with the derivative σ(z) σ(−z).
        curvatures = (
            a * (steps.focal_bend(L, p, gamma) * q**2 + rising * p * q),
            b * (steps.focal_bend(M, q, gamma) * p**2 + falling * p * q),
        )
        return (-a * rising * q, b * falling * p), curvatures

    return _binary(call, steps, a * positive, b * negative, "logits", derivatives)


FAMILIES: Mapping[str, Callable[[Call, Steps], Result]] = {
    "entropy": _entropy,
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    "logsumexp": _logsumexp,
    "cross_entropy": _from_probabilities,
    "kl_divergence": _kl_divergence,
    "jensen_shannon": _jensen_shannon,
    "bernoulli_kl": _bernoulli_kl,
    "nll_loss": _nll_loss,
    "categorical_cross_entropy": _from_probabilities,
    "softmax_cross_entropy": _softmax_cross_entropy,
    "binary_cross_entropy": _binary_cross_entropy,
    "binary_cross_entropy_with_logits": _binary_cross_entropy_with_logits,
    "soft_margin": _soft_margin,
    "binary_focal": _binary_focal,
    "categorical_focal": _softmax_cross_entropy,
    "linear_cross_entropy": _linear_cross_entropy,
    "linear_jensen_shannon": _linear_jensen_shannon,
}
"""By loss, from a call and the steps to its value and slopes."""
