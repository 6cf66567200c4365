"""What an implementation refuses of a case is told once for each mode, not once for each dtype. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from harness.core.call import Question
from harness.core.cell import EVERY, Cell

Place = tuple[str, str, str]
"""Case, implementation, mode."""


@dataclass
class Refusals:
    """Holds the refused dtypes of a case in a mode back until it is known whether all of them are refused."""

    whole: frozenset[str]
    """Cases asked in every dtype they name: of the others nobody knows what the dtypes left out would say."""
    open_questions: Counter[Place]
    """Outcomes still to come."""
    _held: dict[Place, list[Cell]] = field(default_factory=lambda: defaultdict(list))
    _answered: set[Place] = field(default_factory=set)
    """Where some dtype is not refused."""

    def planned(self, cells: Iterable[Cell]) -> Iterator[Cell]:
        """What is refused without being asked: told now where nothing is asked of its place, later elsewhere."""
        for cell in cells:
            self._held[_place(cell)].append(cell)
        for place in [place for place in self._held if not self.open_questions[place]]:
            yield from self._told(place)

    def judged(self, question: Question, cells: Iterable[Cell]) -> Iterator[Cell]:
        """The cells of one outcome, or, where it is refused, those of its case and mode after the last outcome."""
        place = (question.home.id, question.implementation, question.mode)
        for cell in cells:
            if cell.aspect == EVERY:
                self._held[place].append(cell)
            else:
                self._answered.add(place)
                yield cell
        self.open_questions[place] -= 1
        if not self.open_questions[place]:
            yield from self._told(place)

    def _told(self, place: Place) -> Iterator[Cell]:
        held = self._held.pop(place, [])
        if held and place[0] in self.whole and place not in self._answered:
            yield _once(held)
        else:
            yield from held
        self._answered.discard(place)


def _place(cell: Cell) -> Place:
    return (cell.case, cell.implementation, cell.mode)


def _once(cells: Sequence[Cell]) -> Cell:
    """One refusal of every dtype, with the reasons of all."""
    reason = "; ".join(dict.fromkeys(str(cell.outcome["reason"]) for cell in cells))
    return replace(cells[0], dtype=EVERY, outcome={"kind": "unsupported", "reason": reason}, explanation=reason)
