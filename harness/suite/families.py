"""Families: one written entry with `for_each` becomes one entry per combination of its parameters.

    - id: edges/extreme-{loss}-{size}
      for_each: {loss: [softmax, log_softmax], size: {huge: 1e300, large: 1e4}}
      except: [{loss: softmax, size: huge}]
      loss: $loss
      inputs: {logits: [[$size, 0.0]]}

A scalar that is exactly `$name` becomes the parameter's value, whatever YAML value that is. `{name}` inside id, title,
why and tags becomes its label: the name of the value in a map, or the value's own text in a list.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from harness.suite.problems import Problem, suggestion
from harness.suite.reading import ListNode, MapNode, Node, ScalarNode

LARGEST_FAMILY = 2000
"""Cases one entry may become. The largest useful family so far has a few hundred; more is a crossing too many."""

LARGEST_EXPANSION = 10**5
"""Scalars that the cases of one entry may have together, two hundred times what any has: a list
that is written once would fill the memory when it stands in two thousand cases."""

_PARAMETER = re.compile(r"\$([a-z_][a-z0-9_]*)")
_PLACEHOLDER = re.compile(r"\{([a-z_][a-z0-9_]*)\}")
_NAME = re.compile(r"[a-z_][a-z0-9_]*")
_LABEL = re.compile(r"[a-z0-9._-]+")
LABELLED_FIELDS = ("id", "title", "why", "tags")


@dataclass(frozen=True)
class Choice:
    """One value of one parameter."""

    label: str
    node: Node


def expand(entry: MapNode, file: str, field: str) -> tuple[list[MapNode], list[Problem]]:
    """The entries a written entry stands for, in the order of its parameters; or none, and what is wrong."""
    if "for_each" not in entry.entries:
        if "except" in entry.entries:
            hint = "Remove it, or add for_each"
            line = entry.lines["except"]
            return [], [Problem(file, line, f"{field}.except", "except without for_each", hint)]
        return [entry], []
    problems: list[Problem] = []
    choices = _choices(entry, file, f"{field}.for_each", problems)
    exclusions = _exclusions(entry, choices, file, f"{field}.except", problems)
    if problems:
        return [], problems
    count = math.prod(len(c) for c in choices.values())
    if count > LARGEST_FAMILY:
        what = f"{count} combinations, at most {LARGEST_FAMILY}"
        return [], [Problem(file, entry.lines["for_each"], f"{field}.for_each", what, "Cross fewer parameters")]
    size = sum(1 for node in entry.entries.values() for _ in _scalars(node))
    if count * size > LARGEST_EXPANSION:
        what = f"{count} cases of up to {size} numbers and texts, at most {LARGEST_EXPANSION} in all"
        hint = "Cross fewer parameters, or use a generator"
        return [], [Problem(file, entry.lines["for_each"], f"{field}.for_each", what, hint)]
    body = {name: node for name, node in entry.entries.items() if name not in ("for_each", "except")}
    _check_names(body, entry, choices, file, field, problems)
    if problems:
        return [], problems
    unused = set(range(len(exclusions)))
    expanded: list[MapNode] = []
    for combination in itertools.product(*choices.values()):
        chosen = dict(zip(choices, combination, strict=True))
        hits = {
            n
            for n, exclusion in enumerate(exclusions)
            if all(chosen[name].label == label for name, label in exclusion.items())
        }
        unused -= hits
        if not hits:
            filled = {
                name: _filled(_substituted(node, chosen), chosen)
                if name in LABELLED_FIELDS
                else _substituted(node, chosen)
                for name, node in body.items()
            }
            expanded.append(MapNode(filled, entry.lines, entry.line))
    for n in sorted(unused):
        line = entry.lines["except"]
        problems.append(
            Problem(file, line, f"{field}.except[{n}]", "this exception excludes no combination", "Remove or mend it")
        )
    if not expanded and not problems:
        problems.append(
            Problem(file, entry.lines["for_each"], f"{field}.for_each", "no combination is left", "Add values")
        )
    return ([], problems) if problems else (expanded, [])


def _choices(entry: MapNode, file: str, field: str, problems: list[Problem]) -> dict[str, list[Choice]]:
    node = entry.entries["for_each"]
    if not isinstance(node, MapNode) or not node.entries:
        hint = "Write for_each: {name: [values]} or {name: {label: value}}"
        problems.append(Problem(file, entry.lines["for_each"], field, "expected parameters with their values", hint))
        return {}
    choices: dict[str, list[Choice]] = {}
    for name, values in node.entries.items():
        where, line = f"{field}.{name}", node.lines[name]
        if isinstance(values, ListNode | MapNode) and len(values.entries) > LARGEST_FAMILY:
            what = f"{len(values.entries)} values, at most {LARGEST_FAMILY}"
            problems.append(Problem(file, line, where, what, "Write fewer"))
            continue
        if not _NAME.fullmatch(name):
            hint = "Use lower-case letters, digits and underscores"
            problems.append(Problem(file, line, where, f"{name!r} is no name for a parameter", hint))
        match values:
            case ListNode(entries=listed) if listed:
                choices[name] = [_labelled(value, file, f"{where}[{n}]", problems) for n, value in enumerate(listed)]
            case MapNode(entries=named) if named:
                choices[name] = [Choice(label, value) for label, value in named.items()]
            case _:
                hint = "Write [value, value] or {label: value}"
                problems.append(Problem(file, line, where, "expected at least one value", hint))
                continue
        labels = [choice.label for choice in choices[name]]
        for label in sorted({text for text in labels if labels.count(text) > 1}):
            hint = "Name the values: {label: value}"
            problems.append(Problem(file, line, where, f"two values with the label {label!r}", hint))
        for label in labels:
            if not _LABEL.fullmatch(label):
                hint = "Labels consist of a-z, 0-9, dot, underscore and hyphen"
                problems.append(Problem(file, line, where, f"{label!r} is no label", hint))
    return choices


def _labelled(node: Node, file: str, field: str, problems: list[Problem]) -> Choice:
    if not isinstance(node, ScalarNode):
        hint = "Name the values: {label: value}"
        problems.append(Problem(file, node.line, field, "a list or a map is not its own label", hint))
        return Choice("unnamed", node)
    return Choice(id_safe(node.text), node)


def id_safe(text: str) -> str:
    """The text of a scalar as a part of an id: 1e+300 becomes 1e300, "Two words" becomes two-words."""
    return re.sub(r"[^a-z0-9._-]+", "-", text.lower().replace("+", "")).strip("-" if not text.startswith("-") else "")


def _exclusions(
    entry: MapNode, choices: Mapping[str, list[Choice]], file: str, field: str, problems: list[Problem]
) -> list[dict[str, str]]:
    node = entry.entries.get("except")
    if node is None:
        return []
    if not isinstance(node, ListNode) or not all(isinstance(e, MapNode) and e.entries for e in node.entries):
        hint = "Write except: [{name: label}]"
        problems.append(Problem(file, entry.lines["except"], field, "expected a list of combinations", hint))
        return []
    exclusions: list[dict[str, str]] = []
    for n, written in enumerate(node.entries):
        assert isinstance(written, MapNode)
        exclusion: dict[str, str] = {}
        for name, value in written.entries.items():
            where, line = f"{field}[{n}].{name}", written.lines[name]
            if name not in choices:
                problems.append(Problem(file, line, where, f"no parameter {name!r}", suggestion(name, choices)))
                continue
            labels = [choice.label for choice in choices[name]]
            label = id_safe(value.text) if isinstance(value, ScalarNode) else ""
            if label not in labels:
                problems.append(
                    Problem(file, line, where, f"{name} has no value labelled {label!r}", suggestion(label, labels))
                )
            exclusion[name] = label
        exclusions.append(exclusion)
    return exclusions


def _check_names(
    body: Mapping[str, Node],
    entry: MapNode,
    choices: Mapping[str, list[Choice]],
    file: str,
    field: str,
    problems: list[Problem],
) -> None:
    """Every $name and {name} is a parameter, and every parameter tells the ids apart."""
    for top, node in body.items():
        for scalar in _scalars(node):
            names = [match[1]] if (match := _PARAMETER.fullmatch(scalar.text)) else []
            if top in LABELLED_FIELDS:
                names += _PLACEHOLDER.findall(scalar.text)
            problems.extend(
                Problem(file, scalar.line, f"{field}.{top}", f"no parameter {name!r}", suggestion(name, choices))
                for name in names
                if name not in choices
            )
    id_node = body.get("id")
    placed = set(_PLACEHOLDER.findall(id_node.text)) if isinstance(id_node, ScalarNode) else set(choices)
    for name, values in choices.items():
        if len(values) > 1 and name not in placed:
            hint = f"Put {{{name}}} into the id"
            what = f"the id does not tell the values of {name} apart"
            problems.append(Problem(file, entry.lines.get("id", entry.line), f"{field}.id", what, hint))


def _scalars(node: Node) -> Iterator[ScalarNode]:
    match node:
        case ScalarNode():
            yield node
        case ListNode(entries=entries):
            for inner in entries:
                yield from _scalars(inner)
        case MapNode(entries=named):
            for inner in named.values():
                yield from _scalars(inner)


def _substituted(node: Node, chosen: Mapping[str, Choice]) -> Node:
    """The node with every scalar `$name` replaced by the parameter's value."""
    match node:
        case ScalarNode(text=text):
            match = _PARAMETER.fullmatch(text)
            return chosen[match[1]].node if match else node
        case ListNode(entries=entries, line=line):
            return ListNode(tuple(_substituted(entry, chosen) for entry in entries), line)
        case MapNode(entries=named, lines=lines, line=line):
            return MapNode({name: _substituted(entry, chosen) for name, entry in named.items()}, lines, line)


def _filled(node: Node, chosen: Mapping[str, Choice]) -> Node:
    """The node with every `{name}` inside its strings replaced by the parameter's label."""
    match node:
        case ScalarNode(value=str(value), line=line):
            text = _PLACEHOLDER.sub(lambda match: chosen[match[1]].label, value)
            return ScalarNode(text, text, line)
        case ListNode(entries=entries, line=line):
            return ListNode(tuple(_filled(entry, chosen) for entry in entries), line)
        case _:
            return node
