"""How each loss is asked of TensorFlow: the function, its arguments, and what is left to its user.

The functions of `tf.nn` return one loss per row; their user writes `tf.reduce_mean`. Weights per sample and label
smoothing exist in `tf.compat.v1.losses` only, so a call with either goes there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf

from harness.adapters.base import Array, Call, Unsupported
from harness.adapters.tensorflow_calls import Compute, Recipe, Tensors

_V1 = "tf.compat.v1.losses"
# tensorflow#60314: the gradient is softmax − labels whatever the labels sum to, by design.
_DISTRIBUTIONS = {"gradient_of_targets_summing_to_one": True}
_LOG_LOSS = {"add_inside_log": float(np.float32(1e-7))}
"""The default epsilon of tf.compat.v1.losses.log_loss, added in float32 whatever the dtype of the predictions."""


Builder = Callable[[Call], Recipe]


def _axis(call: Call) -> int:
    return int(call.options.get("axis", -1))


def _are_distributions(call: Call, scores: str) -> bool:
    targets, rows = call.inputs["targets"], call.inputs[scores]
    return targets.shape == rows.shape or (targets.is_float and len(targets.shape) == len(rows.shape))


def _wants_v1(call: Call) -> bool:
    return call.mode == "v1" or "sample_weights" in call.options or "label_smoothing" in call.options


def _reduced(call: Call, function: str, rows: Compute, convention: Mapping[str, Any] | None = None) -> Recipe:
    """An unreduced function followed by the reduction its user writes."""
    if call.mode == "v1":
        raise Unsupported(f"{_V1} has no {call.loss}")
    reduction = call.options["reduction"]
    if reduction == "none":
        return Recipe(function, rows, convention)
    if reduction not in ("sum", "mean"):
        raise Unsupported(f"no reduction {reduction} behind a function without reductions")
    reduce = tf.reduce_sum if reduction == "sum" else tf.reduce_mean
    return Recipe(function, lambda t: reduce(rows(t)), convention, {"reduction": f"tf.{reduce.__name__}"})


def _v1(
    call: Call, function: str, targets: str, scores: str, keyword: str, convention: Mapping[str, Any], *options: str
) -> Recipe:
    """One of tf.compat.v1.losses: its reduction named where it has the one asked for, else (and in v1) its default."""
    call.refuse_options_except("reduction", "denominator", "sample_weights", *options, of=f"{_V1}.{function}")
    names = {"none": "NONE", "sum": "SUM", "weights": "MEAN", "count": "SUM_OVER_BATCH_SIZE"}
    asked = str(call.options["reduction"])
    asked = str(call.options.get("denominator")) if asked == "mean" else asked
    if asked not in (*names, "valid"):
        raise Unsupported(f"{_V1}.{function} has no reduction {asked}")
    by_default = call.options["reduction"] == "mean" and (call.mode == "v1" or asked == "valid")
    name = "SUM_BY_NONZERO_WEIGHTS" if by_default else names[asked]
    keywords: dict[str, Any] = {"reduction": getattr(tf.compat.v1.losses.Reduction, name)}
    if "label_smoothing" in call.options:
        keywords["label_smoothing"] = call.options["label_smoothing"]
    loss = getattr(tf.compat.v1.losses, function)

    def compute(tensors: Tensors) -> Any:
        weights = {"weights": tensors["sample_weights"]} if "sample_weights" in tensors else {}
        return loss(tensors[targets], **{keyword: tensors[scores]}, **weights, **keywords)

    declared = {**convention, **({"denominator": "nonzero_weights"} if by_default else {})}
    return Recipe(f"{_V1}.{function}", compute, declared or None, {"reduction": name})


def _activation(function: str) -> Builder:
    def recipe(call: Call) -> Recipe:
        call.refuse_options_except("axis", of=f"tf.nn.{function}")
        if call.mode == "v1":
            raise Unsupported(f"{_V1} has no {function}")
        activate = getattr(tf.nn, function)
        return Recipe(f"tf.nn.{function}", lambda tensors: activate(tensors["logits"], axis=_axis(call)))

    return recipe


def _logsumexp(call: Call) -> Recipe:
    call.refuse_options_except("axis", of="tf.reduce_logsumexp")
    if call.mode == "v1":
        raise Unsupported(f"{_V1} has no logsumexp")
    return Recipe("tf.reduce_logsumexp", lambda tensors: tf.reduce_logsumexp(tensors["logits"], axis=_axis(call)))


def _softmax_cross_entropy(call: Call) -> Recipe:
    if not _are_distributions(call, "logits"):
        return _sparse_softmax_cross_entropy(call)
    if _wants_v1(call):
        _refuse_other_axes(call, f"{_V1}.softmax_cross_entropy")
        return _v1(
            call, "softmax_cross_entropy", "targets", "logits", "logits", _DISTRIBUTIONS, "axis", "label_smoothing"
        )
    name = "tf.nn.softmax_cross_entropy_with_logits"
    call.refuse_options_except("reduction", "denominator", "axis", of=name)
    loss, axis = tf.nn.softmax_cross_entropy_with_logits, _axis(call)
    return _reduced(
        call,
        name,
        lambda tensors: loss(labels=tensors["targets"], logits=tensors["logits"], axis=axis),
        _DISTRIBUTIONS,
    )


def _sparse_softmax_cross_entropy(call: Call) -> Recipe:
    name = "tf.nn.sparse_softmax_cross_entropy_with_logits"
    _refuse_other_axes(call, f"{_V1}.sparse_softmax_cross_entropy" if _wants_v1(call) else name)
    if _wants_v1(call):
        return _v1(call, "sparse_softmax_cross_entropy", "targets", "logits", "logits", {}, "axis")
    call.refuse_options_except("reduction", "denominator", "axis", of=name)
    loss = tf.nn.sparse_softmax_cross_entropy_with_logits
    return _reduced(
        call,
        name,
        lambda tensors: loss(labels=tensors["targets"], logits=tensors["logits"]),
    )


def _refuse_other_axes(call: Call, function: str) -> None:
    ndim = len(call.inputs["logits"].shape)
    if ndim and _axis(call) % ndim != ndim - 1:
        raise Unsupported(f"{function} has no axis: the classes are on the last one")


def _binary_cross_entropy_with_logits(call: Call) -> Recipe:
    if _wants_v1(call):
        return _v1(call, "sigmoid_cross_entropy", "targets", "logits", "logits", {}, "label_smoothing")
    names = ("sigmoid_cross_entropy_with_logits", "weighted_cross_entropy_with_logits")
    name = f"tf.nn.{names['pos_weight' in call.options]}"
    call.refuse_options_except("reduction", "denominator", "pos_weight", of=name)
    if "pos_weight" in call.options:
        weighted, given = tf.nn.weighted_cross_entropy_with_logits, call.options["pos_weight"]
        return _reduced(
            call,
            name,
            lambda tensors: weighted(
                labels=tensors["targets"],
                logits=tensors["logits"],
                pos_weight=tensors["pos_weight"] if isinstance(given, Array) else given,
            ),
        )
    loss = tf.nn.sigmoid_cross_entropy_with_logits
    return _reduced(
        call,
        name,
        lambda tensors: loss(labels=tensors["targets"], logits=tensors["logits"]),
    )


def _binary_cross_entropy(call: Call) -> Recipe:
    return _v1(call, "log_loss", "targets", "probabilities", "predictions", _LOG_LOSS)


def _xlogy(weights: str) -> Builder:
    """−Σ w ln p over the classes, 0 where w is: what tf.math.xlogy is for. The sum is the user's own."""

    def recipe(call: Call) -> Recipe:
        call.refuse_inputs_except("targets", "probabilities")
        call.refuse_options_except("reduction", "denominator", "axis", of="tf.math.xlogy")
        axis = _axis(call)
        reduced = _reduced(
            call,
            "tf.math.xlogy",
            lambda tensors: -tf.reduce_sum(tf.math.xlogy(tensors[weights], tensors["probabilities"]), axis),
        )
        return replace(reduced, computed_with={**reduced.computed_with, "sum over the classes": "-tf.reduce_sum"})

    return recipe


def _categorical_cross_entropy(call: Call) -> Recipe:
    if not _are_distributions(call, "probabilities"):
        raise Unsupported("tf.nn takes logits; probabilities with labels are Keras's")
    return _xlogy("targets")(call)


RECIPES: Mapping[str, Builder] = {
    "entropy": _xlogy("probabilities"),
    "softmax": _activation("softmax"),
    "log_softmax": _activation("log_softmax"),
    "logsumexp": _logsumexp,
    "cross_entropy": _xlogy("targets"),
    "categorical_cross_entropy": _categorical_cross_entropy,
    "softmax_cross_entropy": _softmax_cross_entropy,
    "binary_cross_entropy": _binary_cross_entropy,
    "binary_cross_entropy_with_logits": _binary_cross_entropy_with_logits,
}
