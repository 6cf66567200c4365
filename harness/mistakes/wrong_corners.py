"""Mistakes that show only in a corner: a sentinel that is also an index, an axis of length one, an infinite logit.

A plain batch, and each option by itself, is right.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.adapters.base import Answer, Array, Call
from harness.mistakes.mistake import SOFTMAXES, Mistake, mistake, scores_of, with_options
from harness.mistakes.sound import Sound
from harness.mistakes.steps import Batch, Wide, divisor, scalar
from harness.mistakes.wrong_options import pos_weight_along

_INDEXED = ("softmax_cross_entropy", "nll_loss", "linear_cross_entropy")
"""Losses that ignore a label."""
_SQUARES = ("softmax_cross_entropy", "binary_cross_entropy", "binary_cross_entropy_with_logits")


def _ignored(call: Call) -> int | None:
    """The label that is ignored, where there are labels."""
    return None if call.inputs["targets"].is_float else call.options.get("ignore_index")


def _classes(call: Call) -> int:
    if "weight" in call.inputs:
        return call.inputs["weight"].shape[-1]
    return scores_of(call).shape[call.options.get("axis", -1)]


def _changed(answer: Answer, value: NDArray[Any], gradients: Mapping[str, NDArray[Any]] | None = None) -> Answer:
    """The answer with another value and, by name, other gradients."""
    others = {name: Array.of(numbers, answer.gradients[name].dtype) for name, numbers in (gradients or {}).items()}
    return replace(answer, value=Array.of(value, answer.value.dtype), gradients={**answer.gradients, **others})


# --- labels that are left out ----------------------------------------------------------------------------------------


def ignoring_by_a_weight_of_zero(call: Call) -> Call:
    """The weight of class `ignore_index` becomes 0; −1 finds that of the last class."""
    ignored = _ignored(call)
    if ignored is None or not -_classes(call) <= ignored < _classes(call):
        return call
    given = call.options.get("class_weights")
    weights = given.to_float64().copy() if isinstance(given, Array) else np.ones(_classes(call))
    weights[ignored] = 0.0
    return with_options(call, class_weights=Array.of(weights, call.dtype))


def without_the_share_of_the_ignored_class(call: Call, answer: Answer) -> Answer:
    """Rows of other labels lose ε/C · (−ln p) of the class that is ignored."""
    ignored, smoothing = _ignored(call), call.options.get("label_smoothing")
    if ignored is None or not smoothing or not 0 <= ignored < _classes(call) or "class_weights" in call.options:
        return answer
    targets = call.inputs["targets"]
    nowhere = -1 - _classes(call)
    labels = np.where(targets.storage == ignored, nowhere, ignored).astype(targets.dtype)
    inputs = {**call.inputs, "targets": Array(targets.dtype, labels)}
    share = Sound().evaluate(replace(with_options(call, label_smoothing=None, ignore_index=nowhere), inputs=inputs))
    part = smoothing / _classes(call)
    return _changed(
        answer,
        answer.value.to_float64() - part * share.value.to_float64(),
        {n: g.to_float64() - part * share.gradients[n].to_float64() for n, g in answer.gradients.items()},
    )


def smoothed_sum_of_ignored_rows_times_zero(call: Call, answer: Answer) -> Answer:
    """Σ_j −ln p_j of an ignored row is multiplied by 0, whatever it is."""
    ignored = _ignored(call)
    if ignored is None or not call.options.get("label_smoothing") or "logits" not in call.inputs:
        return answer
    logits = np.moveaxis(call.inputs["logits"].to_float64(), call.options.get("axis", -1), -1)
    bad = ~np.isfinite(logits).all(axis=-1) & (call.inputs["targets"].storage == ignored)
    value = answer.value.to_float64()
    return _changed(answer, np.where(bad if bad.shape == value.shape else bad.any(), np.nan, value))


def ignored_label_of_32_bits(call: Call) -> Call:
    ignored = _ignored(call)
    return call if ignored is None else with_options(call, ignore_index=(ignored + 2**31) % 2**32 - 2**31)


def minus_one_ignores_nothing(call: Call, batch: Batch) -> Wide:
    """−1 is taken for "not given" where the mean counts its rows."""
    unset = call.options.get("ignore_index") == -1 and "class_weights" not in call.options
    return scalar(batch.losses.size) if unset else divisor(call, batch)


# --- axes of length one, many axes -----------------------------------------------------------------------------------


def squeezed(call: Call, answer: Answer) -> Answer:
    """squeeze() without an axis, where only the column of labels was meant."""
    value = answer.value.to_float64()
    return answer if call.options["reduction"] != "none" or value.ndim < 2 else _changed(answer, value.squeeze())


def upstream_of_the_first(call: Call, answer: Answer) -> Answer:
    """Inputs lose their axes of length one, the upstream gradient does not: broadcasting takes its first row."""
    if call.cotangent is None or len(call.cotangent.shape) < 2 or 1 not in call.cotangent.shape[1:]:
        return answer
    given = call.cotangent.to_float64()
    first = np.broadcast_to(given[:1], given.shape)
    other = Sound().evaluate(replace(call, cotangent=Array.of(first, call.cotangent.dtype)))
    return replace(answer, gradients=other.gradients)


def four_axes_at_most(call: Call) -> Call:
    for name, array in call.inputs.items():
        if len(array.shape) > 4:
            raise ValueError(f"{name}: expected at most four axes, got shape {array.shape}")
    return call


def one_class_along_the_longer_axis(call: Call) -> Call:
    """An axis of length one is not where the classes are."""
    axis, shape = call.options.get("axis", -1), call.inputs["logits"].shape
    return with_options(call, axis=-1) if len(shape) == 2 and shape[axis] == 1 else call


def minus_two_is_the_first(call: Call) -> Call:
    """The axis before the last is the first one, as in a matrix."""
    of_matrix = len(scores_of(call).shape) < 3
    return call if of_matrix or call.options.get("axis") != -2 else with_options(call, axis=0)


# --- weights ---------------------------------------------------------------------------------------------------------


def weights_along_the_last_axis(call: Call) -> Call:
    """Weights of one axis are broadcast to losses of several."""
    weights, targets = call.options.get("sample_weights"), call.inputs["targets"]
    if not isinstance(weights, Array) or len(weights.shape) != 1 or len(targets.shape) < 2:
        return call
    if (call.loss.startswith("softmax") and targets.is_float) or targets.shape[-1] != weights.shape[0]:
        return call
    return with_options(call, sample_weights=Array.of(np.broadcast_to(weights.to_float64(), targets.shape), call.dtype))


def weighted_sides_of_an_infinite_logit(call: Call, answer: Answer) -> Answer:
    """(1 − t) z + w (log1p(e^−|z|) + max(−z, 0)) with w = 1 + (p − 1) t, as it stands."""
    weights = call.options.get("pos_weight")
    if weights is None or call.options["reduction"] != "none":
        return answer
    z, t = call.inputs["logits"].to_float64(), call.inputs["targets"].to_float64()
    p = weights.to_float64() if isinstance(weights, Array) else float(weights)
    with np.errstate(all="ignore"):
        losses = (1 - t) * z + (1 + (p - 1) * t) * (np.log1p(np.exp(-np.abs(z))) + np.maximum(-z, 0))
    value = answer.value.to_float64()
    return _changed(answer, np.where(np.isinf(z), losses, value))


def alpha_of_background_or_not(call: Call) -> Call:
    """α[label ≠ 0]: the balance of two classes, whatever their number."""
    alpha, targets = call.options.get("alpha"), call.inputs["targets"]
    if not isinstance(alpha, Array) or targets.is_float or alpha.shape[0] < 3:
        return call
    two = np.where(np.arange(alpha.shape[0]) > 0, alpha.to_float64()[1], alpha.to_float64()[0])
    return with_options(call, alpha=Array.of(two, call.dtype))


# --- masked classes --------------------------------------------------------------------------------------------------


def masked_beside_nan(call: Call, answer: Answer) -> Answer:
    """Masked classes get 0, or −∞ as a logarithm, even where the row is undefined."""
    logits = call.inputs["logits"].to_float64()
    fill = 0.0 if call.loss == "softmax" else -np.inf
    return _changed(answer, np.where(np.isneginf(logits), fill, answer.value.to_float64()))


def nan_for_masked_targets(call: Call, answer: Answer) -> Answer:
    """Where a score is −∞ the gradient with respect to the targets is a product of 0 and ∞."""
    if "targets" not in answer.gradients:
        return answer
    scores = [array.to_float64() for name, array in call.inputs.items() if name != "targets"]
    masked = np.isneginf(scores[0]) | (np.isneginf(call.inputs["targets"].to_float64()))
    gradient = np.where(masked, np.nan, answer.gradients["targets"].to_float64())
    return _changed(answer, answer.value.to_float64(), {"targets": gradient})


MISTAKES: Mapping[str, Mistake] = {
    # onnx#2703, pytorch#34893
    "ignores-by-a-weight-of-zero": mistake(
        "the weight of the class at ignore_index is 0, from the end where it is negative",
        _INDEXED,
        prepare=ignoring_by_a_weight_of_zero,
    ),
    # OpenNMT-py#1463, annotated-transformer#39
    "ignored-class-has-no-share": mistake(
        "the ignored class has no share of the smoothing",
        ("softmax_cross_entropy", "linear_cross_entropy"),
        finish=without_the_share_of_the_ignored_class,
    ),
    # kospeech#37
    "smoothing-times-zero": mistake(
        "the smoothed part of ignored rows is multiplied by 0",
        ("softmax_cross_entropy",),
        finish=smoothed_sum_of_ignored_rows_times_zero,
    ),
    # pytorch#187559
    "ignored-label-of-32-bits": mistake(
        "ignore_index is cut to 32 bits", ("softmax_cross_entropy", "nll_loss"), prepare=ignored_label_of_32_bits
    ),
    # onnx#8433
    "minus-one-ignores-nothing": mistake(
        "an ignore_index of −1 is taken for none where rows are counted",
        _INDEXED[:2],
        same_step="mean-over-count",
        divisor=minus_one_ignores_nothing,
    ),
    # cloudml-samples#75, torch/nn#1089
    "squeezes-every-axis": mistake(
        "every axis of length one is dropped", ("softmax_cross_entropy", "nll_loss"), finish=squeezed
    ),
    # pytorch#166746, keras#23633
    "upstream-of-the-first": mistake(
        "axes of length one make the first upstream gradient that of all", _SQUARES[1:], finish=upstream_of_the_first
    ),
    # tensorflow#32209, tt-metal#16379
    "four-axes-at-most": mistake(
        "more than four axes are refused",
        ("softmax_cross_entropy", "nll_loss", *SOFTMAXES),
        prepare=four_axes_at_most,
    ),
    # onnx#3244
    "one-class-is-no-axis": mistake(
        "classes are not looked for on an axis of length one",
        SOFTMAXES,
        same_step="ignores-axis",
        prepare=one_class_along_the_longer_axis,
    ),
    # tensorflow#14916: an axis from the end that was not counted before it was used
    "minus-two-is-the-first-axis": mistake(
        "axis −2 is the first one, as in a matrix",
        ("softmax_cross_entropy", *SOFTMAXES),
        same_step="ignores-axis",
        prepare=minus_two_is_the_first,
    ),
    # keras#23235
    "weights-along-the-last-axis": mistake(
        "sample weights of one axis are broadcast to losses of several",
        _SQUARES[:1],
        prepare=weights_along_the_last_axis,
    ),
    # pytorch#82496
    "pos-weight-along-axis-1": mistake(
        "pos_weight belongs to axis 1 where there are more than two",
        ("binary_cross_entropy_with_logits",),
        prepare=pos_weight_along(axis=1),
    ),
    # tensorflow#75256
    "weighted-sides-of-infinity": mistake(
        "with a pos_weight, infinite terms are added to infinite terms",
        ("binary_cross_entropy_with_logits",),
        finish=weighted_sides_of_an_infinite_logit,
    ),
    # clcarwin/focal_loss_pytorch#4, yatengLG/Focal-Loss-Pytorch#9
    "alpha-of-two-classes": mistake(
        "α knows class 0 and the others only", ("categorical_focal",), prepare=alpha_of_background_or_not
    ),
    # mindspore#378
    "masked-beside-nan": mistake(
        "masked classes of an undefined row are 0, or −∞", SOFTMAXES, finish=masked_beside_nan
    ),
    # google-deepmind/optax#916, google-deepmind/optax#1786
    "nan-for-masked-targets": mistake(
        "the gradient with respect to a masked target is nan",
        ("softmax_cross_entropy", "kl_divergence"),
        finish=nan_for_masked_targets,
    ),
}
"""By name."""
