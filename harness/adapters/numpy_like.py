"""What a plain function of NumPy arrays is called with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from harness.adapters.base import Answer, Array, Description
from harness.adapters.framework_signatures import NUMPY
from harness.adapters.functions import Library, Request


def library(*, gradients: bool) -> Library:
    """The value, and where the function returns them too the gradient and the diagonal of the Hessian."""

    def run(request: Request) -> Answer:
        call = request.call
        options = {name: option for name, option in call.options.items() if isinstance(option, Array)}
        found = request.compute({name: array.storage for name, array in {**call.inputs, **options}.items()})
        slopes: Mapping[str, Any] = {}
        along = None
        if gradients:
            found, gradient, *diagonal = found
            # What is returned is for a cotangent of ones; with any other there is nothing to ask.
            asked = call.differentiate[:1] if call.cotangent is None else ()
            slopes = {name: Array.of(gradient) for name in asked}
            if asked and diagonal and call.vector is not None:
                along = Array.of(diagonal[0] * call.vector.storage)
        return Answer(
            Array.of(found),
            request.function,
            slopes,
            hessian_vector=along,
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
