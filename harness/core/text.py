"""How a text becomes part of a file: one function per kind of file, applied where such a file is written.

What is written between the texts is ours, and stands in the writers as a literal: a new field is written as the others
are, and nobody has to think of it. `harness/tests/faults` puts hostile texts into every field that there is.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable
from typing import Any
from xml.etree import ElementTree as Xml

from harness.core.printing import printable

__all__ = ["csv_row", "markdown", "table_row", "xml_document"]

LONGEST = 400
"""Characters of a text in Markdown: GitHub refuses summaries above 1 MiB, and nobody reads a longer one in a table."""

# --- CSV --------------------------------------------------------------------------------------------------------------

_COMPUTED = "=+-@\t＝＋－＠"
"""First characters of what a spreadsheet computes, those of full width included."""


def csv_row(values: Iterable[object]) -> list[object]:
    """The values of one line, for `csv.writer`: texts that no spreadsheet computes; numbers as they are; None as "".

    What a spreadsheet would compute is preceded by an apostrophe.
    """
    return [_cell(value) for value in values]


def _cell(value: object) -> object:
    if isinstance(value, int | float):
        return value
    words = printable("" if value is None else value)
    return "'" + words if len(words) > 1 and words[0] in _COMPUTED and not _is_number(words) else words


def _is_number(words: str) -> bool:
    return re.fullmatch(r"-(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|inf|nan)", words, re.ASCII) is not None


# --- Markdown ---------------------------------------------------------------------------------------------------------


def markdown(template: str, *values: object, **named: object) -> str:
    """Markdown from a literal and the texts that are put into it, as `str.format` does.

    `{}` is a text on one line without markup, links, HTML and mentions; `{:code}` a text in a code span, such as a
    command; numbers may have the format of a number.

    >>> markdown("| {} | {:.2f} | {:code} |", "a|b *c*", 1 / 3, "ls")
    '| a\\\\|b \\\\*c\\\\* | 0.33 | `ls` |'
    """
    return _MARKDOWN.vformat(template, values, named)


def table_row(*values: object) -> str:
    """A line of a table in Markdown."""
    return markdown("| " + " | ".join("{}" for _ in values) + " |", *values)


class _Markdown(string.Formatter):
    def format_field(self, value: Any, format_spec: str) -> str:
        if isinstance(value, int | float):
            return format(value, format_spec)
        return _code(value) if format_spec == "code" else _literal(value)


_MARKDOWN = _Markdown()


def _line(value: object) -> str:
    """The text on one line; blanks at its ends are gone, others stay, since a command may have to have them."""
    return re.sub(r"\s*\n\s*", " ", printable("" if value is None else value)).replace("\t", " ").strip()


def _literal(value: object) -> str:
    words = _line(value)
    words = words if len(words) <= LONGEST else words[: LONGEST - 1] + "…"
    words = re.sub(r"([\\`*_{}\[\]()#+!|~$^])", r"\\\1", words)
    words = words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("@", "&#64;")
    # Between the letters of an address stands what shows nothing, so that nobody makes a link of it.
    return re.sub(r"(?i)\b(https?|ftp|www)([:.])", r"\1&#8203;\2", words)


def _code(value: object) -> str:
    """A code span, whose fence is longer than any run of backticks in it; a bar would end the cell of a table."""
    words = _line(value).replace("|", r"\|")
    longest = max((len(run) for run in re.findall("`+", words)), default=0)
    fence = "`" * (longest + 1)
    return f"{fence} {words} {fence}" if longest else f"{fence}{words}{fence}"


# --- XML --------------------------------------------------------------------------------------------------------------


def xml_document(root: Xml.Element) -> str:
    """The document, one element per line; what XML forbids and what steers a terminal is shown as Python writes it."""
    for element in root.iter():
        element.text = element.text and printable(element.text)
        for name, value in element.items():
            element.set(name, printable(value))
    Xml.indent(root, space="")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + Xml.tostring(root, encoding="unicode") + "\n"
