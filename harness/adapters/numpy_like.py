"""What a plain function of NumPy arrays is called with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from harness.adapters.base import Answer, Array, Description
from harness.adapters.framework_signatures import NUMPY
from harness.adapters.functions import Library, Request


def library(*, gradients: bool) -> Library:
    """The value, and where the function returns it too the gradient with respect to the first input."""

    def run(request: Request) -> Answer:
        call = request.call
        options = {name: option for name, option in call.options.items() if isinstance(option, Array)}
        found = request.compute({name: array.storage for name, array in {**call.inputs, **options}.items()})
        slopes: Mapping[str, Any] = {}
        if gradients:
            found, gradient = found
            # What is returned is for a cotangent of ones; with any other there is nothing to ask.
            asked = call.differentiate[:1] if call.cotangent is None else ()
            slopes = {name: Array.of(gradient) for name in asked}
        return Answer(
            Array.of(found),
            request.function,
            slopes,
            convention=request.convention,
            computed_with=request.computed_with,
        )

    return Library(
        Description("", (), dtypes=NUMPY.dtypes, gradients=gradients),
        lambda array: array.storage,
        np.moveaxis,
        np.reshape,
        lambda labels, classes, scores: (labels[..., None] == np.arange(classes)).astype(scores.dtype),
        np.sum,
        np.mean,
        run,
    )
