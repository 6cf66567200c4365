"""`xent report`: writers read a run file and nothing else."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import reports.badge
import reports.html
import reports.junit
import reports.markdown
import reports.table
from harness.core.cell import Run
from harness.core.errors import UsageError
from harness.core.exit_codes import ExitCode
from harness.reproduction.scripts import cases_of, scripts_of
from harness.runs.run_file import read_run
from reports.html import killing


def report(options: argparse.Namespace) -> ExitCode:
    """Write the report, print where it is."""
    run = read_run(options.run)
    baseline = None if options.baseline is None else read_run(options.baseline)
    try:
        kills = None if options.kills is None else killing.read(options.kills)
    except killing.KillsFileError as error:
        raise UsageError(str(error)) from error
    scripts = scripts_of(run, cases_of(run))
    print(f"report:   {reports.html.write(run, options.output, baseline, kills, scripts).resolve()}")
    writers: tuple[tuple[Path | None, Callable[[Run], str]], ...] = (
        (options.markdown, reports.markdown.render),
        (options.junit, reports.junit.render),
        (options.csv, reports.table.render),
        (options.badge, reports.badge.render),
    )
    for path, render in writers:
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(render(run), encoding="utf-8")
            print(f"written:  {path}")
    return ExitCode.FINE
