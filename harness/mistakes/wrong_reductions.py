"""Mistakes in going from one loss per sample to one number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from harness.adapters.base import Call
from harness.mistakes.mistake import BINARY, LABELLED, MAIN, ROWS, Mistake, mistake
from harness.mistakes.steps import Batch, Wide, divisor, reduced, scalar, upstream


def over_all_elements(call: Call, batch: Batch) -> Wide:
    return divisor(call, batch) * batch.terms


def by_one(call: Call, batch: Batch) -> Wide:  # noqa: ARG001 - the shape of the step, here and below
    return scalar(1)


def over_count(call: Call, batch: Batch) -> Wide:  # noqa: ARG001
    return scalar(batch.losses.size)


def over_weights(call: Call, batch: Batch) -> Wide:  # noqa: ARG001
    return scalar(batch.weights.sum())


def over_nonzero_weights(call: Call, batch: Batch) -> Wide:  # noqa: ARG001
    return scalar(np.count_nonzero(batch.weights))


def over_the_first_axis(call: Call, batch: Batch) -> Wide:  # noqa: ARG001
    return scalar(batch.losses.shape[0] if batch.losses.ndim else 1)


def over_kept(call: Call, batch: Batch) -> Wide:  # noqa: ARG001
    return scalar(np.count_nonzero(batch.kept))


def plus_epsilon(call: Call, batch: Batch) -> Wide:
    return divisor(call, batch) + 1e-3


def at_least_one(call: Call, batch: Batch) -> Wide:
    return np.maximum(divisor(call, batch), 1)


def sum_as_mean(call: Call, batch: Batch, d: Wide) -> Wide:
    return np.sum(batch.losses) / batch.losses.size if call.options["reduction"] == "sum" else reduced(call, batch, d)


def mean_of_two_means(call: Call, batch: Batch, d: Wide) -> Wide:
    """Two micro-batches, averaged as if they weighed the same."""
    n = batch.losses.shape[0] if batch.losses.ndim else 0
    if call.options["reduction"] != "mean" or n < 2:
        return reduced(call, batch, d)
    halves = [
        Batch(batch.losses[part], batch.weights[part], batch.kept[part], batch.terms)
        for part in (slice(None, (n + 1) // 2), slice((n + 1) // 2, None))
    ]
    return scalar(sum(reduced(call, half, divisor(call, half)) for half in halves)) / 2


def in_float16(call: Call, batch: Batch, d: Wide) -> Wide:
    short = batch.losses.astype(np.float16)
    if call.options["reduction"] == "none":
        return batch.losses
    total = np.add.accumulate(short.ravel(), dtype=np.float16)[-1] if short.size else np.float16(0)
    return scalar(total) / d if call.options["reduction"] != "sum" else scalar(total)


def tail_dropped(batch: Batch) -> Batch:
    """A kernel that works on tiles of 4 rows and has no code for what is left over."""
    rows = batch.losses.shape[0] if batch.losses.ndim else 0
    losses = batch.losses.copy()
    if rows > 4:
        losses[rows - rows % 4 :] = 0
    return replace(batch, losses=losses)


def without_tail(call: Call, batch: Batch, d: Wide) -> Wide:
    return reduced(call, tail_dropped(batch), d)


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


def never_divided(call: Call, batch: Batch, d: Wide) -> Wide:
    return upstream(call, batch, d) * (d if call.options["reduction"] in ("mean", "batchmean") else 1)


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
    "mean-over-classes": mistake(
        "the mean divides by N·C, not N", (*ROWS, "entropy", "kl_divergence"), divisor=over_all_elements
    ),
    "first-sample-only": mistake(
        "only the first sample is looked at", MAIN, reduced=first_alone, upstream=first_alone_upstream
    ),
    "mean-is-sum": mistake("mean returns the sum", REDUCED, divisor=by_one),
    "sum-is-mean": mistake("sum returns the mean", MAIN, reduced=sum_as_mean),
    "mean-of-means": mistake(
        "the means of two halves are averaged, whatever the halves weigh",
        (*LABELLED, "binary_cross_entropy"),
        reduced=mean_of_two_means,
    ),
    "ignored-in-mean": mistake("the mean counts ignored rows", LABELLED, divisor=over_count),
    "mean-over-kept": mistake("the weighted mean divides by the number of rows", LABELLED, divisor=over_kept),
    "mean-over-weights": mistake(
        "the mean divides by the sum of the sample weights where N is asked for",
        ("softmax_cross_entropy", "binary_cross_entropy", "binary_cross_entropy_with_logits"),
        divisor=over_weights,
    ),
    "mean-over-nonzero-weights": mistake(
        "the mean divides by the number of weights that are not zero",
        ("softmax_cross_entropy", "categorical_cross_entropy"),
        divisor=over_nonzero_weights,
    ),
    "mean-over-first-axis": mistake(
        "the mean divides by the batch size where a sample has several losses",
        ("binary_cross_entropy", "binary_cross_entropy_with_logits", "softmax_cross_entropy", "kl_divergence"),
        divisor=over_the_first_axis,
    ),
    "batchmean-over-rows": mistake(
        "batchmean divides by the number of rows, also where a sample has several",
        ("kl_divergence",),
        divisor=over_count,
    ),
    "denominator-plus-epsilon": mistake("1e-3 is added to the denominator", LABELLED, divisor=plus_epsilon),
    "denominator-at-least-one": mistake(
        "the denominator is never below 1: nothing valid gives 0, small weights a smaller loss",
        LABELLED,
        divisor=at_least_one,
    ),
    "accumulates-in-float16": mistake("sums are accumulated in float16", (*MAIN, "entropy"), reduced=in_float16),
    "drops-the-tail": mistake(
        "rows beyond the last multiple of 4 add nothing to the value",
        ("softmax_cross_entropy", "binary_cross_entropy_with_logits"),
        reduced=without_tail,
    ),
    "gradient-not-divided": mistake(
        "the gradient of the mean lacks 1/N", (*REDUCED, "binary_cross_entropy_with_logits"), upstream=never_divided
    ),
    "gradient-always-divided": mistake(
        "the gradient of the sum is divided by N", ("softmax_cross_entropy", *BINARY), upstream=always_divided
    ),
    "gradient-over-count": mistake(
        "the gradient of the weighted mean divides by N, the value by the sum of the weights",
        LABELLED,
        upstream=divided_by_count,
    ),
    "ignores-cotangent": mistake("the upstream gradient is taken to be 1", REDUCED, upstream=without_cotangent),
    "scalar-cotangent": mistake(
        "the upstream gradient is taken to be the same for every sample",
        ("softmax_cross_entropy", "nll_loss", "binary_cross_entropy_with_logits", "linear_cross_entropy"),
        upstream=first_cotangent,
    ),
}
"""By name."""
