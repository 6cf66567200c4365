"""Counts and rankings of a run, shared by every writer so that no two of them can disagree."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.core.cell import RIGHT, Cell, ClaimRecord, Run
from harness.core.invariances import is_invariance
from reports.words import FINDINGS, INFRASTRUCTURE_STATUSES, MARKS, excess, status

__all__ = [
    "Standing",
    "Totals",
    "is_scratch",
    "order_of",
    "standings",
    "totals",
    "unexpected_claims",
    "worst_known",
    "worst_things",
]


JUDGED = (*RIGHT, "known", *FINDINGS)
"""What says something about the mathematics."""


def _of(counts: Mapping[str, int], statuses: Iterable[str]) -> int:
    return sum(counts.get(name, 0) for name in statuses)


@dataclass(frozen=True)
class Standing:
    """How one implementation stands."""

    implementation: str
    version: str
    missing: str | None
    """Why it could not be started."""
    counts: Mapping[str, int]
    """Cells by status."""

    @property
    def judged(self) -> int:
        return _of(self.counts, JUDGED)

    @property
    def right(self) -> int:
        return _of(self.counts, RIGHT)

    @property
    def disagreeing(self) -> int:
        return _of(self.counts, FINDINGS)

    @property
    def infrastructure(self) -> int:
        return _of(self.counts, INFRASTRUCTURE_STATUSES)

    @property
    def share(self) -> float | None:
        """Right cells among the judged ones, in percent; None where nothing was judged."""
        return 100.0 * self.right / self.judged if self.judged else None


@dataclass(frozen=True)
class Totals:
    """The run in numbers."""

    cells: int
    cases: int
    counts: Mapping[str, int]
    implementations_run: int
    implementations_missing: int
    implementations_disagreeing: int

    @property
    def judged(self) -> int:
        return _of(self.counts, JUDGED)

    @property
    def right(self) -> int:
        return _of(self.counts, RIGHT)

    @property
    def disagreeing(self) -> int:
        return _of(self.counts, FINDINGS)

    @property
    def infrastructure(self) -> int:
        return _of(self.counts, INFRASTRUCTURE_STATUSES)


def is_scratch(implementation: str) -> bool:
    """Whether this is the code of a document, which is run to show what it gets wrong."""
    return implementation.startswith("scratch-")


def order_of(names: Iterable[str]) -> list[str]:
    """Implementations as people look for them: by name, the documents' own code after the libraries."""
    return sorted(set(names), key=lambda name: (is_scratch(name), name))


def standings(run: Run) -> tuple[Standing, ...]:
    """One per implementation that was run or was to be run."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for cell in run.cells:
        # Whether bits are the same is right or wrong of nobody.
        if cell.verdict != "by_convention" or not is_invariance(cell.aspect):
            counts[cell.implementation][status(cell)] += 1
    described = run.header.implementations
    return tuple(
        Standing(
            implementation=name,
            version=text(described.get(name, {}).get("version")),
            missing=described.get(name, {}).get("missing"),
            counts=counts[name],
        )
        for name in order_of([*described, *counts])
    )


def totals(run: Run) -> Totals:
    all_standings = standings(run)
    counts: Counter[str] = Counter()
    for standing in all_standings:
        counts.update(standing.counts)
    return Totals(
        cells=len(run.cells),
        cases=len({cell.case for cell in run.cells}),
        counts=counts,
        implementations_run=sum(1 for s in all_standings if s.missing is None),
        implementations_missing=sum(1 for s in all_standings if s.missing is not None),
        implementations_disagreeing=sum(1 for s in all_standings if s.disagreeing),
    )


@dataclass(frozen=True)
class Finding:
    """Something wrong, told by its gravest cell."""

    cell: Cell
    alike: int
    """How many cells of the same implementation are wrong in the same way on the same loss."""
    loss: str


def worst_things(run: Run, most: int = 3) -> tuple[Finding, ...]:
    """The gravest disagreements, told once per implementation, loss and severity.

    Libraries come before the documents' own code, whose mistakes are known and are the reason it is run; then severity;
    then every implementation once before any twice; then how far outside the budget.
    """
    groups: dict[tuple[str, str, str], list[Cell]] = defaultdict(list)
    for cell in run.cells:
        if cell.verdict == "disagrees":
            groups[cell.implementation, loss_of(run, cell.case), status(cell)].append(cell)
    return _ranked(run, groups.values(), most)


def worst_known(run: Run, most: int = 3) -> tuple[Finding, ...]:
    """The gravest of what the ledger explains, told once per entry and ranked like `worst_things`."""
    groups: dict[str, list[Cell]] = defaultdict(list)
    for cell in run.cells:
        if cell.verdict == "known" and cell.ledger:
            groups[cell.ledger].append(cell)
    return _ranked(run, groups.values(), most)


def _ranked(run: Run, groups: Iterable[Sequence[Cell]], most: int) -> tuple[Finding, ...]:
    findings = [
        Finding(cell=worst, alike=len(cells), loss=loss_of(run, worst.case))
        for cells in groups
        for worst in [max(cells, key=lambda c: (_severity(c), excess(c), c.key))]
    ]
    findings.sort(key=lambda f: (-excess(f.cell), f.cell.key))
    nth: Counter[tuple[str, str]] = Counter()
    ranked = []
    for finding in findings:
        told = (finding.cell.implementation, finding.cell.severity or "")
        ranked.append((is_scratch(told[0]), -_severity(finding.cell), nth[told], finding))
        nth[told] += 1
    ranked.sort(key=lambda entry: entry[:3])
    return tuple(finding for *_, finding in ranked[:most])


def _severity(cell: Cell) -> int:
    """Rank of what is wrong, whether or not the ledger knows it."""
    return MARKS[cell.severity if cell.severity in FINDINGS else "silently_wrong"].rank


def loss_of(run: Run, case: str) -> str:
    return text(cases_of(run).get(case, {}).get("loss"))


def cases_of(run: Run) -> Mapping[str, Mapping[str, Any]]:
    """What the header says of each case."""
    cases = run.header.suite.get("cases")
    return cases if isinstance(cases, Mapping) else {}


def unexpected_claims(claims: Sequence[ClaimRecord]) -> tuple[ClaimRecord, ...]:
    """Claims whose verdict is not the one the case file expects."""
    return tuple(claim for claim in claims if not claim.expected)


def text(value: object) -> str:
    return "" if value is None else str(value)


def sentence(cell: Cell) -> str:
    """A cell in words, for lists that have no columns."""
    what = MARKS[status(cell)].sentence
    return cell.explanation or what
