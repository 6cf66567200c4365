"""From the answers of a relation's parts to one cell, `relation/NAME`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from harness.core.call import BASE
from harness.core.cell import Cell, Observed, number
from harness.core.formats import FORMATS, FloatFormat
from harness.core.outcomes import Crashed, Missing, Outcome, Raised, Refused, Returned, TimedOut
from harness.judgement.agreement import BUDGET, Floats, Target, compare
from harness.judgement.ledger import Ledger
from harness.judgement.relations.catalogue import Relation
from harness.judgement.relations.pose import Answered, Equation, Pose
from harness.judgement.truth import aspects
from harness.judgement.verdict import Subject, explained, judge

TWICE = 2.0
"""Each side may be as far from the truth as the budget allows, so they may be twice that far from each other."""

FACTOR = 4.0
"""The power of two by which the sides of a bitwise equation may be computed apart: weights times 4."""

MAY_REFUSE = frozenset({"label-types"})
"""Relations that hold where a part other than the base is refused: no framework has to take every type of labels."""


def judge_relation(
    subject: Subject,
    relation: Relation,
    pose: Pose,
    outcomes: Mapping[str, Outcome],
    subject_of: Callable[[str], Subject],
    ledger: Ledger,
) -> Cell:
    """Whether the answers keep the relation. `subject_of` is asked for a part only where they do not."""
    aspect = f"relation/{relation.name}"
    cell = subject.cell(aspect, "agrees", {"kind": "value"})
    for outcome in outcomes.values():
        match outcome:
            case Crashed() | TimedOut() | Missing():
                return _infrastructure(subject, aspect, outcome)
            case Refused(reason):
                return replace(
                    cell,
                    verdict="unsupported",
                    outcome={"kind": "unsupported", "reason": reason},
                    severity="unsupported",
                    explanation=reason,
                )
    raised = {part: o for part, o in outcomes.items() if isinstance(o, Raised)}
    if BASE in raised and len(raised) == len(outcomes):
        return replace(
            cell, outcome={"kind": "raises", "type": raised[BASE].type, "message": raised[BASE].message[:200]}
        )
    if raised and not (relation.name in MAY_REFUSE and BASE not in raised):
        return _some_refuse(subject, cell, raised, relation, ledger)
    returned = {part: o for part, o in outcomes.items() if isinstance(o, Returned)}
    try:
        equations = list(relation.equations(_answered(subject, pose, returned)))
        failing = _first_failing(equations, subject, _coarsest(subject.dtype, returned))
    except (ValueError, IndexError) as error:
        sentence = f"the answers have shapes that cannot be related: {error}"
        wrong = replace(
            cell, verdict="disagrees", severity="silently_wrong", explanation=sentence, observed=Observed("shape")
        )
        return explained(subject, wrong, ledger)
    if failing is None:
        return cell
    equation, ratio, sentence = failing
    sentence = f"{relation.statement}: {sentence}"
    if _each_right_under_its_own(returned, subject_of):
        return replace(
            cell,
            verdict="by_convention",
            convention="each part under its declared convention",
            explanation=f"{sentence}; every part is right under the convention declared for it",
        )
    nans = np.isnan(equation.left).any() or np.isnan(equation.right).any()
    infinite = not (np.isfinite(equation.left).all() and np.isfinite(equation.right).all())
    kind = "nan" if nans else "inf" if infinite else "finite"
    wrong = replace(
        cell,
        verdict="disagrees",
        severity="silently_wrong" if kind == "finite" else "silent_nonfinite",
        explanation=sentence,
        ratio=number(float(f"{ratio:.6g}")),
        budget=TWICE * BUDGET[subject.dtype],
        got=_shown(equation.left),
        truth=_shown(equation.right),
        observed=Observed(kind, of=equation.what),
    )
    return explained(subject, wrong, ledger)


def _infrastructure(subject: Subject, aspect: str, outcome: Outcome) -> Cell:
    (cell, *_) = judge(replace(subject, differentiate=()), outcome, Ledger())
    return replace(cell, aspect=aspect)


def _some_refuse(
    subject: Subject, cell: Cell, raised: Mapping[str, Raised], relation: Relation, ledger: Ledger
) -> Cell:
    part, first = next(iter(raised.items()))
    sentence = f"{relation.statement}: {part} raises {first.type}, another part answers: {first.message[:160]}"
    wrong = replace(
        cell,
        verdict="disagrees",
        severity="unexpected_error",
        outcome={"kind": "raises", "type": first.type, "message": first.message[:200]},
        explanation=sentence,
        observed=Observed("raises", of=part, error=first.type),
    )
    return explained(subject, wrong, ledger)


def _answered(subject: Subject, pose: Pose, returned: Mapping[str, Returned]) -> Answered:
    targets = subject.table.under().targets
    named = {name: aspect for aspect, name in aspects(subject.differentiate).items() if name is not None}
    return Answered(
        pose=pose,
        values={part: o.value.to_float64() for part, o in returned.items()},
        gradients={part: {n: g.to_float64() for n, g in o.gradients.items()} for part, o in returned.items()},
        gauge=targets["value"].gauge if "value" in targets else 1.0,
        slope_gauge={name: targets[aspect].gauge for name, aspect in named.items() if aspect in targets},
    )


def _coarsest(dtype: str, returned: Mapping[str, Returned]) -> FloatFormat:
    """The format the relation is judged in: that of the answers where they come back narrower than what was asked.

    The narrowing itself is what the cell of the value is about.
    """
    names = {dtype, *(o.value.dtype for o in returned.values() if o.value.dtype in FORMATS)}
    return max((FORMATS[name] for name in names), key=lambda fmt: fmt.eps)


def _first_failing(equations: list[Equation], subject: Subject, fmt: FloatFormat) -> tuple[Equation, float, str] | None:
    for equation in equations:
        left, right = np.broadcast_arrays(np.asarray(equation.left), np.asarray(equation.right))
        if equation.at_most:
            with np.errstate(invalid="ignore"):
                left = np.where(left <= right, right, left)
        gauge: Floats = np.zeros(right.shape)
        if equation.gauge is not None:
            size = np.where(np.isfinite(right), np.abs(right), 0.0)
            with np.errstate(over="ignore"):
                gauge = TWICE * np.maximum(np.broadcast_to(np.nan_to_num(equation.gauge), right.shape), size)
        result = compare(left, Target(right, np.zeros(right.shape), gauge), fmt, flush_to_zero=subject.flush_to_zero)
        if not (_bit_for_bit(left, right, fmt) if equation.gauge is None else result.agrees):
            w = result.worst
            sign = "≤" if equation.at_most else "="
            sentence = f"{equation.what}: {equation.left[w]:.17g} {sign} {right[w]:.17g} does not hold"
            return equation, result.ratio * TWICE, sentence
    return None


def _bit_for_bit(left: Floats, right: Floats, fmt: FloatFormat) -> bool:
    """Whether both sides are the same numbers. What is small enough to be subnormal on one of them has lost bits."""
    small = (np.abs(left) < FACTOR * fmt.smallest_normal) & (np.abs(right) < FACTOR * fmt.smallest_normal)
    return bool(((left == right) | (np.isnan(left) & np.isnan(right)) | small).all())


def _each_right_under_its_own(returned: Mapping[str, Returned], subject_of: Callable[[str], Subject]) -> bool:
    """Whether some part declares a convention, and every part is right as a cell of its own."""
    if not any(outcome.convention for outcome in returned.values()):
        return False
    for part, outcome in returned.items():
        subject = replace(subject_of(part), diagnose=None)
        if any(c.verdict not in ("agrees", "by_convention", "unsupported") for c in judge(subject, outcome, Ledger())):
            return False
    return True


def _shown(values: Floats) -> object:
    return [number(float(v)) for v in np.ravel(values)[:64]]
