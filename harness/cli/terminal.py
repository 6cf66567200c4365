"""What a person sees on the terminal: a verdict first, then what it rests on. Plain lines elsewhere."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from harness.core.case import Case
from harness.core.cell import INFRASTRUCTURE, SEVERITIES, Cell, Run
from harness.core.exit_codes import ExitCode
from harness.runs.diff import Group
from harness.runs.gate import GateResult, run_codes
from harness.runs.kernels import sleeping
from harness.speed.compared import LOST, in_words, slower
from harness.versions.upgrade import Upgrade

Tick = Callable[[str, int, int], None]


@contextmanager
def progress() -> Iterator[Tick]:
    """A bar per implementation on a terminal; elsewhere one line when an implementation is through."""
    if not sys.stderr.isatty():
        yield _plain_tick
        return
    columns = (TextColumn("{task.description:18}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, Any] = {}

        def tick(name: str, done: int, total: int) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(escape(name), total=total)
            bars.update(tasks[name], completed=done)

        yield tick


def _plain_tick(name: str, done: int, total: int) -> None:
    if done == total:
        print(f"{name}: {total} calls done", file=sys.stderr, flush=True)


def console() -> Console:
    """Wide enough for the tables where the output is no terminal."""
    return Console() if sys.stdout.isatty() else Console(width=150, color_system=None)


def show_run(run: Run, seconds: float) -> None:
    """The verdict of a run."""
    out = console()
    disagreeing = [c for c in run.cells if c.verdict == "disagrees"]
    broken = [c for c in run.cells if c.verdict in INFRASTRUCTURE]
    unexpected = [claim for claim in run.claims if not claim.expected]
    codes = run_codes(run)
    head = "Not everything agrees." if codes else "Everything agrees or is explained."
    if codes == {ExitCode.NOTHING_RAN}:
        head = "Nothing was judged: none of the implementations offers any of this."
    style = "red" if codes else "green"
    out.print(f"[bold {style}]{head}[/]  {_in_numbers(run, disagreeing, broken)}, {seconds:.1f} s")
    out.print(_scoreboard(run))
    if run.claims:
        counts = Counter(claim.verdict for claim in run.claims)
        words = ", ".join(f"{n} {verdict.replace('_', ' ')}" for verdict, n in counts.most_common())
        out.print(f"claims of the documents: {words}")
    for claim in unexpected:
        out.print(
            f"[red]claim judged otherwise than the case file expects[/] {escape(claim.case)}: "
            f"{escape(claim.explanation)}"
        )
    _worst(out, disagreeing)
    if broken:
        out.print("\n[bold red]Infrastructure: these were never judged[/]")
        for reason, cells in _grouped(broken, lambda c: f"{c.implementation}: {c.verdict}: {c.explanation}")[:12]:
            out.print(f"  {escape(reason[:300])}  ({len(cells)} cells)")
    if run.footer.dormant:
        out.print(escape(sleeping(run)))
    for problem in run.footer.problems:
        out.print(f"[yellow]{escape(problem.what)}[/]: {escape(problem.hint)}")
    _time(out, run)


def _in_numbers(run: Run, disagreeing: Sequence[Cell], broken: Sequence[Cell]) -> str:
    """How much was judged and how it came out, before any table."""
    judged = sum(1 for c in run.cells if c.verdict != "unsupported" and c.verdict not in INFRASTRUCTURE)
    text = f"{len(disagreeing)} of {judged} judged cells disagree"
    if broken:
        text += f"; {len(broken)} were not run to an end and are in no count"
    return f"{text}; {len(run.cells)} cells"


def _scoreboard(run: Run) -> Table:
    table = Table(box=None, pad_edge=False)
    verdicts = ("agrees", "by_convention", "known", "disagrees", "unsupported")
    for heading in ("implementation", "version", *(v.replace("_", " ") for v in verdicts), "infrastructure"):
        table.add_column(heading, justify="left" if heading in ("implementation", "version") else "right")
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for cell in run.cells:
        counts[cell.implementation][cell.verdict] += 1
    for name, description in run.header.implementations.items():
        row = counts[name]
        bad = sum(row[v] for v in INFRASTRUCTURE)
        table.add_row(
            escape(name),
            escape(str(description.get("version", "?"))),
            *(_count(row[v], "red" if v == "disagrees" else "") for v in verdicts),
            _count(bad, "red"),
        )
    return table


def _count(n: int, style: str) -> str:
    return f"[{style}]{n}[/]" if n and style else str(n) if n else "·"


def _grouped(cells: Sequence[Cell], key: Callable[[Cell], str]) -> list[tuple[str, list[Cell]]]:
    groups: dict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        groups[key(cell)].append(cell)
    return sorted(groups.items(), key=lambda item: -len(item[1]))


LISTED = 25
"""Lines of disagreement a terminal shows; the report shows all."""


def _worst(out: Console, cells: Sequence[Cell]) -> None:
    """Disagreements, gravest first; the dtypes and modes of one case, implementation and aspect share a line."""
    for severity in SEVERITIES:
        chosen = [c for c in cells if c.severity == severity]
        if not chosen:
            continue
        groups = _grouped(chosen, lambda c: f"{c.case} [{c.implementation} {c.aspect}]")
        out.print(
            f"\n[bold red]{severity.replace('_', ' ').capitalize()}[/] ({len(chosen)} cells, {len(groups)} lines)"
        )
        for name, members in groups[:LISTED]:
            where = ", ".join(dict.fromkeys(f"{c.mode} {c.dtype}" for c in members))
            text = f"  {escape(name)} {escape(where)}: {escape(' '.join(str(members[0].explanation).split())[:240])}"
            out.print(text, soft_wrap=True)
        if len(groups) > LISTED:
            out.print(f"  … and {len(groups) - LISTED} more lines; the report shows all")


def _time(out: Console, run: Run) -> None:
    parts = ", ".join(f"{part} {s:.1f} s" for part, s in run.footer.seconds.items())
    asked = sum(1 for c in run.cells if c.seconds is not None)
    judging = run.footer.seconds.get("judging")
    per_cell = f"; judging {1e3 * judging / asked:.2f} ms per cell" if judging and asked else ""
    out.print(f"\ntime: {parts}{per_cell}")


def show_case(case: Case, run: Run) -> None:
    """Everything about one case."""
    out = console()
    entry = run.header.suite["cases"][case.id]
    out.print(f"\n[bold]{escape(case.id)}[/]  {escape(case.title)}")
    out.print(f"why: {escape(case.why)}")
    if case.source is not None:
        out.print(f"source: {escape(case.source.document)}")
    out.print(f"loss: {case.loss}")
    for name, text in entry["inputs"].items():
        out.print(f"  {name} = {escape(text)}")
    for name, value in entry["options"].items():
        out.print(f"  {name} = {escape(str(value))}")
    if entry.get("vector"):
        out.print(f"  direction of the second derivative = {escape(str(entry['vector']))}")
    out.print(f"expects: {escape(str(entry['expect']))}")
    truth = entry.get("truth") or {}
    for aspect, shown in truth.items():
        if aspect != "dtype":
            out.print(f"truth, {aspect} ({truth['dtype']}): {escape(', '.join(shown['digits']))}")
    table = Table(box=None, pad_edge=False)
    for heading in ("implementation", "dtype", "aspect", "verdict", "answer", "ulps", "R", "function, explanation"):
        table.add_column(heading, overflow="fold")
    for cell in run.cells:
        if cell.case == case.id:
            answer = cell.outcome.get("type") or cell.got if cell.outcome["kind"] != "unsupported" else "-"
            table.add_row(
                escape(f"{cell.implementation}:{cell.mode}"),
                cell.dtype,
                escape(cell.aspect),
                cell.verdict + (f" {cell.ledger}" if cell.ledger else ""),
                escape(str(answer)[:60]),
                "" if cell.ulps is None else f"{float(cell.ulps):.3g}",
                "" if cell.ratio is None else f"{float(cell.ratio):.3g}",
                escape("; ".join(t for t in (cell.function, cell.explanation) if t)),
            )
    out.print(table)
    for claim in run.claims:
        if claim.case == case.id:
            out.print(
                f"claim {escape(str(claim.claimed))}: [bold]{claim.verdict.replace('_', ' ')}[/]: "
                f"{escape(claim.explanation)}"
            )


def _speeds(out: Console, result: GateResult) -> None:
    """What became slower or faster, and how many measurements did not."""
    if not result.speeds:
        return
    out.print(f"speed, against NumPy within each run: {in_words(result.speeds)}")
    for moved in result.speeds:
        if moved.verdict in ("faster", "slower", LOST):
            style = "green" if moved.verdict == "faster" else "red"
            out.print(f"  [{style}]{escape(moved.sentence)}[/]")


def show_gate(result: GateResult, baseline: Run, current: Run) -> None:
    """What changed, gravest first, one line per cause."""
    out = console()
    for reason in result.reasons:
        out.print(f"[yellow]{escape(reason)}[/]")
    difference = result.difference
    if difference is None:
        out.print("[bold red]Not compared.[/]")
        return
    losses = {
        case: str(entry["loss"])
        for run in (baseline, current)
        for case, entry in run.header.suite.get("cases", {}).items()
    }
    for package, (old, new) in difference.versions.items():
        out.print(f"{escape(package)}: {escape(old)} → {escape(new)}")
    _speeds(out, result)
    if difference.new_here:
        out.print(f"[bold red]{len(difference.new_here)} cells are new on this machine:[/] nobody has judged it yet")
        _causes(out, difference.groups(losses, new_here=True))
    if not difference.changes:
        same = "" if difference.identical is None else f", {difference.identical} of them to the bit"
        head = "[bold green]Nothing changed.[/]" if result.code is ExitCode.FINE else "[bold red]No cell changed.[/]"
        out.print(f"{head}  {difference.compared} cells compared{same}")
        return
    out.print(f"[bold red]{len(difference.changes)} cells changed.[/]  {difference.compared} compared")
    _causes(out, difference.groups(losses))


def _causes(out: Console, groups: Sequence[Group]) -> None:
    for group in groups:
        out.print(
            f"  {len(group.changes):5} × {escape(group.implementation)} {group.loss} {group.kind}: "
            f"{escape(group.sentence[:300])}"
        )
        out.print(f"          {escape(group.repro)}")


def show_upgrade(upgrade: Upgrade) -> None:
    """The verdict, then what changed, gravest first, one line per cause with what reproduces it."""
    out = console()
    changed = bool(upgrade.difference.changes or slower(upgrade.speeds or ()))
    out.print(f"[bold {'red' if changed else 'green'}]{escape(upgrade.verdict)}[/]")
    for name, (old, new) in upgrade.packages.items():
        out.print(f"  {escape(name)}: {escape(old)} → {escape(new)}")
    for group in upgrade.groups:
        out.print(
            f"  {len(group.changes):5} × {escape(group.implementation)} {group.loss} {group.kind}: "
            f"{escape(group.sentence[:300])}"
        )
        out.print(f"          {escape(group.repro)}")
    out.print(f"speed: {escape(upgrade.speed_verdict)}")
    for moved in upgrade.moved:
        style = {"slower": "red", "faster": "green"}.get(moved.verdict, "yellow")
        out.print(f"  [{style}]{escape(moved.sentence)}[/]")
        if moved.verdict == "slower":
            out.print(f"          {escape(upgrade.timed_by(moved))}")
    right = sum(canary_result.as_planted for canary_result in upgrade.canary_results)
    out.print(f"canaries: {right} of {len(upgrade.canary_results)} planted changes reported as what they are")
