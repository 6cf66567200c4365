"""Right results, handed over wrongly: in another type or shape, rounded, small numbers lost, nan made presentable."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.adapters.base import Answer, Array, Call
from harness.core.formats import FORMATS, rounded
from harness.mistakes.mistake import COMMON, DIAGNOSED, MAIN, RARE, SOFTMAXES, Mistake, mistake, with_parameter

Numbers = NDArray[np.float64]
Finish = Callable[[Call, Answer], Answer]
VALUE, GRADIENT, SECOND, FORWARD = "value", "gradient", "second", "forward"
"""The parts of an answer."""


def changed(change: Callable[[Array], Array], *parts: str) -> Mapping[str, Any]:
    """A last step that changes some parts of the answer, or all of it."""
    wanted = parts or (VALUE, GRADIENT, SECOND, FORWARD)

    def finish(call: Call, answer: Answer) -> Answer:  # noqa: ARG001 - the shape of the step
        second, along = answer.hessian_vector, answer.directional
        return replace(
            answer,
            value=change(answer.value) if VALUE in wanted else answer.value,
            gradients={n: change(g) if GRADIENT in wanted else g for n, g in answer.gradients.items()},
            hessian_vector=change(second) if SECOND in wanted and second is not None else second,
            directional=change(along) if FORWARD in wanted and along is not None else along,
        )

    return {"finish": finish}


def renumbered(function: Callable[[Numbers], Any], *parts: str) -> Mapping[str, Any]:
    """A last step that changes the numbers, not their type."""
    return changed(lambda array: Array.of(function(array.to_float64()), array.dtype), *parts)


def narrowed(array: Array) -> Array:
    return Array.of(array.to_float64(), "float32") if array.dtype == "float64" else array


def widened(array: Array) -> Array:
    return Array.of(array.to_float64(), "float64")


def with_axis(array: Array) -> Array:
    return Array(array.dtype, array.storage[None])


def flat(array: Array) -> Array:
    return Array(array.dtype, np.ascontiguousarray(array.storage).reshape(-1)[None])


def through(name: str, *parts: str) -> Mapping[str, Any]:
    """Rounded to a format that is narrower than that of the answer."""

    def round_once(array: Array) -> Array:
        fmt = FORMATS[name]
        if fmt.eps <= FORMATS[array.dtype].eps:
            return array
        return Array.of(rounded(array.to_float64(), fmt), array.dtype)

    return changed(round_once, *parts)


def without_subnormals(array: Array) -> Array:
    numbers = array.to_float64()
    tiny = np.abs(numbers) < FORMATS[array.dtype].smallest_normal
    return Array.of(np.where(tiny, np.copysign(0.0, numbers), numbers), array.dtype)


def subnormal_inputs_flushed(call: Call) -> Call:
    inputs = {n: without_subnormals(a) if a.is_float else a for n, a in call.inputs.items()}
    same = all(a.same_bits(call.inputs[n]) for n, a in inputs.items())
    return call if same else replace(call, inputs=inputs)


def largest_for_infinity(array: Array) -> Array:
    numbers, largest = array.to_float64(), FORMATS[array.dtype].largest
    return Array.of(np.where(np.isinf(numbers), np.copysign(largest, numbers), numbers), array.dtype)


def never_below(bound: float) -> Mapping[str, Any]:
    return renumbered(lambda numbers: np.where(np.abs(numbers) < bound, 0.0, numbers), VALUE, GRADIENT)


def reversed_along(axis: int) -> Mapping[str, Any]:
    return renumbered(lambda numbers: np.flip(numbers, axis) if numbers.ndim else numbers)


def transposed(numbers: Numbers) -> Numbers:
    square = numbers.ndim > 1 and numbers.shape[-1] == numbers.shape[-2]
    return np.swapaxes(numbers, -1, -2) if square else numbers


def times(factor: float, *parts: str) -> Mapping[str, Any]:
    return renumbered(lambda numbers: numbers * factor, *parts)


MISTAKES: Mapping[str, Mistake] = {
    "flushes-subnormals": mistake(
        "subnormal numbers are flushed to zero", DIAGNOSED, rank=COMMON, **changed(without_subnormals)
    ),
    "flushes-subnormal-inputs": mistake(
        "subnormal inputs are flushed to zero", DIAGNOSED, rank=COMMON, prepare=subnormal_inputs_flushed
    ),
    "detached": mistake(
        "zero everywhere: detached from the input",
        (*MAIN, "binary_cross_entropy_with_logits", "entropy", "nll_loss", *SOFTMAXES, "binary_focal"),
        rank=COMMON,
        **renumbered(np.zeros_like, GRADIENT, SECOND, FORWARD),
    ),
    "opposite-sign": mistake("the opposite sign", DIAGNOSED, **times(-1.0)),
    "float32-for-float64": mistake("answers float64 in float32", (*MAIN, "softmax"), **changed(narrowed)),
    "float64-for-all": mistake("answers every type in float64", MAIN[:1], **changed(widened)),
    "narrower-format": with_parameter(
        "right, but rounded to {} on the way", MAIN, through, "float32", ("float16", "bfloat16")
    ),
    "gradient-in-float32": mistake(
        "the gradient of float64 is float32",
        ("softmax_cross_entropy", "kl_divergence"),
        same_step="float32-for-float64",
        **changed(narrowed, GRADIENT),
    ),
    "extra-axis": mistake("the value has an axis too many", (*MAIN, "log_softmax"), **changed(with_axis, VALUE)),
    "flat-gradient": mistake("the gradient has lost its shape", MAIN, **changed(flat, GRADIENT)),
    "nan-to-zero": mistake(
        "nan and infinity are replaced by 0",
        (*MAIN, "log_softmax", "nll_loss"),
        rank=COMMON,
        **renumbered(lambda numbers: np.nan_to_num(numbers, posinf=0.0, neginf=0.0)),
    ),
    "largest-for-infinity": mistake(
        "infinity is replaced by the largest number", DIAGNOSED, **changed(largest_for_infinity)
    ),
    "tiny-loss-is-zero": with_parameter(
        "numbers below {} become 0",
        ("softmax_cross_entropy", "binary_cross_entropy_with_logits", "binary_focal"),
        never_below,
        1e-4,
        (1e-6, 1e-7, 1e-8, 1e-3, 1e-5, 1e-10, 1e-12),
    ),
    "four-decimals": with_parameter(
        "results are rounded to {} decimals",
        MAIN,
        lambda decimals: renumbered(lambda numbers: np.round(numbers, decimals)),
        4,
        (2, 3, 5, 6, 7, 8),
    ),
    "reversed": with_parameter(
        "the right numbers, in reverse along axis {}", DIAGNOSED, reversed_along, -1, (0,), rank=RARE
    ),
    "transposed": mistake("the right numbers, transposed", DIAGNOSED, rank=RARE, **renumbered(transposed)),
}
"""By name."""
