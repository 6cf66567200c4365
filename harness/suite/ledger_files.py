"""Reading the ledger: cases/ledger/*.yaml become entries of `harness.core.ledger`.

- id: torch-binary-cross-entropy-clamp
  cases: [edges/binary-*]                 # globs over case ids
  implementations: [torch, keras-torch]   # globs
  versions: ">=2.0,<3"                    # optional, PEP 440
  modes: [eager]                          # optional
  dtypes: [float32]                       # optional
  aspects: [gradient]                     # optional
  beyond: [softmax_cross_entropy]         # optional: of these losses it is the cause in other cases too
  where: {onednn: on, isa: [avx2, avx512]}  # optional machine facts; of a list any, of the facts all; else dormant
  since: {torch: "2.1.0"}                # what `xent history` found, written by it
  seen: On which machine              # of an entry that is dormant wherever the baseline and its overlays are from
  outcome: {kind: finite, ratio: [5, 9]}  # pinned: another failure than this one still disagrees
  reason: Why it happens, not what happens.
  upstream: the address of the thread or the documentation, or `none found`
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from harness.core.cell import OBSERVED
from harness.core.formats import FORMATS
from harness.core.inputs import is_there
from harness.core.ledger import NOWHERE, Condition, Entry, Pin
from harness.core.machine_facts import contradiction
from harness.suite.case_files import files_in, text_of
from harness.suite.problems import Problem, SuiteError, suggestion
from harness.suite.reading import ListNode, line_at, plain, read
from reference.signatures import LOSSES

Globs = Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)]

UNWRITTEN = "TODO"
"""What `xent accept` and `xent fuzz --save` leave as a reason; until a person has written one, lint refuses it."""

_SHORTEST_REASON = 40
"""Characters. A cause takes a sentence; "differs from torch" restates the symptom."""


class _PinModel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    kind: str
    of: str | None = None
    error: str | None = None
    dtype: str | None = None
    computed_in: str | None = None
    ratio: list[float] | None = None

    @field_validator("kind", mode="before")
    @classmethod
    def _as_written(cls, value: object) -> object:
        """An unquoted nan or inf is a number in YAML; here it is the name of an outcome."""
        return repr(value) if isinstance(value, float) else value

    @field_validator("kind")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in OBSERVED:
            raise ValueError(f"expected one of {', '.join(OBSERVED)}")
        return value

    @field_validator("ratio")
    @classmethod
    def _interval(cls, value: list[float] | None) -> list[float] | None:
        if value is not None and not (len(value) == 2 and 0 <= value[0] <= value[1]):
            raise ValueError("expected [LOW, HIGH] with 0 <= LOW <= HIGH")
        return value

    @field_validator("computed_in")
    @classmethod
    def _format(cls, value: str | None) -> str | None:
        if value is not None and not fnmatch.filter((*FORMATS, NOWHERE), value):
            raise ValueError(f"expected a glob that matches one of {', '.join((*FORMATS, NOWHERE))}")
        return value


class _EntryModel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    cases: Globs
    implementations: Globs
    versions: str = ""
    modes: Globs = ["*"]
    dtypes: Globs = ["*"]
    aspects: Globs = ["*"]
    beyond: list[str] = []
    where: dict[str, list[str]] = {}
    seen: Annotated[str, Field(pattern=r"\S")] = ""
    since: dict[str, Annotated[str, Field(pattern=r"^(\d|<=\d|>\d[^,]*,<=\d)[\w.]*$")]] = {}
    outcome: _PinModel
    reason: str
    upstream: str

    @field_validator("versions")
    @classmethod
    def _specifier(cls, value: str) -> str:
        # What the library skips or reads in other digits would select other versions than whoever wrote it believes.
        parts = value.split(",") if value else []
        try:
            understood = len(SpecifierSet(value)) == len({part.strip() for part in parts})
        except InvalidSpecifier:
            understood = False
        if not understood or not value.isascii():
            raise ValueError(f'expected a version specifier such as ">=2.0,<2.15", got {value!r}')
        return value

    @field_validator("beyond")
    @classmethod
    def _losses(cls, value: list[str]) -> list[str]:
        for name in value:
            if name not in LOSSES:
                raise ValueError(f"expected names of losses, got {name!r}; {suggestion(name, LOSSES)}")
        return value

    @field_validator("dtypes")
    @classmethod
    def _dtypes(cls, value: list[str]) -> list[str]:
        for glob in value:
            if not fnmatch.filter(FORMATS, glob):
                raise ValueError(f"the glob {glob!r} matches none of {', '.join(FORMATS)}")
        return value

    @field_validator("where", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        """One value stands for a list of one; what YAML 1.2 reads as a number is a text here."""
        if not isinstance(value, dict):
            return value
        listed = {fact: some if isinstance(some, list) else [some] for fact, some in value.items()}
        if fractions := [one for some in listed.values() for one in some if isinstance(one, float)]:
            raise ValueError(f"{fractions[0]} is a number, and 2.30 the same one as 2.3: write it in quotes")
        return {fact: [str(one) for one in some] for fact, some in listed.items()}

    @field_validator("where")
    @classmethod
    def _of_the_vocabulary(cls, value: dict[str, list[str]]) -> dict[str, list[str]]:
        if empty := [fact for fact, some in value.items() if not some]:
            raise ValueError(f"the machine fact {empty[0]} with no value never holds")
        wrong = (contradiction(fact, one) for fact, some in value.items() for one in some)
        if first := next(filter(None, wrong), None):
            raise ValueError(first)
        return value

    @field_validator("reason")
    @classmethod
    def _explains(cls, value: str, info: ValidationInfo) -> str:
        if not _may_wait(value, info) and (UNWRITTEN in value or len(value.strip()) < _SHORTEST_REASON):
            raise ValueError("expected the cause of the divergence in a sentence, written by a person")
        return value

    @field_validator("upstream")
    @classmethod
    def _linked(cls, value: str, info: ValidationInfo) -> str:
        is_link = value == "none found" or re.fullmatch(r"https?://\S+", value)
        if not _may_wait(value, info) and not is_link:
            raise ValueError("expected the address of a thread or a documentation page, or: none found")
        return value


def _may_wait(value: str, info: ValidationInfo) -> bool:
    """Whether a person still has to write this, and may do so later."""
    return bool(info.context) and UNWRITTEN in value


def load_entries(folder: Path) -> tuple[Entry, ...]:
    """All entries of all files of a folder; SuiteError with every problem found. No folder: no entries."""
    return _loaded(folder, drafts=False)


def load_drafts(folder: Path) -> tuple[Entry, ...]:
    """As `load_entries`, with the entries that a person has not yet written reasons for."""
    return _loaded(folder, drafts=True)


def is_draft(entry: Entry) -> bool:
    """Whether a person still has to write the reason of an entry, or to look for its thread."""
    return UNWRITTEN in entry.reason or UNWRITTEN in entry.upstream


def _loaded(folder: Path, *, drafts: bool) -> tuple[Entry, ...]:
    entries: list[Entry] = []
    problems: list[Problem] = []
    seen: dict[str, str] = {}
    files, unreadable = files_in(folder) if is_there(folder) else ([], [])
    problems += unreadable
    for path in files:
        name = f"{folder.name}/{path.relative_to(folder).as_posix()}"
        text, wrong = text_of(path, name)
        problems += wrong
        found, wrong = parse_ledger(text, name, drafts=drafts)
        problems += wrong
        for entry in found:
            if entry.id in seen:
                hint = f"Ids are unique and permanent: the first is at {seen[entry.id]}"
                line = int(entry.location.rsplit(":", 1)[-1])
                problems.append(Problem(str(path), line, "id", f"the id {entry.id} a second time", hint))
            seen.setdefault(entry.id, entry.location)
            entries.append(entry)
    if problems:
        raise SuiteError(problems)
    return tuple(entries)


def parse_ledger(text: str, file: str, *, drafts: bool = False) -> tuple[list[Entry], list[Problem]]:
    """The entries of one ledger file, and what is wrong with it; `drafts` allows reasons that are not yet written."""
    node, problems = read(text, file)
    if node is None:
        return [], problems
    if not isinstance(node, ListNode):
        return [], [Problem(file, node.line, "", "expected a list of entries", "Begin every entry with - id:")]
    entries: list[Entry] = []
    for position, item in enumerate(node.entries):
        raw = plain(item)
        try:
            model = _EntryModel.model_validate(raw, context={"drafts": True} if drafts else None)
        except ValidationError as error:
            for one in error.errors():
                path = tuple(one["loc"])
                field = ".".join(str(step) for step in (f"[{position}]", *path))
                what = one["msg"].removeprefix("Value error, ")
                hint = f"See CONTRIBUTING.md, accepting a divergence; got {_short(one.get('input'))}"
                if one["type"] == "extra_forbidden":
                    model_of = _EntryModel if len(path) == 1 else _PinModel
                    what, hint = f"no field {path[-1]!r} here", suggestion(str(path[-1]), model_of.model_fields)
                problems.append(Problem(file, line_at(item, path), field, what, hint))
            continue
        entries.append(_entry(model, f"{file}:{item.line}"))
    return entries, problems


def _entry(model: _EntryModel, location: str) -> Entry:
    pin = model.outcome
    ratio = None if pin.ratio is None else (pin.ratio[0], pin.ratio[1])
    return Entry(
        id=model.id,
        cases=tuple(model.cases),
        implementations=tuple(model.implementations),
        pin=Pin(pin.kind, pin.of, pin.error, pin.dtype, pin.computed_in, ratio),
        reason=model.reason,
        upstream=model.upstream,
        versions=model.versions,
        modes=tuple(model.modes),
        dtypes=tuple(model.dtypes),
        aspects=tuple(model.aspects),
        beyond=tuple(model.beyond),
        where=tuple(Condition(fact, tuple(values)) for fact, values in model.where.items()),
        seen=model.seen,
        since=tuple(sorted(model.since.items())),
        location=location,
    )


def described(entries: Iterable[Entry]) -> Mapping[str, Mapping[str, Any]]:
    """The entries as a report shows them."""
    return {
        entry.id: {
            "reason": entry.reason,
            "upstream": entry.upstream,
            "pinned": entry.pin.kind,
            "versions": entry.versions,
            "since": dict(entry.since),
            "where": {condition.fact: list(condition.values) for condition in entry.where},
            "location": entry.location,
        }
        for entry in entries
    }


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
