"""What a document claims about a case, judged by computing it.

The verdict is computed from the case's numbers and the reference alone; what the case file expects (`holds`) only
decides whether the record is as expected. Pure: the reference's `evaluate` and the inputs are handed in.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.core.case import ONLY_UNDER, ArraySpec, Case, Claim
from harness.core.cell import ClaimRecord, number
from harness.judgement.claim_computations import COMPUTATIONS
from harness.judgement.claim_subject import Finding, Subject, agree, described, printed_alike, readable
from harness.suite.generators import realize
from reference.signatures import LOSSES

Evaluate = Callable[..., Any]
Numbers = NDArray[Any]


def judge_claim(case: Case, claim: Claim, evaluate: Evaluate, inputs: Mapping[str, Numbers]) -> ClaimRecord:
    """The verdict on one claim of a case.

    `evaluate` is `reference.evaluate`; `inputs` are the realized inputs of the case, float64 or integer arrays.
    """
    options = {
        name: realize(value, "float64").to_float64() if isinstance(value, ArraySpec) else value
        for name, value in {**case.options, **claim.options}.items()
    }
    subject = Subject(case, inputs, options, evaluate)
    try:
        finding = _finding(subject, claim)
    except (ValueError, TypeError, LookupError, ArithmeticError) as error:
        # The case does not fit the claim; that is the case file's fault and must be seen, not crash the run.
        finding = Finding("cannot_be_checked", None, f"The claim cannot be computed on this case: {error}.")
        expected = False
    else:
        right_convention = finding.convention is None or claim.holds == f"{ONLY_UNDER}{finding.convention}"
        expected = finding.verdict == claim.expected_verdict and right_convention
    explanation = finding.explanation if claim.because is None else f"{finding.explanation} {claim.because}"
    return ClaimRecord(
        case=case.id,
        claimed=_recordable(claim.says if claim.value is None else claim.value),
        verdict=finding.verdict,
        truth=_recordable(finding.truth),
        explanation=explanation,
        says=claim.says,
        convention=finding.convention,
        document=case.source.document if case.source is not None else None,
        expected=expected,
    )


def _finding(subject: Subject, claim: Claim) -> Finding:
    if claim.missing is not None:
        return Finding("cannot_be_checked", None, f"Missing: {claim.missing.rstrip('.')}.")
    if claim.check is not None:
        return COMPUTATIONS[claim.check](subject, claim.parameters)
    return _judged_number(subject, claim)


def _judged_number(subject: Subject, claim: Claim) -> Finding:
    claimed, digits = np.asarray(claim.value, dtype=np.float64), claim.printed_digits
    truth = _result(subject, claim)
    if agree(claimed, truth):
        return Finding("holds", truth, f"The truth is {readable(truth)}.")
    if printed_alike(claimed, truth, digits):
        explanation = f"The truth {readable(truth)} prints as {readable(claimed, digits)}."
        return Finding("holds_to_printed_digits", truth, explanation)
    for convention in _conventions(claim):
        other = _result_or_none(subject, claim, convention)
        if other is not None and (agree(claimed, other) or printed_alike(claimed, other, digits)):
            name = described(convention)
            explanation = (
                f"Under {name} it is {readable(other)}{_of_logarithm(convention)}; "
                f"by the plain definition it is {readable(truth)}."
            )
            return Finding("holds_under_convention", truth, explanation, name)
    return Finding("wrong", truth, _why_wrong(subject, claim, claimed, truth))


def _result(subject: Subject, claim: Claim, convention: Mapping[str, Any] | None = None) -> Numbers:
    """What the claim speaks of: the loss of the case or another output, one element of it or all."""
    value = subject.value(claim.output, convention=convention, options=claim.options)
    return value if claim.element is None else np.asarray(value.ravel()[claim.element])


def _result_or_none(subject: Subject, claim: Claim, convention: Mapping[str, Any]) -> Numbers | None:
    """The result under a convention, or None where the loss knows no such convention."""
    try:
        return _result(subject, claim, convention)
    except (ValueError, TypeError, KeyError):
        return None


def _conventions(claim: Claim) -> Iterator[Mapping[str, Any]]:
    """The convention the case file names, then the other usual bases."""
    if claim.convention is not None:
        yield claim.convention
    yield {"base": 2}
    yield {"base": 10}


def _of_logarithm(convention: Mapping[str, Any]) -> str:
    base = convention.get("base")
    return "" if base is None else f" (log{base:g} = ln / ln {base:g})"


def _why_wrong(subject: Subject, claim: Claim, claimed: Numbers, truth: Numbers) -> str:
    """The truth, and what may have been computed instead: said only where it gives the very number claimed."""
    digits, written = claim.printed_digits, claim.written or readable(claimed)
    if claimed.shape != truth.shape:
        return f"The truth {readable(truth)} has shape {list(truth.shape)}, the claim {list(claimed.shape)}."
    start = f"The truth is {readable(truth)}"
    if digits is not None:
        start += f", which prints as {readable(truth, digits)}"
    if claim.from_rounded is not None and claimed.ndim == 0:
        return f"{start}; {_from_rounded(subject, claim, claimed, written)}"
    if claimed.ndim:
        return f"{start}."
    tried = list(_alternatives(subject, claim))
    for variant in tried:
        if agree(claimed, np.asarray(variant.value)) or printed_alike(claimed, np.asarray(variant.value), digits):
            return f"{start}; {written} is {variant.name}."
    kinds = ", ".join(dict.fromkeys(variant.kind for variant in tried))
    return f"{start}; none of the {len(tried)} usual variants gives {written} (tried: {kinds})."


def _from_rounded(subject: Subject, claim: Claim, claimed: Numbers, written: str) -> str:
    """Whether the number claimed comes from a probability that had been rounded."""
    rounded = float(claim.from_rounded or 0.0)
    exact = subject.probability_of_target(claim.element or 0)
    decimals = len(repr(rounded).partition(".")[2])
    loss = -math.log(rounded)
    is_rounding = f"{exact:.{decimals}f}" == f"{rounded:.{decimals}f}"
    gives_it = printed_alike(claimed, np.asarray(loss), claim.printed_digits)
    if is_rounding and gives_it:
        return f"{written} was computed from the rounded probability: −ln {rounded!r} = {loss!r} ({exact!r} unrounded)."
    return f"the rounded probability {rounded!r} does not explain {written} either (−ln of it is {loss!r})."


@dataclass(frozen=True)
class _Variant:
    """A number someone may have computed instead of the truth."""

    name: str
    kind: str
    value: float


_BASES = {"": 1.0, " in base 2": math.log(2.0), " in base 10": math.log(10.0)}


def _alternatives(subject: Subject, claim: Claim) -> Iterator[_Variant]:
    """The usual slips: another reduction, another divisor, another base, another loss of the same inputs."""
    own = subject.case.loss if claim.output == "value" else claim.output
    others = [name for name in subject.losses_of_same_inputs() if name != own]
    # With rows of zeros and ones the divergence of two Bernoulli distributions is the binary cross-entropy, which is
    # what people call it.
    losses = [own, *sorted(others, key=lambda name: name == "bernoulli_kl")]
    distribution = subject.distribution()
    for loss in losses:
        needs_distribution = LOSSES[loss].inputs.get("targets") == "floating" and distribution is not None
        inputs = {**subject.inputs, "targets": distribution} if needs_distribution else subject.inputs
        try:
            elements = subject.value(loss, options={"reduction": "none"}, inputs=inputs).ravel()
        except (ValueError, TypeError, KeyError):
            continue
        if not elements.size or not LOSSES[loss].reductions:
            continue
        of = "" if loss == own else f" of {loss}"
        classes = subject.classes
        reduced = {
            "the mean": float(elements.mean()),
            "the sum": float(elements.sum()),
            "the sum over N·C": float(elements.sum()) / (elements.size * classes),
            "the sum over C": float(elements.sum()) / classes,
            "the sum over N": float(elements.sum()) / subject.samples,
            "the first sample alone": float(elements[0]),
            "the last sample alone": float(elements[-1]),
            "the largest element": float(elements.max()),
            "the smallest element": float(elements.min()),
        }
        for name, value in reduced.items():
            kind = loss if of else name
            yield from (_Variant(f"{name}{of}{base}", kind, value / unit) for base, unit in _BASES.items())
    if "targets" in subject.inputs and subject.prediction.ndim:
        yield from _without_logarithm(subject)


def _without_logarithm(subject: Subject) -> Iterator[_Variant]:
    """Measures of error that are no cross-entropy at all."""
    targets = subject.distribution()
    if targets is None or targets.shape != subject.prediction.shape:
        return
    difference = subject.prediction - targets
    yield _Variant("the mean squared error", "no logarithm", float(np.mean(difference**2)))
    yield _Variant("the mean absolute error", "no logarithm", float(np.mean(np.abs(difference))))


def _recordable(value: Any) -> Any:
    """Numbers as the run file can hold them."""
    if isinstance(value, np.ndarray):
        return _recordable(value.tolist())
    if isinstance(value, list | tuple):
        return [_recordable(entry) for entry in value]
    return number(float(value)) if isinstance(value, float | np.floating) else value
