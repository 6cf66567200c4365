"""Mistakes in reading what is given: options that have no effect, labels and weights that are misread."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.adapters.base import Array, Call
from harness.mistakes.mistake import BINARY, LABELLED, SOFTMAXES, Mistake, mistake
from harness.mistakes.steps import WIDE, Wide, one_hot

Prepare = Callable[[Call], Call]


def without(*names: str) -> Prepare:
    """The options of these names have no effect."""

    def prepare(call: Call) -> Call:
        return replace(call, options={n: v for n, v in call.options.items() if n not in names})

    return prepare


def _option(name: str, change: Callable[[NDArray[np.float64]], Any]) -> Prepare:
    def prepare(call: Call) -> Call:
        if name not in call.options:
            return call
        given = call.options[name]
        values = given.to_float64() if isinstance(given, Array) else np.asarray(given, dtype=np.float64)
        return replace(call, options={**call.options, name: Array.of(change(values), call.dtype)})

    return prepare


def _input(name: str, change: Callable[[NDArray[Any]], Any]) -> Prepare:
    def prepare(call: Call) -> Call:
        array = call.inputs[name]
        changed = Array.of(change(array.to_float64() if array.is_float else array.storage), array.dtype)
        return replace(call, inputs={**call.inputs, name: changed})

    return prepare


def _scores(call: Call) -> Array:
    return next(a for n, a in call.inputs.items() if n in ("logits", "probabilities", "log_probabilities"))


def argmax_of_soft(call: Call) -> Call:
    """A distribution is replaced by its largest class."""
    targets = call.inputs["targets"]
    axis = int(call.options.get("axis", -1))
    if targets.shape != _scores(call).shape or not targets.shape:
        return call
    values = np.moveaxis(targets.to_float64(), axis, -1)
    hard = np.moveaxis(np.arange(values.shape[-1]) == values.argmax(axis=-1)[..., None], -1, axis)
    return replace(call, inputs={**call.inputs, "targets": Array.of(hard, call.dtype)})


def ignoring_nothing(labels: NDArray[Any], ignored: Any) -> NDArray[np.bool_]:  # noqa: ARG001 - the shape of the step
    return np.ones(labels.shape, dtype=bool)


def ignoring_only_minus_100(labels: NDArray[Any], ignored: Any) -> NDArray[np.bool_]:
    return np.ones(labels.shape, dtype=bool) if ignored is None else np.asarray(labels != -100)


def ignoring_negative(labels: NDArray[Any], ignored: Any) -> NDArray[np.bool_]:  # noqa: ARG001
    return np.asarray(labels >= 0)


def wrapping(labels: NDArray[Any], classes: int) -> Wide:
    return one_hot(labels % classes, classes)


def clamping(labels: NDArray[Any], classes: int) -> Wide:
    return one_hot(np.clip(labels, 0, classes - 1), classes)


def empty_beyond(labels: NDArray[Any], classes: int) -> Wide:
    """A label out of range has an empty one-hot row: it costs nothing."""
    return np.asarray(np.asarray(labels)[..., None] == np.arange(classes)).astype(WIDE)


def from_one(labels: NDArray[Any], classes: int) -> Wide:
    return one_hot((labels - 1) % max(classes, 1), classes)


def through_int8(labels: NDArray[Any], classes: int) -> Wide:
    """Labels are kept in eight bits: 128 becomes −128, and counts from the end."""
    return wrapping(labels.astype(np.int8), classes)


def reversed_kl(call: Call) -> Call:
    t, log_q = call.inputs["targets"].to_float64(), call.inputs["log_probabilities"].to_float64()
    if call.options.get("log_target"):
        swapped = {"targets": log_q, "log_probabilities": t}
    else:
        swapped = {"targets": np.minimum(np.exp(log_q), 1), "log_probabilities": np.log(t)}
    return replace(call, inputs={n: Array.of(v, call.dtype) for n, v in swapped.items()})


def without_target_entropy(p: Wide) -> Wide:
    """Σ p (ln p − ln q) without its first term."""
    return np.zeros_like(p)


def negatives_weighted(call: Call) -> Call:
    """pos_weight w applied to the negatives: the same loss with z and t turned round."""
    if "pos_weight" not in call.options:
        return call
    weight = call.options["pos_weight"]
    w = weight.to_float64() if isinstance(weight, Array) else np.asarray(weight, dtype=np.float64)
    t = call.inputs["targets"].to_float64()
    factors = Array.of(np.broadcast_to(1 / w, t.shape), call.dtype)
    scaled = Array.of(np.broadcast_to(w, t.shape), call.dtype)
    return replace(call, options={**call.options, "pos_weight": factors, "sample_weights": scaled})


def both_weighted(call: Call) -> Call:
    if "pos_weight" not in call.options:
        return call
    weight = call.options["pos_weight"]
    w = weight.to_float64() if isinstance(weight, Array) else np.asarray(weight, dtype=np.float64)
    plain = without("pos_weight")(call)
    shape = call.inputs["targets"].shape
    return replace(plain, options={**plain.options, "sample_weights": Array.of(np.broadcast_to(w, shape), call.dtype)})


def last_axis_always(call: Call) -> Call:
    """Classes on another axis are read with a reshape where a transpose is needed."""
    axis, rank = int(call.options.get("axis", -1)), len(_scores(call).shape)
    if axis % max(rank, 1) == rank - 1:
        return call
    targets, scores = call.inputs["targets"], _scores(call)
    classes = scores.shape[axis]
    changed = {}
    for name, array in call.inputs.items():
        if array.shape == scores.shape:
            flat = array.storage.reshape(-1, classes).reshape(*np.delete(scores.shape, axis), classes)
            changed[name] = Array(array.dtype, np.ascontiguousarray(np.moveaxis(flat, -1, axis)))
    return replace(call, inputs={**call.inputs, **changed, **({} if "targets" in changed else {"targets": targets})})


def flushed(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.abs(values) < 1e-6, 0.0, values)


_WEIGHTED = ("softmax_cross_entropy", "categorical_cross_entropy", "nll_loss")
_SAMPLED = ("softmax_cross_entropy", "categorical_cross_entropy", "binary_cross_entropy")

MISTAKES: Mapping[str, Mistake] = {
    "ignores-ignore-index": mistake(
        "rows with the ignored label count", LABELLED, kept_rows=ignoring_nothing, one_hot=wrapping
    ),
    "ignores-only-minus-100": mistake(
        "the ignored label is always −100", LABELLED, kept_rows=ignoring_only_minus_100, one_hot=wrapping
    ),
    "ignores-negative-labels": mistake("every negative label is ignored", LABELLED, kept_rows=ignoring_negative),
    "ignores-class-weights": mistake("class weights have no effect", _WEIGHTED, prepare=without("class_weights")),
    "squares-class-weights": mistake(
        "class weights are applied twice", _WEIGHTED, prepare=_option("class_weights", np.square)
    ),
    "class-weights-by-size": mistake(
        "class weights lose their sign", LABELLED[:1], prepare=_option("class_weights", np.abs)
    ),
    "reversed-class-weights": mistake(
        "class weights belong to the classes in reverse", _WEIGHTED, prepare=_option("class_weights", lambda w: w[::-1])
    ),
    "ignores-sample-weights": mistake("sample weights have no effect", _SAMPLED, prepare=without("sample_weights")),
    "normalised-sample-weights": mistake(
        "sample weights are divided by their sum",
        _SAMPLED,
        prepare=_option("sample_weights", lambda w: w / w.sum()),
    ),
    "ignores-pos-weight": mistake(
        "pos_weight has no effect", ("binary_cross_entropy_with_logits",), prepare=without("pos_weight")
    ),
    "pos-weight-on-negatives": mistake(
        "pos_weight weighs the negatives", ("binary_cross_entropy_with_logits",), prepare=negatives_weighted
    ),
    "pos-weight-on-both": mistake(
        "pos_weight weighs both sides", ("binary_cross_entropy_with_logits",), prepare=both_weighted
    ),
    "ignores-alpha": mistake("α has no effect", ("binary_focal", "categorical_focal"), prepare=without("alpha")),
    "ignores-base": mistake(
        "the base of the logarithm has no effect", ("entropy", "cross_entropy"), prepare=without("base")
    ),
    "ignores-axis": mistake("classes are always on the last axis", (*SOFTMAXES, "entropy"), prepare=without("axis")),
    "reshapes-for-axis": mistake(
        "classes on another axis are reshaped, not transposed",
        ("softmax_cross_entropy", "nll_loss"),
        prepare=last_axis_always,
    ),
    "ignores-log-target": mistake(
        "log_target has no effect",
        ("kl_divergence",),
        prepare=without("log_target"),
        checked_probabilities=lambda p: None,  # noqa: ARG005 - logarithms are no probabilities
    ),
    "kl-reversed": mistake("the two distributions are swapped", ("kl_divergence",), prepare=reversed_kl),
    "kl-without-entropy": mistake(
        "Σ p ln p is left out: a cross-entropy", ("kl_divergence",), log=without_target_entropy
    ),
    "argmax-of-soft-labels": mistake(
        "soft labels are replaced by their argmax",
        ("softmax_cross_entropy", "categorical_cross_entropy", "cross_entropy", "categorical_focal"),
        prepare=argmax_of_soft,
    ),
    "wraps-labels": mistake("labels out of range are counted round", LABELLED, one_hot=wrapping),
    "clamps-labels": mistake("labels out of range become the nearest class", LABELLED, one_hot=clamping),
    "empty-row-for-bad-label": mistake("labels out of range cost nothing", LABELLED, one_hot=empty_beyond),
    "labels-from-one": mistake("labels are taken to count from 1", LABELLED, one_hot=from_one),
    "labels-in-int8": mistake("labels are kept in eight bits", LABELLED[:1], one_hot=through_int8),
    "flushes-small-inputs": mistake(
        "inputs below 1e-6 become 0",
        ("categorical_cross_entropy", "binary_cross_entropy", "entropy"),
        prepare=_input("probabilities", flushed),
    ),
    "rounds-soft-targets": mistake(
        "soft binary targets are rounded to 0 or 1", BINARY, prepare=_input("targets", np.rint)
    ),
    "ignores-bias": mistake(
        "the bias has no effect",
        ("linear_cross_entropy",),
        prepare=lambda call: replace(call, inputs={n: a for n, a in call.inputs.items() if n != "bias"}),
    ),
}
"""By name."""
