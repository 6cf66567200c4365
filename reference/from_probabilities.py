"""The losses of probabilities and of their logarithms: nll_loss, categorical_cross_entropy, cross_entropy, entropy,
kl_divergence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from reference import arguments, conventions, probabilities
from reference.arguments import ArgumentError
from reference.divergences import column, entropy_of_logits, kl_of_logits, unweighted
from reference.from_logits import with_moving_denominator
from reference.numbers import vanishing
from reference.problem import Problem, Result, by_rows, of_block, shaped_back
from reference.reductions import reduction
from reference.targets import targets_of


def nll_loss(problem: Problem) -> Result:
    """−Σ_j a_j log_probabilities_j, one per row."""
    logs, axis = problem.classes_last("log_probabilities")
    t = targets_of(problem, logs.shape, axis)
    flat = logs.reshape(-1, logs.shape[-1])
    how = reduction(t.row_weights, problem.options, problem.convention)
    scale = problem.scale(how, t.row_weights.rows)

    def body(rows: slice) -> Result:
        b = t.block(rows)
        value = vanishing(b.a, b.a * -problem.make(flat[rows])).sum()
        if not problem.wanted:
            return value, {}
        slope = -(b.a * column(of_block(scale, rows)))
        return value, {"log_probabilities": slope.zeros().where(b.a.is_zero(), slope)}

    values, slopes = by_rows(flat.shape[0], flat.shape[1], body)
    return how.value(values, logs.shape[:-1]), shaped_back(slopes, logs.shape, axis)


def of_probabilities(problem: Problem) -> Result:
    """categorical_cross_entropy, and cross_entropy of two distributions, which has no other options."""
    p, axis = problem.classes_last("probabilities")
    p = arguments.probabilities("probabilities", p)
    convention = with_base(problem)
    t = targets_of(problem, p.shape, axis)
    flat = p.reshape(-1, p.shape[-1])
    how = reduction(t.row_weights, problem.options, problem.convention)
    scale = problem.scale(how, t.row_weights.rows)

    def body(rows: slice) -> Result:
        b = t.block(rows)
        logs = probabilities.logarithms(problem.make(flat[rows]), convention)
        weight = column(of_block(scale, rows))
        found: dict[str, Any] = {}
        if "probabilities" in problem.wanted:
            slope = logs.pull_back(b.a * weight)
            found["probabilities"] = slope.where(np.broadcast_to(b.keep, slope.shape), slope.zeros())
        if "targets" in problem.wanted:
            pull = (b.a.zeros() + b.per_target) * weight
            found["targets"] = vanishing(pull, pull * logs.negative_logs)
        return probabilities.expectation(b.a, logs.negative_logs), found

    values, slopes = by_rows(flat.shape[0], flat.shape[1], body)
    result = how.value(values, p.shape[:-1])
    return result, shaped_back(with_moving_denominator(problem, t, result, scale, slopes), p.shape, axis)


def with_base(problem: Problem) -> dict[str, Any]:
    """The convention with the option `base` added; a convention's base wins, since it is what is asked about."""
    base = problem.options.get("base")
    if base is None:
        return dict(problem.convention)
    return {**conventions.parse({"base": base}), **problem.convention}


def entropy(problem: Problem) -> Result:
    """−Σ_j p_j ln p_j, one per row."""
    if "logits" in problem.inputs:
        return entropy_of_logits(problem)
    p, axis = problem.classes_last("probabilities")
    p = arguments.probabilities("probabilities", p)
    convention = {k: v for k, v in with_base(problem).items() if k == "base"}
    flat = p.reshape(-1, p.shape[-1])
    how = unweighted(problem, p.shape[:-1], p.size)
    scale = problem.scale(how, p.shape[:-1])
    one = problem.make(1.0)
    if "base" in convention:
        one = one / problem.make(float(convention["base"])).log()

    def body(rows: slice) -> Result:
        number = problem.make(flat[rows])
        logs = probabilities.logarithms(number, convention)
        value = probabilities.expectation(number, logs.negative_logs)
        if not problem.wanted:
            return value, {}
        return value, {"probabilities": (logs.negative_logs - one) * column(of_block(scale, rows))}

    values, slopes = by_rows(flat.shape[0], flat.shape[1], body)
    return how.value(values, p.shape[:-1]), shaped_back(slopes, p.shape, axis)


def kl_divergence(problem: Problem) -> Result:
    """Σ_j p_j (ln p_j − ln q_j), one per row."""
    if "logits" in problem.inputs:
        return kl_of_logits(problem)
    log_q, axis = problem.classes_last("log_probabilities")
    raw = arguments.floats("targets", problem.inputs["targets"])
    arguments.shaped("targets", raw, problem.inputs["log_probabilities"].shape, "the shape of log_probabilities")
    log_target = problem.options.get("log_target", False)
    if not isinstance(log_target, bool):
        raise ArgumentError(f"log_target = {log_target!r}: expected true or false")
    if not log_target and (raw < 0).any():
        raise ArgumentError("targets: expected probabilities of at least 0")
    classes = log_q.shape[-1]
    flat_log_q, flat_targets = log_q.reshape(-1, classes), np.moveaxis(raw, axis, -1).reshape(-1, classes)
    how = unweighted(problem, log_q.shape[:-1], log_q.size)
    scale = problem.scale(how, log_q.shape[:-1])
    clip = problem.convention.get("clip")

    def body(rows: slice) -> Result:
        t, minus_log_q = problem.make(flat_targets[rows]), -problem.make(flat_log_q[rows])
        p, log_p = (t.exp(), t) if log_target else (t, t.log())
        back: list[Callable[[Any], Any]] = [lambda slope: slope, lambda slope: slope]
        if clip is not None:
            # Both distributions are clipped; what lies outside the bounds has no gradient.
            p, back[0] = probabilities.clipped(p, clip)
            log_p = p.log()
            q, back[1] = probabilities.clipped((-minus_log_q).exp(), clip)
            minus_log_q = -q.log()
        difference = log_p + minus_log_q
        weight = column(of_block(scale, rows))
        found: dict[str, Any] = {}
        if "log_probabilities" in problem.wanted:
            found["log_probabilities"] = back[1](-(p * weight))
        if "targets" in problem.wanted:
            one = problem.make(1.0)
            slope = vanishing(p, p * (difference + one)) if log_target else difference + one
            found["targets"] = back[0](slope * weight)
        return vanishing(p, p * difference).sum(), found

    values, slopes = by_rows(flat_log_q.shape[0], classes, body)
    return how.value(values, log_q.shape[:-1]), shaped_back(slopes, log_q.shape, axis)
