"""Changes as annotations of a pull request's pages, where a case file is shown beside what it asks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.core.cell import Run
from harness.core.inputs import read_whole
from harness.runs.change_clauses import BETTER
from harness.runs.diff import Difference
from harness.versions.upgrade import Upgrade

MOST = 10
"""Annotations of one step that the pages show; more are cut off without a word, so the last says how many there are."""


@dataclass(frozen=True)
class Annotation:
    """What is shown, and where: the properties of GitHub's workflow command."""

    message: str
    properties: Mapping[str, object]


def annotated_pins(upgrade: Upgrade, files: Sequence[Path]) -> Iterator[Annotation]:
    """One per cause of what is worse or different, at the line of the team's own file where a version is pinned."""
    groups = [group for group in upgrade.groups if group.direction != BETTER or upgrade.strict]
    place = pin_of(upgrade.packages, files)
    for group in groups[: MOST if len(groups) <= MOST else MOST - 1]:
        title = f"{group.direction}: {len(group.changes)} × {group.implementation} {group.loss}"
        values = f" ({group.values})" if group.values else ""
        yield Annotation(f"{group.sentence}{values} — {group.repro}", {**place, "title": title})
    if len(groups) > MOST:
        more = f"{len(groups) - MOST + 1} more causes; the report lists them all"
        yield Annotation(more, {**place, "title": "more changes"})


LARGEST_FILE = 2**24
"""Bytes: locks of large projects have some megabytes."""


def pin_of(packages: Mapping[str, tuple[str, str]], files: Sequence[Path]) -> dict[str, object]:
    """File and line where a package that differs is pinned, best to its new version; in a lock, where that stands."""
    found: list[tuple[bool, dict[str, object]]] = []
    for path in files:
        try:
            lines = read_whole(path, LARGEST_FILE).decode("utf-8", "replace").splitlines()
        except OSError:
            continue
        for name, (_, new) in packages.items():
            spelled = "[-_.]+".join(map(re.escape, re.split("[-_.]+", name)))
            named = re.compile(rf"(?i)(?<![\w.-]){spelled}(?![\w-])")
            for number, text in enumerate(lines, start=1):
                if named.search(text) is None:
                    continue
                below = lines[number] if text.startswith("name =") and number < len(lines) else ""
                place = number + ("version" in below)
                found.append((new in text + below, {"file": str(path), "line": place}))
    return max(found, key=lambda entry: entry[0], default=(False, {}))[1]


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
