"""The one place that prints: what others say stays text, on a terminal and in the log of a CI server.

Others are case files, the ledger, run files, workers, errors, the environment, the names of files. Nobody has to know
which text is whose, since all of it comes through here; a test looks that nothing else prints.
"""

from __future__ import annotations

import re
import shutil
import sys

_COMMAND = re.compile(r"^(\s*):(?=:[a-z])|(?<=#)#(?=[a-z]*\[)", re.IGNORECASE | re.MULTILINE)
"""What a CI server takes for a command: `::` where a line begins (GitHub), `##[` and `##word[` anywhere (GitHub's first
form, Azure, TeamCity)."""


def visible(text: str) -> str:
    """The text with every character that steers shown as Python writes it, for where a CI server does not read.

    >>> visible("a \\u202e b")
    'a \\\\u202e b'
    """
    if text.replace("\n", "").replace("\t", "").isprintable():  # a report has a hundred thousand texts
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else _shown(c) for c in text)


def printable(text: object) -> str:
    """The text with every character that steers shown as Python writes it, and no command for a CI server in it.

    What steers is what `str.isprintable` has not: escape sequences, C0 and C1, characters without width, those that
    turn the direction of writing, separators of lines, halves of surrogate pairs. Line feeds and tabs stay. Printable
    text stays as it is, so that doing this twice does no more.

    >>> printable("\\x1b[31mred")
    '\\\\x1b[31mred'
    >>> printable("a::b\\n::error::c")
    'a::b\\n\\\\x3a:error::c'
    """
    words = visible(str(text))
    return _COMMAND.sub(_shown_command, words) if "::" in words or "##" in words else words


def _shown(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def _shown_command(found: re.Match[str]) -> str:
    return r"\x23" if found[1] is None else rf"{found[1]}\x3a"


def say(text: object = "", *, error: bool = False, end: str = "\n") -> None:
    """Print a text at once, so that both streams stand in order where they are one; `error`: on the standard error."""
    print(printable(text), end=end, file=sys.stderr if error else sys.stdout, flush=True)


def columns() -> int:
    """How wide prose is: what `COLUMNS` says, else the terminal on the standard output, else 80."""
    return shutil.get_terminal_size().columns


_WORD = re.compile(r"(?:`[^`\n]*`|\S)+")
"""What no line ends inside: what stands between blanks, and what stands in backquotes, which is there to be copied."""


def breaks(line: str, width: int) -> tuple[list[int], int]:
    """Where a line goes on below so that all are at most `width` wide, and how far in it does: only before words, so
    that a name that is wider stays in one piece.

    >>> breaks("  take `these two words`, whole", 20)
    ([7, 26], 6)
    """
    inner = len(line) - len(line.lstrip()) + 4
    room, begun, found = width, 0, list[int]()
    for word in _WORD.finditer(line):
        if word.end() - begun > room and line[begun : word.start()].strip():
            begun = word.start()
            found.append(begun)
            room = max(20, width - inner)
    return found, inner


def tell(text: object, *, error: bool = False) -> None:
    """Say prose: a line that is too wide goes on below, between words."""
    say("\n".join(_folded(line) for line in printable(text).split("\n")), error=error)


def _folded(line: str) -> str:
    places, inner = breaks(line, columns())
    parts = (line[a:b].rstrip() for a, b in zip([0, *places], [*places, len(line)], strict=True))
    return f"\n{'':{inner}}".join(parts)


def rewrite(text: object) -> None:
    """Replace the last line of the standard error by this one, where it is a terminal; else print it."""
    if sys.stderr.isatty():
        print(f"\r\033[K{printable(text)}", end="", file=sys.stderr, flush=True)
    else:
        say(text, error=True)


def annotate(message: str, **properties: object) -> None:
    """Print GitHub's workflow command for an error: `message` is shown at the file and line in `properties`."""
    given = ",".join(f"{name}={_escaped(value, ':,')}" for name, value in properties.items())
    print(f"::error {given}::{_escaped(message)}")


def _escaped(value: object, separators: str = "") -> str:
    """Text inside a workflow command, in which nothing ends it and none of `separators` separates."""
    return "".join(f"%{ord(c):02X}" if c in f"%\r\n{separators}" else c for c in printable(value))
