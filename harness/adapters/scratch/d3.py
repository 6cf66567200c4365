"""D3, "Cross-entropy error" (003_c9fa7be9dd8473f7.txt).

Quirks, kept: targets with as many elements as y are taken for one-hot and reduced by argmax, so soft targets lose what
they say, and with one class labels are mistaken for rows; 1e-10 is added inside the logarithm, so that a perfect
prediction costs about −1e-10 and a zero probability −ln 1e-10; a negative label counts from the last class.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.adapters.base import Answer, Array, Call, Description, Unsupported
from harness.adapters.facts import numpy_facts, variables

EPSILON = 1e-10


def cross_entropy_error(y: NDArray[Any], t: NDArray[Any]) -> Any:
    """−Σ_i ln(y_{i, t_i} + 1e-10) / N for y of shape (C,) or (N, C), t one-hot of the same shape, or labels."""
    if y.ndim == 1:
        y = y.reshape(1, y.size)
        t = t.reshape(1, t.size)
    if t.size == y.size:
        t = t.argmax(axis=1)
    count = y.shape[0]
    return -np.sum(np.log(y[np.arange(count), t] + EPSILON)) / count


class D3:
    """The document's function; it returns the mean and nothing else, and has no gradient."""

    def describe(self) -> Description:
        return Description(
            version="1",
            losses=("categorical_cross_entropy",),
            dtypes=("float64", "float32", "float16"),
            gradients=False,
            versions={"numpy": np.__version__},
            flags=variables("numpy", os.environ),
            facts=numpy_facts(),
        )

    def evaluate(self, call: Call) -> Answer:
        call.refuse_options_except("reduction", "denominator", "axis")
        if call.options.get("reduction") != "mean":
            raise Unsupported("the document's function returns the mean only")
        y = call.inputs["probabilities"].storage
        if call.options.get("axis", -1) not in (-1, y.ndim - 1) or y.ndim > 2:
            raise Unsupported("the document's function takes (C,) or (N, C), the classes last")
        value = cross_entropy_error(y, call.inputs["targets"].storage)
        # The article gives the epsilon in its function and says what it is for.
        return Answer(Array.of(value), "document D3: cross_entropy_error", convention={"add_inside_log": EPSILON})
