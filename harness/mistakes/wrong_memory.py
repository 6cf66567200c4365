"""Mistakes in reading memory: strides taken for granted, indices and counts in types that are too narrow.

Each has happened in a kernel that was right on a contiguous batch of ordinary size.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.adapters.base import Answer, Array, Call
from harness.mistakes.mistake import BINARY, LABELLED, SOFTMAXES, Mistake, mistake
from harness.mistakes.steps import Batch, Wide, divisor, one_hot, reduced, scalar

Prepare = Callable[[Call], Call]
_SCORES = ("logits", "probabilities", "log_probabilities", "hidden")
_LOSSES = (*LABELLED, "linear_cross_entropy", "kl_divergence", "entropy", "cross_entropy", "categorical_focal", *BINARY)


def as_if(array: Array, strides: Iterable[int]) -> Array:
    """What is found at the array's first element with other strides, in elements; nonsense beyond the buffer."""
    storage = array.storage
    if not storage.size:
        return array
    owner: NDArray[Any] = storage
    while isinstance(owner.base, np.ndarray):
        owner = owner.base
    memory = owner.ravel(order="K").view(storage.dtype)  # a framework may own the bits of bfloat16 as another integer
    first = storage.__array_interface__["data"][0] - owner.__array_interface__["data"][0]
    place = np.full(storage.shape, first // storage.itemsize)
    for axis, (size, stride) in enumerate(zip(storage.shape, strides, strict=True)):
        along = [1] * storage.ndim
        along[axis] = size
        place = place + (np.arange(size) * stride).reshape(along)
    inside = (place >= 0) & (place < memory.size)
    garbage = 0x7FC0 if array.dtype == "bfloat16" else np.nan if array.is_float else np.iinfo(storage.dtype).max
    read = np.where(inside, memory[np.clip(place, 0, memory.size - 1)], np.asarray(garbage, dtype=storage.dtype))
    return Array(array.dtype, read)


def dense_strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))


def as_if_contiguous(array: Array) -> Array:
    return as_if(array, dense_strides(array.shape))


def by_last_stride(array: Array) -> Array:
    """Contiguous as soon as the elements of a row lie side by side, wherever the rows are."""
    storage = array.storage
    side_by_side = storage.ndim > 0 and storage.strides[-1] == storage.itemsize
    return as_if_contiguous(array) if side_by_side else array


def _inputs(names: Iterable[str], read: Callable[[Array], Array]) -> Prepare:
    def prepare(call: Call) -> Call:
        changed = {n: read(a) if n in names else a for n, a in call.inputs.items()}
        return replace(call, inputs=changed)

    return prepare


def contiguous_weights(call: Call) -> Call:
    changed = {n: as_if_contiguous(v) if isinstance(v, Array) else v for n, v in call.options.items()}
    return replace(call, options=changed)


def contiguous_cotangent(call: Call) -> Call:
    return call if call.cotangent is None else replace(call, cotangent=as_if_contiguous(call.cotangent))


def strides_of_the_logits(call: Call) -> Call:
    """Both operands are walked with the strides of the first."""
    scores, targets = call.inputs["logits"], call.inputs["targets"]
    if scores.shape != targets.shape:
        return call
    steps = [stride // scores.storage.itemsize for stride in scores.storage.strides]
    return replace(call, inputs={**call.inputs, "targets": as_if(targets, steps)})


def small_integers_as_int64(call: Call) -> Call:
    """Labels of four bytes are read eight bytes at a time."""
    targets = call.inputs["targets"]
    if targets.dtype != "int32":
        return call
    wide = np.ascontiguousarray(targets.storage).tobytes() * 2
    read = np.frombuffer(wide, dtype=np.int64)[: targets.storage.size].reshape(targets.shape)
    return replace(call, inputs={**call.inputs, "targets": Array("int64", read)})


def labels_in_type_of_scores(call: Call) -> Call:
    """Labels are cast to the type of the predictions and back: half types hold whole numbers up to 2048 or 256 only."""
    targets = call.inputs["targets"]
    if targets.is_float:
        return call
    rounded = Array.of(targets.to_float64(), call.dtype).to_float64()
    labels = np.nan_to_num(rounded, posinf=2**62, neginf=-(2**62)).astype(np.int64)
    return replace(call, inputs={**call.inputs, "targets": Array("int64", labels)})


def ignored_in_type_of_scores(call: Call) -> Call:
    """Labels and the ignored one are compared in the type of the predictions: 256 and 257 are one in bfloat16."""
    targets, ignored = call.inputs["targets"], call.options.get("ignore_index")
    if targets.is_float or ignored is None:
        return call
    short, own = (
        Array.of(np.asarray(given, np.float64), call.dtype).to_float64() for given in (targets.storage, ignored)
    )
    labels = np.where(short == own, ignored, targets.storage)
    return replace(call, inputs={**call.inputs, "targets": Array("int64", labels.astype(np.int64))})


def labels_in(narrow: type[np.integer[Any]]) -> Callable[[NDArray[Any], int], Wide]:
    def encode(labels: NDArray[Any], classes: int) -> Wide:
        return one_hot(labels.astype(narrow), classes)

    return encode


def kept_by_wrapped_index(labels: NDArray[Any], ignored: Any) -> NDArray[np.bool_]:
    """The ignored label is cast to the type of the labels: −100 is 156 in a uint8, 255 is −1 in an int8."""
    if ignored is None:
        return np.ones(labels.shape, dtype=bool)
    return np.asarray(labels != np.asarray(ignored).astype(labels.dtype))


def neighbour_overwritten(call: Call, answer: Answer) -> Answer:
    """An ignored row writes its gradient of 0 to the place that its label points to, in another row."""
    ignored, targets = call.options.get("ignore_index"), call.inputs["targets"]
    if ignored is None or targets.is_float:
        return answer
    changed = dict(answer.gradients)
    for name, gradient in answer.gradients.items():
        g = np.ascontiguousarray(gradient.to_float64())
        flat, classes = g.reshape(-1), g.shape[-1]
        rows = np.flatnonzero(targets.storage == ignored)
        places = rows * classes + int(ignored)
        flat[places[(places >= 0) & (places < flat.size)]] = 0.0
        changed[name] = Array.of(g, gradient.dtype)
    return replace(answer, gradients=changed)


def count_in_own_type(call: Call, batch: Batch) -> Wide:
    """The denominator is a number of the loss's type: above 65504 it is infinite in float16."""
    return scalar(Array.of(np.float64(divisor(call, batch)), call.dtype).to_float64())


def mean_of_rounded_sum(call: Call, batch: Batch, d: Wide) -> Wide:
    """The sum is rounded to the loss's type before it is divided: above 65504 it is infinite in float16."""
    if call.options["reduction"] != "mean":
        return reduced(call, batch, d)
    return scalar(Array.of(np.float64(np.sum(batch.losses)), call.dtype).to_float64()) / d


def cotangents_summed_in_float16(call: Call, answer: Answer) -> Answer:
    """The backward pass adds the cotangents of a row in float16: above 65504 it makes 0 · ∞ of every probability."""
    if call.dtype != "float16" or call.cotangent is None or not answer.gradients:
        return answer
    with np.errstate(over="ignore"):
        sums = call.cotangent.to_float64().sum(axis=-1, keepdims=True).astype(np.float16)
    changed = {
        name: Array.of(np.where(np.isfinite(sums), g.to_float64(), np.nan), g.dtype)
        for name, g in answer.gradients.items()
    }
    return replace(answer, gradients=changed)


MISTAKES: Mapping[str, Mistake] = {
    # triton kernels that index by row · columns + column (pytorch#67167, NVIDIA/TransformerEngine#2734)
    "assumes-contiguous": mistake(
        "the predictions are read as if they were contiguous",
        (*_LOSSES, *SOFTMAXES),
        prepare=_inputs(_SCORES, as_if_contiguous),
    ),
    # NVIDIA/TransformerEngine#2734, ml-explore/mlx#657: a slice of wider rows
    "looks-at-last-stride": mistake(
        "rows whose elements lie side by side are taken to lie side by side themselves",
        (*_LOSSES, *SOFTMAXES),
        prepare=_inputs(_SCORES, by_last_stride),
    ),
    # pytorch#72120
    "assumes-contiguous-targets": mistake(
        "the targets are read as if they were contiguous",
        ("softmax_cross_entropy", "nll_loss", "binary_cross_entropy_with_logits", "linear_cross_entropy"),
        prepare=_inputs(("targets",), as_if_contiguous),
    ),
    "assumes-contiguous-weights": mistake(
        "weights are read as if they were contiguous",
        ("softmax_cross_entropy", "nll_loss", "binary_cross_entropy_with_logits"),
        prepare=contiguous_weights,
    ),
    "assumes-contiguous-weight-matrix": mistake(
        "the weight matrix is read as if its elements lay row by row",
        ("linear_cross_entropy",),
        prepare=_inputs(("weight", "bias"), as_if_contiguous),
    ),
    # ROCm/TransformerEngine#623, verl-project/verl#6960: an expanded or sliced upstream gradient
    "assumes-contiguous-cotangent": mistake(
        "the upstream gradient is read as if it were contiguous",
        ("softmax_cross_entropy", "nll_loss", "binary_cross_entropy_with_logits", "linear_cross_entropy", "softmax"),
        prepare=contiguous_cotangent,
    ),
    "one-stride-for-both": mistake(
        "the distributions are walked with the strides of the logits",
        ("softmax_cross_entropy", "categorical_focal", "binary_cross_entropy_with_logits"),
        prepare=strides_of_the_logits,
    ),
    "int32-labels-as-int64": mistake(
        "labels of four bytes are read eight bytes at a time", LABELLED, prepare=small_integers_as_int64
    ),
    # keras#15012
    "labels-in-type-of-scores": mistake(
        "labels pass through the type of the predictions",
        (*LABELLED, "categorical_focal"),
        prepare=labels_in_type_of_scores,
    ),
    "ignored-in-type-of-scores": mistake(
        "labels are compared with the ignored one in the type of the scores",
        ("softmax_cross_entropy",),
        prepare=ignored_in_type_of_scores,
    ),
    "labels-in-int16": mistake("labels are kept in sixteen bits", LABELLED[:1], one_hot=labels_in(np.int16)),
    "labels-in-uint16": mistake(
        "labels are kept in sixteen bits without a sign", LABELLED[:1], one_hot=labels_in(np.uint16)
    ),
    "labels-cut-to-int32": mistake(
        "the upper half of a label of eight bytes is cut off", LABELLED, one_hot=labels_in(np.int32)
    ),
    "ignored-label-wraps": mistake(
        "the ignored label is cast to the type of the labels", LABELLED[:1], kept_rows=kept_by_wrapped_index
    ),
    # flagos-ai/FlagGems#5026
    "ignored-row-overwrites-another": mistake(
        "an ignored row writes its gradient where its label points to",
        ("softmax_cross_entropy", "nll_loss"),
        finish=neighbour_overwritten,
    ),
    "count-in-own-type": mistake(
        "the mean divides by a count kept in the type of the loss",
        ("softmax_cross_entropy", "nll_loss", "binary_cross_entropy_with_logits"),
        divisor=count_in_own_type,
    ),
    "mean-of-rounded-sum": mistake(
        "the sum is rounded to the type of the loss before it is divided",
        ("softmax_cross_entropy", "nll_loss", "binary_cross_entropy_with_logits"),
        reduced=mean_of_rounded_sum,
    ),
    # jax#40409
    "cotangents-in-float16": mistake(
        "the backward pass adds up the cotangents of a row in float16",
        ("log_softmax",),
        finish=cotangents_summed_in_float16,
    ),
}
"""By name."""
