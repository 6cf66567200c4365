"""`xent explain`: everything about the cases named."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from harness.cli import terminal
from harness.cli.explanation import show_case
from harness.cli.order_options import NOTHING_SAID, Selection, order_from
from harness.core.exit_codes import ExitCode, gravest
from harness.core.printing import tell
from harness.runs.gate import run_codes
from harness.runs.service import execute_order

app = App(
    name="explain",
    help_epilogue="""\
Example:

    xent explain documents/d4-dog-in-bits -i torch -i scratch-d4
""",
)


@app.default
def explain(
    first: Annotated[str, Parameter(name="CASE", help="A case; `xent cases list` names them all.")],
    /,
    *more: Annotated[str, Parameter(name="CASES", help="More files, folders, ids or globs of ids.")],
    cells: Annotated[bool, Parameter(help="A line for each cell too, with its error.")] = False,
    selection: Selection = NOTHING_SAID,
) -> ExitCode:
    """Formula, inputs, truth to 20 digits, and how every implementation answers."""
    order = order_from((first, *more), selection)
    with terminal.progress() as tick:
        finished = execute_order(order, progress=tick)
    for case in order.cases:
        show_case(case, finished, cells=cells)
    for line in terminal.other_modes(finished, order.scope.modes or ()):
        tell(line)
    return gravest(run_codes(finished))
