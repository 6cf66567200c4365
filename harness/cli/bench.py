"""`xent bench`: speed against NumPy by hand and against the machine, on the terminal and in a run file."""

from __future__ import annotations

import datetime
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from harness.adapters.choice import ALL
from harness.cli import terminal
from harness.cli.console import Terminal
from harness.cli.options import Count, Implementations, Modes, Python, Report, RunFile
from harness.cli.project import chosen as chosen_here
from harness.core.case import ArraySpec
from harness.core.cell import Header, Run, Speed
from harness.core.exit_codes import ExitCode, gravest
from harness.core.files import check_outputs
from harness.core.machine_description import describe_machine
from harness.core.printing import say
from harness.mistakes import check_names
from harness.runs.gate import run_codes
from harness.runs.run_file import footer_of, write_run
from harness.runs.session import SUITE_VERSION, describe_array
from harness.speed.bench import Bench, Effort, Session
from harness.speed.entrants import YARDSTICK, timed_by_default, with_yardstick
from harness.speed.measured_worker import core, thread_count
from harness.speed.workloads import Workload, load_workloads, select_workloads
from harness.suite.selection import sources
from reports.html import write

app = App(
    name="bench",
    help_epilogue="""\
Example: some workloads on all cores, kept, with a report:

    xent bench 'softmax-*' --threads all -o speed.jsonl \\
        --report speed.html
""",
)


@app.default
def bench(
    *workloads: Annotated[str, Parameter(help="Ids or globs of ids; default: the default ones.")],
    implementation: Annotated[
        Implementations,
        Parameter(help="May be given several times; default: all that are installed, but for wrappers of others."),
    ] = (),
    complete: Annotated[bool, Parameter(help="Every workload, implementation and way to compute.")] = False,
    modes: Annotated[Modes, Parameter(help="Modes to measure; `all` for every way to compute.")] = None,
    threads: Annotated[str, Parameter(metavar="N", help="Threads of each implementation, or `all`.")] = "1",
    sets: Annotated[Count | None, Parameter(help="Sets of processes; five at least for a verdict.")] = None,
    output: RunFile = None,
    report: Report = None,
    python: Python = None,
) -> ExitCode:
    """Measure speed, against what a user of NumPy would write and against what the machine's memory allows."""
    check_outputs((output, report), sources(()))
    effort = Effort() if sets is None else Effort(sets=sets)
    chosen = chosen_here(implementation, among=timed_by_default(complete=complete), elsewhere=python is not None)
    check_names(i.name for i in chosen)
    order = Bench(
        workloads=select_workloads(load_workloads(), list(workloads), complete=complete),
        implementations=with_yardstick(chosen),
        modes=(ALL,) if modes is None and complete else modes,
        effort=effort,
        threads=thread_count(threads),
        python=python,
    )
    since = time.perf_counter()
    with terminal.progress() as tick:
        run = measured(order, tick)
    if output is not None:
        write_run(output, run)
    show(run.speeds, time.perf_counter() - since)
    for name, described in run.header.implementations.items():
        if "missing" in described:
            Terminal().print((f"{name} could not start:", "red"), f" {described['missing'][:300]}")
    if output is not None:
        say(f"run file: {output}")
    if report is not None:
        say(f"report:   {write(run, report).resolve()}")
    codes = run_codes(run)
    if {speed.implementation for speed in run.speeds} <= {YARDSTICK} < {i.name for i in order.implementations}:
        codes.add(ExitCode.NOTHING_RAN)  # what they were to be measured against, and none of them
    return gravest(codes)


def measured(order: Bench, tick: Any) -> Run:
    """Measure, and tell what was measured with what and where."""
    since = time.perf_counter()
    started = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    session = Session(order, core(order.threads), tick)
    speeds = tuple(session.measure())
    header = Header(
        suite={
            "version": SUITE_VERSION,
            "digest": "",
            "cases": {},
            "workloads": {w.id: _described(w) for w in order.workloads},
        },
        implementations={
            **{
                name: {
                    "version": d.version,
                    "versions": dict(d.versions),
                    "modes": list(d.modes),
                    "dtypes": list(d.dtypes),
                    "losses": list(d.losses),
                    "device": d.device,
                    "threads": d.threads,
                    "flags": dict(d.flags),
                    "facts": dict(d.facts),
                    "startup_seconds": round(session.startup.get(name, 0.0), 3),
                }
                for name, d in session.descriptions.items()
                if name != "machine"
            },
            **{name: {"version": "?", "missing": reason} for name, reason in session.absent.items()},
        },
        machine=describe_machine(),
        started=started,
        command=("xent", *sys.argv[1:]),
    )
    return Run(header, (), (), speeds, footer_of({}, {"total": round(time.perf_counter() - since, 3)}))


def _described(workload: Workload) -> dict[str, Any]:
    case = workload.case
    return {
        "title": case.title,
        "why": case.why,
        "loss": case.loss,
        "inputs": {name: describe_array(spec) for name, spec in case.inputs.items()},
        "shapes": {name: list(shape) for name, shape in workload.shapes().items()},
        "options": {n: describe_array(v) if isinstance(v, ArraySpec) else v for n, v in case.options.items()},
        "repeat": workload.repeat,
    }


HEADINGS: Mapping[str, Literal["left", "right"]] = {
    "implementation": "left",
    "time": "right",
    "ns/element": "right",
    "GB/s": "right",
    "of limit": "right",
    "× by hand": "right",
    "interval": "right",
    "verdict": "left",
    "first call": "right",
    "peak MiB": "right",
}


def show(speeds: Sequence[Speed], seconds: float) -> None:
    """One table per workload and pass, fastest first."""
    out = Terminal()
    groups: dict[tuple[str, str, str], list[Speed]] = {}
    for speed in speeds:
        groups.setdefault((speed.workload, speed.dtype, str(speed.figures["passes"])), []).append(speed)
    for (workload, dtype, passes), members in groups.items():
        threads = members[0].figures["threads"]
        read = next((s.figures["read_gb_per_s"] for s in members if "read_gb_per_s" in s.figures), None)
        limit = "" if read is None else f", reading {read:.1f} GB/s"
        head = f"{workload} {dtype}, {passes}, {threads} thread{'' if threads == 1 else 's'}{limit}"
        out.print((f"\n{head}", "bold"))
        fastest_first = sorted(members, key=lambda s: s.figures.get("seconds", float("inf")))
        out.table(HEADINGS, map(_row, fastest_first))
    overhead = [s.figures["overhead_seconds"] for s in speeds if "overhead_seconds" in s.figures]
    ours = f"; our overhead of {1e9 * max(overhead):.0f} ns per call or less is subtracted" if overhead else ""
    out.print(f"\n{seconds:.1f} s{ours}")


def _row(speed: Speed) -> tuple[str, ...]:
    f, name = speed.figures, f"{speed.implementation}:{speed.mode}"
    if "seconds" not in f:
        return (name, *("",) * 6, f"not shown: {f['judged'].replace('_', ' ')}: {str(f['why'])[:60]}", "", "")
    disturbed = f"{100 * f['disturbed']:.0f} % of blocks disturbed" if f["disturbed"] > 0.2 else ""
    ratio = ("", "")
    if "ratio" in f:
        ends = f"{f['ratio_low']:.3g}–{f['ratio_high']:.3g}" if "ratio_low" in f else ""
        ratio = (f"{f['ratio']:.3g}", ends)
    verdict = "" if speed.implementation == YARDSTICK else speed.verdict
    return (
        name,
        duration(f["seconds"]),
        f"{f['ns_per_element']:.3g}",
        f"{f['gb_per_s']:.3g}",
        f"{100 * f['fraction_of_limit']:.3g} %",
        *ratio,
        ", ".join(filter(None, (verdict, disturbed))),
        duration(f["first_call_seconds"]),
        f"{f['peak_mib']:.0f}",
    )


def duration(seconds: float) -> str:
    """Three digits and a unit."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"
