"""Mistakes in the second derivative alone: the value and the gradient are right."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from harness.adapters.base import Answer, Array, Call
from harness.mistakes.mistake import Mistake, mistake
from harness.mistakes.sound import Sound
from harness.mistakes.steps import WIDE, Wide, curvature_along, sigmoid_slope

Finish = Callable[[Call, Answer], Answer]

STEP = 1e-5
"""Of a difference quotient; what it leaves out is of this size, and so is what float64 loses in it."""


def _product(change: Callable[[Call, Answer, Array], Array]) -> Finish:
    """A last step that changes the product of the Hessian with the vector, where there is one."""

    def finish(call: Call, answer: Answer) -> Answer:
        product = answer.hessian_vector
        return answer if product is None else replace(answer, hessian_vector=change(call, answer, product))

    return finish


def _elementwise(function: Callable[[Wide], Wide]) -> Finish:
    return _product(lambda _, __, product: Array.of(function(product.to_float64()), product.dtype))


def _of_another_call(change: Callable[[Call], Call]) -> Finish:
    """The right product of another call than the one that was made."""

    def product(call: Call, _: Answer, right: Array) -> Array:
        other = Sound().evaluate(change(call)).hessian_vector
        return right if other is None else other

    return _product(product)


def _without(*names: str) -> Finish:
    return _of_another_call(
        lambda call: replace(call, options={n: v for n, v in call.options.items() if n not in names})
    )


def _gradient(answer: Answer) -> Array:
    return next(iter(answer.gradients.values()))


def _along_classes(call: Call, array: Array) -> Wide:
    return np.moveaxis(array.to_float64().astype(WIDE), int(call.options.get("axis", -1)), -1)


def squared_gradient(call: Call, answer: Answer, product: Array) -> Array:
    """Gauss-Newton: g gᵀ v, of each element, or of each row of classes."""
    assert call.vector is not None
    if call.loss == "softmax_cross_entropy":
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


def difference_quotient(call: Call, _: Answer, product: Array) -> Array:
    """(∇(x + h v) − ∇(x)) / h."""
    assert call.vector is not None
    first = call.differentiate[0]
    x = call.inputs[first].to_float64()
    sides = []
    for step in (STEP, 0.0):
        moved = Array.of(x + step * call.vector.to_float64(), "float64")
        inputs = {**call.inputs, first: moved}
        answer = Sound().evaluate(replace(call, inputs=inputs, dtype="float64", vector=None))
        sides.append(_gradient(answer).to_float64())
    return Array.of((sides[0] - sides[1]) / STEP, product.dtype)


def curved_at_ignored(call: Call) -> Call:
    """Ignored rows as if their label were 0."""
    targets, ignored = call.inputs["targets"], call.options.get("ignore_index")
    if ignored is None or targets.is_float:
        return call
    labels = Array(targets.dtype, np.where(targets.storage == ignored, 0, targets.storage))
    return replace(call, inputs={**call.inputs, "targets": labels})


def in_direction_of_ones(call: Call) -> Call:
    assert call.vector is not None
    return replace(call, vector=Array.of(np.ones(call.vector.shape), call.vector.dtype))


def of_the_sum(call: Call) -> Call:
    if call.options["reduction"] != "mean":
        return call
    options = {name: value for name, value in call.options.items() if name != "denominator"}
    return replace(call, options={**options, "reduction": "sum"})


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


def overflowing(z: Wide) -> Wide:
    """e^z / (1 + e^z)² in float64."""
    e = np.exp(z.astype(np.float64))
    return (e / (1 + e) ** 2).astype(WIDE)


def in_half(z: Wide) -> Wide:
    """σ − σ² with σ rounded to float16."""
    s = (1 / (1 + np.exp(-z))).astype(np.float16).astype(WIDE)
    return s - s**2


def kinked(z: Wide) -> Wide:
    """Through max(z, 0), whose mask has the derivative 0 also at 0."""
    return np.where(z == 0, 0, sigmoid_slope(z))


def narrowed(array: Array) -> Array:
    return Array.of(array.to_float64(), "float32") if array.dtype == "float64" else array


CLASSES, LOGITS, PROBABILITIES = (
    "softmax_cross_entropy",
    "binary_cross_entropy_with_logits",
    "binary_cross_entropy",
)
ALL = (CLASSES, LOGITS, PROBABILITIES)

MISTAKES: Mapping[str, Mistake] = {
    "second-detached": mistake(
        "the gradient is no function of the input any more: its derivative is zero",
        ALL,
        finish=_elementwise(np.zeros_like),
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
        ALL,
        finish=_of_another_call(in_direction_of_ones),
    ),
    "gauss-newton": mistake("the squared gradient stands for the Hessian", ALL, finish=_product(squared_gradient)),
    "second-negative": mistake("the second derivative has the wrong sign", ALL, finish=_elementwise(np.negative)),
    "second-difference": mistake(
        "the second derivative is a difference quotient of the gradient", ALL, finish=_product(difference_quotient)
    ),
    "second-from-ones": mistake(
        "the second pass begins with ones in place of the upstream gradient",
        ALL,
        finish=_of_another_call(lambda call: replace(call, cotangent=None)),
    ),
    "second-not-divided": mistake(
        "the second pass does not divide by what the mean divides by",
        ALL,
        finish=_of_another_call(of_the_sum),
    ),
    "second-without-sample-weights": mistake(
        "the second pass has no sample weights", ALL, finish=_without("sample_weights")
    ),
    "second-without-class-weights": mistake(
        "the second pass has no class weights", (CLASSES,), finish=_without("class_weights")
    ),
    "second-without-pos-weight": mistake(
        "the second pass has no positive weight", (LOGITS,), finish=_without("pos_weight")
    ),
    "second-without-smoothing": mistake(
        "the second pass has no label smoothing", (PROBABILITIES,), finish=_without("label_smoothing")
    ),
    "second-in-nats": mistake("the second pass has no base", (PROBABILITIES,), finish=_without("base")),
    "second-at-ignored": mistake("ignored rows have curvature", (CLASSES,), finish=_of_another_call(curved_at_ignored)),
    "second-narrowed": mistake(
        "the second derivative of float64 is float32", ALL, finish=_product(lambda _, __, product: narrowed(product))
    ),
    "second-flat": mistake(
        "the second derivative has lost its shape",
        (CLASSES,),
        finish=_product(lambda _, __, product: Array(product.dtype, np.ravel(product.storage))),
    ),
    "second-reversed": mistake(
        "the second derivative runs through the classes backwards",
        (CLASSES,),
        finish=_elementwise(lambda h: h[..., ::-1]),
    ),
    "second-diagonal": mistake("only the diagonal of the Hessian is used", (CLASSES,), curvature_along=diagonal),
    "second-lacks-mean": mistake("p v without the p (p·v) taken off it", (CLASSES,), curvature_along=without_mean),
    "second-adds-mean": mistake("p (v + p·v) for p (v − p·v)", (CLASSES,), curvature_along=plus_mean),
    "second-of-largest-target": mistake(
        "a soft row has the curvature of its largest target", (CLASSES,), curvature_along=of_largest_target
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
    "second-overflows": mistake("e^z/(1 + e^z)² overflows for large z", (LOGITS,), sigmoid_slope=overflowing),
    "second-cancels": mistake("σ − σ² of a σ rounded to float16", (LOGITS,), sigmoid_slope=in_half),
    "second-kinked": mistake("the curvature at z = 0 is 0", (LOGITS,), sigmoid_slope=kinked),
    "second-adds-epsilon": mistake(
        "1/(p + 1e-12)² stands for 1/p²", (PROBABILITIES,), log_curvature=lambda p: 1 / (p + WIDE(1e-12)) ** 2
    ),
    "second-lacks-square": mistake("1/p stands for 1/p²", (PROBABILITIES,), log_curvature=lambda p: 1 / p),
    "second-clipped": mistake(
        "1/p² is capped at a million", (PROBABILITIES,), log_curvature=lambda p: np.minimum(1 / p**2, WIDE(1e6))
    ),
}
"""By name."""
