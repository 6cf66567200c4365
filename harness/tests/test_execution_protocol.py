"""The messages: what goes in comes out, and nothing that is not the protocol gets through as if it were."""

from __future__ import annotations

import json
import math
import os
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from harness.adapters.base import Description
from harness.adapters.registry import resolve
from harness.core.arrays import Array
from harness.core.case import ArraySpec
from harness.core.formats import FORMATS
from harness.core.outcomes import Crashed, Missing, Outcome, Raised, Refused, Returned
from harness.execution import protocol
from harness.execution.leftovers import Leftovers
from harness.execution.pool import WorkerPool
from harness.execution.process import WorkerProcess
from harness.tests.pools import PLENTY, plan

SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)


@st.composite
def arrays(draw: st.DrawFn) -> Array:
    name = draw(st.sampled_from(protocol.DTYPES))
    storage = np.dtype(FORMATS[name].storage if name in FORMATS else name)
    return Array(name, draw(hnp.arrays(storage, SHAPES)))


PLAIN = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats() | st.text(max_size=5)
RAISED = st.builds(Raised, st.text(), st.text())
RETURNED = st.builds(
    Returned,
    value=arrays(),
    function=st.text(),
    gradients=st.dictionaries(st.text(), arrays(), max_size=2),
    gradient_error=st.none() | RAISED,
    convention=st.none() | st.dictionaries(st.text(), PLAIN, max_size=3),
    computed_with=st.dictionaries(st.text(), st.text(), max_size=2),
    warnings=st.lists(st.text(), max_size=2).map(tuple),
    seconds=st.floats(0, 1e6),
)
OUTCOMES = RETURNED | RAISED | st.builds(Refused, st.text()) | st.builds(Missing, st.text())
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def comparable(value: Any) -> Any:
    """With arrays as bits and nan equal to itself."""
    if isinstance(value, Array):
        return value.dtype, value.shape, np.ascontiguousarray(value.storage).tobytes()
    if isinstance(value, float) and math.isnan(value):
        return "nan"
    if isinstance(value, dict):
        return {name: comparable(entry) for name, entry in value.items()}
    if isinstance(value, Returned | Raised | Refused | Missing):
        return type(value), comparable(vars(value))
    return value


def sent(message: dict[str, Any]) -> dict[str, Any]:
    return protocol.parse(protocol.line(message)[:-1])


@given(OUTCOMES)
def test_an_outcome_survives_the_pipe(outcome: Outcome) -> None:
    message = sent({"id": 3, **protocol.outcome_to_wire(outcome)})
    assert comparable(protocol.answer_from_wire(message, 3)) == comparable(outcome)


@given(OUTCOMES)
def test_a_message_is_one_line_of_ascii(outcome: Outcome) -> None:
    raw = protocol.line({"id": 3, **protocol.outcome_to_wire(outcome)})
    assert raw.isascii()
    assert raw.count(b"\n") == 1
    assert raw.endswith(b"\n")


@given(arrays(), st.dictionaries(st.text(), PLAIN | arrays(), max_size=3), st.none() | arrays())
def test_a_request_survives_the_pipe(logits: Array, options: dict[str, Any], cotangent: Array | None) -> None:
    request = protocol.Request("softmax", "float32", {"logits": logits}, options, ("logits",), cotangent)
    raw = protocol.addressed(protocol.line(protocol.request_to_wire(request)), 7, "graph")
    message = protocol.parse(raw[:-1])
    assert message["id"] == 7
    call = protocol.call_from_wire(message)
    assert (call.loss, call.dtype, call.mode, call.differentiate) == ("softmax", "float32", "graph", ("logits",))
    assert comparable(dict(call.inputs)) == {"logits": comparable(logits)}
    assert comparable(dict(call.options)) == comparable(options)
    assert comparable(call.cotangent) == comparable(cotangent)


def test_a_spec_becomes_an_array_where_the_request_is_read() -> None:
    spec = ArraySpec(((1.0, 2.0), (3.0, math.inf)), layout="transposed")
    request = protocol.Request("softmax", "bfloat16", {"logits": spec}, {"class_weights": ArraySpec((1, 2))})
    call = protocol.call_from_wire({**sent(protocol.request_to_wire(request)), "mode": "eager"})
    logits = call.inputs["logits"]
    assert logits.dtype == "bfloat16"
    assert logits.to_float64().tolist() == [[1.0, 2.0], [3.0, math.inf]]
    assert logits.storage.flags.f_contiguous
    assert not logits.storage.flags.c_contiguous
    assert call.options["class_weights"].storage.tolist() == [1, 2]


def test_a_description_survives_the_pipe() -> None:
    description = Description(
        "1.0",
        ("softmax",),
        ("graph", "eager"),
        ("float16",),
        False,
        True,
        {"a": "1"},
        "tpu",
        4,
        {"flag": "on"},
        {},
        {"eager": ("softmax",)},
        {"eager": "composed"},
    )
    assert protocol.description_from_wire(sent({"id": 0, **protocol.description_to_wire(description)})) == description


def test_a_program_needs_to_say_little_of_itself() -> None:
    said = {"kind": "description", "id": 0, "version": "1", "losses": ["softmax"]}
    expected = Description(version="1", losses=("softmax",), dtypes=("float64", "float32"))
    assert protocol.description_from_wire(said) == expected


@given(st.binary())
def test_no_bytes_but_an_object_are_a_message(raw: bytes) -> None:
    try:
        message = protocol.parse(raw)
    except protocol.ProtocolError:
        return
    assert isinstance(message, dict)


@pytest.mark.parametrize("raw", [b"", b"null", b"[1]", b'{"a":NaN}', b'{"a":-Infinity}', b"[" * 100_000, b"\xff{}"])
def test_what_is_no_message_is_refused(raw: bytes) -> None:
    with pytest.raises(protocol.ProtocolError, match=r"not JSON|not an object"):
        protocol.parse(raw)


@given(
    st.dictionaries(
        st.sampled_from(["value", "gradients", "gradient_error", "convention", "computed_with", "warnings", "seconds"]),
        JSON | st.fixed_dictionaries({"dtype": JSON, "shape": JSON, "data": JSON}),
    ),
    st.sampled_from(["value", "raises", "unsupported", "missing", "other", None]),
)
def test_a_garbled_answer_is_a_violation_and_nothing_else(parts: dict[str, Any], outcome: Any) -> None:
    message = {"kind": "outcome", "id": 1, "outcome": outcome, "function": "f", **parts}
    try:
        answer = protocol.answer_from_wire(message, 1)
    except protocol.ProtocolError:
        return
    assert isinstance(answer, Returned)


@given(st.dictionaries(st.sampled_from(["version", "losses", "modes", "dtypes", "versions", "threads", "flags"]), JSON))
def test_a_garbled_description_is_a_violation_and_nothing_else(parts: dict[str, Any]) -> None:
    try:
        description = protocol.description_from_wire({"kind": "description", "id": 0, **parts})
    except protocol.ProtocolError:
        return
    assert isinstance(description, Description)


ONE = {"dtype": "float64", "shape": [1], "data": "AAAAAAAA8D8="}


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ({"id": 2}, "an answer to request 2, expected one to 1"),
        ({"kind": "description"}, "expected an outcome, got a message of kind 'description'"),
        ({"outcome": "maybe"}, "unknown outcome 'maybe'; known: value, raises, unsupported, missing"),
        ({"function": None}, "function is a text"),
        ({"seconds": -1}, "seconds are a number"),
        ({"seconds": True}, "seconds are a number"),
        ({"value": {**ONE, "dtype": "object"}}, "no array on the wire has the dtype 'object'"),
        ({"value": {**ONE, "dtype": ["float64"]}}, "no array on the wire has the dtype"),
        ({"value": {**ONE, "shape": [-1]}}, "a shape is a list of whole numbers"),
        ({"value": {**ONE, "shape": [2]}}, "not an array on the wire"),
        ({"value": {**ONE, "shape": [1] * 33}}, "an array has at most 32 axes, got 33"),
        ({"value": {"dtype": "int8", "shape": [0, 2**62], "data": ""}}, "no line holds an array of shape [0, "),
        ({"value": {**ONE, "data": "AAAA"}}, "not an array on the wire"),
        ({"value": {**ONE, "data": "é"}}, "not an array on the wire"),
        ({"gradients": [ONE]}, "gradients is an object or absent"),
        ({"gradients": {"logits": 1}}, "expected an array, got int"),
        ({"gradient_error": {"type": "E"}}, "message is a text"),
        ({"convention": {"clip": {"number": "big"}}}, "expected a number, a text or a list"),
        ({"warnings": "none"}, "warnings are a list of texts"),
        ({"convention": {"base": 2**64}}, "a whole number has 64 bits at most"),
    ],
)
def test_a_violation_says_what_was_expected(parts: dict[str, Any], why: str) -> None:
    good = {"kind": "outcome", "id": 1, "outcome": "value", "function": "f", "value": ONE}
    assert isinstance(protocol.answer_from_wire(good, 1), Returned)
    with pytest.raises(protocol.ProtocolError, match=re.escape(why)):
        protocol.answer_from_wire({**good, **parts}, 1)


def checked(message: dict[str, Any]) -> None:
    """What is done with the first answer of a worker."""
    described = protocol.description_from_wire(message)
    assert isinstance(described, Description)
    protocol.check_losses(described)


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ({"losses": []}, "losses names at least one"),
        ({"losses": ["softmax", "softmax"]}, "each once"),
        ({"losses": "softmax"}, "losses is a list of names"),
        ({"losses": ["sofmax"]}, "there is no loss 'sofmax'. Did you mean softmax?"),
        ({"dtypes": []}, "dtypes names at least one"),
        ({"dtypes": ["flaot32"]}, "there is no dtype 'flaot32'. Did you mean float32?"),
        ({"modes": []}, "modes names at least one"),
        ({"modes": [""]}, "no mode can have the name ''"),
        ({"modes": ["all"]}, "no mode can have the name 'all'"),
        ({"modes": ["a,b"]}, "no mode can have the name 'a,b'"),
        ({"modes": ["eager\nimport os"]}, "no mode can have the name"),
        ({"modes": ["a", "b"], "mode_losses": ["b"]}, "mode_losses is an object"),
        ({"modes": ["a", "b"], "mode_losses": {"a": ["softmax"]}}, "'a' is none of the modes after the first"),
        ({"modes": ["a", "b"], "mode_losses": {"b": ["entropy"]}}, "there is no offered loss 'entropy'"),
        ({"gradients": "false"}, "gradients is true or false"),
        ({"flush_to_zero": 0}, "flush_to_zero is true or false"),
        ({"threads": -1}, "threads is a whole number"),
        ({"threads": 10**400}, "threads is a whole number"),
        ({"device": 3}, "device is a text"),
        ({"flags": {str(n): "" for n in range(10_000)}}, "flags has 10000 entries"),
    ],
)
def test_a_description_of_what_nobody_could_be_asked_for_is_a_violation(parts: dict[str, Any], why: str) -> None:
    message = {"kind": "description", "id": 0, "version": "1", "losses": ["softmax"], **parts}
    with pytest.raises(protocol.ProtocolError, match=re.escape(why)) as caught:
        checked(message)
    assert len(str(caught.value)) < 400


def test_a_text_without_end_is_cut() -> None:
    message = {"kind": "outcome", "id": 1, "outcome": "raises", "type": "E", "message": "x" * 10**7}
    answer = protocol.answer_from_wire(message, 1)
    assert isinstance(answer, Raised)
    assert len(answer.message) == protocol.LONGEST_TEXT + 1


def test_what_happens_to_a_worker_is_no_message() -> None:
    with pytest.raises(TypeError, match="happens to a worker"):
        protocol.outcome_to_wire(Crashed("SIGABRT"))


# --- the document ----------------------------------------------------------------------------------------------------


def block(language: str) -> str:
    """The one block of this language in docs/protocol.md."""
    text = (Path(__file__).resolve().parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return str(found)


@pytest.fixture
def program(tmp_path: Path) -> list[str]:
    """The program of docs/protocol.md."""
    path = tmp_path / "program.py"
    path.write_text(block("python"), encoding="utf-8")
    return [sys.executable, str(path)]


def test_the_documented_conversation_takes_place(program: list[str]) -> None:
    lines = block("transcript").splitlines()
    assert [text[:2] for text in lines] == ["> ", "< "] * 5
    with Leftovers() as leftovers:
        process = WorkerProcess(program, os.environ, leftovers)
        for asked, answered in zip(lines[::2], lines[1::2], strict=True):
            process.send(asked[2:].encode() + b"\n")
            assert process.receive(PLENTY) == json.loads(answered[2:])
        process.stop()


def test_the_documented_requests_are_what_is_sent() -> None:
    describe, call = [json.loads(text[2:]) for text in block("transcript").splitlines() if text.startswith("> ")][:2]
    assert json.loads(protocol.describe_request()) == describe
    logits = Array.of([[1.5, 1.5]])
    request = protocol.request_to_wire(protocol.Request("softmax", "float64", {"logits": logits}))
    assert json.loads(protocol.addressed(protocol.line(request), 1, "eager")) == call


def test_the_documented_program_is_an_implementation(program: list[str]) -> None:
    name = f"command:{shlex.join(program)}"
    with WorkerPool([resolve(name)], timeout=PLENTY, parallel=1) as pool:
        descriptions, absent = pool.start()
        assert not absent
        assert descriptions[name].version == "1.0"
        ((_, outcome),) = pool.ask({name: plan(name, (2.0,))})
    assert isinstance(outcome, Returned)
    assert outcome.value.to_float64().tolist() == [[0.5, 0.5]]
