"""Other sigmoids and sides of the binary losses from logits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from harness.judgement.agreement import Floats
from harness.judgement.truth import TruthTable
from harness.mistakes.diagnosis.candidate import Candidate, Candidates, Results, alone, constants, native
from harness.mistakes.diagnosis.terms import (
    Elements,
    Sides,
    Softmax,
    binary_results,
    elements_of,
    focused,
    sides,
    times,
)


def candidates(table: TruthTable) -> Candidates:
    """Changes of the two sides −ln σ(z) and −ln σ(−z), of their weights, and of the focal weight."""
    elements = elements_of(table)
    if elements is None or "logits" not in table.inputs:
        return
    z = table.inputs["logits"]
    right = sides(z)
    yield from _sides(table, elements, z, right)
    yield from _weights(table, elements, right)
    yield from _gradients(table, elements, z, right)
    if table.loss == "binary_focal":
        yield from _focal(table, elements, right)


def _sides(table: TruthTable, elements: Elements, z: Floats, right: Sides) -> Candidates:
    def value(up: Floats, down: Floats) -> Results:
        changed = binary_results(elements, replace(right, up=up, down=down))
        return {aspect: numbers for aspect, numbers in changed.items() if aspect == "value"}

    own = native(table.dtype)
    types: dict[str, Any] = {table.dtype: own, "float32": np.float32, "float16": np.float16}
    for name, kind in types.items():
        if np.finfo(kind).eps < np.finfo(own).eps:
            continue
        place = f", in {name}"
        short = z.astype(kind)

        def as_written(short: Any = short) -> Results:
            one = short.dtype.type(1)
            return value(np.log(one + np.exp(-short)).astype(float), np.log(one + np.exp(short)).astype(float))

        def by_difference(kind: Any = kind, short: Any = short) -> Results:
            return value((right.down.astype(kind) - short).astype(float), right.down)

        def of_sigmoid(short: Any = short) -> Results:
            one = short.dtype.type(1)
            p = one / (one + np.exp(-short))
            return value(-np.log(p).astype(float), -np.log(one - p).astype(float))

        yield Candidate(f"log(1 + e^z) is computed as written{place}", as_written)
        yield Candidate(f"one side is the other minus z, which cancels{place}", by_difference)
        yield Candidate(f"takes the logarithms of σ and of 1 − σ{place}", of_sigmoid)
    for eps in constants(table):
        yield Candidate(
            f"the sigmoid is clipped to {eps:g}",
            lambda eps=eps: value(-np.log(np.clip(right.p, eps, 1 - eps)), -np.log(1 - np.clip(right.p, eps, 1 - eps))),
        )
        yield Candidate(
            f"{eps:g} is added to the sigmoid before its logarithm",
            lambda eps=eps: value(-np.log(right.p + eps), -np.log(right.q + eps)),
        )
    half = sides(right.p)
    yield Candidate("a sigmoid is applied to its own result", lambda: binary_results(elements, half))


def _weights(table: TruthTable, elements: Elements, right: Sides) -> Candidates:
    a, b = elements.positive, elements.negative
    changes: dict[str, tuple[Any, Any]] = {
        "the term of the negatives is forgotten": (a, 0.0),
        "the term of the positives is forgotten": (0.0, b),
    }
    if table.options.get("alpha") is not None:
        changes |= {
            "negatives are not weighed by 1 − α": (a, 1.0),
            "α weighs both sides": (a, a),
            "1 − α weighs both sides": (b, b),
        }
    for says, (positive, negative) in changes.items():
        other = elements.with_sides(positive, negative)
        yield Candidate(says, lambda other=other: binary_results(other, right))


def _gradients(table: TruthTable, elements: Elements, z: Floats, right: Sides) -> Candidates:
    def gradient(p: Floats, q: Floats) -> Results:
        changed = binary_results(elements, replace(right, p=p, q=q), weighed=right)
        return {aspect: numbers for aspect, numbers in changed.items() if aspect != "value"}

    def of(short: Any) -> Floats:
        one = short.dtype.type(1)
        return np.asarray(one / (one + np.exp(-short)), dtype=float)

    for name, kind in (("float16", np.float16), ("float32", np.float32)):
        if np.finfo(kind).eps > np.finfo(native(table.dtype)).eps:
            short = z.astype(kind)
            yield Candidate(
                f"the gradient's sigmoid is computed in {name}", lambda short=short: gradient(of(short), of(-short))
            )
            yield Candidate(
                f"the gradient's sigmoid is computed in {name}, and 1 − σ from it",
                lambda short=short: gradient(of(short), 1 - of(short)),
            )
    yield Candidate("the gradient takes σ(|z|) for σ(z)", lambda: gradient(of(np.abs(z)), of(np.abs(z))))
    yield Candidate(
        "the gradient takes σ(|z|) for σ(z), and 1 − σ from it", lambda: gradient(of(np.abs(z)), of(-np.abs(z)))
    )
    yield Candidate("the gradient is multiplied with σ(1 − σ) once more", lambda: _times_slope(gradient, right))
    yield alone(
        "the gradient is σ − t, without weights",
        "gradient",
        lambda: elements.upstream * (right.p - elements.t),
    )


def _times_slope(gradient: Any, right: Sides) -> Results:
    found: Results = gradient(right.p, right.q)
    return {aspect: numbers * right.p * right.q for aspect, numbers in found.items()}


def _focal(table: TruthTable, elements: Elements, right: Sides) -> Candidates:
    gamma = float(table.options.get("gamma", 2.0))

    def slopes(up: Floats, down: Floats) -> Results:
        return {"gradient": elements.slope(times(up, -right.q), times(down, right.p))}

    def weight_of_p() -> Results:
        up, down = right.p**gamma, right.q**gamma
        found = slopes(up * (1 - gamma * right.up), down * (1 - gamma * right.down))
        return {"value": elements.value(up * right.up, down * right.down), **found}

    yield Candidate("the focal weight is p^γ, not (1 − p)^γ", weight_of_p)
    yield Candidate(
        "the gradient does not pass through the focal weight", lambda: slopes(right.q**gamma, right.p**gamma)
    )
    yield Candidate("the gradient has no focal weight", lambda: slopes(np.ones_like(right.p), np.ones_like(right.p)))
    yield Candidate("γ is always 2", lambda: table.ordinary(options={"gamma": 2.0}))

    def only_positives() -> Results:
        up, up_slope = focused(Softmax(right.up, right.p, right.q), gamma)
        found = slopes(up_slope, np.ones_like(right.p))
        return {"value": elements.value(up, right.down), **found}

    yield Candidate("the focal weight is on the positives only", only_positives)
