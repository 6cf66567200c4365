"""Every cell of a run as one line of a comma-separated table, for spreadsheets and data frames."""

from __future__ import annotations

import csv
import io

from harness.core.cell import Run
from reports.numbers import shown
from reports.tally import loss_of
from reports.words import happened

__all__ = ["render"]

_COLUMNS = (
    *("case", "loss", "implementation", "version", "mode", "dtype", "aspect"),
    *("verdict", "severity", "happened", "ulps", "ratio", "budget", "grade", "got", "truth"),
    *("convention", "ledger", "explanation", "function", "seconds"),
)


def render(run: Run) -> str:
    """The cells in the order of the run, first line the names of the columns, lines ended as RFC 4180 says.

    Text that a spreadsheet would run as a formula is preceded by an apostrophe.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(_COLUMNS)
    losses = {case: loss_of(run, case) for case in {cell.case for cell in run.cells}}
    for cell in run.cells:
        version = run.header.implementations.get(cell.implementation, {}).get("version", "")
        writer.writerow(
            [
                _inert(cell.case),
                _inert(losses[cell.case]),
                _inert(cell.implementation),
                _inert(version),
                _inert(cell.mode),
                cell.dtype,
                _inert(cell.aspect),
                cell.verdict,
                cell.severity or "",
                happened(cell),
                "" if cell.ulps is None else cell.ulps,
                "" if cell.ratio is None else cell.ratio,
                "" if cell.budget is None else cell.budget,
                cell.grade or "",
                shown(cell.got, cell.dtype),
                shown(cell.truth, "float64"),
                _inert(cell.convention),
                _inert(cell.ledger),
                _inert(cell.explanation),
                _inert(cell.function),
                "" if cell.seconds is None else cell.seconds,
            ]
        )
    return buffer.getvalue()


def _inert(value: object) -> str:
    words = "" if value is None else str(value)
    return "'" + words if len(words) > 1 and words[0] in "=+-@\t\r" else words
