"""The file of margins, cases/margins.yaml: results that use more than half of their tolerance, and why that is fine.

- cases: [edges/long-*]                   # globs over case ids
  implementations: [optax, keras-jax]     # globs
  dtypes: [bfloat16]                      # optional
  aspects: [gradient]                     # optional
  reason: Why it is that far off, and why no other inputs were chosen.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.core.cell import Cell
from harness.suite.loading import find_cases_directory
from harness.suite.problems import Problem, SuiteError
from harness.suite.reading import ListNode, line_at, plain, read

Globs = Annotated[list[str], Field(min_length=1)]

_SHORTEST_REASON = 40
"""Characters, as of a ledger entry's reason."""


@dataclass(frozen=True)
class Statement:
    """Results close to the edge of their tolerance that a person has looked at."""

    cases: tuple[str, ...]
    implementations: tuple[str, ...]
    dtypes: tuple[str, ...]
    aspects: tuple[str, ...]
    reason: str
    line: int

    def is_about(self, cell: Cell) -> bool:
        """Whether it speaks of this cell."""
        patterns = (self.cases, self.implementations, self.dtypes, self.aspects)
        names = (cell.case, cell.implementation, cell.dtype, cell.aspect)
        return all(any(fnmatchcase(name, one) for one in some) for some, name in zip(patterns, names, strict=True))


class _StatementModel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    cases: Globs
    implementations: Globs
    dtypes: Globs = ["*"]
    aspects: Globs = ["*"]
    reason: Annotated[str, Field(min_length=_SHORTEST_REASON)]


def margins_file() -> Path:
    """Where the statements stand."""
    return find_cases_directory() / "margins.yaml"


def read_margins(text: str, file: str) -> tuple[Statement, ...]:
    """The statements of a file; SuiteError with every problem found."""
    node, problems = read(text, file)
    found: list[Statement] = []
    if not problems and not isinstance(node, ListNode):
        problems = [Problem(file, 1, "", "expected a list of statements", "Begin every statement with - cases:")]
    for position, item in enumerate(node.entries if isinstance(node, ListNode) else ()):
        try:
            model = _StatementModel.model_validate(plain(item))
        except ValidationError as error:
            for one in error.errors():
                field = ".".join(str(step) for step in (f"[{position}]", *one["loc"]))
                hint = "See CONTRIBUTING.md, results close to the edge"
                problems.append(Problem(file, line_at(item, tuple(one["loc"])), field, one["msg"], hint))
            continue
        globs = (model.cases, model.implementations, model.dtypes, model.aspects)
        cases, implementations, dtypes, aspects = (tuple(some) for some in globs)
        found.append(Statement(cases, implementations, dtypes, aspects, model.reason, item.line))
    if problems:
        raise SuiteError(problems)
    return tuple(found)
