"""The run file: one execution as JSON lines, and the values it is made of.

A run file begins with a header, ends with a footer, and holds one line per cell, claim and measurement between them.
A file without its footer was cut off and is refused: a truncated run is not a run.

JSON has no nan and no infinities; numbers that may be either are written as the strings "nan", "inf" and "-inf".
"""

from __future__ import annotations

import gzip
import io
import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TextIO

SCHEMA = 1

VERDICTS = ("agrees", "by_convention", "known", "disagrees", "unsupported", "crashed", "timed_out", "missing")
INFRASTRUCTURE = frozenset({"crashed", "timed_out", "missing"})
"""Verdicts that say nothing about the implementation's mathematics: never a pass, never a skip, never a score."""

SEVERITIES = ("silently_wrong", "silent_nonfinite", "unexpected_error", "wrong_error", "unsupported")
"""Gravest first: a wrong finite number, a silent nan or infinity, an error where a value is right (or a value where
an error is right counts as silently wrong), the wrong kind of error, not offered at all."""

CLAIM_VERDICTS = ("holds", "holds_to_printed_digits", "holds_under_convention", "wrong", "cannot_be_checked")


class RunFileError(ValueError):
    """A run file that cannot be used, with the reason and the remedy."""


def number(value: float) -> float | str:
    """A float as JSON can hold it."""
    return value if math.isfinite(value) else repr(float(value))


@dataclass(frozen=True)
class Header:
    """What was run, with what, and where."""

    suite: Mapping[str, Any]
    """version, digest (of all selected case texts), cases: {id: {title, why, loss, tags, inputs, options,
    cotangent, vector, source, file, line, expect, truth}} so that a report needs nothing but the run file."""
    implementations: Mapping[str, Mapping[str, Any]]
    """By name: version, versions, modes, dtypes, losses, device, threads, flags, facts (of
    `harness.core.machine_facts`), startup_seconds, stderr; or
    {"missing": reason} where the worker could not start."""
    machine: Mapping[str, Any]
    """python, platform, cpu, instruction_set, cores, memory_gib."""
    started: str
    """UTC, ISO 8601."""
    command: tuple[str, ...] = ()
    certificate: Mapping[str, Any] | None = None
    """The certificate of the reference the run was judged with."""
    schema: int = SCHEMA


@dataclass(frozen=True)
class Cell:
    """case × implementation × mode × dtype × aspect: the unit of report, diff and gate."""

    case: str
    implementation: str
    mode: str
    dtype: str
    aspect: str
    """value; gradient (with respect to the loss's first differentiated input); gradient/NAME for any other input;
    hessian_vector (the Hessian with respect to that same first input, times the vector of the case); mode_agreement;
    relation/NAME."""
    verdict: str
    outcome: Mapping[str, Any]
    """{"kind": "value"} with dtype, shape and digest (sha256 of the bits), or {"kind": "raises", "error", "type",
    "message"}, {"kind": "unsupported", "reason"}, {"kind": "timed_out", "seconds"}, {"kind": "crashed", "signal"},
    {"kind": "missing", "reason"}."""
    truth: Any = None
    """What is right: numbers (nested lists, at most 64 of them), or {"shape", "worst_index", "worst"} for larger
    arrays, or {"raises": kind} where an error is right."""
    got: Any = None
    """What came back, in the same form as `truth`."""
    ratio: float | str | None = None
    """R: the error divided by eps times the gauge, at the worst element."""
    budget: float | None = None
    """k: the R that is allowed."""
    gauge: Mapping[str, float] | None = None
    """A at the worst element, term by term, the terms in the letters of the report; k · eps · their sum is allowed."""
    worst: int | None = None
    """Which element is the worst, counted through the flattened result; None for scalars."""
    grade: str | None = None
    """A accurate relative to the loss, B within the gauge, C only normwise, F worse."""
    ulps: float | str | None = None
    """Error of the worst element in units in the last place of the truth, fractional."""
    severity: str | None = None
    ledger: str | None = None
    """Id of the ledger entry that explains the cell."""
    convention: str | None = None
    """Convention under which the cell agrees, e.g. clip(1e-07)."""
    explanation: str | None = None
    """One sentence for every cell that does not simply agree."""
    function: str | None = None
    """The public function that was called."""
    warnings: tuple[str, ...] = ()
    seconds: float | None = None
    """What the framework's own call took."""

    @property
    def key(self) -> tuple[str, str, str, str, str]:
        return (self.case, self.implementation, self.mode, self.dtype, self.aspect)

    @property
    def name(self) -> str:
        """The cell as a user names it on the command line: case[implementation-mode-dtype-aspect]."""
        return f"{self.case}[{self.implementation}:{self.mode}:{self.dtype}:{self.aspect}]"


@dataclass(frozen=True)
class ClaimRecord:
    """A claim of a document with its verdict."""

    case: str
    claimed: Any
    verdict: str
    truth: Any
    explanation: str
    says: str = ""
    convention: str | None = None
    document: str | None = None
    expected: bool = True
    """Whether the verdict is the one the case file expects; the run is not green where it is not."""


@dataclass(frozen=True)
class Speed:
    """One measurement of one implementation on one workload."""

    workload: str
    implementation: str
    mode: str
    dtype: str
    verdict: str
    figures: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Footer:
    """The proof that a run is complete."""

    cells: int
    verdicts: Mapping[str, int]
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Where the time went: total, and by part."""
    problems: tuple[Mapping[str, Any], ...] = ()
    """Ledger entries that are stale or match nothing, workers that died: {"kind", "what", "remedy"}."""


Record = Header | Cell | ClaimRecord | Speed | Footer
_KINDS: Mapping[str, type[Record]] = {
    "header": Header,
    "cell": Cell,
    "claim": ClaimRecord,
    "speed": Speed,
    "footer": Footer,
}
_KIND_OF: Mapping[type[Record], str] = {type_: kind for kind, type_ in _KINDS.items()}
# Made once: a run has a hundred thousand records, and asking each for its fields takes longer than writing it.
_FIELDS: Mapping[str, Mapping[str, Any]] = {k: {f.name: f.default for f in fields(t)} for k, t in _KINDS.items()}
_LISTS = ("warnings", "problems", "command")
_ENCODER = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":"))


@dataclass(frozen=True)
class Run:
    """A complete run, read from its file."""

    header: Header
    cells: tuple[Cell, ...]
    claims: tuple[ClaimRecord, ...]
    speeds: tuple[Speed, ...]
    footer: Footer


def to_json(record: Record) -> str:
    """The record as one line; fields that are None or empty by default are left out.

    ASCII throughout, since a message may hold anything: line separators, halves of surrogate pairs.
    """
    kind = _KIND_OF[type(record)]
    entries: dict[str, Any] = {"kind": kind}
    for name, value in vars(record).items():
        if isinstance(value, float):
            entries[name] = number(value)
        elif (value is not None or _FIELDS[kind][name] is not None) and (value != () or name not in _LISTS):
            entries[name] = value
    return _ENCODER.encode(entries)


def from_json(line: str) -> Record:
    """The inverse of `to_json`; fields this version does not know are ignored."""
    entries = json.loads(line)
    if not isinstance(entries, dict) or entries.get("kind") not in _KINDS:
        raise RunFileError(f"a record needs a kind among {', '.join(_KINDS)}, got {line[:80]!r}")
    type_, known = _KINDS[entries["kind"]], _FIELDS[entries["kind"]]
    chosen = {name: value for name, value in entries.items() if name in known}
    for name in _LISTS:
        if name in chosen:
            chosen[name] = tuple(chosen[name])
    return type_(**chosen)


def _opened(path: Path, how: Literal["r", "w"]) -> TextIO:
    """A run file, compressed where its name ends in .gz; the same run always gives the same bytes."""
    if path.suffix != ".gz":
        return path.open(how, encoding="utf-8")
    # No time inside: a baseline that did not change is the same file.
    packed = gzip.GzipFile(path, "rb" if how == "r" else "wb", mtime=0)
    return io.TextIOWrapper(packed, encoding="utf-8")


class RunWriter:
    """Writes a run line by line, so that whatever happens, what was found is on disk.

    The footer is written by `finish` alone: leaving the `with` block early leaves a file that `read_run` refuses.
    """

    def __init__(self, path: Path, header: Header) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: TextIO = _opened(path, "w")
        self._verdicts: Counter[str] = Counter()
        self._write(header)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()

    def _write(self, record: Record) -> None:
        self._file.write(to_json(record) + "\n")

    def add(self, record: Cell | ClaimRecord | Speed) -> None:
        if isinstance(record, Cell):
            self._verdicts[record.verdict] += 1
        self._write(record)

    def finish(self, seconds: Mapping[str, float], problems: Iterable[Mapping[str, Any]] = ()) -> Footer:
        footer = footer_of(self._verdicts, seconds, problems)
        self._write(footer)
        self._file.flush()
        return footer


def footer_of(
    verdicts: Mapping[str, int], seconds: Mapping[str, float], problems: Iterable[Mapping[str, Any]] = ()
) -> Footer:
    """What closes a run of so many cells of each verdict."""
    counts = {v: verdicts[v] for v in VERDICTS if verdicts.get(v)}
    return Footer(sum(counts.values()), counts, dict(seconds), tuple(problems))


def read_run(path: Path) -> Run:
    """A complete run; RunFileError where the file is no run, of another schema, cut off, or contradicts itself."""
    try:
        with _opened(path, "r") as file:
            text = file.read()
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise RunFileError(f"{path}: cannot be read as a run file: {error}") from error
    records = list(_parse(path, text))
    if not records or not isinstance(records[0], Header):
        raise RunFileError(f"{path}: the first line is no header; write run files with `xent run -o RUN.jsonl`")
    header = records[0]
    if header.schema != SCHEMA:
        raise RunFileError(f"{path}: schema {header.schema}, this version reads {SCHEMA}; run the suite again")
    if not isinstance(records[-1], Footer):
        raise RunFileError(f"{path}: no footer after {len(records)} lines: the run was cut off; run it again")
    footer = records[-1]
    middle = records[1:-1]
    if any(isinstance(r, Header | Footer) for r in middle):
        raise RunFileError(f"{path}: a second header or footer; merge runs with `xent merge`")
    cells = tuple(r for r in middle if isinstance(r, Cell))
    if len(cells) != footer.cells:
        raise RunFileError(f"{path}: the footer counts {footer.cells} cells, the file holds {len(cells)}; run it again")
    return Run(
        header=header,
        cells=cells,
        claims=tuple(r for r in middle if isinstance(r, ClaimRecord)),
        speeds=tuple(r for r in middle if isinstance(r, Speed)),
        footer=footer,
    )


def _parse(path: Path, text: str) -> Iterator[Record]:
    for position, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            yield from_json(line)
        except (json.JSONDecodeError, TypeError, RunFileError) as error:
            raise RunFileError(f"{path}:{position}: not a record of a run file: {error}; run it again") from error
