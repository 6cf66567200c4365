"""The ledger: known divergences as data, strict both ways.

An entry explains a cell only where the cell shows exactly the outcome that is pinned; another failure than the pinned
one still disagrees. An entry is `fixed` where everything it is about was asked and none of it shows the pinned outcome;
a run of a part of that decides nothing. One that selects nothing in a complete run is `unmatched`. Both fail the gate.

An entry with conditions on machine facts is `dormant` where they hold for none of the cells it is about: it explains
nothing, and is neither fixed nor unmatched. A run counts what sleeps.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase, translate
from functools import cached_property

from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from harness.core.cell import Cell, Header, RunProblem
from harness.core.ledger import NOWHERE, Entry, Pin, Selector


@dataclass(frozen=True)
class Ledger:
    """All entries, with the way from a disagreeing cell to the one that explains it."""

    entries: tuple[Entry, ...] = ()
    beyond: tuple[Entry, ...] = ()
    """Those that hold in other cases than they name, for what disagrees in one of these."""
    drafts: tuple[Entry, ...] = ()
    """Those nobody has written the reason of, which therefore explain nothing."""

    def likely(self, selector: Selector, loss: str, cell: Cell) -> Entry | None:
        """The first entry whose cause is likely that of a cell in a case which no entry names."""
        for entry in self.beyond:
            anywhere = replace(entry, cases=("*",))
            about_it = loss in entry.beyond and selects(anywhere, selector) and is_awake(entry, selector.facts)
            if about_it and meets(entry.pin, cell):
                return entry
        return None

    def explanation(self, selector: Selector, cell: Cell) -> Entry | None:
        """The first entry that selects the cell and pins exactly what it shows."""
        for entry in self.entries:
            if selects(entry, selector) and is_awake(entry, selector.facts) and meets(entry.pin, cell):
                return entry
        return None

    def selecting(self, cell: Selector) -> tuple[Entry, ...]:
        """The entries about a cell, awake or dormant."""
        return tuple(entry for entry in self.entries if selects(entry, cell))

    def about(self, case: str) -> Ledger:
        """The entries that can be about one case, each narrowed to it: what all its cells need, looked up once."""
        matching = (position for position, pattern in self._by_pattern if pattern.fullmatch(case))
        chosen = sorted([*self._by_name.get(case, ()), *matching])
        beyond = tuple(entry for entry in self.entries if entry.beyond)
        return Ledger(tuple(replace(self.entries[n], cases=(case,)) for n in dict.fromkeys(chosen)), beyond)

    @cached_property
    def _by_name(self) -> Mapping[str, list[int]]:
        """Positions of the entries that name a case in full, as nearly all do."""
        found: dict[str, list[int]] = {}
        for position, entry in enumerate(self.entries):
            for pattern in entry.cases:
                found.setdefault(pattern, []).append(position)
        return found

    @cached_property
    def _by_pattern(self) -> tuple[tuple[int, re.Pattern[str]], ...]:
        """Positions of the entries with patterns among their cases, each with all of its patterns as one."""
        patterns = {n: [c for c in e.cases if any(sign in c for sign in "*?[")] for n, e in enumerate(self.entries)}
        return tuple((n, re.compile("|".join(map(translate, some)))) for n, some in patterns.items() if some)


def selector_of(cell: Cell, header: Header) -> Selector:
    """What entries select a cell by, with the version and the facts that the header of its run has."""
    described = header.implementations[cell.implementation]
    version, facts = str(described.get("version", "?")), described.get("facts", {})
    return Selector(cell.case, cell.implementation, cell.mode, cell.dtype, cell.aspect, version, facts)


def selects(entry: Entry, cell: Selector) -> bool:
    """Whether a cell is among those an entry is about, wherever its conditions hold."""
    return (
        any_matches(entry.implementations, cell.implementation)
        and any_matches(entry.dtypes, cell.dtype)
        and any_matches(entry.aspects, cell.aspect)
        and any_matches(entry.modes, cell.mode)
        and any_matches(entry.cases, cell.case)
        and in_versions(cell.version, entry.versions)
    )


def is_awake(entry: Entry, facts: Mapping[str, str]) -> bool:
    """Whether all conditions of an entry hold for an implementation that attests these facts."""
    return all(condition.holds(facts) for condition in entry.where)


def meets(pin: Pin, cell: Cell) -> bool:
    """Whether what was observed is what is pinned."""
    observed = cell.observed
    if observed is None or pin.kind != observed.kind:
        return False
    if pin.of not in (None, observed.of) or pin.dtype not in (None, observed.dtype):
        return False
    if pin.computed_in is not None and not fnmatchcase(observed.computed_in or NOWHERE, pin.computed_in):
        return False
    if pin.error is not None and not fnmatchcase(observed.error or "", pin.error):
        return False
    return pin.ratio is None or (cell.ratio is not None and pin.ratio[0] <= float(cell.ratio) <= pin.ratio[1])


@dataclass(frozen=True)
class Tally:
    """How many judged cells an entry was about."""

    awake: int = 0
    """Cells it selects, of implementations for which its conditions hold."""
    explained: int = 0
    dormant: int = 0
    """Cells it would select if its conditions held."""
    unjudged: int = 0
    """Cells it is about that came to no judgement: they crashed, timed out or are missing."""


def dormant(ledger: Ledger, tallies: Mapping[str, Tally]) -> tuple[Entry, ...]:
    """The entries that sleep in a run: about cells of it, and their conditions hold for none of them."""
    counts = ((entry, tallies.get(entry.id, Tally())) for entry in ledger.entries)
    return tuple(entry for entry, tally in counts if tally.dormant and not tally.awake)


def audit(
    ledger: Ledger, tallies: Mapping[str, Tally], *, complete: bool, is_decided: Callable[[Entry], bool]
) -> tuple[RunProblem, ...]:
    """The stale entries of a run: those that no longer say something true.

    `complete` says whether every case and registered implementation was run: only then can an entry be unmatched.
    `is_decided` says whether everything that an entry is about was asked: only then can it be fixed. Of entries that
    are another project's, who runs this could remove none.
    """
    problems: list[RunProblem] = []
    for entry in (entry for entry in ledger.entries if not entry.shipped):
        where = f" ({entry.location})" if entry.location else ""
        tally = tallies.get(entry.id, Tally())
        if tally.awake and not tally.explained and not tally.unjudged and is_decided(entry):
            problems.append(
                RunProblem(
                    "fixed",
                    f"ledger entry {entry.id}{where} selects {tally.awake} cells and none shows its outcome",
                    "the divergence is fixed or changed: remove the entry or pin what happens now",
                    entry.id,
                    entry.location or None,
                )
            )
        elif complete and tally == Tally():
            problems.append(
                RunProblem(
                    "unmatched",
                    f"ledger entry {entry.id}{where} matches no cell of a complete run",
                    "correct its selector or remove it",
                    entry.id,
                    entry.location or None,
                )
            )
    return tuple(problems)


def any_matches(patterns: tuple[str, ...], name: str) -> bool:
    """Whether a name is among those that a field of an entry means."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def in_versions(version: str, allowed: str) -> bool:
    """Whether a version is among those that an entry is about."""
    if not allowed:
        return True
    try:
        return SpecifierSet(allowed).contains(Version(version), prereleases=True)
    except InvalidVersion:
        return False
