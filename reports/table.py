"""Every cell of a run as one line of a comma-separated table, for spreadsheets and data frames."""

from __future__ import annotations

import csv
import io

from harness.core.cell import Run
from harness.core.text import csv_row
from reports.number_format import shown
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
            csv_row(
                [
                    cell.case,
                    losses[cell.case],
                    cell.implementation,
                    version,
                    cell.mode,
                    cell.dtype,
                    cell.aspect,
                    cell.verdict,
                    cell.severity,
                    happened(cell),
                    cell.ulps,
                    cell.ratio,
                    cell.budget,
                    cell.grade,
                    shown(cell.got, cell.dtype),
                    shown(cell.truth, "float64"),
                    cell.convention,
                    cell.ledger,
                    cell.explanation,
                    cell.function,
                    cell.seconds,
                ]
            )
        )
    return buffer.getvalue()
