"""From a cell and its case to the script: one call against the truth, two modes, or the calls of a relation. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from harness.core.call import BASE
from harness.core.case import ArraySpec, Case, ExpectImplementationDefined, ExpectRaises
from harness.core.cell import Cell
from harness.judgement.agreement import Floats, Target
from harness.judgement.relations import RELATIONS, Equation, Pose
from harness.judgement.relations import Inexpressible as Unrelated
from harness.judgement.relations.judging import MAY_REFUSE
from harness.judgement.relations.pose import Answered
from harness.judgement.truth import HESSIAN_VECTOR, Evaluated, TruthTable, aspects
from harness.judgement.truth_table import truth_table
from harness.reproduction.comparing import Agreeing, Comparison, compared
from harness.reproduction.example import Example, Inexpressible, dense_source
from harness.reproduction.frameworks import VALUES_ONLY
from harness.reproduction.tracing import Traced, names_of, source_of
from harness.reproduction.writing import Expected, NamedExample, issue, script
from harness.runs.plan import parts_of
from harness.suite.calls import call_of
from harness.suite.generators import Realize, realize


@dataclass(frozen=True)
class Numbers:
    """The arrays and the truths of one case; whoever asks for many cells of it passes what is known already."""

    realize: Realize = realize
    evaluated: Evaluated | None = None
    """Truths that are known; receives those that are worked out."""

    def table(self, case: Case, dtype: str, *, exact: bool = True) -> TruthTable:
        return truth_table(case, dtype, self.realize, self.evaluated, exact=exact)


def script_of(
    case: Case,
    cell: Cell,
    *,
    flush_to_zero: bool,
    first_mode: str,
    note: str = "",
    numbers: Numbers | None = None,
) -> str:
    """The standalone script of a cell: exits 1 while what the cell says shows.

    `flush_to_zero` is what the implementation declares, as is `first_mode`, the one mode_agreement compares with;
    `note` is a paragraph of explanation, such as the ledger's reason; `numbers` are those of `case`. Inexpressible,
    with the reason, where there is none.
    """
    numbers = numbers or Numbers()
    if cell.aspect == "mode_agreement":
        return _of_modes(case, cell, numbers, first_mode, note, flush_to_zero=flush_to_zero)
    if cell.aspect.startswith("relation/"):
        return _of_a_relation(case, cell, numbers, note, flush_to_zero=flush_to_zero)
    # A call that is refused is refused in every aspect, those that are not offered included.
    aspect = "value" if cell.implementation in VALUES_ONLY else cell.aspect
    expected = _expected(case, cell, numbers, aspect, flush_to_zero=flush_to_zero)
    return script(_example(case, cell, numbers, aspect), expected, case.title, case.why, note)


def issue_of(case: Case, cell: Cell, program: str, versions: Mapping[str, str], machine: Mapping[str, Any]) -> str:
    """The text of an issue in Markdown around the script of a cell; `machine` as the header of a run describes it."""
    return issue(
        title=case.title,
        why=case.why,
        program=program,
        observed=cell.explanation or "The result agrees.",
        versions={**versions, "Python": str(machine.get("python", "?"))},
        machine=str(machine.get("platform", "?")),
    )


def _example(case: Case, cell: Cell, numbers: Numbers, aspect: str, mode: str | None = None) -> Example:
    """The call behind one aspect of a case, in the mode of the cell unless another is named."""
    dtype = cell.dtype
    twice = aspect == HESSIAN_VECTOR and case.vector is not None
    of = aspects(case.differentiate, twice=twice)
    if aspect not in of:
        raise Inexpressible(f"the case has no {aspect}")
    differentiate = case.differentiate[0] if twice else of[aspect]
    call = call_of(case, dtype, cell.mode if mode is None else mode, numbers.realize)
    return Example(
        implementation=cell.implementation,
        call=replace(
            call,
            differentiate=() if differentiate is None else (differentiate,),
            cotangent=None if differentiate is None else call.cotangent,
            vector=call.vector if twice else None,
        ),
        specs={**case.inputs, **{n: v for n, v in case.options.items() if isinstance(v, ArraySpec)}},
    )


def _expected(case: Case, cell: Cell, numbers: Numbers, aspect: str, *, flush_to_zero: bool) -> Expected:
    match case.expect:
        case ExpectRaises(kind):
            is_another = cell.severity == "wrong_error"
            return Expected(raises=kind, instead=str(cell.outcome["type"]) if is_another else None)
        case ExpectImplementationDefined(choices):
            return Expected(choices=choices)
    target = _target(case, cell.dtype, numbers, aspect)
    in_dtype = cell.observed is not None and cell.observed.kind == "dtype"
    return Expected.truth(target, cell.dtype, flush_to_zero=flush_to_zero, in_dtype=in_dtype, element=cell.worst)


def _target(case: Case, dtype: str, numbers: Numbers, aspect: str) -> Target:
    truth = numbers.table(case, dtype).under()
    target = truth.targets.get(aspect)
    if target is None:
        raise Inexpressible(truth.refusal or f"the reference has no {aspect} for this loss")
    return target


# --- modes ------------------------------------------------------------------------------------------------------------


def _of_modes(case: Case, cell: Cell, numbers: Numbers, first: str, note: str, *, flush_to_zero: bool) -> str:
    """Both modes of what the cell says differs; of the value where it does not say."""
    aspect = "value" if cell.observed is None or cell.observed.of is None else cell.observed.of
    names = (f"in_{first}", f"in_{cell.mode}")
    calls = [
        NamedExample(n, _example(case, cell, numbers, aspect, m))
        for n, m in zip(names, (first, cell.mode), strict=True)
    ]
    try:
        gauge = _literal_gauge(_target(case, cell.dtype, numbers, aspect).gauge)
    except Inexpressible:
        gauge = f"np.abs({names[0]}) + 1.0"
    agreeing = Agreeing(
        f"the {aspect.replace('_', ' ')} is the same in {first} and {cell.mode}",
        [Comparison(f"{cell.mode} against {first}", names[1], names[0], gauge)],
        cell.dtype,
        flush_to_zero,
        same_types=True,
    )
    return compared(calls, agreeing, case.title, case.why, note)


def _literal_gauge(gauge: Floats) -> str:
    # A gauge that is not finite belongs to a result that is compared by pattern alone.
    return dense_source(np.nan_to_num(gauge, nan=0.0, posinf=0.0))


# --- relations --------------------------------------------------------------------------------------------------------


def _of_a_relation(case: Case, cell: Cell, numbers: Numbers, note: str, *, flush_to_zero: bool) -> str:
    """The calls of the equation that the cell says does not hold; of all where it does not say."""
    relation = RELATIONS[cell.aspect.partition("/")[2]]
    try:
        parts = parts_of(case, cell.dtype, relation.name)
    except Unrelated as reason:
        raise Inexpressible(str(reason)) from reason
    cases = {BASE: case, **parts.cases}
    names: dict[str, tuple[str, str]] = {}
    equations = list(relation.equations(_traced(parts.pose, cases, cell, numbers, names)))
    chosen = _chosen(equations, cell)
    used = names_of(*(side for e in chosen for side in (e.left, e.right, e.gauge)))
    calls = [
        NamedExample(n, _example(cases[part], cell, numbers if part == BASE else Numbers(), aspect))
        for n, (part, aspect) in names.items()
        if n in used
    ]
    agreeing = Agreeing(
        relation.statement,
        [
            Comparison(
                e.what,
                source_of(e.left),
                source_of(e.right),
                None if e.gauge is None else _gauge(e.gauge),
                e.at_most,
            )
            for e in chosen
        ],
        cell.dtype,
        flush_to_zero,
        may_refuse=relation.name in MAY_REFUSE,
    )
    return compared(calls, agreeing, case.title, case.why, note)


def _gauge(gauge: object) -> str:
    if isinstance(gauge, Traced):
        return f"np.nan_to_num({gauge.source})"
    return _literal_gauge(np.asarray(gauge, dtype=np.float64))


def _chosen(equations: list[Equation], cell: Cell) -> list[Equation]:
    observed = cell.observed
    named = [e for e in equations if observed is not None and e.what == observed.of]
    if named:
        return named
    # Which call is refused shows in the values; which shape does not fit may show in the gradients alone.
    values = [e for e in equations if not any("_gradient" in n for n in names_of(e.left, e.right))]
    is_about_shapes = observed is not None and observed.kind == "shape"
    if not equations:
        raise Inexpressible("the relation has no equation for this case")
    return equations if is_about_shapes or not values else values


def _traced(
    pose: Pose, cases: Mapping[str, Case], cell: Cell, numbers: Numbers, names: dict[str, tuple[str, str]]
) -> Answered:
    """The answers as the names of the calls that give them; `names` is filled with part and aspect of each."""
    values: dict[str, Floats] = {}
    gradients: dict[str, dict[str, Floats]] = {}
    for part, case in cases.items():
        known = numbers if part == BASE else Numbers()
        truth = known.table(case, cell.dtype, exact=part == BASE).under()
        if "value" not in truth.targets:
            raise Inexpressible(truth.refusal or "the reference has no value for a part of the relation")
        for aspect, name in aspects(case.differentiate).items():
            if aspect not in truth.targets:
                continue
            variable = f"{part}_{aspect.replace('/', '_of_')}"
            names[variable] = part, aspect
            answer = cast(Floats, Traced(truth.targets[aspect].hi, variable, frozenset({variable})))
            if name is None:
                values[part] = answer
            else:
                gradients.setdefault(part, {})[name] = answer
    targets = numbers.table(cases[BASE], cell.dtype).under().targets
    named = {name: aspect for aspect, name in aspects(cases[BASE].differentiate).items() if name is not None}
    return Answered(
        pose=pose,
        values=values,
        gradients=gradients,
        gauge=targets["value"].gauge,
        slope_gauge={name: targets[aspect].gauge for name, aspect in named.items() if aspect in targets},
    )
