"""The script of one cell of a finished run."""

from __future__ import annotations

from harness.core.case import Case
from harness.core.cell import Cell, Run
from harness.reproduction.cell_script import Numbers, script_of


def standalone(case: Case, cell: Cell, finished: Run, note: str = "", numbers: Numbers | None = None) -> str:
    """The script of a cell of a finished run; Inexpressible where there is none. `numbers` are those of the case."""
    described = finished.header.implementations[cell.implementation]
    return script_of(
        case,
        cell,
        flush_to_zero=bool(described.get("flush_to_zero")),
        first_mode=next(iter(described.get("modes", ())), cell.mode),
        note=note,
        numbers=numbers,
    )
