"""`xent report`: writers read a run file and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

import reports.badge
import reports.html
import reports.junit
import reports.markdown
import reports.table
from harness.cli.history import kept_histories
from harness.cli.run_files import existing_run, overlays_of
from harness.core.cell import Run
from harness.core.exit_codes import ExitCode
from harness.core.files import check_outputs, write_whole
from harness.core.printing import say
from harness.reproduction.scripts import cases_of, scripts_of
from harness.runs.overlays import as_here
from harness.runs.service import read_ledger
from reports.html import killing
from reports.html.strips import NO_STRIPS, build

app = App(
    name="report",
    help_epilogue="""\
Example: the report, what changed since an earlier run, and a summary:

    xent report run.jsonl --baseline before.jsonl --markdown summary.md
""",
)


@app.default
def report(
    run: Annotated[Path, Parameter(help="The run file.")],
    /,
    *,
    output: Annotated[Path, Parameter(alias="-o", metavar="REPORT.html", help="Write the HTML report here.")] = Path(
        "reports/output/report.html"
    ),
    markdown: Annotated[Path | None, Parameter(metavar="FILE", help="Also write it as Markdown.")] = None,
    junit: Annotated[Path | None, Parameter(metavar="FILE", help="Also write it as JUnit XML, for CI.")] = None,
    csv: Annotated[Path | None, Parameter(metavar="FILE", help="Also write its cells as CSV.")] = None,
    badge: Annotated[Path | None, Parameter(metavar="FILE", help="Also write a badge, as JSON for shields.io.")] = None,
    baseline: Annotated[
        Path | None, Parameter(metavar="RUN.jsonl", help="An earlier run, to say what changed.")
    ] = None,
    kills: Annotated[
        Path | None, Parameter(metavar="KILLS.json", help="A kill matrix of `xent kills`, which becomes a page.")
    ] = None,
    history: Annotated[
        Path | None,
        Parameter(metavar="FOLDER", help="Runs of releases kept by `xent history`, for strips of versions."),
    ] = None,
) -> ExitCode:
    """Write the report of a run file, and print where it is."""
    check_outputs((output, markdown, junit, csv, badge), [path for path in (run, baseline, kills) if path is not None])
    shown = existing_run(run)
    before = None if baseline is None else as_here(existing_run(baseline), list(overlays_of(baseline).values()), shown)
    matrix = None if kills is None else killing.read(kills)
    scripts = scripts_of(shown, cases_of(shown))
    told = (
        NO_STRIPS
        if history is None
        else build(kept_histories(history), shown.header.suite["cases"], read_ledger().entries)
    )
    say(f"report:   {reports.html.write(shown, output, before, matrix, scripts, told).resolve()}")
    writers: tuple[tuple[Path | None, Callable[[Run], str]], ...] = (
        (markdown, reports.markdown.render),
        (junit, reports.junit.render),
        (csv, reports.table.render),
        (badge, reports.badge.render),
    )
    for path, render in writers:
        if path is not None:
            write_whole(path, render(shown))
            say(f"written:  {path}")
    return ExitCode.FINE
