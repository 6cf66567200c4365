"""Mistakes in going from one loss per sample to one number."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from harness.adapters.base import Call
from harness.core.formats import FORMATS, FloatFormat, rounded
from harness.mistakes.mistake import (
    BINARY,
    COMMON,
    DIAGNOSED,
    LABELLED,
    MAIN,
    RARE,
    ROWS,
    Mistake,
    mistake,
    with_parameter,
)
from harness.mistakes.steps import Batch, Wide, divisor, reduced, scalar, upstream

TILES = (2, 4, 8, 16, 32, 64, 128)
"""Rows a kernel may work on at once."""
LONGEST = 512
"""Losses that are added up one by one in Python, for a format NumPy does not have."""


def _over(count: Callable[[Batch], Any], *options: str) -> Mapping[str, Any]:
    """What a mean divides by, whatever is asked for; where one of the options is given, if it takes one."""

    def step(call: Call, batch: Batch) -> Wide:
        if options and not any(option in call.options for option in options):
            return divisor(call, batch)
        return scalar(count(batch))

    return {"divisor": step}


def over_all_elements(call: Call, batch: Batch) -> Wide:
    return divisor(call, batch) * batch.terms


def over_shape(part: slice) -> Mapping[str, Any]:
    """Over the lengths of some axes of the unreduced loss, where it has several."""

    def step(call: Call, batch: Batch) -> Wide:
        shape = batch.losses.shape
        return scalar(int(np.prod(shape[part]))) if len(shape) > 1 else divisor(call, batch)

    return {"divisor": step}


def plus_epsilon(epsilon: float) -> Mapping[str, Any]:
    return {"divisor": lambda call, batch: divisor(call, batch) + epsilon}


def at_least(least: float) -> Mapping[str, Any]:
    """max(d, …) keeps the division from failing, and makes a negative total weight a huge loss."""
    return {"divisor": lambda call, batch: np.maximum(divisor(call, batch), least)}


def nothing_is_zero(call: Call, batch: Batch) -> Wide:
    """Where the mean is over nothing it is 0, and so are its gradients."""
    d = divisor(call, batch)
    return d if d != 0 else scalar(np.inf)


def sum_as_mean(call: Call, batch: Batch, d: Wide) -> Wide:
    return np.sum(batch.losses) / batch.losses.size if call.options["reduction"] == "sum" else reduced(call, batch, d)


def _halves(batch: Batch) -> list[Batch]:
    n = batch.losses.shape[0]
    return [
        Batch(batch.losses[part], batch.weights[part], batch.kept[part], batch.terms)
        for part in (slice(None, (n + 1) // 2), slice((n + 1) // 2, None))
    ]


def _has_halves(call: Call, batch: Batch) -> bool:
    return call.options["reduction"] == "mean" and batch.losses.ndim > 0 and batch.losses.shape[0] > 1


def mean_of_two_means(call: Call, batch: Batch, d: Wide) -> Wide:
    """Two micro-batches, averaged as if they weighed the same."""
    if not _has_halves(call, batch):
        return reduced(call, batch, d)
    return scalar(sum(reduced(call, half, divisor(call, half)) for half in _halves(batch))) / 2


def upstream_of_two_means(call: Call, batch: Batch, d: Wide) -> Wide:
    if not _has_halves(call, batch):
        return upstream(call, batch, d)
    return np.concatenate([upstream(call, half, divisor(call, half)) / 2 for half in _halves(batch)])


def accumulated_in(how: str) -> Mapping[str, Any]:
    """The losses rounded to a format and added up in it, one after the other or in pairs."""
    fmt, add = FORMATS[how.partition(",")[0]], _in_pairs if how.endswith("in pairs") else _one_by_one

    def step(call: Call, batch: Batch, d: Wide) -> Wide:
        if call.options["reduction"] == "none" or fmt.eps < FORMATS[call.dtype].eps:
            return reduced(call, batch, d)
        total = scalar(add(batch.losses.ravel().astype(np.float64), fmt))
        return total if call.options["reduction"] == "sum" else total / d

    return {"reduced": step}


def _one_by_one(numbers: Wide, fmt: FloatFormat) -> Any:
    if fmt.name != "bfloat16":
        kind = np.dtype(fmt.name)
        return np.add.accumulate(numbers.astype(kind), dtype=kind)[-1:].sum()
    if numbers.size > LONGEST:
        return np.nan
    total = np.asarray(0.0)
    for number in rounded(numbers, fmt):
        total = rounded(np.asarray(total + number), fmt)
    return total


def _in_pairs(numbers: Wide, fmt: FloatFormat) -> Any:
    each = rounded(numbers, fmt)
    while each.size > 1:
        even = each[: each.size // 2 * 2]
        each = np.concatenate([rounded(even[0::2] + even[1::2], fmt), each[even.size :]])
    return each.sum()


def beyond_tiles(losses: Wide, tile: int) -> slice:
    """The rows after the last whole tile, where there is more than one tile."""
    n = losses.size
    return slice(n - n % tile if n > tile else n, None)


def tail_left_out(tile: int) -> Mapping[str, Any]:
    """A kernel that works on tiles of rows and has no code for what is left over."""

    def step(call: Call, batch: Batch, d: Wide) -> Wide:
        losses = batch.losses.copy()
        losses.reshape(-1)[beyond_tiles(losses, tile)] = 0
        return reduced(call, replace(batch, losses=losses), d)

    return {"reduced": step}


def first_alone(call: Call, batch: Batch, d: Wide) -> Wide:
    return reduced(call, replace(batch, losses=_first(batch.losses)), d)


def first_alone_upstream(call: Call, batch: Batch, d: Wide) -> Wide:
    return _first(upstream(call, batch, d))


def _first(values: Wide) -> Wide:
    """The first, times their number so that its mean is itself; zero elsewhere."""
    only = np.zeros_like(values)
    if values.size:
        only.flat[0] = values.flat[0] * values.size
    return only


def never_divided(call: Call, batch: Batch, d: Wide) -> Wide:  # noqa: ARG001
    return upstream(call, batch, scalar(1))


def always_divided(call: Call, batch: Batch, d: Wide) -> Wide:
    return upstream(call, batch, d) / (batch.losses.size if call.options["reduction"] == "sum" else 1)


def divided_by_count(call: Call, batch: Batch, d: Wide) -> Wide:
    mean = call.options["reduction"] == "mean"
    return upstream(call, batch, d) * (d / batch.losses.size if mean else 1)


def without_cotangent(call: Call, batch: Batch, d: Wide) -> Wide:
    return upstream(replace(call, cotangent=None), batch, d)


def first_cotangent(call: Call, batch: Batch, d: Wide) -> Wide:
    scale = upstream(call, batch, d)
    return np.full_like(scale, scale.flat[0]) if scale.size else scale


REDUCED = (*MAIN, "nll_loss", "binary_focal", "categorical_focal")

MISTAKES: Mapping[str, Mistake] = {
    "zero-mean-of-nothing": mistake("the mean over nothing is 0", DIAGNOSED, rank=COMMON, divisor=nothing_is_zero),
    "mean-over-count": mistake(
        "the mean divides by the number of elements (÷N), ignored or not",
        (*LABELLED, "kl_divergence"),
        rank=COMMON,
        **_over(lambda batch: batch.losses.size),
    ),
    "mean-over-weights": mistake(
        "the mean divides by the sum of the weights (÷Σw)",
        ("softmax_cross_entropy", "binary_cross_entropy", "binary_cross_entropy_with_logits"),
        rank=COMMON,
        **_over(lambda batch: batch.weights.sum(), "sample_weights", "class_weights"),
    ),
    "mean-over-kept": mistake(
        "the mean divides by the number of rows that are not ignored",
        LABELLED,
        rank=COMMON,
        **_over(lambda batch: np.count_nonzero(batch.kept), "ignore_index"),
    ),
    "mean-over-nonzero-weights": mistake(
        "the mean divides by the number of weights that are not zero",
        ("softmax_cross_entropy", "categorical_cross_entropy"),
        rank=COMMON,
        **_over(lambda batch: np.count_nonzero(batch.weights), "sample_weights", "class_weights"),
    ),
    "mean-over-classes": mistake(
        "mean over N·C: the mean divides by the number of all entries",
        (*ROWS, "entropy", "kl_divergence"),
        rank=COMMON,
        divisor=over_all_elements,
    ),
    "mean-is-sum": mistake(
        "nothing is divided: the sum instead of the mean", REDUCED, rank=COMMON, **_over(lambda _: 1)
    ),
    "sum-is-mean": mistake(
        "the mean instead of the sum", MAIN, rank=COMMON, reduced=sum_as_mean, upstream=always_divided
    ),
    "ignores-cotangent": mistake(
        "the upstream gradient is taken to be 1", REDUCED, rank=COMMON, upstream=without_cotangent
    ),
    "scalar-cotangent": mistake(
        "the upstream gradient of the first sample serves for all",
        ("softmax_cross_entropy", "nll_loss", "binary_cross_entropy_with_logits", "linear_cross_entropy"),
        rank=COMMON,
        upstream=first_cotangent,
    ),
    "first-sample-only": mistake(
        "only the first sample is looked at", MAIN, reduced=first_alone, upstream=first_alone_upstream
    ),
    "mean-of-means": mistake(
        "the means of two halves of the batch are averaged, whatever they weigh",
        (*LABELLED, "binary_cross_entropy"),
        reduced=mean_of_two_means,
        upstream=upstream_of_two_means,
    ),
    "mean-over-first-axis": mistake(
        "the mean divides by the length of the first axis (the batch)",
        ("binary_cross_entropy", "binary_cross_entropy_with_logits", "softmax_cross_entropy", "kl_divergence"),
        rank=COMMON,
        **over_shape(slice(None, 1)),
    ),
    "mean-over-last-axis": mistake(
        "the mean divides by the length of the last axis", DIAGNOSED, rank=RARE, **over_shape(slice(-1, None))
    ),
    "mean-over-one-sample": mistake(
        "the mean divides by the number of losses of one sample", DIAGNOSED, rank=RARE, **over_shape(slice(1, None))
    ),
    "mean-over-class-count": mistake(
        "the mean divides by the number of classes", DIAGNOSED, rank=RARE, **_over(lambda batch: batch.terms)
    ),
    "denominator-plus-epsilon": with_parameter(
        "{} is added to what the mean divides by",
        LABELLED,
        plus_epsilon,
        1e-3,
        (1e-8, 1e-7, 1e-10, 1e-12, 1e-6, 1e-5, 1e-4),
    ),
    "denominator-at-least-one": with_parameter(
        "the mean never divides by less than {}: nothing valid gives 0", LABELLED, at_least, 1.0, (1e-8,), rank=COMMON
    ),
    "accumulates-in-float16": with_parameter(
        "the sum is accumulated in {}",
        (*MAIN, "entropy"),
        accumulated_in,
        "float16",
        ("float16, in pairs", "bfloat16", "bfloat16, in pairs", "float32", "float32, in pairs"),
    ),
    "drops-the-tail": with_parameter(
        "the samples beyond the last multiple of {} add nothing",
        ("softmax_cross_entropy", "binary_cross_entropy_with_logits"),
        tail_left_out,
        4,
        TILES,
    ),
    "gradient-not-divided": mistake(
        "the gradient of the mean lacks 1/N",
        (*REDUCED, "binary_cross_entropy_with_logits"),
        same_step="mean-is-sum",
        upstream=never_divided,
    ),
    "gradient-always-divided": mistake(
        "the gradient of the sum is divided by N",
        ("softmax_cross_entropy", *BINARY),
        same_step="sum-is-mean",
        upstream=always_divided,
    ),
    "gradient-over-count": mistake(
        "the gradient of the weighted mean divides by N, the value by the sum of the weights",
        LABELLED,
        same_step="mean-over-count",
        upstream=divided_by_count,
    ),
}
"""By name."""
