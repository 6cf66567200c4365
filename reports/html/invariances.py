"""The page of invariances: whose bits stay the same when the same is asked another way. Nothing of it is a score."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from harness.core.cell import Cell, Run
from harness.core.invariances import ASPECT, DIFFER, INVARIANCES, RAISES, is_invariance
from reports.number_format import rough
from reports.tally import order_of

__all__ = ["Invariances", "Line", "Place", "build"]


@dataclass(frozen=True)
class Place:
    """What one implementation and mode does with one invariance."""

    asked: int
    """Cells that say whether the bits are the same: a case in a dtype each."""
    differing: int
    raising: int
    worst: str
    """The largest difference in ulps, as it is written; empty where nothing differs."""
    cases: tuple[str, ...]
    """Those whose bits differ in a dtype, or where a call raises."""


@dataclass(frozen=True)
class Line:
    """One implementation in one of its modes."""

    implementation: str
    mode: str
    places: tuple[Place | None, ...]
    """In the order of the page's invariances; None where it was not asked or offers none of it."""


@dataclass(frozen=True)
class Invariances:
    """Everything the page shows."""

    names: tuple[str, ...]
    lines: tuple[Line, ...]


def build(run: Run) -> Invariances:
    """One line per implementation and mode that was asked for the same bits."""
    found: dict[tuple[str, str], dict[str, list[Cell]]] = defaultdict(lambda: defaultdict(list))
    for cell in run.cells:
        if is_invariance(cell.aspect) and cell.verdict == "by_convention":
            found[cell.implementation, cell.mode][cell.aspect.removeprefix(ASPECT)].append(cell)
    return Invariances(
        INVARIANCES,
        tuple(
            Line(name, mode, tuple(_place(found[name, mode][i]) for i in INVARIANCES))
            for name in order_of(implementation for implementation, _ in found)
            for mode in sorted(mode for implementation, mode in found if implementation == name)
        ),
    )


def _place(cells: Sequence[Cell]) -> Place | None:
    if not cells:
        return None
    differing = [cell for cell in cells if cell.convention == DIFFER]
    raising = [cell for cell in cells if cell.convention == RAISES]
    ulps = max((float(cell.ulps) for cell in differing if cell.ulps is not None), default=0.0)
    return Place(
        asked=len(cells),
        differing=len(differing),
        raising=len(raising),
        worst=rough(ulps) if differing else "",
        cases=tuple(sorted({cell.case for cell in (*differing, *raising)})),
    )
