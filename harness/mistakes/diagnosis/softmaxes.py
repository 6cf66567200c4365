"""Other softmaxes, and what people do to logits before one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from harness.core.formats import FORMATS, rounded
from harness.judgement.agreement import Floats
from harness.judgement.truth import TruthTable
from harness.mistakes.diagnosis.candidate import BINARY, Candidate, Candidates, Results, constants, native
from harness.mistakes.diagnosis.terms import (
    Rows,
    Softmax,
    by_aspect,
    class_results,
    last,
    logits_of,
    of_probabilities,
    pulled_back,
    rows_of,
    softmax,
    times,
)

_BOUNDS = (20.0, 30.0, 50.0, 80.0, 88.0, 100.0, 700.0, 10.0)
_TEMPERATURES = (2.0, 0.5, 10.0, 0.1)


def candidates(table: TruthTable) -> Candidates:
    """Softmaxes that are not, and inputs that pass through a coarser format."""
    yield from _rounded_inputs(table)
    logits = table.inputs.get("logits")
    if logits is not None:
        for bound in _BOUNDS:
            if bool((np.abs(logits) > bound).any()):
                clamped = np.clip(logits, -bound, bound)
                yield Candidate(
                    f"logits are clamped to ±{bound:g}",
                    lambda clamped=clamped: table.ordinary(inputs={"logits": clamped}),
                )
                yield Candidate(
                    f"logits are clamped to ±{bound:g}, where the gradient is 0",
                    lambda clamped=clamped, bound=bound: _masked(
                        table.ordinary(inputs={"logits": clamped}), np.abs(logits) > bound
                    ),
                )
    if logits is not None and table.loss in BINARY:
        yield Candidate("the logits have the opposite sign", lambda: table.ordinary(inputs={"logits": -logits}))
    if table.loss in BINARY:
        return
    x = logits_of(table)
    if x is None or x.shape[-1] == 0 or x.size == 0:
        yield from _taken_for_logits(table)
        return
    rows = rows_of(table)
    evaluate = _function(table) if table.loss in ("softmax", "log_softmax") else _loss(table)
    if evaluate is not None:
        for says, change in _changes(table, x):
            yield Candidate(says, lambda change=change: evaluate(change()))
        yield from _gradients(table, x)
    if rows is not None and x.ndim > 1 and table.loss != "categorical_focal":
        for axis in range(x.ndim - 1):
            yield Candidate(f"normalised along {_axis(x, axis)}", lambda axis=axis: _normalised_along(rows, x, axis))
    if logits is not None:
        yield Candidate("the logits have the opposite sign", lambda: table.ordinary(inputs={"logits": -logits}))


def _axis(x: Floats, axis: int) -> str:
    return f"{'the samples' if x.ndim == 2 else f'axis {axis}'}, not along the classes"


def _normalised_along(rows: Rows, x: Floats, axis: int) -> Results:
    """As automatic differentiation has it: what one sample pulls on moves the others."""
    other = softmax(np.moveaxis(x, axis, -1))
    s = Softmax(*(np.moveaxis(part, -1, axis) for part in (other.penalty, other.p, other.rest)))
    slope = times(s.p, np.broadcast_to(rows.pull, x.shape).sum(axis=axis, keepdims=True)) - rows.pull
    return by_aspect(rows.table, rows.value(s.penalty), rows.from_logits(slope))


def _masked(results: Results, outside: Any) -> Results:
    found = dict(results)
    if "gradient" in found and found["gradient"].shape == outside.shape:
        found["gradient"] = np.where(outside, 0.0, found["gradient"])
    return found


def _rounded_inputs(table: TruthTable) -> Candidates:
    own = FORMATS[table.dtype].eps
    for fmt in (FORMATS[name] for name in ("float32", "float16", "bfloat16")):
        if fmt.eps <= own:
            continue
        for name, array in table.inputs.items():
            if array.dtype.kind == "f":
                short = rounded(array, fmt)
                if not np.array_equal(short, array, equal_nan=True):
                    yield Candidate(
                        f"{name} pass through {fmt.name}",
                        lambda name=name, short=short: table.ordinary(inputs={name: short}),
                    )


def _taken_for_logits(table: TruthTable) -> Candidates:
    """Probabilities, or their logarithms, that are put through a softmax."""
    name = next((n for n in ("probabilities", "log_probabilities") if n in table.inputs), None)
    if name is None or table.loss not in ("categorical_cross_entropy", "cross_entropy", "nll_loss"):
        return
    rows, scores = rows_of(table), table.inputs[name]
    if rows is None or scores.ndim == 0 or scores.size == 0:
        return
    s = softmax(last(table, scores))
    yield Candidate(
        f"the {name.replace('_', ' ')} are taken for logits",
        lambda: {"value": rows.value(s.penalty), "gradient": rows.back(pulled_back(rows.pull, s))},
    )
    if name == "log_probabilities":
        yield Candidate(
            "the log probabilities are taken for probabilities",
            lambda: {"value": rows.value(-np.log(last(table, scores)))},
        )


Evaluate = Callable[[Softmax], Results]


def _loss(table: TruthTable) -> Evaluate | None:
    rows = rows_of(table)
    return None if rows is None else lambda s: class_results(rows, s)


def _function(table: TruthTable) -> Evaluate:
    axis = table.options.get("axis", -1)
    given = np.asarray(1.0 if table.cotangent is None else np.moveaxis(table.cotangent, axis, -1))

    def evaluate(s: Softmax) -> Results:
        u = np.broadcast_to(given, s.p.shape)
        if table.loss == "softmax":
            value, slope = s.p, s.p * (u - times(s.p, u).sum(axis=-1, keepdims=True))
        else:
            value, slope = -s.penalty, u * s.rest - s.p * (u.sum(axis=-1, keepdims=True) - u)
        return {"value": np.moveaxis(value, -1, axis), "gradient": np.moveaxis(slope, -1, axis)}

    return evaluate


def _changes(table: TruthTable, x: Floats) -> list[tuple[str, Callable[..., Softmax]]]:
    """Softmaxes by what is wrong with them."""
    short = native(table.dtype)
    types: dict[str, Any] = {table.dtype: short, "float32": np.float32, "float16": np.float16}
    order = {n: t for n, t in types.items() if np.finfo(t).eps >= np.finfo(short).eps}
    found: list[tuple[str, Callable[..., Softmax]]] = []

    def unshifted(kind: Any) -> Softmax:
        e = np.exp(x.astype(kind))
        return of_probabilities((e / e.sum(axis=-1, keepdims=True)).astype(np.float64))

    def shifted(by: Floats, kind: Any) -> Softmax:
        e = np.exp((x - by).astype(kind))
        return of_probabilities((e / e.sum(axis=-1, keepdims=True)).astype(np.float64))

    top = x.max(axis=-1, keepdims=True)
    for name, kind in order.items():
        place = "" if name == table.dtype else f", in {name}"
        found += [
            (f"the maximum is not taken off before exp{place}", lambda kind=kind: unshifted(kind)),
            (
                f"takes the logarithm of a softmax that has underflowed{place}",
                lambda kind=kind: shifted(top, kind),
            ),
            (f"one maximum is taken off the whole batch{place}", lambda kind=kind: shifted(x.max(), kind)),
        ]
    right = softmax(x)
    p = right.p
    for eps in constants(table):
        found += [
            (
                f"the probability is raised to {eps:g}, which caps the loss",
                lambda eps=eps: Softmax(-np.log(np.maximum(p, eps)), p, 1 - np.maximum(p, eps)),
            ),
            (
                f"{eps:g} is added to the probability before its logarithm, which caps the loss",
                lambda eps=eps: Softmax(-np.log(p + eps), p, right.rest),
            ),
        ]
    found += [
        ("softmax applied to its own result", lambda: softmax(p)),
        ("softmax applied to the logarithm of its result twice", lambda: softmax(-right.penalty)),
        ("there is no softmax: logits are taken for log probabilities", lambda: Softmax(-x, np.exp(x), 1 - np.exp(x))),
        ("there is no softmax: logits are taken for probabilities", lambda: of_probabilities(x)),
        ("a sigmoid stands for the softmax", lambda: of_probabilities(1 / (1 + np.exp(-x)))),
        (
            "the largest class is missing from the denominator",
            lambda: Softmax(right.penalty + np.log1p(-p.max(axis=-1, keepdims=True)), p, right.rest),
        ),
        (
            "each class is missing from its own denominator",
            lambda: Softmax(right.penalty + np.log(right.rest), p, right.rest),
        ),
        ("takes 1 − p for −ln p", lambda: Softmax(right.rest, p, right.rest)),
        (
            "0 · ln 0 is nan, not 0",
            lambda: Softmax(np.where(np.isinf(right.penalty), np.nan, right.penalty), p, right.rest),
        ),
    ]
    for axis in range(x.ndim - 1):

        def along(axis: int = axis) -> Softmax:
            other = softmax(np.moveaxis(x, axis, -1))
            return Softmax(*(np.moveaxis(part, -1, axis) for part in (other.penalty, other.p, other.rest)))

        found.append((f"normalised along {_axis(x, axis)}", along))
    for bound in _BOUNDS:
        if bool((np.abs(x) > bound).any()):
            found.append((f"logits are clamped to ±{bound:g}", lambda bound=bound: softmax(np.clip(x, -bound, bound))))
    for temperature in _TEMPERATURES:
        found.append((f"logits are divided by {temperature:g}", lambda t=temperature: softmax(x / t)))
    for name in ("float32", "float16", "bfloat16"):
        fmt = FORMATS[name]
        if fmt.eps > FORMATS[table.dtype].eps:
            found.append((f"logits pass through {name}", lambda fmt=fmt: softmax(rounded(x, fmt))))
    return found


def _gradients(table: TruthTable, x: Floats) -> Candidates:
    """Wrong derivatives of the right value."""
    s = softmax(x)
    if table.loss in ("softmax", "log_softmax"):
        yield from _jacobians(table, s)
        return
    rows = rows_of(table)
    if rows is None:
        return

    def back(slope: Floats) -> Results:
        return _by_aspect(rows, slope)

    a = rows.pull
    if table.loss == "categorical_focal":
        yield from _focal(table, rows, s)
        gamma, alpha = float(table.options.get("gamma", 2.0)), table.options.get("alpha", 1.0)
        # What is said of a below is said of the pull on −ln p, in which the focal weight is.
        a = times(a, _focal_slope(s, gamma) * alpha)
    right = pulled_back(a, s)
    total = a.sum(axis=-1, keepdims=True)
    yield Candidate(
        "the gradient is p − a, with p neither weighted nor divided",
        lambda: back(np.where((a != 0).any(axis=-1, keepdims=True), s.p, 0.0) - a),
    )
    yield Candidate("only the target's logit gets a gradient", lambda: back(-a))
    yield Candidate("the target is not taken off: the gradient is the softmax", lambda: back(s.p * total))
    yield Candidate("the gradient at the target has the wrong sign", lambda: back(np.where(a != 0, -right, right)))
    yield Candidate("the gradient at the target is p, not p − 1", lambda: back(np.where(a != 0, s.p * total, right)))
    for name in ("float16", "bfloat16", "float32"):
        if FORMATS[name].eps > FORMATS[table.dtype].eps:
            short = rounded(s.p, FORMATS[name])
            yield Candidate(
                f"p is rounded to {name} before the target is taken off it",
                lambda short=short: back(short * total - a),
            )


def _focal_slope(s: Softmax, gamma: float) -> Floats:
    """The derivative of (1 − p)^γ (−ln p) with respect to −ln p."""
    if gamma == 0:
        return np.ones_like(s.p)
    ratio = np.where(s.rest == 0, 1.0, times(s.p, s.penalty) / s.rest)
    return np.asarray(s.rest**gamma * (1 + gamma * ratio))


def _focal(table: TruthTable, rows: Rows, s: Softmax) -> Candidates:
    gamma, alpha = float(table.options.get("gamma", 2.0)), table.options.get("alpha", 1.0)

    def results(penalty: Floats | None, slope: Floats) -> Results:
        gradient = _by_aspect(rows, pulled_back(times(rows.pull, slope * alpha), s))
        return gradient if penalty is None else {"value": rows.value(penalty * alpha), **gradient}

    yield Candidate(
        "the focal weight is p^γ, not (1 − p)^γ",
        lambda: results(s.p**gamma * s.penalty, s.p**gamma * (1 - gamma * s.penalty)),
    )
    yield Candidate("the gradient does not pass through the focal weight", lambda: results(None, s.rest**gamma))
    yield Candidate("the gradient has no focal weight", lambda: results(None, np.ones_like(s.p)))
    yield Candidate("γ is always 2", lambda: table.ordinary(options={"gamma": 2.0}))


def _by_aspect(rows: Rows, slope: Floats) -> Results:
    return by_aspect(rows.table, None, rows.from_logits(slope))


def _jacobians(table: TruthTable, s: Softmax) -> Candidates:
    axis = table.options.get("axis", -1)
    given = np.asarray(1.0 if table.cotangent is None else np.moveaxis(table.cotangent, axis, -1))
    u = np.broadcast_to(given, s.p.shape)

    def back(slope: Floats) -> Results:
        return {"gradient": np.moveaxis(slope, -1, axis)}

    if table.loss == "softmax":
        yield Candidate("only the diagonal of the Jacobian is used", lambda: back(s.p * s.rest * u))
        yield Candidate("the gradient is p u, without the mean of u", lambda: back(s.p * u))
        yield Candidate(
            "the logarithm of the softmax is returned", lambda: {"value": np.moveaxis(-s.penalty, -1, axis)}
        )
        return
    yield Candidate("the gradient is u − p, as if the cotangents summed to 1", lambda: back(u - s.p))
    yield Candidate("the gradient is u, without what the denominator adds", lambda: back(u))
    yield Candidate("the softmax is returned, not its logarithm", lambda: {"value": np.moveaxis(s.p, -1, axis)})
    yield Candidate("the loss −ln p is returned, not ln p", lambda: {"value": np.moveaxis(s.penalty, -1, axis)})
