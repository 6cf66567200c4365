"""Changes as annotations of a pull request's pages, where a case file is shown beside what it asks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from harness.core.cell import Run
from harness.runs.diff import Difference

MOST = 10
"""Annotations of one step that the pages show; more are cut off without a word, so the last says how many there are."""


@dataclass(frozen=True)
class Annotation:
    """What is shown, and where: the properties of GitHub's workflow command."""

    message: str
    properties: Mapping[str, object]


def annotated(difference: Difference, runs: tuple[Run, ...]) -> Iterator[Annotation]:
    """One per cause, at the line of the case file that its first cell comes from."""
    places: dict[str, Mapping[str, object]] = {}
    for run in runs:
        places |= run.header.suite.get("cases", {})
    groups = difference.groups({case: str(entry.get("loss", "")) for case, entry in places.items()})
    for group in groups[: MOST if len(groups) <= MOST else MOST - 1]:
        where = places.get(group.changes[0].cell.case, {})
        place = {"file": where["file"], "line": where.get("line", 1)} if "file" in where else {}
        title = f"{len(group.changes)} × {group.implementation} {group.loss}: {group.kind}"
        yield Annotation(f"{group.sentence} — {group.repro}", {**place, "title": title})
    if len(groups) > MOST:
        yield Annotation(f"{len(groups) - MOST + 1} more causes; the report lists them all", {"title": "more changes"})
