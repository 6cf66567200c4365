"""How each loss is asked of PyTorch: the function, its arguments, and what is left to its user.

PyTorch expects the classes on axis 1. Where a case has them elsewhere the axis is moved first, as a user would, and the
answer says so. It has no loss of probabilities against distributions: `torch.special.xlogy` is what a user reaches
for, and the sum over the classes is then the user's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from harness.adapters.base import Call, Unsupported
from harness.adapters.scaled_logits import attested, scale_of, without_scale
from harness.adapters.torch_calls import Tensors
from harness.adapters.torch_chunks import CHUNKED

DYNAMIC = "dynamic"
COMPILED = ("compile", DYNAMIC)
"""The modes of `torch.compile`; in `dynamic` the program is for tensors of any size."""


@dataclass(frozen=True)
class Request:
    """A public function by name (of torch.nn.functional, else torch.special) with its arguments."""

    function: str
    arguments: tuple[torch.Tensor | int, ...]
    keywords: Mapping[str, Any] = field(default_factory=dict)
    finish: Callable[[torch.Tensor], torch.Tensor] = lambda value: value
    """What the user of an unreduced function does with its result."""
    convention: Mapping[str, Any] | None = None
    computed_with: Mapping[str, str] = field(default_factory=dict)
    scale: float | None = None
    """What the first argument, the logits, is multiplied with where the function is called."""


Builder = Callable[[Call, Tensors], Request]
_RENAMED = {"class_weights": "weight", "sample_weights": "weight"}
_ALWAYS = ("reduction", "denominator")


def _keywords(call: Call, tensors: Tensors, *options: str) -> dict[str, Any]:
    """The options of the call that are among `options`, under PyTorch's names; their arrays as tensors."""
    chosen = {name: tensors.get(name, call.options[name]) for name in options if name in call.options}
    return {_RENAMED.get(name, name): value for name, value in chosen.items()}


def _axis(call: Call) -> int:
    return int(call.options.get("axis", -1))


def _classes_second(call: Call, tensor: torch.Tensor) -> torch.Tensor:
    return tensor if tensor.ndim < 2 or _axis(call) % tensor.ndim == 1 else tensor.movedim(_axis(call), 1)


def _moved(call: Call, tensor: torch.Tensor) -> dict[str, str]:
    untouched = _classes_second(call, tensor) is tensor
    return {} if untouched else {"axis": f"torch.movedim({_axis(call)}, 1): PyTorch has the classes on axis 1"}


def _divides_by(call: Call, denominator: str) -> dict[str, Any] | None:
    """The convention, where PyTorch's mean divides by something else than the case asks for."""
    differs = call.options.get("reduction") == "mean" and call.options.get("denominator") != denominator
    return {"denominator": denominator} if differs else None


def _activation(function: str) -> Builder:
    def request(call: Call, tensors: Tensors) -> Request:
        call.refuse_options_except("axis", of=f"torch.nn.functional.{function}")
        return Request(function, (tensors["logits"],), {"dim": _axis(call)})

    return request


def _classifying(function: str, scores: str, *options: str, asked: str = "") -> Builder:
    """cross_entropy and nll_loss: index targets divide the mean by Σ w over what is not ignored, others by N.

    `asked` is the function whose user it is about, where that is another one.
    """

    def request(call: Call, tensors: Tensors) -> Request:
        call.refuse_options_except(*_ALWAYS, "axis", *options, of=f"torch.nn.functional.{asked or function}")
        rows, targets = tensors[scores], tensors["targets"]
        distributions = targets.is_floating_point() and targets.ndim == rows.ndim
        denominator = "weights" if "class_weights" in call.options else "valid"
        return Request(
            function,
            (_classes_second(call, rows), _classes_second(call, targets) if distributions else targets),
            _keywords(call, tensors, "reduction", *options),
            convention=_divides_by(call, "count" if distributions else denominator),
            computed_with=_moved(call, rows),
        )

    return request


CHUNKED_MODES = tuple(CHUNKED) if hasattr(torch.nn, "LinearCrossEntropyOptions") else ()  # public since torch 2.13


def _linear_cross_entropy(call: Call, tensors: Tensors) -> Request:
    options = ("class_weights", "label_smoothing", "ignore_index")
    # Ours is hidden · weight, (…, d) times (d, C); torch keeps its weights as (C, d).
    hidden, weight, bias = tensors["hidden"], tensors["weight"].T, tensors.get("bias")
    fused = hasattr(functional, "linear_cross_entropy")  # public since torch 2.13
    logits = hidden if fused else functional.linear(hidden, weight, bias)
    asked = "linear_cross_entropy" if fused else "cross_entropy"
    plain = _classifying("cross_entropy", "logits", *options, asked=asked)(call, {**tensors, "logits": logits})
    if not fused:
        return replace(plain, computed_with={"logits": "torch.nn.functional.linear"})
    keywords = {**plain.keywords, "linear_bias": bias}
    computed_with = dict(plain.computed_with)
    if call.mode in CHUNKED_MODES:
        keywords["options"] = torch.nn.LinearCrossEntropyOptions(**CHUNKED[call.mode])
        computed_with["options"] = repr(keywords["options"])
    return replace(
        plain,
        function="linear_cross_entropy",
        arguments=(hidden, weight, tensors["targets"]),
        keywords=keywords,
        computed_with=computed_with,
    )


def _reduce(call: Call, rows: torch.Tensor) -> torch.Tensor:
    """The reduction a user writes after a function that has none."""
    reduction = call.options["reduction"]
    if reduction == "none":
        return rows
    if reduction not in ("sum", "mean"):
        raise Unsupported(f"no reduction {reduction} behind a function without reductions")
    return rows.sum() if reduction == "sum" else rows.mean()


def _logsumexp(call: Call, tensors: Tensors) -> Request:
    call.refuse_options_except("axis", of="torch.special.logsumexp")
    return Request("logsumexp", (tensors["logits"], _axis(call)))


def _entropy(call: Call, tensors: Tensors) -> Request:
    call.refuse_inputs_except("probabilities")
    call.refuse_options_except(*_ALWAYS, "axis", of="torch.special.entr")
    return Request(
        "entr",
        (tensors["probabilities"],),
        finish=lambda terms: _reduce(call, terms.sum(_axis(call))),
        convention=_divides_by(call, "count"),
        computed_with={"sum over the classes": "torch.Tensor.sum"},
    )


def _cross_entropy(call: Call, tensors: Tensors) -> Request:
    call.refuse_options_except(*_ALWAYS, "axis", of="torch.special.xlogy")
    return Request(
        "xlogy",
        (tensors["targets"], tensors["probabilities"]),
        finish=lambda terms: _reduce(call, -terms.sum(_axis(call))),
        convention=_divides_by(call, "count"),
        computed_with={"sum over the classes": "-torch.Tensor.sum"},
    )


def _categorical_cross_entropy(call: Call, tensors: Tensors) -> Request:
    targets = tensors["targets"]
    if targets.is_floating_point() and targets.ndim == tensors["probabilities"].ndim:
        return _cross_entropy(call, tensors)
    logs = {**tensors, "log_probabilities": tensors["probabilities"].log()}
    request = _classifying("nll_loss", "log_probabilities", "class_weights", "ignore_index")(call, logs)
    computed_with = {**request.computed_with, "log_probabilities": "torch.log(probabilities)"}
    return replace(request, computed_with=computed_with)


def _kl_divergence(call: Call, tensors: Tensors) -> Request:
    """kl_div has no class axis: `none` returns every term, and `mean` divides by all of them."""
    call.refuse_inputs_except("targets", "log_probabilities")
    call.refuse_options_except(*_ALWAYS, "axis", "log_target", of="torch.nn.functional.kl_div")
    return Request(
        "kl_div",
        (tensors["log_probabilities"], tensors["targets"]),
        _keywords(call, tensors, "reduction", "log_target"),
        finish=lambda terms: terms.sum(_axis(call)) if call.options["reduction"] == "none" else terms,
        convention=_divides_by(call, "elements"),
    )


def _clamps(call: Call) -> dict[str, float]:
    """The documented clamps of BCELoss: the logarithm at −100, the denominator p (1 − p) of the gradient at 1e-12.

    In aten/src/ATen/native/Loss.cpp the latter is a `float` whatever the dtype; the compiler takes the double.
    """
    return {"log_clamp": -100.0, "gradient_clamp": 1e-12 if call.mode in COMPILED else float(np.float32(1e-12))}


def _binary(function: str, scores: str, *options: str) -> Builder:
    """The weight of a binary loss multiplies each element; its mean divides by their number all the same."""

    def request(call: Call, tensors: Tensors) -> Request:
        call.refuse_options_except(*_ALWAYS, *options, of=f"torch.nn.functional.{function}")
        keywords = _keywords(call, tensors, "reduction", *options)
        if isinstance(keywords.get("pos_weight"), float | int):  # PyTorch takes a tensor only
            keywords["pos_weight"] = torch.tensor(keywords["pos_weight"], dtype=tensors[scores].dtype)
        clamps = _clamps(call) if scores == "probabilities" else {}
        declared = {**clamps, **(_divides_by(call, "count") or {})}
        return Request(function, (tensors[scores], tensors["targets"]), keywords, convention=declared or None)

    return request


COMPUTING_REQUESTS = frozenset({"categorical_cross_entropy", "linear_cross_entropy"})
"""Losses whose request takes logarithms or multiplies matrices before its function is called."""

REQUESTS: Mapping[str, Builder] = {
    "entropy": _entropy,
    "softmax": _activation("softmax"),
    "log_softmax": _activation("log_softmax"),
    "logsumexp": _logsumexp,
    "cross_entropy": _cross_entropy,
    "kl_divergence": _kl_divergence,
    "nll_loss": _classifying("nll_loss", "log_probabilities", "class_weights", "ignore_index"),
    "categorical_cross_entropy": _categorical_cross_entropy,
    "softmax_cross_entropy": _classifying(
        "cross_entropy", "logits", "class_weights", "label_smoothing", "ignore_index"
    ),
    "binary_cross_entropy": _binary("binary_cross_entropy", "probabilities", "sample_weights"),
    "binary_cross_entropy_with_logits": _binary(
        "binary_cross_entropy_with_logits", "logits", "sample_weights", "pos_weight"
    ),
    "soft_margin": _binary("soft_margin_loss", "logits"),
    "linear_cross_entropy": _linear_cross_entropy,
}


def request_of(call: Call, tensors: Tensors) -> Request:
    """How the loss of a call is asked of PyTorch; KeyError where it has none."""
    request = REQUESTS[call.loss](without_scale(call), tensors)
    return replace(request, scale=scale_of(call), computed_with={**request.computed_with, **attested(call)})
