"""Mistakes in the derivative along a vector alone: the value, the gradient and the second derivative are right."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from harness.adapters.base import Answer, Array, Call
from harness.mistakes.mistake import COMMON, SMALL_CONSTANTS, Mistake, mistake, with_parameter
from harness.mistakes.sound import Sound
from harness.mistakes.steps import Steps
from harness.mistakes.wrong_answers import FORWARD, renumbered, times
from harness.mistakes.wrong_inputs import ignoring_nothing, without, wrapping
from harness.mistakes.wrong_reductions import never_divided
from harness.mistakes.wrong_second_derivatives import in_direction_of_ones
from harness.mistakes.wrong_values import not_at_all

Finish = Callable[[Call, Answer], Answer]


def _derivative(change: Callable[[Call, Array], Array]) -> Finish:
    """A last step that changes the derivative along the vector, where one is asked for."""

    def finish(call: Call, answer: Answer) -> Answer:
        found = answer.directional
        return answer if found is None else replace(answer, directional=change(call, found))

    return finish


def _made_in(base: Mistake) -> Mapping[str, Any]:
    """A mistake of the whole computation, made in forward mode alone."""
    bad = Sound(replace(Steps(), **base.steps))
    return {"finish": _derivative(lambda call, right: bad.evaluate(call).directional or right)}


def raises_forwards(call: Call, answer: Answer) -> Answer:
    if call.vector is None:
        return answer
    return replace(answer, directional=None, directional_error=TypeError("has a rule for reverse mode only"))


def through_every_branch(call: Call, right: Array) -> Array:
    """The derivative of what `where` leaves out is 0 times its value, which is nan where a target is 0: 0 · ln 0."""
    targets = call.inputs["targets"]
    if not targets.is_float:
        return right
    return Array.of(right.to_float64() * (np.nan if (targets.to_float64() == 0).any() else 1.0), right.dtype)


CLASSES, LOGITS = "softmax_cross_entropy", "binary_cross_entropy_with_logits"
MOST = (CLASSES, LOGITS, "binary_cross_entropy", "kl_divergence")

_UNSMOOTHED = mistake("", (), smoothed=not_at_all, smoothed_binary=not_at_all)


MISTAKES: Mapping[str, Mistake] = {
    "forward-detached": mistake(
        "in forward mode the value is no function of the input: its derivative is zero",
        (*MOST, "linear_cross_entropy"),
        same_step="detached",
        **renumbered(np.zeros_like, FORWARD),
    ),
    "forward-raises": mistake("it cannot be differentiated in forward mode", MOST[:1], finish=raises_forwards),
    "forward-along-ones": mistake(
        "the direction is taken to be ones",
        MOST,
        rank=COMMON,
        finish=_derivative(lambda call, right: Sound().evaluate(in_direction_of_ones(call)).directional or right),
    ),
    "forward-negative": mistake(
        "in forward mode the derivative has the wrong sign", MOST, same_step="opposite-sign", **times(-1.0, FORWARD)
    ),
    "forward-not-divided": mistake(
        "in forward mode nothing is divided by what the mean divides by",
        MOST,
        same_step="mean-is-sum",
        **_made_in(mistake("", (), upstream=never_divided)),
    ),
    "forward-without-smoothing": mistake(
        "forward mode has no label smoothing", (CLASSES,), same_step="ignores-smoothing", **_made_in(_UNSMOOTHED)
    ),
    "forward-without-class-weights": mistake(
        "forward mode has no class weights",
        (CLASSES,),
        same_step="ignores-class-weights",
        **_made_in(mistake("", (), prepare=without("class_weights"))),
    ),
    "forward-without-pos-weight": mistake(
        "forward mode has no positive weight",
        (LOGITS,),
        same_step="ignores-pos-weight",
        **_made_in(mistake("", (), prepare=without("pos_weight"))),
    ),
    "forward-at-ignored": mistake(
        "in forward mode ignored rows count",
        (CLASSES,),
        same_step="ignores-ignore-index",
        **_made_in(mistake("", (), kept_rows=ignoring_nothing, one_hot=wrapping)),
    ),
    "forward-through-every-branch": mistake(
        "in forward mode 0 · ln 0 is nan where a target is 0",
        (CLASSES,),
        finish=_derivative(through_every_branch),
    ),
    "forward-tiny-is-zero": with_parameter(
        "derivatives below {} become 0 in forward mode",
        (LOGITS,),
        lambda bound: renumbered(lambda numbers: np.where(np.abs(numbers) < bound, 0.0, numbers), FORWARD),
        1e-7,
        SMALL_CONSTANTS,
    ),
}
"""By name."""
