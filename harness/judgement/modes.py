"""Whether two modes of one implementation agree with each other: two answers may each be right enough and differ."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from harness.core.arrays import Array
from harness.core.cell import MODE_AGREEMENT, Cell, Observed, number
from harness.core.formats import FORMATS
from harness.core.outcomes import Outcome, Raised, Returned
from harness.judgement.agreement import Target, compare
from harness.judgement.ledger import Ledger
from harness.judgement.truth import Convention
from harness.judgement.verdict import Subject, explained, part_of


def judge_modes(subject: Subject, first: str, one: Outcome, other: Outcome, ledger: Ledger) -> Cell | None:
    """Whether two modes of one implementation agree; None where either did not run, or computes in another format.

    `first` is the mode `one` ran in, `subject.mode` the mode of `other`. Both may be as far from the truth as the
    budget allows, so they may be twice that far from each other.
    """
    cell = subject.cell(MODE_AGREEMENT, "agrees", {"kind": "value"})
    match one, other:
        case Returned(), Returned() if _computes_in(one) == _computes_in(other):
            cell = replace(
                cell, outcome={"kind": "value", "dtype": other.value.dtype, "shape": list(other.value.shape)}
            )
            found = _first_difference(subject, first, one, other)
            return cell if found is None else explained(subject, _disagreeing(cell, found), ledger)
        case Raised(), Raised():
            return replace(cell, outcome=_raising(other))
        case Raised(), Returned():
            return explained(subject, _refusing(cell, first, one, f"{first} and {subject.mode}"), ledger)
        case Returned(), Raised():
            return explained(subject, _refusing(cell, subject.mode, other, f"{first} and {subject.mode}"), ledger)
    return None


def _computes_in(returned: Returned) -> str | None:
    """The format that is documented to be computed in, where it is not that of the inputs."""
    return dict(returned.convention or {}).get("computed_in")


@dataclass(frozen=True)
class _Difference:
    """Between what two modes say of one aspect."""

    kind: str
    """Of the observed fact."""
    aspect: str
    sentence: str
    dtype: str | None = None
    ratio: float | None = None


def _refusing(cell: Cell, mode: str, raised: Raised, both: str) -> Cell:
    """The cell where one of both raises: an error, whichever it is. Whether the other is right its own cells say."""
    return replace(
        cell,
        verdict="disagrees",
        severity="unexpected_error",
        outcome=_raising(raised),
        explanation=f"{mode} raises {raised.type}, the other mode of {both} answers",
        observed=Observed("raises", error=raised.type),
    )


def _raising(raised: Raised) -> dict[str, Any]:
    return {"kind": "raises", "type": raised.type, "message": raised.message[:200]}


def _disagreeing(cell: Cell, found: _Difference) -> Cell:
    return replace(
        cell,
        verdict="disagrees",
        severity="silent_nonfinite" if found.kind in ("nan", "inf") else "silently_wrong",
        explanation=found.sentence,
        ratio=None if found.ratio is None else number(float(f"{found.ratio:.6g}")),
        observed=Observed(found.kind, of=found.aspect, dtype=found.dtype),
    )


def _first_difference(subject: Subject, first: str, one: Returned, other: Returned) -> _Difference | None:
    for aspect, name in subject.aspects.items():
        (left, _), (right, _) = part_of(one, aspect, name), part_of(other, aspect, name)
        if left is None or right is None or left.same_bits(right):
            continue
        found = _difference(subject, first, aspect, left, right, {**(one.convention or {}), **(other.convention or {})})
        if found is not None:
            return found
    return None


def _difference(
    subject: Subject, first: str, aspect: str, left: Array, right: Array, declared: Convention
) -> _Difference | None:
    """Between the first mode's array and the other's, where it is more than both may be away from the truth.

    Types may differ where one of them is `declared` as that of the answer.
    """
    types_differ = left.dtype != right.dtype and declared.get("result_dtype") not in (left.dtype, right.dtype)
    if types_differ or left.shape != right.shape:
        said = f"{first} answers {left.dtype}{list(left.shape)}, {subject.mode} {right.dtype}{list(right.shape)}"
        other_dtype = right.dtype if types_differ else None
        return _Difference("shape" if other_dtype is None else "dtype", aspect, f"{aspect}: {said}", other_dtype)
    a, b = left.to_float64(), right.to_float64()
    truth = subject.table.under().targets.get(aspect)
    error_scale = np.abs(a) + 1.0 if truth is None or truth.error_scale.shape != a.shape else truth.error_scale
    # Under a convention the result can be larger than the truth whose error scale this is.
    with np.errstate(invalid="ignore", over="ignore"):
        error_scale = 2.0 * np.maximum(error_scale, np.where(np.isfinite(a), np.abs(a), 0.0))
    # Both may answer in a narrower format than was asked for: that is a finding of its own, not a difference.
    narrower = max(FORMATS[subject.dtype], FORMATS[left.dtype], key=lambda f: f.eps)
    target = Target(a, np.zeros_like(a), error_scale)
    distance = compare(b, target, narrower, flush_to_zero=subject.flush_to_zero)
    if distance.agrees:
        return None
    kind = "finite" if distance.pattern is None else "nan" if bool((np.isnan(a) | np.isnan(b)).any()) else "inf"
    w = distance.worst
    sentence = f"{aspect}: {first} gives {a[w]:.9g}, {subject.mode} {b[w]:.9g}"
    return _Difference(kind, aspect, sentence, ratio=distance.ratio)
