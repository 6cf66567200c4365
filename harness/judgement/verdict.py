"""From an outcome to verdicts: the judgement of every aspect of one call.

Pure: everything it needs is handed in, and the same outcome gets the same verdict wherever and whenever it is judged.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np

import reference
from harness.core.arrays import Array
from harness.core.case import Expectation, ExpectImplementationDefined, ExpectRaises
from harness.core.cause import Cause, sentence_of
from harness.core.cell import EVERY, Cell, Observed, number
from harness.core.digits import told_apart
from harness.core.formats import FORMATS
from harness.core.ledger import Selector
from harness.core.outcomes import Crashed, Missing, Outcome, Raised, Refused, Returned, TimedOut
from harness.judgement.agreement import Agreement, Floats, Target, compare
from harness.judgement.choices import choice_made, computed_in_another
from harness.judgement.error_kinds import kinds_of
from harness.judgement.ledger import Ledger
from harness.judgement.narrowing import computed_in
from harness.judgement.truth import DIRECTIONAL, HESSIAN_VECTOR, Convention, TruthTable, aspects

SHOWN = 64
"""Largest number of elements a cell shows in full; of larger arrays it shows the worst one."""


Attested = Mapping[str, Any]
"""What a call that returned attests besides its results: the cell's function, warnings and seconds."""


class Diagnose(Protocol):
    """What `harness.mistakes.diagnosis.diagnose` does: the likeliest causes of a wrong answer, at most three."""

    def __call__(
        self,
        got: Floats,
        aspect: str,
        truth: Target,
        table: TruthTable,
        *,
        flush_to_zero: bool,
        computed_in: str | None = None,
    ) -> tuple[Cause, ...]: ...


_NOTHING: Attested = MappingProxyType({})


@dataclass(frozen=True, eq=False)
class Subject:
    """What is judged: one call, and what its judgement depends on."""

    case: str
    implementation: str
    version: str
    mode: str
    dtype: str
    expect: Expectation
    differentiate: tuple[str, ...]
    flush_to_zero: bool
    table: TruthTable
    diagnose: Diagnose | None = None
    """Searches the causes of what nothing explains, at the cost of many evaluations."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """Machine facts that the implementation attested: entries of the ledger may depend on them."""

    @property
    def aspects(self) -> Mapping[str, str | None]:
        return aspects(self.table)

    def selector(self, aspect: str) -> Selector:
        return Selector(self.case, self.implementation, self.mode, self.dtype, aspect, self.version, self.facts)

    def cell(self, aspect: str, verdict: str, outcome: Mapping[str, Any], **more: Any) -> Cell:
        return Cell(self.case, self.implementation, self.mode, self.dtype, aspect, verdict, outcome, **more)


def judge(subject: Subject, outcome: Outcome, ledger: Ledger) -> tuple[Cell, ...]:
    """One cell per aspect; a call that is refused is one cell."""
    return tuple(_judge_aspects(subject, outcome, ledger))


def _judge_aspects(subject: Subject, outcome: Outcome, ledger: Ledger) -> Iterator[Cell]:
    match outcome:
        case Returned():
            yield from _returned(subject, outcome, ledger)
        case Raised():
            for aspect in subject.aspects:
                yield _raised(subject, aspect, outcome, ledger)
        case Refused(reason):
            yield _unsupported(subject, EVERY, reason)
        case TimedOut(seconds, each_time):
            entry: dict[str, Any] = {"kind": "timed_out", "seconds": seconds}
            if each_time:
                sentence = f"never answers: {seconds:g} s twice, the second time alone, while other calls are answered"
                yield from _no_answer(subject, "hangs", Observed("hangs"), entry, sentence, ledger)
            else:
                yield from _infrastructure(subject, "timed_out", entry, f"no answer within {seconds:g} s")
        case Crashed(how, said, each_time):
            entry = {"kind": "crashed", "signal": how} | ({"said": said} if said else {})
            last = f"; it wrote last: {said}" if said else ""
            if each_time:
                sentence = f"ends its process each time, alone too: {how}{last}"
                yield from _no_answer(
                    subject, "ends_its_process", Observed("crashes", error=how), entry, sentence, ledger
                )
            else:
                yield from _infrastructure(subject, "crashed", entry, f"the worker died on this call: {how}{last}")
        case Missing(reason):
            yield from _infrastructure(subject, "missing", {"kind": "missing", "reason": reason}, reason)


def _infrastructure(subject: Subject, verdict: str, outcome: Mapping[str, Any], sentence: str) -> Iterator[Cell]:
    for aspect in subject.aspects:
        yield subject.cell(aspect, verdict, outcome, explanation=sentence)


def _no_answer(
    subject: Subject, severity: str, observed: Observed, outcome: Mapping[str, Any], sentence: str, ledger: Ledger
) -> Iterator[Cell]:
    """A call that has no answer whenever it is asked: as wrong as a number would be, in every aspect."""
    for aspect in subject.aspects:
        cell = subject.cell(
            aspect,
            "disagrees",
            outcome,
            severity=severity,
            explanation=sentence,
            truth=_shown(subject, aspect),
            observed=observed,
        )
        yield explained(subject, cell, ledger)


def _unsupported(subject: Subject, aspect: str, reason: str, attested: Attested = _NOTHING) -> Cell:
    outcome = {"kind": "unsupported", "reason": reason}
    return subject.cell(aspect, "unsupported", outcome, severity="unsupported", explanation=reason, **attested)


def _raised(subject: Subject, aspect: str, raised: Raised, ledger: Ledger, attested: Attested = _NOTHING) -> Cell:
    kinds = (raised.kind,) if raised.kind is not None else kinds_of(raised.type, raised.message)
    outcome = {
        "kind": "raises",
        "error": list(kinds),
        "type": raised.type,
        "message": raised.message[:2000],
    }
    observed = Observed("raises", error=raised.type)
    headline = raised.message.strip().splitlines()[0][:200] if raised.message.strip() else "no message"
    match subject.expect:
        case ExpectRaises(kind):
            cell = subject.cell(aspect, "agrees", outcome, truth={"raises": kind}, **attested)
            if not kinds or kind in kinds:
                return cell
            sentence = f"raises {raised.type} for another reason than {kind}: {headline}"
            wrong = replace(cell, verdict="disagrees", severity="wrong_error", explanation=sentence, observed=observed)
            return explained(subject, wrong, ledger)
        case ExpectImplementationDefined():
            cell = subject.cell(aspect, "by_convention", outcome, observed=observed, **attested)
            made = choice_made(subject.expect, "raises", None, aspect, subject.table, None, flush_to_zero=False)
            return _chosen(subject, cell, observed, f"raises {raised.type}", made, ledger)
        case _:
            sentence = f"raises {raised.type} where there is a right answer: {headline}"
            cell = subject.cell(
                aspect,
                "disagrees",
                outcome,
                severity="unexpected_error",
                explanation=sentence,
                truth=_shown(subject, aspect),
                observed=observed,
                **attested,
            )
            return explained(subject, cell, ledger)


def _returned(subject: Subject, returned: Returned, ledger: Ledger) -> Iterator[Cell]:
    attested = {"function": returned.function, "warnings": returned.warnings, "seconds": round(returned.seconds, 9)}
    for aspect, name in subject.aspects.items():
        array, error = part_of(returned, aspect, name)
        if array is not None:
            yield _judge_array(subject, aspect, array, returned.convention, attested, ledger)
        elif error is not None:
            yield _raised(subject, aspect, error, ledger, attested)
        else:
            lacking = f"gradient with respect to {name}" if name is not None else _LACKING.get(aspect, aspect)
            yield _unsupported(subject, aspect, f"no {lacking}", attested)


_LACKING = {DIRECTIONAL: "derivative in forward mode", HESSIAN_VECTOR: "second derivatives"}


def part_of(returned: Returned, aspect: str, name: str | None) -> tuple[Array | None, Raised | None]:
    """What came back for an aspect, and what was raised on the way to it; neither where it is not offered."""
    if name is not None:
        return returned.gradients.get(name), returned.gradient_error
    if aspect == HESSIAN_VECTOR:
        # Who cannot differentiate once cannot differentiate twice.
        return returned.hessian_vector, returned.hessian_error or returned.gradient_error
    if aspect == DIRECTIONAL:
        return returned.directional, returned.directional_error
    if aspect != "value":
        return returned.outputs.get(aspect), None
    return returned.value, None


def _judge_array(
    subject: Subject, aspect: str, array: Array, convention: Convention | None, attested: Attested, ledger: Ledger
) -> Cell:
    got = array.to_float64()
    outcome = {
        "kind": "value",
        "dtype": array.dtype,
        "shape": list(array.shape),
        "digest": digest(array, got),
    }
    match subject.expect:
        case ExpectRaises(expected):
            sentence = f"returns {_brief(got)} where an error is right ({expected})"
            cell = subject.cell(
                aspect,
                "disagrees",
                outcome,
                truth={"raises": expected},
                got=_numbers(got),
                severity="silently_wrong" if _kind(got) == "finite" else "silent_nonfinite",
                explanation=sentence,
                observed=Observed("returns"),
                **attested,
            )
            return explained(subject, cell, ledger)
        case ExpectImplementationDefined():
            observed = Observed(_kind(got))
            cell = subject.cell(aspect, "by_convention", outcome, got=_numbers(got), observed=observed, **attested)
            of, flushes = (aspect, subject.table, dict(convention or {})), subject.flush_to_zero
            made = choice_made(subject.expect, observed.kind, array, *of, flush_to_zero=flushes)
            if made is None:
                other = computed_in_another(subject.expect, array, *of, flush_to_zero=flushes)
                observed = replace(observed, computed_in=other)
            return _chosen(subject, cell, observed, f"returns {_brief(got)}", made, ledger)
    return _against_truth(subject, aspect, array.dtype, got, outcome, convention, attested, ledger)


def _against_truth(
    subject: Subject,
    aspect: str,
    dtype: str,
    got: Floats,
    outcome: Mapping[str, Any],
    convention: Convention | None,
    attested: Attested,
    ledger: Ledger,
) -> Cell:
    plain = subject.table.under()
    target = plain.targets.get(aspect)
    if target is None:
        reason = plain.refusal or f"the reference has no {aspect} for this loss"
        return subject.cell(aspect, "missing", {"kind": "missing", "reason": reason}, explanation=reason, **attested)
    if got.shape != target.hi.shape:
        sentence = f"has shape {list(got.shape)}, the truth has shape {list(target.hi.shape)}"
        wrong = subject.cell(
            aspect,
            "disagrees",
            outcome,
            severity="silently_wrong",
            explanation=sentence,
            got=_numbers(got),
            truth=_numbers(target.hi),
            observed=Observed("shape"),
            **attested,
        )
        return explained(subject, wrong, ledger)
    fmt, flushes = FORMATS[subject.dtype], subject.flush_to_zero
    verdict = compare(got, target, fmt, flush_to_zero=flushes)
    cell = subject.cell(aspect, "agrees", outcome, **_measured(got, target, verdict), **attested)
    declared = dict(convention or {})
    if dtype not in subject.table.types(aspect) and declared.get("result_dtype") != dtype:
        fmt_of_result = computed_in(got, aspect, subject.table, declared, flush_to_zero=flushes)
        right = "and is wrong there too" if fmt_of_result is None else f"and is right in {fmt_of_result}"
        sentence = f"answers in {dtype} where the inputs are {subject.dtype}, {right}"
        observed = Observed("dtype", dtype=dtype, computed_in=fmt_of_result)
        wrong = replace(cell, verdict="disagrees", severity="silently_wrong", explanation=sentence, observed=observed)
        return explained(subject, wrong, ledger)
    if verdict.agrees:
        if dtype != subject.dtype:
            return replace(
                cell,
                verdict="by_convention",
                convention=f"result_dtype({dtype})",
                explanation=f"right, and answered in {dtype}",
            )
        return cell
    if declared:
        under = subject.table.under(declared).targets.get(aspect)
        if under is not None and under.hi.shape == got.shape:
            again = compare(got, under, fmt, flush_to_zero=flushes)
            if again.agrees:
                name = reference.describe(declared)
                figures = {**_measured(got, under, again), "truth": _numbers(target.hi, verdict.worst)}
                return replace(
                    cell,
                    verdict="by_convention",
                    convention=name,
                    explanation=f"equals the truth under {name}, its declared convention",
                    **figures,
                )
    kind = "finite" if verdict.pattern is None else _kind(got)
    severity = "silently_wrong" if kind == "finite" else "silent_nonfinite"
    difference = _difference(got, target, verdict)
    other = computed_in(got, aspect, subject.table, declared, flush_to_zero=flushes)
    if other is not None and other == declared.get("computed_in"):
        explanation = f"right in {other}, in which it is documented to compute"
        return replace(cell, verdict="by_convention", convention=f"computed_in({other})", explanation=explanation)
    observed = Observed(kind, computed_in=other)
    wrong = replace(cell, verdict="disagrees", severity=severity, explanation=difference, observed=observed)
    known = explained(subject, wrong, ledger)
    if known.verdict == "known" or known.causes or subject.diagnose is None:
        return known
    # The search for a cause costs many evaluations of the reference: only what nothing explains yet is worth it.
    table = subject.table.in_mode(subject.mode)
    causes = subject.diagnose(got, aspect, target, table, flush_to_zero=flushes, computed_in=other)
    named = {cause.mistake: cause.sentence for cause in causes}
    return replace(wrong, explanation=f"{difference}; {sentence_of(causes)}", causes=named)


def _difference(got: Floats, target: Target, verdict: Agreement) -> str:
    if verdict.pattern is not None:
        return verdict.pattern
    place = f" at {list(verdict.worst)}" if verdict.worst else ""
    is_, right = told_apart(float(got[verdict.worst]), float(target.hi[verdict.worst]))
    return f"{is_} where the truth is {right}{place}: {verdict.ratio / verdict.budget:.3g} times the error allowed"


def _measured(got: Floats, target: Target, verdict: Agreement) -> dict[str, Any]:
    """The fields of a cell that say how far an answer is from what is right."""
    return {
        "ratio": number(float(f"{verdict.ratio:.6g}")),
        "budget": verdict.budget,
        "grade": verdict.grade,
        "ulps": number(float(f"{verdict.ulps:.6g}")),
        "truth": _numbers(target.hi, verdict.worst),
        "got": _numbers(got, verdict.worst),
        "error_scale": _error_scale(target, verdict),
        "worst": int(np.ravel_multi_index(verdict.worst, got.shape)) if verdict.worst else None,
    }


def _error_scale(target: Target, verdict: Agreement) -> dict[str, float] | None:
    """The error scale at the worst element as a reader needs it: three digits, without the terms that are zero."""
    if target.error_scale.size == 0 or not np.isfinite(target.hi[verdict.worst]):
        return None
    terms = {name: float(f"{term:.3g}") for name, term in target.error_scale_at(verdict.worst).items()}
    if not all(term <= _UNDEFINED for term in terms.values()):  # so that nan is undefined too
        return None
    return {name: term for name, term in terms.items() if term} or None


_UNDEFINED = 1e300
"""An error scale this large stands for an infinite one, whose result is compared by pattern alone."""


def _chosen(subject: Subject, cell: Cell, observed: Observed, sentence: str, made: str | None, ledger: Ledger) -> Cell:
    """A cell without a right answer: the choice made is recorded, and has to be among those listed."""
    if made is not None:
        return replace(
            cell,
            convention=f"implementation_defined({made})",
            explanation=f"no right answer: {sentence}",
            observed=replace(observed, choice=made),
        )
    listed = subject.expect.names if isinstance(subject.expect, ExpectImplementationDefined) else ()
    severity = {"raises": "unexpected_error", "finite": "silently_wrong"}.get(observed.kind, "silent_nonfinite")
    wrong = replace(
        cell,
        verdict="disagrees",
        severity=severity,
        explanation=f"{sentence}, which is none of: {', '.join(listed)}",
        observed=observed,
    )
    return explained(subject, wrong, ledger)


def explained(subject: Subject, cell: Cell, ledger: Ledger) -> Cell:
    """The cell, known where an entry of the ledger pins exactly what was observed; with the cause of one that names
    other cases and says that it holds beyond them."""
    selector = subject.selector(cell.aspect)
    entry = ledger.explanation(selector, cell)
    if entry is not None:
        return replace(cell, verdict="known", ledger=entry.id)
    likely = ledger.likely(selector, subject.table.loss, cell)
    if likely is None:
        return cell
    cause = f"as in the ledger's {likely.id}: {likely.reason}"
    return replace(cell, explanation=f"{cell.explanation}; {cause}", causes={likely.id: cause})


def _shown(subject: Subject, aspect: str) -> Any:
    target = subject.table.under().targets.get(aspect)
    return None if target is None else _numbers(target.hi)


def _kind(got: Floats) -> str:
    """finite, nan or inf: nan wins, since it is what spreads."""
    if bool(np.isnan(got).any()):
        return "nan"
    return "inf" if bool(np.isinf(got).any()) else "finite"


def _numbers(values: Floats, worst: tuple[int, ...] | None = None) -> Any:
    """Numbers as a run file holds them: all of a small array, the worst element of a large one."""
    if values.size <= SHOWN:
        return values.tolist() if np.isfinite(values).all() else _nested(values.tolist())
    index = worst if worst else tuple(0 for _ in values.shape)
    return {"shape": list(values.shape), "worst_index": list(index), "worst": number(float(values[index]))}


def _nested(values: Any) -> Any:
    return [_nested(v) for v in values] if isinstance(values, list) else number(float(values))


def _brief(values: Floats) -> str:
    if values.size == 1:
        return f"{float(values.ravel()[0]):.9g}"
    first = ", ".join(f"{v:.6g}" for v in values.ravel()[:4])
    return f"[{first}{', …' if values.size > 4 else ''}]"


def digest(array: Array, got: Floats) -> str:
    """sha256 over dtype, shape and bits: equal digests are identical answers. `got` are its numbers as float64.

    One nan is as good as another: its sign and payload are whatever the last operation left there.
    """
    h = hashlib.sha256(f"{array.dtype}{list(array.shape)}".encode())
    missing = np.isnan(got)
    if missing.any():
        h.update(missing.tobytes())
        h.update(np.where(missing, np.zeros_like(array.storage), array.storage).tobytes())
    else:
        h.update(np.ravel(array.storage).data)
    return h.hexdigest()[:32]
