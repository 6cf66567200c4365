"""What is asked of whom: cases × implementations × modes × dtypes, as a list of questions. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.adapters.base import Description
from harness.adapters.choice import ALL, FIRST
from harness.core.call import Question
from harness.core.case import ArraySpec, Case
from harness.core.cell import Cell
from harness.core.formats import FORMATS
from harness.judgement.relations import RELATIONS, Inexpressible, Pose, case_of, pose_of
from harness.judgement.truth import aspects
from harness.suite.generators import realize


def posed(case: Case, dtype: str) -> Pose:
    """The case as exact numbers in a dtype, the way relations see it."""
    specs = {**case.inputs, **{n: v for n, v in case.options.items() if isinstance(v, ArraySpec)}}
    if case.cotangent is not None:
        specs["the cotangent"] = case.cotangent
    realized = {name: realize(spec, dtype) for name, spec in specs.items()}
    return pose_of(case, dtype, {n: a.to_float64() if a.is_float else a.storage for n, a in realized.items()})


@dataclass(frozen=True)
class Parts:
    """A relation on a case in a dtype: the case as exact numbers, and the calls besides it by name."""

    pose: Pose
    cases: Mapping[str, Case]


def parts_of(case: Case, dtype: str, relation: str) -> Parts:
    """The calls of a relation; Inexpressible where it says nothing about the case."""
    pose = posed(case, dtype)
    moderate = float(np.sqrt(FORMATS[dtype].largest))
    for name, values in pose.inputs.items():
        # What is infinite, or overflows when two are added, is a matter of the truth and not of a relation.
        if values.dtype.kind == "f" and not bool((np.abs(values) <= moderate).all()):
            raise Inexpressible(f"{name} hold what is not finite, or near overflow")
    parts = RELATIONS[relation].parts(pose)
    return Parts(pose, {part: case_of(changed, case, f"{relation}/{part}") for part, changed in parts.items()})


class RelatedCalls:
    """The relations of the cases of a run: their calls are the same for every implementation, so made once."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], dict[str, Parts | Inexpressible]] = {}

    def of(self, case: Case, dtype: str) -> Mapping[str, Parts | Inexpressible]:
        """Every relation of a case in a dtype, or why it says nothing."""
        if not case.relations:
            return {}
        found = self._found.setdefault((case.id, dtype), {})
        for relation in case.relations:
            if relation not in found:
                try:
                    found[relation] = parts_of(case, dtype, relation)
                except Inexpressible as reason:
                    found[relation] = reason
        return found


@dataclass(frozen=True)
class Scope:
    """How much of the matrix is run."""

    dtypes: tuple[str, ...] | None = None
    """None: every dtype a case names."""
    modes: tuple[str, ...] | None = None
    """None: the first mode of each implementation, which "first" names beside others; ("all",): every mode."""
    shard: tuple[int, int] = (1, 1)
    """Part i of n, by case, so that the parts of a case stay together."""


def sharded(cases: Sequence[Case], scope: Scope) -> tuple[Case, ...]:
    """Every n-th case, beginning with the i-th."""
    part, parts = scope.shard
    return tuple(case for position, case in enumerate(cases) if position % parts == part - 1)


def questions(
    cases: Sequence[Case],
    implementation: str,
    description: Description,
    scope: Scope,
    related: RelatedCalls | None = None,
) -> Iterator[Question | Cell]:
    """Questions in the order they are asked, and the cells that need no asking since the adapter offers no such thing.

    All modes of one case and dtype follow each other, so that they can be compared without keeping a run in memory.
    `related` are shared by all implementations of a run.
    """
    modes, related = _modes(description, scope), related or RelatedCalls()
    for case in cases:
        dtypes = [d for d in case.dtypes if scope.dtypes is None or d in scope.dtypes]
        if case.loss not in description.losses:
            # The loss as a whole is missing: one cell says so, not one per dtype and mode.
            for dtype in dtypes[:1]:
                yield unsupported(case, implementation, modes[0], dtype, "value", f"offers no {case.loss}")
            continue
        for dtype in dtypes:
            if dtype not in description.dtypes:
                for aspect in aspects(case.differentiate, twice=case.vector is not None):
                    yield unsupported(case, implementation, modes[0], dtype, aspect, f"takes no {dtype}")
                continue
            relations = related.of(case, dtype)
            for mode in modes:
                yield Question(implementation, case, dtype, mode)
                for relation, parts in relations.items():
                    if isinstance(parts, Inexpressible):
                        yield unsupported(case, implementation, mode, dtype, f"relation/{relation}", str(parts))
                        continue
                    for part, asked in parts.cases.items():
                        yield Question(implementation, asked, dtype, mode, relation, part)


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
