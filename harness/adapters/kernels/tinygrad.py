"""tinygrad: the losses that are methods of its tensors, on its device of plain Python (DEV=PYTHON)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
from tinygrad import Tensor, dtypes
from tinygrad.device import Device

from harness.adapters.base import Answer, Array, Description
from harness.adapters.functions import Functions, Library, LossFunction, Request
from harness.adapters.kernels.differentiating import answered


def to_tinygrad(array: Array) -> Any:
    if array.dtype == "bfloat16":
        return Tensor(array.to_float64().astype(np.float32), dtype=dtypes.float32).cast(dtypes.bfloat16)
    return Tensor(np.ascontiguousarray(array.storage).reshape(array.shape))


def from_tinygrad(values: Any) -> Array:
    if values.dtype == dtypes.bfloat16:
        return Array.of(values.cast(dtypes.float32).numpy(), "bfloat16")
    return Array.of(values.numpy())


def _slopes(request: Request, named: Mapping[str, Any], asked: Sequence[str], value: Any) -> Any:
    given = request.call.cotangent
    upstream = value.ones_like() if given is None else to_tinygrad(given).cast(value.dtype)
    return value.gradient(*(named[name] for name in asked), gradient=upstream)


def _run(request: Request) -> Answer:
    return answered(request, to_tinygrad, from_tinygrad, _slopes)


def _move(values: Any, source: int, target: int) -> Any:
    order = [axis for axis in range(values.ndim) if axis != source % values.ndim]
    order.insert(target % values.ndim, source % values.ndim)
    return values.permute(order)


_LIBRARY = Library(
    # Its device of plain Python has no subnormal numbers of 16 bits: 4.5e-5 times 1 is 0.
    Description("", (), versions={"numpy": np.__version__}, device=Device.DEFAULT, flush_to_zero=True),
    to_tinygrad,
    _move,
    lambda values, shape: values.reshape(shape),
    lambda labels, classes, scores: labels.one_hot(classes).cast(scores.dtype),
    lambda values: values.sum(),
    lambda values: values.mean(),
    _run,
)

tinygrad = Functions(
    _LIBRARY,
    LossFunction(
        Tensor.sparse_categorical_crossentropy,
        "softmax_cross_entropy",
        {"ignore_index": "ignore_index", "label_smoothing": "label_smoothing", "reduction": "reduction"},
        targets="labels",
        divides="valid",
        name="tinygrad.Tensor.sparse_categorical_crossentropy",
    ),
    LossFunction(
        Tensor.cross_entropy,
        "softmax_cross_entropy",
        {"label_smoothing": "label_smoothing", "reduction": "reduction"},
        classes=1,
        divides="count",
        name="tinygrad.Tensor.cross_entropy",
    ),
    LossFunction(
        Tensor.nll_loss,
        "nll_loss",
        {"class_weights": "weight", "ignore_index": "ignore_index", "reduction": "reduction"},
        classes=1,
        divides="default",
        name="tinygrad.Tensor.nll_loss",
    ),
    LossFunction(
        Tensor.binary_crossentropy_logits,
        "binary_cross_entropy_with_logits",
        {"reduction": "reduction", "pos_weight": "pos_weight"},
        divides="count",
        name="tinygrad.Tensor.binary_crossentropy_logits",
    ),
    LossFunction(
        Tensor.binary_crossentropy,
        "binary_cross_entropy",
        {"reduction": "reduction"},
        divides="count",
        name="tinygrad.Tensor.binary_crossentropy",
    ),
    LossFunction(Tensor.softmax, "softmax", {"axis": "axis"}, name="tinygrad.Tensor.softmax"),
    LossFunction(Tensor.log_softmax, "log_softmax", {"axis": "axis"}, name="tinygrad.Tensor.log_softmax"),
    version=version("tinygrad"),
)
