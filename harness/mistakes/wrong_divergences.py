"""Mistakes in divergences, entropies and logsumexps of logits, in Jensen–Shannon and in the losses of labels ±1."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from harness.adapters.base import Answer, Array, Call
from harness.mistakes.mistake import Mistake, mistake, with_options
from harness.mistakes.steps import WIDE, Wide, sides, times
from harness.mistakes.wrong_inputs import without

_MIXED = ("jensen_shannon", "linear_jensen_shannon")
_OF_LOGITS = ("entropy", "kl_divergence", *_MIXED)
_PAIRS = {"targets": "probabilities", "target_logits": "logits"}


def swapped(call: Call) -> Call:
    """The divergence of the targets from the prediction is that of the prediction from the targets."""
    found = next(((a, b) for a, b in _PAIRS.items() if a in call.inputs and b in call.inputs), None)
    if found is None:
        return call
    first, second = found
    inputs = {**call.inputs, first: call.inputs[second], second: call.inputs[first]}
    return replace(call, inputs=inputs)


def scaled_prediction(call: Call) -> Call:
    """The temperature is that of the prediction alone."""
    scale, name = call.options.get("logit_scale"), _of_targets(call)
    if scale is None or name is None:
        return call
    target = Array.of(call.inputs[name].to_float64() / scale, call.dtype)
    return replace(call, inputs={**call.inputs, name: target})


def _of_targets(call: Call) -> str | None:
    """The input that the logits of the targets are a multiple of, where there is one."""
    return next((name for name in ("target_logits", "target_weight") if name in call.inputs), None)


def times_squared_temperature(call: Call, answer: Answer) -> Answer:
    """The loss is multiplied with T², as distillation does."""
    if "logit_scale" not in call.options or _of_targets(call) is None:
        return answer
    factor = 1 / float(call.options["logit_scale"]) ** 2

    def scaled(array: Array) -> Array:
        return Array.of(array.to_float64() * factor, array.dtype)

    gradients = {name: scaled(g) for name, g in answer.gradients.items()}
    return replace(answer, value=scaled(answer.value), gradients=gradients)


def not_centred(p: Wide, u: Wide) -> Wide:  # noqa: ARG001
    """p u is taken for p (u − Σ p u)."""
    return u


def targets_are_constants(call: Call, answer: Answer) -> Answer:
    """The gradient of what is compared with is 0."""
    names = [n for n in answer.gradients if n in _PAIRS]
    nothing = {n: Array.of(np.zeros(answer.gradients[n].shape), call.dtype) for n in names}
    return replace(answer, gradients={**answer.gradients, **nothing})


def other_beta(call: Call) -> Call:
    beta = call.options.get("beta")
    return call if beta is None else with_options(call, beta=1 - beta)


def geometric(p: Wide, q: Wide, beta: Wide) -> Wide:
    """The logarithms are mixed, not the probabilities."""
    return np.exp(times(beta, np.log(p)) + times(1 - beta, np.log(q)))


def distance(call: Call, answer: Answer) -> Answer:
    """The square root of the divergence, which is a metric."""
    return replace(answer, value=Array.of(np.sqrt(np.maximum(answer.value.to_float64(), 0)), call.dtype))


def sum_without_shift(z: Wide, L: Wide) -> Wide:  # noqa: ARG001
    """ln Σ e^z as it is written: above 709 it is infinite, below −745 too."""
    return np.log(np.exp(z.astype(np.float64)).sum(axis=-1)).astype(WIDE)


def bits_for_signs(call: Call) -> Call:
    """Labels −1 and 1 are read as 0 and 1."""
    t = call.inputs["targets"].to_float64()
    return replace(call, inputs={**call.inputs, "targets": Array.of((t + 1) / 2, call.dtype)})


def overflowing_sides(call: Call, z: Wide) -> tuple[Wide, Wide]:
    """ln(1 + e^−z) as it is written, in float32's range."""
    up, down = sides(call, z)
    limit = np.log(np.finfo(np.float32).max)
    return np.where(-z > limit, np.inf, up), np.where(z > limit, np.inf, down)


def positive_side_only(call: Call, answer: Answer) -> Answer:
    """t ln(t / p), as if the rest of the mass were nowhere."""
    if call.options["reduction"] != "none":
        return answer
    t, p = (call.inputs[name].to_float64() for name in ("targets", "probabilities"))
    with np.errstate(all="ignore"):
        return replace(answer, value=Array.of(np.where(t == 0, 0, t * np.log(t / p)), call.dtype))


def gradient_of_rounded(call: Call, answer: Answer) -> Answer:
    """exp(x − logsumexp(x)), of the logsumexp as it is returned."""
    if "logits" not in answer.gradients or {"logit_scale", "softcap", "class_mask"} & set(call.options):
        return answer
    axis, cotangent = int(call.options.get("axis", -1)), call.cotangent
    result = np.expand_dims(answer.value.to_float64(), axis)
    upstream = 1.0 if cotangent is None else np.expand_dims(cotangent.to_float64(), axis)
    with np.errstate(all="ignore"):
        gradient = upstream * np.exp(call.inputs["logits"].to_float64() - result)
    return replace(answer, gradients={**answer.gradients, "logits": Array.of(gradient, call.dtype)})


MISTAKES: Mapping[str, Mistake] = {
    "swaps-distributions": mistake(
        "the divergence is taken the other way round",
        ("kl_divergence", "jensen_shannon", "bernoulli_kl"),
        prepare=swapped,
    ),
    "scales-prediction-only": mistake(
        "the temperature is that of the prediction alone",
        ("kl_divergence", *_MIXED),
        prepare=scaled_prediction,
    ),
    "times-squared-temperature": mistake(
        "the divergence is multiplied with T²", ("kl_divergence", *_MIXED), finish=times_squared_temperature
    ),
    "softmax-not-centred": mistake("the pull of Σ p u on each logit is left out", _OF_LOGITS, centred=not_centred),
    "targets-are-constants": mistake(
        "the targets have no gradient",
        ("kl_divergence", "jensen_shannon", "bernoulli_kl"),
        finish=targets_are_constants,
    ),
    "ignores-beta": mistake("the option beta is ignored", _MIXED, prepare=without("beta")),
    "other-beta": mistake("beta is the share of the prediction", _MIXED, prepare=other_beta),
    "geometric-mixture": mistake("logarithms are mixed, not probabilities", _MIXED, mixture=geometric),
    "jensen-shannon-distance": mistake(
        "the square root of the divergence is returned", ("jensen_shannon",), finish=distance
    ),
    "logsumexp-without-shift": mistake(
        "the exponentials of a logsumexp are summed as they are", ("logsumexp",), log_sum_exp=sum_without_shift
    ),
    "gradient-of-rounded-logsumexp": mistake(
        "the gradient is exp(x − logsumexp(x)) of the rounded logsumexp", ("logsumexp",), finish=gradient_of_rounded
    ),
    "bits-for-signs": mistake("labels −1 and 1 are read as 0 and 1", ("soft_margin",), prepare=bits_for_signs),
    "soft-margin-overflows": mistake(
        "the exponential of a soft margin overflows", ("soft_margin",), sides=overflowing_sides
    ),
    "one-sided-bernoulli": mistake("only t ln(t/p) is counted", ("bernoulli_kl",), finish=positive_side_only),
}
"""By name."""
