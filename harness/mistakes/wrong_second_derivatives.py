"""Mistakes in the second derivative alone: the value and the gradient are right."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from harness.adapters.base import Answer, Array, Call
from harness.mistakes.mistake import COMMON, DIAGNOSED, RARE, SMALL_CONSTANTS, Mistake, mistake, with_parameter
from harness.mistakes.sound import Sound
from harness.mistakes.steps import WIDE, Steps, Wide, curvature_along, sigmoid, sigmoid_slope
from harness.mistakes.wrong_answers import SECOND, changed, narrowed, renumbered, times
from harness.mistakes.wrong_inputs import ignoring_nothing, without, wrapping
from harness.mistakes.wrong_reductions import never_divided
from harness.mistakes.wrong_values import not_at_all

Finish = Callable[[Call, Answer], Answer]


def _product(change: Callable[[Call, Answer, Array], Array]) -> Finish:
    """A last step that changes the product of the Hessian with the vector, where there is one."""

    def finish(call: Call, answer: Answer) -> Answer:
        product = answer.hessian_vector
        return answer if product is None else replace(answer, hessian_vector=change(call, answer, product))

    return finish


def _of_another_call(change: Callable[[Call], Call]) -> Finish:
    """The right product of another call than the one that was made."""

    def product(call: Call, _: Answer, right: Array) -> Array:
        other = Sound().evaluate(change(call)).hessian_vector
        return right if other is None else other

    return _product(product)


def _made_in(base: Mistake) -> Mapping[str, Any]:
    """A mistake of the whole computation, made in the second derivative alone."""
    bad = Sound(replace(Steps(), **base.steps))

    def product(call: Call, _: Answer, right: Array) -> Array:
        return bad.evaluate(call).hessian_vector or right

    return {"finish": _product(product)}


def _gradient(answer: Answer) -> Array:
    return list(answer.gradients.values())[0]  # noqa: RUF015 - LookupError where there is none, not StopIteration


def _along_classes(call: Call, array: Array) -> Wide:
    return np.moveaxis(array.to_float64().astype(WIDE), int(call.options.get("axis", -1)), -1)


def squared_gradient(call: Call, answer: Answer, product: Array) -> Array:
    """Gauss-Newton: g gᵀ v, of each element, or of each row of classes."""
    assert call.vector is not None
    if call.loss in OF_CLASSES:
        g, v = _along_classes(call, _gradient(answer)), _along_classes(call, call.vector)
        outer = g * (g * v).sum(axis=-1, keepdims=True)
        return Array.of(np.moveaxis(outer, -1, int(call.options.get("axis", -1))), product.dtype)
    return Array.of(_gradient(answer).to_float64() ** 2 * call.vector.to_float64(), product.dtype)


def left_out(_: Call, answer: Answer) -> Answer:
    return replace(answer, hessian_vector=None)


def raises_the_second_time(call: Call, answer: Answer) -> Answer:
    if call.vector is None:
        return answer
    return replace(answer, hessian_vector=None, hessian_error=RuntimeError("cannot be differentiated twice"))


def difference_quotient(how: Any) -> Mapping[str, Any]:
    """(∇(x + h v) − ∇(x)) / h, or on both sides."""
    both, step = str(how).endswith(BOTH), float(str(how).removesuffix(BOTH))

    def product(call: Call, _: Answer, right: Array) -> Array:
        assert call.vector is not None
        first, vector = call.differentiate[0], call.vector.to_float64()
        x = call.inputs[first].to_float64()

        def gradient(distance: float) -> Any:
            inputs = {**call.inputs, first: Array.of(x + distance * vector, "float64")}
            return _gradient(Sound().evaluate(replace(call, inputs=inputs, dtype="float64", vector=None))).to_float64()

        ahead, behind = gradient(step), gradient(-step if both else 0.0)
        return Array.of((ahead - behind) / (2 * step if both else step), right.dtype)

    return {"finish": _product(product)}


def noise(how: Any) -> float:
    """What rounding leaves of a difference of gradients divided by the step: a few units of what is subtracted."""
    return 8.0 * float(np.finfo(np.float64).eps) / float(str(how).removesuffix(BOTH))


def in_direction_of_ones(call: Call) -> Call:
    assert call.vector is not None
    return replace(call, vector=Array.of(np.ones(call.vector.shape), call.vector.dtype))


def diagonal(p: Wide, a: Wide, v: Wide) -> Wide:
    """Σa p (1 − p) v: the other classes are taken not to move."""
    return a.sum(axis=-1, keepdims=True) * p * (1 - p) * v


def without_mean(p: Wide, a: Wide, v: Wide) -> Wide:
    return a.sum(axis=-1, keepdims=True) * p * v


def plus_mean(p: Wide, a: Wide, v: Wide) -> Wide:
    return a.sum(axis=-1, keepdims=True) * p * (v + (p * v).sum(axis=-1, keepdims=True))


def of_largest_target(p: Wide, a: Wide, v: Wide) -> Wide:
    """Right for labels, which have one target; a soft row's curvature is that of its largest."""
    return curvature_along(p, a.max(axis=-1, keepdims=True, initial=0), v)


def whatever_the_sum(p: Wide, a: Wide, v: Wide) -> Wide:
    return curvature_along(p, np.sign(np.abs(a).sum(axis=-1, keepdims=True)), v)


def through_logarithms(p: Wide, a: Wide, v: Wide) -> Wide:
    """p ln p is nan where p is 0."""
    return curvature_along(p, a, v) + 0 * (p * np.log(p)).sum(axis=-1, keepdims=True)


def squared_sum(p: Wide, a: Wide, v: Wide) -> Wide:
    return curvature_along(p, a**2, v)


def by_difference(p: Wide, a: Wide, v: Wide) -> Wide:
    """Nothing is left of it where a probability is 1."""
    short = p.astype(np.float64).astype(WIDE)
    inner = (short * v).sum(axis=-1, keepdims=True).astype(np.float64).astype(WIDE)
    return a.sum(axis=-1, keepdims=True) * short * (v - inner)


def overflowing(z: Wide) -> Wide:
    """e^z / (1 + e^z)² in float64."""
    e = np.exp(z.astype(np.float64))
    return (e / (1 + e) ** 2).astype(WIDE)


def of_rounded(name: str) -> Mapping[str, Any]:
    """σ − σ² of a σ that was rounded."""

    def step(z: Wide) -> Wide:
        s = (1 / (1 + np.exp(-z))).astype(name).astype(WIDE)
        return s - s**2

    return {"sigmoid_slope": step}


def kinked(z: Wide) -> Wide:
    """Through max(z, 0), whose mask has the derivative 0 also at 0."""
    return np.where(z == 0, 0, sigmoid_slope(z))


def of_fixed_factor(L: Wide, p: Wide, gamma: float) -> Wide:  # noqa: ARG001 - the shape of the step
    """What the gradient of −ln p is multiplied with is taken for a number that does not move."""
    return np.zeros_like(L)


CLASSES, LOGITS, PROBABILITIES = (
    "softmax_cross_entropy",
    "binary_cross_entropy_with_logits",
    "binary_cross_entropy",
)
ALL = (CLASSES, LOGITS, PROBABILITIES)
FOCAL = ("binary_focal", "categorical_focal")
LINEAR, DIVERGENCE = "linear_cross_entropy", "kl_divergence"
OF_CLASSES = (CLASSES, "categorical_focal", LINEAR, DIVERGENCE)
EVERY = (*ALL, *FOCAL, LINEAR, DIVERGENCE)

BOTH = ", on both sides"
STEPS = (1e-5, 1e-3, 1e-4, 1e-6, 1e-7, 1e-8, 1e-2)


_UNSMOOTHED = mistake("", (), smoothed=not_at_all, smoothed_binary=not_at_all)


def _without(option: str, losses: tuple[str, ...]) -> Mistake:
    base = f"ignores-{option.replace('_', '-').removeprefix('label-')}"
    ignoring = _UNSMOOTHED if option == "label_smoothing" else mistake("", (), prepare=without(option))
    return mistake(f"the second pass has no {option}", losses, same_step=base, **_made_in(ignoring))


MISTAKES: Mapping[str, Mistake] = {
    "second-detached": mistake(
        "the gradient is no function of the input any more: its derivative is zero",
        EVERY,
        same_step="detached",
        **renumbered(np.zeros_like, SECOND),
    ),
    "second-of-fixed-focal-factor": mistake(
        "the focal factor (1 − p)^γ is taken not to move", FOCAL, focal_bend=of_fixed_factor
    ),
    "second-left-out": mistake("no second derivative is returned", (CLASSES,), finish=left_out),
    "second-raises": mistake("the backward pass cannot be differentiated", ALL, finish=raises_the_second_time),
    "second-is-first": mistake(
        "the gradient is returned for the second derivative",
        ALL,
        finish=_product(lambda _, answer, __: _gradient(answer)),
    ),
    "second-is-hessian-of-ones": mistake(
        "the direction is taken to be ones: the rows of the Hessian are added up",
        EVERY,
        rank=COMMON,
        finish=_of_another_call(in_direction_of_ones),
    ),
    "gauss-newton": mistake("the squared gradient stands for the Hessian", EVERY, finish=_product(squared_gradient)),
    "second-negative": mistake(
        "the second derivative has the wrong sign", ALL, same_step="opposite-sign", **times(-1.0, SECOND)
    ),
    "second-difference": Mistake(
        "a difference quotient of the gradient, with a step of {}",
        ALL,
        difference_quotient,
        1e-5,
        (*STEPS, *(f"{step:g}{BOTH}" for step in STEPS)),
        RARE,  # of a zero any step is a cause
        slack=noise,
    ),
    "second-from-ones": mistake(
        "the second pass begins with ones in place of the upstream gradient",
        ALL,
        same_step="ignores-cotangent",
        finish=_of_another_call(lambda call: replace(call, cotangent=None)),
    ),
    "second-not-divided": mistake(
        "the second pass does not divide by what the mean divides by",
        EVERY,
        same_step="mean-is-sum",
        **_made_in(mistake("", (), upstream=never_divided)),
    ),
    "second-without-sample-weights": _without("sample_weights", ALL),
    "second-without-class-weights": _without("class_weights", (CLASSES,)),
    "second-without-pos-weight": _without("pos_weight", (LOGITS,)),
    "second-without-smoothing": _without("label_smoothing", (PROBABILITIES,)),
    "second-in-nats": _without("base", (PROBABILITIES,)),
    "second-at-ignored": mistake(
        "ignored rows have curvature",
        (CLASSES, LINEAR),
        same_step="ignores-ignore-index",
        **_made_in(mistake("", (), kept_rows=ignoring_nothing, one_hot=wrapping)),
    ),
    "second-narrowed": mistake(
        "the second derivative of float64 is float32",
        ALL,
        same_step="float32-for-float64",
        **changed(narrowed, SECOND),
    ),
    "second-flat": mistake(
        "the second derivative has lost its shape",
        (CLASSES,),
        **changed(lambda product: Array(product.dtype, np.ravel(product.storage)), SECOND),
    ),
    "second-reversed": mistake(
        "the second derivative runs through the classes backwards",
        (CLASSES,),
        same_step="reversed",
        **renumbered(lambda h: h[..., ::-1], SECOND),
    ),
    "second-diagonal": mistake("only the diagonal of the Hessian is used", OF_CLASSES, curvature_along=diagonal),
    "second-lacks-mean": mistake("p v without the p (p·v) taken off it", OF_CLASSES, curvature_along=without_mean),
    "second-adds-mean": mistake(
        "p (p·v) is added where it is taken off: p (v + p·v)", (CLASSES,), curvature_along=plus_mean
    ),
    "second-of-largest-target": mistake(
        "a row has the curvature of its largest target", (CLASSES,), curvature_along=of_largest_target
    ),
    "second-whatever-the-sum": mistake(
        "the curvature has no weight: neither targets, nor weights, nor a mean's divisor",
        (CLASSES,),
        curvature_along=whatever_the_sum,
    ),
    "second-squares-weights": mistake(
        "the weights enter the second derivative squared", (CLASSES,), curvature_along=squared_sum
    ),
    "second-nan-at-zero": mistake(
        "p ln p makes rows nan where a probability is 0", (CLASSES,), curvature_along=through_logarithms
    ),
    "second-overflows": mistake(
        "e^z/(1 + e^z)² is computed as written, and overflows", (LOGITS,), sigmoid_slope=overflowing
    ),
    "second-cancels": with_parameter(
        "σ − σ² of a σ rounded to {}", (LOGITS,), of_rounded, "float16", ("float32", "float64"), rank=COMMON
    ),
    "second-cancels-in-float64": mistake(
        "σ − σ² of a σ rounded to float64", (LOGITS,), same_step="second-cancels", **of_rounded("float64")
    ),
    "second-by-difference": mistake(
        "p v − p (p·v) of a p rounded to float64", (CLASSES,), rank=COMMON, curvature_along=by_difference
    ),
    "second-kinked": mistake("the curvature at z = 0 is 0", (LOGITS,), rank=COMMON, sigmoid_slope=kinked),
    "sigmoid-for-its-slope": mistake("σ stands for σ (1 − σ)", DIAGNOSED, sigmoid_slope=sigmoid),
    "second-adds-epsilon": with_parameter(
        "1/(p + {})² stands for 1/p²",
        (PROBABILITIES,),
        lambda epsilon: {"log_curvature": lambda p: 1 / (p + WIDE(epsilon)) ** 2},
        1e-12,
        SMALL_CONSTANTS,
    ),
    "second-lacks-square": mistake("1/p stands for 1/p²", (PROBABILITIES,), log_curvature=lambda p: 1 / p),
    "second-clipped": with_parameter(
        "1/p² is capped at {}",
        (PROBABILITIES,),
        lambda cap: {"log_curvature": lambda p: np.minimum(1 / p**2, WIDE(cap))},
        1e6,
        tuple(1 / epsilon for epsilon in SMALL_CONSTANTS),
    ),
    "second-at-least": with_parameter(
        "1/p² is taken at no less than p = {}",
        DIAGNOSED,
        lambda least: {"log_curvature": lambda p: 1 / np.maximum(p, WIDE(least)) ** 2},
        1e-7,
        SMALL_CONSTANTS,
    ),
}
"""By name."""
