"""Cases that a zero would pass, because the tolerance is as wide as the truth itself. Pure.

The error scale of a loss follows what rounding its inputs may cost, and logits of 1e38 cost 1e31: a row whose loss is
ln 3 then has no digit that an answer could get wrong. Such a case demands the grade A, has other inputs, or is tagged
`wide` and says in its `why` what it shows all the same. One dtype that tells the difference is enough.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from harness.core.case import Case, ExpectTruth
from harness.core.formats import FORMATS
from harness.judgement.agreement import BUDGET, allowed
from harness.judgement.truth import TruthTable
from harness.judgement.truth_table import truth_table
from harness.suite.generators import realize, shape_of
from harness.suite.problems import Problem

WIDE = "wide"
"""The tag of a case that says why it has a result which nothing but its sign and pattern is asked of."""

ELEMENTS = 2**14
"""Of a larger case the truths would take longer than a linter may; a case of many rows has others like them."""

ORDINARY = 2.0
"""The error scale of a loss from logits around 1. A truth below k · eps · ORDINARY is smaller than what the plainest
result is rounded by: tolerances let it pass by design, and a case that is about such numbers demands its grade."""


def lint_widths(cases: Iterable[Case]) -> list[Problem]:
    """Cases with a result that zero would pass for in each of their dtypes, and tags `wide` of families without one."""
    everything = list(cases)
    lost = {case.id: passed_by_zero(case) for case in everything}
    spoken_for = {case.location for case in everything if lost[case.id]}
    problems = []
    for case in everything:
        tagged, where = WIDE in case.tags, (case.location.file, case.location.line)
        if lost[case.id] and not tagged:
            what = f"0 would agree, the truth is as small as its tolerance: {', '.join(lost[case.id])}"
            hint = "Demand at_least, choose other inputs, or tag it wide and say why"
            problems.append(Problem(*where, f"{case.id}: expect", what, hint))
        elif tagged and case.location not in spoken_for:
            problems.append(Problem(*where, f"{case.id}: tags", "no truth is as small as its tolerance", "Remove it"))
    return problems


def passed_by_zero(case: Case) -> list[str]:
    """The aspects of a case in which a whole row of the answer could as well be 0, whatever the dtype.

    The widest dtype says whether the row is a number at all beside what plain results are rounded by.
    """
    if not isinstance(case.expect, ExpectTruth):
        return []
    if sum(math.prod(shape_of(spec)) for spec in case.inputs.values()) > ELEMENTS:
        return []
    lost: dict[str, NDArray[np.bool_]] | None = None
    for dtype in (name for name in FORMATS if name in case.dtypes):
        rows = dict(_rows(truth_table(case, dtype, realize, exact=False), dtype))
        if lost is None:
            lost = {aspect: passes & counts for aspect, (passes, counts) in rows.items()}
        else:
            lost = {aspect: before & rows[aspect][0] for aspect, before in lost.items() if aspect in rows}
        lost = {aspect: left for aspect, left in lost.items() if left.any()}
        if not lost:
            return []
    return sorted(lost or ())


def _rows(table: TruthTable, dtype: str) -> Iterator[tuple[str, tuple[NDArray[np.bool_], NDArray[np.bool_]]]]:
    """By aspect, of which rows of the truth zero is within the tolerance, and which have a number that is not tiny."""
    axis = int(table.options.get("axis", -1))
    for aspect, target in table.under().targets.items():
        fmt, size = FORMATS[dtype], np.abs(target.hi)
        passes = size <= allowed(target, fmt)
        counts = np.isfinite(size) & (size > ORDINARY * BUDGET[dtype] * fmt.eps)
        classes = aspect.startswith("gradient") or "reduction" not in table.options
        if classes and passes.ndim:
            along = axis if -passes.ndim <= axis < passes.ndim else -1
            yield aspect, (np.asarray(passes.all(axis=along)), np.asarray(counts.any(axis=along)))
        else:
            yield aspect, (passes, counts)
