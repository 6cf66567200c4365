"""The run file: one execution as JSON lines, written line by line and checked line by line when it is read back.

A run file begins with a header, ends with a footer, and holds one line per cell, claim and measurement between them.
A file without its footer was cut off and is refused: a truncated run is not a run. What is read is what was written,
or RunFileError says which line and field is not.

JSON has no nan and no infinities; numbers that may be either are written as the strings "nan", "inf" and "-inf".
"""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from functools import reduce
from operator import attrgetter, or_
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, Literal, NoReturn, Self, get_type_hints

import msgspec

from harness.core.cell import (
    CLAIM_VERDICTS,
    EVERY,
    INFRASTRUCTURE,
    OBSERVED,
    RUN_PROBLEMS,
    SCHEMA,
    SEVERITIES,
    VERDICTS,
    Cell,
    ClaimRecord,
    Footer,
    Header,
    Observed,
    Run,
    RunProblem,
    Speed,
    number,
    wider,
)
from harness.core.errors import InfrastructureError
from harness.core.files import GrowingFile, OutputError, write_whole
from harness.core.formats import FORMATS
from harness.core.inputs import read_whole, reason_of
from harness.speed.statistics import VERDICTS as SPEED_VERDICTS


class RunFileError(InfrastructureError):
    """A run file that cannot be used: which, at which line and field, and a hint."""


Record = Header | Cell | ClaimRecord | Speed | Footer
_KINDS: Mapping[str, type[Record]] = {
    "header": Header,
    "cell": Cell,
    "claim": ClaimRecord,
    "speed": Speed,
    "footer": Footer,
}

# --- writing ----------------------------------------------------------------------------------------------------------

_KIND_OF: Mapping[type[Record], str] = {type_: kind for kind, type_ in _KINDS.items()}
# Made once: a run has a hundred thousand records, and asking each for its fields takes longer than writing it.
_DEFAULTS: Mapping[type[Record], Mapping[str, Any]] = {
    t: {f.name: f.default for f in fields(t)} for t in _KINDS.values()
}
_LISTS = ("warnings", "problems", "dormant", "command")
_ENCODER = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":"), default=lambda fact: _set(fact))


def _set(fact: object) -> dict[str, Any]:
    """The fields of a fact that say something."""
    return {name: value for name, value in vars(fact).items() if value is not None}


def to_json(record: Record) -> str:
    """The record as one line; fields that are None or empty by default are left out.

    ASCII throughout, since a message may hold any character, line separators too.
    """
    entries: dict[str, Any] = {"kind": _KIND_OF[type(record)]}
    defaults = _DEFAULTS[type(record)]
    for name, value in vars(record).items():
        if isinstance(value, float):
            entries[name] = number(value)
        elif (value is not None or defaults[name] is not None) and (value != () or name not in _LISTS):
            entries[name] = value
    try:
        line = _ENCODER.encode(entries)
    except ValueError:  # a nan or an infinity further inside, such as an option of a case
        return _ENCODER.encode(_writable(entries))
    # Half of a surrogate pair is no character, and no JSON that every reader takes; a framework's message may hold it.
    return _ENCODER.encode(_writable(entries)) if "\\ud" in line else line


def _writable(value: Any) -> Any:
    """The value with words for the numbers that JSON has not, and a replacement for what in a text is no character."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, float):
        return number(value)
    if isinstance(value, Mapping):
        return {_writable(name): _writable(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_writable(entry) for entry in value]
    return _writable(_set(value)) if is_dataclass(value) else value


class RunWriter:
    """Writes a run line by line, so that whatever happens, what was found is on disk.

    `finish` writes the footer and gives the file its name. Leaving the `with` block early leaves what stood there
    before, and PATH.part beside it, without a footer, which `read_run` refuses.
    """

    def __init__(self, path: Path, header: Header) -> None:
        self._file = GrowingFile(path)
        # Compressed where the name ends in .gz, with no time inside: a baseline that did not change is the same file.
        self._packed = gzip.GzipFile("", "wb", fileobj=self._file, mtime=0) if path.suffix == ".gz" else None
        self._verdicts: Counter[str] = Counter()
        self._write(header)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        if self._packed is not None:
            with contextlib.suppress(OutputError):  # what is left early is not whole in any case
                self._packed.close()
        self._file.close()

    def _write(self, record: Record) -> None:
        (self._packed or self._file).write((to_json(record) + "\n").encode("ascii"))

    def add(self, record: Cell | ClaimRecord | Speed) -> None:
        if isinstance(record, Cell):
            self._verdicts[record.verdict] += 1
        self._write(record)

    def finish(
        self, seconds: Mapping[str, float], problems: Iterable[RunProblem] = (), dormant: Iterable[str] = ()
    ) -> Footer:
        footer = footer_of(self._verdicts, seconds, problems, dormant)
        self._write(footer)
        if self._packed is not None:
            self._packed.close()
        self._file.finish()
        return footer


def write_run(path: Path, run: Run) -> None:
    """Write a complete run: the file is there as a whole, or what stood there before still stands."""
    counts, end = Counter(cell.verdict for cell in run.cells), run.footer
    footer = footer_of(counts, end.seconds, end.problems, end.dormant)
    records: Iterable[Record] = (run.header, *run.cells, *run.claims, *run.speeds, footer)
    content = "".join(to_json(record) + "\n" for record in records).encode("ascii")
    # No time inside: a baseline that did not change is the same file.
    write_whole(path, gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)


def footer_of(
    verdicts: Mapping[str, int],
    seconds: Mapping[str, float],
    problems: Iterable[RunProblem] = (),
    dormant: Iterable[str] = (),
) -> Footer:
    """What closes a run of so many cells of each verdict."""
    counts = {v: verdicts[v] for v in VERDICTS if verdicts.get(v)}
    return Footer(sum(counts.values()), counts, dict(seconds), tuple(problems), tuple(dormant))


# --- what a line may hold ---------------------------------------------------------------------------------------------


DEEPEST = 32
"""Levels of nesting: of numbers no array has more axes, of everything else we write five."""

_INT64 = range(-(2**63), 2**63)


def _one_of(names: Sequence[str]) -> Any:
    return Literal.__getitem__(tuple(names))


def _record(type_: type, types: Mapping[str, Any], tag: str | None = None) -> Any:
    """The form of `type_` in a file: its fields, those in `types` with a narrower type, and no others."""
    hints = get_type_hints(type_)
    entries: list[Any] = []
    for f in fields(type_):
        named = (f.name, types.get(f.name, hints[f.name]))
        if f.default_factory is not MISSING:
            entries.append((*named, msgspec.field(default_factory=f.default_factory)))
        else:
            entries.append(named if f.default is MISSING else (*named, f.default))
    return msgspec.defstruct(
        type_.__name__, entries, kw_only=True, tag_field=tag and "kind", tag=tag, forbid_unknown_fields=True
    )


def _outcome(kind: str, **types: Any) -> Any:
    """One kind of outcome; a baseline keeps less of each than a run."""
    entries = [(name, type_ | msgspec.UnsetType, msgspec.UNSET) for name, type_ in types.items()]
    return msgspec.defstruct(kind, entries, tag_field="kind", tag=kind, forbid_unknown_fields=True)


_NOT_FINITE = ("nan", "inf", "-inf")
_SIZE = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
_MEASURED = float | _one_of(_NOT_FINITE) | None
_OUTCOME = reduce(
    or_,
    (
        _outcome("value", dtype=str, shape=list[_SIZE], digest=str),
        _outcome("raises", error=list[str], type=str, message=str),
        _outcome("unsupported", reason=str),
        _outcome("timed_out", seconds=float),
        _outcome("crashed", signal=str, said=str),
        _outcome("missing", reason=str),
    ),
)
_CELL = _record(
    Cell,
    {
        "dtype": _one_of((*FORMATS, EVERY)),
        "verdict": _one_of(VERDICTS),
        "severity": _one_of(SEVERITIES) | None,
        "outcome": _OUTCOME,
        "observed": _record(Observed, {"kind": _one_of(OBSERVED), "differing": _SIZE | None, "elements": _SIZE | None})
        | None,
        "error_scale": dict[str, float] | None,
        "causes": dict[str, str],
        "worst": _SIZE | None,
        "grade": _one_of("ABCF") | None,
        "ratio": _MEASURED,
        "ulps": _MEASURED,
    },
    "cell",
)
_CLAIM = _record(ClaimRecord, {"verdict": _one_of(CLAIM_VERDICTS)}, "claim")
_SPEED = _record(Speed, {"verdict": _one_of(SPEED_VERDICTS), "figures": dict[str, Any]}, "speed")
_FOOTER = _record(
    Footer,
    {
        "cells": _SIZE,
        "verdicts": dict.__class_getitem__((_one_of(VERDICTS), _SIZE)),
        "problems": list.__class_getitem__(_record(RunProblem, {"kind": _one_of(RUN_PROBLEMS)})),
    },
    "footer",
)
_HEADER = _record(Header, {}, "header")


class _Figures(msgspec.Struct):
    """What whoever reads a run asks of a measurement; there may be more, each a number, a word or a list of numbers."""

    passes: str
    threads: _SIZE
    judged: _one_of(VERDICTS)  # type: ignore[valid-type]
    why: str = ""
    ratios: list[Annotated[float, msgspec.Meta(gt=0)]] = []
    mostly_disturbed: bool = False


class _Measurement(msgspec.Struct):
    """What is in a measurement, where it is an object of its own."""

    figures: _Figures


class _Digits(msgspec.Struct):
    """A truth to twenty digits."""

    shape: list[_SIZE]
    digits: list[str]


class _Entry(msgspec.Struct):
    """What of a ledger entry is told; there may be more."""

    reason: str
    upstream: str | None = None
    pinned: str = ""
    versions: str = ""
    where: dict[str, list[str]] = {}
    location: str = ""


class _Workload(msgspec.Struct):
    loss: str
    title: str = ""
    why: str = ""


class _Case(msgspec.Struct):
    """What whoever reads a run asks of each case in its header; there may be more."""

    loss: str
    title: str = ""
    why: str = ""
    traits: list[str] = []
    size: _SIZE = 0
    tags: list[str] = []
    inputs: dict[str, str] = {}
    options: dict[str, str | float | bool | None] = {}
    file: str = ""
    line: _SIZE = 0
    expect: str = ""
    at_least: dict[str, str] = {}
    cotangent: str | None = None
    vector: str | None = None
    outputs: list[str] = []
    source: dict[str, str | None] | None = None
    truth: dict[str, str | _Digits] | None = None


class _Suite(msgspec.Struct):
    version: str
    digest: str = ""
    cases: dict[str, _Case] = {}
    ledger: dict[str, _Entry] = {}
    workloads: dict[str, _Workload] = {}


class _Implementation(msgspec.Struct):
    version: str = "?"
    versions: dict[str, str] = {}
    modes: list[str] = []
    mode_losses: dict[str, list[str]] = {}
    mode_tags: dict[str, str] = {}
    outputs: list[str] = []
    truth: str = ""
    dtypes: list[str] = []
    losses: list[str] = []
    device: str = ""
    threads: _SIZE = 1
    startup_seconds: float = 0.0
    flags: dict[str, str] = {}
    facts: dict[str, str] = {}
    missing: str | None = None
    stderr: str = ""


class _Certificate(msgspec.Struct):
    """What is told of the certificate of the reference; there may be more."""

    holds: bool
    sentence: str = ""
    digest: str = ""
    points: _SIZE = 0
    normal_ulps: float = 0.0
    versions: dict[str, str] = {}


class _Described(msgspec.Struct):
    """What is in a header, where it is an object of its own."""

    suite: _Suite
    implementations: dict[str, _Implementation]
    machine: dict[str, str | float | None]
    certificate: _Certificate | None


_LINE: Any = msgspec.json.Decoder(_HEADER | _CELL | _CLAIM | _SPEED | _FOOTER)


def _told(type_: type) -> Callable[[Any], tuple[Any, ...]]:
    got: Callable[[Any], tuple[Any, ...]] = attrgetter(*(f.name for f in fields(type_)))
    return got


_FIELDS: Mapping[Any, tuple[Any, Callable[[Any], tuple[Any, ...]]]] = {
    form: (type_, _told(type_))
    for form, type_ in (
        (_HEADER, Header),
        (_CELL, Cell),
        (_CLAIM, ClaimRecord),
        (_SPEED, Speed),
        (_FOOTER, Footer),
    )
}
_OBSERVED_FIELDS, _PROBLEM_FIELDS = _told(Observed), _told(RunProblem)


class _Malformed(ValueError):  # noqa: N818 - a reason, which becomes a RunFileError where file and line are known
    """What is wrong with a line, and in which field."""


def from_json(line: str | bytes) -> Record:
    """The inverse of `to_json`; RunFileError where the line is no record."""
    try:
        return _parsed(line)
    except _Malformed as error:
        raise RunFileError(f"not a record of a run file: {error}") from error


def _parsed(line: str | bytes) -> Record:
    try:
        found = _LINE.decode(line)
        if isinstance(found, _CELL):
            found.outcome = msgspec.to_builtins(found.outcome)
            if found.observed is not None:
                found.observed = Observed(*_OBSERVED_FIELDS(found.observed))
            for name in ("truth", "got"):
                if not _is_result(getattr(found, name)):
                    raise _Malformed(f"`$.{name}` holds neither numbers nor an error that is right")
            if (contradiction := _contradiction(found)) is not None:
                raise _Malformed(contradiction)
        elif isinstance(found, _HEADER):
            msgspec.convert({name: getattr(found, name) for name in _Described.__struct_fields__}, _Described)
            _refuse_boundless({name: getattr(found, name) for name in _Described.__struct_fields__}, "$", DEEPEST)
        elif isinstance(found, _CLAIM):
            for name in ("claimed", "truth"):
                _refuse_boundless(getattr(found, name), f"$.{name}", DEEPEST)
        elif isinstance(found, _SPEED):
            msgspec.convert({"figures": found.figures}, _Measurement)
            _refuse_boundless(found.figures, "$.figures", 2)
        elif isinstance(found, _FOOTER):
            found.problems = tuple(RunProblem(*_PROBLEM_FIELDS(problem)) for problem in found.problems)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise _Malformed(str(error)) from error
    type_, told = _FIELDS[type(found)]
    record: Record = type_(*told(found))
    return record


def _contradiction(cell: Any) -> str | None:
    """What a cell says of itself that cannot be so at once; `cell` has the fields of one."""
    kind = cell.outcome["kind"]
    if (cell.verdict in INFRASTRUCTURE or cell.verdict == "unsupported") and kind != cell.verdict:
        return f"`$.verdict` is {cell.verdict}, `$.outcome.kind` is {kind}"
    if cell.verdict in ("agrees", "by_convention") and kind not in ("value", "raises"):
        return f"`$.verdict` is {cell.verdict}, `$.outcome.kind` is {kind}"
    if cell.verdict == "disagrees" and (cell.observed is None or cell.severity is None):
        return "`$.verdict` is disagrees, and `$.observed` and `$.severity` do not both say what was seen"
    if cell.verdict == "known" and cell.ledger is None:
        return "`$.verdict` is known, and `$.ledger` does not say by which entry"
    return None


def _is_result(value: Any) -> bool:
    """Whether this is how a cell writes numbers: all of them, the worst of many, or the error that is right."""
    if value is None or type(value) is float:
        return True
    if isinstance(value, dict):
        if value.keys() == {"raises"}:
            return isinstance(value["raises"], str)
        return value.keys() == {"shape", "worst_index", "worst"} and all(_is_numbers(entry) for entry in value.values())
    return _is_numbers(value)


def _is_numbers(value: Any, levels: int = DEEPEST) -> bool:
    if isinstance(value, list):
        return levels > 0 and all(type(entry) is float or _is_numbers(entry, levels - 1) for entry in value)
    if isinstance(value, int):
        return not isinstance(value, bool) and value in _INT64
    return isinstance(value, float) or value in _NOT_FINITE


def _refuse_boundless(value: Any, field: str, levels: int) -> None:
    """_Malformed where something is nested deeper, or a whole number larger, than whoever reads it can be asked for."""
    if isinstance(value, int) and value not in _INT64:
        raise _Malformed(f"`{field}` is a whole number of more than 64 bits")
    if isinstance(value, dict | list):
        if levels == 0:
            raise _Malformed(f"`{field}` is nested too deep")
        for name, entry in value.items() if isinstance(value, dict) else enumerate(value):
            _refuse_boundless(entry, f"{field}[{name}]" if isinstance(value, list) else f"{field}.{name}", levels - 1)


# --- reading ----------------------------------------------------------------------------------------------------------


def read_run(path: Path) -> Run:
    """A complete run; RunFileError where the file is no run, of another schema, cut off, or contradicts itself."""
    lines = [(place, line) for place, line in enumerate(_content(path).split(b"\n"), start=1) if line.strip()]
    _refuse_another_schema(path, lines)
    records = [(place, _read(path, place, line)) for place, line in lines]
    if not records or not isinstance(records[0][1], Header):
        _refuse(path, 1, "the first line is no header", "write run files with `xent run -o RUN.jsonl`")
    header = records[0][1]
    last, footer = records[-1]
    if not isinstance(footer, Footer):
        _refuse(path, last, f"no footer after {len(records)} lines: the run was cut off")
    for place, record in records[1:-1]:
        if isinstance(record, Header | Footer):
            _refuse(path, place, "a second header or footer", "merge runs with `xent merge`")
    cells = [(place, record) for place, record in records if isinstance(record, Cell)]
    _refuse_strangers(path, header, records)
    _refuse_contradictions(path, cells, (last, footer))
    speeds = [(place, record) for place, record in records if isinstance(record, Speed)]
    _refuse_measured_twice(path, speeds)
    return Run(
        header=header,
        cells=tuple(cell for _, cell in cells),
        claims=tuple(record for _, record in records if isinstance(record, ClaimRecord)),
        speeds=tuple(speed for _, speed in speeds),
        footer=footer,
    )


LARGEST_RUN = 2**29
"""Bytes of a run file, unpacked: ten times a run of every case on every implementation in every mode."""


def _content(path: Path) -> bytes:
    try:
        raw = read_whole(path, LARGEST_RUN)
        if path.suffix != ".gz":
            return raw
        with gzip.GzipFile(fileobj=io.BytesIO(raw)) as file:
            content = file.read(LARGEST_RUN + 1)
    except (OSError, EOFError, zlib.error) as error:
        reason = reason_of(error)
    else:
        if len(content) <= LARGEST_RUN:
            return content
        reason = f"unpacked it is larger than {LARGEST_RUN} bytes"
    raise RunFileError(f"{path}:0: cannot be read as a run file: {reason}; name a file of `xent run -o`")


def _refuse(path: Path, place: int, what: str, hint: str = "run it again") -> NoReturn:
    raise RunFileError(f"{path}:{place}: {what}; {hint}")


class _AnySchema(msgspec.Struct):
    schema: Any = SCHEMA


def _refuse_another_schema(path: Path, lines: Sequence[tuple[int, bytes]]) -> None:
    """Before anything else, since another schema has other fields."""
    for place, line in lines[:1]:
        try:
            schema = msgspec.json.decode(line, type=_AnySchema).schema
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return  # what is no header is refused as such
        if schema != SCHEMA:
            _refuse(path, place, f"schema {str(schema)[:60]}, this version reads {SCHEMA}", "run the suite again")


def _read(path: Path, place: int, line: bytes) -> Record:
    try:
        return _parsed(line)
    except _Malformed as error:
        _refuse(path, place, f"not a record of a run file: {error}")


def _refuse_strangers(path: Path, header: Header, records: Sequence[tuple[int, Record]]) -> None:
    """Refuse what is of a case, implementation, mode or workload that the header does not know."""
    cases, workloads, described = header.suite.get("cases", {}), header.suite.get("workloads"), header.implementations
    for place, record in records:
        if isinstance(record, Cell | ClaimRecord) and record.case not in cases:
            _refuse(path, place, f"case: {record.case!r} is not among the cases of the header")
        if isinstance(record, Speed) and workloads is not None and record.workload not in workloads:
            _refuse(path, place, f"workload: {record.workload!r} is not among the workloads of the header")
        if isinstance(record, Cell | Speed):
            if record.implementation not in described:
                _refuse(path, place, f"implementation: {record.implementation!r} is not among those of the header")
            of = described[record.implementation]
            if "missing" in of and not (isinstance(record, Cell) and record.verdict == "missing"):
                _refuse(path, place, f"implementation: {record.implementation!r} could not start, says the header")
            if "missing" not in of and record.mode not in of.get("modes", (record.mode,)):
                _refuse(path, place, f"mode: {record.implementation} has no mode {record.mode!r}, says the header")


def _refuse_contradictions(path: Path, cells: Sequence[tuple[int, Cell]], end: tuple[int, Footer]) -> None:
    last, footer = end
    seen: dict[tuple[str, ...], int] = {}
    for place, cell in cells:
        first = seen.setdefault(cell.key, place)
        if first != place:
            _refuse(path, place, f"the cell {cell.name} a second time, the first is at line {first}")
    for place, cell in cells:
        if cell.dtype == EVERY != cell.aspect or (cell.aspect == EVERY and cell.verdict != "unsupported"):
            _refuse(path, place, f"the cell {cell.name}: only a refusal is about every aspect, or every dtype")
        for refusal in wider(cell.key):
            if refusal in seen:
                _refuse(path, place, f"the cell {cell.name}, which is refused as a whole at line {seen[refusal]}")
    if footer.cells != len(cells):
        _refuse(path, last, f"cells: the footer counts {footer.cells} cells, the file holds {len(cells)}")
    counted = Counter(cell.verdict for _, cell in cells)
    for verdict in VERDICTS:
        told = footer.verdicts.get(verdict, 0)
        if told != counted[verdict]:
            _refuse(path, last, f"verdicts: the footer counts {told} cells of {verdict}, the file {counted[verdict]}")


def _refuse_measured_twice(path: Path, speeds: Sequence[tuple[int, Speed]]) -> None:
    seen: dict[tuple[str, ...], int] = {}
    for place, speed in speeds:
        first = seen.setdefault(speed.key, place)
        if first != place:
            _refuse(path, place, f"the measurement {':'.join(speed.key)} a second time, the first is at line {first}")
