"""The page of the kill matrix: which mistake is caught by how many cases, and which cases catch nothing."""

from __future__ import annotations

import shlex
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from harness.core.errors import UsageError
from harness.core.inputs import read_whole, reason_of
from reports.tally import text

__all__ = ["Killing", "KillsFileError", "MistakeLine", "build", "read"]


class KillsFileError(UsageError):
    """A file that is no kill matrix, with the reason and a hint."""


@dataclass(frozen=True)
class MistakeLine:
    """One mistake, planted in one loss after the other."""

    mistake: str
    kind: str
    caught: tuple[int | None, ...]
    """Cases that catch it, by loss; None where it is not planted in that loss."""


@dataclass(frozen=True)
class Killing:
    """Everything the page shows."""

    mutants: int
    cases: int
    losses: tuple[str, ...]
    lines: tuple[MistakeLine, ...]
    survivors: tuple[str, ...]
    idle: tuple[str, ...]
    """Cases that catch nothing."""
    busiest: tuple[tuple[str, int], ...]
    """The cases that catch most."""


LARGEST = 2**26
"""Bytes of a kill matrix: a hundred times that of the whole suite."""


class _Mutant(msgspec.Struct):
    mistake: str = ""
    kind: str = ""
    losses: list[str] = []


class _Matrix(msgspec.Struct):
    """What the page asks of a kill matrix; there may be more."""

    mutants: dict[str, _Mutant]
    cases: dict[str, list[str]]
    survivors: list[str] | None = None


def read(path: Path) -> Mapping[str, Any]:
    """The matrix as `xent kills --output` writes it; KillsFileError where the file is something else."""
    hint = f"write one with `xent kills --output {shlex.quote(str(path))}`"
    try:
        found = msgspec.json.decode(read_whole(path, LARGEST), type=_Matrix)
    except (OSError, ValueError, RecursionError) as error:
        raise KillsFileError(f"{path}: cannot be read as a kill matrix: {reason_of(error)}; {hint}") from error
    matrix: dict[str, Any] = msgspec.to_builtins(found)
    return matrix


def _survivors(matrix: Mapping[str, Any], caught: Counter[str]) -> Iterable[str]:
    """Those the matrix names; some mutants answer rightly and only misbehave, and are not to be caught."""
    named = matrix.get("survivors")
    return named if isinstance(named, list) else [name for name in matrix["mutants"] if not caught[name]]


def build(matrix: Mapping[str, Any]) -> Killing:
    """Mistakes by kind, the least caught first, since they are where the suite is thin."""
    mutants: Mapping[str, Mapping[str, Any]] = matrix["mutants"]
    cases: Mapping[str, Sequence[Any]] = matrix["cases"]
    caught = Counter(text(name) for names in cases.values() for name in names)
    by_mistake: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for name, entry in mutants.items():
        told = by_mistake[text(entry.get("kind")), text(entry.get("mistake")) or name]
        for loss in entry.get("losses") or ("",):
            told[text(loss)] = told.get(text(loss), 0) + caught[name]
    losses = tuple(sorted({loss for told in by_mistake.values() for loss in told}))
    lines = (
        MistakeLine(mistake, kind, tuple(told.get(loss) for loss in losses))
        for (kind, mistake), told in by_mistake.items()
    )
    return Killing(
        mutants=len(mutants),
        cases=len(cases),
        losses=losses,
        lines=tuple(sorted(lines, key=lambda m: (m.kind, min(n for n in m.caught if n is not None), m.mistake))),
        survivors=tuple(sorted(text(name) for name in _survivors(matrix, caught))),
        idle=tuple(sorted(case for case, names in cases.items() if not names)),
        busiest=tuple(sorted(((case, len(names)) for case, names in cases.items()), key=lambda c: (-c[1], c[0]))[:10]),
    )
