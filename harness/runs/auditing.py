"""What the cells of a run say of the ledger: which entries no longer say something true, and which sleep."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from harness.adapters.registry import registered
from harness.core.case import Case
from harness.core.cell import INFRASTRUCTURE, MODE_AGREEMENT, Cell, Header, Run, RunProblem
from harness.core.invariances import is_invariance
from harness.core.ledger import Entry
from harness.judgement.ledger import Ledger, Tally, audit, dormant, is_awake, selector_of
from harness.runs.decided import Asked, asked_of, is_decided
from harness.suite.ledger_files import described
from harness.suite.problems import SuiteError
from harness.suite.selection import load_around


def audited(
    header: Header, cells: Iterable[Cell], ledger: Ledger, *, complete: bool
) -> tuple[tuple[RunProblem, ...], tuple[str, ...]]:
    """The stale entries, and the ids of those that sleep.

    `complete` says whether every case was asked in every mode of every registered implementation.
    """
    found = tuple(cells)
    tallies = tallied(header, found, ledger)
    decision = _decision(asked_of(header, found))
    stale = audit(ledger, tallies, complete=complete, is_decided=decision)
    return stale, tuple(entry.id for entry in dormant(ledger, tallies))


def audited_again(run: Run, ledger: Ledger) -> Run:
    """A run merged of parts with the stale entries that no part could tell of by itself.

    Only of entries that the parts were judged with: `ledger` may be another, and its entries other ones by now.
    """
    told = run.header.suite.get("ledger", {})
    same = tuple(entry for entry in ledger.entries if described([entry])[entry.id] == told.get(entry.id))
    stale, _ = audited(run.header, run.cells, Ledger(same), complete=False)
    before = {problem.entry for problem in run.footer.problems}
    problems = (*run.footer.problems, *(problem for problem in stale if problem.entry not in before))
    return replace(run, footer=replace(run.footer, problems=problems))


def tallied(header: Header, cells: Iterable[Cell], ledger: Ledger) -> Mapping[str, Tally]:
    """By ledger entry: how many cells it is about. Only a cell that was judged can tell that it no longer happens."""
    awake, explained, sleeping, unjudged = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    about = functools.cache(ledger.about)
    for cell in cells:
        of_case = about(cell.case)
        if not of_case.entries or cell.verdict == "unsupported" or is_invariance(cell.aspect):
            continue
        selector = selector_of(cell, header)
        if cell.verdict in INFRASTRUCTURE or _ended(cell):
            # How the modes agree is not known either: that takes both.
            modes = header.implementations[cell.implementation].get("modes", ())
            between = [replace(selector, aspect=MODE_AGREEMENT, mode=mode) for mode in modes]
            entries = [entry for some in (selector, *between) for entry in of_case.selecting(some)]
            unjudged.update(entry.id for entry in entries if is_awake(entry, selector.facts))
            continue
        for entry in of_case.selecting(selector):
            (awake if is_awake(entry, selector.facts) else sleeping)[entry.id] += 1
        if cell.ledger is not None:
            explained[cell.ledger] += 1
    ids = awake.keys() | sleeping.keys() | unjudged.keys()
    return {i: Tally(awake[i], explained[i], sleeping[i], unjudged[i]) for i in ids}


def _ended(cell: Cell) -> bool:
    """Whether the call answered nothing because it ended or hung its process, and no entry says so."""
    died = cell.observed is not None and cell.observed.kind in ("crashes", "hangs")
    return died and cell.verdict == "disagrees"


def _decision(asked: Asked) -> Callable[[Entry], bool]:
    """Whether a run was about all that an entry is about; what there is besides is read where an entry asks for it."""

    @functools.cache
    def everything() -> tuple[Case, ...] | None:
        try:
            return load_around(asked.files.values())
        except SuiteError:
            return None  # nobody knows what there is

    def decision(entry: Entry) -> bool:
        found = everything()
        return found is not None and is_decided(entry, asked, found, registered())

    return decision
