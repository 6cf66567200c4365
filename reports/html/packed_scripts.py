"""The standalone reproductions of all cells as one compressed text, from which the page copies.

Scripts are made of lines and paragraphs that nearly all of them share, so each line and each paragraph is written once:
tens of thousands of scripts take some two megabytes, and the page joins one when somebody asks for it. Nothing is known
here about what a script looks like; joined, it is the same to the byte.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass

from harness.core.cell import Cell
from harness.reproduction import Inexpressible
from reports.html import packing

__all__ = ["Packed", "Scripts", "pack"]

Scripts = Callable[[Cell], str]
"""From a cell to its script; raises Inexpressible, with the reason, where there is none."""

_NONE_GIVEN = "the report was written without scripts"


@dataclass(frozen=True)
class Packed:
    """Scripts as the page carries them."""

    payload: str
    """Base64 of the gzip of the JSON that report.js reads."""
    lacking: tuple[str, ...]
    """For every cell why it has no script; nothing where it has one."""


class _Numbered:
    """Things in the order in which they are first seen, counted from 1; what is new is told as 0.

    A reader that counts the zeros knows which one is meant, and the zeros, most of the numbers, compress to nothing.
    """

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}

    def tell(self, thing: Hashable) -> int:
        known = self._numbers.get(thing)
        if known is None:
            self._numbers[thing] = len(self._numbers) + 1
        return known or 0

    def seen(self) -> Iterable[Hashable]:
        return self._numbers


def pack(cells: Sequence[Cell], scripts: Scripts | None) -> Packed:
    """The scripts of the cells, in this order."""
    chosen = scripts if scripts is None or len(cells) < packing.LARGE else _of_what_does_not_agree(scripts)
    lines, paragraphs = _Numbered(), _Numbered()
    in_lines: list[list[int]] = []
    in_paragraphs: list[list[int]] = []
    lacking: list[str] = []
    for cell in cells:
        try:
            text = _refuse() if chosen is None else chosen(cell)
        except Inexpressible as reason:
            lacking.append(str(reason))
            continue
        lacking.append("")
        in_paragraphs.append([])
        for paragraph in text.split("\n\n"):
            told = paragraphs.tell(paragraph)
            in_paragraphs[-1].append(told)
            if not told:
                in_lines.append([lines.tell(line) for line in paragraph.split("\n")])
    content = {"lines": list(lines.seen()), "paragraphs": in_lines, "scripts": in_paragraphs}
    return Packed(packing.packed(content), tuple(lacking))


_LEFT_OUT = (
    "it agrees, and a report of this many cells carries the scripts of the others only; "
    "xent repro with the name of the cell prints this one"
)


def _of_what_does_not_agree(scripts: Scripts) -> Scripts:
    def script(cell: Cell) -> str:
        if cell.verdict == "agrees":
            raise Inexpressible(_LEFT_OUT)
        return scripts(cell)

    return script


def _refuse() -> str:
    raise Inexpressible(_NONE_GIVEN)
