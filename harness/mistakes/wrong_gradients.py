"""Mistakes in the gradient alone: the value is right."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from harness.adapters.base import Answer, Array, Call
from harness.mistakes.mistake import (
    FROM_LOGITS,
    LABELLED,
    MAIN,
    PROBABILITIES,
    SOFTMAXES,
    WITH_LOGITS,
    Mistake,
    mistake,
)
from harness.mistakes.steps import WIDE, Wide, pull_back, sigmoid


def _each(change: Callable[[Call, Array], Array]) -> Callable[[Call, Answer], Answer]:
    """A last step that changes every gradient."""

    def finish(call: Call, answer: Answer) -> Answer:
        return replace(answer, gradients={name: change(call, g) for name, g in answer.gradients.items()})

    return finish


def _elementwise(function: Callable[[Wide], Wide]) -> Callable[[Call, Answer], Answer]:
    return _each(lambda _, g: Array.of(function(g.to_float64()), g.dtype))


def targets_sum_to_one(a: Wide, p: Wide) -> Wide:
    """p − y, whatever the sum of y."""
    return np.where((a != 0).any(axis=-1, keepdims=True), p, 0) - a


def short_difference(a: Wide, p: Wide) -> Wide:
    """p_t − 1 after p has been rounded to float16."""
    return p.astype(np.float16).astype(WIDE) * a.sum(axis=-1, keepdims=True) - a


def wrong_sign_at_target(a: Wide, p: Wide) -> Wide:
    g = pull_back(a, p)
    return np.where(a != 0, -g, g)


def without_probabilities(a: Wide, p: Wide) -> Wide:  # noqa: ARG001 - the shape of the step
    return -a


def ten_percent(a: Wide, p: Wide) -> Wide:
    return pull_back(a, p) * WIDE(1.1)


def short_sigmoid(z: Wide) -> Wide:
    """1/(1 + e^−z) in float16, so that 1 − σ is 0 from about 8 on."""
    return (1 / (1 + np.exp(-z.astype(np.float16)))).astype(WIDE)


def same_side(z: Wide) -> Wide:
    return sigmoid(np.abs(z))


def slope_without_p(p: Wide) -> Wide:
    return np.ones_like(p)


def clipped_slope(p: Wide) -> Wide:
    return 1 / np.maximum(p, WIDE(1e-3))


def positive_slope(p: Wide) -> Wide:
    return -1 / p


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


def last_axis_reversed(g: Wide) -> Wide:
    return g[..., ::-1] if g.ndim else g


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
    "detached": mistake(
        "the gradient is zero",
        (*MAIN, "binary_cross_entropy_with_logits", "entropy", "nll_loss", *SOFTMAXES, "binary_focal"),
        finish=_elementwise(np.zeros_like),
    ),
    "opposite-gradient": mistake("the gradient has the wrong sign", MAIN, finish=_elementwise(np.negative)),
    "one-wrong-sign": mistake("one entry of the gradient has the wrong sign", MAIN, finish=_elementwise(first_negated)),
    "reversed-gradient": mistake(
        "the gradient runs through the classes backwards",
        ("softmax_cross_entropy", "nll_loss", "softmax"),
        finish=_elementwise(last_axis_reversed),
    ),
    "float16-gradient": mistake(
        "the gradient passes through float16",
        ("softmax_cross_entropy", "binary_cross_entropy_with_logits"),
        finish=_elementwise(lambda g: g.astype(np.float16).astype(np.float64)),
    ),
    "gradient-left-out": mistake("no gradient is returned", ("softmax_cross_entropy",), finish=left_out),
    "p-minus-y": mistake("the gradient is p − y whatever y sums to", _CLASSES[:1], pull_back=targets_sum_to_one),
    "p-minus-one-in-float16": mistake(
        "p is rounded to float16 before y is taken off it", FROM_LOGITS, pull_back=short_difference
    ),
    "wrong-sign-at-target": mistake(
        "the gradient at the target has the wrong sign", FROM_LOGITS, pull_back=wrong_sign_at_target
    ),
    "no-gradient-off-target": mistake(
        "only the target's logit gets a gradient", FROM_LOGITS, pull_back=without_probabilities
    ),
    "gradient-ten-percent-large": mistake("the gradient is 1.1 times what it is", _CLASSES, pull_back=ten_percent),
    "sigmoid-in-float16": mistake("the gradient's sigmoid is computed in float16", WITH_LOGITS, sigmoid=short_sigmoid),
    "sigmoid-of-size": mistake("the gradient takes σ(|z|) for σ(z)", WITH_LOGITS, sigmoid=same_side),
    "gradient-lacks-reciprocal": mistake("the gradient lacks 1/p", PROBABILITIES, log_slope=slope_without_p),
    "gradient-clipped": mistake(
        "1/p in the gradient is capped at 1000, the value is not", PROBABILITIES[:3], log_slope=clipped_slope
    ),
    "gradient-of-plus-log": mistake("the gradient of ln p is −1/p", PROBABILITIES, log_slope=positive_slope),
    "diagonal-jacobian": mistake(
        "only the diagonal of the Jacobian is used", ("softmax",), softmax_slope=diagonal_only
    ),
    "log-softmax-unit-cotangent": mistake(
        "the gradient is u − p, as if the cotangents summed to 1", ("log_softmax",), log_softmax_slope=as_if_unit
    ),
    "gradient-at-ignored": mistake("ignored rows get a gradient", LABELLED, finish=at_ignored_rows),
    "nan-at-ignored-nan": mistake(
        "an ignored row that holds a nan gets a nan gradient", LABELLED, finish=nan_at_ignored_nan
    ),
}
"""By name."""
