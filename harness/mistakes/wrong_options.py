"""Mistakes that show only where options meet: weights with smoothing or an axis, targets that are differentiated.

Each option alone is right.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from harness.adapters.base import Answer, Array, Call
from harness.mistakes.mistake import LABELLED, MAIN, SCORES, Mistake, mistake, scores_of, with_options
from harness.mistakes.sound import Sound
from harness.mistakes.steps import WIDE, Batch, Wide, divisor, reduced, scalar, upstream
from harness.mistakes.wrong_inputs import without
from harness.mistakes.wrong_reductions import at_least

Prepare = Callable[[Call], Call]
Finish = Callable[[Call, Answer], Answer]
_SMOOTHED = ("softmax_cross_entropy", "categorical_cross_entropy", "linear_cross_entropy")


def _array(call: Call, name: str) -> NDArray[np.float64] | None:
    given = call.options.get(name)
    return given.to_float64() if isinstance(given, Array) else None


def _axis(call: Call) -> int:
    return int(call.options.get("axis", -1))


def _soft(call: Call) -> bool:
    targets = call.inputs["targets"]
    return any(n in SCORES and a.shape == targets.shape and a.shape != () for n, a in call.inputs.items())


def _gradients_of(change: Prepare, *names: str) -> Finish:
    """The gradients (those of `names`, or all) of another call than the one that was made."""

    def finish(call: Call, answer: Answer) -> Answer:
        other = Sound().evaluate(change(call)).gradients
        taken = {n: g for n, g in other.items() if n in answer.gradients and (not names or n in names)}
        return replace(answer, gradients={**answer.gradients, **taken})

    return finish


# --- smoothing -------------------------------------------------------------------------------------------------------


def smoothed_over_last_axis(call: Call) -> Call:
    """ε is divided by the length of the last axis, wherever the classes are."""
    smoothing, targets = call.options.get("label_smoothing"), call.inputs["targets"]
    if not smoothing or not _soft(call):
        return call
    q = (1 - smoothing) * targets.to_float64() + smoothing / targets.shape[-1]
    inputs = {**call.inputs, "targets": Array.of(q, call.dtype)}
    return replace(without("label_smoothing")(call), inputs=inputs)


def smoothed_by_half_of_the_classes(q: Wide, smoothing: float) -> Wide:
    """Each of two partitions of the vocabulary averages over its own classes; the first one's answer is returned."""
    if not smoothing:
        return q
    own = -(-q.shape[-1] // 2)
    share = np.where(np.arange(q.shape[-1]) < own, WIDE(smoothing) / own, 0)
    return (1 - WIDE(smoothing)) * q + share


def smoothing_of_ignored_rows(call: Call, answer: Answer) -> Answer:
    """The uniform part of the smoothed loss counts ignored rows too."""
    smoothing, targets = call.options.get("label_smoothing"), call.inputs["targets"]
    if not smoothing or "ignore_index" not in call.options or targets.is_float:
        return answer
    plain = Sound().evaluate(with_options(call, label_smoothing=None))
    uniform = Sound().evaluate(with_options(call, label_smoothing=1.0, ignore_index=None))
    value = (1 - smoothing) * plain.value.to_float64() + smoothing * uniform.value.to_float64()
    return replace(answer, value=Array.of(value, call.dtype))


# --- weights ---------------------------------------------------------------------------------------------------------


def weight_of_the_whole_row(call: Call) -> Call:
    """A distribution's row is weighted by Σ q w, not each of its terms by its own weight."""
    weights, targets = _array(call, "class_weights"), call.inputs["targets"]
    if weights is None or not _soft(call) or call.options.get("sample_weights") is not None:
        return call
    rows = (np.moveaxis(targets.to_float64(), _axis(call), -1) * weights).sum(axis=-1)
    denominator = call.options.get("denominator", "weights")
    return with_options(call, class_weights=None, sample_weights=Array.of(rows, call.dtype), denominator=denominator)


def class_weights_along_last_axis(call: Call) -> Call:
    """Where the last axis has the length of the weights, they belong to it."""
    weights, targets = _array(call, "class_weights"), call.inputs["targets"]
    shape = scores_of(call).shape
    other = bool(shape) and _axis(call) % len(shape) != len(shape) - 1
    if weights is None or not other or shape[-1] != weights.size or _soft(call):
        return call
    rows = Array.of(np.broadcast_to(weights, targets.shape), call.dtype)
    return with_options(
        call, class_weights=None, sample_weights=rows, denominator=call.options.get("denominator", "weights")
    )


def pos_weight_along(axis: int) -> Prepare:
    """It belongs to this axis, if that has its length and is not the last one."""

    def prepare(call: Call) -> Call:
        weights, shape = _array(call, "pos_weight"), call.inputs["targets"].shape
        if weights is None or len(shape) < axis + 2 or weights.shape != (shape[axis],):
            return call
        column = weights.reshape(-1, *(1,) * (len(shape) - 1 - axis))
        return with_options(call, pos_weight=Array.of(np.broadcast_to(column, shape), call.dtype))

    return prepare


def sample_weights_along_first_axis(call: Call) -> Call:
    """One-dimensional weights belong to the first axis, if that has their length."""
    weights, shape = _array(call, "sample_weights"), call.inputs["targets"].shape
    if weights is None or len(shape) < 2 or weights.shape != shape[:1]:
        return call
    column = weights.reshape(-1, *(1,) * (len(shape) - 1))
    return with_options(call, sample_weights=Array.of(np.broadcast_to(column, shape), call.dtype))


def divided_by_weights_as_given(call: Call, batch: Batch) -> Wide:
    """A mean over weights divides by the sum of what was given, before it was repeated."""
    weights = _array(call, "sample_weights")
    if weights is None or call.options.get("denominator") != "weights" or weights.size == batch.losses.size:
        return divisor(call, batch)
    return scalar(weights.sum())


def pos_weight_on_the_logarithm_only(call: Call, answer: Answer) -> Answer:
    """w · log1p(e^−|z|) + max(−z, 0): for negative logits the weight does not reach the part that is large."""
    weights = call.options.get("pos_weight")
    if weights is None or call.options["reduction"] != "none":
        return answer
    w = weights.to_float64() if isinstance(weights, Array) else float(weights)
    t, z = call.inputs["targets"].to_float64(), call.inputs["logits"].to_float64()
    with np.errstate(all="ignore"):
        missing = np.where(t == 0, 0, t * (w - 1) * np.maximum(-z, 0))
    return replace(answer, value=Array.of(answer.value.to_float64() - missing, call.dtype))


def transposed_sample_weights(call: Call) -> Call:
    """The weights of several axes are read in column-major order."""
    weights = _array(call, "sample_weights")
    if weights is None or weights.ndim < 2:
        return call
    return with_options(call, sample_weights=Array.of(weights.T.reshape(weights.shape), call.dtype))


def nothing_below_zero(call: Call, batch: Batch, d: Wide) -> Wide:
    """A total weight that is not positive is taken for an empty batch: its gradient is 0."""
    u = upstream(call, batch, d)
    return np.zeros_like(u) if call.options["reduction"] == "mean" and d <= 0 else u


def with_weights_of_ignored(call: Call, batch: Batch) -> Wide:
    """Weights are summed before the ignored rows are masked; their label wraps around to some class."""
    weights, targets, ignored = _array(call, "class_weights"), call.inputs["targets"], call.options.get("ignore_index")
    own = divisor(call, batch)
    if weights is None or ignored is None or call.options.get("denominator", "weights") != "weights":
        return own
    return own + np.count_nonzero(targets.storage == ignored) * WIDE(weights[ignored % weights.size])


def mean_of_samples(call: Call, batch: Batch, d: Wide) -> Wide:
    """Each sample's own mean over its valid rows, averaged over the samples."""
    if call.options["reduction"] != "mean" or batch.losses.ndim < 2:
        return reduced(call, batch, d)
    parts = [Batch(batch.losses[n], batch.weights[n], batch.kept[n], batch.terms) for n in range(batch.losses.shape[0])]
    return scalar(sum(reduced(call, part, divisor(call, part)) for part in parts)) / len(parts)


# --- targets ---------------------------------------------------------------------------------------------------------


def normalised_targets(call: Call) -> Call:
    targets = call.inputs["targets"]
    if not _soft(call):
        return call
    q = targets.to_float64()
    with np.errstate(all="ignore"):
        q = np.nan_to_num(q / q.sum(axis=_axis(call), keepdims=True))
    return replace(call, inputs={**call.inputs, "targets": Array.of(q, call.dtype)})


def denominator_taken_as_constant(call: Call) -> Call:
    """A mean over weights is differentiated as if the weights of the rows did not move with the targets."""
    weights, targets = _array(call, "class_weights"), call.inputs["targets"]
    if weights is None or not _soft(call) or call.options["reduction"] != "mean":
        return call
    rows = (np.moveaxis(targets.to_float64(), _axis(call), -1) * weights).sum()
    given = 1.0 if call.cotangent is None else float(call.cotangent.to_float64())
    scaled = Array.of(np.float64(given / rows), "float64")
    return replace(with_options(call, reduction="sum", denominator=None), cotangent=scaled)


def nan_at_zero_target(call: Call, answer: Answer) -> Answer:
    """t ln t is masked after it has been differentiated: nan in the targets' gradient where t is 0."""
    if "targets" not in answer.gradients or call.options.get("log_target"):
        return answer
    t, g = call.inputs["targets"].to_float64(), answer.gradients["targets"].to_float64()
    return replace(answer, gradients={**answer.gradients, "targets": Array.of(np.where(t == 0, np.nan, g), call.dtype)})


def ratio_of_probabilities(call: Call, answer: Answer) -> Answer:
    """t ln(t / e^(ln q)): the exponential underflows and the ratio overflows."""
    if call.options.get("log_target") or call.options["reduction"] != "none":
        return answer
    t, log_q = call.inputs["targets"].to_float64(), call.inputs["log_probabilities"].to_float64()
    with np.errstate(all="ignore"):
        terms = np.where(t == 0, 0, t * np.log(t / np.exp(log_q)))
    return replace(answer, value=Array.of(terms.sum(axis=_axis(call)), call.dtype))


def zero_times_infinity(call: Call, answer: Answer) -> Answer:
    """The upstream gradient of an infinite loss is multiplied by something infinite, 0 or not."""
    if call.options["reduction"] != "none" or call.cotangent is None:
        return answer
    bad = np.isinf(answer.value.to_float64()) & (call.cotangent.to_float64() == 0)
    changed = {}
    for name, gradient in answer.gradients.items():
        rows = np.moveaxis(gradient.to_float64(), _axis(call), -1).copy()
        rows[bad] = np.nan
        changed[name] = Array.of(np.moveaxis(rows, -1, _axis(call)), gradient.dtype)
    return replace(answer, gradients=changed)


# --- what is asked for, and in which shape ---------------------------------------------------------------------------


def nothing_without_gradient(call: Call, answer: Answer) -> Answer:
    """The value is a by-product of the gradient: 0 where none is asked for."""
    if call.differentiate:
        return answer
    return replace(answer, value=Array.of(np.zeros(answer.value.shape), answer.value.dtype))


def swapped_last_axes(call: Call) -> Call:
    """Labels of images are read with height and width exchanged."""
    targets = call.inputs["targets"]
    if targets.is_float or len(targets.shape) != 3:
        return call
    read = np.ascontiguousarray(np.swapaxes(targets.storage, 1, 2)).reshape(targets.shape)
    return replace(call, inputs={**call.inputs, "targets": Array(targets.dtype, read)})


def no_empty_inner_axes(call: Call) -> Call:
    for name, array in call.inputs.items():
        if 0 in array.shape[1:]:
            raise ValueError(f"{name}: expected a non-empty array, got shape {array.shape}")
    return call


MISTAKES: Mapping[str, Mistake] = {
    # keras#23451, tensorflow#32231
    "smoothing-over-last-axis": mistake(
        "smoothing divides by the length of the last axis, wherever the classes are",
        _SMOOTHED[:2],
        prepare=smoothed_over_last_axis,
    ),
    # NVIDIA/Megatron-LM#737
    "smoothing-of-own-partition": mistake(
        "smoothing knows the classes of its own partition only", _SMOOTHED, smoothed=smoothed_by_half_of_the_classes
    ),
    # pytorch#73205
    "smoothing-of-ignored-rows": mistake(
        "the uniform part of smoothing counts ignored rows", _SMOOTHED, finish=smoothing_of_ignored_rows
    ),
    "gradient-without-smoothing": mistake(
        "the gradient is that of the hard labels",
        _SMOOTHED,
        same_step="ignores-smoothing",
        finish=_gradients_of(without("label_smoothing")),
    ),
    "gradient-without-class-weights": mistake(
        "the gradient is that of the unweighted classes",
        (*LABELLED, "linear_cross_entropy"),
        same_step="ignores-class-weights",
        finish=_gradients_of(without("class_weights")),
    ),
    # PaddlePaddle/Paddle#62009
    "class-weight-of-whole-row": mistake(
        "a distribution is weighted as a whole",
        ("softmax_cross_entropy", "categorical_cross_entropy"),
        prepare=weight_of_the_whole_row,
    ),
    "class-weights-along-last-axis": mistake(
        "class weights belong to the last axis where it has their length",
        ("softmax_cross_entropy", "nll_loss", "categorical_cross_entropy"),
        prepare=class_weights_along_last_axis,
    ),
    # pytorch#27936
    "pos-weight-along-first-axis": mistake(
        "pos_weight belongs to the first axis where it has its length",
        ("binary_cross_entropy_with_logits",),
        prepare=pos_weight_along(axis=0),
    ),
    # keras-team/keras#23235
    "sample-weights-along-first-axis": mistake(
        "one weight per column is taken for one per row where the square has as many",
        ("binary_cross_entropy", "binary_cross_entropy_with_logits"),
        prepare=sample_weights_along_first_axis,
    ),
    "divides-by-weights-as-given": mistake(
        "a mean divides by the sum of the weights before they are repeated",
        ("binary_cross_entropy", "binary_cross_entropy_with_logits"),
        divisor=divided_by_weights_as_given,
    ),
    # PaddlePaddle/Paddle#65859
    "pos-weight-on-logarithm-only": mistake(
        "pos_weight does not reach the linear part of the loss",
        ("binary_cross_entropy_with_logits",),
        finish=pos_weight_on_the_logarithm_only,
    ),
    "transposed-sample-weights": mistake(
        "sample weights of several axes are read in column-major order",
        ("softmax_cross_entropy", "binary_cross_entropy", "binary_cross_entropy_with_logits"),
        prepare=transposed_sample_weights,
    ),
    # pytorch#64572
    "no-gradient-below-zero": mistake(
        "a total weight that is not positive has no gradient", LABELLED, upstream=nothing_below_zero
    ),
    "denominator-at-least-epsilon": mistake(
        "the denominator is never below 1e-8", LABELLED, same_step="denominator-at-least-one", **at_least(1e-8)
    ),
    # pytorch#91383, tracel-ai/burn#5568
    "ignored-in-weights": mistake(
        "the weights of ignored rows stay in the denominator", LABELLED, divisor=with_weights_of_ignored
    ),
    "mean-of-samples": mistake(
        "samples are averaged, whatever their numbers of valid rows",
        ("softmax_cross_entropy", "nll_loss"),
        reduced=mean_of_samples,
    ),
    "normalises-distributions": mistake(
        "distributions are made to sum to one",
        ("softmax_cross_entropy", "categorical_cross_entropy", "categorical_focal"),
        prepare=normalised_targets,
    ),
    "constant-denominator": mistake(
        "the gradient of the targets takes the weights of the rows for constants",
        ("softmax_cross_entropy", "categorical_cross_entropy"),
        finish=_gradients_of(denominator_taken_as_constant, "targets"),
    ),
    "target-gradient-without-smoothing": mistake(
        "the gradient of the targets lacks 1 − ε",
        ("softmax_cross_entropy", "binary_cross_entropy_with_logits"),
        same_step="ignores-smoothing",
        finish=_gradients_of(without("label_smoothing"), "targets"),
    ),
    "target-gradient-without-class-weights": mistake(
        "the gradient of the targets is that of unit weights of the classes",
        ("softmax_cross_entropy",),
        same_step="ignores-class-weights",
        finish=_gradients_of(without("class_weights"), "targets"),
    ),
    "target-gradient-without-sample-weights": mistake(
        "the gradient of the targets is that of unit weights of the samples",
        ("softmax_cross_entropy", "binary_cross_entropy", "binary_cross_entropy_with_logits"),
        same_step="ignores-sample-weights",
        finish=_gradients_of(without("sample_weights"), "targets"),
    ),
    "target-gradient-without-pos-weight": mistake(
        "the gradient of the targets is −z whatever pos_weight is",
        ("binary_cross_entropy_with_logits",),
        same_step="ignores-pos-weight",
        finish=_gradients_of(without("pos_weight"), "targets"),
    ),
    # pytorch#89558, google-deepmind/optax#1786
    "nan-at-zero-target": mistake(
        "the gradient of a target of 0 is nan", ("kl_divergence",), finish=nan_at_zero_target
    ),
    "ratio-of-probabilities": mistake(
        "the logarithm is taken of the ratio of the probabilities", ("kl_divergence",), finish=ratio_of_probabilities
    ),
    "zero-times-infinite-loss": mistake(
        "a row of infinite loss and no upstream gradient gets nan",
        ("softmax_cross_entropy",),
        finish=zero_times_infinity,
    ),
    # linkedin/Liger-Kernel#507
    "value-needs-gradient": mistake(
        "the value is 0 where no gradient is asked for",
        (*MAIN, "binary_cross_entropy_with_logits", "nll_loss", "linear_cross_entropy"),
        finish=nothing_without_gradient,
    ),
    "height-and-width-exchanged": mistake(
        "labels of images are read with height and width exchanged",
        ("softmax_cross_entropy", "nll_loss"),
        prepare=swapped_last_axes,
    ),
    # pytorch#192684
    "refuses-empty-inner-axes": mistake(
        "a batch of empty images is refused", ("softmax_cross_entropy", "nll_loss"), prepare=no_empty_inner_axes
    ),
}
"""By name."""
