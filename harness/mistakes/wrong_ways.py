"""Mistakes that a whole batch on one rank does not show: those of micro-batches, of slices on several ranks and of
programs for batches of any size.

A known-bad implementation of these is right in its first mode.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from harness.adapters.base import Answer, Array, Call
from harness.adapters.micro_batches import MODE as ACCUMULATED
from harness.adapters.micro_batches import OF_ROWS, Evaluate, accumulated, micro_batches, total
from harness.mistakes.mistake import COMMON, Mistake, mistake
from harness.mistakes.sound import DYNAMIC, RANKS, Sound
from harness.mistakes.steps import (
    Batch,
    Steps,
    Wide,
    divisor,
    negative_log_softmax,
    one_hot,
    reduced,
    scalar,
    times,
    transformed,
    upstream,
)
from harness.mistakes.wrong_kernels import over_classes_of_a_shard
from harness.mistakes.wrong_reductions import mean_of_two_means, upstream_of_two_means

SHARDS = 2
TRACED = 2
"""Rows of the batch with which a program for any number of them was made."""
_FIRST = COMMON - 2
"""In its own mode such a mistake says best what goes wrong there; in any other it is made nowhere."""
_CLASSES = ("softmax_cross_entropy",)
_LABELLED = ("softmax_cross_entropy", "linear_cross_entropy")


def _in(mode: str, **steps: Any) -> Mapping[str, Any]:
    """Steps that are wrong in one mode."""
    bad = Sound(replace(Steps(), **steps))

    def finish(call: Call, answer: Answer) -> Answer:
        return bad.evaluate(replace(call, mode="eager")) if call.mode == mode else answer

    return {"finish": finish}


# --- micro-batches ----------------------------------------------------------------------------------------------------


def kept(call: Call, batch: Batch) -> Wide:  # noqa: ARG001 - the shape of the step
    return scalar(np.count_nonzero(batch.kept))


def own_mean(call: Call, batch: Batch, d: Wide) -> Wide:
    return reduced(call, batch, kept(call, batch)) if call.options["reduction"] == "mean" else reduced(call, batch, d)


def own_mean_upstream(call: Call, batch: Batch, d: Wide) -> Wide:
    return upstream(call, batch, kept(call, batch) if call.options["reduction"] == "mean" else d)


def nan_of_nothing(call: Call, batch: Batch, d: Wide) -> Wide:
    """0/0 for a micro-batch without a row that counts, before it is multiplied with its share of the rows."""
    return reduced(call, batch, d) if batch.kept.any() else scalar(np.nan)


def averaged(call: Call, evaluate: Evaluate) -> Answer:
    """The means of the micro-batches, added up and divided by their number."""
    parts = micro_batches(call)
    if call.options["reduction"] != "mean":
        return accumulated(call, evaluate)

    def own(part: Call) -> Answer:
        counted = int(np.count_nonzero(part.inputs["targets"].storage != part.options.get("ignore_index")))
        return evaluate(replace(part, options={**part.options, "denominator": max(1, counted) * len(parts)}))

    return accumulated(call, own)


def last_gradient(call: Call, evaluate: Evaluate) -> Answer:
    """The gradient of what all micro-batches share is written, not added to."""
    last: dict[str, Array] = {}

    def noted(part: Call) -> Answer:
        answer = evaluate(part)
        last.update(answer.gradients)
        return answer

    right = accumulated(call, noted)
    return replace(right, gradients={n: g if n in OF_ROWS else last[n] for n, g in right.gradients.items()})


def last_left_out(call: Call, evaluate: Evaluate) -> Answer:
    """As many micro-batches as fit: the last, which is not whole, is dropped."""
    values: list[Array] = []

    def noted(part: Call) -> Answer:
        answer = evaluate(part)
        values.append(answer.value)
        return answer

    right = accumulated(call, noted)
    return replace(right, value=total(values[:-1]))


# --- slices of the classes --------------------------------------------------------------------------------------------


def _shards(x: Wide) -> list[Wide]:
    size = -(-x.shape[-1] // SHARDS)
    return [x[..., start : start + size] for start in range(0, x.shape[-1], size)]


def own_maximum(call: Call, x: Wide) -> tuple[Wide, Wide]:  # noqa: ARG001 - the shape of the step
    """Each rank's sum is relative to its own largest logit, and they are added up as they are."""
    tops = [shard.max(axis=-1, keepdims=True) for shard in _shards(x)]
    sums = [np.exp(s - top).sum(axis=-1, keepdims=True) for s, top in zip(_shards(x), tops, strict=True)]
    L = np.maximum.reduce(tops) + np.log(np.add.reduce(sums)) - x
    return L, np.exp(-L)


def own_sum(call: Call, x: Wide) -> tuple[Wide, Wide]:
    """The sum of the exponentials is that of the rank, not of all."""
    found = [negative_log_softmax(call, shard) for shard in _shards(x)]
    return np.concatenate([L for L, _ in found], -1), np.concatenate([p for _, p in found], -1)


def nan_in_masked_shard(call: Call, x: Wide) -> tuple[Wide, Wide]:
    """A rank whose classes are all masked takes −∞ from −∞."""
    L, p = negative_log_softmax(call, x)
    masked = np.logical_or.reduce([np.isneginf(s).all(axis=-1, keepdims=True) for s in _shards(x)])
    return np.where(masked, np.nan, L), np.where(masked, np.nan, p)


def left_over(call: Call, x: Wide) -> tuple[Wide, Wide, Wide]:
    """Every rank has C // n classes: those left over are nobody's."""
    z, slope, bend = transformed(call, x)
    whole = x.shape[-1] - x.shape[-1] % SHARDS
    nobodys = np.arange(x.shape[-1]) >= whole
    return np.where(nobodys, -np.inf, z), np.where(nobodys, 0, slope), bend


def first_class_elsewhere(labels: Any, classes: int) -> Wide:
    """A rank without the label takes its first class for it."""
    hot = one_hot(labels, classes)
    size = -(-classes // SHARDS)
    for start in range(0, classes, size):
        elsewhere = hot[..., start : start + size].sum(axis=-1) == 0
        hot[..., start] = np.where(elsewhere, 1, hot[..., start])
    return hot


def _in_ranks(change: Callable[[Call, Answer], Answer]) -> Mapping[str, Any]:
    return {"finish": lambda call, answer: change(call, answer) if call.mode == RANKS else answer}


def times_ranks(call: Call, answer: Answer) -> Answer:  # noqa: ARG001 - the shape of the step
    """The upstream gradient, which every rank has, is added up over them."""
    found = {n: Array.of(SHARDS * g.to_float64(), g.dtype) for n, g in answer.gradients.items()}
    return replace(answer, gradients=found)


def where_the_label_is(call: Call, answer: Answer) -> Answer:
    """The other ranks have no gradient."""
    found = answer.gradients.get("logits")
    targets = call.inputs["targets"]
    if found is None or targets.is_float or int(call.options.get("axis", -1)) not in (-1, len(found.shape) - 1):
        return answer
    size = -(-found.shape[-1] // SHARDS)
    owner = np.arange(found.shape[-1]) // size == targets.storage[..., None] // size
    return replace(answer, gradients={"logits": Array.of(times(owner.astype(float), found.to_float64()), found.dtype)})


# --- programs for any size --------------------------------------------------------------------------------------------


def broadcast_targets(call: Call) -> Call:
    """What is compared where sizes are known broadcasts where they are not."""
    scores, targets = next(iter(call.inputs.values())), call.inputs["targets"]
    if call.mode != DYNAMIC or len(targets.shape) != len(scores.shape) or targets.shape == scores.shape:
        return call
    fitting = np.broadcast_to(targets.storage, scores.shape).copy()
    return replace(call, inputs={**call.inputs, "targets": Array(targets.dtype, fitting)})


def rows_with_labels(call: Call) -> Call:
    """A gather takes as many rows as there are labels."""
    (name, scores), labels = next(iter(call.inputs.items())), call.inputs["targets"]
    if call.mode != DYNAMIC or len(labels.shape) != 1 or len(labels.storage) >= len(scores.storage):
        return call
    first = Array(scores.dtype, scores.storage[: len(labels.storage)])
    return replace(call, inputs={**call.inputs, name: first})


def rows_of_the_trace(call: Call, batch: Batch) -> Wide:
    """The number of rows is that of the batch with which the program was made."""
    rows = batch.losses.shape[0] if batch.losses.ndim else 1
    return divisor(call, batch) * TRACED / rows


MISTAKES: Mapping[str, Mistake] = {
    "micro-batch-mean": mistake(
        "each micro-batch divides by its own rows, and the means are added up",
        _LABELLED,
        rank=_FIRST,
        **_in(ACCUMULATED, reduced=own_mean, upstream=own_mean_upstream),
    ),
    "micro-batch-mean-of-means": mistake(
        "each micro-batch divides by its own rows, and the means are averaged",
        _LABELLED,
        rank=_FIRST,
        accumulated=averaged,
    ),
    "micro-batch-gradient": mistake(
        "the value divides by what is handed in, the gradient by the rows of the micro-batch",
        _LABELLED,
        rank=_FIRST,
        **_in(ACCUMULATED, upstream=own_mean_upstream),
    ),
    "micro-batch-of-nothing": mistake(
        "a micro-batch whose rows are all ignored is nan",
        _LABELLED,
        rank=_FIRST,
        **_in(ACCUMULATED, reduced=nan_of_nothing),
    ),
    "micro-batch-last-gradient": mistake(
        "the gradient of the weight is that of the last micro-batch",
        _LABELLED[1:],
        rank=_FIRST,
        accumulated=last_gradient,
    ),
    "micro-batch-left-out": mistake(
        "the last micro-batch is not added to the value", _LABELLED, rank=_FIRST, accumulated=last_left_out
    ),
    "shard-maximum": mistake(
        "the sums of the slices are relative to maxima of their own",
        _CLASSES,
        **_in(RANKS, negative_log_softmax=own_maximum),
    ),
    "shard-sum": mistake(
        "each slice of the classes is normalised by itself", _CLASSES, **_in(RANKS, negative_log_softmax=own_sum)
    ),
    "shard-masked": mistake(
        "a slice whose classes are all masked makes nan",
        _CLASSES,
        **_in(RANKS, negative_log_softmax=nan_in_masked_shard),
    ),
    "shard-left-over": mistake(
        "classes that are left over where the slices do not divide them are nobody's",
        _CLASSES,
        **_in(RANKS, transformed=left_over),
    ),
    "shard-label": mistake(
        "a slice without the label takes its first class for it", _CLASSES, **_in(RANKS, one_hot=first_class_elsewhere)
    ),
    "shard-smoothing": mistake(
        "smoothing is divided by the classes of a slice", _CLASSES, **_in(RANKS, smoothed=over_classes_of_a_shard)
    ),
    "shard-gradient-where-the-label-is": mistake(
        "slices without the label have no gradient", _CLASSES, **_in_ranks(where_the_label_is)
    ),
    "shard-gradient-times-ranks": mistake(
        "the gradient is multiplied with the number of ranks", _CLASSES, **_in_ranks(times_ranks)
    ),
    "sizes-compared-while-traced": mistake(
        "targets of another shape broadcast in a program for any size",
        ("softmax_cross_entropy", "binary_cross_entropy", "binary_cross_entropy_with_logits"),
        prepare=broadcast_targets,
    ),
    "rows-without-labels-dropped": mistake(
        "a program for any size takes as many rows as there are labels",
        ("softmax_cross_entropy", "nll_loss"),
        prepare=rows_with_labels,
    ),
    "denominator-of-the-trace": mistake(
        "a program for any size divides by the rows of the batch that it was made with",
        _CLASSES,
        rank=_FIRST,
        **_in(DYNAMIC, divisor=rows_of_the_trace),
    ),
    "shard-mean": mistake(
        "the means of slices of the rows are averaged, whatever they weigh",
        _CLASSES,
        **_in(RANKS, reduced=mean_of_two_means, upstream=upstream_of_two_means),
    ),
}
"""By name."""
