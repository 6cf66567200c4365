"""tinygrad: the losses that are methods of its tensors, on its device of plain Python (DEV=PYTHON)."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import numpy as np
from tinygrad import Tensor, dtypes
from tinygrad.device import Device

from harness.adapters.base import Answer, Array, Call, Description
from harness.adapters.functions import Functions, Library, LossFunction, Request


def to_tinygrad(array: Array) -> Any:
    if array.dtype == "bfloat16":
        return Tensor(array.to_float64().astype(np.float32), dtype=dtypes.float32).cast(dtypes.bfloat16)
    return Tensor(np.ascontiguousarray(array.storage).reshape(array.shape))


def from_tinygrad(values: Any) -> Array:
    if values.dtype == dtypes.bfloat16:
        return Array.of(values.cast(dtypes.float32).numpy(), "bfloat16")
    return Array.of(values.numpy())


def _run(request: Request) -> Answer:
    call: Call = request.call
    options = {name: option for name, option in call.options.items() if isinstance(option, Array)}
    named = {name: to_tinygrad(array) for name, array in {**call.inputs, **options}.items()}
    asked = [name for name in call.differentiate if call.inputs[name].is_float]
    value = request.compute(named)
    answered = from_tinygrad(value)
    error: BaseException | None = None
    slopes: dict[str, Array] = {}
    if asked:
        try:
            upstream = value.ones_like() if call.cotangent is None else to_tinygrad(call.cotangent).cast(value.dtype)
            found = value.gradient(*(named[name] for name in asked), gradient=upstream)
            slopes = {name: from_tinygrad(slope) for name, slope in zip(asked, found, strict=True)}
        except Exception as raised:  # the outcome of the gradient, not of the value
            error = raised
    return Answer(
        answered,
        request.function,
        slopes,
        error,
        convention=request.convention,
        computed_with=request.computed_with,
    )


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
