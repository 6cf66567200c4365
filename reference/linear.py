"""Losses fused with the last linear layer: linear_cross_entropy, linear_jensen_shannon.

With g = ∂/∂x of the loss of the logits x = h · W: ∂/∂h = g Wᵀ, ∂/∂W = hᵀ g, ∂/∂b = Σ g. No logit is rounded on the way.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from reference import arguments
from reference.arguments import ArgumentError, Floats
from reference.divergences import jensen_shannon_of_rows
from reference.from_logits import cross_entropy_of_rows
from reference.logits import transformation
from reference.numbers import vanishing
from reference.problem import BLOCK, HESSIAN_VECTOR, Make, Problem, Result
from reference.reductions import RowWeights, reduction
from reference.targets import targets_of


@dataclass(frozen=True, eq=False)
class _Layer:
    """hidden · weight, whose rows are taken some at a time."""

    make: Make
    names: tuple[str, str]
    shape: tuple[int, ...]
    """Of the hidden numbers."""
    hidden: Floats
    """One row per row."""
    weight: Any
    """(d, C)."""

    @property
    def rows(self) -> tuple[int, ...]:
        return self.shape[:-1]

    @property
    def classes(self) -> int:
        return int(self.weight.shape[1])

    def logits(self, hidden: Floats) -> Any:
        return _matrix_product(self.make, self.make(hidden), self.weight.moveaxis(0, 1))

    def of_hidden(self, pull: Any) -> Any:
        """What belongs to the logits, pulled back to the hidden numbers."""
        return _matrix_product(self.make, pull, self.weight).reshape(*self.shape)

    def pulled(self, pull: Any, wanted: Container[str]) -> dict[str, Any]:
        """Of both what is wanted, from the gradient with respect to the logits."""
        found: dict[str, Any] = {}
        hidden, weight = self.names
        if hidden in wanted:
            found[hidden] = self.of_hidden(pull)
        if weight in wanted:
            found[weight] = _matrix_product(self.make, self.make(self.hidden).moveaxis(0, 1), pull.moveaxis(0, 1))
        return found


def _layer(problem: Problem, first: str, second: str) -> _Layer:
    hidden, weight = (arguments.floats(name, problem.inputs[name]) for name in (first, second))
    if hidden.ndim == 0 or weight.ndim != 2 or hidden.shape[-1] != weight.shape[0]:
        raise ArgumentError(
            f"{first} has shape {hidden.shape} and {second} {weight.shape}: expected (..., d) and (d, C)"
        )
    if weight.shape[1] == 0:
        raise ArgumentError(f"{second}: expected at least one class")
    return _Layer(
        problem.make, (first, second), hidden.shape, hidden.reshape(-1, hidden.shape[-1]), problem.make(weight)
    )


def linear_cross_entropy(problem: Problem) -> Result:
    """softmax_cross_entropy of hidden · weight + bias."""
    make = problem.make
    layer = _layer(problem, "hidden", "weight")
    if problem.options.get("axis", -1) not in (-1, len(layer.shape) - 1):
        raise ArgumentError("axis: linear_cross_entropy has its classes last, expected -1")
    rows, classes = layer.rows, layer.classes
    bias = make(0.0)
    if "bias" in problem.inputs:
        given = arguments.floats("bias", problem.inputs["bias"])
        bias = make(arguments.shaped("bias", given, (classes,), "one per class"))
    transform = transformation(problem, rows, classes, -1)
    t = targets_of(problem, (*rows, classes), -1, transform.mask)
    inner = replace(problem, wanted=("logits", *(n for n in problem.wanted if n == "targets")))
    vector = problem.vector_like(layer.shape)

    def logits(block: slice) -> Any:
        return layer.logits(layer.hidden[block]) + bias

    def directions(block: slice) -> Any:
        """What the logits move by where the hidden numbers move along the vector."""
        assert vector is not None
        return layer.logits(vector.reshape(layer.hidden.shape)[block])

    value, slopes = cross_entropy_of_rows(inner, t, transform, logits, None if vector is None else directions)
    pull = slopes["logits"]
    found = layer.pulled(pull, problem.wanted)
    if vector is not None:
        found[HESSIAN_VECTOR] = layer.of_hidden(slopes[HESSIAN_VECTOR])
    if "targets" in slopes:
        found["targets"] = slopes["targets"].reshape(*rows, classes)
    if "bias" in problem.wanted:
        found["bias"] = pull.moveaxis(0, 1).sum()
    return value, found


def linear_jensen_shannon(problem: Problem) -> Result:
    """jensen_shannon of target_hidden · target_weight and hidden · weight; rows whose label is ignored are 0."""
    student, teacher = _layer(problem, "hidden", "weight"), _layer(problem, "target_hidden", "target_weight")
    rows, classes = student.rows, student.classes
    if teacher.rows != rows:
        raise ArgumentError(f"target_hidden has rows of shape {teacher.rows}: expected {rows}, those of hidden")
    if teacher.classes != classes:
        raise ArgumentError(f"target_weight has {teacher.classes} classes: expected {classes}, those of weight")
    count, ignored = len(student.hidden), problem.options.get("ignore_index")
    valid = np.ones(count, dtype=bool)
    if "targets" in problem.inputs:
        valid = arguments.labels(problem.inputs["targets"], rows, classes, ignored)[1].reshape(count)
    default = "count" if ignored is None else "valid"
    weights = RowWeights(problem.make(1.0), valid, rows, count * classes, default)
    layers = {"target_logits": teacher, "logits": student}

    def logits(block: slice) -> list[Any]:
        return [layer.logits(layer.hidden[block]) for layer in layers.values()]

    inner = replace(
        problem, wanted=tuple(name for name, layer in layers.items() if set(layer.names) & set(problem.wanted))
    )
    value, slopes = jensen_shannon_of_rows(
        inner,
        reduction(weights, problem.options, problem.convention),
        (*rows, classes),
        ("target_logits", "logits"),
        logits,
        transformation(problem, rows, classes, -1),
        valid,
    )
    found: dict[str, Any] = {}
    for name, slope in slopes.items():
        found.update(layers[name].pulled(slope, problem.wanted))
    return value, found


def _matrix_product(make: Make, left: Any, right: Any) -> Any:
    """left (n, k) times the transpose of right (m, k), some products at a time."""
    n, k = left.shape
    m = right.shape[0]
    if n * m == 0:
        return make(np.zeros((n, m)))
    # A block of products per step: first as many columns, then as many rows as fit.
    wide = max(1, min(m, BLOCK // max(k, 1)))
    tall = max(1, BLOCK // max(wide * k, 1))
    columns = [slice(start, start + wide) for start in range(0, m, wide)]

    def body(rows: slice) -> Any:
        parts = []
        for some in columns:
            factor, other = left[rows][:, None, :], right[some][None, :, :]
            parts.append(vanishing(factor + other.zeros(), factor * other).sum())
        return _beside(parts)

    made = [body(slice(start, start + tall)) for start in range(0, n, tall)]
    return type(made[0])(**{name: np.concatenate([getattr(p, name) for p in made]) for name in vars(made[0])})


def _beside(parts: list[Any]) -> Any:
    """Columns of a block of rows, side by side."""
    first = parts[0]
    return type(first)(**{n: np.concatenate([getattr(p, n) for p in parts], axis=-1) for n in vars(first)})
