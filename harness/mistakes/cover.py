"""The cover: few cases that together show everything the suite can show. Pure.

A run of all cases takes minutes where a framework compiles each of them. Most of what it says is said by a few: a
known-bad implementation is caught by a hundred cases, a divergence shows in twenty. Each of these is a demand that one
case meets as well as another; the cover meets every demand.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Set
from fnmatch import fnmatchcase

from harness.core.cell import Cell
from harness.core.ledger import Entry

Demands = Mapping[str, Set[str]]
"""What has to show, by name: the cases in which it does. None is empty."""


def demands(
    kills: Mapping[str, Iterable[str]],
    entries: Iterable[Entry],
    cells: Iterable[Cell],
    cases: Set[str],
    plain: Set[str],
) -> Demands:
    """What the cases have to show.

    Parameters
    ----------
    kills
        By case, the known-bad implementations it catches.
    entries
        The ledger.
    cells
        Of an accepted run: in which cases an entry shows and a convention is used. An entry that does not show there
        (it is dormant on that machine, or about another mode) shows in any of the cases it names, as far as we know.
    cases
        Ids of the cases that there are; what others show counts for nothing.
    plain
        Ids of those that ask for the mean and for nothing else. A mistake that shows in one of them has to show in one
        of them: a loss without options would be asked too little else, and its mistakes be missed.
    """
    found: dict[str, set[str]] = defaultdict(set)
    for case, names in kills.items():
        for name in names:
            found[f"mistake {name}"].add(case)
            if case in plain:
                found[f"mistake {name} where only the mean is asked for"].add(case)
    for cell in cells:
        if cell.ledger is not None:
            found[f"entry {cell.ledger}"].add(cell.case)
        if cell.convention:
            found[f"convention {cell.implementation} {cell.convention}"].add(cell.case)
    met = {name: showing & cases for name, showing in found.items()}
    for entry in entries:
        if not met.get(f"entry {entry.id}"):
            named = {case for case in cases if any(fnmatchcase(case, pattern) for pattern in entry.cases)}
            met[f"entry {entry.id}"] = named
    return {name: showing for name, showing in met.items() if showing}


def cover(wanted: Demands) -> tuple[str, ...]:
    """Cases, sorted, that meet every demand, and none that could be left out.

    The case that meets most of what is left comes next; then each is dropped that the others make superfluous. On this
    suite a solver finds three cases fewer of 246.
    """
    serves: dict[str, set[str]] = defaultdict(set)
    for name, cases in wanted.items():
        for case in cases:
            serves[case].add(name)
    left = set(wanted)
    chosen: list[str] = []
    while left:
        best = max(sorted(serves), key=lambda case: len(serves[case] & left))
        chosen.append(best)
        left -= serves[best]
    for case in sorted(chosen, key=lambda case: (len(serves[case]), case)):
        others = [other for other in chosen if other != case]
        if all(any(other in wanted[name] for other in others) for name in serves[case]):
            chosen = others
    return tuple(sorted(chosen))


def unmet(wanted: Demands, chosen: Set[str]) -> tuple[str, ...]:
    """The demands that none of the chosen cases meets."""
    return tuple(name for name, cases in wanted.items() if not cases & chosen)
