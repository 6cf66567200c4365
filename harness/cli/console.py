"""Lines and tables with colours. What others say is text here and nothing else: no string is markup."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from functools import partial
from textwrap import wrap

from rich.console import Console, JustifyMethod, RenderableType
from rich.segment import Segment, Segments
from rich.table import Table
from rich.text import Text

from harness.core.printing import printable

Styled = str | tuple[str, str]
"""A text, or a text and its style."""


class Terminal:
    """The standard output, wide enough for the tables where it is no terminal."""

    def __init__(self) -> None:
        console = partial(Console, markup=False, emoji=False, highlight=False)
        self._console = console() if sys.stdout.isatty() else console(width=150, color_system=None)

    def print(self, *parts: Styled, wrap: bool = True) -> None:
        """One line of texts, or more where one has line breaks or, with `wrap`, is too wide."""
        text = Text.assemble(*parts)
        # A character takes eight columns at most: a tab.
        self._show(text, None if wrap else 8 * (len(text) + 1))

    def whole_words(self, line: str) -> None:
        """A line that goes on below where it is too wide, further in, and only between words: a name that is wider than
        the terminal stays in one piece."""
        indent = " " * (len(line) - len(line.lstrip()) + 4)
        width = max(len(indent) + 20, self._console.width)
        for part in wrap(line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False):
            self.print(part, wrap=False)

    def table(self, headings: Mapping[str, JustifyMethod], rows: Iterable[Iterable[Styled]]) -> None:
        """A table without lines; what is too wide for its column goes on below."""
        table = Table(box=None, pad_edge=False)
        for heading, side in headings.items():
            table.add_column(heading, justify=side, overflow="fold")
        for row in rows:
            table.add_row(*(Text(cell) if isinstance(cell, str) else Text(*cell) for cell in row))
        self._show(table)

    def _show(self, what: RenderableType, width: int | None = None) -> None:
        options = self._console.options
        options = options if width is None else options.update_width(width)
        for line in self._console.render_lines(what, options, pad=False):
            text = "".join(segment.text for segment in line)
            safe = printable(text)
            self._console.print(
                Segments([*(line if safe == text else [Segment(safe)]), Segment.line()]), soft_wrap=True
            )
