"""What is asked of whom: cases × implementations × modes × dtypes, as a list of questions. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from harness.adapters.base import Description
from harness.adapters.choice import ALL, FIRST
from harness.core.call import Question
from harness.core.case import Case, ExpectInvariances
from harness.core.cell import Cell
from harness.core.invariances import ASPECT
from harness.judgement.truth import aspects
from harness.suite.parts import case_of, parts_of


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


def questions(
    cases: Sequence[Case], implementation: str, description: Description, scope: Scope
) -> Iterator[Question | Cell]:
    """Questions in the order they are asked, and the cells that need no asking since the adapter offers no such thing.

    All modes of one case and dtype follow each other, so that they can be compared without keeping a run in memory.
    """
    modes = _modes(description, scope)
    for case in cases:
        dtypes = [d for d in case.dtypes if scope.dtypes is None or d in scope.dtypes]
        if case.loss not in description.losses:
            # The loss as a whole is missing: one cell says so, not one per dtype and mode.
            for dtype in dtypes[:1]:
                yield unsupported(case, implementation, modes[0], dtype, "value", f"offers no {case.loss}")
            continue
        besides = [(part, case_of(case, part)) for part in parts_of(case)]
        for dtype in dtypes:
            if dtype not in description.dtypes:
                for aspect in _aspects(case):
                    yield unsupported(case, implementation, modes[0], dtype, aspect, f"takes no {dtype}")
                continue
            for mode in modes:
                yield Question(implementation, case, dtype, mode)
                for part, asked in besides:
                    yield Question(implementation, asked, dtype, mode, part.title, of=case, threads=part.threads)


def _aspects(case: Case) -> Iterable[str]:
    if isinstance(case.expect, ExpectInvariances):
        return [f"{ASPECT}{name}" for name in case.expect.names]
    return aspects(case.differentiate, twice=case.vector is not None)


def _modes(description: Description, scope: Scope) -> tuple[str, ...]:
    if scope.modes is None:
        return description.modes[:1]
    if ALL in scope.modes:
        return description.modes
    wanted = [description.modes[0] if mode == FIRST else mode for mode in scope.modes]
    chosen = tuple(mode for mode in description.modes if mode in wanted)
    return chosen or description.modes[:1]


def unsupported(case: Case, implementation: str, mode: str, dtype: str, aspect: str, reason: str) -> Cell:
    """The cell of something an implementation does not offer."""
    return Cell(
        case.id,
        implementation,
        mode,
        dtype,
        aspect,
        "unsupported",
        {"kind": "unsupported", "reason": reason},
        severity="unsupported",
        explanation=reason,
    )
