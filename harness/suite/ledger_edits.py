"""Changing the ledger's files: entries are appended and taken out, and every other line stays as a person wrote it."""

from __future__ import annotations

import io
import re
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from harness.core.files import write_whole
from harness.core.ledger import Entry
from harness.core.scalars import resolve
from harness.suite.problems import Problem, SuiteError
from harness.suite.reading import ListNode, MapNode, ScalarNode, read


def remove_entries(folder: Path, ids: Collection[str]) -> tuple[str, ...]:
    """Take these entries out of the ledger's files, leaving every other line as it is; the ids that were there."""
    removed: list[str] = []
    for path in sorted(folder.glob("*.yaml")) if ids else ():
        text = _text(path)
        spans = _spans(text, str(path))
        gone = [id_ for id_, _ in spans if id_ in ids]
        if gone:
            lines = _LINES.findall(text)
            dropped = {n for id_, span in spans if id_ in ids for n in span}
            write_whole(path, "".join(line for n, line in enumerate(lines, start=1) if n not in dropped))
            removed += gone
    return tuple(removed)


def append_entries(path: Path, entries: Sequence[Entry]) -> Path:
    """Write entries to the end of a ledger file, leaving every line that is there as it is; the path."""
    text = _text(path) if path.is_file() else ""
    if not _spans(text, str(path)):
        text = re.sub(r"(?m)^\[ *\] *$", "", text)  # an empty list, which nothing can follow
    gap = "" if not text.strip() else "\n" if text.endswith("\n") else "\n\n"
    whole = f"{text}{gap}{written(entries)}"
    if [id_ for id_, _ in _spans(whole, str(path))][-len(entries) :] != [entry.id for entry in entries]:
        what = "no entry can follow what is written here"
        raise SuiteError([Problem(str(path), 1, "", what, "Begin every entry at the start of a line with - id:")])
    write_whole(path, whole)
    return path


def written(entries: Iterable[Entry]) -> str:
    """Entries as a ledger file holds them; whatever their names are made of, `parse_ledger` reads the same again."""
    yaml = YAML()
    yaml.width = 2**16  # a text that is broken in the middle reads worse than a long line
    yaml.indent(mapping=2, sequence=2, offset=0)
    yaml.allow_unicode = False
    text = io.StringIO()
    for position, entry in enumerate(entries):
        text.write("\n" if position else "")
        yaml.dump([_fields(entry)], text)
    return text.getvalue()


def _fields(entry: Entry) -> dict[str, Any]:
    ratio = None if entry.pin.ratio is None else CommentedSeq(entry.pin.ratio)
    pin = {**vars(entry.pin), "ratio": ratio}
    outcome = CommentedMap({n: _quoted(v) if isinstance(v, str) else v for n, v in pin.items() if v is not None})
    outcome.fa.set_flow_style()
    fields: dict[str, Any] = {"id": entry.id, "cases": [_quoted(case) for case in entry.cases]}
    for name in ("implementations", "versions", "modes", "dtypes", "aspects"):
        value = getattr(entry, name)
        if isinstance(value, tuple):
            listed = CommentedSeq(_quoted(v) for v in value)
            listed.fa.set_flow_style()
            fields[name] = listed
        elif value:
            fields[name] = _quoted(value)
    if entry.where:
        fields["where"] = {condition.fact: [_quoted(v) for v in condition.values] for condition in entry.where}
    return {**fields, "outcome": outcome, "reason": _quoted(entry.reason), "upstream": _quoted(entry.upstream)}


def _quoted(text: str) -> str:
    """Quoted where it is more than a word, so that no text is taken for a number or for syntax."""
    plain = re.fullmatch("[A-Za-z][A-Za-z_]*[A-Za-z0-9_.]*", text) and isinstance(resolve(text), str)
    return text if plain else DoubleQuotedScalarString(text)


_LINES = re.compile("[^\n\r\x85\u2028\u2029]*(?:\r\n|[\n\r\x85\u2028\u2029])|[^\n\r\x85\u2028\u2029]+")
"""The lines of a text as YAML counts them, each with its end."""


def _text(path: Path) -> str:
    """As it is: reading a file as text would change the ends of its lines."""
    return path.read_bytes().decode("utf-8")


def _spans(text: str, file: str) -> list[tuple[str, range]]:
    """The id of each entry and the lines it takes, without remarks and empty lines before the next one.

    SuiteError where the file cannot be read, or holds an entry that shares a line with another.
    """
    node, problems = read(text, file)
    if problems:
        raise SuiteError(problems)
    if node is None:
        return []
    items = node.entries if isinstance(node, ListNode) else ()
    lines = _LINES.findall(text)
    starts = [item.line for item in items]
    if any(not lines[start - 1].startswith("- ") for start in starts) or not isinstance(node, ListNode):
        what = "entries that cannot be told apart by their lines"
        raise SuiteError([Problem(file, node.line, "", what, "Begin every entry at the start of a line with - id:")])
    spans: list[tuple[str, range]] = []
    for item, start, end in zip(items, starts, [*starts, len(lines) + 1][1:], strict=True):
        last = end - 1
        while last > start and re.match(r"#|\s*$", lines[last - 1]):
            last -= 1
        named = item.entries.get("id") if isinstance(item, MapNode) else None
        spans.append((named.text if isinstance(named, ScalarNode) else "", range(start, last + 1)))
    return spans
