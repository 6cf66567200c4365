"""YAML text becomes a tree of nodes that know their lines.

ruamel composes its own nodes, which construct nothing; they are taken over with their lines. Anchors, tags and
duplicate keys are refused on the way. Scalars get their meaning from `harness.core.scalars`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML, nodes
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
    def __init__(self, line: int, message: str, hint: str) -> None:
        super().__init__(message)
        self.line, self.message, self.hint = line, message, hint


def read(text: str, file: str) -> tuple[Node | None, list[Problem]]:
    """The one document of a YAML text as nodes, or None and what is wrong with it."""
    tabs = [n for n, line in enumerate(text.split("\n"), start=1) if "\t" in line[: len(line) - len(line.lstrip())]]
    if tabs:
        return None, [Problem(file, n, "", "a tab indents this line", "Indent with spaces") for n in tabs]
    problems: list[Problem] = []
    try:
        root = _composed(text)
        node = None if root is None else _taken(root, text, file, problems, DEEPEST)
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
    "mapping values are not allowed here": "Quote text that holds a colon and a space, or write it after >-",
    "expected <block end>, but found '?'": "Indent the fields of one entry alike",
    "expected <block end>, but found '<block mapping start>'": "Indent the fields of one entry alike",
    "but found another document": "Write one list of cases per file; remove the ---",
}
_NO_ANCHORS = "Case files use no anchors and aliases; write a family with for_each"


def _composed(text: str) -> Any:
    """The root of ruamel's nodes, None of an empty text; whatever it trips over becomes one kind of error."""
    try:
        return YAML(typ="safe", pure=True).compose(text)
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        what = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
        line = text.count("\n", 0, getattr(error, "position", 0)) + 1 if mark is None else mark.line + 1
        raise _Broken(line, f"not YAML: {what}", _HINTS.get(str(what), _HINT)) from error
    except Exception as error:
        # The composer meets arbitrary text; an oversight of its own is still a file that cannot be read.
        raise _Broken(1, f"not YAML: {error!r}", _HINT) from error


def _taken(node: Any, text: str, file: str, problems: list[Problem], levels: int) -> Node:
    """ruamel's node as ours, with at most so many levels of nesting below it."""
    line = node.start_mark.line + 1
    if node.anchor is not None:
        raise _Broken(line, f"an anchor &{node.anchor}", _NO_ANCHORS)
    if text[node.start_mark.index : node.start_mark.index + 1] == "!":
        raise _Broken(line, f"a tag {node.tag}", "Case files use no tags; write the plain value")
    if isinstance(node, nodes.ScalarNode):
        return ScalarNode(node.value if node.style else resolve(node.value), node.value, line)
    if levels == 0:
        raise _Broken(line, f"more than {DEEPEST} levels of nesting", "Flatten it, or use a generator")
    if isinstance(node, nodes.SequenceNode):
        return ListNode(tuple(_taken(entry, text, file, problems, levels - 1) for entry in node.value), line)
    entries: dict[str, Node] = {}
    lines: dict[str, int] = {}
    for key, value in node.value:
        name = _taken(key, text, file, problems, levels - 1)
        if not isinstance(name, ScalarNode):
            raise _Broken(name.line, "a key that is a list or a map", "Keys are plain words")
        if name.text in entries:
            hint = f"Keep one of the two (the first is on line {lines[name.text]})"
            problems.append(Problem(file, name.line, name.text, f"the key {name.text!r} a second time", hint))
            continue
        entries[name.text], lines[name.text] = _taken(value, text, file, problems, levels - 1), name.line
    return MapNode(entries, lines, line)
