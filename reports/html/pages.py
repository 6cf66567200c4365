"""What the pages beside the matrix show: conventions, ledger, modes, infrastructure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.core.cell import INFRASTRUCTURE, RIGHT, Cell, Run
from harness.core.invariances import is_invariance
from reports.html.addresses import outside
from reports.html.convention_words import Meaning, meanings
from reports.number_format import count, percent, rough
from reports.tally import loss_of, order_of, text
from reports.words import FINDINGS, MARKS, Mark, status

__all__ = [
    "Broken",
    "Choices",
    "ConventionLine",
    "LedgerLine",
    "ModeLine",
    "ModeStanding",
    "Modes",
    "broken",
    "certified",
    "choices",
    "conventions",
    "facts",
    "ledger",
    "modes",
]


@dataclass(frozen=True)
class ConventionLine:
    """A convention under which implementations agree, and only under it; with another number in another dtype it is the
    same one."""

    meanings: tuple[Meaning, ...]
    forms: tuple[str, ...]
    """As it was written, with its numbers; empty where that says no more."""
    users: tuple[tuple[str, int], ...]
    """Implementation, cells."""
    cases: tuple[str, ...]


def conventions(cells: Sequence[Cell]) -> tuple[ConventionLine, ...]:
    """The conventions that were needed, the most used first."""
    users: dict[tuple[Meaning, ...], Counter[str]] = defaultdict(Counter)
    cases: dict[tuple[Meaning, ...], set[str]] = defaultdict(set)
    forms: dict[tuple[Meaning, ...], set[str]] = defaultdict(set)
    for cell in cells:
        if cell.verdict == "by_convention" and not is_invariance(cell.aspect):
            told = meanings(text(cell.convention))
            users[told][cell.implementation] += 1
            cases[told].add(cell.case)
            forms[told].add(text(cell.convention))
    return tuple(
        ConventionLine(
            meanings=told,
            forms=tuple(sorted(forms[told] - {", ".join(m.name for m in told), ""})),
            users=tuple((i, users[told][i]) for i in order_of(users[told])),
            cases=tuple(sorted(cases[told])),
        )
        for told in sorted(users, key=lambda t: (-users[t].total(), t))
    )


@dataclass(frozen=True)
class Choices:
    """One loss: under which convention each implementation is right."""

    loss: str
    lines: tuple[tuple[str, int, tuple[tuple[str, int], ...]], ...]
    """Implementation, cells that agree without any convention, then convention and cells."""


def choices(run: Run) -> tuple[Choices, ...]:
    """Losses on which at least one implementation needs a convention, with everybody who offers them beside it."""
    counts: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for cell in run.cells:
        if cell.verdict in RIGHT and not is_invariance(cell.aspect):
            name = "" if cell.verdict == "agrees" else cell.convention or "not named"
            counts[loss_of(run, cell.case)][cell.implementation][name] += 1
    return tuple(
        Choices(loss, tuple((i, by[i][""], tuple((n, k) for n, k in by[i].most_common() if n)) for i in order_of(by)))
        for loss, by in sorted(counts.items())
        if any(name for found in by.values() for name in found)
    )


@dataclass(frozen=True)
class LedgerLine:
    """A known divergence."""

    id: str
    reason: str
    upstream: str
    link: str | None
    pinned: str
    selector: tuple[tuple[str, str], ...]
    cells: int
    users: tuple[str, ...]
    cases: tuple[str, ...]


def ledger(run: Run) -> tuple[LedgerLine, ...]:
    """Entries the suite lists or cells name, by id; those that explain something here stand before the others."""
    listed = run.header.suite.get("ledger")
    entries: Mapping[str, Any] = listed if isinstance(listed, Mapping) else {}
    found: dict[str, list[Cell]] = defaultdict(list)
    for cell in run.cells:
        if cell.ledger:
            found[cell.ledger].append(cell)
    return tuple(
        _ledger_line(id_, entries.get(id_), found[id_])
        for id_ in sorted({*entries, *found}, key=lambda id_: (not found[id_], id_))
    )


_TOLD = ("reason", "upstream", "pinned", "id")


def _ledger_line(id_: str, entry: object, cells: Sequence[Cell]) -> LedgerLine:
    entry = entry if isinstance(entry, Mapping) else {}
    upstream = entry.get("upstream")
    return LedgerLine(
        id=id_,
        reason=text(entry.get("reason")) or (text(cells[0].explanation) if cells else ""),
        upstream=text(upstream),
        link=outside(upstream),
        pinned=_plain(entry.get("pinned")),
        selector=tuple((key, _plain(value)) for key, value in entry.items() if key not in _TOLD and value),
        cells=len(cells),
        users=tuple(order_of(c.implementation for c in cells)),
        cases=tuple(sorted({c.case for c in cells})),
    )


def _plain(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{k}: {_plain(v)}" for k, v in value.items() if v is not None)
    if isinstance(value, list | tuple):
        return ", ".join(_plain(v) for v in value)
    return text(value)


@dataclass(frozen=True)
class Broken:
    """What was not run to an end."""

    mark: Mark
    implementation: str
    why: str
    cells: int
    example: str
    """Name of one cell."""


def broken(cells: Sequence[Cell]) -> tuple[Broken, ...]:
    """Infrastructure, apart from everything that judges mathematics."""
    groups: dict[tuple[int, str, str], list[Cell]] = defaultdict(list)
    for cell in cells:
        if cell.verdict in INFRASTRUCTURE:
            groups[-MARKS[status(cell)].rank, cell.implementation, text(cell.explanation)].append(cell)
    return tuple(
        Broken(MARKS[status(group[0])], name, why, len(group), min(c.name for c in group))
        for (_, name, why), group in sorted(groups.items())
    )


@dataclass(frozen=True)
class ModeLine:
    """A cell that two modes of one implementation judge differently."""

    implementation: str
    case: str
    dtype: str
    aspect: str
    marks: tuple[tuple[str, Mark, str], ...]
    """Mode, mark, error in ulps."""


@dataclass(frozen=True)
class ModeStanding:
    """An implementation that was run in several modes."""

    implementation: str
    modes: tuple[tuple[str, str, int], ...]
    """Mode, share that is right, cells that were judged."""
    differing: int
    """Places its modes judge differently."""


@dataclass(frozen=True)
class Modes:
    """Everything the page of modes shows."""

    standings: tuple[ModeStanding, ...]
    lines: tuple[ModeLine, ...]
    places: int
    """How many lines there would be."""


_MOST_MODE_LINES = 25
"""Of one implementation: the page is read, not searched; the matrix filters the rest."""
_BETWEEN_MODES = "mode_agreement"
"""The aspect that compares modes itself, and says nothing new beside the modes it compares."""


def modes(run: Run) -> Modes:
    """Where eager, graph, jit and compile differ in verdict: how often, and the gravest places of each."""
    groups: dict[str, dict[tuple[str, str, str], dict[str, Cell]]] = defaultdict(lambda: defaultdict(dict))
    for cell in run.cells:
        is_judged = cell.verdict not in INFRASTRUCTURE and not is_invariance(cell.aspect)
        if is_judged and cell.aspect != _BETWEEN_MODES:
            groups[cell.implementation][cell.case, cell.dtype, cell.aspect][cell.mode] = cell
    standings, lines = [], []
    for name in order_of(groups):
        places = groups[name]
        if len({mode for by_mode in places.values() for mode in by_mode}) < 2:
            continue
        differing = [(k, g) for k, g in places.items() if len({status(c) for c in g.values()} - {"unsupported"}) > 1]
        differing.sort(key=lambda entry: (-max(_rank(c) for c in entry[1].values()), entry[0]))
        standings.append(ModeStanding(name, _by_mode(places.values()), len(differing)))
        lines += [
            ModeLine(name, *key, tuple((mode, MARKS[status(c)], rough(c.ulps)) for mode, c in sorted(group.items())))
            for key, group in differing[:_MOST_MODE_LINES]
        ]
    return Modes(tuple(standings), tuple(lines), sum(s.differing for s in standings))


def _by_mode(places: Iterable[Mapping[str, Cell]]) -> tuple[tuple[str, str, int], ...]:
    right, judged = Counter[str](), Counter[str]()
    for by_mode in places:
        for mode, cell in by_mode.items():
            judged[mode] += cell.verdict != "unsupported"
            right[mode] += cell.verdict in RIGHT
    return tuple((m, percent(100.0 * right[m] / judged[m] if judged[m] else None), judged[m]) for m in sorted(judged))


def _rank(cell: Cell) -> int:
    """How grave, whether or not the ledger knows it."""
    return MARKS[cell.severity if cell.verdict == "known" and cell.severity in FINDINGS else status(cell)].rank


def facts(entries: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """A mapping as lines of a table, in its own order, without what is empty."""
    return tuple((key.replace("_", " "), _plain(v)) for key, v in entries.items() if v not in (None, "", [], {}, ()))


def certified(certificate: Mapping[str, Any]) -> str:
    """The certificate of the reference in one sentence."""
    points = certificate.get("points")
    if not isinstance(points, int) or "normal_ulps" not in certificate:
        return text(certificate.get("sentence")) or ", ".join(" ".join(fact) for fact in facts(certificate))
    told = f"{count(points)} points against mpmath, largest error {rough(certificate['normal_ulps'])} ulp"
    return told if certificate.get("holds") else f"NOT certified: {told}"
