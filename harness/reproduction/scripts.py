"""The standalone script of every cell of a run, for reports, which themselves read nothing but the run file."""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace

from harness import reproduction
from harness.core.case import Case
from harness.core.cell import Cell, Run
from harness.judgement.truth import Evaluated
from harness.reproduction.standalone import standalone
from harness.runs.diff import Difference
from harness.suite.generators import realize, shape_of
from harness.suite.loading import digest
from harness.suite.selection import load_selection

__all__ = ["cases_of", "scripts_of", "with_scripts"]

LARGEST_WORKED_OUT = 2**16
"""Elements of an input whose truth is worked out once more for a report; larger ones take seconds for each dtype."""

_NOTHING_RAN = {
    "unsupported": "it is not offered, so there is nothing to reproduce",
    "missing": "the implementation could not be started, so there is nothing to reproduce",
}


def cases_of(run: Run) -> tuple[Case, ...]:
    """The cases of a run as the suite at hand writes them; none where they are not the same to the letter."""
    everything = load_selection([]).cases
    ran = tuple(case for case in everything if case.id in run.header.suite.get("cases", {}))
    same = run.header.suite.get("digest") in (digest(everything), digest(ran))
    return ran if same else ()


def scripts_of(run: Run, cases: Sequence[Case]) -> Callable[[Cell], str]:
    """A function from a cell of `run` to what `xent repro` prints for it; it raises Inexpressible with the reason.

    `cases` are those the run was made with. A cell whose case is not among them has no script: today's would ask
    another question than the one whose answer the report shows.
    """
    by_id = {case.id: case for case in cases}
    ledger = run.header.suite.get("ledger", {})
    last = _Shared("")

    def script(cell: Cell) -> str:
        nonlocal last
        if cell.verdict in _NOTHING_RAN:
            raise reproduction.Inexpressible(_NOTHING_RAN[cell.verdict])
        if cell.case not in by_id:
            raise reproduction.Inexpressible(
                "the suite has changed since the run, so a script of today may ask another question; run it again"
            )
        case = by_id[cell.case]
        if any(math.prod(shape_of(spec)) > LARGEST_WORKED_OUT for spec in case.inputs.values()):
            raise reproduction.Inexpressible(
                f"its input is too large for a report; xent repro {shlex.quote(cell.name)} tells more"
            )
        if cell.case != last.case:
            last = _Shared(cell.case)
        note = str(ledger.get(cell.ledger, {}).get("reason", "")) if cell.ledger else ""
        return standalone(case, cell, run, note, reproduction.Numbers(realize, last.evaluated))

    return script


_TRIED = 5
"""Cells of one cause that are asked for a script; what one has no template for, the others rarely have."""


def with_scripts(difference: Difference, run: Run) -> Difference:
    """The difference, knowing one cell of every cause whose script `xent repro` prints, where there is one.

    `run` is the later one.
    """
    if not difference.changes:
        return difference
    script = scripts_of(run, load_selection([]).cases)
    found = set()
    losses = {case: str(entry.get("loss", "")) for case, entry in run.header.suite.get("cases", {}).items()}
    for group in difference.groups(losses):
        for change in group.changes[:_TRIED]:
            if change.new is not None and _is_expressible(script, change.new):
                found.add(change.cell.key)
                break
    return replace(difference, scripted=frozenset(found))


def _is_expressible(script: Callable[[Cell], str], cell: Cell) -> bool:
    try:
        script(cell)
    except reproduction.Inexpressible:
        return False
    return True


class _Shared:
    """What the cells of one case have in common, worked out once: its truths."""

    def __init__(self, case: str) -> None:
        self.case = case
        self.evaluated: Evaluated = {}
