"""Mistakes in the formula: logarithms, clamps, the softmax, smoothing, focal weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from harness.adapters.base import Answer, Array, Call
from harness.mistakes.mistake import (
    BINARY,
    FROM_LOGITS,
    PROBABILITIES,
    SOFTMAXES,
    WITH_LOGITS,
    Mistake,
    mistake,
)
from harness.mistakes.steps import WIDE, Wide, focal, negative_log_softmax, sides

Softmax = Callable[[Call, Wide], tuple[Wide, Wide]]
NATIVE = {"float64": np.float64, "float32": np.float32, "float16": np.float16, "bfloat16": np.float32}
"""What code that does not think of types computes in; bfloat16 has no arithmetic of its own."""


def _scaled(answer: Answer, value: float, gradient: float) -> Answer:
    def times(array: Array, factor: float) -> Array:
        return Array.of(array.to_float64() * factor, array.dtype)

    gradients = {name: times(g, gradient) for name, g in answer.gradients.items()}
    return replace(answer, value=times(answer.value, value), gradients=gradients)


def in_bits(call: Call, answer: Answer) -> Answer:  # noqa: ARG001 - the shape of the step, here and below
    return _scaled(answer, 1 / np.log(2.0), 1 / np.log(2.0))


def value_in_bits(call: Call, answer: Answer) -> Answer:  # noqa: ARG001
    return _scaled(answer, 1 / np.log(2.0), 1.0)


def clip_and_add(p: Wide) -> Wide:
    return np.log(np.clip(p, 1e-7, 1 - 1e-7) + WIDE(1e-7))


def large_clip(p: Wide) -> Wide:
    return np.log(np.clip(p, 1e-3, 1 - 1e-3))


def epsilon_inside(p: Wide) -> Wide:
    return np.log(p + WIDE(1e-8))


def linear(p: Wide) -> Wide:
    return p - 1


def never_nan(p: Wide) -> Wide:
    return np.nan_to_num(np.log(p), neginf=0.0)


def plain_times(a: Wide, b: Wide) -> Wide:
    return a * b


def log2_below_half(p: Wide) -> Wide:
    """Base 2 for one of the two terms of a binary loss."""
    return np.where(p < 0.5, np.log2(p), np.log(p))


def without_shift(call: Call, x: Wide) -> tuple[Wide, Wide]:
    """Exponentials of the logits themselves, in the precision of the call: they overflow from ln(largest) on."""
    e = np.exp(x.astype(NATIVE[call.dtype]))
    p = (e / e.sum(axis=-1, keepdims=True)).astype(WIDE)
    return -np.log(p), p


def log_of_softmax(call: Call, x: Wide) -> tuple[Wide, Wide]:
    """The logarithm of a softmax that has already underflowed."""
    d = (x - x.max(axis=-1, keepdims=True)).astype(NATIVE[call.dtype])
    e = np.exp(d)
    p = (e / e.sum(axis=-1, keepdims=True)).astype(WIDE)
    return -np.log(p), p


def capped(call: Call, x: Wide) -> tuple[Wide, Wide]:
    _, p = negative_log_softmax(call, x)
    return -np.log(np.maximum(p, WIDE(1e-7))), p


def shift_of_the_batch(call: Call, x: Wide) -> tuple[Wide, Wide]:
    """One maximum for the whole batch: rows far below it underflow."""
    e = np.exp((x - x.max()).astype(NATIVE[call.dtype])) if x.size else x
    p = (e / e.sum(axis=-1, keepdims=True)).astype(WIDE)
    return -np.log(p), p


def over_the_batch(call: Call, x: Wide) -> tuple[Wide, Wide]:
    """Normalised over the samples instead of the classes."""
    L, p = negative_log_softmax(call, np.moveaxis(x, 0, -1))
    return np.moveaxis(L, -1, 0), np.moveaxis(p, -1, 0)


def other_classes_only(call: Call, x: Wide) -> tuple[Wide, Wide]:
    """The largest class is missing from the denominator."""
    L, p = negative_log_softmax(call, x)
    top = p.max(axis=-1, keepdims=True)
    return L + np.log1p(-top), p


def twice(call: Call, x: Wide) -> tuple[Wide, Wide]:
    _, p = negative_log_softmax(call, x)
    return negative_log_softmax(call, p)


def half_precision(call: Call, x: Wide) -> tuple[Wide, Wide]:
    return negative_log_softmax(call, x.astype(np.float16).astype(WIDE))


def squeezed(call: Call, x: Wide) -> tuple[Wide, Wide]:
    """Logits beyond ±50 are clamped so that exp does not overflow."""
    return negative_log_softmax(call, np.clip(x, -50, 50))


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


def not_at_all(q: Wide, smoothing: float) -> Wide:  # noqa: ARG001
    return q


def naive_sides(z: Wide) -> tuple[Wide, Wide]:
    """log(1 + e^z) in float32: infinite from 88.7 on, zero below −17."""
    short = z.astype(np.float32)
    return np.log(1 + np.exp(-short)).astype(WIDE), np.log(1 + np.exp(short)).astype(WIDE)


def one_sided(z: Wide) -> tuple[Wide, Wide]:
    """The positive side as negative side minus z, which cancels for large z."""
    negative = np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))
    return (negative.astype(np.float32) - z.astype(np.float32)).astype(WIDE), negative


def positive_only(z: Wide) -> tuple[Wide, Wide]:
    positive, _ = sides(z)
    return positive, np.zeros_like(z)


def focal_weight_of_p(L: Wide, p: Wide, gamma: float) -> tuple[Wide, Wide]:
    """p^γ: the easy examples weigh most."""
    return p**gamma * L, p**gamma * (1 - gamma * L)


def gamma_plus_one(L: Wide, p: Wide, gamma: float) -> tuple[Wide, Wide]:
    return focal(L, p, gamma + 1)


def gamma_two(L: Wide, p: Wide, gamma: float) -> tuple[Wide, Wide]:  # noqa: ARG001
    return focal(L, p, 2.0)


def without_focus(L: Wide, p: Wide, gamma: float) -> tuple[Wide, Wide]:  # noqa: ARG001
    return L, np.ones_like(L)


def detached_focus(L: Wide, p: Wide, gamma: float) -> tuple[Wide, Wide]:
    value, _ = focal(L, p, gamma)
    return value, (-np.expm1(-L)) ** gamma if gamma else np.ones_like(L)


def swapped_alphas(alpha: Any) -> tuple[Any, Any]:
    return (1, 1) if alpha is None else (1 - WIDE(alpha), WIDE(alpha))


def positive_alpha_only(alpha: Any) -> tuple[Any, Any]:
    return (1, 1) if alpha is None else (WIDE(alpha), 1)


def same_alpha(alpha: Any) -> tuple[Any, Any]:
    return (1, 1) if alpha is None else (WIDE(alpha), WIDE(alpha))


def unchecked(p: Wide) -> None:
    """Anything is taken for a probability."""


_SOFTMAX = "negative_log_softmax"


def _softmax(sentence: str, losses: tuple[str, ...], step: Softmax) -> Mistake:
    return mistake(sentence, losses, **{_SOFTMAX: step})


_ALL_SOFTMAX = (*SOFTMAXES, *FROM_LOGITS)
_SMOOTHED = ("softmax_cross_entropy", "categorical_cross_entropy")
_LOGGED = (*PROBABILITIES, *FROM_LOGITS, *WITH_LOGITS, "nll_loss", "kl_divergence", "log_softmax")

MISTAKES: Mapping[str, Mistake] = {
    "log-base-2": mistake("logarithms have base 2", _LOGGED, finish=in_bits),
    "value-in-bits": mistake(
        "the value is in bits, its gradient in nats", ("softmax_cross_entropy", "entropy"), finish=value_in_bits
    ),
    "log2-in-one-term": mistake(
        "one of the two logarithms has base 2", ("binary_cross_entropy", "entropy"), log=log2_below_half
    ),
    "clip-and-add": mistake("clips to 1e-7 and adds 1e-7 as well", (*PROBABILITIES, "kl_divergence"), log=clip_and_add),
    "clip-1e-3": mistake("clips probabilities at 1e-3", PROBABILITIES, log=large_clip),
    "epsilon-inside-log": mistake("adds 1e-8 inside the logarithm", PROBABILITIES, log=epsilon_inside),
    "one-minus-p": mistake("takes 1 − p for −ln p", ("categorical_cross_entropy", "binary_cross_entropy"), log=linear),
    "infinity-to-zero": mistake("the logarithm of 0 is replaced by 0", PROBABILITIES, log=never_nan),
    "zero-times-infinity": mistake(
        "0 · ln 0 is nan", ("softmax_cross_entropy", *PROBABILITIES, "kl_divergence"), times=plain_times
    ),
    "unchecked-probabilities": mistake(
        "probabilities beyond 1 are not refused", BINARY[:1], checked_probabilities=unchecked
    ),
    "no-max-shift": _softmax("the maximum is not taken off before exp", _ALL_SOFTMAX, without_shift),
    "log-of-softmax": _softmax("takes the logarithm of an underflowed softmax", _ALL_SOFTMAX[1:], log_of_softmax),
    "capped-loss": _softmax("an epsilon in the logarithm caps the loss at 16.1", FROM_LOGITS, capped),
    "shift-of-the-batch": _softmax("one maximum is taken off the whole batch", _ALL_SOFTMAX, shift_of_the_batch),
    "wrong-axis": _softmax("normalises over the samples, not the classes", _ALL_SOFTMAX, over_the_batch),
    "class-left-out": _softmax("the largest class is missing from the denominator", FROM_LOGITS, other_classes_only),
    "softmax-twice": _softmax("applies softmax to its own result", FROM_LOGITS, twice),
    "logits-in-float16": _softmax("logits pass through float16", _ALL_SOFTMAX, half_precision),
    "clamped-logits": _softmax("logits beyond ±50 are clamped", ("softmax_cross_entropy", "log_softmax"), squeezed),
    "smoothing-over-others": mistake("smoothing gives ε/(K−1) to the others", _SMOOTHED, smoothed=over_the_others),
    "smoothing-adds-up": mistake("smoothing adds ε/K and takes nothing away", _SMOOTHED, smoothed=not_taken_away),
    "smoothing-not-spread": mistake("smoothing gives every class ε, not ε/K", _SMOOTHED, smoothed=not_spread),
    "smoothing-only-scales": mistake("smoothing scales by 1 − ε and adds nothing", _SMOOTHED, smoothed=only_taken_away),
    "smoothing-wrong-count": mistake("smoothing spreads over K + 1 classes", _SMOOTHED, smoothed=one_class_too_many),
    "ignores-smoothing": mistake(
        "label smoothing has no effect",
        (*_SMOOTHED, *BINARY[:2]),
        smoothed=not_at_all,
        smoothed_binary=not_at_all,
    ),
    "smoothing-whole-epsilon": mistake(
        "binary smoothing adds ε instead of ε/2", BINARY[:2], smoothed_binary=not_spread
    ),
    "naive-softplus": mistake("computes log(1 + e^z) as written, in float32", WITH_LOGITS, sides=naive_sides),
    "one-sided": mistake("gets one side from the other by subtraction", WITH_LOGITS, sides=one_sided),
    "positive-term-only": mistake("the term of the negatives is forgotten", WITH_LOGITS, sides=positive_only),
    "focal-weight-of-p": mistake(
        "the focal weight is p^γ, not (1 − p)^γ", ("binary_focal", "categorical_focal"), focal=focal_weight_of_p
    ),
    "gamma-plus-one": mistake(
        "the focal exponent is γ + 1", ("binary_focal", "categorical_focal"), focal=gamma_plus_one
    ),
    "ignores-gamma": mistake("γ is always 2", ("binary_focal", "categorical_focal"), focal=gamma_two),
    "no-focal-weight": mistake("there is no focal weight", ("binary_focal", "categorical_focal"), focal=without_focus),
    "detached-focal-weight": mistake(
        "the gradient does not pass through the focal weight",
        ("binary_focal", "categorical_focal"),
        focal=detached_focus,
    ),
    "alpha-swapped": mistake("α weighs the negatives, 1 − α the positives", ("binary_focal",), alphas=swapped_alphas),
    "alpha-for-positives-only": mistake(
        "negatives are not weighed by 1 − α", ("binary_focal",), alphas=positive_alpha_only
    ),
    "alpha-for-both": mistake("α weighs both sides", ("binary_focal",), alphas=same_alpha),
}
"""By name."""
