"""Results that use more than half of their tolerance: on the next machine they may be beyond it. Pure.

An error that depends on the kernel easily doubles between two instruction sets, so the verdict of such a result is the
machine's. Each is moved clear of the edge, by other inputs of its case, or has a statement.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from harness.core.case import Location
from harness.core.cell import RIGHT, Cell
from harness.judgement.agreement import BUDGET
from harness.suite.margins_file import Statement
from harness.suite.problems import Problem


def close_to_the_edge(cells: Iterable[Cell]) -> Iterator[Cell]:
    """The cells that are right with k/2 < R ≤ k."""
    for cell in cells:
        if cell.verdict in RIGHT and cell.ratio is not None:
            allowed = BUDGET[cell.dtype]
            if allowed / 2 < float(cell.ratio) <= allowed:
                yield cell


def lint_margins(
    cells: Iterable[Cell], statements: Sequence[Statement], file: str, places: Mapping[str, Location]
) -> list[Problem]:
    """Cells close to the edge that no statement of this file is about, and statements about none.

    `places` says where each case is written; a cell of a case that is not there any more is nobody's.
    """
    close = [cell for cell in close_to_the_edge(cells) if cell.case in places]
    problems = [
        Problem(
            places[cell.case].file,
            places[cell.case].line,
            cell.name,
            f"R {float(cell.ratio or 0):.3g} of {BUDGET[cell.dtype]:g} allowed: its verdict is the machine's",
            f"Choose other inputs for the case, or write a statement with the reason in {file}",
        )
        for cell in close
        if not any(statement.is_about(cell) for statement in statements)
    ]
    return problems + [
        Problem(file, s.line, "", "no result of the baseline is close to the edge here", "Remove the statement")
        for s in statements
        if not any(map(s.is_about, close))
    ]
