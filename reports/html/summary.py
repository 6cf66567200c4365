"""The first screen: what was tested, how it stands, the worst in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.core.cell import Cell, Run
from reports.html.addresses import address
from reports.number_format import percent, rough
from reports.tally import (
    Finding,
    Standing,
    Totals,
    is_scratch,
    sentence,
    standings,
    text,
    totals,
    worst_known,
    worst_things,
)
from reports.words import FINDINGS, INFRASTRUCTURE_STATUSES, MARKS, Mark, status

__all__ = ["Bar", "StandingLine", "Summary", "Worst", "build", "segments"]

COLUMNS = ("agrees", "by_convention", "known", *FINDINGS, "unsupported")
"""Statuses that have a column of their own, from good to bad to absent."""
_BAR = 240.0
_THINNEST = 2.0
"""Units of a bar that anything but nothing gets: one wrong cell in ten thousand must be seen."""


@dataclass(frozen=True)
class Bar:
    """A piece of a bar of `_BAR` units."""

    key: str
    x: float
    width: float


@dataclass(frozen=True)
class StandingLine:
    """A row of the table of implementations."""

    standing: Standing
    share: str
    bars: tuple[Bar, ...]
    counts: tuple[tuple[Mark, int], ...]
    scratch: bool
    modes: str
    """The modes it was run in; an implementation may have more."""


@dataclass(frozen=True)
class Worst:
    """One of the worst things, in words."""

    mark: Mark
    implementation: str
    loss: str
    where: str
    sentence: str
    size: str
    alike: int
    link: str
    ledger: str
    """Link to the entry that explains it."""


@dataclass(frozen=True)
class Summary:
    """Everything on the first screen."""

    totals: Totals
    share: str
    lines: tuple[StandingLine, ...]
    worst: tuple[Worst, ...]
    """What disagrees; where there are not three such things, the gravest of what the ledger explains."""
    columns: tuple[Mark, ...]
    infrastructure: tuple[tuple[Mark, int], ...]
    date: str
    clean: bool


def build(run: Run, modes: Mapping[str, tuple[str, ...]]) -> Summary:
    """`modes` are those each implementation was run in, as the matrix shows them."""
    t = totals(run)
    return Summary(
        totals=t,
        share=percent(100.0 * t.right / t.judged if t.judged else None),
        lines=tuple(_line(s, modes.get(s.implementation, ())) for s in standings(run)),
        worst=_told(run),
        columns=tuple(MARKS[key] for key in COLUMNS),
        infrastructure=tuple((MARKS[key], t.counts[key]) for key in INFRASTRUCTURE_STATUSES if t.counts.get(key)),
        date=run.header.started.replace("T", " ").replace("+00:00", " UTC"),
        clean=not (t.disagreeing or t.infrastructure),
    )


def _line(standing: Standing, modes: tuple[str, ...]) -> StandingLine:
    return StandingLine(
        standing=standing,
        share=percent(standing.share),
        bars=segments(standing.counts),
        counts=tuple((MARKS[key], standing.counts.get(key, 0)) for key in COLUMNS),
        scratch=is_scratch(standing.implementation),
        modes=", ".join(mode for mode in modes if mode != "-"),
    )


def segments(counts: Mapping[str, int]) -> tuple[Bar, ...]:
    """The judged cells as pieces of a bar; what is neither offered nor run is in no piece."""
    keys = [key for key in COLUMNS if key != "unsupported" and counts.get(key)]
    total = sum(counts[key] for key in keys)
    widths = [max(_THINNEST, _BAR * counts[key] / total) for key in keys]
    scale = _BAR / sum(widths) if widths else 1.0
    bars, x = [], 0.0
    for key, width in zip(keys, widths, strict=True):
        bars.append(Bar(key, round(x, 2), round(width * scale, 2)))
        x += width * scale
    return tuple(bars)


_WORST = 3


def _told(run: Run) -> tuple[Worst, ...]:
    wrong = worst_things(run, _WORST)
    listed = run.header.suite.get("ledger")
    reasons = listed if isinstance(listed, Mapping) else {}
    known = worst_known(run, _WORST - len(wrong))
    return (
        *(_worst(f, sentence(f.cell)) for f in wrong),
        *(_worst(f, _reason(reasons.get(f.cell.ledger), f.cell)) for f in known),
    )


def _reason(entry: object, cell: Cell) -> str:
    """Why it happens; what happened here where the run file says no reason."""
    return text(entry.get("reason")) if isinstance(entry, Mapping) and entry.get("reason") else sentence(cell)


def _worst(finding: Finding, said: str) -> Worst:
    cell = finding.cell
    size = f"{rough(cell.ulps)} ulp" if cell.ulps is not None and str(cell.ulps) not in ("nan", "inf") else ""
    if cell.verdict == "known" and cell.severity in FINDINGS:
        size = ", ".join(filter(None, (MARKS[cell.severity].word, size)))
    return Worst(
        mark=MARKS[status(cell)],
        implementation=cell.implementation,
        loss=finding.loss,
        where=f"{cell.aspect}, {cell.dtype}, {cell.mode}",
        sentence=said,
        size=size,
        alike=finding.alike - 1,
        link="#" + address("cell", cell.name),
        ledger="#" + address("ledger", cell.ledger) if cell.ledger else "",
    )
