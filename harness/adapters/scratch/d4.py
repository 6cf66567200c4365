"""D4, "Cross-entropy loss function" (004_a0753feac59ab598.txt): what its formulas, which are pictures, state literally.

Quirks, kept: logarithms in base 2, which the article holds to be the same as ln; no epsilon, so 0·log 0 is nan; the
softmax subtracts no maximum, so it overflows to nan.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.adapters.base import Answer, Array, Call, Description, Unsupported
from harness.adapters.facts import numpy_facts, variables

_BASE_2 = {"base": 2}


def entropy(p: NDArray[Any]) -> Any:
    """−Σ_c p_c log2 p_c of each row."""
    return -np.sum(p * np.log2(p), axis=-1)


def softmax(logits: NDArray[Any]) -> Any:
    """e^x over the sum of its row."""
    powers = np.exp(logits)
    return powers / np.sum(powers, axis=-1, keepdims=True)


def cross_entropy(t: NDArray[Any], p: NDArray[Any]) -> Any:
    """−Σ_c t_c log2 p_c of each row."""
    return -np.sum(t * np.log2(p), axis=-1)


def binary_cross_entropy(t: NDArray[Any], p: NDArray[Any]) -> Any:
    """−[t log2 p + (1 − t) log2(1 − p)] of each entry."""
    return -(t * np.log2(p) + (1 - t) * np.log2(1 - p))


class D4:
    """The article's formulas in bits, per row or entry, summed or averaged; no gradients."""

    def describe(self) -> Description:
        return Description(
            version="1",
            losses=("entropy", "softmax", "cross_entropy", "categorical_cross_entropy", "binary_cross_entropy"),
            dtypes=("float64", "float32", "float16"),
            gradients=False,
            versions={"numpy": np.__version__},
            flags=variables("numpy", os.environ),
            facts=numpy_facts(),
        )

    def evaluate(self, call: Call) -> Answer:
        call.refuse_options_except("reduction", "denominator", "axis", "base")
        if call.options.get("base", 2) != 2:
            raise Unsupported("the article takes every logarithm in base 2")
        scores = next(given for name, given in call.inputs.items() if name != "targets").storage
        if call.options.get("axis", -1) not in (-1, scores.ndim - 1):
            raise Unsupported("the article has the classes last")
        if call.loss == "softmax":
            return Answer(Array.of(softmax(scores)), "document D4: softmax")
        if call.loss == "entropy":
            call.refuse_inputs_except("probabilities")
            return Answer(_reduced(call, entropy(scores)), "document D4: entropy", convention=_BASE_2)
        targets = call.inputs["targets"]
        if targets.shape != scores.shape and not targets.is_float:
            raise Unsupported("the article's formulas take distributions, not labels")
        formula = binary_cross_entropy if call.loss == "binary_cross_entropy" else cross_entropy
        losses = formula(targets.storage, scores)
        return Answer(_reduced(call, losses), f"document D4: {formula.__name__}", convention=_BASE_2)


def _reduced(call: Call, losses: Any) -> Array:
    match call.options["reduction"]:
        case "none":
            return Array.of(losses)
        case "sum":
            return Array.of(np.sum(losses))
        case "mean":
            return Array.of(np.mean(losses))
        case other:
            raise Unsupported(f"the article has no reduction {other}")
