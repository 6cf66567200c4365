"""Invariances of bits: whether answers that mathematics says are equal are the same to the bit.

No truth can judge that, so none does: what happens is recorded like a convention, `bits(same)` or `bits(differ)`, and
the gate notices when it changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from harness.core.arrays import Array
from harness.core.case import Case, ExpectInvariances
from harness.core.cell import EVERY, Cell, Observed, number
from harness.core.formats import FORMATS, quantum
from harness.core.invariances import ASPECT, DIFFER, RAISES, SAME
from harness.core.outcomes import Crashed, Missing, Outcome, Raised, Refused, Returned, TimedOut
from harness.suite.invariance_calls import PARTS, Rows, rows_of


@dataclass(frozen=True)
class Difference:
    """Between two arrays that ought to be the same."""

    differing: int
    elements: int
    ulps: float
    """The largest, in units in the last place of the first array; infinite where one of the two is not finite."""


def judge_invariances(
    case: Case, implementation: str, mode: str, dtype: str, outcomes: Mapping[str, Outcome]
) -> Iterator[Cell]:
    """One cell for each invariance the case asks for; `outcomes` by title of the part, that of the case under "".

    One for all of them where the case itself is refused.
    """
    assert isinstance(case.expect, ExpectInvariances)
    whole = Cell(case.id, implementation, mode, dtype, EVERY, "by_convention", {"kind": "value"})
    if isinstance(outcomes[""], Refused):
        yield _refused(whole, outcomes[""].reason)
        return
    for name in case.expect.names:
        yield _judged(replace(whole, aspect=f"{ASPECT}{name}"), case, outcomes)


def _judged(cell: Cell, case: Case, outcomes: Mapping[str, Outcome]) -> Cell:
    parts = PARTS[cell.aspect.removeprefix(ASPECT)]
    concerned = {"the case": outcomes[""], **{part.name: outcomes[part.title] for part in parts}}
    for what, outcome in concerned.items():
        if (unlike := _without_answer(cell, what, outcome)) is not None:
            return unlike
    base = concerned["the case"]
    assert isinstance(base, Returned)
    found: dict[str, Difference] = {}
    for part in parts:
        other = concerned[part.name]
        assert isinstance(other, Returned)
        for what, one, another in _answers(base, other, rows_of(case, part)):
            found[f"{what}, {part.name}"] = difference(one, another)
    differing = sum(entry.differing for entry in found.values())
    elements = sum(entry.elements for entry in found.values())
    attested = replace(cell, function=base.function)
    if not differing:
        return replace(attested, convention=SAME, observed=Observed("bits", differing=0, elements=elements))
    where = max(found, key=lambda name: (found[name].ulps, found[name].differing))
    ulps = found[where].ulps
    return replace(
        attested,
        convention=DIFFER,
        observed=Observed("bits", of=where, differing=differing, elements=elements),
        ulps=number(ulps),
        explanation=f"{differing} of {elements} numbers have other bits, by {ulps:.3g} ulp at most ({where})",
    )


def _without_answer(cell: Cell, what: str, outcome: Outcome) -> Cell | None:
    """The cell where one of the calls did not come back with an answer; None where it did."""
    match outcome:
        case Refused(reason):
            return _refused(cell, reason)
        case TimedOut(seconds):
            entry: dict[str, Any] = {"kind": "timed_out", "seconds": seconds}
            return replace(cell, verdict="timed_out", outcome=entry, explanation=f"no answer within {seconds:g} s")
        case Crashed(how):
            entry, sentence = {"kind": "crashed", "signal": how}, f"the worker died on this call: {how}"
            return replace(cell, verdict="crashed", outcome=entry, explanation=sentence)
        case Missing(reason):
            return replace(cell, verdict="missing", outcome={"kind": "missing", "reason": reason}, explanation=reason)
        case Raised(type_, message, _):
            return replace(
                cell,
                outcome={"kind": "raises", "type": type_, "message": message[:200]},
                convention=RAISES,
                observed=Observed("raises", of=what, error=type_),
                explanation=f"{what} raises {type_}",
            )
    return None


def _refused(cell: Cell, reason: str) -> Cell:
    outcome = {"kind": "unsupported", "reason": reason}
    return replace(cell, verdict="unsupported", outcome=outcome, severity="unsupported", explanation=reason)


def _answers(base: Returned, other: Returned, rows: Rows | None) -> Iterator[tuple[str, Array, Array]]:
    """By name: what the case says of the part's rows, and what the part says. A gradient that only one of them has is
    not compared: whether it is offered is what the cells of gradients are about."""
    yield "value", _chosen(base.value, rows), other.value
    for name in base.gradients.keys() & other.gradients.keys():
        yield f"gradient of {name}", _chosen(base.gradients[name], rows), other.gradients[name]


def _chosen(array: Array, rows: Rows | None) -> Array:
    if rows is None or not array.shape or max(rows) >= array.shape[0]:
        return array
    return Array(array.dtype, array.storage[list(rows)])


def difference(one: Array, other: Array) -> Difference:
    """How many elements are not the same number, and by how much; all, where shapes or types are not the same.

    A zero of another sign is another number, and every nan is the same.
    """
    count = int(np.prod(one.shape))
    if one.shape != other.shape or one.dtype != other.dtype or one.dtype not in FORMATS:
        return Difference(0, count, 0.0) if one.same_bits(other) else Difference(count, count, float("inf"))
    a, b = one.to_float64(), other.to_float64()
    same = ((a == b) & (np.signbit(a) == np.signbit(b))) | (np.isnan(a) & np.isnan(b))
    if same.all():
        return Difference(0, count, 0.0)
    with np.errstate(invalid="ignore"):
        ulps = np.where(same, 0.0, np.abs(a - b) / quantum(a, FORMATS[one.dtype]))
    return Difference(int((~same).sum()), count, float(np.where(np.isnan(ulps), np.inf, ulps).max()))
