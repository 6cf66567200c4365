"""Wrong products of the Hessian with a vector."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from harness.judgement.agreement import Floats
from harness.judgement.truth import HESSIAN_VECTOR, TruthTable
from harness.mistakes.diagnosis.candidate import Candidate, Candidates, Results, alone, constants, is_labels
from harness.mistakes.diagnosis.terms import elements_of, last, logits_of, rows_of, sides, softmax

_STEPS = (1e-5, 1e-3, 1e-4, 1e-6, 1e-7, 1e-8, 1e-2)


def candidates(table: TruthTable) -> Candidates:
    """Changes that are seen in the second derivative alone."""
    vector = table.vector
    if vector is None:
        return

    def product(says: str, compute: Callable[..., Floats]) -> Candidate:
        return alone(says, HESSIAN_VECTOR, compute)

    def gradient() -> Floats:
        return table.ordinary()["gradient"]

    yield product("the gradient is returned for the second derivative", gradient)
    yield Candidate(
        "the direction is taken to be ones: the rows of the Hessian are added up",
        lambda: table.ordinary(vector=np.ones_like(vector)),
    )
    for step in _STEPS:
        yield Candidate(
            f"a difference quotient of the gradient, with a step of {step:g}",
            lambda step=step: _quotient(table, vector, step),
            slack=_noise(step),
        )
        yield Candidate(
            f"a difference quotient of the gradient on both sides, with a step of {step:g}",
            lambda step=step: _quotient(table, vector, step, both=True),
            slack=_noise(step),
        )
    if is_labels(table.inputs["targets"]) and table.options.get("ignore_index") is not None:
        labels = table.inputs["targets"]
        yield Candidate(
            "ignored rows have curvature",
            lambda: table.ordinary(inputs={"targets": np.where(labels == table.options["ignore_index"], 0, labels)}),
        )
    yield from _classes(table, vector, product, gradient)
    yield from _elements(table, vector, product, gradient)


Product = Callable[[str, Callable[..., Floats]], Candidate]


def _noise(step: float) -> float:
    """What rounding leaves of a difference of gradients divided by the step: a few units of what is subtracted."""
    return 8.0 * float(np.finfo(np.float64).eps) / step


def _quotient(table: TruthTable, vector: Floats, step: float, *, both: bool = False) -> Results:
    name = table.differentiate[0]
    x = table.inputs[name]
    ahead = table.ordinary(inputs={name: x + step * vector}).get("gradient")
    behind = table.ordinary(inputs={name: x - step * vector} if both else None).get("gradient")
    if ahead is None or behind is None:
        return {}
    return {HESSIAN_VECTOR: (ahead - behind) / (2 * step if both else step)}


def _classes(table: TruthTable, vector: Floats, product: Product, gradient: Callable[[], Floats]) -> Candidates:
    rows, x = rows_of(table), logits_of(table)
    if table.loss != "softmax_cross_entropy" or rows is None or x is None:
        return
    a, p, v = rows.pull, softmax(x).p, last(table, vector)
    total = a.sum(axis=-1, keepdims=True)

    def curved(weight: Floats) -> Floats:
        return np.asarray(weight * p * (v - (p * v).sum(axis=-1, keepdims=True)))

    def squared() -> Floats:
        g = last(table, gradient())
        return rows.back(g * (g * v).sum(axis=-1, keepdims=True))

    mean = (p * v).sum(axis=-1, keepdims=True)
    changes: dict[str, Callable[[], Floats]] = {
        "only the diagonal of the Hessian is used": lambda: total * p * (1 - p) * v,
        "p v without the p (p·v) taken off it": lambda: total * p * v,
        "p (p·v) is added where it is taken off: p (v + p·v)": lambda: total * p * (v + mean),
        "a row has the curvature of its largest target": lambda: curved(a.max(axis=-1, keepdims=True, initial=0)),
        "the curvature has no weight: neither targets, nor weights, nor a mean's divisor": lambda: curved(
            np.sign(np.abs(total))
        ),
        "the weights enter squared": lambda: curved((a**2).sum(axis=-1, keepdims=True)),
        "0 · ln 0 is nan, not 0": lambda: curved(total) + 0 * (p * np.log(p)).sum(axis=-1, keepdims=True),
    }
    yield product("the squared gradient stands for the Hessian", squared)
    for says, change in changes.items():
        yield product(says, lambda change=change: rows.back(change()))


def _elements(table: TruthTable, vector: Floats, product: Product, gradient: Callable[[], Floats]) -> Candidates:
    elements = elements_of(table)
    if elements is None:
        return
    yield product("the squared gradient stands for the Hessian", lambda: gradient() ** 2 * vector)

    def curved(up: Floats, down: Floats) -> Floats:
        return elements.slope(up, down) * vector

    if table.loss == "binary_cross_entropy_with_logits":
        z = table.inputs["logits"]
        s = sides(z)
        slope = s.p * s.q

        def same(curvature: Floats) -> Floats:
            return curved(curvature, curvature)

        e = np.exp(z)
        yield product("e^z/(1 + e^z)² is computed as written, and overflows", lambda: same(e / (1 + e) ** 2))
        for name, kind in (("float16", np.float16), ("float32", np.float32)):
            short = s.p.astype(kind).astype(np.float64)
            yield product(f"σ − σ² of a σ rounded to {name}", lambda short=short: same(short - short**2))
        yield product("the curvature at z = 0 is 0", lambda: same(np.where(z == 0, 0.0, slope)))
        yield product("σ stands for σ (1 − σ)", lambda: same(s.p))
        return
    p = table.inputs["probabilities"]

    def of(curvature: Callable[[Floats], Floats]) -> Floats:
        return curved(curvature(p), curvature(1 - p))

    yield product("1/p stands for 1/p²", lambda: of(np.reciprocal))
    for eps in constants(table):
        yield product(f"1/(p + {eps:g})² stands for 1/p²", lambda eps=eps: of(lambda q: 1 / (q + eps) ** 2))
        yield product(f"1/p² is capped at {1 / eps:g}", lambda eps=eps: of(lambda q: np.minimum(1 / q**2, 1 / eps)))
        yield product(
            f"1/p² is taken at no less than p = {eps:g}", lambda eps=eps: of(lambda q: 1 / np.maximum(q, eps) ** 2)
        )
