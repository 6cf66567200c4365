"""What changed against a baseline, for the first screen: causes gravest first, each with a link."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from harness.core.cell import Run
from harness.runs.diff import KINDS, Group, NotComparable, compare_runs
from harness.runs.kernels import told
from reports.html.addresses import address
from reports.tally import cases_of, text

__all__ = ["Changes", "Line", "build"]

_SHOWN = 8
"""Causes on the first screen; `xent gate` lists all."""


@dataclass(frozen=True)
class Line:
    """One cause."""

    cells: int
    kind: str
    implementation: str
    loss: str
    sentence: str
    link: str
    """Empty where the cell is gone from the run."""


@dataclass(frozen=True)
class Changes:
    """The difference of two runs, or why there is none."""

    refused: str
    since: str
    """When the baseline was made."""
    compared: int
    changed: int
    counts: tuple[tuple[str, int], ...]
    """Cells by kind of change, gravest first."""
    versions: tuple[tuple[str, str, str], ...]
    """Package, old, new."""
    lines: tuple[Line, ...]
    """What is new on this machine before what changed."""
    more: int
    kernels: tuple[str, ...] = ()
    """Whose machine facts are others than the baseline's, both told, and that bits and drift are not compared."""
    new_here: int = 0
    """Cells of those that disagree and did not: new on this machine."""


def build(run: Run, baseline: Run) -> Changes:
    """Runs that must not be compared are not: the reason takes the place of the list."""
    since = baseline.header.started.replace("T", " ").replace("+00:00", " UTC")
    try:
        difference = compare_runs(baseline, run)
    except NotComparable as error:
        return Changes(str(error), since, 0, 0, (), (), (), 0)
    losses = {case: text(entry.get("loss")) for r in (baseline, run) for case, entry in cases_of(r).items()}
    groups = (*difference.groups(losses, new_here=True), *difference.groups(losses))
    counts = Counter(change.kind for change in difference.changes)
    return Changes(
        refused="",
        since=since,
        compared=difference.compared,
        changed=len(difference.changes),
        counts=tuple((kind, counts[kind]) for kind in KINDS if counts[kind]),
        versions=tuple((name, old, new) for name, (old, new) in difference.versions.items()),
        lines=tuple(_line(group) for group in groups[:_SHOWN]),
        more=max(0, len(groups) - _SHOWN),
        kernels=tuple(told(kernels, run.cells) for kernels in difference.kernels),
        new_here=len(difference.new_here),
    )


def _line(group: Group) -> Line:
    first = group.changes[0]
    return Line(
        cells=len(group.changes),
        kind=group.kind,
        implementation=group.implementation,
        loss=group.loss,
        sentence=group.sentence,
        link="" if first.new is None else "#" + address("cell", first.new.name),
    )
