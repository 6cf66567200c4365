"""Paddle on a CPU: the losses of `paddle.nn.functional`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import paddle
from paddle.nn import functional

from harness.adapters.base import Answer, Array, Description, Unsupported
from harness.adapters.functions import Functions, Library, LossFunction, Request
from harness.adapters.kernels.differentiating import answered

paddle.set_device("cpu")

_DTYPES = ("float64", "float32")
"""Those that its documentation names for the losses."""


def to_paddle(array: Array) -> Any:
    if array.dtype == "bfloat16":
        return paddle.to_tensor(array.to_float64().astype(np.float32)).cast("bfloat16")
    return paddle.to_tensor(array.storage.copy())


def from_paddle(values: Any) -> Array:
    if values.dtype == paddle.bfloat16:
        return Array.of(values.detach().cast("float32").numpy(), "bfloat16")
    return Array.of(values.detach().numpy())


def _slopes(request: Request, named: Mapping[str, Any], asked: Sequence[str], value: Any) -> Any:
    given = request.call.cotangent
    upstream = None if given is None else [to_paddle(given).cast(value.dtype)]
    return paddle.grad([value], [named[name] for name in asked], upstream)


def _keep(tensor: Any) -> None:
    tensor.stop_gradient = False


def _run(request: Request) -> Answer:
    return answered(request, to_paddle, from_paddle, _slopes, _keep)


_LIBRARY = Library(
    Description("", (), dtypes=_DTYPES, versions={"numpy": np.__version__}),
    to_paddle,
    paddle.moveaxis,
    paddle.reshape,
    lambda labels, classes, scores: functional.one_hot(labels, classes).cast(scores.dtype),
    paddle.sum,
    paddle.mean,
    _run,
)


def _distributions(logits: Any, targets: Any, *, axis: int = -1, reduction: str, **options: Any) -> Any:
    """Not reduced it keeps the axis of the classes, with one element, as is documented."""
    losses = functional.cross_entropy(logits, targets, soft_label=True, axis=axis, reduction=reduction, **options)
    return losses.squeeze(axis) if reduction == "none" else losses


def _probabilities(probabilities: Any, targets: Any, **options: Any) -> Any:
    return functional.cross_entropy(probabilities, targets, use_softmax=False, **options)


def _focal(logits: Any, targets: Any, *, alpha: float | None = None, gamma: float = 2.0, reduction: str) -> Any:
    """It refuses a vector."""
    if alpha is None:
        raise Unsupported("α is always there: at −1 it is no sign for none")
    found = functional.sigmoid_focal_loss(logits[:, None], targets[:, None], None, alpha, gamma, reduction)
    return found[:, 0] if reduction == "none" else found


_CLASSES = {"axis": "axis", "reduction": "reduction"}

paddle_losses = Functions(
    _LIBRARY,
    LossFunction(
        functional.cross_entropy,
        "softmax_cross_entropy",
        {**_CLASSES, "class_weights": "weight", "ignore_index": "ignore_index"},
        targets="labels",
        divides="default",
        name="paddle.nn.functional.cross_entropy",
    ),
    # Weights of smoothed labels and of distributions are documented as one number for the row: no option of ours.
    LossFunction(
        functional.cross_entropy,
        "softmax_cross_entropy",
        {**_CLASSES, "label_smoothing": "label_smoothing", "ignore_index": "ignore_index"},
        targets="labels",
        divides="default",
        name="paddle.nn.functional.cross_entropy",
    ),
    LossFunction(
        _distributions,
        "softmax_cross_entropy",
        {**_CLASSES, "label_smoothing": "label_smoothing"},
        targets="distributions",
        divides="count",
        name="paddle.nn.functional.cross_entropy(soft_label=True)",
    ),
    LossFunction(
        _probabilities,
        "categorical_cross_entropy",
        _CLASSES,
        targets="labels",
        divides="count",
        name="paddle.nn.functional.cross_entropy(use_softmax=False)",
    ),
    # With ignored rows it writes beyond its memory on a CPU: the process ends or hangs, now or at a later call.
    LossFunction(
        functional.nll_loss,
        "nll_loss",
        {"class_weights": "weight", "ignore_index": "ignore_index", "reduction": "reduction"},
        classes=1,
        divides="default",
        name="paddle.nn.functional.nll_loss",
    ),
    LossFunction(
        functional.binary_cross_entropy_with_logits,
        "binary_cross_entropy_with_logits",
        {"sample_weights": "weight", "pos_weight": "pos_weight", "reduction": "reduction"},
        divides="count",
        name="paddle.nn.functional.binary_cross_entropy_with_logits",
    ),
    LossFunction(
        functional.binary_cross_entropy,
        "binary_cross_entropy",
        {"sample_weights": "weight", "reduction": "reduction"},
        divides="count",
        name="paddle.nn.functional.binary_cross_entropy",
    ),
    LossFunction(
        _focal,
        "binary_focal",
        {"alpha": "alpha", "gamma": "gamma", "reduction": "reduction"},
        elements=True,
        divides="count",
        name="paddle.nn.functional.sigmoid_focal_loss",
    ),
    LossFunction(functional.softmax, "softmax", {"axis": "axis"}, name="paddle.nn.functional.softmax"),
    LossFunction(functional.log_softmax, "log_softmax", {"axis": "axis"}, name="paddle.nn.functional.log_softmax"),
    version=paddle.__version__,
)
