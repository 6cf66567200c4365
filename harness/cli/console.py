"""Lines and tables with colours. What others say is text here and nothing else: no string is markup."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from functools import partial

from rich.console import Console, JustifyMethod, RenderableType
from rich.segment import Segment, Segments
from rich.table import Table
from rich.text import Text

from harness.core.printing import breaks, columns, printable

Styled = str | tuple[str, str]
"""A text, or a text and its style."""


WIDEST = 10_000
"""Columns in which a table is measured: wider than any."""


class Terminal:
    """The standard output; where it is no terminal, tables are as wide as they need to be."""

    def __init__(self) -> None:
        console = partial(Console, markup=False, emoji=False, highlight=False)
        self._console = console() if sys.stdout.isatty() else console(width=150, color_system=None)

    def print(self, *parts: Styled, wrap: bool = True) -> None:
        """A line of texts, or more where one has line breaks; with `wrap` what is too wide goes on below."""
        for line in Text.assemble(*parts).split("\n", allow_blank=True):
            places, inner = breaks(line.plain, columns()) if wrap else ([], 0)
            for number, part in enumerate(line.divide(places)):
                part.rstrip()
                # A character takes eight columns at most: a tab.
                self._show(Text(" " * inner if number else "") + part, 8 * (len(line) + inner + 1))

    def table(self, headings: Mapping[str, JustifyMethod], rows: Iterable[Iterable[Styled]]) -> None:
        """A table without lines; where it does not fit, a paragraph for each row, in which no number is broken."""
        table = Table(box=None, pad_edge=False)
        for heading, side in headings.items():
            table.add_column(heading, justify=side)
        told = [[Text(cell) if isinstance(cell, str) else Text(*cell) for cell in row] for row in rows]
        for row in told:
            table.add_row(*row)
        wide_enough = self._console.options.update_width(WIDEST)
        width = self._console.measure(table, options=wide_enough).maximum
        if width <= self._console.width:
            self._show(table, width)
            return
        for first, *rest in told:
            named = (f"{heading} {text.plain}" for heading, text in zip([*headings][1:], rest, strict=True) if text)
            self.print(f"{first.plain}: {', '.join(named)}")

    def _show(self, what: RenderableType, width: int) -> None:
        options = self._console.options.update_width(width)
        for line in self._console.render_lines(what, options, pad=False):
            text = "".join(segment.text for segment in line)
            safe = printable(text)
            self._console.print(
                Segments([*(line if safe == text else [Segment(safe)]), Segment.line()]), soft_wrap=True
            )
