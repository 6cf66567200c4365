"""Since which release: digests of many releases in, ranges of versions out. Pure.

Per cell, what became of it in each release makes a timeline: one span per stretch of releases with the same answer. A
release that could not be run, or was asked something else, is no difference: the span's end is then open. What goes
back and forth keeps all its spans.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from packaging.version import Version

from harness.core.cell import Cell, Key, Observed, wider
from harness.core.ledger import Entry, Selector
from harness.judgement.ledger import any_matches, is_awake, meets, selects
from harness.versions.digest import Answered, Digest, Seen

Value = TypeVar("Value", bound=Hashable)


@dataclass(frozen=True)
class Span(Generic[Value]):
    """Releases that follow each other with the same answer, those of which nothing is known left out."""

    value: Value
    first: str
    last: str
    day: str
    """When `first` was released."""
    after: str | None = None
    """The release before, where something else is known of it; None where nothing is known of any before."""
    unknown: tuple[str, ...] = ()
    """Releases between `after` and `first` of which nothing is known: it may have begun in any of them."""

    @property
    def began(self) -> str:
        """Since when, in words."""
        if self.after is None:
            return f"in {self.first} or before"
        dated = f"{self.first} ({self.day})" if self.day else self.first
        return f"since {dated} or since {self.unknown[0]}, after {self.after}" if self.unknown else f"since {dated}"


def spans(points: Sequence[tuple[str, str, Value | None]]) -> tuple[Span[Value], ...]:
    """The timeline of a list of releases, each with its version, its day and what is known of it (None: nothing)."""
    found: list[Span[Value]] = []
    unknown: list[str] = []
    for version, day, value in points:
        if value is None:
            unknown.append(version)
            continue
        if found and found[-1].value == value:
            found[-1] = replace(found[-1], last=version)
        else:
            after = found[-1].last if found else None
            between = tuple(unknown) if found else ()
            found.append(Span(value, version, version, day, after, between))
        unknown = []
    return tuple(found)


@dataclass(frozen=True)
class History:
    """Everything known of a package on one machine, oldest release first."""

    package: str
    digests: tuple[Digest, ...]
    comparable: Mapping[str, Mapping[str, str]]
    """By suite and case: a digest of what the case asks. Answers to other questions are not compared."""

    @property
    def name(self) -> str:
        """The package, and how it was run where that is not the whole suite on all that is made of it."""
        first = self.digests[0]
        single = [*first.implementations] if len(first.implementations) == 1 else []
        return "-".join((self.package, *(name for name in single if name.startswith("keras-")), *first.dtypes))

    @property
    def known(self) -> tuple[Digest, ...]:
        """The releases that were run."""
        return tuple(digest for digest in self.digests if not digest.gap)

    @property
    def keys(self) -> tuple[Key, ...]:
        """Every cell of any release; refusals of all give way to the cells of another release."""
        there = {key for digest in self.digests for key in digest.cells}
        refused = {key for some in there for key in wider(some) if key in there}
        return tuple(sorted(there - refused))

    def companions(self, version: str) -> dict[str, tuple[str, str]]:
        """What else changed from the release that was run before to this one; a dash where a side has none."""
        known = [digest.version for digest in self.known]
        place = known.index(version)
        if place == 0:
            return {}
        old, new = (self.known[at].packages for at in (place - 1, place))
        pairs = {name: (old.get(name, "–"), new.get(name, "–")) for name in sorted(old.keys() | new.keys())}
        return {name: pair for name, pair in pairs.items() if pair[0] != pair[1] and name != self.package}

    def points(self, key: Key) -> tuple[tuple[str, str, Answered | None], ...]:
        """What became of a cell in each release."""
        # A gap asked nothing: what it would have asked makes no answer of another release a stranger.
        newest = next(
            (asked for d in reversed(self.known) if (asked := self.comparable.get(d.suite, {}).get(key[0]))), None
        )
        return tuple((d.version, d.day, self._answer(d, key, newest)) for d in self.digests)

    def _answer(self, digest: Digest, key: Key, asked: str | None) -> Answered | None:
        if self.comparable.get(digest.suite, {}).get(key[0]) != asked:
            return None
        return digest.answer(key)


def histories(digests: Iterable[Digest], comparable: Mapping[str, Mapping[str, str]]) -> tuple[History, ...]:
    """By package and how it was run; of one release the digest with the most cells."""
    grouped: dict[tuple[object, ...], dict[str, Digest]] = defaultdict(dict)
    for digest in digests:
        of = grouped[(digest.package, *digest.asked)]
        if digest.version not in of or len(of[digest.version].cells) < len(digest.cells):
            of[digest.version] = digest
    return tuple(
        History(str(about[0]), tuple(sorted(of.values(), key=lambda d: Version(d.version))), comparable)
        for about, of in sorted(grouped.items())
    )


@dataclass(frozen=True)
class Behaviour:
    """A cell with its timeline."""

    key: Key
    timeline: tuple[Span[Seen], ...]
    bits: tuple[str, ...]
    """Releases in which its bits changed and nothing else did."""
    confirmed: bool
    """Whether each change of its outcome was seen three times on both sides."""


def behaviours(history: History, keys: Sequence[Key] | None = None) -> tuple[Behaviour, ...]:
    """These cells of a package; all where none is named."""
    repeated = {digest.version: digest.repeated for digest in history.digests}
    found = []
    for key in history.keys if keys is None else keys:
        points = history.points(key)
        timeline = spans([(version, day, None if a is None else a.seen) for version, day, a in points])
        exact = spans([(version, day, a) for version, day, a in map(_to_the_bit, points)])
        flips = [(span.after, span.first) for span in timeline if span.after is not None]
        begun = {span.first for span in timeline}
        found.append(
            Behaviour(
                key,
                timeline,
                tuple(span.first for span in exact if span.first not in begun),
                all(key[0] in repeated[old] and key[0] in repeated[new] for old, new in flips),
            )
        )
    return tuple(found)


def _to_the_bit(point: tuple[str, str, Answered | None]) -> tuple[str, str, tuple[Seen, str] | None]:
    version, day, answer = point
    return version, day, None if answer is None else (answer.seen, answer.bits)


def entry_of(entries: Sequence[Entry], history: History, key: Key) -> Entry | None:
    """The ledger entry that a cell shows in any release, its versions aside: the newest release decides."""
    about = [entry for entry in entries if _is_about(entry, history, key)]
    for version, _, answer in reversed(history.points(key)):
        for entry in about:
            if answer is not None and shows(entry, history, version, key, answer):
                return entry
    return None


def _is_about(entry: Entry, history: History, key: Key) -> bool:
    return key[1] in {name for d in history.digests for name in d.implementations} and selects(
        replace(entry, versions=""), Selector(*key, "")
    )


def shows(entry: Entry, history: History, version: str, key: Key, answer: Answered) -> bool:
    """Whether an answer is what an entry pins, on a machine where its conditions hold."""
    if answer.seen.kind != "wrong":
        return False
    digest = next(d for d in history.digests if d.version == version)
    facts = digest.implementations.get(key[1], {}).get("facts", {})
    seen = answer.seen
    observed = Observed(
        seen.observed, seen.of or None, seen.error or None, seen.dtype or None, seen.computed_in or None
    )
    cell = Cell(*key, "disagrees", {}, ratio=answer.ratio, observed=observed)
    return is_awake(entry, facts) and meets(entry.pin, cell)


def since(entry: Entry, history: History, implementation: str) -> Span[bool] | None:
    """The last stretch of releases in which an entry's outcome is seen in any of its cells; None where it never is."""
    return last_seen(seen_in(entry, history, implementation))


def last_seen(points: Sequence[tuple[str, str, bool | None]]) -> Span[bool] | None:
    """The last stretch of releases of which something is so; None where it never is."""
    return next((span for span in reversed(spans(points)) if span.value), None)


def held(span: Span[bool], newest: str) -> str:
    """Since when, and until when where it is over in the newest release."""
    return span.began if span.last == newest else f"{span.began}, until {span.last}"


def seen_in(entry: Entry, history: History, implementation: str) -> tuple[tuple[str, str, bool | None], ...]:
    """By release, with its day: whether an entry's outcome is seen in any of its cells.

    None where nothing is known: also where no cell has it and one that has it in another release was not asked, since
    that is the one that could.
    """
    keys = [key for key in history.keys if key[1] == implementation and _is_about(entry, history, key)]
    every = [
        [None if a is None else shows(entry, history, version, key, a) for version, _, a in history.points(key)]
        for key in keys
    ]
    able = [row for row in every if True in row] or every
    return tuple(
        (digest.version, digest.day, _any([row[position] for row in able]))
        for position, digest in enumerate(history.digests)
    )


def _any(known: Sequence[bool | None]) -> bool | None:
    """Whether one is true, as far as that is known."""
    if True in known:
        return True
    return None if None in known or not known else False


def ledger_since(entries: Iterable[Entry], known: Sequence[History]) -> dict[str, dict[str, str]]:
    """What `since` says of each entry, by implementation, where the newest release that was run still has it."""
    found: dict[str, dict[str, str]] = {}
    for entry in entries:
        for history in known:
            for name in sorted({name for digest in history.digests for name in digest.implementations}):
                span = since(entry, history, name) if any_matches(entry.implementations, name) else None
                if span is not None and span.last == history.known[-1].version:
                    found.setdefault(entry.id, {})[name] = _as_written(span)
    return found


def _as_written(span: Span[bool]) -> str:
    if span.after is None:
        return f"<={span.first}"
    return f">{span.after},<={span.first}" if span.unknown else span.first


@dataclass(frozen=True)
class Group:
    """Cells of one implementation and loss with the same timeline and the same ledger entry: one cause, probably."""

    implementation: str
    loss: str
    entry: str
    timeline: tuple[Span[Seen], ...]
    keys: tuple[Key, ...]
    confirmed: bool


def groups(
    history: History, every: Iterable[Behaviour], entries: Sequence[Entry], loss_of: Mapping[str, str]
) -> tuple[Group, ...]:
    """The behaviours that changed, those with one cause together, the newest change first."""
    found: dict[tuple[str, str, str, tuple[Span[Seen], ...]], list[Behaviour]] = defaultdict(list)
    for behaviour in every:
        if len(behaviour.timeline) > 1:
            entry = entry_of(entries, history, behaviour.key)
            name = "" if entry is None else entry.id
            found[(behaviour.key[1], loss_of.get(behaviour.key[0], ""), name, behaviour.timeline)].append(behaviour)
    gathered = [
        Group(*about, tuple(b.key for b in some), all(b.confirmed for b in some)) for about, some in found.items()
    ]
    return tuple(sorted(gathered, key=lambda g: (_newest(g), len(g.keys)), reverse=True))


def _newest(group: Group) -> tuple[Version, ...]:
    return tuple(Version(span.first) for span in reversed(group.timeline))


def in_words(seen: Seen) -> str:
    """What became of a cell, for people."""
    match seen.kind:
        case "right":
            raised = f", raises {_error(seen.error)}" if seen.error else ""
            return f"right{f' under {seen.under}' if seen.under else ''}{raised}"
        case "wrong":
            return f"wrong: {_fact(seen)}"
        case "varies":
            return "not the same each time"
        case other:
            return other


def _fact(seen: Seen) -> str:
    match seen.observed:
        case "finite":
            return "another number" + (f", that of {seen.computed_in}" if seen.computed_in else "")
        case "raises":
            return f"raises {_error(seen.error)}"
        case "returns":
            return "returns where an error is right"
        case "dtype" | "shape":
            return f"another {seen.observed}" + (f", {seen.dtype}" if seen.dtype else "")
        case "bits":
            return "other bits"
        case other:
            return f"{other}{f' in {seen.of}' if seen.of else ''}"


def _error(name: str) -> str:
    return name.removeprefix("builtins.")


def sentence(timeline: Sequence[Span[Seen]]) -> str:
    """A timeline in one sentence: right 0.2.3–0.2.5, otherwise since 0.2.6 (2025-09-15)."""
    parts = []
    for position, span in enumerate(timeline):
        if position == len(timeline) - 1:
            parts.append(f"{in_words(span.value)} {span.began}")
        else:
            between = span.first if span.first == span.last else f"{span.first}–{span.last}"
            parts.append(f"{in_words(span.value)} {between}")
    return ", ".join(parts)
