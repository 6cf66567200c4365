"""Mistakes in the gradient alone: the value is right."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from harness.adapters.base import Answer, Array, Call
from harness.core.formats import FORMATS, rounded
from harness.mistakes.mistake import (
    COMMON,
    DIAGNOSED,
    FROM_LOGITS,
    LABELLED,
    MAIN,
    PROBABILITIES,
    RARE,
    SMALL_CONSTANTS,
    WITH_LOGITS,
    Mistake,
    mistake,
    with_parameter,
)
from harness.mistakes.steps import WIDE, Wide, pull_back, sigmoid, sigmoid_slope
from harness.mistakes.wrong_answers import GRADIENT, renumbered, through, times


def targets_sum_to_one(a: Wide, p: Wide) -> Wide:
    """p − y, whatever the sum of y."""
    return np.where((a != 0).any(axis=-1, keepdims=True), p, 0) - a


def difference_in(name: str) -> Mapping[str, Any]:
    """p_t − 1 after p has been rounded."""

    def step(a: Wide, p: Wide) -> Wide:
        short = rounded(p.astype(np.float64), FORMATS[name]).astype(WIDE)
        return short * a.sum(axis=-1, keepdims=True) - a

    return {"pull_back": step}


def target_not_taken_off(a: Wide, p: Wide) -> Wide:
    return p * a.sum(axis=-1, keepdims=True)


def wrong_sign_at_target(a: Wide, p: Wide) -> Wide:
    g = pull_back(a, p)
    return np.where(a != 0, -g, g)


def without_probabilities(a: Wide, p: Wide) -> Wide:  # noqa: ARG001 - the shape of the step
    return -a


def sigmoid_in(name: str) -> Mapping[str, Any]:
    """1/(1 + e^−z), in float16 so that 1 − σ is 0 from about 8 on."""

    def step(z: Wide) -> Wide:
        short = z.astype(name)
        return (1 / (1 + np.exp(-short))).astype(WIDE)

    return {"sigmoid": step}


def one_minus_sigmoid_in(name: str) -> Mapping[str, Any]:
    """The sigmoid of the other side as 1 minus this one."""
    of = sigmoid_in(name)["sigmoid"]
    return {"sigmoid": lambda z: np.where(z >= 0, of(z), 1 - of(-z))}


def same_side(z: Wide) -> Wide:
    return sigmoid(np.abs(z))


def _slope(slope: Callable[[Wide], Wide]) -> Mapping[str, Any]:
    return {"log_slope": lambda _, p: slope(p)}


def clipped_slope(bound: float) -> Mapping[str, Any]:
    return _slope(lambda p: 1 / np.maximum(p, WIDE(bound)))


def diagonal_only(p: Wide, u: Wide) -> Wide:
    """p (1 − p) u: the other classes are taken not to move."""
    return p * (1 - p) * u


def as_if_unit(p: Wide, u: Wide) -> Wide:
    """u − p, right where the cotangents of a row sum to 1 only."""
    return u - p


def first_negated(g: Wide) -> Wide:
    flipped = g.copy()
    if flipped.size:
        flipped.flat[0] = -flipped.flat[0]
    return flipped


def without_mean(p: Wide, u: Wide) -> Wide:
    return p * u


def cotangent_itself(p: Wide, u: Wide) -> Wide:  # noqa: ARG001
    return u


def plain_residual(call: Call, answer: Answer) -> Answer:
    """σ − t times the upstream gradient, whatever weighs it."""
    z, t = call.inputs["logits"].to_float64(), call.inputs["targets"].to_float64()
    given = 1.0 if call.cotangent is None else call.cotangent.to_float64()
    residual = np.broadcast_to(given * (sigmoid(z) - t), z.shape)
    return replace(answer, gradients={**answer.gradients, "logits": Array.of(residual, call.dtype)})


def times_slope(call: Call, answer: Answer) -> Answer:
    """σ (1 − σ) once more."""
    slope = sigmoid_slope(call.inputs["logits"].to_float64())
    changed = Array.of(answer.gradients["logits"].to_float64() * slope, call.dtype)
    return replace(answer, gradients={**answer.gradients, "logits": changed})


def nan_beside_nan(call: Call, answer: Answer) -> Answer:
    """Rows that hold a nan or an infinity get a gradient of nan."""
    axis, changed = int(call.options.get("axis", -1)), {}
    for name, gradient in answer.gradients.items():
        odd = ~np.isfinite(call.inputs[name].to_float64())
        rows = odd.any(axis=axis, keepdims=True) if odd.ndim else odd
        changed[name] = Array.of(np.where(rows, np.nan, gradient.to_float64()), gradient.dtype)
    return replace(answer, gradients=changed)


def at_ignored_rows(call: Call, answer: Answer) -> Answer:
    """An ignored row gets the gradient it would have if it were not ignored, for class 0."""
    ignored, targets = call.options.get("ignore_index"), call.inputs["targets"]
    if ignored is None or targets.is_float:
        return answer
    rows = targets.storage == ignored
    changed = {}
    for name, gradient in answer.gradients.items():
        g = np.moveaxis(gradient.to_float64().copy(), int(call.options.get("axis", -1)), -1)
        g[rows] = 1.0 / max(g.shape[-1], 1)
        changed[name] = Array.of(np.moveaxis(g, -1, int(call.options.get("axis", -1))), gradient.dtype)
    return replace(answer, gradients=changed)


def nan_at_ignored_nan(call: Call, answer: Answer) -> Answer:
    """0 · nan: an ignored row with a nan in it gets a gradient of nan."""
    ignored, targets = call.options.get("ignore_index"), call.inputs["targets"]
    if ignored is None or targets.is_float:
        return answer
    changed = {}
    for name, gradient in answer.gradients.items():
        x = call.inputs[name].to_float64()
        changed[name] = Array.of(gradient.to_float64() + 0 * x, gradient.dtype)
    return replace(answer, gradients=changed)


def left_out(call: Call, answer: Answer) -> Answer:  # noqa: ARG001
    return replace(answer, gradients={})


_CLASSES = ("softmax_cross_entropy", "categorical_focal")

MISTAKES: Mapping[str, Mistake] = {
    "opposite-gradient": mistake(
        "the gradient has the wrong sign", MAIN, same_step="opposite-sign", **times(-1.0, GRADIENT)
    ),
    "one-wrong-sign": mistake(
        "one entry of the gradient has the wrong sign", MAIN, **renumbered(first_negated, GRADIENT)
    ),
    "reversed-gradient": mistake(
        "the gradient runs through the classes backwards",
        ("softmax_cross_entropy", "nll_loss", "softmax"),
        same_step="reversed",
        **renumbered(lambda g: g[..., ::-1] if g.ndim else g, GRADIENT),
    ),
    "float16-gradient": mistake(
        "the gradient passes through float16",
        ("softmax_cross_entropy", "binary_cross_entropy_with_logits"),
        same_step="narrower-format",
        **through("float16", GRADIENT),
    ),
    "gradient-left-out": mistake("no gradient is returned", ("softmax_cross_entropy",), finish=left_out),
    "p-minus-y": mistake(
        "the gradient is p − y whatever y sums to, neither weighted nor divided",
        _CLASSES[:1],
        pull_back=targets_sum_to_one,
    ),
    "p-minus-one-in-float16": with_parameter(
        "p is rounded to {} before the target is taken off it",
        FROM_LOGITS,
        difference_in,
        "float16",
        ("bfloat16", "float32", "float64"),
        rank=COMMON,
    ),
    "p-minus-one": mistake(
        "the target is taken off a p that is rounded to float64, which is 1 where anything is left of the gradient",
        FROM_LOGITS[:1],
        same_step="p-minus-one-in-float16",
        **difference_in("float64"),
    ),
    "wrong-sign-at-target": mistake(
        "the gradient at the target has the wrong sign", FROM_LOGITS, pull_back=wrong_sign_at_target
    ),
    "no-gradient-off-target": mistake(
        "only the target's logit gets a gradient", FROM_LOGITS, pull_back=without_probabilities
    ),
    "target-not-taken-off": mistake(
        "the target is not taken off: the gradient is the softmax", DIAGNOSED, pull_back=target_not_taken_off
    ),
    "gradient-ten-percent-large": mistake(
        "the gradient is 1.1 times what it is", _CLASSES, rank=RARE, **times(1.1, GRADIENT)
    ),
    "sigmoid-in-float16": with_parameter(
        "the gradient's sigmoid is computed in {}", WITH_LOGITS, sigmoid_in, "float16", ("float32",)
    ),
    "other-sigmoid-by-difference": with_parameter(
        "the gradient's sigmoid is computed in {}, and 1 − σ from it",
        WITH_LOGITS[:1],
        one_minus_sigmoid_in,
        "float64",
        ("float16", "float32"),
        rank=COMMON,
    ),
    "sigmoid-of-size": mistake("the gradient takes σ(|z|) for σ(z)", WITH_LOGITS, sigmoid=same_side),
    "sigmoid-slope-twice": mistake(
        "the gradient is multiplied with σ (1 − σ) once more", DIAGNOSED, finish=times_slope
    ),
    "plain-residual": mistake("the gradient is σ − t, without weights", DIAGNOSED, finish=plain_residual),
    "gradient-lacks-reciprocal": mistake("the gradient lacks 1/p", PROBABILITIES, **_slope(np.ones_like)),
    "gradient-clipped": with_parameter(
        "1/p in the gradient is taken at no less than p = {}, which the value is not",
        PROBABILITIES[:3],
        clipped_slope,
        1e-3,
        SMALL_CONSTANTS,
    ),
    "gradient-of-plus-log": mistake(
        "the derivative of ln p is taken to be −1/p", PROBABILITIES, **_slope(lambda p: -1 / p)
    ),
    "diagonal-jacobian": mistake(
        "only the diagonal of the Jacobian is used", ("softmax",), softmax_slope=diagonal_only
    ),
    "jacobian-without-mean": mistake(
        "the gradient is p u, without the mean of u", DIAGNOSED, softmax_slope=without_mean
    ),
    "log-softmax-unit-cotangent": mistake(
        "the gradient is u − p, as if the cotangents summed to 1", ("log_softmax",), log_softmax_slope=as_if_unit
    ),
    # pytorch#190746
    "log-softmax-without-denominator": mistake(
        "the gradient is u, without what the denominator adds", ("log_softmax",), log_softmax_slope=cotangent_itself
    ),
    "gradient-at-ignored": mistake("ignored rows get a gradient", LABELLED, finish=at_ignored_rows),
    "nan-at-ignored-nan": mistake(
        "right but for the nans and infinities of ignored rows, where it is nan",
        LABELLED,
        rank=COMMON,
        finish=nan_at_ignored_nan,
    ),
    "nan-beside-nan": mistake(
        "right but for rows that hold a nan or infinity, which are nan", DIAGNOSED, finish=nan_beside_nan
    ),
}
"""By name."""
