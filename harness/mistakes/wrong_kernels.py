"""Mistakes that kernels make: bounds in the wrong place, shards, gradients that nobody has written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from harness.adapters.base import Answer, Array, Call
from harness.core.formats import FORMATS, rounded
from harness.mistakes.mistake import (
    FROM_LOGITS,
    PROBABILITIES,
    SMALL_CONSTANTS,
    SOFTMAXES,
    Mistake,
    mistake,
    with_parameter,
)
from harness.mistakes.steps import WIDE, Wide, scalar

Finish = Callable[[Call, Answer], Answer]


def clipped_shift(bound: float) -> Mapping[str, Any]:
    """e^d with d = max(x − max x, bound): what is further down gets mass, and the loss is capped."""

    def step(call: Call, x: Wide) -> tuple[Wide, Wide]:  # noqa: ARG001 - the shape of the step
        d = np.maximum(x - x.max(axis=-1, keepdims=True), WIDE(bound))
        e = np.exp(d)
        total = e.sum(axis=-1, keepdims=True)
        return np.log(total) - d, e / total

    return {"negative_log_softmax": step}


def _bounds(bound: float) -> tuple[Wide, Wide]:
    """The bounds of a clip as float32 holds them."""
    low, high = rounded(np.asarray([bound, 1.0 - bound]), FORMATS["float32"]).astype(WIDE)
    return scalar(low), scalar(high)


def clipped_in_float32(bound: float) -> Mapping[str, Any]:
    """The bounds are numbers of float32, whatever the type of the probabilities: 1 − 1e-7 is 1 − 1.19e-7."""
    low, high = _bounds(bound)
    return {
        "log": lambda _, p: np.log(np.clip(p, low, high)),
        "log_slope": lambda _, p: np.where((p < low) | (p > high), 0, 1 / p),
    }


def clipped_in_value(bound: float) -> Mapping[str, Any]:
    """The gradient does not know of the clip: it is 1/p of a p that the value has raised."""
    return {"log": lambda _, p: np.log(np.clip(p, WIDE(bound), 1 - WIDE(bound)))}


def power_below_one(L: Wide, p: Wide, gamma: float) -> tuple[Wide, Wide]:
    """γ (1 − p)^(γ − 1) of a 1 − p that is computed in float64: 0 · ∞ where p is 1."""
    q = (1 - p.astype(np.float64)).astype(WIDE)
    safe = -np.expm1(-L)
    return np.where(safe**gamma == 0, 0, safe**gamma * L), q**gamma + gamma * q ** (gamma - 1) * (p * L)


def over_classes_of_a_shard(q: Wide, smoothing: float) -> Wide:
    """ε/C with the C of one of two shards."""
    return (1 - WIDE(smoothing)) * q + WIDE(smoothing) / -(-q.shape[-1] // 2) if smoothing else q


def input_as_gradient(call: Call, answer: Answer) -> Answer:
    """The buffer that the gradient is to be written into is the input's, and nobody has."""
    changed = {n: g if g.dtype != call.inputs[n].dtype else call.inputs[n] for n, g in answer.gradients.items()}
    return replace(answer, gradients=changed)


def _is_dense(array: Array) -> bool:
    return bool(array.storage.flags.c_contiguous)


def input_as_gradient_where_strided(call: Call, answer: Answer) -> Answer:
    """A kernel that works in place got a copy of what is not contiguous, and the original is returned."""
    changed = {n: g if _is_dense(call.inputs[n]) else call.inputs[n] for n, g in answer.gradients.items()}
    return replace(answer, gradients=changed)


MISTAKES: Mapping[str, Mistake] = {
    "clips-shifted-logits": with_parameter(
        "what is further below the largest logit than {} is raised to it",
        (*SOFTMAXES, *FROM_LOGITS),
        clipped_shift,
        -64.0,
        (-20.0, -30.0, -50.0, -80.0, -87.0, -88.0, -100.0),
    ),
    "clips-in-float32": with_parameter(
        "probabilities are clipped to {}, which is computed in float32",
        PROBABILITIES[:2],
        clipped_in_float32,
        1e-7,
        SMALL_CONSTANTS,
    ),
    "clips-value-alone": with_parameter(
        "the probabilities of the value are clipped to {}, those of the gradient are not",
        PROBABILITIES,
        clipped_in_value,
        1e-7,
        SMALL_CONSTANTS,
    ),
    # The exponent is below 0 for γ < 1, and the factor is 0 for γ = 0.
    "power-of-gamma-minus-one": mistake(
        "γ (1 − p)^(γ − 1) is nan in the gradient where p is 1",
        ("binary_focal", "categorical_focal"),
        focal=power_below_one,
    ),
    "smoothing-of-a-shard": mistake(
        "smoothing spreads ε over the classes of one of two shards: twice what is right",
        ("softmax_cross_entropy",),
        smoothed=over_classes_of_a_shard,
    ),
    "input-for-gradient": mistake(
        "the input is returned as its own gradient, which nobody has written", FROM_LOGITS, finish=input_as_gradient
    ),
    "input-for-gradient-where-strided": mistake(
        "the input is returned as its own gradient where it is not contiguous",
        ("softmax_cross_entropy",),
        same_step="input-for-gradient",
        finish=input_as_gradient_where_strided,
    ),
}
"""By name."""
