"""The losses of logits: softmax, log_softmax, softmax_cross_entropy, categorical_focal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from reference import arguments, softmax
from reference.arguments import ArgumentError, Floats
from reference.logits import Transformation, transformation
from reference.numbers import others_sum, vanishing
from reference.problem import HESSIAN_VECTOR, Problem, Result, by_rows, of_block, shaped_back
from reference.reductions import reduction
from reference.targets import Targets, targets_of


def softmax_of(problem: Problem) -> Result:
    """p_j = e^{x_j} / Σ_k e^{x_k}."""
    return _function(problem, softmax.softmax, softmax.softmax_gradient)


def log_softmax_of(problem: Problem) -> Result:
    """ln p_j."""
    return _function(problem, softmax.log_softmax, softmax.log_softmax_gradient)


def _function(problem: Problem, value_of: Callable[[Any], Any], gradient_of: Callable[[Any, Any], Any]) -> Result:
    x, axis = problem.classes_last("logits")
    cotangent = problem.cotangent_of(np.moveaxis(x, -1, axis).shape)
    classes = x.shape[-1]
    flat = x.reshape(-1, classes)
    u = problem.make(1.0) if cotangent is None else cotangent.moveaxis(axis, -1).reshape(*flat.shape)
    transform = transformation(problem, x.shape[:-1], classes, axis)

    def body(rows: slice) -> Result:
        seen = transform(problem.make(flat[rows]), rows)
        r = softmax.rows(seen.z)
        if not problem.wanted:
            return value_of(r), {}
        weights = of_block(u, rows) + r.weight.constant(np.zeros(r.weight.shape))
        return value_of(r), {"logits": seen.pull_back(gradient_of(r, weights))}

    value, slopes = by_rows(flat.shape[0], classes, body)
    return value.reshape(*x.shape).moveaxis(-1, axis), shaped_back(slopes, x.shape, axis)


def softmax_cross_entropy(problem: Problem) -> Result:
    """−Σ_j a_j ln p_j + λ (ln Σ_j e^{z_j})², one per row."""
    x, axis = problem.classes_last("logits")
    transform = transformation(problem, x.shape[:-1], x.shape[-1], axis)
    t = targets_of(problem, x.shape, axis, transform.mask)
    flat = x.reshape(-1, x.shape[-1])
    vector = problem.vector_like(np.moveaxis(x, -1, axis).shape)
    along = None if vector is None else _rows_of(problem, np.moveaxis(vector, axis, -1).reshape(flat.shape))
    value, slopes = cross_entropy_of_rows(problem, t, transform, _rows_of(problem, flat), along)
    return value, shaped_back(slopes, x.shape, axis)


_Rows = Callable[[slice], Any]
"""A block of rows of numbers, classes last."""


def _rows_of(problem: Problem, flat: Floats) -> _Rows:
    return lambda rows: problem.make(flat[rows])


def cross_entropy_of_rows(
    problem: Problem, t: Targets, transform: Transformation, logits: _Rows, directions: _Rows | None = None
) -> Result:
    """The loss of rows of logits; the gradients `logits` and `targets` where they are wanted, one row per row, and the
    product of the Hessian with the `directions`, one per row."""
    how = reduction(t.row_weights, problem.options, problem.convention)
    scale = problem.scale(how, t.row_weights.rows)
    as_if = problem.convention.get("gradient_of_targets_summing_to_one")
    penalty = float(problem.options.get("z_loss", 0.0))

    def body(rows: slice) -> Result:
        seen, b = transform(logits(rows), rows), t.block(rows)
        r = softmax.rows(seen.z)
        weight = of_block(scale, rows)
        weight = weight if weight.shape == () else weight.column()
        squared = b.unit * problem.make(penalty)
        value = softmax.cross_entropy(r, b.a)
        if penalty:
            value = value + softmax.squared_log_sum_exp(r, squared)
        found: dict[str, Any] = {}
        slope = None
        if "logits" in problem.wanted or directions is not None:
            unit = b.unit if b.unit.shape == () else b.unit.column()
            others = unit - b.a if as_if else others_sum(b.a)
            slope = softmax.cross_entropy_gradient(r, b.a, others)
            if penalty:
                slope = slope + softmax.squared_log_sum_exp_gradient(r, squared)
        if "logits" in problem.wanted:
            pulled = seen.pull_back(slope) * weight
            found["logits"] = pulled.where(np.broadcast_to(b.keep, pulled.shape), pulled.zeros())
        if "targets" in problem.wanted:
            pull = (b.a.zeros() + b.per_target) * weight
            found["targets"] = vanishing(pull, pull * r.negative_logs())
        if directions is not None:
            v = directions(rows)
            turned = seen.push(v)
            product = softmax.hessian_vector(r, b.a.sum(), turned)
            if penalty:
                product = product + softmax.squared_log_sum_exp_hessian_vector(r, squared, turned)
            product = seen.pull_back_twice(slope, product, v) * weight
            found[HESSIAN_VECTOR] = product.where(np.broadcast_to(b.keep, product.shape), product.zeros())
        return value.where(b.keep[:, 0], value.zeros()), found

    values, slopes = by_rows(t.valid.size, t.classes, body)
    result = how.value(values, t.row_weights.rows)
    return result, with_moving_denominator(problem, t, result, scale, slopes)


def with_moving_denominator(
    problem: Problem, t: Targets, result: Any, scale: Any, slopes: dict[str, Any]
) -> dict[str, Any]:
    """The gradient wrt targets less what they move in the denominator of a mean; see `Targets.moves_denominator`."""
    if "targets" not in slopes or not t.moves_denominator(problem):
        return slopes
    each = result * scale

    def body(rows: slice) -> Result:
        b, own = t.block(rows), of_block(each, rows)
        pull = (b.a.zeros() + b.per_row_weight) * (own if own.shape == () else own.column())
        return own, {"targets": slopes["targets"][rows] - pull}

    return {**slopes, **by_rows(t.valid.size, t.classes, body)[1]}


def categorical_focal(problem: Problem) -> Result:
    """−Σ_j a_j (1 − p_j)^γ ln p_j, one per row."""
    x, axis = problem.classes_last("logits")
    t = targets_of(problem, x.shape, axis)
    make, classes = problem.make, x.shape[-1]
    flat = x.reshape(-1, classes)
    alpha = make(1.0)
    if "alpha" in problem.options:
        given = arguments.floats("alpha", problem.options["alpha"])
        if given.shape not in ((), (classes,)) or not np.isfinite(given).all():
            raise ArgumentError(f"alpha has shape {given.shape}: expected one finite number, or one per class")
        alpha = make(given)
    gamma = float(problem.options.get("gamma", 2.0))
    vector = problem.vector_like(np.moveaxis(x, -1, axis).shape)
    along = None if vector is None else _rows_of(problem, np.moveaxis(vector, axis, -1).reshape(flat.shape))
    how = reduction(t.row_weights, problem.options, problem.convention)
    scale = problem.scale(how, t.row_weights.rows)

    def body(rows: slice) -> Result:
        r, b = softmax.rows(make(flat[rows])), t.block(rows)
        weight = of_block(scale, rows)
        weight = weight if weight.shape == () else weight.column()
        a = b.a * alpha
        found: dict[str, Any] = {}
        if "logits" in problem.wanted:
            found["logits"] = softmax.focal_gradient(r, a, gamma) * weight
        if "targets" in problem.wanted:
            slope = (b.a.zeros() + b.per_target) * alpha * softmax.focal_target_gradient(r, gamma)
            found["targets"] = slope * weight
        if along is not None:
            found[HESSIAN_VECTOR] = softmax.focal_hessian_vector(r, a, gamma, along(rows)) * weight
        return softmax.focal(r, a, gamma), found

    values, slopes = by_rows(flat.shape[0], classes, body)
    return how.value(values, x.shape[:-1]), shaped_back(slopes, x.shape, axis)
