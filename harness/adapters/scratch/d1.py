"""D1, "Cross-entropy loss: basic concepts and program code" (001_7bf802f4aa1d12ce.txt).

Quirks, kept: the binary function has no epsilon, so a probability of exactly 0 or 1 gives nan or inf; the multi-class
one adds 1e-9 inside the logarithm, so that a perfect prediction costs about −1e-9 and a zero probability −ln 1e-9.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.adapters.base import Answer, Array, Call, Description, Unsupported
from harness.adapters.facts import numpy_facts, variables

EPSILON = 1e-9


def binary_cross_entropy(y: NDArray[Any], predicted: NDArray[Any]) -> Any:
    """Mean over all entries of −[y ln ŷ + (1 − y) ln(1 − ŷ)]."""
    return np.mean(-(y * np.log(predicted) + (1 - y) * np.log(1 - predicted)))


def categorical_cross_entropy(y: NDArray[Any], predicted: NDArray[Any]) -> Any:
    """Mean over the rows of −Σ_c y_c ln(ŷ_c + 1e-9)."""
    return np.mean(-np.sum(y * np.log(predicted + EPSILON), axis=1))


class D1:
    """The document's two functions; they return the mean and nothing else, and have no gradients."""

    def describe(self) -> Description:
        return Description(
            version="1",
            losses=("binary_cross_entropy", "categorical_cross_entropy"),
            dtypes=("float64", "float32", "float16"),
            gradients=False,
            versions={"numpy": np.__version__},
            flags=variables("numpy", os.environ),
            facts=numpy_facts(),
        )

    def evaluate(self, call: Call) -> Answer:
        call.refuse_options_except("reduction", "denominator", "axis")
        if call.options.get("reduction") != "mean":
            raise Unsupported("the document's functions return the mean only")
        targets, predicted = call.inputs["targets"], call.inputs["probabilities"].storage
        if call.loss == "binary_cross_entropy":
            value = binary_cross_entropy(targets.storage, predicted)
            return Answer(Array.of(value), "document D1: binary_cross_entropy")
        if call.options.get("axis", -1) not in (-1, 1):
            raise Unsupported("the document's function has the classes on axis 1")
        if targets.shape != predicted.shape and not targets.is_float:
            raise Unsupported("the document's function takes distributions, not labels")
        value = categorical_cross_entropy(targets.storage, predicted)
        # The article gives the epsilon in its function and says what it is for.
        return Answer(Array.of(value), "document D1: categorical_cross_entropy", convention={"add_inside_log": EPSILON})
