"""Changing the ledger's files: entries are appended and taken out, and every other line stays as a person wrote it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.core.files import write_whole
from harness.core.ledger import Entry
from harness.suite.case_files import files_in
from harness.suite.ledger_files import parse_ledger
from harness.suite.problems import Problem, SuiteError
from harness.suite.reading import ListNode, MapNode, ScalarNode, read
from harness.suite.yaml_writing import yaml_text


def remove_entries(folder: Path, ids: Collection[str]) -> tuple[str, ...]:
    """Take these entries out of the ledger's files, leaving every other line as it is; the ids that were there."""
    removed: list[str] = []
    for path in files_in(folder)[0] if ids else ():
        text = _text(path)
        spans = _spans(text, str(path))
        gone = [id_ for id_, _ in spans if id_ in ids]
        if gone:
            lines = _LINES.findall(text)
            dropped = {n for id_, span in spans if id_ in ids for n in span}
            write_whole(path, "".join(line for n, line in enumerate(lines, start=1) if n not in dropped))
            removed += gone
    return tuple(removed)


def write_since(folder: Path, since: Mapping[str, Mapping[str, str]]) -> None:
    """Say of each entry since when it is so, on a line before its outcome, leaving every other line as it is."""
    for path in files_in(folder)[0]:
        text = _text(path)
        lines = _LINES.findall(text)
        for id_, span in reversed(_spans(text, str(path))):
            entry = [n for n in span if not lines[n - 1].startswith("  since:")]
            place = next((at for at, n in enumerate(entry) if lines[n - 1].startswith("  outcome:")), None)
            said = [lines[n - 1] for n in entry]
            if place is not None and since.get(id_):
                told = ", ".join(f'{name}: "{version}"' for name, version in sorted(since[id_].items()))
                said.insert(place, f"  since: {{{told}}}\n")
            lines[span.start - 1 : span.stop - 1] = said
        if "".join(lines) != text:
            write_whole(path, "".join(lines))


def append_entries(path: Path, entries: Sequence[Entry]) -> Path:
    """Write entries to the end of a ledger file, leaving every line that is there as it is; the path.

    The file is replaced only where the same entries can be read back from it; SuiteError otherwise.
    """
    text = _text(path) if path.is_file() else ""
    if not _spans(text, str(path)):
        text = re.sub(r"(?m)^\[ *\] *$", "", text)  # an empty list, which nothing can follow
    gap = "" if not text.strip() else "\n" if text.endswith("\n") else "\n\n"
    whole = f"{text}{gap}{written(entries)}"
    _spans(whole, str(path))
    read_back, problems = parse_ledger(whole, str(path), drafts=True)
    if problems:
        raise SuiteError(problems)
    if [replace(entry, location="") for entry in read_back[-len(entries) :]] != list(entries):
        what = "no entry can follow what is written here"
        raise SuiteError([Problem(str(path), 1, "", what, "Begin every entry at the start of a line with - id:")])
    write_whole(path, whole)
    return path


def written(entries: Iterable[Entry]) -> str:
    """Entries as a ledger file holds them; whatever their names are made of, `parse_ledger` reads the same again."""
    return "\n".join(yaml_text([_fields(entry)]) for entry in entries)


def _fields(entry: Entry) -> dict[str, Any]:
    fields: dict[str, Any] = {"id": entry.id, "cases": list(entry.cases)}
    for name in ("implementations", "versions", "modes", "dtypes", "aspects", "beyond"):
        value = getattr(entry, name)
        if value:
            fields[name] = list(value) if isinstance(value, tuple) else value
    if entry.where:
        fields["where"] = {condition.fact: list(condition.values) for condition in entry.where}
    if entry.seen:
        fields["seen"] = entry.seen
    if entry.since:
        fields["since"] = dict(entry.since)
    ratio = None if entry.pin.ratio is None else list(entry.pin.ratio)
    outcome = {name: value for name, value in {**vars(entry.pin), "ratio": ratio}.items() if value is not None}
    return {**fields, "outcome": outcome, "reason": entry.reason, "upstream": entry.upstream}


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
