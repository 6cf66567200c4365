"""`xent merge`: the parts of a run become one run file. It runs nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from harness.cli.project import ledger_here
from harness.cli.run_files import existing_run
from harness.core.exit_codes import ExitCode, gravest
from harness.core.files import check_outputs
from harness.core.printing import say
from harness.runs.auditing import audited_again
from harness.runs.gate import run_codes
from harness.runs.merge import merge as merged
from harness.runs.run_file import write_run

app = App(
    name="merge",
    help_epilogue="""\
Example:

    xent run --shard 1/2 -o 1.jsonl; xent run --shard 2/2 -o 2.jsonl
    xent merge 1.jsonl 2.jsonl -o run.jsonl
""",
)


@app.default
def merge(
    first: Annotated[Path, Parameter(name="RUN", help="A run file.")],
    /,
    *more: Annotated[Path, Parameter(name="RUNS", help="More run files.")],
    output: Annotated[Path, Parameter(alias="-o", metavar="MERGED.jsonl", help="Write the whole here.")],
    other_machines: Annotated[
        bool, Parameter(negative="", help="Merge even parts whose machine facts differ.")
    ] = False,
) -> ExitCode:
    """Merge; the exit code is that of the whole."""
    check_outputs([output], (first, *more))
    whole = audited_again(
        merged([existing_run(path) for path in (first, *more)], other_machines=other_machines), ledger_here()
    )
    write_run(output, whole)
    say(f"run file: {output} ({len(whole.cells)} cells of {1 + len(more)} part{'s' * bool(more)})")
    return gravest(run_codes(whole))
