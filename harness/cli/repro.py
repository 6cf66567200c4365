"""`xent repro`: a cell as a standalone script, as the text of an issue, or run once more."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from cyclopts import App, Group, Parameter, validators

from harness import reproduction
from harness.adapters.choice import FIRST, choose
from harness.cli import terminal
from harness.cli.explanation import show_case
from harness.cli.options import Python
from harness.core.case import Case
from harness.core.cell import EVERY, MODE_AGREEMENT, Cell, Run, wider
from harness.core.errors import InfrastructureError, UsageError
from harness.core.exit_codes import ExitCode, gravest
from harness.core.printing import say
from harness.reproduction.standalone import standalone
from harness.runs.gate import run_codes
from harness.runs.plan import Scope
from harness.runs.service import execute_order, make_order, read_ledger
from harness.runs.session import Order

_CELL = re.compile(
    # Implementations such as module:Class have colons of their own, so the name is read from the right.
    r"(?P<case>[^\[\]]+)\[(?P<implementation>.+):(?P<mode>[^:]+):(?P<dtype>[^:]+):(?P<aspect>[^:]+)\]"
)


@dataclass(frozen=True)
class Named:
    """The parts of a cell's name."""

    case: str
    implementation: str
    mode: str
    dtype: str
    aspect: str


def parsed(name: str) -> Named:
    """The parts of a cell's name; UsageError where it is none."""
    match = _CELL.fullmatch(name)
    if match is None:
        raise UsageError(f"{name!r} names no cell: expected case[implementation:mode:dtype:aspect]")
    return Named(**match.groupdict())


app = App(
    name="repro",
    help_epilogue="""\
Examples: the script, and what the cell is today:

    xent repro 'documents/d4-dog-in-bits[torch:eager:float32:value]' \\
        > dog.py
    xent repro --again \\
        'documents/d4-dog-in-bits[torch:eager:float32:value]'
""",
)

INSTEAD = Group("Instead of the script", validator=validators.mutually_exclusive)
"""One of these at most."""


@app.default
def repro(
    cell: Annotated[str, Parameter(help="Its name: case[implementation:mode:dtype:aspect].")],
    /,
    *files: Annotated[str, Parameter(name="FILES", help="Where its case is written; default: the suite.")],
    issue: Annotated[bool, Parameter(group=INSTEAD, help="Print the text of an issue in Markdown.")] = False,
    again: Annotated[
        bool, Parameter(group=INSTEAD, help="Run the cell once more and show what is expected and observed.")
    ] = False,
    python: Python = None,
) -> ExitCode:
    """Print the standalone script of a cell."""
    named = parsed(cell)
    order = order_of(named, python, files)
    if [case.id for case in order.cases] != [named.case]:
        hint = "write the id of one of its cases" if files else "see `xent cases list`, or name its file after the cell"
        raise UsageError(f"{named.case}: expected the id of one case, not a file or a pattern; {hint}")
    with terminal.progress() as tick:
        finished = execute_order(order, progress=tick)
    (case,) = order.cases
    if again:
        show_case(case, finished)
        return gravest(run_codes(finished) - {ExitCode.STALE_LEDGER})
    if ExitCode.INFRASTRUCTURE in run_codes(finished) and all(cell.verdict == "missing" for cell in finished.cells):
        raise InfrastructureError(f"{cell}: {finished.cells[0].explanation}")
    try:
        program = standalone(case, cell_of(finished, named), finished, note=_pointer(finished, named))
    except reproduction.Inexpressible as reason:
        raise UsageError(f"{cell}: {reason}; `xent repro --again` runs it once more instead") from reason
    say(issue_text(case, named, finished, program) if issue else program, end="")
    return ExitCode.FINE


def issue_text(case: Case, named: Named, finished: Run, program: str) -> str:
    """The issue around a script, with the versions and the machine of the run."""
    versions = finished.header.implementations[named.implementation].get("versions", {})
    return reproduction.issue_of(case, cell_of(finished, named), program, versions, finished.header.machine)


def cell_of(finished: Run, named: Named) -> Cell:
    """The cell a name is about; UsageError where the run has none."""
    cells = {cell.key: cell for cell in finished.cells}
    key = (named.case, named.implementation, named.mode, named.dtype, named.aspect)
    for said in (key, *wider(key)):
        if said in cells:
            return cells[said]
    there = ", ".join(sorted({f"{c.mode}:{c.dtype}:{c.aspect}" for c in finished.cells}))
    raise UsageError(f"{named.case} has no cell {named.mode}:{named.dtype}:{named.aspect} here; there are {there}")


def _pointer(finished: Run, named: Named) -> str:
    cell = cell_of(finished, named)
    entry = finished.header.suite.get("ledger", {}).get(cell.ledger, {})
    return str(entry.get("reason", "")) if cell.ledger else ""


def order_of(named: Named, python: str | None = None, files: Sequence[str] = ()) -> Order:
    """What has to be run for a cell: its case, on its implementation, in its mode and dtype, where `python` is.

    The case is that of the suite, or the one that is written in `files`.
    """
    # How a mode agrees with the first one is only seen where both are run.
    modes = (FIRST, named.mode) if named.aspect == MODE_AGREEMENT else (named.mode,)
    scope = Scope(dtypes=None if named.dtype == EVERY else (named.dtype,), modes=modes)
    command = ("xent", *sys.argv[1:])
    chosen = choose([named.implementation])
    patterns = list(files) or [named.case]
    order = make_order(patterns, chosen, scope, ledger=read_ledger(), command=command, python=python)
    written = tuple(case for case in order.cases if case.id == named.case)
    return replace(order, cases=written or order.cases)
