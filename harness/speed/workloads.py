"""Workloads: what is measured, as data. `cases/workloads/*.yaml` become values, or an error with every problem.

A workload is a case without claims whose rows may be repeated: its inputs are those of a small block, `repeat` times
one after the other. So nothing large is generated or judged, and the truth of the whole is the truth of the block.

    python -m harness.speed.workloads > cases/schema/workload.schema.json
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.core.case import ArraySpec, Case
from harness.core.printing import say
from harness.suite.building import build
from harness.suite.case_files import files_in, text_of
from harness.suite.generators import holds_integers, shape_of
from harness.suite.loading import display_name, find_cases_directory
from harness.suite.model import ArrayEntry, LossName, OptionsEntry, Text
from harness.suite.problems import Problem, SuiteError, close_matches
from harness.suite.reading import ListNode, MapNode, line_at, plain, read

FOLDER = "workloads"
FORWARD, BOTH = "forward", "forward+backward"
SHARED_INPUTS = frozenset({"weight", "bias"})
"""Inputs that all rows have in common, and that are not repeated with them."""

_OWN_FIELDS = ("repeat", "default", "passes")


class WorkloadEntry(BaseModel):
    """One workload as it is written."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    id: Annotated[str, Field(pattern=r"^workloads/[a-z0-9][a-z0-9._-]*$")] = Field(
        description="permanent id: workloads/, then a-z, 0-9, dot, underscore and hyphen"
    )
    title: Text = Field(description="what is shown in lists")
    why: Text = Field(description="what of an implementation or machine this workload shows, a sentence")
    loss: LossName = Field(description="name of the loss")
    inputs: dict[str, ArrayEntry] = Field(description="the arrays of one block of rows, by name")
    options: OptionsEntry = Field(default_factory=OptionsEntry, description="options of the loss, by name")
    dtypes: Annotated[list[Literal["float64", "float32", "float16", "bfloat16"]], Field(min_length=1)] = Field(
        description="types the workload is run in"
    )
    differentiate: list[str] | None = Field(default=None, description="inputs whose gradient is asked for")
    repeat: Literal[1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384] = Field(
        default=1, description="how many times the block stands one after the other, a power of two"
    )
    default: bool = Field(default=False, description="true where it belongs to a run that names no workload")
    passes: Annotated[list[Literal["forward", "forward+backward"]], Field(min_length=1)] = Field(
        default=["forward", "forward+backward"], description="what is timed: forward, forward+backward"
    )
    tags: list[str] = Field(default_factory=list, description="words to select by")


@dataclass(frozen=True)
class Workload:
    """What is timed: the block as a case, and how often it stands one after the other."""

    case: Case
    repeat: int
    default: bool
    passes: tuple[str, ...]

    @property
    def id(self) -> str:
        return self.case.id

    @property
    def batch(self) -> tuple[str, ...]:
        """Names of the inputs that are repeated."""
        return tuple(name for name in self.case.inputs if name not in SHARED_INPUTS)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Of the whole inputs, by name."""
        blocks = {name: shape_of(spec) for name, spec in self.case.inputs.items()}
        return {n: (s[0] * self.repeat, *s[1:]) if n in self.batch else s for n, s in blocks.items()}

    def dtypes_of(self, dtype: str) -> dict[str, str]:
        """Types of the inputs when the workload is run in `dtype`."""
        return {name: _dtype(spec, dtype) for name, spec in self.case.inputs.items()}


def _dtype(spec: ArraySpec, dtype: str) -> str:
    return spec.dtype or ("int64" if holds_integers(spec) else dtype)


def load_workloads(paths: Sequence[Path] | None = None) -> tuple[Workload, ...]:
    """The workloads in `paths`; None: those that come with the package. SuiteError with every problem."""
    home = find_cases_directory()
    files, problems = files_in(home / FOLDER) if paths is None else (list(paths), [])
    found: list[Workload] = []
    for path in files:
        name = display_name(path, home)
        text, wrong = text_of(path, name)
        problems += wrong
        for item in parse_workloads(text, name):
            if isinstance(item, Workload):
                found.append(item)
            else:
                problems.append(item)
    seen: set[str] = set()
    for workload in found:
        if workload.id in seen:
            where = workload.case.location
            problems.append(Problem(where.file, where.line, "id", f"{workload.id} is there twice", "Rename one"))
        seen.add(workload.id)
    if problems:
        raise SuiteError(problems)
    return tuple(found)


def parse_workloads(text: str, file: str) -> Iterator[Workload | Problem]:
    """Every workload of a YAML text, and everything that is wrong with the others."""
    root, problems = read(text, file)
    yield from problems
    if root is None:
        return
    if not isinstance(root, ListNode):
        yield Problem(file, root.line, "", "expected a list of workloads", "Begin each with a hyphen: - id: ...")
        return
    for n, node in enumerate(root.entries):
        place = f"[{n}]"
        if isinstance(node, MapNode):
            yield from _workload(node, file, place)
        else:
            yield Problem(file, node.line, place, "expected a workload, a map", "Write id, title, why, loss, inputs")


def _workload(node: MapNode, file: str, place: str) -> Iterator[Workload | Problem]:
    try:
        entry = WorkloadEntry.model_validate(plain(node))
    except ValidationError as error:
        for e in error.errors():
            path = tuple(s for s in e["loc"] if not (isinstance(s, str) and s.startswith("(")))
            field = place + "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in path)
            hint = "See cases/schema/workload.schema.json"
            yield Problem(file, line_at(node, path), field, str(e["msg"]), hint)
        return
    # What is left is a case, and held to everything a case is held to: names, shapes, parameters, options.
    kept = {name: n for name, n in node.entries.items() if name not in _OWN_FIELDS}
    case, problems = build(MapNode(kept, node.lines, node.line), file, place, FOLDER)
    yield from problems
    if case is None:
        return
    if BOTH in entry.passes and not case.differentiate:
        hint = "Write passes: [forward], or name inputs to differentiate"
        yield Problem(file, node.line, f"{place}.passes", "nothing to differentiate", hint)
        return
    reduction = case.options.get("reduction", "none")
    if entry.repeat > 1 and reduction not in ("mean", "none"):
        hint = "Write reduction: mean or none"
        yield Problem(file, node.line, f"{place}.repeat", f"under {reduction} the block has another value", hint)
        return
    yield Workload(case, entry.repeat, entry.default, tuple(entry.passes))


def select_workloads(workloads: Sequence[Workload], patterns: Sequence[str], *, complete: bool) -> tuple[Workload, ...]:
    """Those whose id, or its part after the slash, a pattern names; without patterns the default ones, or all.

    SuiteError names a pattern that selects nothing.
    """
    if not patterns:
        return tuple(w for w in workloads if complete or w.default)
    ids = [w.id for w in workloads]
    chosen: set[str] = set()
    problems: list[Problem] = []
    for pattern in patterns:
        full = pattern if pattern.startswith(f"{FOLDER}/") else f"{FOLDER}/{pattern}"
        matched = {i for i in ids if fnmatchcase(i, full)}
        if not matched:
            near = ", ".join(close_matches(full, ids)) or ", ".join(ids)
            problems.append(Problem(pattern, 0, "", "no workload has this id", f"There are {near}"))
        chosen |= matched
    if problems:
        raise SuiteError(problems)
    return tuple(w for w in workloads if w.id in chosen)


def schema() -> dict[str, Any]:
    """The JSON schema (2020-12) of a file of workloads."""
    entry = WorkloadEntry.model_json_schema(ref_template="#/$defs/{model}")
    definitions = entry.pop("$defs")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Workloads whose speed is measured",
        "type": "array",
        "minItems": 1,
        "items": {"$ref": "#/$defs/Workload"},
        "$defs": {**definitions, "Workload": entry},
    }


def schema_text() -> str:
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    say(schema_text(), end="")
