"""Whether a run can tell of a ledger entry that it no longer happens: it has to ask all that the entry is about. Pure.

An entry is about cells of several cases, dtypes, modes and implementations, and may show in any of them. A run of some
of these that does not show it has decided nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Set
from dataclasses import dataclass
from typing import Any

from harness.adapters.base import Description
from harness.core.case import Case, ExpectInvariances
from harness.core.cell import EVERY, MODE_AGREEMENT, Cell, Header
from harness.core.ledger import Entry
from harness.judgement.ledger import any_matches, in_versions
from harness.judgement.truth import aspects


@dataclass(frozen=True)
class Asked:
    """What a run was about."""

    calls: Set[tuple[str, str, str, str]]
    """Case, implementation, mode, dtype: EVERY where all are refused."""
    files: Mapping[str, str]
    """By case: where it is written. A case of the same name in another file is another case."""
    descriptions: Mapping[str, Description]
    """By implementation that could be started."""


def asked_of(header: Header, cells: Iterable[Cell]) -> Asked:
    """What the run with this header and these cells was about."""
    return Asked(
        {(cell.case, cell.implementation, cell.mode, cell.dtype) for cell in cells},
        {case: str(told.get("file")) for case, told in header.suite["cases"].items()},
        {name: _described(told) for name, told in header.implementations.items() if "missing" not in told},
    )


def _described(told: Mapping[str, Any]) -> Description:
    losses, modes, dtypes = (tuple(told.get(name, ())) for name in ("losses", "modes", "dtypes"))
    some = {mode: tuple(names) for mode, names in told.get("mode_losses", {}).items()}
    return Description(
        str(told.get("version", "?")),
        losses,
        modes,
        dtypes,
        mode_losses=some,
        mode_tags=told.get("mode_tags", {}),
        outputs=tuple(told.get("outputs", ())),
    )


def is_decided(entry: Entry, asked: Asked, cases: Collection[Case], implementations: Iterable[str]) -> bool:
    """Whether all that an entry could select was asked, of the cases and the implementations that there are."""
    names = {name for name in (*implementations, *asked.descriptions) if any_matches(entry.implementations, name)}
    if not names <= asked.descriptions.keys():
        return False  # of what did not run nobody knows the version
    selected = [case for case in cases if any_matches(entry.cases, case.id)]
    if any(asked.files.get(case.id, case.location.file) != case.location.file for case in selected):
        return False  # somebody's own case under the name of another
    return all(_asked_all(entry, case, name, asked) for name in names for case in selected)


def _asked_all(entry: Entry, case: Case, implementation: str, asked: Asked) -> bool:
    described = asked.descriptions[implementation]
    if case.loss not in described.losses or not in_versions(described.version, entry.versions):
        return True
    dtypes = [d for d in case.dtypes if d in described.dtypes and any_matches(entry.dtypes, d)]
    calls = {(case.id, implementation, mode, dtype) for mode in _modes(entry, case, described) for dtype in dtypes}
    return all(call in asked.calls or (*call[:3], EVERY) in asked.calls for call in calls)


def _modes(entry: Entry, case: Case, described: Description) -> set[str]:
    """The modes in which an entry could select a cell of a case."""
    if isinstance(case.expect, ExpectInvariances):
        return set()  # nothing there is right or wrong
    first, *others = there = described.modes_of(case.loss, case.tags) or ("",)
    modes: set[str] = set()
    if any(any_matches(entry.aspects, name) for name in aspects(case)):
        modes |= {mode for mode in there if any_matches(entry.modes, mode)}
    if any_matches(entry.aspects, MODE_AGREEMENT):
        compared = {mode for mode in others if any_matches(entry.modes, mode)}
        modes |= compared | ({first} if compared else set())
    return modes
