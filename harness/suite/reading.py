"""YAML text becomes a tree of nodes that know their lines.

The nodes are made from the events of PyYAML's parser, which construct nothing and leave scalars as they are written:
what differs between YAML 1.1 and 1.2 is what plain scalars mean, and that is said by `harness.core.yaml_scalars`.
Anchors, tags and duplicate keys are refused on the way.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from harness.core.yaml_scalars import Scalar, resolve
from harness.suite.problems import Problem

DEEPEST = 32
"""Levels of nesting. NumPy holds 64 dimensions, cases use a handful."""

PARSER: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""That of libyaml, thirty times as fast, or where PyYAML was built without it the one in Python: the nodes are the
same, the words for what is wrong are its own."""


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
    def __init__(self, line: int, message: str, hint: str) -> None:
        super().__init__(message)
        self.line, self.message, self.hint = line, message, hint


def read(text: str, file: str, loader: type = PARSER) -> tuple[Node | None, list[Problem]]:
    """The one document of a YAML text as nodes, or None and what is wrong with it."""
    tabs = [n for n, line in enumerate(text.split("\n"), start=1) if "\t" in line[: len(line) - len(line.lstrip())]]
    if tabs:
        return None, [Problem(file, n, "", "a tab indents this line", "Indent with spaces") for n in tabs]
    problems: list[Problem] = []
    try:
        node = _document(_events(text, loader), file, problems)
    except _Broken as broken:
        return None, [*problems, Problem(file, broken.line, "", broken.message, broken.hint)]
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


_HINT = "Mend the syntax; an editor with YAML support shows where"
_HINTS = {
    "mapping values are not allowed in this context": "Quote text that holds a colon and a space, or write it after >-",
    "did not find expected key": "Indent the fields of one entry alike",
    "did not find expected '-' indicator": "Indent the fields of one entry alike",
}
_NO_ANCHORS = "Case files use no anchors and aliases; write a family with for_each"


def _events(text: str, loader: type) -> Iterator[Any]:
    """What the parser sees, one after the other; whatever it trips over becomes one kind of error."""
    try:
        yield from yaml.parse(text, Loader=loader)
    except yaml.MarkedYAMLError as error:
        mark, what = error.problem_mark or error.context_mark, error.problem
        hint = _HINTS.get(what or "", _HINT)
        raise _Broken(1 if mark is None else mark.line + 1, f"not YAML: {what}", hint) from error
    except yaml.reader.ReaderError as error:
        line = text.encode("utf-8", "replace").count(b"\n", 0, error.position) + 1
        raise _Broken(line, f"not YAML: {error.reason}", _HINT) from error
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        raise _Broken(line, "not YAML: half a character", "Write the file as UTF-8") from error


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _document(events: Iterator[Any], file: str, problems: list[Problem]) -> Node | None:
    """The root of the only document, None of an empty text."""
    root: Node | None = None
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            if root is not None:
                hint = "Write one list of cases per file; remove the ---"
                raise _Broken(_line(event), "not YAML: another document", hint)
            root = _node(next(events), events, file, problems, DEEPEST)
    return root


def _node(event: Any, events: Iterator[Any], file: str, problems: list[Problem], levels: int) -> Node:
    """The node that begins with `event`, with at most so many levels of nesting below it."""
    line = _line(event)
    if isinstance(event, yaml.AliasEvent):
        raise _Broken(line, f"an alias *{event.anchor}", _NO_ANCHORS)
    if event.anchor is not None:
        raise _Broken(line, f"an anchor &{event.anchor}", _NO_ANCHORS)
    if event.tag is not None:
        raise _Broken(line, f"a tag {event.tag}", "Case files use no tags; write the plain value")
    if isinstance(event, yaml.ScalarEvent):
        return ScalarNode(event.value if event.style else resolve(event.value), event.value, line)
    if levels == 0:
        raise _Broken(line, f"more than {DEEPEST} levels of nesting", "Flatten it, or use a generator")
    if isinstance(event, yaml.SequenceStartEvent):
        return ListNode(tuple(_node(e, events, file, problems, levels - 1) for e in _inside(events)), line)
    entries: dict[str, Node] = {}
    lines: dict[str, int] = {}
    for key in _inside(events):
        name = _node(key, events, file, problems, levels - 1)
        value = _node(next(events), events, file, problems, levels - 1)
        if not isinstance(name, ScalarNode):
            raise _Broken(name.line, "a key that is a list or a map", "Keys are plain words")
        if name.text in entries:
            hint = f"Keep one of the two (the first is on line {lines[name.text]})"
            problems.append(Problem(file, name.line, name.text, f"the key {name.text!r} a second time", hint))
            continue
        entries[name.text], lines[name.text] = value, name.line
    return MapNode(entries, lines, line)


def _inside(events: Iterator[Any]) -> Iterator[Any]:
    """The events with which the nodes of a list or a map begin, to its end."""
    for event in events:
        if isinstance(event, yaml.SequenceEndEvent | yaml.MappingEndEvent):
            return
        yield event
