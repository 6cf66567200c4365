"""What the page of a case holds without JavaScript: the question, the truth, and every cell that does not agree."""

from __future__ import annotations

import json
import shlex
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from harness.core.cell import INFRASTRUCTURE, Cell, Run
from reports.html.addresses import address
from reports.html.matrix import folder
from reports.number_format import rough, shown
from reports.tally import cases_of, sentence, text
from reports.words import MARKS, Mark, excess, gravity, status, told

__all__ = ["CasePage", "Line", "Truth", "build"]

_MOST_LINES = 1500
"""Cells written out over the whole report, gravest first; a run in which more disagree is read with JavaScript. Keeps a
report of a hundred thousand cells below 8 MB however bad they are."""
_LONGEST = 600
"""Characters of a message or a list of numbers."""


@dataclass(frozen=True)
class Line:
    """A cell that does not agree."""

    id: str
    where: tuple[str, str, str, str]
    """Implementation, mode, dtype, aspect."""
    mark: Mark
    happened: str
    got: str
    truth: str
    ulps: str
    used: str
    """Error in multiples of the budget."""
    note: str
    convention: str
    ledger: str


@dataclass(frozen=True)
class Truth:
    """A result that is right, to twenty digits."""

    dtype: str
    """The dtype whose rounded inputs it was computed for."""
    aspect: str
    shape: str
    digits: tuple[str, ...]


@dataclass(frozen=True)
class CasePage:
    """One case."""

    number: int
    case: str
    folder: str
    title: str
    why: str
    loss: str
    tags: tuple[str, ...]
    source: str
    place: str
    """File and line of the suite."""
    expect: str
    inputs: tuple[tuple[str, str], ...]
    options: tuple[tuple[str, str], ...]
    truths: tuple[Truth, ...]
    lines: tuple[Line, ...]
    unsaid: int
    """Cells that do not agree and are left to JavaScript."""
    absent: tuple[tuple[Mark, int], ...]
    """Cells that are not offered or were not run to an end; why is told by the cell itself and by the environment."""
    agreeing: int
    cells: int
    command: str
    """What prints the script of the first of the lines that has one; nothing where none has."""


Key = tuple[str, str, str, str, str]
"""Of a cell."""


def build(run: Run, cases: Sequence[str], scripted: Set[Key] = frozenset()) -> tuple[CasePage, ...]:
    """One page per case, in the order given; `scripted` are the cells that `xent repro` has a script for."""
    described = cases_of(run)
    by_case: dict[str, list[Cell]] = defaultdict(list)
    for cell in run.cells:
        by_case[cell.case].append(cell)
    telling = sorted((c for c in run.cells if _tells(c)), key=lambda c: (-gravity(c)[0], -gravity(c)[1], c.key))
    written = {c.key for c in telling[:_MOST_LINES]}
    return tuple(
        _page(i, case, described.get(case, {}), by_case[case], written, scripted) for i, case in enumerate(cases)
    )


def _tells(cell: Cell) -> bool:
    return cell.verdict not in {"agrees", "unsupported", *INFRASTRUCTURE}


def _page(
    number: int,
    case: str,
    entry: Mapping[str, Any],
    cells: Sequence[Cell],
    written: Set[Key],
    scripted: Set[Key],
) -> CasePage:
    telling = sorted((c for c in cells if _tells(c)), key=lambda c: (-gravity(c)[0], -gravity(c)[1], c.key))
    chosen = [c for c in telling if c.key in written]
    lines = tuple(_line(c) for c in chosen)
    reproducible = next((c for c in chosen if c.key in scripted), None)
    return CasePage(
        number=number,
        case=case,
        folder=folder(case),
        title=text(entry.get("title")) or case,
        why=text(entry.get("why")),
        loss=text(entry.get("loss")),
        tags=tuple(text(t) for t in entry.get("tags") or ()),
        source=_source(entry.get("source")),
        place=f"{entry.get('file')}:{entry.get('line')}" if entry.get("file") else "",
        expect=_expectation(entry),
        inputs=tuple((name, _clip(_readable(v))) for name, v in _given(entry).items()),
        options=tuple((name, _clip(_readable(v))) for name, v in (entry.get("options") or {}).items()),
        truths=_truths(entry.get("truth")),
        lines=lines,
        unsaid=len(telling) - len(lines),
        absent=_absent(cells),
        agreeing=sum(1 for c in cells if c.verdict == "agrees"),
        cells=len(cells),
        command=f"xent repro {shlex.quote(reproducible.name)}" if reproducible else "",
    )


def _expectation(entry: Mapping[str, Any]) -> str:
    demanded = ", ".join(text(aspect) for aspect in entry.get("at_least") or ())
    return (text(entry.get("expect")) or "truth") + (f", accurate relative to itself: {demanded}" if demanded else "")


def _given(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """The inputs, what the gradient is multiplied with, and the direction of the second derivative, where given."""
    names = {"cotangent": "cotangent of the gradient", "vector": "direction of the second derivative"}
    more = {told: entry[name] for name, told in names.items() if entry.get(name)}
    return {**(entry.get("inputs") or {}), **more}


def _line(cell: Cell) -> Line:
    return Line(
        id=address("cell", cell.name),
        where=(cell.implementation, cell.mode, cell.dtype, cell.aspect),
        mark=MARKS[status(cell)],
        happened=told(cell),
        got=_clip(shown(cell.got, cell.dtype)) or _clip(_said(cell)),
        truth=_clip(shown(cell.truth, "float64")),
        ulps=rough(cell.ulps),
        used=rough(excess(cell)) if cell.ratio is not None else "",
        note=_clip(sentence(cell)),
        convention=text(cell.convention),
        ledger=text(cell.ledger),
    )


def _said(cell: Cell) -> str:
    outcome = cell.outcome
    kind = outcome.get("type") or outcome.get("error")
    return f"{kind}: {outcome.get('message', '')}" if kind else ""


def _absent(cells: Sequence[Cell]) -> tuple[tuple[Mark, int], ...]:
    counts = Counter(status(c) for c in cells if c.verdict == "unsupported" or c.verdict in INFRASTRUCTURE)
    return tuple((mark, counts[key]) for key, mark in MARKS.items() if counts[key])


def _source(source: object) -> str:
    if not isinstance(source, Mapping):
        return text(source)
    return ", ".join(text(source[key]) for key in ("document", "section") if source.get(key))


def _truths(truth: object) -> tuple[Truth, ...]:
    """The header gives the dtype and, by aspect, shape and digits."""
    if not isinstance(truth, Mapping):
        return ()
    dtype = text(truth.get("dtype"))
    return tuple(
        Truth(
            dtype=dtype,
            aspect=text(aspect),
            shape="×".join(text(n) for n in entry.get("shape") or ()),
            digits=tuple(text(d) for d in entry.get("digits") or ()),
        )
        for aspect, entry in truth.items()
        if isinstance(entry, Mapping)
    )


def _readable(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _clip(words: str) -> str:
    return words if len(words) <= _LONGEST else words[: _LONGEST - 1] + "…"
