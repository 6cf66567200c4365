"""The ledger: known divergences as data, strict both ways.

An entry explains a cell only where the cell shows exactly the outcome that is pinned; another failure than the pinned
one still disagrees. An entry whose selected cells all ran and none shows the pinned outcome is `fixed`; one that
selects nothing in a complete run is `unmatched`; one past its date is `expired`. All three fail the gate.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase, translate
from functools import cached_property, lru_cache

import numpy as np
from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from harness.core.ledger import Entry, Observed, Pin, Selector


@dataclass(frozen=True)
class Ledger:
    """All entries, with the way from a disagreeing cell to the one that explains it."""

    entries: tuple[Entry, ...] = ()

    def explanation(self, cell: Selector, observed: Observed) -> Entry | None:
        """The first entry that selects the cell and pins exactly what it shows."""
        for entry in self.entries:
            if selects(entry, cell) and meets(entry.pin, observed):
                return entry
        return None

    def selecting(self, cell: Selector) -> tuple[Entry, ...]:
        return tuple(entry for entry in self.entries if selects(entry, cell))

    def about(self, case: str) -> Ledger:
        """The entries that can be about one case, each narrowed to it: what all its cells need, looked up once."""
        matching = (position for position, pattern in self._by_pattern if pattern.fullmatch(case))
        chosen = sorted([*self._by_name.get(case, ()), *matching])
        return Ledger(tuple(replace(self.entries[n], cases=(case,)) for n in dict.fromkeys(chosen)))

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


def selects(entry: Entry, cell: Selector) -> bool:
    """Whether a cell is among those an entry is about."""
    return (
        _any_matches(entry.implementations, cell.implementation)
        and _any_matches(entry.dtypes, cell.dtype)
        and _any_matches(entry.aspects, cell.aspect)
        and _any_matches(entry.modes, cell.mode)
        and _any_matches(entry.cases, cell.case)
        and _in_versions(cell.version, entry.versions)
    )


def meets(pin: Pin, observed: Observed) -> bool:
    """Whether what was observed is what is pinned."""
    if pin.kind != observed.kind:
        return False
    if pin.computed_in is not None and pin.computed_in != observed.computed_in:
        return False
    if pin.error is not None and not fnmatchcase(observed.error or "", pin.error):
        return False
    if pin.diagnosis is not None and not fnmatchcase(observed.diagnosis or "", pin.diagnosis):
        return False
    if pin.ratio is not None and not (observed.ratio is not None and pin.ratio[0] <= observed.ratio <= pin.ratio[1]):
        return False
    if pin.got is None:
        return True
    # Numbers in a ledger are written by people with six or so digits; 1e-5 relative tells any two of them apart.
    flat = None if observed.got is None else observed.got.ravel()
    return (
        flat is not None
        and flat.size == len(pin.got)
        and bool(np.allclose(flat, np.asarray(pin.got), rtol=1e-5, atol=0.0, equal_nan=True))
    )


@dataclass(frozen=True)
class Problem:
    """An entry that no longer says something true."""

    kind: str
    """fixed, unmatched, expired."""
    entry: str
    sentence: str
    remedy: str


def audit(
    ledger: Ledger, selected: Mapping[str, int], explained: Mapping[str, int], *, complete: bool, today: str
) -> tuple[Problem, ...]:
    """The stale entries of a run.

    `selected` and `explained` count, by entry, the judged cells it selects and those it explains; `complete` says
    whether every case and registered implementation was run (only then can an entry be unmatched); `today` is an
    ISO date.
    """
    problems: list[Problem] = []
    for entry in ledger.entries:
        where = f" ({entry.location})" if entry.location else ""
        if entry.expires is not None and entry.expires < today:
            problems.append(
                Problem(
                    "expired",
                    entry.id,
                    f"ledger entry {entry.id}{where} expired on {entry.expires}",
                    "look at it again: remove it, or give it a later date",
                )
            )
        if selected.get(entry.id, 0) and not explained.get(entry.id, 0):
            problems.append(
                Problem(
                    "fixed",
                    entry.id,
                    f"ledger entry {entry.id}{where} selects {selected[entry.id]} cells and none shows its outcome",
                    "the divergence is fixed or changed: remove the entry or pin what happens now",
                )
            )
        elif complete and not selected.get(entry.id, 0):
            problems.append(
                Problem(
                    "unmatched",
                    entry.id,
                    f"ledger entry {entry.id}{where} matches no cell of a complete run",
                    "correct its selector or remove it",
                )
            )
    return tuple(problems)


@lru_cache(maxsize=2**14)  # few names and few patterns, which all cells of a run ask for again and again
def _any_matches(patterns: tuple[str, ...], name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


@lru_cache(maxsize=2**12)  # a version is asked about once for every cell
def _in_versions(version: str, allowed: str) -> bool:
    if not allowed:
        return True
    try:
        return SpecifierSet(allowed).contains(Version(version), prereleases=True)
    except InvalidVersion:
        return False
