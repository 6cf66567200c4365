"""A batch in micro-batches, as training accumulates them: one divisor for all, their answers put together again.

    accumulated = MicroBatches(torch_function(my_loss, loss="softmax_cross_entropy", options={…}))

is `my_loss` with one more mode, `accumulated`, asked of the cases that are tagged `micro-batches`. A sum adds the sums
of the micro-batches; a mean hands each of them what the whole batch divides by, so that a function without such a
number has no mean here. Its value and gradients are those of the whole batch, and are judged as such.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from harness.adapters.base import Adapter, Answer, Array, Call, Description, Unsupported
from harness.core.call import default_denominator

MODE = "accumulated"
TAG = "micro-batches"
"""Of the cases that are asked in this mode: what they ignore fills a micro-batch."""

OF_ROWS = frozenset(
    {"logits", "probabilities", "log_probabilities", "hidden", "targets", "target_logits", "target_hidden"}
)
"""Inputs that are cut; the weight and the bias of a last layer belong to every micro-batch."""

Evaluate = Callable[[Call], Answer]


class MicroBatches:
    """An adapter whose losses are accumulated besides."""

    def __init__(self, adapter: Adapter) -> None:
        self._adapter = adapter

    def describe(self) -> Description:
        has = self._adapter.describe()
        return replace(has, modes=(*has.modes, MODE), mode_tags={**has.mode_tags, MODE: TAG})

    def evaluate(self, call: Call) -> Answer:
        if call.mode != MODE:
            return self._adapter.evaluate(call)
        first = self._adapter.describe().modes[0]
        return accumulated(call, lambda part: self._adapter.evaluate(replace(part, mode=first)))


def micro_batches(call: Call) -> tuple[Call, ...]:
    """The batch in micro-batches of 1, 2, 4, … rows; the last has what is left."""
    scores = next(iter(call.inputs.values()))
    rank = len(scores.shape)
    if call.options.get("reduction") not in ("sum", "mean"):
        raise Unsupported("what is not reduced is not accumulated")
    if rank < 2 or scores.shape[0] < 2 or int(call.options.get("axis", -1)) % rank == 0:
        raise Unsupported("micro-batches are cut along a first axis of several rows, the classes elsewhere")
    options = dict(call.options)
    if options["reduction"] == "mean":
        options["denominator"] = divisor(call)
        if options["denominator"] == 0:
            raise Unsupported("where no row counts there is no number to hand in")
    parts, start, size = [], 0, 1
    while start < scores.shape[0]:
        stop = min(start + size, scores.shape[0])
        inputs = {n: _rows(a, start, stop) if n in OF_ROWS else a for n, a in call.inputs.items()}
        weights = {n: _rows(o, start, stop) for n, o in options.items() if n == "sample_weights"}
        parts.append(replace(call, inputs=inputs, options={**options, **weights}, vector=None))
        start, size = stop, 2 * size
    return tuple(parts)


def accumulated(call: Call, evaluate: Evaluate) -> Answer:
    """The answer to a call from those to its micro-batches: what belongs to all is added up, rows follow each other."""
    parts = micro_batches(call)
    answers = [evaluate(part) for part in parts]
    first = answers[0]
    error = next((answer.gradient_error for answer in answers if answer.gradient_error is not None), None)
    sizes = [str(len(part.inputs["targets"].storage)) for part in parts]
    found = {} if error is not None else {n: [a.gradients[n] for a in answers] for n in first.gradients}
    return replace(
        first,
        value=total([answer.value for answer in answers]),
        gradients={n: _in_order(each) if n in OF_ROWS else total(each) for n, each in found.items()},
        gradient_error=error,
        computed_with={**first.computed_with, "micro-batches": f"of {', '.join(sizes)} rows"},
    )


def divisor(call: Call) -> float:
    """What the mean of a whole batch of labels divides by."""
    targets = call.inputs["targets"]
    given = call.options.get("denominator", default_denominator(call.options))
    if isinstance(given, int | float):
        return float(given)
    ignored = call.options.get("ignore_index")
    kept = np.ones(targets.shape, bool) if ignored is None or targets.is_float else targets.storage != ignored
    if given == "count":
        return float(kept.size)
    if given == "valid":
        return float(np.count_nonzero(kept))
    weights = call.options.get("class_weights")
    if not isinstance(weights, Array) or targets.is_float or "sample_weights" in call.options:
        raise Unsupported("of weighted means those of classes with labels are accumulated")
    return float(weights.to_float64()[targets.storage[kept]].sum())


def total(parts: Sequence[Array]) -> Array:
    """Their sum, rounded once: what adding up costs is no property of the loss."""
    summed: Any = sum(part.to_float64() for part in parts)
    return Array.of(summed, parts[0].dtype)


def _rows(array: Array, start: int, stop: int) -> Array:
    return Array(array.dtype, array.storage[start:stop])


def _in_order(parts: Sequence[Array]) -> Array:
    return Array(parts[0].dtype, np.concatenate([part.storage for part in parts]))
