"""Mistakes that need more than one block: of classes, as in an online softmax, or of rows, as in a chunked loss.

Blocks and chunks bound the memory of a kernel; a batch that fits into one of them tells nothing about the seams.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from harness.adapters.base import Answer, Array, Call
from harness.core.call import default_denominator
from harness.mistakes.mistake import COMMON, FROM_LOGITS, SOFTMAXES, USUAL, Mistake, mistake, with_parameter
from harness.mistakes.sound import Sound
from harness.mistakes.steps import (
    WIDE,
    Batch,
    Wide,
    divisor,
    log_sum_exp,
    negative_log_softmax,
    pull_back,
    reduced,
    scalar,
    transformed,
    upstream,
)
from harness.mistakes.wrong_reductions import beyond_tiles, tail_left_out
from harness.mistakes.wrong_values import NATIVE

CLASSES = 128
"""Of a block of classes: the width of a warp times a vector load."""
VECTOR = 8
ROWS = 32
"""Of a chunk of rows."""
SIZES = (2, 3, 4, 5, 8, 16, 64, 128, 256, 1024)
"""Of chunks that the diagnosis tries besides."""
BLOCKS = (2, 4, 8, 16, 32, 64, 256, 512, 1024, 2048, 4096)
"""Of classes that the diagnosis tries besides."""
_KERNEL = {**NATIVE, "float16": np.float32}
"""Kernels compute half types in float32."""
GRADIENT_FILTER = 2.0**-12
"""Below this a probability vanishes in a bfloat16 sum, so some kernels skip its part of the gradient."""

_ALL = (*SOFTMAXES, *FROM_LOGITS)
_CHUNKED = (
    "softmax_cross_entropy",
    "categorical_cross_entropy",
    "nll_loss",
    "linear_cross_entropy",
    "linear_jensen_shannon",
    "categorical_focal",
    "kl_divergence",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
)
_KEPT = ("softmax_cross_entropy", "categorical_cross_entropy", "nll_loss", "linear_cross_entropy")


# --- blocks of classes -----------------------------------------------------------------------------------------------


def _from(x: Wide, log_sum: Wide) -> tuple[Wide, Wide]:
    L = log_sum - x
    return L, np.exp(-L)


def padding_counts(call: Call, x: Wide) -> tuple[Wide, Wide]:
    """The lanes beyond the last class are loaded as 0, not as −∞."""
    missing = -x.shape[-1] % CLASSES
    if x.shape[-1] <= CLASSES or not missing:
        return negative_log_softmax(call, x)
    padded = np.concatenate([x, np.zeros((*x.shape[:-1], missing), dtype=WIDE)], axis=-1)
    L, p = negative_log_softmax(call, padded)
    return L[..., : x.shape[-1]], p[..., : x.shape[-1]]


def last_block_left_out(call: Call, x: Wide) -> tuple[Wide, Wide]:
    """Classes beyond the last whole block are not summed."""
    whole = x.shape[-1] - x.shape[-1] % CLASSES
    if not whole:
        return negative_log_softmax(call, x)
    L, _ = negative_log_softmax(call, x[..., :whole])
    return _from(x, L[..., :1] + x[..., :1])


def last_block_not_walked(size: int) -> Mapping[str, Any]:
    """The loop over blocks of classes ends one too soon: what the last holds has no mass, no gradient, and a logit of 0
    where it is the label, which nobody has picked up."""

    def walked(x: Wide) -> int:
        classes = int(x.shape[-1])
        return (classes - 1) // size * size if classes > size else classes

    def seen(call: Call, x: Wide) -> tuple[Wide, Wide, Wide]:
        z, slope, bend = transformed(call, x)
        there = np.arange(x.shape[-1]) < walked(x)
        return z, np.where(there, slope, 0), np.where(there, bend, 0)

    def softmax(call: Call, x: Wide) -> tuple[Wide, Wide]:
        whole = walked(x)
        L, p = negative_log_softmax(call, x[..., :whole])
        rest = (*x.shape[:-1], x.shape[-1] - whole)
        missing = np.broadcast_to(log_sum_exp(x[..., :whole], L)[..., None], rest)
        return np.concatenate([L, missing], axis=-1), np.concatenate([p, np.zeros(rest, WIDE)], axis=-1)

    def summed(z: Wide, L: Wide) -> Wide:
        whole = walked(z)
        return log_sum_exp(z[..., :whole], L[..., :whole])

    return {"transformed": seen, "negative_log_softmax": softmax, "log_sum_exp": summed}


def nan_in_masked_block(call: Call, x: Wide) -> tuple[Wide, Wide]:
    """A running maximum of −∞ is subtracted from itself where the first block is masked altogether."""
    L, p = negative_log_softmax(call, x)
    masked = np.isneginf(x[..., :CLASSES]).all(axis=-1, keepdims=True) & (x.shape[-1] > CLASSES)
    return np.where(masked, np.nan, L), np.where(masked, np.nan, p)


def sum_not_rescaled(call: Call, x: Wide) -> tuple[Wide, Wide]:
    """The running sum stays as it is when a block brings a larger maximum."""
    if x.shape[-1] <= CLASSES:
        return negative_log_softmax(call, x)
    top = np.full((*x.shape[:-1], 1), -np.inf, dtype=WIDE)
    total = np.zeros_like(top)
    for start in range(0, x.shape[-1], CLASSES):
        block = x[..., start : start + CLASSES]
        top = np.maximum(top, block.max(axis=-1, keepdims=True))
        total = total + np.exp(block - top).sum(axis=-1, keepdims=True)
    return _from(x, top + np.log(total))


def _shifted_by(call: Call, x: Wide, shift: Wide) -> tuple[Wide, Wide]:
    e = np.exp((x - shift).astype(_KERNEL[call.dtype]))
    p = (e / e.sum(axis=-1, keepdims=True)).astype(WIDE)
    return -np.log(p), p


def unshifted_vectors(call: Call, x: Wide) -> tuple[Wide, Wide]:
    """The maximum is taken off on the scalar path alone; what fills a vector goes another way."""
    return negative_log_softmax(call, x) if x.shape[-1] < VECTOR else _shifted_by(call, x, scalar(0))


def shift_of_first_block(call: Call, x: Wide) -> tuple[Wide, Wide]:
    if x.shape[-1] <= VECTOR:
        return negative_log_softmax(call, x)
    return _shifted_by(call, x, x[..., :VECTOR].max(axis=-1, keepdims=True))


def _on_other_axis(call: Call, x: Wide) -> bool:
    return int(call.options.get("axis", -1)) % x.ndim != x.ndim - 1


def shift_of_batch_on_other_axes(call: Call, x: Wide) -> tuple[Wide, Wide]:
    if not x.size or not _on_other_axis(call, x):
        return negative_log_softmax(call, x)
    return _shifted_by(call, x, scalar(x.max()))


def unshifted_on_other_axes(call: Call, x: Wide) -> tuple[Wide, Wide]:
    return _shifted_by(call, x, scalar(0)) if _on_other_axis(call, x) else negative_log_softmax(call, x)


def over_all_later_axes(call: Call, x: Wide) -> tuple[Wide, Wide]:
    """Everything from the axis on is one row: what ONNX meant by Softmax before its version 13."""
    if not _on_other_axis(call, x):
        return negative_log_softmax(call, x)
    axis = int(call.options["axis"])
    given = np.moveaxis(x, -1, axis)
    flat = given.reshape(*given.shape[: axis % given.ndim], -1)
    L, p = (np.moveaxis(part.reshape(given.shape), axis, -1) for part in negative_log_softmax(call, flat))
    return L, p


def sequential_sum(call: Call, x: Wide) -> tuple[Wide, Wide]:
    """The exponentials of many classes are added one after the other."""
    if x.shape[-1] <= CLASSES:
        return negative_log_softmax(call, x)
    top = x.max(axis=-1, keepdims=True)
    kernel = _KERNEL[call.dtype]
    total = np.add.accumulate(np.exp(x - top).astype(kernel), axis=-1, dtype=kernel)[..., -1:]
    return _from(x, top + np.log(total.astype(WIDE)))


def one_by_one(a: Wide, p: Wide) -> Wide:
    """The gradients of the logarithms of all classes are added one after the other, in float64."""
    total = np.add.accumulate(a.astype(np.float64), axis=-1)[..., -1:].astype(WIDE)
    return pull_back(a, p) + p * (total - a.sum(axis=-1, keepdims=True))


def filtered(a: Wide, p: Wide) -> Wide:
    return np.where(p < GRADIENT_FILTER, 0, pull_back(a, p))


# --- chunks of rows --------------------------------------------------------------------------------------------------


def _chunks(batch: Batch, rows: int = ROWS) -> Iterator[Batch]:
    """Of the flattened rows."""
    flat = [array.reshape(-1) for array in (batch.losses, batch.weights, batch.kept)]
    for start in range(0, batch.losses.size, rows):
        part = slice(start, start + rows)
        yield Batch(flat[0][part], flat[1][part], flat[2][part], batch.terms)


def _over_chunks(combine: Callable[[list[Wide]], Wide]) -> Callable[[int], Mapping[str, Any]]:
    """From the rows of a chunk to the reduction by chunks."""

    def of(rows: int) -> Mapping[str, Any]:
        def reduce(call: Call, batch: Batch, d: Wide) -> Wide:
            if call.options["reduction"] != "mean" or batch.losses.size <= rows:
                return reduced(call, batch, d)
            return combine([reduced(call, chunk, divisor(call, chunk)) for chunk in _chunks(batch, rows)])

        return {"reduced": reduce}

    return of


def added(means: list[Wide]) -> Wide:
    return scalar(sum(means))


def averaged(means: list[Wide]) -> Wide:
    return scalar(sum(means)) / len(means)


def nan_from_empty_chunk(call: Call, batch: Batch, d: Wide) -> Wide:
    """Each chunk's mean is weighed by its number of valid rows: 0 · (0/0) where a chunk has none."""
    value = reduced(call, batch, d)
    empty = batch.losses.size > ROWS and any(not chunk.kept.any() for chunk in _chunks(batch))
    return value * WIDE(np.nan) if empty and call.options["reduction"] == "mean" else value


def weights_of_each_chunk(call: Call, batch: Batch, d: Wide) -> Wide:
    """Each chunk's mean divides by its own weights and is weighed by its number of valid rows."""
    kept = np.count_nonzero(batch.kept)
    if call.options["reduction"] != "mean" or batch.losses.size <= ROWS or not kept:
        return reduced(call, batch, d)
    chunks = [chunk for chunk in _chunks(batch) if chunk.kept.any()]
    means = [reduced(call, chunk, divisor(call, chunk)) * np.count_nonzero(chunk.kept) for chunk in chunks]
    by_weights = call.options.get("denominator", default_denominator(call.options)) == "weights"
    return scalar(sum(means)) / kept if by_weights else reduced(call, batch, d)


def surplus_labels_dropped(call: Call) -> Call:
    """Labels are taken chunk by chunk for as long as there are rows."""
    rows, targets = call.inputs["hidden"].shape[:-1], call.inputs["targets"]
    if targets.is_float or len(targets.shape) != len(rows) or not rows or targets.shape[0] <= rows[0]:
        return call
    return replace(call, inputs={**call.inputs, "targets": Array(targets.dtype, targets.storage[: rows[0]])})


def no_gradient_in_last_chunk(call: Call, batch: Batch, d: Wide) -> Wide:
    u = upstream(call, batch, d).copy()
    u.reshape(-1)[beyond_tiles(u, ROWS)] = 0
    return u


def gradient_of_last_chunk(call: Call, batch: Batch, d: Wide) -> Wide:
    """Each chunk overwrites what the one before it has stored."""
    u = upstream(call, batch, d).copy()
    u.reshape(-1)[: (u.size - 1) // ROWS * ROWS] = 0
    return u


def weight_gradient_in_own_type(call: Call, answer: Answer) -> Answer:
    """The weight's gradient is a running sum over the rows, rounded to its type after each."""
    if "weight" not in answer.gradients or call.dtype not in ("float16", "bfloat16"):
        return answer
    hidden = call.inputs["hidden"].to_float64()
    logits = hidden @ call.inputs["weight"].to_float64()
    if "bias" in call.inputs:
        logits = logits + call.inputs["bias"].to_float64()
    head = Call(
        loss="softmax_cross_entropy",
        inputs={"logits": Array.of(logits, "float64"), "targets": call.inputs["targets"]},
        options=call.options,
        dtype="float64",
        differentiate=("logits",),
        cotangent=call.cotangent,
    )
    slopes = Sound().evaluate(head).gradients["logits"].to_float64()
    total = np.zeros(call.inputs["weight"].shape)
    for row, slope in zip(hidden.reshape(-1, hidden.shape[-1]), slopes.reshape(-1, slopes.shape[-1]), strict=True):
        total = Array.of(total + np.outer(row, slope), call.dtype).to_float64()
    return replace(answer, gradients={**answer.gradients, "weight": Array.of(total, call.dtype)})


def bias_gradient_unscaled(call: Call, answer: Answer) -> Answer:
    """What the forward pass has computed for the bias is not multiplied by the upstream gradient."""
    if call.cotangent is None or "bias" not in answer.gradients:
        return answer
    unscaled = Sound().evaluate(replace(call, cotangent=None)).gradients["bias"]
    return replace(answer, gradients={**answer.gradients, "bias": unscaled})


def _softmax(
    sentence: str,
    step: Callable[[Call, Wide], tuple[Wide, Wide]],
    losses: tuple[str, ...] = _ALL,
    same_step: str = "",
    rank: int = USUAL,
) -> Mistake:
    return mistake(sentence, losses, rank=rank, same_step=same_step, negative_log_softmax=step)


MISTAKES: Mapping[str, Mistake] = {
    # ml-explore/mlx#2213, unslothai/unsloth#10616
    "padding-lanes-count": _softmax("lanes beyond the last class count as logits of 0", padding_counts),
    "last-classes-left-out": _softmax("classes beyond the last whole block are not summed", last_block_left_out),
    "last-block-not-walked": with_parameter(
        "the last block of {} classes is never walked",
        ("softmax_cross_entropy", "linear_cross_entropy"),
        last_block_not_walked,
        CLASSES,
        BLOCKS,
    ),
    # ml-explore/mlx#1467; where a whole block is masked as likely as what makes nan of any masked class
    "masked-block-is-nan": _softmax(
        "a first block that is masked altogether makes nan", nan_in_masked_block, rank=COMMON - 1
    ),
    "sum-not-rescaled": _softmax("the running sum of an online softmax is not rescaled", sum_not_rescaled),
    # pytorch#62897
    "no-max-shift-in-vectors": _softmax("the maximum is taken off rows of few classes only", unshifted_vectors),
    "shift-of-first-vector": _softmax("the maximum of the first eight classes is taken off", shift_of_first_block),
    # PaddlePaddle/Paddle#19800
    "shift-of-the-batch-on-other-axes": _softmax(
        "one maximum is taken off the batch where the classes are not last",
        shift_of_batch_on_other_axes,
        _ALL[:3],
        "shift-of-the-batch",
    ),
    # pytorch#158310
    "no-max-shift-on-other-axes": _softmax(
        "the maximum is not taken off where the classes are not last", unshifted_on_other_axes, _ALL[:3], "no-max-shift"
    ),
    # onnxruntime#4288
    "softmax-of-later-axes": _softmax("the softmax runs over all later axes", over_all_later_axes, _ALL[:3]),
    "sequential-sum-of-classes": _softmax(
        "the exponentials of many classes are added one by one", sequential_sum, _ALL[1:3]
    ),
    "sequential-sum-of-gradients": mistake(
        "the gradients of the logarithms of many classes are added one by one",
        ("softmax_cross_entropy",),
        pull_back=one_by_one,
    ),
    "filters-small-gradients": mistake("probabilities below 2^-12 get no gradient", FROM_LOGITS, pull_back=filtered),
    # NVIDIA-NeMo/Automodel#3803
    "adds-means-of-chunks": with_parameter(
        "the means of chunks of {} rows are added", _CHUNKED, _over_chunks(added), ROWS, SIZES
    ),
    # huggingface/transformers#34191
    "averages-means-of-chunks": with_parameter(
        "the means of chunks of {} rows are averaged", _CHUNKED, _over_chunks(averaged), ROWS, SIZES
    ),
    "chunk-of-ignored-is-nan": mistake(
        "a chunk of 32 ignored rows makes the mean nan", _KEPT, reduced=nan_from_empty_chunk
    ),
    "weights-of-each-chunk": mistake(
        "chunks of 32 rows divide by their own weights and are weighed by their rows",
        ("linear_cross_entropy",),
        reduced=weights_of_each_chunk,
    ),
    "surplus-labels-dropped": mistake(
        "labels beyond the last row are dropped", ("linear_cross_entropy",), prepare=surplus_labels_dropped
    ),
    "last-chunk-left-out": mistake(
        "rows after the last whole chunk of 32 add nothing to the value",
        _CHUNKED,
        same_step="drops-the-tail",
        **tail_left_out(ROWS),
    ),
    "last-chunk-without-gradient": mistake(
        "rows after the last whole chunk of 32 have no gradient", _CHUNKED, upstream=no_gradient_in_last_chunk
    ),
    "gradient-of-last-chunk": mistake(
        "the gradient of a chunk of 32 rows overwrites that of the one before",
        _CHUNKED,
        upstream=gradient_of_last_chunk,
    ),
    "weight-gradient-in-own-type": mistake(
        "the weight's gradient is added up in the type of the weight",
        ("linear_cross_entropy",),
        finish=weight_gradient_in_own_type,
    ),
    "bias-gradient-unscaled": mistake(
        "the bias's gradient is not multiplied by the upstream gradient",
        ("linear_cross_entropy",),
        same_step="ignores-cotangent",
        finish=bias_gradient_unscaled,
    ),
}
"""By name."""
