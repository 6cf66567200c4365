"""MLX on a CPU: the losses of `mlx.nn.losses`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import mlx.core as mx
import numpy as np
from mlx.nn import log_softmax, losses

from harness.adapters.base import Answer, Array, Description
from harness.adapters.functions import Functions, Library, LossFunction, Request
from harness.adapters.kernels.differentiating import answered

_DTYPES = ("float32", "float16", "bfloat16")
"""float64 is a type of its CPU alone, and of few of its operations."""


def to_mlx(array: Array) -> Any:
    if array.dtype == "bfloat16":
        return mx.array(array.storage).view(mx.bfloat16)
    return mx.array(array.storage)


def from_mlx(values: Any) -> Array:
    if values.dtype == mx.bfloat16:
        return Array("bfloat16", np.array(values.view(mx.uint16)))
    return Array.of(np.array(values))


def _slopes(request: Request, named: Mapping[str, Any], asked: Sequence[str], value: Any) -> Any:
    def of(*wanted: Any) -> list[Any]:
        return [request.compute({**named, **dict(zip(asked, wanted, strict=True))})]

    given = request.call.cotangent
    upstream = mx.ones_like(value) if given is None else to_mlx(given).astype(value.dtype)
    return mx.vjp(of, [named[name] for name in asked], [upstream])[1]


def _run(request: Request) -> Answer:
    return answered(request, to_mlx, from_mlx, _slopes)


_LIBRARY = Library(
    # Its exp is 0 from −88 on, where float32 has subnormals.
    Description("", (), dtypes=_DTYPES, threads=1, flush_to_zero=True),
    to_mlx,
    mx.moveaxis,
    mx.reshape,
    lambda labels, classes, scores: (labels[..., None] == mx.arange(classes)).astype(scores.dtype),
    mx.sum,
    mx.mean,
    _run,
)


def _kl(targets: Any, log_probabilities: Any, *, reduction: str) -> Any:
    """It takes both as logarithms."""
    return losses.kl_div_loss(log_probabilities, targets, reduction=reduction)


def _softmax(logits: Any, *, axis: int = -1) -> Any:
    """Its own default are all axes."""
    return mx.softmax(logits, axis)


def _log_softmax(logits: Any, *, axis: int = -1) -> Any:
    return log_softmax(logits, axis)


mlx = Functions(
    _LIBRARY,
    LossFunction(
        losses.cross_entropy,
        "softmax_cross_entropy",
        {"axis": "axis", "label_smoothing": "label_smoothing", "reduction": "reduction", "sample_weights": "weights"},
        divides="count",
        name="mlx.nn.losses.cross_entropy",
    ),
    LossFunction(
        losses.binary_cross_entropy,
        "binary_cross_entropy_with_logits",
        {"reduction": "reduction", "sample_weights": "weights"},
        divides="count",
        name="mlx.nn.losses.binary_cross_entropy",
    ),
    LossFunction(
        losses.nll_loss,
        "nll_loss",
        {"axis": "axis", "reduction": "reduction"},
        divides="count",
        name="mlx.nn.losses.nll_loss",
    ),
    LossFunction(
        _kl,
        "kl_divergence",
        {"reduction": "reduction"},
        says={"log_target": True},
        divides="count",
        name="mlx.nn.losses.kl_div_loss",
    ),
    LossFunction(_softmax, "softmax", {"axis": "axis"}, name="mlx.core.softmax"),
    LossFunction(_log_softmax, "log_softmax", {"axis": "axis"}, name="mlx.nn.log_softmax"),
    version=version("mlx"),
)
