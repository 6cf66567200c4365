"""The truths of a written case in a dtype."""

from __future__ import annotations

import reference
from harness.core.case import ArraySpec, Case
from harness.judgement.truth import Evaluate, Evaluated, TruthTable
from harness.suite.generators import Realize


def truth_table(
    case: Case,
    dtype: str,
    realize: Realize,
    evaluated: Evaluated | None = None,
    *,
    exact: bool = True,
    evaluate: Evaluate = reference.evaluate,
) -> TruthTable:
    """The truths of a case in a dtype, its inputs rounded to the dtype first; `evaluated` are those known already,
    `evaluate` says the others."""
    return TruthTable(
        loss=case.loss,
        inputs={name: realize(spec, dtype) for name, spec in case.inputs.items()},
        options={n: realize(v, dtype) if isinstance(v, ArraySpec) else v for n, v in case.options.items()},
        dtype=dtype,
        differentiate=case.differentiate,
        cotangent=None if case.cotangent is None else realize(case.cotangent, dtype),
        vector=None if case.vector is None else realize(case.vector, dtype),
        evaluated=evaluated,
        exact=exact,
        evaluate=evaluate,
    )
