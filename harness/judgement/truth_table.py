"""The truths of a written case in a dtype."""

from __future__ import annotations

import reference
from harness.core.case import Case, ExpectTruth
from harness.judgement.tolerance import error_scales
from harness.judgement.truth import Evaluate, Evaluated, Measure, TruthTable
from harness.suite.calls import call_of
from harness.suite.generators import Realize


def truth_table(
    case: Case,
    dtype: str,
    realize: Realize,
    evaluated: Evaluated | None = None,
    *,
    exact: bool = True,
    evaluate: Evaluate = reference.evaluate,
    measure: Measure = error_scales,
) -> TruthTable:
    """The truths of a case in a dtype, its inputs rounded to the dtype first; `evaluated` are those known already,
    `evaluate` says the others and `measure` their error scales."""
    relative = frozenset(case.expect.at_least if isinstance(case.expect, ExpectTruth) else ())
    call = call_of(case, dtype, realize=realize)
    return TruthTable(call, evaluated, exact=exact, evaluate=evaluate, measure=measure, relative=relative)
