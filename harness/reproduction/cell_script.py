"""From a cell and its case to the script: one call against the truth or two modes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from harness.core.case import ArraySpec, Case, ExpectImplementationDefined, ExpectInvariances, ExpectRaises
from harness.core.cell import Cell
from harness.judgement.agreement import Floats, Target
from harness.judgement.choices import targets
from harness.judgement.truth import DIRECTIONAL, HESSIAN_VECTOR, Evaluated, TruthTable, aspects
from harness.judgement.truth_table import truth_table
from harness.reproduction.example import Example, Inexpressible, dense_source
from harness.reproduction.frameworks import values_only
from harness.reproduction.modes import Modes, compared
from harness.reproduction.script_writing import Expected, NamedExample, issue, script
from harness.suite.calls import call_of
from harness.suite.generators import Realize, realize


@dataclass(frozen=True)
class Numbers:
    """The arrays and the truths of one case; whoever asks for many cells of it passes what is known already."""

    realize: Realize = realize
    evaluated: Evaluated | None = None
    """Truths that are known; receives those that are worked out."""

    def table(self, case: Case, dtype: str) -> TruthTable:
        return truth_table(case, dtype, self.realize, self.evaluated)


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
    if isinstance(case.expect, ExpectInvariances):
        raise Inexpressible("whether bits are the same is recorded, and no defect that a script could show")
    if cell.dtype not in case.dtypes:
        raise Inexpressible(f"the case has no {cell.dtype}")
    if cell.aspect == "mode_agreement":
        return _of_modes(case, cell, numbers, first_mode, note, flush_to_zero=flush_to_zero)
    # A call that is refused is refused in every aspect, those that are not offered included.
    aspect = "value" if values_only(cell.implementation, cell.mode) else cell.aspect
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
    of = aspects(case)
    if aspect not in of:
        raise Inexpressible(f"the case has no {aspect}")
    if aspect in case.outputs:
        raise Inexpressible(f"no template writes the output {aspect}")
    is_along = aspect in (DIRECTIONAL, HESSIAN_VECTOR)
    differentiate = case.differentiate[0] if is_along else of[aspect]
    call = call_of(case, dtype, cell.mode if mode is None else mode, numbers.realize)
    return Example(
        implementation=cell.implementation,
        call=replace(
            call,
            differentiate=() if differentiate is None else (differentiate,),
            cotangent=None if differentiate is None or aspect == DIRECTIONAL else call.cotangent,
            vector=call.vector if is_along else None,
        ),
        forward=aspect == DIRECTIONAL,
        specs={**case.inputs, **{n: v for n, v in case.options.items() if isinstance(v, ArraySpec)}},
    )


def _expected(case: Case, cell: Cell, numbers: Numbers, aspect: str, *, flush_to_zero: bool) -> Expected:
    match case.expect:
        case ExpectRaises(kind):
            is_another = cell.severity == "wrong_error"
            return Expected(raises=kind, instead=str(cell.outcome.get("type")) if is_another else None)
        case ExpectImplementationDefined(choices):
            table = numbers.table(case, cell.dtype)
            found = (target for choice in choices for target in targets(choice, aspect, table))
            return Expected.one_of(choices, found, cell.dtype, flush_to_zero=flush_to_zero)
    target = _target(case, cell.dtype, numbers, aspect)
    if not 0 <= (cell.worst or 0) < max(1, target.hi.size):
        raise Inexpressible(f"the answer has no element {cell.worst}")
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
    one, other = (
        NamedExample(f"in_{mode}", _example(case, cell, numbers, aspect, mode)) for mode in (first, cell.mode)
    )
    try:
        error_scale = _literal_error_scale(_target(case, cell.dtype, numbers, aspect).error_scale)
    except Inexpressible:
        error_scale = f"np.abs({one.name}) + 1.0"
    modes = Modes(one, other, cell.dtype, error_scale, flush_to_zero)
    statement = f"the {aspect.replace('_', ' ')} is the same in {first} and {cell.mode}"
    return compared(modes, statement, case.title, case.why, note)


def _literal_error_scale(error_scale: Floats) -> str:
    # An error scale that is not finite belongs to a result that is compared by pattern alone.
    return dense_source(np.nan_to_num(error_scale, nan=0.0, posinf=0.0))
