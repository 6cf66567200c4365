"""The run file: one execution as JSON lines, written line by line and checked line by line when it is read back.

A run file begins with a header, ends with a footer, and holds one line per cell, claim and measurement between them.
A file without its footer was cut off and is refused: a truncated run is not a run. What is read is what was written,
or RunFileError says which line and field is not.

JSON has no nan and no infinities; numbers that may be either are written as the strings "nan", "inf" and "-inf".
"""

from __future__ import annotations

import contextlib
import gzip
import json
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from functools import reduce
from operator import attrgetter, or_
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NoReturn, Self, get_type_hints

import msgspec

from harness.core.cell import (
    CLAIM_VERDICTS,
    EVERY,
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
    line = _ENCODER.encode(entries)
    # Half of a surrogate pair is no character, and no JSON that every reader takes; a framework's message may hold it.
    return _ENCODER.encode(_characters(entries)) if "\\ud" in line else line


def _characters(value: Any) -> Any:
    """The value with a replacement character for everything in its texts that is none."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, Mapping):
        return {_characters(name): _characters(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_characters(entry) for entry in value]
    return _characters(_set(value)) if is_dataclass(value) else value


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
_MEASURED = float | _one_of(_NOT_FINITE) | None
_OUTCOME = reduce(
    or_,
    (
        _outcome("value", dtype=str, shape=list[int], digest=str),
        _outcome("raises", error=list[str], type=str, message=str),
        _outcome("unsupported", reason=str),
        _outcome("timed_out", seconds=float),
        _outcome("crashed", signal=str),
        _outcome("missing", reason=str),
    ),
)
_CELL = _record(
    Cell,
    {
        "verdict": _one_of(VERDICTS),
        "severity": _one_of(SEVERITIES) | None,
        "outcome": _OUTCOME,
        "observed": _record(Observed, {"kind": _one_of(OBSERVED)}) | None,
        "ratio": _MEASURED,
        "ulps": _MEASURED,
    },
    "cell",
)
_CLAIM = _record(ClaimRecord, {"verdict": _one_of(CLAIM_VERDICTS)}, "claim")
_SPEED = _record(Speed, {}, "speed")
_FOOTER = _record(
    Footer,
    {
        "verdicts": dict.__class_getitem__((_one_of(VERDICTS), int)),
        "problems": list.__class_getitem__(_record(RunProblem, {"kind": _one_of(RUN_PROBLEMS)})),
    },
    "footer",
)
_HEADER = _record(Header, {}, "header")


class _Case(msgspec.Struct):
    """What whoever reads a run asks of each case in its header; there may be more."""

    loss: str
    title: str = ""
    why: str = ""
    tags: list[str] = []
    inputs: dict[str, str] = {}
    options: dict[str, Any] = {}
    file: str = ""
    line: int = 0
    expect: str = ""
    cotangent: str | None = None
    vector: str | None = None
    source: dict[str, str | None] | None = None
    truth: dict[str, Any] | None = None


class _Suite(msgspec.Struct):
    version: str
    digest: str = ""
    cases: dict[str, _Case] = {}
    ledger: dict[str, dict[str, Any]] = {}
    workloads: dict[str, dict[str, Any]] = {}


class _Implementation(msgspec.Struct):
    version: str = "?"
    versions: dict[str, str] = {}
    modes: list[str] = []
    dtypes: list[str] = []
    losses: list[str] = []
    flags: dict[str, str] = {}
    facts: dict[str, str] = {}
    missing: str | None = None
    stderr: str = ""


class _Described(msgspec.Struct):
    """What is in a header, where it is an object of its own."""

    suite: _Suite
    implementations: dict[str, _Implementation]


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
        elif isinstance(found, _HEADER):
            msgspec.convert({"suite": found.suite, "implementations": found.implementations}, _Described)
        elif isinstance(found, _FOOTER):
            found.problems = tuple(RunProblem(*_PROBLEM_FIELDS(problem)) for problem in found.problems)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise _Malformed(str(error)) from error
    type_, told = _FIELDS[type(found)]
    record: Record = type_(*told(found))
    return record


def _is_result(value: Any) -> bool:
    """Whether this is how a cell writes numbers: all of them, the worst of many, or the error that is right."""
    if value is None or type(value) is float:
        return True
    if isinstance(value, dict):
        if value.keys() == {"raises"}:
            return isinstance(value["raises"], str)
        return value.keys() == {"shape", "worst_index", "worst"} and all(_is_numbers(entry) for entry in value.values())
    return _is_numbers(value)


def _is_numbers(value: Any) -> bool:
    if isinstance(value, list):
        return all(type(entry) is float or _is_numbers(entry) for entry in value)
    return (isinstance(value, float | int) and not isinstance(value, bool)) or value in _NOT_FINITE


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
    _refuse_contradictions(path, header, cells, (last, footer))
    claims = [(place, record) for place, record in records if isinstance(record, ClaimRecord)]
    for place, claim in claims:
        if claim.case not in header.suite.get("cases", {}):
            _refuse(path, place, f"case: {claim.case!r} is not among the cases of the header")
    return Run(
        header=header,
        cells=tuple(cell for _, cell in cells),
        claims=tuple(claim for _, claim in claims),
        speeds=tuple(record for _, record in records if isinstance(record, Speed)),
        footer=footer,
    )


def _content(path: Path) -> bytes:
    try:
        if path.suffix == ".gz":
            with gzip.open(path) as file:
                return file.read()
        return path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise RunFileError(f"{path}: cannot be read as a run file: {error}") from error


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
            _refuse(path, place, f"schema {schema}, this version reads {SCHEMA}", "run the suite again")


def _read(path: Path, place: int, line: bytes) -> Record:
    try:
        return _parsed(line)
    except _Malformed as error:
        _refuse(path, place, f"not a record of a run file: {error}")


def _refuse_contradictions(
    path: Path, header: Header, cells: Sequence[tuple[int, Cell]], end: tuple[int, Footer]
) -> None:
    cases, last, footer = header.suite.get("cases", {}), *end
    seen: dict[tuple[str, ...], int] = {}
    for place, cell in cells:
        if cell.case not in cases:
            _refuse(path, place, f"case: {cell.case!r} is not among the cases of the header")
        if cell.implementation not in header.implementations:
            _refuse(path, place, f"implementation: {cell.implementation!r} is not among those of the header")
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
