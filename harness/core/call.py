"""A call as it is asked: one case, in one dtype and mode, of one implementation."""

from __future__ import annotations

from dataclasses import dataclass

from harness.core.case import Case

BASE = "base"
"""The part of a relation that is the case itself."""


@dataclass(frozen=True)
class Question:
    """One call to one implementation."""

    implementation: str
    case: Case
    dtype: str
    mode: str
    relation: str = ""
    """The relation this call is a part of; empty for the case itself."""
    part: str = BASE

    @property
    def home(self) -> str:
        """The id of the case that was written: parts of a relation belong to the case they are made from."""
        return self.case.id.partition("#")[0]
