"""Strips of versions: release by release, what became of a case or of what a ledger entry pins."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from harness.core.cell import EVERY, Key
from harness.core.ledger import Entry
from harness.judgement.ledger import any_matches
from harness.versions.behaviours import Behaviour, History, behaviours, held, in_words, last_seen, seen_in, sentence

__all__ = ["NO_STRIPS", "Strip", "Strips", "build"]


@dataclass(frozen=True)
class Release:
    """One box of a strip."""

    version: str
    kind: str
    """right, wrong, other; unknown where it could not be run or was asked something else."""
    said: str
    """What became of it there, in words."""


@dataclass(frozen=True)
class Strip:
    """Every release of a package, oldest first."""

    about: str
    """Which implementation, and which of its cells."""
    releases: tuple[Release, ...]
    sentence: str


@dataclass(frozen=True)
class Strips:
    """All of a report."""

    cases: Mapping[str, Sequence[Strip]] = field(default_factory=dict)
    entries: Mapping[str, Sequence[Strip]] = field(default_factory=dict)


NO_STRIPS = Strips()
"""Of a report to which no history was given."""


def build(known: Iterable[History], cases: Iterable[str], entries: Sequence[Entry]) -> Strips:
    """What histories tell of these cases, where anything of them changed, and of these entries."""
    told, wanted = tuple(known), frozenset(cases)
    of_cases: dict[str, list[Strip]] = defaultdict(list)
    for history in told:
        alike: dict[tuple[object, ...], list[Behaviour]] = defaultdict(list)
        for behaviour in behaviours(history, [key for key in history.keys if key[0] in wanted]):
            if len(behaviour.timeline) > 1:
                alike[behaviour.key[:2], behaviour.timeline].append(behaviour)
        for some in alike.values():
            of_cases[some[0].key[0]].append(_of_cells(history, some))
    of_entries = {
        entry.id: found for entry in entries if (found := [s for history in told for s in _of_entry(history, entry)])
    }
    return Strips(of_cases, of_entries)


def _of_cells(history: History, some: Sequence[Behaviour]) -> Strip:
    first = some[0]
    releases = tuple(
        Release(version, "unknown", "not known")
        if answer is None
        else Release(
            version, answer.seen.kind if answer.seen.kind in ("right", "wrong") else "other", in_words(answer.seen)
        )
        for version, _, answer in history.points(first.key)
    )
    return Strip(f"{first.key[1]}: {_cells([b.key for b in some])}", releases, sentence(first.timeline))


def _cells(keys: Sequence[Key]) -> str:
    dtypes: dict[str, list[str]] = defaultdict(list)
    for _, _, _, dtype, aspect in keys:
        dtypes[aspect].append(dtype)
    every = {EVERY: "everything"}
    return "; ".join(
        f"{every.get(aspect, aspect)} in {'every dtype' if EVERY in some else ', '.join(some)}"
        for aspect, some in dtypes.items()
    )


def _of_entry(history: History, entry: Entry) -> Iterable[Strip]:
    for name in sorted({name for digest in history.known for name in digest.implementations}):
        points = seen_in(entry, history, name) if any_matches(entry.implementations, name) else ()
        last = last_seen(points)
        if last is None:
            continue
        words = {True: ("wrong", "as pinned"), False: ("right", "not so"), None: ("unknown", "not known")}
        releases = tuple(Release(version, *words[there]) for version, _, there in points)
        yield Strip(name, releases, f"so {held(last, history.known[-1].version)}")
