"""NumPy as its users write a loss: the few lines for exactly the call at hand, with nothing an option could ask for.

`numpy` evaluates the formulas of the reference with all their options, rounding after every operation; that is what
bits are compared with, and it takes time. Here is what a speed should be compared with: value and gradient in one
function, in the arrays' own type, in as few passes as NumPy allows without being clever.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.adapters.base import Answer, Array, Call, Description, Unsupported
from harness.adapters.facts import numpy_facts, variables

Numbers = NDArray[Any]
Result = tuple[Numbers, dict[str, Numbers]]
"""A value, and its gradients by input."""


def cross_entropy(logits: Numbers, labels: Numbers) -> Result:
    """The mean over rows of ln Σ_j exp x_j − x_t, and softmax(x) − one-hot over the number of rows.

    Parameters
    ----------
    logits : floating, shape (N, C)
    labels : integers, shape (N,)
    """
    rows = np.arange(len(logits))
    shifted = logits - logits.max(-1, keepdims=True)
    exponentials = np.exp(shifted)
    sums = exponentials.sum(-1, keepdims=True)
    value = (np.log(sums[:, 0]) - shifted[rows, labels]).mean()
    gradient = exponentials / sums
    gradient[rows, labels] -= 1
    return value, {"logits": gradient / len(logits)}


def pixels_cross_entropy(logits: Numbers, labels: Numbers) -> Result:
    """`cross_entropy` of every pixel: logits of shape (N, C, H, W), labels (N, H, W)."""
    pixels = np.moveaxis(logits, 1, -1)
    value, gradients = cross_entropy(pixels.reshape(-1, logits.shape[1]), labels.ravel())
    return value, {"logits": np.moveaxis(gradients["logits"].reshape(pixels.shape), -1, 1)}


def linear_cross_entropy(hidden: Numbers, weight: Numbers, labels: Numbers) -> Result:
    """`cross_entropy` of hidden · weight, and its gradients through the product: shapes (N, D) and (D, C)."""
    value, gradients = cross_entropy(hidden @ weight, labels)
    back = gradients["logits"]
    return value, {"hidden": back @ weight.T, "weight": hidden.T @ back}


def binary_cross_entropy_with_logits(logits: Numbers, targets: Numbers) -> Result:
    """The mean of max(x, 0) − x t + ln(1 + exp(−|x|)), and σ(x) − t over the number of elements."""
    small = np.exp(-np.abs(logits))
    value = (np.maximum(logits, 0) - logits * targets + np.log1p(small)).mean()
    probabilities = np.where(logits < 0, small, 1) / (1 + small)
    return value, {"logits": (probabilities - targets) / logits.size}


def log_softmax(logits: Numbers) -> Numbers:
    """x − max x − ln Σ_j exp(x_j − max x) along the last axis."""
    shifted = logits - logits.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


class NumPyByHand:
    """Means of rows or pixels with labels: what the workloads ask for. Everything else is not offered."""

    def describe(self) -> Description:
        return Description(
            version=np.__version__,
            losses=(
                "softmax_cross_entropy",
                "linear_cross_entropy",
                "binary_cross_entropy_with_logits",
                "log_softmax",
            ),
            dtypes=("float64", "float32"),
            versions={"numpy": np.__version__},
            flags=variables("numpy", os.environ),
            facts=numpy_facts(),
        )

    def evaluate(self, call: Call) -> Answer:
        call.refuse_options_except("reduction", "denominator", "axis", of="the function written by hand")
        given = {name: array.storage for name, array in call.inputs.items()}
        if call.loss == "log_softmax":
            self._refuse(call, given["logits"], "none")
            if call.differentiate:
                raise Unsupported("the function written by hand has no gradient of log_softmax")
            return Answer(Array.of(log_softmax(given["logits"])), "log_softmax, by hand")
        self._refuse(call, given["hidden" if "hidden" in given else "logits"], "mean")
        value, gradients = self._result(call.loss, given)
        wanted = {name: Array.of(gradients[name]) for name in call.differentiate if name in gradients}
        if wanted.keys() != set(call.differentiate):
            raise Unsupported("the function written by hand has no gradient with respect to targets")
        return Answer(Array.of(value), f"{call.loss}, by hand", wanted)

    def _result(self, loss: str, given: dict[str, Numbers]) -> Result:
        targets = given["targets"]
        if loss == "binary_cross_entropy_with_logits":
            if targets.shape != given["logits"].shape:
                raise Unsupported("the function written by hand takes targets of the shape of the logits")
            return binary_cross_entropy_with_logits(given["logits"], targets)
        if targets.dtype.kind not in "iu":
            raise Unsupported("the function written by hand takes labels")
        if "bias" in given:
            raise Unsupported("the function written by hand has no bias")
        if loss == "linear_cross_entropy":
            return linear_cross_entropy(given["hidden"], given["weight"], targets)
        of_pixels = given["logits"].ndim == 4
        return (pixels_cross_entropy if of_pixels else cross_entropy)(given["logits"], targets)

    def _refuse(self, call: Call, numbers: Numbers, reduction: str) -> None:
        """What it was not written for."""
        if numbers.dtype.kind != "f":
            raise Unsupported("the function written by hand takes floating numbers")
        if call.options.get("reduction", reduction) != reduction or call.cotangent is not None:
            raise Unsupported(f"the function written by hand has the reduction {reduction} only")
        if call.vector is not None:
            raise Unsupported("the function written by hand has no second derivative")
        axis = call.options.get("axis", -1)
        rows = numbers.ndim == 2 and axis in (-1, 1)
        pixels = numbers.ndim == 4 and axis == 1 and call.loss == "softmax_cross_entropy"
        if not (rows or pixels or call.loss.startswith("binary")):
            raise Unsupported("the function written by hand takes rows or pixels, the classes on axis 1")
