"""YAML text becomes a tree of nodes that know their lines.

The tree is built from the parser's events, so that no tag ever constructs an object, no alias is ever expanded, and
a duplicate key is seen. Scalars get their meaning from `harness.core.scalars`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML, events
from ruamel.yaml.error import YAMLError

from harness.core.scalars import Scalar, resolve
from harness.suite.problems import Problem

DEEPEST = 32
"""Levels of nesting. NumPy holds 64 dimensions, cases use a handful; the parser's time grows with the square."""

LARGEST_FILE = 4 * 2**20
"""Bytes of one case file: larger inputs belong in a generator."""


@dataclass(frozen=True)
class ScalarNode:
    """A scalar: its meaning, and its text as written."""

    value: Scalar
    text: str
    line: int


@dataclass(frozen=True)
class ListNode:
    entries: tuple[Node, ...]
    line: int


@dataclass(frozen=True)
class MapNode:
    """Entries in the order written; `lines` are those of the keys."""

    entries: dict[str, Node]
    lines: dict[str, int]
    line: int


Node = ScalarNode | ListNode | MapNode


class _Broken(Exception):  # noqa: N818 - carries a problem out of the parser, never leaves this module
    def __init__(self, line: int, message: str, remedy: str) -> None:
        super().__init__(message)
        self.line, self.message, self.remedy = line, message, remedy


def read(text: str, file: str) -> tuple[Node | None, list[Problem]]:
    """The one document of a YAML text as nodes, or None and what is wrong with it."""
    tabs = [n for n, line in enumerate(text.split("\n"), start=1) if "\t" in line[: len(line) - len(line.lstrip())]]
    if tabs:
        return None, [Problem(file, n, "", "a tab indents this line", "Indent with spaces") for n in tabs]
    problems: list[Problem] = []
    try:
        node = _document(_events(text), file, problems)
    except _Broken as broken:
        return None, [*problems, Problem(file, broken.line, "", broken.message, broken.remedy)]
    return (None if problems else node), problems


def plain(node: Node) -> Any:
    """The node as None, bool, int, float, str, list and dict."""
    match node:
        case ScalarNode(value=value):
            return value
        case ListNode(entries=entries):
            return [plain(entry) for entry in entries]
        case MapNode(entries=named):
            return {name: plain(entry) for name, entry in named.items()}


def node_at(node: Node, path: tuple[int | str, ...]) -> Node | None:
    """What lies at `path`, or None."""
    for step in path:
        match node, step:
            case MapNode(entries=named), str(name) if name in named:
                node = named[name]
            case ListNode(entries=entries), int(index) if 0 <= index < len(entries):
                node = entries[index]
            case _:
                return None
    return node


def line_at(node: Node, path: tuple[int | str, ...]) -> int:
    """The line of what lies at `path`, or of the deepest part of the path that exists."""
    line = node.line
    for step in path:
        match node, step:
            case MapNode(entries=named, lines=lines), str(name) if name in named:
                node, line = named[name], lines[name]
            case ListNode(entries=entries), int(index) if 0 <= index < len(entries):
                node = entries[index]
                line = node.line
            case _:
                return line
    return line


_REMEDY = "Mend the syntax; an editor with YAML support shows where"
_REMEDIES = {
    "mapping values are not allowed here": "Quote text that holds a colon and a space, or write it after >-",
    "expected <block end>, but found '?'": "Indent the fields of one entry alike",
    "expected <block end>, but found '<block mapping start>'": "Indent the fields of one entry alike",
}


def _events(text: str) -> Iterator[Any]:
    """The parser's events; whatever it trips over becomes one kind of error."""
    try:
        yield from YAML(typ="safe", pure=True).parse(text)
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        what = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
        line = mark.line + 1 if mark is not None else _line_of_character(text, getattr(error, "position", 0))
        raise _Broken(line, f"not YAML: {what}", _REMEDIES.get(str(what), _REMEDY)) from error
    except _Broken:
        raise
    except Exception as error:
        # The parser meets arbitrary text; an oversight of its own is still a file that cannot be read.
        raise _Broken(1, f"not YAML: {error!r}", _REMEDY) from error


def _line_of_character(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


@dataclass
class _Open:
    """A list or map whose end has not come yet."""

    line: int
    is_map: bool
    entries: list[Node]
    keys: list[tuple[str, int]]
    expects_key: bool


def _document(stream: Iterator[Any], file: str, problems: list[Problem]) -> Node | None:
    root: Node | None = None
    stack: list[_Open] = []
    for event in stream:
        line = event.start_mark.line + 1
        node: Node | None = None
        match event:
            case events.DocumentStartEvent() if root is not None:
                raise _Broken(line, "a second document", "Write one list of cases per file; remove the ---")
            case events.AliasEvent():
                raise _Broken(line, "an alias", "Case files use no anchors and aliases; write a family with for_each")
            case events.SequenceStartEvent() | events.MappingStartEvent():
                _refuse_decoration(event, line)
                if len(stack) >= DEEPEST:
                    raise _Broken(line, f"more than {DEEPEST} levels of nesting", "Flatten it, or use a generator")
                is_map = isinstance(event, events.MappingStartEvent)
                if stack and stack[-1].expects_key:
                    raise _Broken(line, "a key that is a list or a map", "Keys are plain words")
                stack.append(_Open(line, is_map, [], [], expects_key=is_map))
                continue
            case events.SequenceEndEvent() | events.MappingEndEvent():
                node = _closed(stack.pop(), file, problems)
            case events.ScalarEvent():
                _refuse_decoration(event, line)
                if stack and stack[-1].expects_key:
                    stack[-1].keys.append((event.value, line))
                    stack[-1].expects_key = False
                    continue
                is_plain = event.style is None or event.style == ""
                node = ScalarNode(resolve(event.value) if is_plain else event.value, event.value, line)
        if node is None:
            continue
        if stack:
            stack[-1].entries.append(node)
            stack[-1].expects_key = stack[-1].is_map
        else:
            root = node
    return root


def _refuse_decoration(event: Any, line: int) -> None:
    if event.anchor is not None:
        remedy = "Case files use no anchors and aliases; write a family with for_each"
        raise _Broken(line, f"an anchor &{event.anchor}", remedy)
    if event.tag is not None:
        raise _Broken(line, f"a tag {event.tag}", "Case files use no tags; write the plain value")


def _closed(open_: _Open, file: str, problems: list[Problem]) -> Node:
    if not open_.is_map:
        return ListNode(tuple(open_.entries), open_.line)
    entries: dict[str, Node] = {}
    lines: dict[str, int] = {}
    for (name, line), node in zip(open_.keys, open_.entries, strict=True):
        if name in entries:
            remedy = f"Keep one of the two (the first is on line {lines[name]})"
            problems.append(Problem(file, line, name, f"the key {name!r} a second time", remedy))
            continue
        entries[name], lines[name] = node, line
    return MapNode(entries, lines, open_.line)
