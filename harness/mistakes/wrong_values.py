"""Mistakes in the formula: logarithms, clamps, the softmax, smoothing, focal weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from harness.adapters.base import Answer, Array, Call
from harness.core.formats import FORMATS, rounded
from harness.mistakes.mistake import (
    BINARY,
    COMMON,
    DIAGNOSED,
    FROM_LOGITS,
    OWN,
    PROBABILITIES,
    RARE,
    SMALL_CONSTANTS,
    SOFTMAXES,
    USUAL,
    WITH_LOGITS,
    Mistake,
    mistake,
    with_options,
    with_parameter,
)
from harness.mistakes.sound import Sound
from harness.mistakes.steps import WIDE, Wide, focal, negative_log_softmax, scalar, sides, sigmoid

Softmax = Callable[[Call, Wide], tuple[Wide, Wide]]
NATIVE = {"float64": np.float64, "float32": np.float32, "float16": np.float16, "bfloat16": np.float32}
"""What code that does not think of types computes in; bfloat16 has no arithmetic of its own."""
TYPES = (OWN, "float32", "float16")
"""What exponentials are computed in."""


def _type(call: Call, name: str) -> Any:
    return NATIVE[call.dtype if name == OWN else name]


def _held(call: Call, number: float) -> Wide:
    """A constant as the format of the call holds it: in float32, 1 − 1e-7 is 1 − 1.19e-7."""
    return scalar(rounded(np.asarray(number), FORMATS[call.dtype]))


# --- logarithms ------------------------------------------------------------------------------------------------------


def _scaled(answer: Answer, value: float, gradient: float) -> Answer:
    def times(array: Array, factor: float) -> Array:
        return Array.of(array.to_float64() * factor, array.dtype)

    gradients = {name: times(g, gradient) for name, g in answer.gradients.items()}
    second = None if answer.hessian_vector is None else times(answer.hessian_vector, gradient)
    along = None if answer.directional is None else times(answer.directional, gradient)
    return replace(
        answer, value=times(answer.value, value), gradients=gradients, hessian_vector=second, directional=along
    )


def in_base(base: float, *, gradient: bool = True) -> Mapping[str, Any]:
    unit = float(1 / np.log(base))
    return {"finish": lambda _, answer: _scaled(answer, unit, unit if gradient else 1.0)}


def _logarithm(log: Callable[[Wide], Wide], slope: Callable[[Wide], Wide] | None = None) -> Mapping[str, Any]:
    """Another function in the place of ln p, with its derivative; without one the gradient is right."""
    steps: dict[str, Any] = {"log": lambda _, p: log(p)}
    return steps if slope is None else {**steps, "log_slope": lambda _, p: slope(p)}


def clipped(bound: float) -> Mapping[str, Any]:
    """ln p of p between the bound and 1 minus it, beyond which it is constant."""

    def limits(call: Call) -> tuple[Wide, Wide]:
        return _held(call, bound), _held(call, 1.0 - bound)

    def slope(call: Call, p: Wide) -> Wide:
        low, high = limits(call)
        return np.where((p < low) | (p > high), 0, 1 / p)

    return {"log": lambda call, p: np.log(np.clip(p, *limits(call))), "log_slope": slope}


def raised(bound: float) -> Mapping[str, Any]:
    return {
        "log": lambda call, p: np.log(np.maximum(p, _held(call, bound))),
        "log_slope": lambda call, p: np.where(p < _held(call, bound), 0, 1 / p),
    }


def added_inside(epsilon: float) -> Mapping[str, Any]:
    return {
        "log": lambda call, p: np.log(p + _held(call, epsilon)),
        "log_slope": lambda call, p: 1 / (p + _held(call, epsilon)),
    }


def clipped_and_added(epsilon: float) -> Mapping[str, Any]:
    def inside(call: Call, p: Wide) -> Wide:
        return np.clip(p, _held(call, epsilon), _held(call, 1.0 - epsilon)) + _held(call, epsilon)

    return {"log": lambda call, p: np.log(inside(call, p)), "log_slope": lambda call, p: 1 / inside(call, p)}


def log_clamped(bound: float) -> Mapping[str, Any]:
    return _logarithm(lambda p: np.maximum(np.log(p), bound), lambda p: np.where(np.log(p) < bound, 0, 1 / p))


def never_nan(p: Wide) -> Wide:
    return np.nan_to_num(np.log(p), neginf=0.0)


def plain_times(a: Wide, b: Wide) -> Wide:
    return a * b


def log2_below_half(p: Wide) -> Wide:
    """Base 2 for one of the two terms of a binary loss."""
    return np.where(p < 0.5, np.log2(p), np.log(p))


def unchecked(p: Wide) -> None:
    """Anything is taken for a probability."""


def renormalised(call: Call) -> Call:
    p = call.inputs["probabilities"]
    with np.errstate(all="ignore"):
        q = p.to_float64() / p.to_float64().sum(axis=call.options.get("axis", -1), keepdims=True)
    return replace(call, inputs={**call.inputs, "probabilities": Array.of(q, call.dtype)})


def through_the_sum(call: Call, answer: Answer) -> Answer:
    """The gradient of q = p / Σp, from that with respect to q."""
    if "probabilities" not in answer.gradients:
        return answer
    axis, g = call.options.get("axis", -1), answer.gradients["probabilities"].to_float64()
    total = call.inputs["probabilities"].to_float64().sum(axis=axis, keepdims=True)
    q = renormalised(call).inputs["probabilities"].to_float64()
    slope = (g - (g * q).sum(axis=axis, keepdims=True)) / total
    return replace(answer, gradients={**answer.gradients, "probabilities": Array.of(slope, call.dtype)})


def weight_of_zero_times_infinity(call: Call, answer: Answer) -> Answer:
    """A label's weight of 0 multiplies its infinite loss."""
    weights, targets = call.options.get("class_weights"), call.inputs["targets"]
    if not isinstance(weights, Array) or targets.is_float:
        return answer
    bare = with_options(call, class_weights=None, reduction="none", denominator=None)
    losses = Sound().evaluate(replace(bare, cotangent=None, vector=None)).value.to_float64()
    labels = targets.storage
    kept = labels != call.options.get("ignore_index")
    bad = np.isinf(losses) & kept & (weights.to_float64()[np.where(kept, labels, 0)] == 0)
    value = answer.value.to_float64()
    return replace(answer, value=Array.of(np.where(bad if value.ndim else bad.any(), np.nan, value), call.dtype))


# --- softmaxes -------------------------------------------------------------------------------------------------------


def _exponentials(shift: Callable[[Wide], Wide]) -> Callable[[str], Mapping[str, Any]]:
    """Exponentials of logits that something was taken off, in a format where they overflow or underflow."""

    def make(name: str) -> Mapping[str, Any]:
        def step(call: Call, x: Wide) -> tuple[Wide, Wide]:
            e = np.exp((x - shift(x)).astype(_type(call, name))) if x.size else x
            p = (e / e.sum(axis=-1, keepdims=True)).astype(WIDE)
            return -np.log(p), p

        return {"negative_log_softmax": step}

    return make


def _of_the_right(change: Callable[[Wide, Wide], tuple[Wide, Wide]]) -> Mapping[str, Any]:
    """A softmax made from −ln p and p of the right one."""
    return {"negative_log_softmax": lambda call, x: change(*negative_log_softmax(call, x))}


def _of_other_logits(change: Callable[[Wide], Wide]) -> Mapping[str, Any]:
    return {"negative_log_softmax": lambda call, x: negative_log_softmax(call, change(x))}


def normaliser_minus_logit(name: str) -> Mapping[str, Any]:
    """logsumexp(x), the maximum in it, is rounded before the logit is taken off it."""

    def step(call: Call, x: Wide) -> tuple[Wide, Wide]:
        L, p = negative_log_softmax(call, x)
        fmt = FORMATS[call.dtype if name == OWN else name]
        short = rounded((L + x).astype(np.float64), fmt).astype(WIDE)
        return np.where(np.isfinite(L), short - x, L), p

    return {"negative_log_softmax": step}


def unshifted_normaliser(name: str) -> Mapping[str, Any]:
    """ln Σ exp x − x_t as it stands, and exp(x − ln Σ exp x) for its gradient: once the sum is infinite, the loss is,
    and the softmax is 0."""

    def step(call: Call, x: Wide) -> tuple[Wide, Wide]:
        z = x.astype(_type(call, name))
        normaliser = np.log(np.exp(z).sum(axis=-1, keepdims=True))
        return (normaliser - z).astype(WIDE), np.exp(z - normaliser).astype(WIDE)

    return {"negative_log_softmax": step, "pull_back": lambda a, p: p * a.sum(axis=-1, keepdims=True) - a}


def capped(bound: float) -> Mapping[str, Any]:
    return _of_the_right(lambda _, p: (-np.log(np.maximum(p, WIDE(bound))), p))


def capped_by_adding(epsilon: float) -> Mapping[str, Any]:
    return _of_the_right(lambda _, p: (-np.log(p + WIDE(epsilon)), p))


def along_axis(axis: int) -> Mapping[str, Any]:
    """Normalised over another axis than the classes: the samples, mostly."""

    def step(call: Call, x: Wide) -> tuple[Wide, Wide]:
        L, p = negative_log_softmax(call, np.moveaxis(x, axis, -1))
        return np.moveaxis(L, -1, axis), np.moveaxis(p, -1, axis)

    return {"negative_log_softmax": step}


def without_the_largest(L: Wide, p: Wide) -> tuple[Wide, Wide]:
    return L + np.log1p(-p.max(axis=-1, keepdims=True)), p


def without_itself(L: Wide, p: Wide) -> tuple[Wide, Wide]:
    return L + np.log(-np.expm1(-L)), p


def twice(call: Call, x: Wide) -> tuple[Wide, Wide]:
    _, p = negative_log_softmax(call, x)
    return negative_log_softmax(call, p)


def through_format(name: str) -> Mapping[str, Any]:
    return _of_other_logits(lambda x: rounded(x.astype(np.float64), FORMATS[name]).astype(WIDE))


def no_softmax(call: Call, x: Wide) -> tuple[Wide, Wide]:  # noqa: ARG001
    return -x, np.exp(x)


def logits_as_probabilities(call: Call, x: Wide) -> tuple[Wide, Wide]:  # noqa: ARG001
    return -np.log(x), x


def sigmoid_for_softmax(call: Call, x: Wide) -> tuple[Wide, Wide]:  # noqa: ARG001
    return -np.log(sigmoid(x)), sigmoid(x)


def of_another_loss(loss: str, name: str) -> Mapping[str, Any]:
    """The answer of a loss that takes logits, which are the input `name` of the one that was asked for."""

    def finish(call: Call, _: Answer) -> Answer:
        inputs = {"logits" if n == name else n: array for n, array in call.inputs.items()}
        wanted = tuple("logits" if n == name else n for n in call.differentiate)
        found = Sound().evaluate(replace(call, loss=loss, inputs=inputs, differentiate=wanted, vector=None))
        return replace(found, gradients={name if n == "logits" else n: g for n, g in found.gradients.items()})

    return {"finish": finish}


def confused(call: Call, _: Answer) -> Answer:
    """The softmax where its logarithm is asked for, and the other way round."""
    other = {"softmax": "log_softmax", "log_softmax": "softmax"}[call.loss]
    return Sound().evaluate(replace(call, loss=other))


# --- smoothing -------------------------------------------------------------------------------------------------------


def over_the_others(q: Wide, smoothing: float) -> Wide:
    """ε/(K − 1) on the other classes."""
    others = max(q.shape[-1] - 1, 1)
    return (1 - WIDE(smoothing)) * q + WIDE(smoothing) * (1 - q) / others if smoothing else q


def not_taken_away(q: Wide, smoothing: float) -> Wide:
    return q + WIDE(smoothing) / q.shape[-1]


def not_spread(q: Wide, smoothing: float) -> Wide:
    return (1 - WIDE(smoothing)) * q + WIDE(smoothing)


def only_taken_away(q: Wide, smoothing: float) -> Wide:
    return (1 - WIDE(smoothing)) * q


def one_class_too_many(q: Wide, smoothing: float) -> Wide:
    return (1 - WIDE(smoothing)) * q + WIDE(smoothing) / (q.shape[-1] + 1)


def share_of_the_others_only(q: Wide, smoothing: float) -> Wide:
    return np.where(q != 0, (1 - WIDE(smoothing)) * q, WIDE(smoothing) / q.shape[-1])


def share_of_others_for_all(q: Wide, smoothing: float) -> Wide:
    return (1 - WIDE(smoothing)) * q + WIDE(smoothing) / max(q.shape[-1] - 1, 1)


def smoothed_twice(q: Wide, smoothing: float) -> Wide:
    share, kept = WIDE(smoothing) / q.shape[-1], 1 - WIDE(smoothing)
    return kept * (kept * q + share) + share


def swapped_epsilon(q: Wide, smoothing: float) -> Wide:
    return WIDE(smoothing) * q + (1 - WIDE(smoothing)) / q.shape[-1] if smoothing else q


def not_at_all(q: Wide, smoothing: float) -> Wide:  # noqa: ARG001
    return q


# --- sides of binary losses ------------------------------------------------------------------------------------------


def naive_sides(name: str) -> Mapping[str, Any]:
    """log(1 + e^z) as written: in float32 infinite from 88.7 on, zero below −17."""

    def step(call: Call, z: Wide) -> tuple[Wide, Wide]:
        short = z.astype(_type(call, name))
        one = short.dtype.type(1)
        return np.log(one + np.exp(-short)).astype(WIDE), np.log(one + np.exp(short)).astype(WIDE)

    return {"sides": step}


def one_sided(name: str) -> Mapping[str, Any]:
    """The positive side as negative side minus z, which cancels for large z."""

    def step(call: Call, z: Wide) -> tuple[Wide, Wide]:
        kind, (_, negative) = _type(call, name), sides(call, z)
        return (negative.astype(kind) - z.astype(kind)).astype(WIDE), negative

    return {"sides": step}


def logarithms_of_sigmoid(name: str) -> Mapping[str, Any]:
    def step(call: Call, z: Wide) -> tuple[Wide, Wide]:
        short = z.astype(_type(call, name))
        one = short.dtype.type(1)
        p = one / (one + np.exp(-short))
        return -np.log(p).astype(WIDE), -np.log(one - p).astype(WIDE)

    return {"sides": step}


def clipped_sigmoid(bound: float) -> Mapping[str, Any]:
    def step(call: Call, z: Wide) -> tuple[Wide, Wide]:
        p = np.clip(sigmoid(z), _held(call, bound), _held(call, 1.0 - bound))
        return -np.log(p), -np.log(1 - p)

    return {"sides": step}


def added_to_sigmoid(epsilon: float) -> Mapping[str, Any]:
    return {
        "sides": lambda call, z: (
            -np.log(sigmoid(z) + _held(call, epsilon)),
            -np.log(sigmoid(-z) + _held(call, epsilon)),
        )
    }


COMPLEMENT = "1 − σ"


def _rounded_sigmoids(call: Call, z: Wide, other: str = COMPLEMENT) -> tuple[Any, Any]:
    """σ(z), and 1 − σ(z) or σ(−z), in the format of the inputs."""
    short = z.astype(_type(call, OWN))
    one = short.dtype.type(1)
    p = one / (one + np.exp(-short))
    return p, one - p if other == COMPLEMENT else one / (one + np.exp(short))


def added_to_rounded_sigmoid(epsilon: float) -> Mapping[str, Any]:
    def step(call: Call, z: Wide) -> tuple[Wide, Wide]:
        p, q = _rounded_sigmoids(call, z)
        short = p.dtype.type(epsilon)
        return -np.log(p + short).astype(WIDE), -np.log(q + short).astype(WIDE)

    return {"sides": step}


def raised_rounded_sigmoid(bound: float) -> Mapping[str, Any]:
    def step(call: Call, z: Wide) -> tuple[Wide, Wide]:
        p, q = _rounded_sigmoids(call, z)
        short = p.dtype.type(bound)
        return -np.log(np.maximum(p, short)).astype(WIDE), -np.log(np.maximum(q, short)).astype(WIDE)

    return {"sides": step}


def slope_of_log_zero(other: str) -> Mapping[str, Any]:
    """Autograd multiplies the infinite slope of ln 0 with the slope of σ there, which is 0."""

    def finish(call: Call, answer: Answer) -> Answer:
        z = call.inputs["logits"].to_float64().astype(WIDE)
        gone = np.logical_or.reduce([part == 0 for part in _rounded_sigmoids(call, z, other)])
        found = answer.gradients.get("logits")
        if found is None or not gone.any():
            return answer
        slopes = np.where(gone, np.nan, found.to_float64())
        return replace(answer, gradients={**answer.gradients, "logits": Array.of(slopes, found.dtype)})

    return {"finish": finish}


def positive_only(call: Call, z: Wide) -> tuple[Wide, Wide]:
    positive, _ = sides(call, z)
    return positive, np.zeros_like(z)


def negative_only(call: Call, z: Wide) -> tuple[Wide, Wide]:
    _, negative = sides(call, z)
    return np.zeros_like(z), negative


# --- focal weights ---------------------------------------------------------------------------------------------------


def focal_weight_of_p(L: Wide, p: Wide, gamma: float) -> tuple[Wide, Wide]:
    """p^γ: the easy examples weigh most."""
    return p**gamma * L, p**gamma * (1 - gamma * L)


def _other_exponent(change: Callable[[float], float]) -> Mapping[str, Any]:
    return {"focal": lambda L, p, gamma: focal(L, p, max(change(gamma), 0.0))}


def without_focus(L: Wide, p: Wide, gamma: float) -> tuple[Wide, Wide]:  # noqa: ARG001
    return L, np.ones_like(L)


def detached_focus(L: Wide, p: Wide, gamma: float) -> tuple[Wide, Wide]:
    value, _ = focal(L, p, gamma)
    return value, (-np.expm1(-L)) ** gamma if gamma else np.ones_like(L)


def _alphas(change: Callable[[Wide], tuple[Any, Any]]) -> Mapping[str, Any]:
    return {"alphas": lambda alpha: (1, 1) if alpha is None else change(scalar(alpha))}


_ALL_SOFTMAX = (*SOFTMAXES, *FROM_LOGITS)
_SMOOTHED = ("softmax_cross_entropy", "categorical_cross_entropy")
_LOGGED = (*PROBABILITIES, *FROM_LOGITS, *WITH_LOGITS, "nll_loss", "kl_divergence", "log_softmax")
_FOCAL = ("binary_focal", "categorical_focal")


def _softmax(sentence: str, losses: tuple[str, ...], step: Softmax, rank: int = USUAL) -> Mistake:
    return mistake(sentence, losses, rank=rank, negative_log_softmax=step)


def _smoothing(sentence: str, losses: tuple[str, ...], rule: Callable[[Wide, float], Wide]) -> Mistake:
    return mistake(sentence, losses, smoothed=rule)


MISTAKES: Mapping[str, Mistake] = {
    "log-base-2": with_parameter("logarithms have base {}, not e", _LOGGED, in_base, 2.0, (10.0,), rank=COMMON),
    "value-in-bits": mistake(
        "the value is in bits, its gradient in nats",
        ("softmax_cross_entropy", "entropy"),
        same_step="log-base-2",
        **in_base(2.0, gradient=False),
    ),
    "log2-in-one-term": mistake(
        "one of the two logarithms, that of a probability below a half, has base 2",
        ("binary_cross_entropy", "entropy"),
        **_logarithm(log2_below_half),
    ),
    "clip": with_parameter("probabilities are clipped: clip({})", PROBABILITIES, clipped, 1e-3, SMALL_CONSTANTS),
    "raised-probabilities": with_parameter(
        "probabilities are raised to {}: ln max(p, ·)", DIAGNOSED, raised, 1e-7, SMALL_CONSTANTS
    ),
    "epsilon-inside-log": with_parameter(
        "{} is added inside the logarithm", PROBABILITIES, added_inside, 1e-8, SMALL_CONSTANTS
    ),
    "clip-and-add": with_parameter(
        "probabilities are clipped to {0} and {0} is added as well",
        (*PROBABILITIES, "kl_divergence"),
        clipped_and_added,
        1e-7,
        SMALL_CONSTANTS,
    ),
    "clamped-logarithm": with_parameter(
        "logarithms are clamped at {}", DIAGNOSED, log_clamped, -100.0, (-50.0, -20.0, -10.0)
    ),
    "renormalised-probabilities": mistake(
        "probabilities are divided by their sum", DIAGNOSED, prepare=renormalised, finish=through_the_sum
    ),
    "one-minus-p": mistake(
        "takes 1 − p for −ln p",
        ("categorical_cross_entropy", "binary_cross_entropy"),
        **_logarithm(lambda p: p - 1, np.ones_like),
        **_of_the_right(lambda L, p: (-np.expm1(-L), p)),
    ),
    "probability-for-logarithm": mistake(
        "the probability itself stands for its logarithm", DIAGNOSED, **_logarithm(lambda p: p, np.ones_like)
    ),
    "log1p-for-log": mistake("ln(1 + p) stands for ln p", DIAGNOSED, **_logarithm(np.log1p, lambda p: 1 / (1 + p))),
    "infinity-to-zero": mistake(
        "the logarithm of 0 is replaced by 0",
        PROBABILITIES,
        rank=COMMON,
        **_logarithm(never_nan, lambda p: np.where(p == 0, 0, 1 / p)),
    ),
    "zero-times-infinity": mistake(
        "0 · ln 0 is nan, not 0",
        ("softmax_cross_entropy", *PROBABILITIES, "kl_divergence"),
        rank=COMMON,
        times=plain_times,
    ),
    "zero-weight-times-infinity": mistake(
        "a weight of 0 times an infinite loss is nan, not 0", DIAGNOSED, finish=weight_of_zero_times_infinity
    ),
    "unchecked-probabilities": mistake(
        "probabilities beyond 1 are not refused", BINARY[:1], checked_probabilities=unchecked
    ),
    "no-max-shift": with_parameter(
        "the maximum is not taken off before exp, in {}", _ALL_SOFTMAX, _exponentials(lambda _: scalar(0)), OWN, TYPES
    ),
    # pytorch#38839, ml-explore/mlx#4169 and #4188
    "rounded-normaliser": with_parameter(
        "logsumexp(x) − x_t without the shift: a large number is added and taken off again, in {}",
        ("log_softmax", "softmax_cross_entropy", "categorical_focal"),
        normaliser_minus_logit,
        OWN,
        ("float32",),
        rank=COMMON,
    ),
    "unshifted-normaliser": with_parameter(
        "ln Σ exp x − x_t without the shift: the sum of the exponentials overflows, in {}",
        DIAGNOSED,
        unshifted_normaliser,
        OWN,
        ("float32",),
    ),
    "log-of-softmax": with_parameter(
        "takes the logarithm of a softmax that has underflowed, in {}",
        _ALL_SOFTMAX[1:],
        _exponentials(lambda x: x.max(axis=-1, keepdims=True)),
        OWN,
        TYPES,
    ),
    "shift-of-the-batch": with_parameter(
        "one maximum is taken off the whole batch, in {}", _ALL_SOFTMAX, _exponentials(lambda x: x.max()), OWN, TYPES
    ),
    "capped-loss": with_parameter(
        "the probability is raised to {}, which caps the loss", FROM_LOGITS, capped, 1e-7, SMALL_CONSTANTS
    ),
    "loss-capped-by-adding": with_parameter(
        "{} is added to the probability before its logarithm, which caps the loss",
        DIAGNOSED,
        capped_by_adding,
        1e-7,
        SMALL_CONSTANTS,
    ),
    "wrong-axis": with_parameter(
        "normalised along axis {} (the samples), not along the classes", _ALL_SOFTMAX, along_axis, 0, (1,)
    ),
    "class-left-out": mistake(
        "the largest class is missing from the denominator", FROM_LOGITS, **_of_the_right(without_the_largest)
    ),
    "class-missing-from-its-own": mistake(
        "each class is missing from its own denominator", DIAGNOSED, **_of_the_right(without_itself)
    ),
    "softmax-twice": _softmax("softmax is applied to its own result", FROM_LOGITS, twice),
    "logits-in-float16": with_parameter(
        "logits pass through {}", _ALL_SOFTMAX, through_format, "float16", ("bfloat16", "float32")
    ),
    "divided-logits": with_parameter(
        "logits are divided by {}",
        DIAGNOSED,
        lambda t: _of_other_logits(lambda x: x / WIDE(t)),
        2.0,
        (0.5, 10.0, 0.1),
    ),
    "no-softmax": _softmax("there is no softmax: logits are taken for log probabilities", DIAGNOSED, no_softmax),
    "logits-for-probabilities": _softmax(
        "there is no softmax: logits are taken for probabilities", DIAGNOSED, logits_as_probabilities, RARE
    ),
    "sigmoid-for-softmax": _softmax("a sigmoid stands for the softmax", DIAGNOSED, sigmoid_for_softmax),
    "softmax-of-probabilities": mistake(
        "the probabilities are taken for logits",
        DIAGNOSED,
        **of_another_loss("softmax_cross_entropy", "probabilities"),
    ),
    "softmax-of-logarithms": mistake(
        "the log probabilities are taken for logits",
        DIAGNOSED,
        **of_another_loss("softmax_cross_entropy", "log_probabilities"),
    ),
    "logarithm-of-softmax-returned": mistake("the softmax and its logarithm are confused", DIAGNOSED, finish=confused),
    "smoothing-over-others": _smoothing(
        "smoothing spreads ε over the other classes: ε/(K−1)", _SMOOTHED, over_the_others
    ),
    "smoothing-adds-up": _smoothing("smoothing adds ε/K and takes nothing away", _SMOOTHED, not_taken_away),
    "smoothing-not-spread": _smoothing("smoothing gives every class ε, not ε/K", _SMOOTHED, not_spread),
    "smoothing-only-scales": mistake(
        "smoothing scales by 1 − ε and adds nothing",
        _SMOOTHED,
        smoothed=only_taken_away,
        smoothed_binary=only_taken_away,
    ),
    "smoothing-wrong-count": _smoothing("smoothing spreads over K + 1 classes", _SMOOTHED, one_class_too_many),
    "smoothing-of-others-only": _smoothing(
        "smoothing takes ε from the target and gives ε/K to the others only", DIAGNOSED, share_of_the_others_only
    ),
    "smoothing-of-others-for-all": _smoothing(
        "smoothing is ε/(K−1) on every class", DIAGNOSED, share_of_others_for_all
    ),
    "smoothing-twice": _smoothing("smoothing is done twice", DIAGNOSED, smoothed_twice),
    "smoothing-swapped": _smoothing("ε and 1 − ε are swapped", DIAGNOSED, swapped_epsilon),
    "ignores-smoothing": mistake(
        "the option label_smoothing is ignored",
        (*_SMOOTHED, *BINARY, "categorical_focal"),
        rank=COMMON,
        smoothed=not_at_all,
        smoothed_binary=not_at_all,
    ),
    "smoothing-whole-epsilon": mistake(
        "binary smoothing adds ε instead of ε/2", BINARY[:2], smoothed_binary=not_spread
    ),
    "binary-smoothing-adds-up": mistake(
        "binary smoothing adds ε/2 and takes nothing away",
        DIAGNOSED,
        smoothed_binary=lambda t, smoothing: t + WIDE(smoothing) / 2,
    ),
    "binary-smoothing-both-ways": mistake(
        "binary smoothing moves targets by ε, not by ε/2",
        DIAGNOSED,
        smoothed_binary=lambda t, smoothing: (1 - 2 * WIDE(smoothing)) * t + WIDE(smoothing),
    ),
    "naive-softplus": with_parameter(
        "log(1 + e^z) is computed as written, in {}", WITH_LOGITS, naive_sides, "float32", TYPES
    ),
    "one-sided": with_parameter(
        "one side is the other minus z, which cancels, in {}", WITH_LOGITS, one_sided, "float32", TYPES
    ),
    "logarithms-of-sigmoid": with_parameter(
        "takes the logarithms of σ and of 1 − σ, in {}", DIAGNOSED, logarithms_of_sigmoid, OWN, TYPES
    ),
    "clipped-sigmoid": with_parameter(
        "the sigmoid is clipped to {}", DIAGNOSED, clipped_sigmoid, 1e-7, SMALL_CONSTANTS
    ),
    "epsilon-added-to-sigmoid": with_parameter(
        "{} is added to the sigmoid before its logarithm", DIAGNOSED, added_to_sigmoid, 1e-7, SMALL_CONSTANTS
    ),
    # kornia/kornia#1362
    "epsilon-added-to-rounded-sigmoid": with_parameter(
        "{} is added to σ and to 1 − σ, both in the format of the inputs, before the logarithm",
        DIAGNOSED,
        added_to_rounded_sigmoid,
        1e-8,
        SMALL_CONSTANTS,
    ),
    # dmlc/xgboost#6731
    "rounded-sigmoid-raised": with_parameter(
        "σ and 1 − σ, both in the format of the inputs, are raised to {} before the logarithm",
        DIAGNOSED,
        raised_rounded_sigmoid,
        1e-16,
        SMALL_CONSTANTS,
    ),
    # kornia/kornia#2125
    "slope-of-log-zero": with_parameter(
        "the logarithm of σ or of {} is differentiated where that is 0 in the format of the inputs",
        DIAGNOSED,
        slope_of_log_zero,
        COMPLEMENT,
        ("σ(−z)",),
    ),
    "positive-term-only": mistake("the term of the negatives is forgotten", WITH_LOGITS, sides=positive_only),
    "negative-term-only": mistake("the term of the positives is forgotten", DIAGNOSED, sides=negative_only),
    "focal-weight-of-p": mistake("the focal weight is p^γ, not (1 − p)^γ", _FOCAL, focal=focal_weight_of_p),
    "gamma-plus-one": mistake("the focal exponent is γ + 1", _FOCAL, **_other_exponent(lambda gamma: gamma + 1)),
    "gamma-minus-one": mistake("the focal exponent is γ − 1", DIAGNOSED, **_other_exponent(lambda gamma: gamma - 1)),
    "ignores-gamma": mistake(
        "the option gamma is ignored: γ is always 2", _FOCAL, rank=COMMON, **_other_exponent(lambda _: 2.0)
    ),
    "no-focal-weight": mistake("there is no focal weight", _FOCAL, rank=COMMON, focal=without_focus),
    "detached-focal-weight": mistake(
        "the gradient does not pass through the focal weight", _FOCAL, focal=detached_focus
    ),
    "alpha-swapped": mistake("α and 1 − α are swapped", ("binary_focal",), **_alphas(lambda alpha: (1 - alpha, alpha))),
    "alpha-for-positives-only": mistake(
        "negatives are not weighed by 1 − α", ("binary_focal",), **_alphas(lambda alpha: (alpha, 1))
    ),
    "alpha-for-both": mistake("α weighs both sides", ("binary_focal",), **_alphas(lambda alpha: (alpha, alpha))),
    "one-minus-alpha-for-both": mistake(
        "1 − α weighs both sides", DIAGNOSED, **_alphas(lambda alpha: (1 - alpha, 1 - alpha))
    ),
}
"""By name."""
