"""`evaluate`: from names, arrays and options to the value and every gradient.

Arguments are checked first, then the formulas run on `DoubleDouble` (the truth) or on `Plain` (the same formulas in an
ordinary type). Long inputs are worked on in blocks of rows, so that memory stays a small multiple of the input.
"""

from __future__ import annotations

import decimal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reference import arguments, binary, conventions, probabilities, softmax
from reference.arguments import ArgumentError, Floats
from reference.decimals import Decimals, context
from reference.doubledouble import DoubleDouble, watching
from reference.numbers import others_sum, vanishing
from reference.plain import Plain
from reference.reductions import RowWeights, denominator_kind, reduction
from reference.signatures import LOSSES

BLOCK = 2**15
"""Elements worked on at once: a dozen float64 temporaries of this size (3 MB) stay in a second-level cache."""


LARGEST_DECIMAL = 2**12
"""Input elements up to which a result that cancels is evaluated again in decimal arithmetic, at some 0.1 ms each. In
larger inputs a cancelling gradient element keeps an absolute error of 2^-100 of its terms."""


@dataclass(frozen=True, eq=False)
class Exact:
    """Numbers hi + lo, unevaluated; `float(x)` and `np.asarray(x)` give the nearest float64."""

    hi: NDArray[Any]
    lo: NDArray[Any]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.hi.shape

    def __float__(self) -> float:
        return float(self.hi)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        array = self.hi if dtype is None else self.hi.astype(dtype)
        return array.copy() if copy else array


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The value of a loss and its gradients, by the name of the input."""

    value: Exact
    gradients: dict[str, Exact]


Make = Callable[[ArrayLike], Any]


def evaluate(
    loss: str,
    inputs: Mapping[str, Any],
    options: Mapping[str, Any] | None = None,
    convention: Mapping[str, Any] | str | None = None,
    *,
    cotangent: ArrayLike | None = None,
    differentiate: Sequence[str] | None = None,
) -> Evaluation:
    """The exact value and gradients of a loss, under a convention.

    `cotangent` has the shape of the value and weighs it before differentiating (default: ones). `differentiate` names
    inputs (default: all that can be differentiated). Raises ValueError naming the argument and what is allowed.
    """
    arguments_given = (loss, inputs, options, convention, cotangent, differentiate)
    with watching() as watch:
        found = _evaluate(DoubleDouble.of, *arguments_given)
    size = sum(np.size(value) for value in inputs.values())
    if watch.cancelled and size <= LARGEST_DECIMAL:
        with decimal.localcontext(context()):
            return _evaluate(Decimals.of, *arguments_given)
    return found


def evaluate_plain(
    loss: str,
    inputs: Mapping[str, Any],
    options: Mapping[str, Any] | None = None,
    convention: Mapping[str, Any] | str | None = None,
    *,
    cotangent: ArrayLike | None = None,
    differentiate: Sequence[str] | None = None,
    dtype: Any = np.float64,
) -> Evaluation:
    """The same formulas evaluated in an ordinary floating type, every operation rounding once."""

    def make(values: ArrayLike) -> Plain:
        return Plain.of(values, dtype)

    with np.errstate(all="ignore"):
        return _evaluate(make, loss, inputs, options, convention, cotangent, differentiate)


def _evaluate(
    make: Make,
    loss: str,
    inputs: Mapping[str, Any],
    options: Mapping[str, Any] | None,
    convention: Mapping[str, Any] | str | None,
    cotangent: ArrayLike | None,
    differentiate: Sequence[str] | None,
) -> Evaluation:
    chosen = {name: value for name, value in (options or {}).items() if value is not None}
    given = {name: np.asarray(value) for name, value in inputs.items() if value is not None}
    arguments.check_names(loss, given, chosen)
    named = conventions.parse(convention)
    possible = _differentiable(loss, given)
    if differentiate is None:
        wanted = possible
    else:
        wanted = tuple(differentiate)
        for name in wanted:
            if name not in possible:
                raise ArgumentError(f"differentiate: {loss} has no gradient with respect to {name!r}: {possible}")
    problem = Problem(make, loss, given, chosen, named, cotangent, wanted)
    value, gradients = _FAMILIES[loss](problem)
    return Evaluation(_exact(value), {name: _exact(gradients[name]) for name in wanted})


def _exact(number: Any) -> Exact:
    hi, lo = number.parts()
    return Exact(np.asarray(hi), np.asarray(lo))


def _differentiable(loss: str, given: Mapping[str, NDArray[Any]]) -> tuple[str, ...]:
    kinds = LOSSES[loss].inputs
    return tuple(name for name, kind in kinds.items() if name in given and not _are_labels(kind, given[name]))


def _are_labels(kind: str, array: NDArray[Any]) -> bool:
    if kind == "labels":
        return True
    return kind == "targets" and array.dtype.kind in ("i", "u")


@dataclass(frozen=True, eq=False)
class Problem:
    """Checked names and raw arrays of one evaluation."""

    make: Make
    loss: str
    inputs: Mapping[str, NDArray[Any]]
    options: Mapping[str, Any]
    convention: Mapping[str, Any]
    cotangent: ArrayLike | None
    wanted: tuple[str, ...]

    def classes_last(self, name: str) -> tuple[Floats, int]:
        array = arguments.floats(name, self.inputs[name])
        axis = arguments.axis_of(name, array, self.options.get("axis", -1))
        if array.shape[axis] == 0:
            raise ArgumentError(f"{name} has shape {array.shape}: expected at least one class along axis {axis}")
        return np.moveaxis(array, axis, -1), axis

    def cotangent_of(self, shape: tuple[int, ...]) -> Any | None:
        if self.cotangent is None:
            return None
        array = arguments.floats("cotangent", self.cotangent)
        return self.make(arguments.shaped("cotangent", array, shape, "the shape of the value"))

    def value_shape(self, rows: tuple[int, ...]) -> tuple[int, ...]:
        return rows if self.options.get("reduction", "mean") == "none" else ()


Result = tuple[Any, dict[str, Any]]


@dataclass(frozen=True, eq=False)
class _Targets:
    """Targets as weights of −ln p: a_j per row, and what denominators need."""

    a: Any
    """Class weights × sample weights × smoothed targets, classes last; rows that are ignored are 0."""
    valid: NDArray[np.bool_]
    row_weights: RowWeights[Any]
    per_target: Any
    """∂a_j/∂target_j: class weight × sample weight × (1 − ε), broadcastable to a."""
    per_row_weight: Any | None
    """∂(row weight)/∂target_j: class weight × sample weight, where row weights depend on the targets."""
    unit: Any
    """Sample weight per row: what the targets are taken to sum to under gradient_of_targets_summing_to_one."""


def _targets(problem: Problem, shape: tuple[int, ...], axis: int, *, elements: int) -> _Targets:
    make, options, convention = problem.make, problem.options, problem.convention
    rows, classes = shape[:-1], shape[-1]
    raw = problem.inputs["targets"]
    ignored = options.get("ignore_index")
    if ignored is not None and (isinstance(ignored, bool) or int(ignored) != ignored):
        raise ArgumentError(f"ignore_index = {ignored!r}: expected an integer")
    class_weights = None
    if "class_weights" in options:
        class_weights = make(arguments.weights("class_weights", options["class_weights"], (classes,), "one per class"))
    sample_weights = make(np.ones(rows))
    if "sample_weights" in options:
        sample_weights = make(arguments.weights("sample_weights", options["sample_weights"], rows, "one per row"))
    smoothing = arguments.unit_interval("label_smoothing", options.get("label_smoothing", 0.0))
    valid = np.ones(rows, dtype=bool)
    if raw.dtype.kind in "iu":
        wrap = bool(convention.get("wrap_negative_labels"))
        labels, valid = arguments.labels(raw, rows, classes, None if ignored is None else int(ignored), wrap=wrap)
        one_hot = (np.arange(classes) == labels[..., None]) & valid[..., None]
        q = make(one_hot.astype(np.float64))
        weights = sample_weights if class_weights is None else class_weights[labels] * sample_weights
    else:
        if ignored is not None and problem.loss != "nll_loss":
            raise ArgumentError("ignore_index: distributions cannot be ignored, expected integer targets")
        dense = np.moveaxis(arguments.floats("targets", raw), axis, -1) if raw.ndim == len(shape) else raw
        arguments.shaped("targets", dense, shape, "the shape of the other input")
        if convention.get("targets_argmax"):
            dense = (np.arange(classes) == np.argmax(dense, axis=-1)[..., None]).astype(np.float64)
        q = make(dense)
        weighted = q if class_weights is None else q * class_weights
        weights = sample_weights if class_weights is None else weighted.sum() * sample_weights
    keep = make(1.0) - make(smoothing)
    if smoothing:
        q = _smoothed(q, keep, make(smoothing), classes, str(convention.get("smoothing", "uniform")))
    factor = sample_weights.column() if class_weights is None else class_weights * sample_weights.column()
    a = q * factor
    a = a.where(np.broadcast_to(valid[..., None], shape), a.zeros())
    default = "weights" if class_weights is not None else "valid" if ignored is not None else "count"
    depends = class_weights is not None and raw.dtype.kind not in "iu"
    row_weights = RowWeights(weights, valid, elements, default)
    return _Targets(a, valid, row_weights, factor * keep, factor if depends else None, sample_weights)


def _smoothed(q: Any, keep: Any, smoothing: Any, classes: int, rule: str) -> Any:
    if rule == "others":
        share = smoothing / q.constant(float(max(classes - 1, 1)))
        return q * keep + (q.constant(np.ones(q.shape)) - q) * share
    return q * keep + smoothing / q.constant(float(classes))


def _in_blocks(rows: int, classes: int) -> list[slice]:
    """Slices of rows, each of about `BLOCK` elements."""
    step = max(1, BLOCK // max(classes, 1))
    return [slice(start, min(start + step, rows)) for start in range(0, rows, step)]


def _joined(make: Make, parts: list[Any], shape: tuple[int, ...]) -> Any:
    """Blocks of rows back together."""
    if not parts:
        return make(np.zeros(shape))
    first = parts[0]
    if len(parts) == 1:
        return first.reshape(*shape)
    fields = {name: np.concatenate([getattr(part, name) for part in parts]).reshape(shape) for name in vars(first)}
    return type(first)(**fields)


def _to_axis(number: Any, axis: int) -> Any:
    return number.moveaxis(-1, axis)


def _softmax(problem: Problem) -> Result:
    return _function(problem, softmax.softmax, softmax.softmax_gradient)


def _log_softmax(problem: Problem) -> Result:
    return _function(problem, softmax.log_softmax, softmax.log_softmax_gradient)


def _function(problem: Problem, value_of: Callable[[Any], Any], gradient_of: Callable[[Any, Any], Any]) -> Result:
    x, axis = problem.classes_last("logits")
    cotangent = problem.cotangent_of(np.moveaxis(x, -1, axis).shape)
    u = problem.make(np.ones(x.shape)) if cotangent is None else cotangent.moveaxis(axis, -1)
    flat, classes = x.reshape(-1, x.shape[-1]), x.shape[-1]
    weights = u.reshape(*flat.shape)
    values, gradients = [], []
    for block in _in_blocks(flat.shape[0], classes):
        r = softmax.rows(problem.make(flat[block]))
        values.append(value_of(r))
        if problem.wanted:
            gradients.append(gradient_of(r, weights[block]))
    value = _to_axis(_joined(problem.make, values, x.shape), axis)
    found = {"logits": _to_axis(_joined(problem.make, gradients, x.shape), axis)} if problem.wanted else {}
    return value, found


def _softmax_cross_entropy(problem: Problem) -> Result:
    x, axis = problem.classes_last("logits")
    t = _targets(problem, x.shape, axis, elements=x.size)
    return _cross_entropy_of_logits(problem, problem.make(x), t, axis)


def _cross_entropy_of_logits(problem: Problem, logits: Any, t: _Targets, axis: int) -> Result:
    make, shape = problem.make, logits.shape
    rows, classes = shape[:-1], shape[-1]
    count = int(np.prod(rows))
    how = reduction(t.row_weights, problem.options, problem.convention)
    scale = how.scale(rows, problem.cotangent_of(problem.value_shape(rows)), t.unit).reshape(count)
    flat, a = logits.reshape(count, classes), t.a.reshape(count, classes)
    valid = t.valid.reshape(count)
    per_target = (t.a.zeros() + t.per_target).reshape(count, classes) if "targets" in problem.wanted else None
    unit = t.unit.reshape(count)
    as_if = problem.convention.get("gradient_of_targets_summing_to_one")
    values: list[Any] = []
    slopes: list[Any] = []
    target_slopes: list[Any] = []
    for block in _in_blocks(count, classes):
        r = softmax.rows(flat[block])
        keep = valid[block]
        value = softmax.cross_entropy(r, a[block])
        values.append(value.where(keep, value.zeros()))
        if problem.wanted != ("targets",) and problem.wanted:
            others = unit[block].column() - a[block] if as_if else others_sum(a[block])
            slope = softmax.cross_entropy_gradient(r, a[block], others) * scale[block].column()
            slopes.append(slope.where(np.broadcast_to(keep[:, None], slope.shape), slope.zeros()))
        if per_target is not None:
            weight = per_target[block] * scale[block].column()
            target_slopes.append(vanishing(weight, weight * r.negative_logs()))
    found: dict[str, Any] = {}
    if slopes or count == 0:
        found["logits"] = _to_axis(_joined(make, slopes, shape), axis)
    if target_slopes or count == 0:
        found["targets"] = _to_axis(_joined(make, target_slopes, shape), axis)
    result = how.value(_joined(make, values, rows))
    return result, _with_moving_denominator(problem, t, how, result, scale.reshape(*rows), found, axis)


def _with_moving_denominator(
    problem: Problem, t: _Targets, how: Any, result: Any, scale: Any, found: dict[str, Any], axis: int
) -> dict[str, Any]:
    """The gradient wrt targets where the mean divides by weights the targets are part of.

    With W = Σ_i s_i Σ_j w_j q_ij the mean T/W has ∂/∂q_ij = (∂T/∂q_ij − mean · s_i w_j) / W.
    """
    divides = how.kind == "mean" and denominator_kind(t.row_weights, problem.options, problem.convention) == "weights"
    if "targets" not in found or t.per_row_weight is None or not divides:
        return found
    pull = (t.a.zeros() + t.per_row_weight) * (result * scale).column()
    return {**found, "targets": found["targets"] - _to_axis(pull, axis)}


def _categorical_focal(problem: Problem) -> Result:
    x, axis = problem.classes_last("logits")
    t = _targets(problem, x.shape, axis, elements=x.size)
    make, shape = problem.make, x.shape
    alpha = make(np.ones(shape[-1]))
    if "alpha" in problem.options:
        given = arguments.floats("alpha", problem.options["alpha"])
        if given.shape not in ((), (shape[-1],)) or not np.isfinite(given).all():
            raise ArgumentError(f"alpha has shape {given.shape}: expected one finite number, or one per class")
        alpha = make(np.broadcast_to(given, (shape[-1],)))
    gamma = _gamma(problem)
    how = reduction(t.row_weights, problem.options, problem.convention)
    scale = how.scale(shape[:-1], problem.cotangent_of(problem.value_shape(shape[:-1])), t.unit)
    r = softmax.rows(make(x))
    a = t.a * alpha
    found: dict[str, Any] = {}
    if "logits" in problem.wanted:
        found["logits"] = _to_axis(softmax.focal_gradient(r, a, gamma) * scale.column(), axis)
    if "targets" in problem.wanted:
        slope = (t.a.zeros() + t.per_target) * alpha * softmax.focal_target_gradient(r, gamma)
        found["targets"] = _to_axis(slope * scale.column(), axis)
    return how.value(softmax.focal(r, a, gamma)), found


def _gamma(problem: Problem) -> float:
    gamma = float(problem.options.get("gamma", 2.0))
    if not (gamma >= 0.0 and np.isfinite(gamma)):
        raise ArgumentError(f"gamma = {gamma!r}: expected a finite number of at least 0")
    return gamma


def _linear_cross_entropy(problem: Problem) -> Result:
    make = problem.make
    hidden, weight = (arguments.floats(name, problem.inputs[name]) for name in ("hidden", "weight"))
    if problem.options.get("axis", -1) not in (-1, hidden.ndim - 1):
        raise ArgumentError("axis: linear_cross_entropy has its classes last, expected -1")
    if hidden.ndim == 0 or weight.ndim != 2 or hidden.shape[-1] != weight.shape[0]:
        raise ArgumentError(f"hidden has shape {hidden.shape} and weight {weight.shape}: expected (..., d) and (d, C)")
    rows, depth, classes = hidden.shape[:-1], weight.shape[0], weight.shape[1]
    if classes == 0:
        raise ArgumentError("weight: expected at least one class")
    h, w = make(hidden.reshape(-1, depth)), make(weight)
    columns = w.moveaxis(0, 1)  # (C, d)
    logits = _matrix_product(make, h, columns)
    if "bias" in problem.inputs:
        bias = arguments.floats("bias", problem.inputs["bias"])
        logits = logits + make(arguments.shaped("bias", bias, (classes,), "one per class"))
    logits = logits.reshape(*rows, classes)
    t = _targets(problem, (*rows, classes), -1, elements=int(np.prod(rows)) * classes)
    inner = Problem(
        make,
        problem.loss,
        problem.inputs,
        problem.options,
        problem.convention,
        problem.cotangent,
        tuple({"logits": None, **{n: None for n in problem.wanted if n == "targets"}}),
    )
    value, slopes = _cross_entropy_of_logits(inner, logits, t, -1)
    found: dict[str, Any] = {"targets": slopes["targets"]} if "targets" in slopes else {}
    pull = slopes["logits"].reshape(-1, classes)
    if "hidden" in problem.wanted:
        found["hidden"] = _matrix_product(make, pull, w).reshape(*hidden.shape)
    if "weight" in problem.wanted:
        found["weight"] = _matrix_product(make, h.moveaxis(0, 1), pull.moveaxis(0, 1))
    if "bias" in problem.wanted:
        found["bias"] = pull.moveaxis(0, 1).sum()
    return value, found


def _matrix_product(make: Make, left: Any, right: Any) -> Any:
    """left (n, k) times the transpose of right (m, k), a few rows at a time."""
    n, k = left.shape
    m = right.shape[0]
    step = max(1, 4 * BLOCK // max(m * k, 1))
    parts = []
    for start in range(0, n, step):
        block = left[start : start + step]
        products = vanishing(block[:, None, :] + right.zeros(), block[:, None, :] * right[None, :, :])
        parts.append(products.sum())
    return _joined(make, parts, (n, m))


def _nll(problem: Problem) -> Result:
    logs, axis = problem.classes_last("log_probabilities")
    t = _targets(problem, logs.shape, axis, elements=logs.size)
    minus = -problem.make(logs)
    how = reduction(t.row_weights, problem.options, problem.convention)
    rows = logs.shape[:-1]
    scale = how.scale(rows, problem.cotangent_of(problem.value_shape(rows)), t.unit)
    found: dict[str, Any] = {}
    if problem.wanted:
        zero = t.a.is_zero()
        slope = -(t.a * scale.column())
        found = {"log_probabilities": _to_axis(slope.zeros().where(zero, slope), axis)}
    return how.value(vanishing(t.a, t.a * minus).sum()), found


def _of_probabilities(problem: Problem) -> Result:
    """categorical_cross_entropy, and cross_entropy of two distributions, which has no other options."""
    p, axis = problem.classes_last("probabilities")
    p = arguments.probabilities("probabilities", p)
    convention = _with_base(problem)
    t = _targets(problem, p.shape, axis, elements=p.size)
    logs = probabilities.logarithms(problem.make(p), convention)
    how = reduction(t.row_weights, problem.options, problem.convention)
    rows = p.shape[:-1]
    scale = how.scale(rows, problem.cotangent_of(problem.value_shape(rows)), t.unit)
    keep = np.broadcast_to(t.valid[..., None], p.shape)
    found: dict[str, Any] = {}
    if "probabilities" in problem.wanted:
        slope = logs.pull_back(t.a * scale.column())
        slope = slope.where(keep, slope.zeros())
        found["probabilities"] = _to_axis(slope, axis)
    if "targets" in problem.wanted:
        weight = (t.a.zeros() + t.per_target) * scale.column()
        found["targets"] = _to_axis(vanishing(weight, weight * logs.negative_logs), axis)
    result = how.value(probabilities.expectation(t.a, logs.negative_logs))
    return result, _with_moving_denominator(problem, t, how, result, scale, found, axis)


def _with_base(problem: Problem) -> dict[str, Any]:
    """The convention with the option `base` added; a convention's base wins, since it is what is asked about."""
    base = problem.options.get("base")
    if base is None:
        return dict(problem.convention)
    return {**conventions.parse({"base": base}), **problem.convention}


def _entropy(problem: Problem) -> Result:
    p, axis = problem.classes_last("probabilities")
    p = arguments.probabilities("probabilities", p)
    convention = _with_base(problem)
    number = problem.make(p)
    logs = probabilities.logarithms(number, {k: v for k, v in convention.items() if k == "base"})
    rows = p.shape[:-1]
    ones = problem.make(np.ones(rows))
    how = reduction(RowWeights(ones, np.ones(rows, dtype=bool), p.size, "count"), problem.options, problem.convention)
    scale = how.scale(rows, problem.cotangent_of(problem.value_shape(rows)), ones)
    found: dict[str, Any] = {}
    if problem.wanted:
        one = number.constant(1.0)
        if "base" in convention:
            one = one / number.constant(float(convention["base"])).log()
        found["probabilities"] = _to_axis((logs.negative_logs - one) * scale.column(), axis)
    return how.value(probabilities.expectation(number, logs.negative_logs)), found


def _kl(problem: Problem) -> Result:
    """Σ_j p_j (ln p_j − ln q_j) along the axis, one per row."""
    log_q, axis = problem.classes_last("log_probabilities")
    raw = arguments.floats("targets", problem.inputs["targets"])
    arguments.shaped("targets", raw, problem.inputs["log_probabilities"].shape, "the shape of log_probabilities")
    raw = np.moveaxis(raw, axis, -1)
    make = problem.make
    log_target = problem.options.get("log_target", False)
    if not isinstance(log_target, bool):
        raise ArgumentError(f"log_target = {log_target!r}: expected true or false")
    t, minus_log_q = make(raw), -make(log_q)
    if log_target:
        p, log_p = t.exp(), t
    else:
        if (raw < 0).any():
            raise ArgumentError("targets: expected probabilities of at least 0")
        p, log_p = t, t.log()
    back: list[Callable[[Any], Any]] = [lambda slope: slope, lambda slope: slope]
    if "clip" in problem.convention:
        # Both distributions are clipped; what lies outside the bounds has no gradient.
        p, back[0] = probabilities.clipped(p, problem.convention["clip"])
        log_p = p.log()
        q, back[1] = probabilities.clipped((-minus_log_q).exp(), problem.convention["clip"])
        minus_log_q = -q.log()
    difference = log_p + minus_log_q
    rows = log_q.shape[:-1]
    ones = make(np.ones(rows))
    weights = RowWeights(ones, np.ones(rows, dtype=bool), log_q.size, "count")
    how = reduction(weights, problem.options, problem.convention)
    scale = how.scale(rows, problem.cotangent_of(problem.value_shape(rows)), ones).column()
    found: dict[str, Any] = {}
    if "log_probabilities" in problem.wanted:
        found["log_probabilities"] = _to_axis(back[1](-(p * scale)), axis)
    if "targets" in problem.wanted:
        one = make(1.0)
        slope = vanishing(p, p * (difference + one)) if log_target else difference + one
        found["targets"] = _to_axis(back[0](slope * scale), axis)
    return how.value(vanishing(p, p * difference).sum()), found


@dataclass(frozen=True, eq=False)
class _Binary:
    """Targets and weights of a binary loss."""

    positive: Any
    negative: Any
    weights: Any
    keep: Any


def _binary_targets(problem: Problem, shape: tuple[int, ...], other: str) -> _Binary:
    make, options = problem.make, problem.options
    raw = arguments.floats("targets", problem.inputs["targets"])
    arguments.shaped("targets", raw, shape, f"the shape of {other}")
    smoothing = arguments.unit_interval("label_smoothing", options.get("label_smoothing", 0.0))
    keep = make(1.0) - make(smoothing)
    positive, negative = make(raw), make(1.0) - make(raw)
    if smoothing:
        half = make(0.5 * smoothing)
        positive, negative = positive * keep + half, negative * keep + half
    weights = make(np.ones(shape))
    if "sample_weights" in options:
        weights = make(arguments.weights("sample_weights", options["sample_weights"], shape, "one per element"))
    return _Binary(positive, negative, weights, keep)


def _binary_reduction(problem: Problem, weights: Any, shape: tuple[int, ...]) -> tuple[Any, Any]:
    rows = RowWeights(weights, np.ones(shape, dtype=bool), int(np.prod(shape)), "count")
    how = reduction(rows, problem.options, problem.convention)
    return how, how.scale(shape, problem.cotangent_of(problem.value_shape(shape)), weights)


def _pos_weight(problem: Problem, shape: tuple[int, ...]) -> Any:
    """One number, one per entry of the last axis, or one per element."""
    given = arguments.floats("pos_weight", problem.options["pos_weight"])
    if given.shape not in ((), (1,), shape[-1:], shape) or not np.isfinite(given).all():
        raise ArgumentError(f"pos_weight has shape {given.shape}: expected one finite number, {shape[-1:]} or {shape}")
    return problem.make(np.broadcast_to(given, shape))


def _binary_with_logits(problem: Problem) -> Result:
    z = arguments.floats("logits", problem.inputs["logits"])
    t = _binary_targets(problem, z.shape, "logits")
    positive, scale_target = t.positive, t.keep
    w = _pos_weight(problem, z.shape) if "pos_weight" in problem.options else None
    if w is not None:
        positive = positive * w
    s = binary.sides(problem.make(z))
    how, scale = _binary_reduction(problem, t.weights, z.shape)
    weighted = t.weights * scale
    found: dict[str, Any] = {}
    if "logits" in problem.wanted:
        found["logits"] = weighted * binary.with_logits_gradient(s, positive, t.negative)
    if "targets" in problem.wanted:
        up = s.minus_log_up if w is None else s.minus_log_up * w
        # −ln σ(z) + ln σ(−z) = −z exactly, where no weight stands between the two.
        difference = -problem.make(z) if w is None else up - s.minus_log_down
        found["targets"] = difference * weighted * scale_target
    return how.value(vanishing(t.weights, t.weights * binary.with_logits(s, positive, t.negative))), found


def _binary_focal(problem: Problem) -> Result:
    z = arguments.floats("logits", problem.inputs["logits"])
    t = _binary_targets(problem, z.shape, "logits")
    make = problem.make
    up_weight, down_weight = make(1.0), make(1.0)
    if "alpha" in problem.options:
        alpha = arguments.unit_interval("alpha", problem.options["alpha"])
        up_weight, down_weight = make(alpha), make(1.0) - make(alpha)
    gamma = _gamma(problem)
    positive, negative = t.positive * up_weight, t.negative * down_weight
    s = binary.sides(make(z))
    how, scale = _binary_reduction(problem, t.weights, z.shape)
    found: dict[str, Any] = {}
    if "logits" in problem.wanted:
        found["logits"] = scale * binary.focal_gradient(s, positive, negative, gamma)
    if "targets" in problem.wanted:
        found["targets"] = scale * binary.focal_target_gradient(s, up_weight, down_weight, gamma)
    return how.value(binary.focal(s, positive, negative, gamma)), found


def _binary(problem: Problem) -> Result:
    p = arguments.probabilities("probabilities", arguments.floats("probabilities", problem.inputs["probabilities"]))
    arguments.probabilities("targets", arguments.floats("targets", problem.inputs["targets"]))
    t = _binary_targets(problem, p.shape, "probabilities")
    make = problem.make
    convention = _with_base(problem)
    transforms = {k: v for k, v in convention.items() if k == "clip"}
    after = {k: v for k, v in convention.items() if k in ("add_inside_log", "log_clamp", "base")}
    number, back = make(p), None
    if transforms:
        number, back = probabilities.clipped(number, transforms["clip"])
    rest = make(1.0) - number
    up = probabilities.logarithms(number, after)
    down = probabilities.logarithms(rest, after)
    how, scale = _binary_reduction(problem, t.weights, p.shape)
    weighted = t.weights * scale
    value = vanishing(t.positive, t.positive * up.negative_logs) + vanishing(
        t.negative, t.negative * down.negative_logs
    )
    found: dict[str, Any] = {}
    if "probabilities" in problem.wanted:
        if "gradient_clamp" in convention:
            product = number * rest
            floor = product.zeros() + product.constant(float(convention["gradient_clamp"]))
            slope = (t.negative * number - t.positive * rest) * weighted / floor.where(product.below(floor), product)
        else:
            slope = up.pull_back(t.positive * weighted) - down.pull_back(t.negative * weighted)
        found["probabilities"] = slope if back is None else back(slope)
    if "targets" in problem.wanted:
        found["targets"] = (up.negative_logs - down.negative_logs) * weighted * t.keep
    return how.value(vanishing(t.weights, t.weights * value)), found


_FAMILIES: Mapping[str, Callable[[Problem], Result]] = {
    "entropy": _entropy,
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    "cross_entropy": _of_probabilities,
    "kl_divergence": _kl,
    "nll_loss": _nll,
    "categorical_cross_entropy": _of_probabilities,
    "softmax_cross_entropy": _softmax_cross_entropy,
    "binary_cross_entropy": _binary,
    "binary_cross_entropy_with_logits": _binary_with_logits,
    "binary_focal": _binary_focal,
    "categorical_focal": _categorical_focal,
    "linear_cross_entropy": _linear_cross_entropy,
}
