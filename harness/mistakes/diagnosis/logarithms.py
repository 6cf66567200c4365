"""Other logarithms of probabilities: bases, clips, constants inside, 0 · ln 0."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from harness.core.formats import FORMATS, rounded
from harness.judgement.agreement import Floats
from harness.judgement.truth import TruthTable
from harness.mistakes.diagnosis.candidate import OF_PROBABILITIES, Candidate, Candidates, Results, alone, constants
from harness.mistakes.diagnosis.terms import by_aspect, elements_of, last, rows_of, times

_LOG_CLAMPS = (-100.0, -50.0, -20.0, -10.0)
Logarithm = Callable[[Floats], Floats]


def candidates(table: TruthTable) -> Candidates:
    """Changes of the logarithm in losses that take one of an input."""
    if table.loss == "kl_divergence":
        yield from _divergence(table)
    if table.loss not in OF_PROBABILITIES:
        return
    yield Candidate("equals −log2: off by 1/ln 2", lambda: table.ordinary({"base": 2}))
    yield Candidate("equals −log10: off by 1/ln 10", lambda: table.ordinary({"base": 10}))
    yield Candidate("equals the truth of the renormalised probabilities", lambda: table.ordinary({"renormalize": True}))
    for clamp in _LOG_CLAMPS:
        yield Candidate(
            f"equals the truth with logarithms clamped at {clamp:g}",
            lambda clamp=clamp: table.ordinary({"log_clamp": clamp}),
        )
    yield from _logarithms(table)
    p = table.inputs["probabilities"]
    for eps in (1e-6, 1e-7, 1e-8, 1e-5, 1e-4, 1e-10):
        if bool(((p != 0) & (np.abs(p) < eps)).any()):
            yield Candidate(
                f"probabilities below {eps:g} become 0",
                lambda eps=eps: table.ordinary(inputs={"probabilities": np.where(np.abs(p) < eps, 0.0, p)}),
            )
    yield from _renormalised(table)


def _logarithms(table: TruthTable) -> Candidates:
    """Another function in the place of ln p; its gradient where it is that of the clip or the constant."""
    evaluate = losses_of(table)
    if evaluate is None:
        return
    fmt = FORMATS[table.dtype]

    def bits(value: float) -> float:
        return float(rounded(np.asarray(value), fmt))

    yield Candidate("takes 1 − p for −ln p", lambda: evaluate(lambda p: p - 1, np.ones_like))
    yield Candidate("the probability itself stands for its logarithm", lambda: evaluate(lambda p: p, np.ones_like))
    yield Candidate(
        "the logarithm of 0 is replaced by 0",
        lambda: evaluate(lambda p: np.where(p == 0, 0.0, np.log(p)), lambda p: np.where(p == 0, 0.0, 1.0 / p)),
    )
    yield Candidate("ln(1 + p) stands for ln p", lambda: evaluate(np.log1p, lambda p: 1.0 / (1.0 + p)))
    yield Candidate("the gradient lacks 1/p", lambda: evaluate(None, np.ones_like))
    yield Candidate("the derivative of ln p is taken to be −1/p", lambda: evaluate(None, lambda p: -1.0 / p))
    yield Candidate(
        "a logarithm of a probability below a half has base 2",
        lambda: evaluate(lambda p: np.where(p < 0.5, np.log2(p), np.log(p)), np.reciprocal),
    )
    for eps in constants(table):
        low, high = bits(eps), bits(1.0 - eps)

        def clip(p: Floats, low: float = low, high: float = high) -> Floats:
            return np.clip(p, low, high)

        def inside(p: Floats, low: float = low, high: float = high) -> Floats:
            return np.where((p < low) | (p > high), 0.0, 1.0 / p)

        yield Candidate(
            f"equals the truth under clip({eps:g})",
            lambda clip=clip, inside=inside: evaluate(lambda p: np.log(clip(p)), inside),
        )
        yield Candidate(
            f"probabilities are raised to {eps:g}: ln max(p, {eps:g})",
            lambda low=low: evaluate(lambda p: np.log(np.maximum(p, low)), lambda p: np.where(p < low, 0.0, 1.0 / p)),
        )
        yield Candidate(
            f"equals the truth with {eps:g} added inside the logarithm",
            lambda low=low: evaluate(lambda p: np.log(p + low), lambda p: 1.0 / (p + low)),
        )
        yield Candidate(
            f"probabilities are clipped to {eps:g} and {eps:g} is added as well",
            lambda clip=clip, low=low: evaluate(lambda p: np.log(clip(p) + low), lambda p: 1.0 / (clip(p) + low)),
        )
        yield Candidate(
            f"1/p in the gradient is taken at no less than p = {eps:g}, which the value is not",
            lambda low=low: evaluate(None, lambda p: 1.0 / np.maximum(p, low)),
        )


Evaluate = Callable[[Logarithm | None, Logarithm], Results]


def losses_of(table: TruthTable, multiply: Callable[[Floats, Floats], Floats] = times) -> Evaluate | None:
    """A loss of probabilities as a function of a logarithm and its derivative; without a logarithm, of the gradient."""
    if table.loss == "binary_cross_entropy":
        return _binary_losses(table, multiply)
    rows = rows_of(table)
    if rows is None:
        return None
    p = last(table, table.inputs["probabilities"])

    def evaluate(log: Logarithm | None, slope: Logarithm) -> Results:
        logs = None if log is None else log(p)
        value = None
        if logs is not None:
            each = np.asarray(multiply(rows.a, -logs).sum(axis=-1))
            value = np.asarray(each.sum()) if rows.reduced else each
        gradient = -multiply(rows.pull, slope(p))
        if table.loss == "entropy":
            # a is p itself over the divisor; the entropy moves with it too.
            unit = rows.pull / np.where(p == 0, 1.0, p)
            scale = np.where(p == 0, unit.max(axis=-1, keepdims=True, initial=0.0), unit)
            gradient = gradient - scale * (np.log(p) if logs is None else logs)
        return by_aspect(table, value, {"probabilities": rows.back(gradient)})

    return evaluate


def _binary_losses(table: TruthTable, multiply: Callable[[Floats, Floats], Floats]) -> Evaluate | None:
    elements = elements_of(table)
    if elements is None:
        return None
    p = table.inputs["probabilities"]

    def both(up: Floats, down: Floats) -> Floats:
        return multiply(elements.t, up) + multiply(1 - elements.t, down)

    def evaluate(log: Logarithm | None, slope: Logarithm) -> Results:
        value = None
        if log is not None:
            each = elements.scale * both(-log(p), -log(1 - p))
            value = np.asarray(each.sum()) if elements.reduced else each
        gradient = elements.scale * elements.upstream * both(-slope(p), slope(1 - p))
        return by_aspect(table, value, {"probabilities": gradient})

    return evaluate


def _renormalised(table: TruthTable) -> Candidates:
    """Sums of a row divided out, before or after a clip: where rows do not sum to one already."""
    if table.loss == "binary_cross_entropy":
        return
    p = table.inputs["probabilities"]
    if p.ndim == 0 or (bool((p.sum(axis=table.options.get("axis", -1)) == 1).all()) and not bool((p == 0).any())):
        return
    for eps in (1e-7, 1e-15, 1e-12, 1e-8, 1e-6, FORMATS[table.dtype].eps):
        yield Candidate(
            f"equals the truth under renormalisation, then clip({eps:g})",
            lambda eps=eps: table.ordinary({"renormalize": True, "clip": eps}),
        )
        yield Candidate(
            f"equals the truth under clip({eps:g}), then renormalisation",
            lambda eps=eps: table.ordinary({"clip": eps, "renormalize": True}),
        )


def _divergence(table: TruthTable) -> Candidates:
    """Σ t (ln t − ln q), with parts left out or changed."""
    t, log_q = table.inputs["targets"], table.inputs["log_probabilities"]
    if t.shape != log_q.shape or t.ndim == 0:
        return
    logarithmic = bool(table.options.get("log_target"))
    p, log_p = (np.exp(t), t) if logarithmic else (t, np.log(t))
    ones = table.plainly(
        "kl_divergence",
        {"targets": np.ones_like(t), "log_probabilities": np.zeros_like(t)},
        {n: v for n, v in table.options.items() if n in ("reduction", "denominator", "axis")},
        differentiate=("log_probabilities",),
    )
    if not ones:
        return
    # With targets of one the gradient is minus what the mean multiplies a term with.
    scale, axis = -ones["gradient"], table.options.get("axis", -1)
    reduced = table.options.get("reduction", "mean") != "none"
    given = np.asarray(1.0 if table.cotangent is None else table.cotangent)
    upstream = np.expand_dims(given, axis) if given.ndim else given

    def evaluate(terms: Floats) -> Floats:
        each = np.asarray((scale * terms).sum(axis=axis))
        return np.asarray(each.sum()) if reduced else each

    def sloped(terms: Floats, p: Floats) -> Results:
        return by_aspect(table, evaluate(terms), {"log_probabilities": -scale * upstream * p})

    yield Candidate("Σ p ln p is left out: a cross-entropy", lambda: sloped(-times(p, log_q), p))
    yield Candidate(
        "the two distributions are swapped",
        lambda: table.ordinary(
            options={"log_target": None},
            inputs={"targets": np.minimum(np.exp(log_q), 1.0), "log_probabilities": log_p},
        ),
    )
    yield Candidate("log_probabilities are taken for probabilities", lambda: sloped(p * (log_p - np.log(log_q)), p))
    if logarithmic:
        yield Candidate("computed as if log_target were False", lambda: sloped(times(t, np.log(t) - log_q), t))
    for eps in constants(table):
        changes = {
            f"probabilities are clipped to {eps:g} and {eps:g} is added as well": np.clip(t, eps, 1 - eps) + eps,
            f"equals the truth with {eps:g} added inside the logarithm": t + eps,
            f"equals the truth under clip({eps:g}) of the targets inside the logarithm": np.clip(t, eps, 1 - eps),
        }
        if not logarithmic:
            for says, changed in changes.items():
                yield alone(says, "value", lambda changed=changed: evaluate(times(t, np.log(changed) - log_q)))
