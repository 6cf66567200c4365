"""Families: crossing, labels, exceptions, and every way to write one wrong."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.suite.families import LARGEST_FAMILY, expand, id_safe
from harness.suite.problems import Problem
from harness.suite.reading import ListNode, MapNode, plain, read


def family(text: str) -> tuple[list[dict[str, Any]], list[Problem]]:
    root, problems = read(text, "f.yaml")
    assert not problems
    assert isinstance(root, ListNode)
    entry = root.entries[0]
    assert isinstance(entry, MapNode)
    expanded, problems = expand(entry, "f.yaml", "[0]")
    return [plain(one) for one in expanded], problems


def test_an_entry_without_for_each_is_itself() -> None:
    entries, problems = family("- {id: 'a-{b}', title: $c}\n")
    assert entries == [{"id": "a-{b}", "title": "$c"}]
    assert not problems


def test_parameters_are_crossed_and_values_put_in_place() -> None:
    entries, problems = family(
        """
- id: edges/{size}-{form}
  for_each: {size: [1e+3, -0.0], form: {labels: [0, 1], one-hot: [[1, 0]]}}
  title: "{size} as {form}"
  why: x
  inputs: {logits: [$size, 0], targets: $form}
  tags: ["{form}", fixed]
"""
    )
    assert not problems
    assert [e["id"] for e in entries] == [
        "edges/1e3-labels",
        "edges/1e3-one-hot",
        "edges/-0.0-labels",
        "edges/-0.0-one-hot",
    ]
    assert entries[1]["inputs"] == {"logits": [1000.0, 0], "targets": [[1, 0]]}
    assert entries[0]["title"] == "1e3 as labels"
    assert entries[3]["tags"] == ["one-hot", "fixed"]
    assert all("for_each" not in e for e in entries)


def test_exceptions_drop_combinations() -> None:
    entries, problems = family("- {id: '{a}{b}', for_each: {a: [1, 2], b: [x, y]}, except: [{a: 1, b: x}, {a: 2}]}\n")
    assert not problems
    assert [e["id"] for e in entries] == ["1y"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- {id: a, except: [{a: 1}]}", "except without for_each"),
        ("- {id: a, for_each: []}", "expected parameters"),
        ("- {id: a, for_each: {}}", "expected parameters"),
        ("- {id: a, for_each: {b: []}}", "at least one value"),
        ("- {id: a, for_each: {b: 3}}", "at least one value"),
        ("- {id: a, for_each: {B: [1]}}", "no name for a parameter"),
        ("- {id: '{b}', for_each: {b: [[1], [2]]}}", "not its own label"),
        ("- {id: '{b}', for_each: {b: [1, '1']}}", "two values with the label '1'"),
        ("- {id: '{b}', for_each: {b: {Big: 1, x: 2}}}", "'Big' is no label"),
        ("- {id: 'x', for_each: {b: [1, 2]}}", "does not tell the values of b apart"),
        ("- {id: '{b}', title: '{c}', for_each: {b: [1, 2]}}", "no parameter 'c'"),
        ("- {id: '{b}', loss: $c, for_each: {b: [1, 2]}}", "no parameter 'c'"),
        ("- {id: '{b}', for_each: {b: [1, 2]}, except: [{c: 1}]}", "no parameter 'c'"),
        ("- {id: '{b}', for_each: {b: [1, 2]}, except: [{b: 3}]}", "no value labelled '3'"),
        ("- {id: '{b}', for_each: {b: [1, 2]}, except: {b: 1}}", "expected a list of combinations"),
        ("- {id: '{b}', for_each: {b: [1, 2]}, except: [{b: 1}, {b: 2}]}", "no combination is left"),
        ("- {id: '{b}', for_each: {b: [1, 2]}, except: [{b: 1}, {b: [1]}]}", "no value labelled"),
    ],
)
def test_what_is_refused(text: str, words: str) -> None:
    entries, problems = family(text)
    assert not entries
    assert any(words in problem.message for problem in problems), problems
    assert all(problem.line and problem.field.startswith("[0]") and problem.hint for problem in problems)


def test_a_family_too_large_is_refused_before_it_is_expanded() -> None:
    values = ", ".join(map(str, range(100)))
    entries, problems = family(
        f"- {{id: '{{a}}{{b}}{{c}}', for_each: {{a: [{values}], b: [{values}], c: [{values}]}}}}"
    )
    assert not entries
    assert f"at most {LARGEST_FAMILY}" in problems[0].message


names = st.sampled_from(["a", "b", "size"])
labels = st.text(st.sampled_from("abcxyz0189._"), min_size=1, max_size=6)


@given(st.dictionaries(names, st.lists(labels, min_size=1, max_size=4, unique=True), min_size=1))
def test_a_family_is_the_whole_product(parameters: dict[str, list[str]]) -> None:
    written = "; ".join(f"{{{name}}}" for name in parameters)
    choices = ", ".join(
        f"{name}: {{{', '.join(f'{label!r}: {n}' for n, label in enumerate(values))}}}"
        for name, values in parameters.items()
    )
    used = ", ".join(f"{name}: ${name}" for name in parameters)
    entries, problems = family(f"- {{id: '{written}', for_each: {{{choices}}}, inputs: {{{used}}}}}\n")
    assert not problems
    size = 1
    for values in parameters.values():
        size *= len(values)
    assert len({e["id"] for e in entries}) == len(entries) == size
    for entry in entries:
        chosen = entry["id"].split("; ")
        assert entry["inputs"] == {
            name: values.index(label) for (name, values), label in zip(parameters.items(), chosen, strict=True)
        }


@given(st.text())
def test_labels_made_from_text_are_safe_in_ids(text: str) -> None:
    assert set(id_safe(text)) <= set("abcdefghijklmnopqrstuvwxyz0123456789._-")
