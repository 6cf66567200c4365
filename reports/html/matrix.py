"""The matrix: cases by implementations and modes, each place the gravest of its cells, folded where all is well."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.core.cell import Cell, Run
from harness.runs.failures import Failure, failures
from reports.tally import cases_of, order_of, text
from reports.words import MARKS, Mark, gravity, status, told

__all__ = ["Column", "Group", "Matrix", "Place", "Row", "build", "folder"]

_QUIET = frozenset({"agrees", "unsupported"})
"""Statuses that are not counted in the heading of a group."""
_SETTLED = _QUIET | {"missing"}
"""Statuses that fold a row away. An implementation that could not be started is told once, not in every row."""


@dataclass(frozen=True, order=True)
class Column:
    """An implementation in one of its modes."""

    implementation: str
    mode: str


@dataclass(frozen=True)
class Place:
    """What one implementation and mode did with one case."""

    mark: Mark
    happened: str
    offered: str
    """How many cells were judged of how many, where some are not offered: 6/8."""


@dataclass(frozen=True)
class Row:
    """One case."""

    number: int
    case: str
    title: str
    places: tuple[Place | None, ...]
    """In the order of the matrix's columns; None where the case was not asked."""
    gravest: int
    settled: bool


@dataclass(frozen=True)
class Group:
    """The cases of one folder of the suite."""

    folder: str
    restless: tuple[Row, ...]
    settled: tuple[Row, ...]
    counts: tuple[tuple[Mark, int], ...]
    """Places by mark, gravest first, agreement and absence left out."""

    @property
    def size(self) -> int:
        return len(self.restless) + len(self.settled)


@dataclass(frozen=True)
class Matrix:
    """Everything the matrix shows."""

    cases: tuple[str, ...]
    """In the order of their numbers."""
    columns: tuple[Column, ...]
    heads: tuple[tuple[str, tuple[str, ...]], ...]
    """Implementations with their modes: the columns, grouped."""
    groups: tuple[Group, ...]
    causes: tuple[Failure, ...]
    """What is wrong, once for each cause, the gravest first."""


def folder(case: str) -> str:
    """The family of a case: its id up to the last slash."""
    return case.rpartition("/")[0] or "cases"


def build(run: Run) -> Matrix:
    """The group with the gravest case first, and in each the gravest case first."""
    described = cases_of(run)
    by_place: dict[tuple[str, Column], list[Cell]] = defaultdict(list)
    for cell in run.cells:
        by_place[cell.case, Column(cell.implementation, cell.mode)].append(cell)
    columns = _columns(run, {column for _, column in by_place})
    cases = tuple(sorted({case for case, _ in by_place} | set(described), key=lambda case: (folder(case), case)))
    rows: dict[str, list[Row]] = defaultdict(list)
    for number, case in enumerate(cases):
        places = tuple(_place(by_place.get((case, column))) for column in columns)
        rows[folder(case)].append(_row(number, case, text(described.get(case, {}).get("title")), places))
    return Matrix(
        cases=cases,
        columns=columns,
        heads=tuple(
            (name, tuple(column.mode for column in columns if column.implementation == name))
            for name in order_of(column.implementation for column in columns)
        ),
        groups=tuple(_group(name, rows[name]) for name in sorted(rows, key=lambda n: (-_above_known(rows[n]), n))),
        causes=failures(run),
    )


def _above_known(rows: Sequence[Row]) -> int:
    """The gravest of what nobody knows; groups of a run in which all is known stay in the order of their names."""
    gravest = max(row.gravest for row in rows)
    return gravest if gravest > MARKS["known"].rank else 0


def _columns(run: Run, found: set[Column]) -> tuple[Column, ...]:
    """Modes in the order in which the implementation lists them, its default first."""
    listed: Mapping[str, Sequence[str]] = {
        name: tuple(entry.get("modes") or ()) for name, entry in run.header.implementations.items()
    }

    def position(column: Column) -> tuple[int, str]:
        modes = listed.get(column.implementation, ())
        return (list(modes).index(column.mode) if column.mode in modes else len(modes), column.mode)

    names = order_of(column.implementation for column in found)
    return tuple(sorted(found, key=lambda c: (names.index(c.implementation), position(c))))


def _place(cells: Sequence[Cell] | None) -> Place | None:
    if not cells:
        return None
    gravest = max(cells, key=lambda c: (gravity(c), c.key))
    refused = sum(1 for c in cells if c.verdict == "unsupported")
    partly = 0 < refused < len(cells)
    return Place(MARKS[status(gravest)], told(gravest), f"{len(cells) - refused}/{len(cells)}" if partly else "")


def _row(number: int, case: str, title: str, places: tuple[Place | None, ...]) -> Row:
    present = [place.mark for place in places if place is not None]
    settled = all(mark.key in _SETTLED for mark in present)
    return Row(number, case, title, places, max((mark.rank for mark in present), default=0), settled)


def _group(name: str, rows: Sequence[Row]) -> Group:
    counts = Counter(p.mark.key for row in rows for p in row.places if p is not None and p.mark.key not in _QUIET)
    return Group(
        folder=name,
        restless=tuple(sorted((r for r in rows if not r.settled), key=lambda r: (-r.gravest, r.case))),
        settled=tuple(r for r in rows if r.settled),
        counts=tuple((mark, counts[key]) for key, mark in MARKS.items() if counts[key]),
    )
