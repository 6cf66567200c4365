"""Right results, handed over wrongly: in another type or shape, rounded, or with nan made presentable."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from harness.adapters.base import Answer, Array, Call
from harness.mistakes.mistake import MAIN, Mistake, mistake

Finish = Callable[[Call, Answer], Answer]


def _each(change: Callable[[Array], Array]) -> Finish:
    """A last step that changes the value and every gradient."""

    def finish(call: Call, answer: Answer) -> Answer:  # noqa: ARG001 - the shape of the step
        gradients = {name: change(g) for name, g in answer.gradients.items()}
        return replace(answer, value=change(answer.value), gradients=gradients)

    return finish


def _value(change: Callable[[Array], Array]) -> Finish:
    def finish(call: Call, answer: Answer) -> Answer:  # noqa: ARG001
        return replace(answer, value=change(answer.value))

    return finish


def _gradients(change: Callable[[Array], Array]) -> Finish:
    def finish(call: Call, answer: Answer) -> Answer:  # noqa: ARG001
        return replace(answer, gradients={name: change(g) for name, g in answer.gradients.items()})

    return finish


def narrowed(array: Array) -> Array:
    return Array.of(array.to_float64(), "float32") if array.dtype == "float64" else array


def widened(array: Array) -> Array:
    return Array.of(array.to_float64(), "float64")


def in_name_only(array: Array) -> Array:
    """float64 by its type, float32 by its digits."""
    return Array.of(narrowed(array).to_float64(), array.dtype)


def with_axis(array: Array) -> Array:
    return Array(array.dtype, array.storage[None])


def flat(array: Array) -> Array:
    return Array(array.dtype, np.ascontiguousarray(array.storage).reshape(-1)[None])


def presentable(array: Array) -> Array:
    return Array.of(np.nan_to_num(array.to_float64(), posinf=0.0, neginf=0.0), array.dtype)


def four_decimals(array: Array) -> Array:
    return Array.of(np.round(array.to_float64(), 4), array.dtype)


def never_below_zero(array: Array) -> Array:
    return Array.of(np.where(array.to_float64() < 1e-4, 0.0, array.to_float64()), array.dtype)


MISTAKES: Mapping[str, Mistake] = {
    "float32-for-float64": mistake("answers float64 in float32", (*MAIN, "softmax"), finish=_each(narrowed)),
    "float64-for-all": mistake("answers every type in float64", MAIN[:1], finish=_each(widened)),
    "float64-in-name": mistake("computes float64 in float32 and widens the result", MAIN, finish=_each(in_name_only)),
    "gradient-in-float32": mistake(
        "the gradient of float64 is float32", ("softmax_cross_entropy", "kl_divergence"), finish=_gradients(narrowed)
    ),
    "extra-axis": mistake("the value has an axis too many", (*MAIN, "log_softmax"), finish=_value(with_axis)),
    "flat-gradient": mistake("the gradient has lost its shape", MAIN, finish=_gradients(flat)),
    "nan-to-zero": mistake(
        "nan and infinity are replaced by 0", (*MAIN, "log_softmax", "nll_loss"), finish=_each(presentable)
    ),
    "four-decimals": mistake("results are rounded to four decimals", MAIN, finish=_each(four_decimals)),
    "tiny-loss-is-zero": mistake(
        "losses below 1e-4 become 0",
        ("softmax_cross_entropy", "binary_cross_entropy_with_logits", "binary_focal"),
        finish=_value(never_below_zero),
    ),
}
"""By name."""
