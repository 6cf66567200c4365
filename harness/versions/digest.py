"""A run of one release, reduced to what a history is made of, and the folder that keeps them.

Of each cell: what became of it, and eight digits of a digest of its bits. What the ledger says of a cell is left out,
since the ledger changes and what happened does not; so are texts and numbers. A release that could not be run is kept
with the reason, so that it is a gap and not tried every time.
"""

from __future__ import annotations

import hashlib
import json
import lzma
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from harness.core.case import Case
from harness.core.cell import INFRASTRUCTURE, Cell, Key, Run, wider
from harness.core.errors import InfrastructureError
from harness.core.files import write_whole
from harness.core.inputs import read_whole, reason_of

LARGEST = 2**26
"""Bytes of a file that is read: a hundred times the largest that is written."""


class StoreError(InfrastructureError):
    """A file of the store that cannot be used."""


@dataclass(frozen=True, order=True)
class Seen:
    """What became of a cell, whatever the ledger says of it."""

    kind: str
    """right, wrong, unsupported, or varies: not the same in three runs."""
    under: str = ""
    """The convention or the choice under which it is right."""
    observed: str = ""
    """The kind of fact that is wrong, of OBSERVED in `harness.core.cell`."""
    error: str = ""
    """Type of the exception, right or wrong."""
    of: str = ""
    dtype: str = ""
    computed_in: str = ""


VARIES = Seen("varies")


@dataclass(frozen=True)
class Answered:
    """What became of a cell, and its bits."""

    seen: Seen
    bits: str = ""
    """Empty where there is no value; `varies` where they are not the same in three runs."""
    ratio: float | None = None
    """R of what is wrong, in three digits: some ledger entries pin it."""

    def same(self, other: Answered) -> bool:
        """Whether it is the same answer to the bit."""
        return self.seen == other.seen and self.bits == other.bits


@dataclass(frozen=True)
class Digest:
    """One release, run or not."""

    package: str
    version: str
    day: str
    """When it was released; empty where nobody knows."""
    suite: str
    modes: tuple[str, ...]
    """Modes that were asked for."""
    machine: Mapping[str, str]
    """cpu and instruction_set: bits of two machines are not compared."""
    packages: Mapping[str, str]
    """The lock: everything that was installed."""
    implementations: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Those that were asked, by name: version and facts, as attested."""
    cells: Mapping[Key, Answered] = field(default_factory=dict)
    repeated: frozenset[str] = frozenset()
    """Cases that were run twice more, each time in a new process."""
    gap: str = ""
    """Why nothing of it is known."""
    dtypes: tuple[str, ...] = ()
    """Those that were asked for; empty: all that a case names."""

    @property
    def asked(self) -> tuple[object, ...]:
        """How it was run; what was run otherwise is another history."""
        return (*sorted(self.implementations), *self.modes, *self.dtypes, *sorted(self.machine.values()))

    @property
    def key(self) -> str:
        """What it was computed from, in twelve digits."""
        parts = (self.package, self.version, sorted(self.packages.items()), self.suite, self.modes, self.dtypes)
        machine = (sorted(self.machine.items()), {n: d.get("facts", {}) for n, d in self.implementations.items()})
        return _short((*parts, *machine), 12)

    def answer(self, key: Key) -> Answered | None:
        """What became of a cell, or of all of which it is one; None where it was not asked."""
        return next((self.cells[said] for said in (key, *wider(key)) if said in self.cells), None)


def digest_of(
    run: Run,
    package: str,
    version: str,
    day: str,
    modes: Sequence[str],
    packages: Mapping[str, str],
    dtypes: Sequence[str] = (),
) -> Digest:
    """What is kept of a run."""
    missing = [f"{name}: {d['missing']}" for name, d in run.header.implementations.items() if "missing" in d]
    return Digest(
        package,
        version,
        day,
        str(run.header.suite["digest"]),
        tuple(modes),
        {name: str(run.header.machine[name]) for name in ("cpu", "instruction_set")},
        dict(packages),
        {
            name: {} if "missing" in d else {"version": d.get("version", "?"), "facts": dict(d.get("facts", {}))}
            for name, d in run.header.implementations.items()
        },
        {} if missing else {c.key: _answered(c) for c in run.cells if c.verdict not in INFRASTRUCTURE},
        gap=" ".join("; ".join(missing).split())[:600],
        dtypes=tuple(dtypes),
    )


def _answered(cell: Cell) -> Answered:
    outcome = cell.outcome
    error = str(outcome.get("type", "")) if outcome["kind"] == "raises" else ""
    bits = str(outcome.get("digest", ""))[:8]
    if cell.verdict == "unsupported":
        return Answered(Seen("unsupported"))
    if cell.verdict in ("agrees", "by_convention"):
        return Answered(Seen("right", under=cell.convention or "", error=error), bits)
    seen = cell.observed
    assert seen is not None, "what is wrong has a fact behind it"
    ratio = None if cell.ratio is None else float(f"{float(cell.ratio):.3g}")
    facts = Seen(
        "wrong",
        observed=seen.kind,
        error=seen.error or error,
        of=seen.of or "",
        dtype=seen.dtype or "",
        computed_in=seen.computed_in or "",
    )
    return Answered(facts, bits, ratio)


def with_repeats(first: Digest, others: Iterable[Digest], cases: Iterable[str]) -> Digest:
    """The digest of a release after some cases were run again: what was not the same each time varies.

    A case of which a cell was not answered again, because a worker was killed or took too long, was not repeated.
    """
    cells, asked = dict(first.cells), frozenset(cases)
    unanswered = set()
    for other in others:
        for key, answer in first.cells.items():
            if key[0] not in asked:
                continue
            again = other.answer(key)
            if again is None:
                unanswered.add(key[0])
            elif again.seen != answer.seen:
                cells[key] = Answered(VARIES)
            elif again.bits != answer.bits and cells[key].seen != VARIES:
                cells[key] = replace(answer, bits="varies")
    return replace(first, cells=cells, repeated=first.repeated | (asked - unanswered))


def case_digests(cases: Iterable[Case]) -> dict[str, str]:
    """By id: eight digits that change when what is asked changes. Titles, reasons and places are no part of it."""
    left_out = {"id", "title", "why", "location", "source", "claims", "tags"}
    return {case.id: _short(_told(case, left_out), 8) for case in cases}


def _told(value: Any, left_out: frozenset[str] | set[str] = frozenset()) -> Any:
    """A value as JSON; fields that say nothing are left out, so that a new one changes no old case."""
    if is_dataclass(value):
        said = {f.name: getattr(value, f.name) for f in fields(value) if f.name not in left_out}
        # The class: an expectation without a field is told from another without.
        return [type(value).__name__, {n: _told(v) for n, v in said.items() if v not in (None, (), {})}]
    if isinstance(value, Mapping):
        return {str(name): _told(entry) for name, entry in value.items()}
    if isinstance(value, tuple | list):
        return [_told(entry) for entry in value]
    return repr(value)


def _short(value: Any, digits: int) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:digits]


class _Written(msgspec.Struct, forbid_unknown_fields=True):
    """A digest as it stands in a file: each distinct fact once, cells by case."""

    package: str
    version: str
    day: str
    suite: str
    modes: list[str]
    machine: dict[str, str]
    packages: dict[str, str]
    implementations: dict[str, dict[str, Any]]
    repeated: list[str]
    gap: str
    dtypes: list[str]
    facts: list[dict[str, str]]
    cells: dict[str, dict[str, list[Any]]]


def encoded(digest: Digest) -> bytes:
    """A digest as a compressed file."""
    facts = sorted({answer.seen for answer in digest.cells.values()})
    places = {seen: position for position, seen in enumerate(facts)}
    cells: dict[str, dict[str, list[Any]]] = {}
    for (case, *rest), answer in sorted(digest.cells.items()):
        entry: list[Any] = [places[answer.seen], answer.bits]
        if answer.ratio is not None:
            entry.append(answer.ratio if answer.ratio == answer.ratio and abs(answer.ratio) < 1e300 else "inf")
        cells.setdefault(case, {})[":".join(rest)] = entry
    written = _Written(
        digest.package,
        digest.version,
        digest.day,
        digest.suite,
        list(digest.modes),
        dict(sorted(digest.machine.items())),
        dict(sorted(digest.packages.items())),
        {name: dict(entry) for name, entry in sorted(digest.implementations.items())},
        sorted(digest.repeated),
        digest.gap,
        list(digest.dtypes),
        [{f.name: getattr(seen, f.name) for f in fields(seen) if getattr(seen, f.name)} for seen in facts],
        cells,
    )
    return lzma.compress(msgspec.json.encode(written), preset=9)


def decoded(content: bytes) -> Digest:
    """The inverse of `encoded`; ValueError where it is none."""
    try:
        w = msgspec.json.decode(lzma.decompress(content), type=_Written)
    except (lzma.LZMAError, msgspec.MsgspecError) as error:
        raise ValueError(str(error)) from error
    facts = [Seen(**fact) for fact in w.facts]
    cells: dict[Key, Answered] = {}
    for case, entries in w.cells.items():
        for name, (place, bits, *ratio) in entries.items():
            implementation, mode, dtype, aspect = name.rsplit(":", 3)
            number = float(ratio[0]) if ratio else None
            cells[(case, implementation, mode, dtype, aspect)] = Answered(facts[place], bits, number)
    return Digest(
        w.package,
        w.version,
        w.day,
        w.suite,
        tuple(w.modes),
        w.machine,
        w.packages,
        w.implementations,
        cells,
        frozenset(w.repeated),
        w.gap,
        tuple(w.dtypes),
    )


@dataclass(frozen=True)
class Store:
    """The folder: PACKAGE/VERSION-KEY.xz, and suites/DIGEST.xz with the digests of the cases."""

    folder: Path

    def write(self, digest: Digest) -> None:
        """Keep a digest in the place of what was kept of that release, run in the same way."""
        place = self.folder / digest.package / f"{digest.version}-{digest.key}.xz"
        write_whole(place, encoded(digest))
        for other, kept in self._of(digest.package, digest.version):
            if other != place and kept.asked == digest.asked:
                other.unlink()

    def digests(self, package: str) -> tuple[Digest, ...]:
        """Everything that is kept of a package."""
        return tuple(digest for _, digest in self._of(package, "*"))

    def packages(self) -> tuple[str, ...]:
        """The packages of which something is kept."""
        folders = self.folder.iterdir() if self.folder.is_dir() else ()
        return tuple(sorted(path.name for path in folders if path.is_dir() and path.name != "suites"))

    def write_suite(self, suite: str, cases: Mapping[str, str]) -> None:
        """Keep what the cases of a suite were."""
        place = self._suite(suite)
        if not place.exists():
            write_whole(place, lzma.compress(json.dumps(cases, sort_keys=True).encode(), preset=9))

    def suite(self, suite: str) -> Mapping[str, str]:
        """By id, the digests of the cases of a suite."""
        found: Mapping[str, str] = json.loads(lzma.decompress(_read(self._suite(suite))))
        return found

    def _suite(self, suite: str) -> Path:
        return self.folder / "suites" / f"{suite[:16]}.xz"

    def _of(self, package: str, version: str) -> tuple[tuple[Path, Digest], ...]:
        found = []
        for path in sorted((self.folder / package).glob(f"{version}-*.xz")):
            try:
                found.append((path, decoded(_read(path))))
            except ValueError as error:
                raise StoreError(
                    f"{path} is no digest of a run: {error}; remove it and run that release again"
                ) from error
        return tuple(found)


def _read(path: Path) -> bytes:
    try:
        return read_whole(path, LARGEST)
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {reason_of(error)}") from error
