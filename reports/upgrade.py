"""What an upgrade changed, old against new: as Markdown for a pull request, and as a page of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from importlib.resources import files

from harness.core.text import LONGEST, table_row
from harness.core.text import markdown as line
from harness.runs.change_clauses import DIRECTIONS
from harness.runs.diff import Group
from harness.speed.statistics import SLOWER
from harness.versions.canaries import CanaryResult
from harness.versions.upgrade import Upgrade
from reports.html.templating import environment

MOST_CELLS = 12
"""Cells listed under a cause; the run files beside the report hold them all."""


def markdown(upgrade: Upgrade) -> str:
    """The verdict, the causes gravest first, the packages, the canaries."""
    return "\n".join(_lines(upgrade)) + "\n"


def _lines(upgrade: Upgrade) -> Iterator[str]:
    yield "# What this upgrade changes"
    yield ""
    yield line("**{}**", upgrade.verdict)
    yield ""
    for way in DIRECTIONS:
        groups = [group for group in upgrade.groups if group.direction == way]
        if groups:
            yield f"## {way.capitalize()}"
            yield ""
            yield from cause_lines(groups, upgrade.commands)
            yield ""
    yield "| package | old | new |"
    yield "|---|---|---|"
    for name, (old, new) in upgrade.packages.items():
        yield table_row(name, old, new)
    if not upgrade.packages:
        yield "| (none differs) | | |"
    yield ""
    yield line("Speed: {}.", upgrade.speed_verdict)
    yield ""
    for moved in upgrade.moved:
        yield line("- {}", moved.sentence)
        if moved.verdict == SLOWER:
            yield line("  - {:code}", upgrade.timed_by(moved))
    if upgrade.moved:
        yield ""
    yield line("Canaries, planted changes that have to be reported: {}.", _canaries(upgrade.canary_results))
    yield ""
    made, version = upgrade.new.header.started, upgrade.new.header.suite.get("version")
    yield line("Made with {:code} on {}, suite version {}.", upgrade.command, made, version)


def cause_lines(
    groups: Iterable[Group], commands: Callable[[Group], tuple[str, ...]] = lambda group: (group.repro,)
) -> Iterator[str]:
    """A point for every cause, with what both sides give in its smallest case, and the commands that show it again."""
    for group in groups:
        what = (len(group.changes), group.implementation, group.loss, group.kind, group.sentence)
        yield line("- **{} × {} {}, {}**: {}", *what) + (line("; {}", group.values) if group.values else "")
        for command in commands(group):
            yield line("  - {:code}", command)


def _canaries(canary_results: tuple[CanaryResult, ...]) -> str:
    told = []
    for canary_result in canary_results:
        name = canary_result.canary.mutant.removeprefix("mutant:")
        seen = "reported as " + " and ".join(canary_result.kinds) if canary_result.kinds else "NOT reported"
        told.append(f"{name} {seen}" + ("" if canary_result.as_planted else f" (planted: {canary_result.canary.kind})"))
    return "; ".join(told)


def html(upgrade: Upgrade) -> str:
    """A page that needs nothing else; all foreign text is escaped by the template, and no script runs."""
    style = files("reports.html").joinpath("assets/report.css").read_text(encoding="utf-8")
    template = environment().get_template("upgrade.html.j2")
    return template.render(
        upgrade=upgrade, style=style, groups=[_shown(group) for group in upgrade.groups], most=MOST_CELLS
    )


def _shown(group: Group) -> dict[str, object]:
    cells = [
        {
            "name": change.cell.name,
            "sentence": change.sentence[:LONGEST],
            "old": _outcome(change.old),
            "new": _outcome(change.new),
        }
        for change in group.changes[:MOST_CELLS]
    ]
    return {"group": group, "cells": cells, "more": len(group.changes) - len(cells)}


def _outcome(cell: object) -> str:
    """A side of a change in a few words."""
    if cell is None:
        return "–"
    got, outcome = getattr(cell, "got", None), getattr(cell, "outcome", {})
    if outcome.get("kind") == "raises":
        return f"raises {outcome.get('type')}"
    text = str(outcome.get("kind")) if got is None else str(got)
    return text if len(text) <= 80 else text[:77] + "..."
