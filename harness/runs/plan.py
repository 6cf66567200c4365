"""What is asked of whom: cases × implementations × modes × dtypes, as a list of questions. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.adapters.base import Description
from harness.adapters.choice import ALL, FIRST
from harness.core.call import Question
from harness.core.case import Case
from harness.core.cell import EVERY, Cell
from harness.suite.invariance_calls import case_of, parts_of


@dataclass(frozen=True)
class Scope:
    """How much of the matrix is run."""

    dtypes: tuple[str, ...] | None = None
    """None: every dtype a case names."""
    modes: tuple[str, ...] | None = None
    """None: the first mode of each implementation, which "first" names beside others; ("all",): every mode."""
    shard: tuple[int, int] = (1, 1)
    """Part i of n, by case, so that what is asked of a case stays together."""


def sharded(cases: Sequence[Case], scope: Scope) -> tuple[Case, ...]:
    """Every n-th case, beginning with the i-th."""
    part, parts = scope.shard
    return tuple(case for position, case in enumerate(cases) if position % parts == part - 1)


def whole(cases: Sequence[Case], scope: Scope) -> frozenset[str]:
    """The cases that are asked in every dtype they name."""
    return frozenset(case.id for case in cases if scope.dtypes is None or set(case.dtypes) <= set(scope.dtypes))


def questions(
    cases: Sequence[Case], implementation: str, description: Description, scope: Scope
) -> Iterator[Question | Cell]:
    """Questions in the order they are asked, and a refusal for each dtype of which the adapter offers no such thing.

    All modes of one case and dtype follow each other, so that they can be compared without keeping a run in memory.
    """
    modes = _modes(description, scope)
    for case in cases:
        dtypes = [d for d in case.dtypes if scope.dtypes is None or d in scope.dtypes]
        if case.loss not in description.losses:
            # The loss as a whole is missing, in every mode: the first says so.
            for dtype in dtypes:
                yield refusal(case, implementation, modes[0], dtype, f"offers no {case.loss}")
            continue
        if lacking := [output for output in case.outputs if output not in description.outputs]:
            for dtype in dtypes:
                yield refusal(case, implementation, modes[0], dtype, f"returns no {', '.join(lacking)}")
            continue
        asked_in = [mode for mode in modes if mode in description.modes_of(case.loss, case.tags)]
        besides = [(part, case_of(case, part)) for part in parts_of(case)]
        for dtype in dtypes:
            if dtype not in description.dtypes:
                yield from (refusal(case, implementation, mode, dtype, f"takes no {dtype}") for mode in asked_in[:1])
                continue
            for mode in asked_in:
                yield Question(implementation, case, dtype, mode)
                for part, asked in besides:
                    yield Question(implementation, asked, dtype, mode, part.title, of=case, threads=part.threads)


def _modes(description: Description, scope: Scope) -> tuple[str, ...]:
    if scope.modes is None:
        return description.modes[:1]
    if ALL in scope.modes:
        return description.modes
    wanted = [description.modes[0] if mode == FIRST else mode for mode in scope.modes]
    chosen = tuple(mode for mode in description.modes if mode in wanted)
    return chosen or description.modes[:1]


def refusal(case: Case, implementation: str, mode: str, dtype: str, reason: str) -> Cell:
    """The cell of a call that an implementation does not offer."""
    return Cell(
        case.id,
        implementation,
        mode,
        dtype,
        EVERY,
        "unsupported",
        {"kind": "unsupported", "reason": reason},
        severity="unsupported",
        explanation=reason,
    )
