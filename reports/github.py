"""Changes as annotations of a pull request's pages: workflow commands, one line each, on standard output."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from harness.core.cell import Run
from harness.runs.diff import Difference

MOST = 10
"""Annotations of one step that the pages show; more are cut off without a word, so the last says how many there are."""


def workflow_commands(difference: Difference, runs: tuple[Run, ...]) -> Iterator[str]:
    """One `::error` per cause, at the line of the case file that its first cell comes from."""
    places: dict[str, Mapping[str, object]] = {}
    for run in runs:
        places |= run.header.suite.get("cases", {})
    groups = difference.groups({case: str(entry.get("loss", "")) for case, entry in places.items()})
    for group in groups[: MOST if len(groups) <= MOST else MOST - 1]:
        where = places.get(group.changes[0].cell.case, {})
        file = f"file={_property(str(where['file']))},line={where.get('line', 1)}," if "file" in where else ""
        title = _property(f"{len(group.changes)} × {group.implementation} {group.loss}: {group.kind}")
        yield f"::error {file}title={title}::{_message(f'{group.sentence} — {group.repro}')}"
    if len(groups) > MOST:
        yield f"::error title=more changes::{len(groups) - MOST + 1} more causes; the report lists them all"


def _message(text: str) -> str:
    """Text after the colons: line breaks would end the command."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """Text of a property, where colons and commas separate."""
    return _message(text).replace(":", "%3A").replace(",", "%2C")
