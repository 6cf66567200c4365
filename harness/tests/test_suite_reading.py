"""Reading YAML: numbers as cases write them, lines, and every trick YAML knows refused with a clear error."""

from __future__ import annotations

import math
import struct
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from harness.core.yaml_scalars import decimals, resolve
from harness.suite.loading import find_cases_directory
from harness.suite.reading import DEEPEST, PARSER, ListNode, MapNode, Node, ScalarNode, line_at, plain, read
from harness.suite.yaml_writing import yaml_text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-7", 1e-7),
        ("1e300", 1e300),
        ("0x1.8p+1", 3.0),
        ("-0x1p-1074", -5e-324),
        ("0x10", 16),
        ("0o17", 15),
        ("-inf", -math.inf),
        ("+.inf", math.inf),
        (".5", 0.5),
        ("5.", 5.0),
        ("017", 17),
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("1e999", "1e999"),
        ("1e-999", "1e-999"),
        ("0e5", 0.0),
        ("0x1p99999", "0x1p99999"),
        ("0x1p-2000", "0x1p-2000"),
        ("null", None),
        ("", None),
        ("true", True),
        ("9" * 5000, "9" * 5000),
        ("9" * 308, 10**308 - 1),
        ("9" * 350, "9" * 350),
        ("-" + "9" * 350, "-" + "9" * 350),
        ("0x" + "f" * 300, "0x" + "f" * 300),
        ("0o" + "7" * 390, "0o" + "7" * 390),
        ("\u0661\u0662", "\u0661\u0662"),
    ],
)
def test_plain_scalars(text: str, value: object) -> None:
    assert resolve(text) == value
    assert type(resolve(text)) is type(value)


@pytest.mark.parametrize("text", ["nan", ".nan", "NaN", ".NAN"])
def test_nan(text: str) -> None:
    value = resolve(text)
    assert isinstance(value, float)
    assert math.isnan(value)


@pytest.mark.parametrize("text", ["-0.0", "-0", "-0e0", "-0x0p0"])
def test_the_sign_of_zero_is_kept(text: str) -> None:
    value = resolve(text)
    assert isinstance(value, float)
    assert math.copysign(1.0, value) == -1.0


@given(st.floats(allow_nan=False))
def test_every_float_is_read_back_from_its_own_text(value: float) -> None:
    for text in (repr(value), value.hex()):
        read_back = resolve(text)
        assert isinstance(read_back, float)
        assert struct.pack("<d", read_back) == struct.pack("<d", value)


@given(st.integers())
def test_every_integer_is_read_back(value: int) -> None:
    assert resolve(str(value)) == value


def test_printed_digits() -> None:
    assert [decimals(t) for t in ("0.0391", "3", "1.50", "2.5e-3")] == [4, 0, 2, 1]


def test_nodes_know_their_lines() -> None:
    node, problems = read("- a: 1\n  b:\n    - [1,\n       2]\n- c: x\n", "f.yaml")
    assert not problems
    assert node is not None
    assert plain(node) == [{"a": 1, "b": [[1, 2]]}, {"c": "x"}]
    assert line_at(node, (0, "b")) == 2
    assert line_at(node, (0, "b", 0, 1)) == 4
    assert line_at(node, (1, "c")) == 5
    assert line_at(node, (1, "d", "e")) == 5


def test_quoted_scalars_are_text() -> None:
    node, _ = read("[\"1\", 'nan', 1, nan_]", "f")
    assert isinstance(node, ListNode)
    assert plain(node) == ["1", "nan", 1, "nan_"]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\n\tb: 2\n", 2, "a tab indents"),
        ("a: !!python/object/apply:os.system [echo]\n", 1, "a tag"),
        ("a: !x 1\n", 1, "a tag"),
        ("a: &x [1]\nb: *x\n", 1, "an anchor"),
        ("a: *x\n", 1, "alias"),
        ("a: !!str 1\n", 1, "a tag"),
        ("\ufeffa: 1\nb: !x 1\n", 2, "a tag"),
        ("[" * 9999 + "]" * 9999, 1, f"more than {DEEPEST} levels"),
        ("a: \ud800\n", 1, "half a character"),
        ("a: 1\nb: 2\na: 3\n", 3, "'a' a second time"),
        ("a: {b: 1, b: 2}\n", 1, "'b' a second time"),
        ("---\na\n---\nb\n", 3, "another document"),
        ("? [1]\n: 2\n", 1, "a key that is a list"),
        ("a: [1, 2\nb: 3\n", 2, "not YAML"),
        ("a: b: c\n", 1, "not YAML"),
        ("x\n\x00", 2, "not YAML"),
        ("[" * 100 + "]" * 100, 1, f"more than {DEEPEST} levels"),
        ("%YAML 7.7\n---\na\n", 1, "not YAML"),
    ],
)
def test_what_is_refused(text: str, line: int, words: str) -> None:
    node, problems = read(text, "f.yaml")
    assert node is None
    assert len(problems) == 1
    assert problems[0].file == "f.yaml"
    assert problems[0].line == line
    assert words in problems[0].message
    assert problems[0].hint


@pytest.mark.parametrize("loader", [PARSER, yaml.SafeLoader])
@pytest.mark.parametrize("name", ["documents/d4.yaml", "invalid/labels.yaml", "ledger/onnx.yaml"])
def test_both_parsers_see_what_a_reader_of_yaml_1_2_sees(name: str, loader: type) -> None:
    """Down to the lines; ruamel is an implementation of its own."""
    text = (find_cases_directory() / name).read_text(encoding="utf-8")
    node, problems = read(text, name, loader)
    assert node is not None
    assert problems == []
    assert_same(node, YAML(typ="safe", pure=True).compose(text))


def assert_same(node: Node, expected: Any) -> None:
    assert node.line == expected.start_mark.line + 1
    match node:
        case ScalarNode(text=text):
            assert text == expected.value
        case ListNode(entries=entries):
            for ours, theirs in zip(entries, expected.value, strict=True):
                assert_same(ours, theirs)
        case MapNode(entries=named, lines=lines):
            assert {key.value: key.start_mark.line + 1 for key, _ in expected.value} == lines
            for ours, (_, theirs) in zip(named.values(), expected.value, strict=True):
                assert_same(ours, theirs)


def test_a_bomb_of_aliases_is_refused_at_its_first_anchor() -> None:
    text = "a: &a [x, x]\n" + "".join(f"{b}: &{b} [*{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True))
    _, problems = read(text, "f")
    assert [p.line for p in problems] == [1]


def test_every_tab_and_every_duplicate_is_listed() -> None:
    assert [p.line for p in read("a:\n\tb: 1\n\tc: 2\n", "f")[1]] == [2, 3]
    assert len(read("a: 1\na: 2\nb: {c: 1, c: 2}\n", "f")[1]) == 2


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=8,
    )
)
def test_every_value_is_read_back_from_its_yaml(value: object) -> None:
    node, problems = read(yaml_text(value, width=20), "f")
    assert problems == []
    assert node is not None
    assert repr(plain(node)) == repr(value)


@given(st.text())
def test_any_text_is_a_tree_or_a_problem(text: str) -> None:
    node, problems = read(text, "f")
    assert node is None or not problems


@given(st.lists(st.sampled_from(list("-:[]{},&*!|>'\"%@`#?\n \tab01.")), max_size=40).map("".join))
def test_any_yaml_like_text_is_a_tree_or_a_problem(text: str) -> None:
    node, problems = read(text, "f")
    assert node is None or not problems
    assert node is None or isinstance(plain(node), (dict, list)) == isinstance(node, (MapNode, ListNode))
