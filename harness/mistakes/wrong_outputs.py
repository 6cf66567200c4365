"""Mistakes in what a call returns beside its value alone: the value and its gradients are right."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.adapters.base import Answer, Array, Call
from harness.core.outputs import call_of
from harness.mistakes.mistake import COMMON, Mistake, mistake
from harness.mistakes.sound import Sound

Numbers = NDArray[Any]
_LOSSES = ("softmax_cross_entropy", "linear_cross_entropy")


def _returning(output: str, change: Callable[[Call, Numbers], Any]) -> Mapping[str, Any]:
    """A last step that returns other numbers as an output."""

    def finish(call: Call, answer: Answer) -> Answer:
        if output not in answer.outputs:
            return answer
        right = answer.outputs[output]
        with np.errstate(all="ignore"):
            wrong = Array.of(np.asarray(change(call, right.to_float64())), right.dtype)
        return replace(answer, outputs={**answer.outputs, output: wrong})

    return {"finish": finish}


def _of_other_options(output: str, *left_out: str) -> Callable[[Call, Numbers], Any]:
    """As it is without these options."""

    def change(call: Call, right: Numbers) -> Numbers:
        options = {name: value for name, value in call.options.items() if name not in left_out}
        return _output(replace(call, options=options), output) if len(options) < len(call.options) else right

    return change


def _output(call: Call, output: str) -> Numbers:
    return Sound().evaluate(call_of(call, output)).value.to_float64()


def as_a_sum(call: Call) -> Numbers:
    return _output(replace(call, options={**_undivided(call), "reduction": "sum"}), "z_loss")


def as_a_mean_of_all(call: Call, right: Numbers) -> Numbers:
    return as_a_sum(call) / call.inputs["targets"].storage.size if call.options["reduction"] == "mean" else right


def of_ignored_too(call: Call, right: Numbers) -> Numbers:
    rows = {name: value for name, value in _undivided(call).items() if name != "ignore_index"}
    every = _output(replace(call, options={**rows, "reduction": "none"}), "z_loss")
    return every if call.options["reduction"] == "none" else right


def divided(call: Call, right: Numbers) -> Numbers:
    """Each row already has its share of the mean."""
    return right / max(np.count_nonzero(right), 1) if call.options["reduction"] == "mean" else right


def with_ignored(call: Call, right: Numbers) -> Numbers:
    """A row that is ignored has the loss of the first class."""
    ignored, targets = call.options.get("ignore_index"), call.inputs["targets"]
    if ignored is None or targets.is_float:
        return right
    labels = np.where(targets.storage == ignored, 0, targets.storage).astype(targets.storage.dtype)
    options = {name: value for name, value in call.options.items() if name != "ignore_index"}
    inputs = {**call.inputs, "targets": Array(targets.dtype, labels)}
    return _output(replace(call, inputs=inputs, options=options), "rows")


def of_nothing(_: Call, right: Numbers) -> Numbers:
    return np.zeros_like(right)


def without_factor(call: Call, right: Numbers) -> Numbers:
    return right / call.options["z_loss"]


def of_loss(call: Call, _: Numbers) -> Numbers:
    """The whole loss stands for its share."""
    return Sound().evaluate(replace(call, outputs=(), vector=None)).value.to_float64()


def less_the_maximum(call: Call, right: Numbers) -> Numbers:
    """The logarithm of the sum, without the maximum that was taken off before."""
    return right - call.inputs["logits"].to_float64().max(axis=int(call.options.get("axis", -1)))


def _undivided(call: Call) -> dict[str, Any]:
    return {name: value for name, value in call.options.items() if name != "denominator"}


MISTAKES: Mapping[str, Mistake] = {
    "returned-z-loss-is-sum": mistake(
        "the z-loss that is returned is a sum where the loss is a mean",
        _LOSSES,
        rank=COMMON,
        **_returning("z_loss", lambda call, right: as_a_sum(call) if right.ndim == 0 else right),
    ),
    "returned-z-loss-divided-by-all": mistake(
        "the z-loss that is returned is divided by all rows, ignored or not",
        _LOSSES,
        **_returning("z_loss", as_a_mean_of_all),
    ),
    "returned-z-loss-of-ignored": mistake(
        "the z-loss that is returned is not 0 in ignored rows", _LOSSES[:1], **_returning("z_loss", of_ignored_too)
    ),
    "returned-z-loss-without-factor": mistake(
        "the z-loss that is returned lacks its factor", _LOSSES, rank=COMMON, **_returning("z_loss", without_factor)
    ),
    "returned-z-loss-is-loss": mistake(
        "the whole loss is returned as its z-loss", _LOSSES, **_returning("z_loss", of_loss)
    ),
    "returned-z-loss-zero": mistake(
        "the z-loss that is returned was never written: zeros", _LOSSES, **_returning("z_loss", of_nothing)
    ),
    "returned-logsumexp-shifted": mistake(
        "the logsumexp that is returned lacks the maximum that was subtracted",
        _LOSSES[:1],
        **_returning("log_sum_exp", less_the_maximum),
    ),
    "returned-logsumexp-unscaled": mistake(
        "the logsumexp that is returned is that of the logits before they are scaled and capped",
        _LOSSES[:1],
        rank=COMMON,
        **_returning("log_sum_exp", _of_other_options("log_sum_exp", "logit_scale", "softcap")),
    ),
    "returned-logsumexp-of-masked": mistake(
        "the logsumexp that is returned has the classes in it that do not count",
        _LOSSES[:1],
        **_returning("log_sum_exp", _of_other_options("log_sum_exp", "class_mask")),
    ),
    "returned-entropy-unscaled": mistake(
        "the entropy that is returned is that of the logits before they are scaled",
        _LOSSES[:1],
        rank=COMMON,
        **_returning("entropy", _of_other_options("entropy", "logit_scale")),
    ),
    "returned-entropy-in-bits": mistake(
        "the entropy that is returned is in bits",
        _LOSSES[:1],
        **_returning("entropy", lambda _, right: right / np.log(2)),
    ),
    "returned-entropy-negative": mistake(
        "the entropy that is returned is Σ p ln p", _LOSSES[:1], **_returning("entropy", lambda _, right: -right)
    ),
    "returned-rows-divided": mistake(
        "the losses of the rows that are returned are divided by what the mean divides by",
        _LOSSES,
        rank=COMMON,
        **_returning("rows", divided),
    ),
    "returned-rows-of-ignored": mistake(
        "the losses of the rows that are returned are not 0 in ignored rows",
        _LOSSES,
        **_returning("rows", with_ignored),
    ),
    "returned-rows-without-z-loss": mistake(
        "the losses of the rows that are returned lack the z-loss",
        _LOSSES[1:],
        **_returning("rows", _of_other_options("rows", "z_loss")),
    ),
}
"""By name."""
