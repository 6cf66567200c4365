"""`xent gate`: a run against a baseline. It reads run files and runs nothing."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

import reports.gate
import reports.github
from harness.cli import terminal
from harness.cli.options import OwnSlower
from harness.cli.project import project_here
from harness.cli.run_files import baseline_run, existing_run, overlays_of, own_baseline, shipped_baseline
from harness.core.exit_codes import ExitCode
from harness.core.files import check_outputs, write_whole
from harness.core.printing import annotate, say, tell
from harness.reproduction.scripts import with_scripts
from harness.runs.baseline import comparable_part
from harness.runs.gate import gate as decide
from harness.runs.overlays import as_here
from harness.runs.project import shown_path

app = App(
    name="gate",
    help_epilogue="""\
Examples: against the project's baseline, and one run against another:

    xent gate run.jsonl
    xent gate before.jsonl after.jsonl --slower 10
""",
)


@app.default
def gate(
    baseline: Annotated[Path, Parameter(help="The earlier run. Where only one file is named, that is the run.")],
    current: Annotated[
        Path | None, Parameter(help="The run; where it is left out, the baseline is the project's: xent.toml names it.")
    ] = None,
    /,
    *,
    against: Annotated[Path | None, Parameter(metavar="FILE", help="Another baseline than the project's.")] = None,
    markdown: Annotated[
        Path | None, Parameter(metavar="FILE", help="Also write it as Markdown, for a job's summary.")
    ] = None,
    github: Annotated[bool, Parameter(help="Print annotations for the pages of a pull request.")] = False,
    slower: OwnSlower = None,
    same_kernels: Annotated[
        bool, Parameter(negative="", help="Refuse to compare runs whose machine facts differ.")
    ] = False,
) -> ExitCode:
    """The gate between a dependency bump and the main branch."""
    check_outputs([markdown], [path for path in (baseline, current, against) if path is not None])
    if current is None:
        # One file: that is the run, and the project's baseline is what it is compared with, as far as it went.
        new = existing_run(baseline)
        file = against or own_baseline() or shipped_baseline()
        whole = as_here(baseline_run(file), list(overlays_of(file).values()), new)
        say(f"baseline: {shown_path(file)}")
        old = comparable_part(whole, new)
    else:
        old, new = existing_run(baseline), existing_run(current)
    threshold = (project_here().slower if slower is None else slower) / 100
    result = decide(old, new, threshold, same_kernels=same_kernels)
    if result.difference is not None:
        result = replace(result, difference=with_scripts(result.difference, new))
    terminal.show_gate(result, old, new)
    if markdown is not None:
        write_whole(markdown, reports.gate.markdown(result, new))
    if github and result.difference is not None:
        for shown in reports.github.annotated(result.difference, (old, new)):
            annotate(shown.message, **shown.properties)
    if result.code is ExitCode.CHANGED:
        tell(f"next: mend it, or where it is right `xent accept {shlex.quote(str(current or baseline))}`")
    return result.code
