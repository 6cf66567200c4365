"""D2, "Cross-entropy from zero, with an image-classification example" (002_09cf5b6480264683.txt), in PyTorch.

Quirks, kept: the softmax subtracts no maximum, so it overflows to nan (float32 from a logit of about 88.7, float64 from
709.8), and divides row by row in a loop; indexing takes a negative label from the last class. The document reads the
number of rows from a variable outside its function; here it is taken from the argument.
"""

from __future__ import annotations

import torch

from harness.adapters.base import Answer, Call, Description, Unsupported
from harness.adapters.torch_calls import answer, facts, flags, tensors_of, threads


def softmax(logits: torch.Tensor) -> torch.Tensor:
    """e^x over the sum of its row, one row (N, C) after the other."""
    powers = torch.exp(logits)
    sums = powers.sum(dim=1)
    rows = [power / total for power, total in zip(powers, sums, strict=True)]
    return torch.stack(rows)


def cross_entropy(probabilities: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Σ_i −ln p_{i, y_i} / m over the m rows."""
    rows = len(probabilities)
    picked = probabilities[range(rows), labels]
    return torch.sum(-torch.log(picked)) / rows


class D2:
    """The document's two functions, differentiated by autograd; the loss is the mean and nothing else."""

    def describe(self) -> Description:
        return Description(
            version="1",
            losses=("softmax", "categorical_cross_entropy", "softmax_cross_entropy"),
            versions={"torch": torch.__version__},
            threads=threads(),
            flags=flags(),
            facts=facts(),
        )

    def evaluate(self, call: Call) -> Answer:
        call.refuse_options_except("reduction", "denominator", "axis")
        if call.options.get("axis", -1) not in (-1, 1):
            raise Unsupported("the document's functions have the classes on axis 1")
        tensors = tensors_of(call)
        if call.loss == "softmax":
            return answer(call, tensors, softmax(tensors["logits"]), "document D2: softmax")
        if call.options.get("reduction") != "mean":
            raise Unsupported("the document's function returns the mean only")
        if call.inputs["targets"].is_float:
            raise Unsupported("the document's function takes integer labels")
        if call.loss == "categorical_cross_entropy":
            value = cross_entropy(tensors["probabilities"], tensors["targets"])
            return answer(call, tensors, value, "document D2: cross_entropy")
        value = cross_entropy(softmax(tensors["logits"]), tensors["targets"])
        return answer(call, tensors, value, "document D2: cross_entropy(softmax)")
