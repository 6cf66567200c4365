"""`xent run`: cases on implementations, judged, with the run file and the report where asked."""

from __future__ import annotations

import gc
import time
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from harness.cli import terminal
from harness.cli.ending import STARTED
from harness.cli.options import ExecutorName, Report, RunFile
from harness.cli.order_options import NOTHING_SAID, Selection, order_from
from harness.core.errors import UsageError
from harness.core.exit_codes import ExitCode, gravest
from harness.core.files import check_outputs
from harness.core.printing import say, tell
from harness.reproduction.scripts import scripts_of
from harness.runs.executors.chosen import executor_of
from harness.runs.gate import run_codes
from harness.runs.service import execute_order
from harness.runs.spreading import spread
from harness.suite.selection import sources
from reports.html import write

app = App(
    name="run",
    help_epilogue="""\
Example: some cases in float32 on two implementations, with a report:

    xent run 'edges/softmax*' -i torch -i numpy --dtypes float32 \\
        --report report.html
""",
)


@app.default
def run(
    *cases: Annotated[str, Parameter(help="Files, folders, ids or globs of ids; default: the cover.")],
    selection: Selection = NOTHING_SAID,
    complete: Annotated[bool, Parameter(help="All cases where none is named, not the cover alone.")] = False,
    output: RunFile = None,
    report: Report = None,
    fresh: Annotated[bool, Parameter(help="Evaluate every truth, even those kept of earlier runs.")] = False,
    executor: ExecutorName = None,
    resume: Annotated[
        Path | None,
        Parameter(metavar="RUN.jsonl", help="Go on with what was begun in parts for this run file, and write it."),
    ] = None,
) -> ExitCode:
    """Run the cases, print a verdict, write the run file and the report where asked."""
    if resume is not None and output not in (None, resume):
        raise UsageError(f"--resume {resume} writes {resume}: leave out --output {output}")
    output = output or resume
    check_outputs((output, report), sources(cases, selection.ledger))
    order = order_from(cases, selection, cover=not complete)
    if order.cover_of is not None:
        shown = "the cover, which shows every known mistake, ledger entry and convention"
        tell(f"{len(order.cases)} of {order.cover_of} cases: {shown}; --complete for all")
    # Cases, ledger and modules stay until the end, and so do most of the small objects a run makes by the hundred
    # thousand: looking through all of them again and again, as Python does by itself, is a twentieth of our time.
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)
    with terminal.progress() as tick:
        if executor is None and resume is None:
            finished = execute_order(order, output=output, progress=tick, fresh=fresh)
        else:
            with executor_of(executor, selection.parallel) as parts:
                finished = spread(order, parts, output=output, resume=resume is not None, progress=tick, fresh=fresh)
    terminal.show_run(finished, time.perf_counter() - STARTED)  # the verdict first: a report takes a while
    if order.cover_of is not None and terminal.little_judged(finished):
        tell("the cover asks for much that is not offered here: --complete asks everything that is")
    for line in terminal.other_modes(finished, order.scope.modes or ()):
        tell(line)
    if output is not None:
        say(f"run file: {output}")
    if report is not None:
        say(f"report:   {write(finished, report, scripts=scripts_of(finished, order.cases)).resolve()}")
    tell(terminal.next_step(finished, output, report))
    return gravest(run_codes(finished))
