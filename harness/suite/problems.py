"""What is wrong with a case file: every problem with its place and its hint, and the error that carries them all."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.core.errors import UsageError


@dataclass(frozen=True)
class Problem:
    """One thing that keeps a case file from being used."""

    file: str
    line: int
    field: str
    """Path inside the file, e.g. [3].inputs.logits; empty for the file as a whole."""
    message: str
    """What is wrong and what was expected."""
    hint: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" + (f": {self.field}" if self.field else "")
        return f"{where}: {self.message}. {self.hint}"


MOST_SHOWN = 100
"""Problems in the message of an error; more are of the same few kinds, and nobody reads them at once."""


class SuiteError(UsageError):
    """Files that cannot be used, with all their problems: nothing partial is ever run. `of` says which they are."""

    def __init__(self, problems: Sequence[Problem], of: str = "the case files") -> None:
        self.problems = tuple(problems)
        count = f"{len(self.problems)} problem" + ("" if len(self.problems) == 1 else "s")
        lines = [f"  {problem}" for problem in self.problems[:MOST_SHOWN]]
        more = len(self.problems) - len(lines)
        lines += [f"  … and {more} more"] if more else []
        super().__init__(f"{count} in {of}\n" + "\n".join(lines))


def close_matches(name: str, names: Iterable[str], count: int = 3) -> tuple[str, ...]:
    """The names that look like `name`, nearest first."""
    return tuple(difflib.get_close_matches(name, list(names), n=count, cutoff=0.6))


def suggestion(name: str, names: Iterable[str]) -> str:
    """A hint for an unknown name: the nearest one, or all of them."""
    known = list(names)
    near = close_matches(name, known, 1)
    return f"Did you mean {near[0]}?" if near else f"Known: {', '.join(known) or 'none'}"
