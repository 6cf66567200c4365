"""A page for each implementation: what is wrong, what is known and why, its conventions, what it refuses."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.core.cell import RIGHT, Cell, Run
from harness.core.invariances import is_invariance
from reports.html.addresses import address
from reports.html.convention_words import Meaning, meanings
from reports.tally import Standing, cases_of, loss_of, sentence, standings, text
from reports.words import FINDINGS, MARKS, Mark, excess, status, told

__all__ = ["Cause", "Known", "Page", "Refusal", "build"]

_MOST_ALONE = 20
"""Lines of what fails only here: the page is read, and the matrix has all of them."""

_OTHERS = 2
"""So many other implementations have to be right, and all that answer, before something counts as failing only here."""


@dataclass(frozen=True)
class Cause:
    """What is wrong in one way in one loss, told by its gravest cell."""

    mark: Mark
    loss: str
    aspect: str
    happened: str
    sentence: str
    cells: int
    example: str
    """Name of the cell."""

    @property
    def link(self) -> str:
        return "#" + address("cell", self.example)


@dataclass(frozen=True)
class Known:
    """An entry of the ledger that explains cells of this implementation."""

    id: str
    reason: str
    mark: Mark
    """How grave it would be, were it not known."""
    cells: int
    example: str

    @property
    def link(self) -> str:
        return "#" + address("cell", self.example)


@dataclass(frozen=True)
class Refusal:
    """A reason for which something is not offered."""

    reason: str
    cells: int
    cases: int
    losses: tuple[str, ...]


@dataclass(frozen=True)
class Alone:
    """A place that is wrong here while everybody else who answers is right."""

    case: str
    title: str
    where: str
    mark: Mark
    others: int
    link: str


@dataclass(frozen=True)
class Page:
    """Everything the page of one implementation shows."""

    standing: Standing
    modes: tuple[str, ...]
    described: Mapping[str, Any]
    """What it attested of itself."""
    wrong: tuple[Cause, ...]
    known: tuple[Known, ...]
    conventions: tuple[tuple[tuple[Meaning, ...], int], ...]
    """What each convention it needs means, and how many cells need it."""
    refusals: tuple[Refusal, ...]
    alone: tuple[Alone, ...]
    alone_in_all: int

    @property
    def name(self) -> str:
        return self.standing.implementation

    @property
    def offered(self) -> int:
        return self.standing.judged + self.standing.infrastructure


def build(run: Run, modes: Mapping[str, tuple[str, ...]]) -> tuple[Page, ...]:
    """One page for each implementation of the run; `modes` are those that were run, as the matrix shows them."""
    cells: dict[str, list[Cell]] = defaultdict(list)
    for cell in run.cells:
        if not is_invariance(cell.aspect):
            cells[cell.implementation].append(cell)
    entries = run.header.suite.get("ledger")
    reasons: Mapping[str, Any] = entries if isinstance(entries, Mapping) else {}
    alone = _alone(run)
    return tuple(
        Page(
            standing=standing,
            modes=tuple(mode for mode in modes.get(standing.implementation, ()) if mode != "-"),
            described=run.header.implementations.get(standing.implementation, {}),
            wrong=_wrong(run, cells[standing.implementation]),
            known=_known(reasons, cells[standing.implementation]),
            conventions=_conventions(cells[standing.implementation]),
            refusals=_refusals(run, cells[standing.implementation]),
            alone=tuple(alone[standing.implementation][:_MOST_ALONE]),
            alone_in_all=len(alone[standing.implementation]),
        )
        for standing in standings(run)
    )


def _gravest(cells: Sequence[Cell]) -> Cell:
    return max(cells, key=lambda c: (_rank(c), excess(c), c.key))


def _rank(cell: Cell) -> int:
    return _mark(cell).rank


def _mark(cell: Cell) -> Mark:
    """How grave, whether or not the ledger knows it."""
    return MARKS[cell.severity if cell.verdict == "known" and cell.severity in FINDINGS else status(cell)]


def _wrong(run: Run, cells: Sequence[Cell]) -> tuple[Cause, ...]:
    """The gravest first, then the most frequent."""
    groups: dict[tuple[str, str, str, str], list[Cell]] = defaultdict(list)
    for cell in cells:
        if cell.verdict == "disagrees":
            groups[loss_of(run, cell.case), cell.aspect, status(cell), told(cell)].append(cell)
    causes = [
        Cause(MARKS[key], loss, aspect, happened, sentence(worst), len(group), worst.name)
        for (loss, aspect, key, happened), group in groups.items()
        for worst in [_gravest(group)]
    ]
    return tuple(sorted(causes, key=lambda c: (-c.mark.rank, -c.cells, c.loss, c.aspect, c.example)))


def _known(reasons: Mapping[str, Any], cells: Sequence[Cell]) -> tuple[Known, ...]:
    groups: dict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        if cell.verdict == "known" and cell.ledger:
            groups[cell.ledger].append(cell)
    lines = []
    for id_, group in groups.items():
        entry, worst = reasons.get(id_), _gravest(group)
        reason = text(entry.get("reason")) if isinstance(entry, Mapping) else ""
        lines.append(Known(id_, reason or sentence(worst), _mark(worst), len(group), worst.name))
    return tuple(sorted(lines, key=lambda k: (-k.mark.rank, -k.cells, k.id)))


def _conventions(cells: Sequence[Cell]) -> tuple[tuple[tuple[Meaning, ...], int], ...]:
    """One line for each meaning: the same clip in two dtypes is one convention."""
    counts = Counter(meanings(text(cell.convention)) for cell in cells if cell.verdict == "by_convention")
    return tuple(sorted(counts.items(), key=lambda entry: (-entry[1], [m.name for m in entry[0]])))


def _refusals(run: Run, cells: Sequence[Cell]) -> tuple[Refusal, ...]:
    groups: dict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        if cell.verdict == "unsupported":
            groups[text(cell.outcome.get("reason")) or "no reason was given"].append(cell)
    return tuple(
        Refusal(
            reason,
            len(group),
            len({c.case for c in group}),
            tuple(sorted({loss_of(run, c.case) for c in group} - {""})),
        )
        for reason, group in sorted(groups.items(), key=lambda entry: (-len(entry[1]), entry[0]))
    )


def _alone(run: Run) -> Mapping[str, list[Alone]]:
    """By implementation, the gravest first, a case once: its gravest cell, and how many others are right."""
    described = cases_of(run)
    places: dict[tuple[str, str, str], dict[str, list[Cell]]] = defaultdict(lambda: defaultdict(list))
    for cell in run.cells:
        if (cell.verdict in RIGHT or cell.verdict in ("disagrees", "known")) and not is_invariance(cell.aspect):
            places[cell.case, cell.dtype, cell.aspect][cell.implementation].append(cell)
    found: dict[str, dict[str, tuple[Cell, int]]] = defaultdict(dict)
    for by_name in places.values():
        failing = [name for name, cells in by_name.items() if any(c.verdict not in RIGHT for c in cells)]
        if len(failing) != 1 or len(by_name) <= _OTHERS:
            continue
        worst = _gravest(by_name[failing[0]])
        other = found[failing[0]].get(worst.case)
        if other is None or (_rank(worst), excess(worst), worst.key) > (
            _rank(other[0]),
            excess(other[0]),
            other[0].key,
        ):
            found[failing[0]][worst.case] = worst, len(by_name) - 1
    lines: dict[str, list[Alone]] = defaultdict(list)
    for name, by_case in found.items():
        ranked = sorted(by_case.values(), key=lambda entry: (-_rank(entry[0]), -excess(entry[0]), entry[0].case))
        lines[name] = [
            Alone(
                case=cell.case,
                title=text(described.get(cell.case, {}).get("title")),
                where=f"{cell.aspect}, {cell.dtype}, {cell.mode}",
                mark=_mark(cell),
                others=others,
                link="#" + address("cell", cell.name),
            )
            for cell, others in ranked
        ]
    return lines
