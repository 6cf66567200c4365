"""D0, "Using a Python function to compute the cross-entropy loss" (000_78411d722bf5d7ff.txt).

Quirks, kept: the mean runs over all N·C entries although the formula divides by N; no epsilon, so a probability of
exactly 0 or 1 gives nan; labels index an identity matrix, so a negative label counts from the last class.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.adapters.base import Answer, Array, Call, Description, Unsupported
from harness.adapters.facts import numpy_facts, variables


def cross_entropy(probabilities: NDArray[Any], labels: NDArray[Any]) -> Any:
    """−mean over all N·C entries of y ln ŷ + (1 − y) ln(1 − ŷ), y the one-hot rows of the labels (N,)."""
    one_hot = np.eye(probabilities.shape[1])[labels]
    return -np.mean(one_hot * np.log(probabilities) + (1 - one_hot) * np.log(1 - probabilities))


class D0:
    """The document's function; it returns the mean and nothing else, and has no gradient."""

    def describe(self) -> Description:
        return Description(
            version="1",
            losses=("categorical_cross_entropy", "binary_cross_entropy"),
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
        if call.options.get("axis", -1) not in (-1, 1):
            raise Unsupported("the document's function has the classes on axis 1")
        labels, probabilities = call.inputs["targets"].storage, call.inputs["probabilities"].storage
        if call.inputs["targets"].is_float:
            labels = _labels_of(labels, call.loss)
        elif call.loss == "binary_cross_entropy":
            raise Unsupported("binary targets that are not one-hot rows: the document's function takes labels")
        return Answer(Array.of(cross_entropy(probabilities, labels)), "document D0: cross_entropy")


def _labels_of(targets: NDArray[Any], loss: str) -> NDArray[Any]:
    """The labels of one-hot rows; only for the binary loss, whose formula is the one the document states."""
    one_hot = targets.ndim == 2 and bool(np.all((targets == 0) | (targets == 1)) and np.all(targets.sum(axis=1) == 1))
    if loss != "binary_cross_entropy" or not one_hot:
        raise Unsupported("the document's function takes integer labels")
    return targets.argmax(axis=1)
