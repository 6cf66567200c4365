"""What a person sees on the terminal: a verdict first, then what it rests on. Plain lines elsewhere."""

from __future__ import annotations

import shlex
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from harness.adapters.choice import ALL, FIRST
from harness.cli.console import Terminal
from harness.core.cell import INFRASTRUCTURE, Cell, Run
from harness.core.exit_codes import ExitCode
from harness.core.printing import printable, tell
from harness.runs.change_clauses import BETTER, DIFFERENT, WORSE
from harness.runs.diff import Group
from harness.runs.failures import Failure, failures, in_words
from harness.runs.gate import GateResult, run_codes
from harness.runs.kernels import sleeping
from harness.speed.speed_changes import LOST
from harness.speed.speed_changes import in_words as speeds_in_words
from harness.versions.upgrade import Upgrade

Tick = Callable[[str, int, int], None]


@contextmanager
def progress() -> Iterator[Tick]:
    """A bar per implementation on a terminal; elsewhere one line when an implementation is through."""
    if not sys.stderr.isatty():
        yield _PlainTicks()
        return
    columns = (TextColumn("{task.description:18}", markup=False), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, Any] = {}

        def tick(name: str, done: int, total: int) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(printable(name), total=total)
            bars.update(tasks[name], completed=done)

        yield tick


NEWS_EVERY = 30.0
"""Seconds between two lines about an implementation that is at work, where there is no terminal to draw a bar on."""


class _PlainTicks:
    """Progress as lines: in a log, one now and then, and one at the end."""

    def __init__(self) -> None:
        self._told: dict[str, float] = {}

    def __call__(self, name: str, done: int, total: int) -> None:
        now = time.monotonic()
        since = self._told.setdefault(name, now)
        if done == total:
            tell(f"{name}: {total} {'call' if total == 1 else 'calls'} done", error=True)
        elif now - since >= NEWS_EVERY:
            self._told[name] = now
            tell(f"{name}: {done} of {total} calls done", error=True)


def show_run(run: Run, seconds: float) -> None:
    """The verdict of a run."""
    out = Terminal()
    disagreeing = [c for c in run.cells if c.verdict == "disagrees"]
    broken = [c for c in run.cells if c.verdict in INFRASTRUCTURE]
    unexpected = [claim for claim in run.claims if not claim.expected]
    codes = run_codes(run)
    head = "Not everything agrees." if codes else "Everything agrees or is explained."
    if codes == {ExitCode.NOTHING_RAN}:
        head = "Nothing was judged: none of the implementations offers any of this."
    style = "red" if codes else "green"
    out.print((head, f"bold {style}"), f"  {_in_numbers(run, disagreeing, broken)}, {seconds:.1f} s")
    _scoreboard(out, run)
    for line in little_judged(run):
        out.print((line, "yellow"))
    if run.claims:
        counts = Counter(claim.verdict for claim in run.claims)
        words = ", ".join(f"{n} {verdict.replace('_', ' ')}" for verdict, n in counts.most_common())
        out.print(f"claims of the documents: {words}")
    for claim in unexpected:
        out.print(("claim judged otherwise than the case file expects", "red"), f" {claim.case}: {claim.explanation}")
    show_failures(out, failures(run))
    if broken:
        out.print(("\nInfrastructure: these were never judged", "bold red"))
        for reason, cells in _grouped(broken, lambda c: f"{c.implementation}: {c.verdict}: {c.explanation}")[:12]:
            out.print(f"  {reason[:300]}  ({len(cells)} cells)")
    if run.footer.dormant:
        out.print(sleeping(run))
    for problem in run.footer.problems:
        out.print((problem.what, "yellow"), f": {problem.hint}")
    _time(out, run, seconds)


def _in_numbers(run: Run, disagreeing: Sequence[Cell], broken: Sequence[Cell]) -> str:
    """How much was judged and how it came out, before any table."""
    judged = sum(1 for c in run.cells if c.verdict != "unsupported" and c.verdict not in INFRASTRUCTURE)
    text = f"{len(disagreeing)} of {judged} judged cells disagree"
    if broken:
        text += f"; {len(broken)} were not run to an end and are in no count"
    return f"{text}; {len(run.cells)} cells"


def little_judged(run: Run) -> list[str]:
    """Of implementations that refuse most of what they are asked of the losses they offer: how much was judged."""
    lines = []
    for name, described in run.header.implementations.items():
        losses = described.get("losses", ())
        offered = {case for case, told in run.header.suite["cases"].items() if told["loss"] in losses}
        own = (cell for cell in run.cells if cell.implementation == name)
        judged = {cell.case for cell in own if cell.verdict not in ("unsupported", *INFRASTRUCTURE)} & offered
        if len(judged) < len(offered) / 2:
            lines.append(f"{name}: {len(judged)} of the {len(offered)} cases of the losses it offers were judged")
    return lines


def _scoreboard(out: Terminal, run: Run) -> None:
    verdicts = ("agrees", "by_convention", "known", "disagrees", "unsupported")
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for cell in run.cells:
        counts[cell.implementation][cell.verdict] += 1
    columns = {v: v.replace("_", " ").replace("unsupported", "not offered") for v in verdicts}
    for name in counts:
        counts[name]["infrastructure"] = sum(counts[name][v] for v in INFRASTRUCTURE)
    if any(counts[name]["infrastructure"] for name in counts):
        columns["infrastructure"] = "not run"
    rows = {f"{n} {d.get('version', '?')}": counts[n] for n, d in run.header.implementations.items()}
    first = max((len(title) for title in rows if len(title) <= LONGEST_NAME), default=0)
    out.print("".join((" " * first, *(f"  {word}" for word in columns.values()))), wrap=False)
    for title, of in rows.items():
        if len(title) > first:
            out.print(title, wrap=False)
        numbers = [(f"  {of[v] or '·'!s:>{len(word)}}", _style(v, of[v])) for v, word in columns.items()]
        out.print(f"{title if len(title) <= first else '':{first}}", *numbers, wrap=False)


LONGEST_NAME = 30
"""Columns of name and version that leave room for the counts where a terminal has 80; what is longer has a line of its
own, and nothing is broken in two."""


def _style(verdict: str, count: int) -> str:
    return "red" if count and verdict in ("disagrees", "infrastructure") else ""


def other_modes(run: Run, asked: Sequence[str]) -> list[str]:
    """Which implementations have none of the modes that were asked for, and were asked in their first instead."""
    besides = [mode for mode in asked if mode not in (ALL, FIRST)]
    if len(besides) < len(asked) or not besides:
        return []
    return [
        f"{name} has no mode {' or '.join(besides)}: it was asked in its first, {described['modes'][0]}"
        for name, described in run.header.implementations.items()
        if described.get("modes") and not set(besides) & set(described["modes"])
    ]


def next_step(run: Run, output: Path | None, report: Path | None) -> str:
    """What one would do now."""
    wrong = failures(run)
    if wrong:
        return f"next: `xent repro --again {shlex.quote(wrong[0].witness.name)}`"
    never = {cell.verdict for cell in run.cells if cell.verdict in INFRASTRUCTURE}
    if never == {"missing"}:
        return "next: mend what is said to be missing, and run it again"
    if never:
        return "next: run it again with `--parallel 1` and a longer --timeout; what a worker wrote is in the run file"
    if output is None:
        return "next: keep the run with `-o RUN.jsonl`, or look at all of it with `--report report.html`"
    file = shlex.quote(str(output))
    if report is None:
        return f"next: `xent report {file}`, or `xent gate {file}` for what changed"
    return f"next: `xent gate {file}` says what changed since the baseline"


def _grouped(cells: Sequence[Cell], key: Callable[[Cell], str]) -> list[tuple[str, list[Cell]]]:
    groups: dict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        groups[key(cell)].append(cell)
    return sorted(groups.items(), key=lambda item: -len(item[1]))


LISTED = 25
"""Causes a terminal shows; the report shows all."""


def show_failures(out: Terminal, found: Sequence[Failure]) -> None:
    """What is wrong by cause, the gravest first: what, of the smallest case what came back, and how to see it again."""
    severity = ""
    for failure in found[:LISTED]:
        if failure.severity != severity:
            severity = failure.severity
            out.print((f"\n{severity.replace('_', ' ').capitalize()}", "bold red"))
        *told, command = in_words(failure)
        for line in told:
            out.print(line)
        out.print(command, wrap=False)  # in one piece, to be copied
    if len(found) > LISTED:
        out.print(f"  … and {len(found) - LISTED} more causes; the report shows all")


def _time(out: Terminal, run: Run, seconds: float) -> None:
    """Where the time went: the whole of it, and its parts."""
    own = dict(run.footer.seconds)
    own["reading cases and ledger"] = max(0.0, seconds - own.pop("total", seconds))
    parts = ", ".join(f"{part} {s:.1f} s" for part, s in own.items())
    asked = sum(1 for c in run.cells if c.seconds is not None)
    judging = run.footer.seconds.get("judging")
    per_cell = f"; judging {1e3 * judging / asked:.2f} ms per cell" if judging and asked else ""
    out.print(f"\ntime: {seconds:.1f} s: {parts}{per_cell}")


def _speeds(out: Terminal, result: GateResult) -> None:
    """What became slower or faster, and how many measurements did not."""
    if not result.speeds:
        return
    out.print(f"speed, against NumPy by hand within each run: {speeds_in_words(result.speeds)}")
    for moved in result.speeds:
        if moved.verdict in ("faster", "slower", LOST):
            style = "green" if moved.verdict == "faster" else "red"
            out.print((f"  {moved.sentence}", style))


def show_gate(result: GateResult, baseline: Run, current: Run) -> None:
    """What changed, gravest first, one line per cause."""
    out = Terminal()
    for reason in result.reasons:
        out.print((reason, "yellow"))
    difference = result.difference
    if difference is None:
        out.print(("Not compared.", "bold red"))
        return
    losses = {
        case: str(entry["loss"])
        for run in (baseline, current)
        for case, entry in run.header.suite.get("cases", {}).items()
    }
    for package, (old, new) in difference.versions.items():
        out.print(f"{package}: {old} → {new}")
    _speeds(out, result)
    if difference.new_here:
        new = f"{len(difference.new_here)} cells are new on this machine:"
        out.print((new, "bold red"), " nobody has judged it yet")
        _causes(out, difference.groups(losses, new_here=True))
    if not difference.changes:
        same = "" if difference.identical is None else f", {difference.identical} of them to the bit"
        fine = result.code is ExitCode.FINE
        head = ("Nothing changed.", "bold green") if fine else ("No cell changed.", "bold red")
        out.print(head, f"  {difference.compared} cells compared{same}")
        return
    out.print((f"{len(difference.changes)} cells changed.", "bold red"), f"  {difference.compared} compared")
    _causes(out, difference.groups(losses))


def _causes(out: Terminal, groups: Sequence[Group]) -> None:
    for group in groups:
        what = f"{group.implementation} {group.loss} {group.kind}: {group.sentence[:300]}"
        out.print(f"  {len(group.changes):5} × {what}")
        out.print(f"          {group.repro}", wrap=False)


COLOURS = {WORSE: "red", DIFFERENT: "yellow", BETTER: "green"}


def show_upgrade(upgrade: Upgrade) -> None:
    """The verdict, then what changed, gravest first, one line per cause with what reproduces it."""
    out = Terminal()
    changed = bool(upgrade.codes)
    out.print((upgrade.verdict, f"bold {'red' if changed else 'green'}"))
    for name, (old, new) in upgrade.packages.items():
        out.print(f"  {name}: {old} → {new}")
    way = ""
    for group in upgrade.groups:
        if group.direction != way:
            way = group.direction
            out.print((way.capitalize(), f"bold {COLOURS[way]}"))
        out.print(f"  {len(group.changes):5} × {group.implementation} {group.loss}: {group.sentence[:300]}")
        if group.values:
            out.print(f"          {group.values}", wrap=False)
        for command in upgrade.commands(group) if way != BETTER else ():
            out.print(f"          {command}", wrap=False)
    out.print(f"speed: {upgrade.speed_verdict}")
    for moved in upgrade.moved:
        style = {"slower": "red", "faster": "green"}.get(moved.verdict, "yellow")
        out.print((f"  {moved.sentence}", style))
        if moved.verdict == "slower":
            out.print(f"          {upgrade.timed_by(moved)}", wrap=False)
    right = sum(canary_result.as_planted for canary_result in upgrade.canary_results)
    out.print(f"canaries: {right} of {len(upgrade.canary_results)} planted changes reported as what they are")
