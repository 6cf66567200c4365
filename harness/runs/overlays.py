"""Overlays of the baseline: what it says for other machine facts than its own. Pure.

An overlay is a run on other kernels, reduced like the baseline, of which only the cells are kept that differ from the
baseline's. It is about the implementations whose facts differ. A run that attests the facts of an overlay is compared
with the baseline as the overlay makes it, and then the comparison is whole.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Container, Iterable, Sequence
from dataclasses import replace

from harness.core.cell import Cell, Key, Run
from harness.core.errors import UsageError
from harness.runs.kernels import differing_facts
from harness.runs.run_file import footer_of

Place = tuple[str, str, str]
"""Case, implementation, mode."""


def overlay(base: Run, run: Run) -> Run | None:
    """What a reduced run has to say beside the baseline: the cells that differ, where facts do; None where none do.

    What is offered in one of the two and refused in the other is told with all cells of its place. Raises UsageError
    where the run lacks cells that the baseline has: what it does not say would be taken from the baseline.
    """
    mine, theirs = run.header.implementations, base.header.implementations
    about = {n: d for n, d in mine.items() if n in theirs and differing_facts(theirs[n], d)}
    if not about:
        return None
    before, now = _places(base.cells, about), _places(run.cells, about)
    different: list[Cell] = []
    for place, old in before.items():
        was, is_ = _offered(old), _offered(now.get(place, ()))
        if was.keys() == is_.keys():
            different += (cell for key, cell in is_.items() if cell != was[key])
        elif _replaces(now.get(place, ()), old):
            different += now[place]
        else:
            raise UsageError(
                f"it lacks cells that the baseline has, such as {old[0].name}: what a run does not say of its machine "
                "would be taken from the baseline; run all cases, in the same modes"
            )
    different += (cell for place, cells in now.items() if place not in before for cell in cells)
    footer = footer_of(Counter(cell.verdict for cell in different), {}, dormant=run.footer.dormant)
    return Run(replace(run.header, implementations=about), tuple(different), (), (), footer)


def _places(cells: Iterable[Cell], names: Container[str]) -> dict[Place, list[Cell]]:
    found: dict[Place, list[Cell]] = defaultdict(list)
    for cell in cells:
        if cell.implementation in names:
            found[cell.case, cell.implementation, cell.mode].append(cell)
    return found


def _offered(cells: Iterable[Cell]) -> dict[Key, Cell]:
    return {cell.key: cell for cell in cells if cell.verdict != "unsupported"}


def _replaces(cells: Sequence[Cell], old: Sequence[Cell]) -> bool:
    """Whether an overlay's cells of a place are all there is of it there, and not the ones that differ."""
    return any(cell.verdict == "unsupported" for cell in cells) or not _offered(cells).keys() <= _offered(old).keys()


def overlaid(base: Run, over: Run, names: Collection[str]) -> Run:
    """The baseline as an overlay makes it: facts and cells of these implementations."""
    before, changed = _places(base.cells, names), _places(over.cells, names)
    whole = {place for place, cells in changed.items() if _replaces(cells, before.get(place, ()))}
    single = {cell.key: cell for place, cells in changed.items() if place not in whole for cell in cells}
    kept = [single.get(c.key, c) for c in base.cells if (c.case, c.implementation, c.mode) not in whole]
    described = {name: over.header.implementations[name] for name in names}
    header = replace(base.header, implementations={**base.header.implementations, **described})
    return replace(base, header=header, cells=(*kept, *(cell for place in whole for cell in changed[place])))


def as_here(base: Run, overlays: Sequence[Run], current: Run) -> Run:
    """The baseline for the facts of a run: of each implementation its own, or those of the overlay that has the same.

    Where no overlay has them the baseline stays as it is, and comparing says that the kernels are others.
    """
    found = base
    for over in overlays:
        names = [
            name
            for name, described in over.header.implementations.items()
            if name in current.header.implementations
            and differing_facts(found.header.implementations[name], current.header.implementations[name])
            and not differing_facts(described, current.header.implementations[name])
        ]
        found = overlaid(found, over, names) if names else found
    return found


def rebased(over: Run, old: Run, new: Run) -> Run | None:
    """An overlay on the old baseline as one on the new, or None where it says nothing of the new one any more.

    Of implementations in the same version, and only where it is about all that the new baseline has.
    """
    mine, theirs = over.header.implementations, new.header.implementations
    names = [n for n, d in mine.items() if n in theirs and d.get("version") == theirs[n].get("version")]
    whole = overlaid(old, over, names)
    kept = replace(
        whole,
        header=replace(over.header, implementations={name: mine[name] for name in names}),
        footer=replace(whole.footer, dormant=over.footer.dormant),
    )
    try:
        return overlay(new, kept)
    except UsageError:
        return None
