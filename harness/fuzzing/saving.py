"""A finding as a case file, a ledger stub whose reason is still to be written, and a script."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness import reproduction
from harness.adapters.base import Description
from harness.core.case import ArraySpec, Case, ExpectRaises
from harness.core.errors import UsageError
from harness.core.files import write_whole
from harness.core.ledger import Entry
from harness.fuzzing.campaign import Finding
from harness.runs.accepting import exactly, pinned
from harness.suite.ledger_edits import written
from harness.suite.ledger_files import UNWRITTEN
from harness.suite.yaml_writing import yaml_text

FOLDER = "edges"
"""The folder a saved case is meant for: ids begin with it."""

FOUND = "found.yaml"
"""The file of cases, and that of ledger entries."""

LINE = 120
"""Characters of a line, as in the case files that come with the package."""


def save(
    findings: Sequence[Finding], folder: Path, descriptions: Mapping[str, Description], machine: Mapping[str, Any]
) -> list[Path]:
    """Write `FOLDER/edges/found.yaml`, `FOLDER/ledger/found.yaml` and, where they can be written, a script for each
    finding and the text of an issue.

    `descriptions` are what the implementations say of themselves, `machine` as the header of a run describes it.
    """
    names = [f"{FOLDER}/found-{n}-{_slug(finding)}" for n, finding in enumerate(findings, start=1)]
    cases = [_case_entry(finding, name) for finding, name in zip(findings, names, strict=True)]
    # Nothing was observed of a process that died: what there is to say of it is no entry.
    entries = [_ledger_entry(f, name) for f, name in zip(findings, names, strict=True) if f.cell.observed is not None]
    saved = [_put(folder / FOLDER / FOUND, yaml_text(cases, LINE))]
    if entries:
        saved.append(_put(folder / "ledger" / FOUND, written(entries)))
    for finding, name in zip(findings, names, strict=True):
        described = descriptions[finding.cause.implementation]
        program = script_of(finding, described.modes[0])
        if program is not None:
            stem, of = name.partition("/")[2], described.versions
            saved.append(_put(folder / "scripts" / f"{stem}.py", program))
            text = reproduction.issue_of(_explained(finding), finding.cell, program, of, machine)
            saved.append(_put(folder / "issues" / f"{stem}.md", text))
    return saved


def refuse_saved_before(folder: Path) -> None:
    """UsageError where a campaign was saved here before: its findings would be replaced, and their ids be others'."""
    for there in (folder / FOLDER / FOUND, folder / "ledger" / FOUND):
        if there.exists():
            raise UsageError(
                f"--save {folder}: {there} holds what an earlier campaign found; name another folder, or move it away"
            )


def _put(path: Path, text: str) -> Path:
    write_whole(path, text)
    return path


def _slug(finding: Finding) -> str:
    cause = finding.cause
    return re.sub(r"[^a-z0-9]+", "-", f"{cause.implementation}-{cause.loss}-{cause.aspect}-{cause.outcome}".lower())


def _case_entry(finding: Finding, name: str) -> dict[str, Any]:
    case, cause = finding.case, finding.cause
    said = ", ".join(sorted(finding.conditions)) or "an ordinary input"
    entry: dict[str, Any] = {
        "id": name,
        "title": f"{cause.loss.replace('_', ' ').capitalize()}: {said}",
        "why": f"Found by fuzzing {cause.implementation}: {finding.cell.explanation}",
        "loss": case.loss,
        "inputs": {n: _array(spec) for n, spec in case.inputs.items()},
        "dtypes": [finding.dtype],
        "tags": ["found-by-fuzzing"],
    }
    if case.options:
        entry["options"] = {n: _array(v) if isinstance(v, ArraySpec) else _number(v) for n, v in case.options.items()}
    if case.cotangent is not None:
        entry["cotangent"] = _array(case.cotangent)
    if case.vector is not None:
        entry["vector"] = _array(case.vector)
    if isinstance(case.expect, ExpectRaises):
        entry["expect"] = {"raises": case.expect.kind}
    return entry


def _ledger_entry(finding: Finding, name: str) -> Entry:
    cause = finding.cause
    return Entry(
        id=name.partition("/")[2],
        cases=(name,),
        implementations=exactly(cause.implementation),
        pin=pinned(finding.cell),
        reason=f"{UNWRITTEN}: why does this happen?",
        upstream="none found",
        modes=exactly(cause.mode),
        dtypes=exactly(finding.dtype),
        aspects=exactly(cause.aspect),
    )


def _array(spec: ArraySpec) -> Any:
    if spec.generator is not None:
        return {"generator": spec.generator, **{n: _number(v) for n, v in spec.parameters.items()}}
    values = _number(spec.values)
    extras = {n: v for n, v in (("dtype", spec.dtype), ("layout", spec.layout)) if v not in (None, "contiguous")}
    return {"values": values, **extras} if extras else values


def _number(value: Any) -> Any:
    """Lists where a case holds tuples."""
    return [_number(entry) for entry in value] if isinstance(value, tuple | list) else value


def script_of(finding: Finding, first_mode: str) -> str | None:
    """The standalone script of a finding, None where there is none; modes are compared with `first_mode`."""
    try:
        # Findings are judged on what is above the smallest normal number: see harness.fuzzing.campaign.
        return reproduction.script_of(_explained(finding), finding.cell, flush_to_zero=True, first_mode=first_mode)
    except reproduction.Inexpressible:
        return None


def _explained(finding: Finding) -> Case:
    """The case with what was found as its reason."""
    why = f"{finding.cell.explanation}. Found by fuzzing, shrunk to the smallest input that shows it."
    return replace(finding.case, why=why)
