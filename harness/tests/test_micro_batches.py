"""Micro-batches: how a batch is cut, and that the mistakes of the ways to call are right about a whole batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from harness.adapters.base import Array, Call, Unsupported
from harness.adapters.micro_batches import MODE, TAG, MicroBatches, divisor, micro_batches
from harness.adapters.numpy import NumPy
from harness.mistakes import MUTANTS, WAYS, adapter
from harness.mistakes.kill_matrix import SOUND, killed_by
from harness.mistakes.sound import TAGS, Sound
from harness.tests.shipped import shipped_cases

CASES = tuple(case for case in shipped_cases() if {*TAGS.values()} & {*case.tags})
LABELS = [2, -100, -100, 1, -100, 0, 2]


def call(labels: list[int], **options: Any) -> Call:
    logits = np.linspace(-2, 3, 5 * len(labels)).reshape(-1, 5) ** 2
    inputs = {"logits": Array.of(logits, "float64"), "targets": Array.of(labels, "int64")}
    given = {"reduction": "mean", "ignore_index": -100, **options}
    return Call("softmax_cross_entropy", inputs, given, "float64", MODE, ("logits",))


def test_micro_batches_are_unequal_and_all_divide_by_what_the_batch_divides_by() -> None:
    parts = micro_batches(call(LABELS))
    assert [part.inputs["logits"].shape[0] for part in parts] == [1, 2, 4]
    assert {part.options["denominator"] for part in parts} == {4.0}
    assert [part.inputs["targets"].storage.tolist() for part in parts] == [[2], [-100, -100], [1, -100, 0, 2]]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, 4.0),
        ({"denominator": "count"}, 7.0),
        ({"denominator": 23}, 23.0),
        ({"class_weights": Array.of([1, 10, 100, 1000, 10000], "float64")}, 211.0),
    ],
)
def test_what_a_whole_batch_divides_by(options: dict[str, Any], expected: float) -> None:
    assert divisor(call(LABELS, **options)) == expected


@given(st.lists(st.sampled_from([-100, 0, 1, 2, 3, 4]), min_size=2, max_size=9), st.sampled_from(["sum", "mean"]))
def test_accumulated_is_the_whole_batch(labels: list[int], reduction: str) -> None:
    assume(reduction == "sum" or max(labels) >= 0)
    asked = call(labels, reduction=reduction)
    found, whole = MicroBatches(NumPy()).evaluate(asked), NumPy().evaluate(asked)
    np.testing.assert_allclose(found.value.to_float64(), whole.value.to_float64(), rtol=1e-14)
    np.testing.assert_allclose(
        found.gradients["logits"].to_float64(), whole.gradients["logits"].to_float64(), rtol=1e-14, atol=1e-300
    )


@pytest.mark.parametrize(
    ("labels", "options"), [(LABELS, {"reduction": "none"}), (LABELS, {"axis": 0}), ([-100, -100], {})]
)
def test_what_is_not_accumulated_says_so(labels: list[int], options: dict[str, Any]) -> None:
    with pytest.raises(Unsupported):
        MicroBatches(NumPy()).evaluate(call(labels, **options))


def test_the_mode_is_asked_of_its_cases_alone() -> None:
    described = MicroBatches(NumPy()).describe()
    assert described.modes_of("softmax_cross_entropy") == ("eager",)
    assert described.modes_of("softmax_cross_entropy", (TAG,)) == ("eager", MODE)


WRONG = [name for name, mutant in MUTANTS.items() if mutant.kind == WAYS]


@pytest.fixture(scope="module")
def caught() -> frozenset[str]:
    """Whom one of the cases catches, each of which is asked of those that no case before it caught."""
    found: frozenset[str] = frozenset()
    for case in CASES:
        found |= {*killed_by(case, [name for name in WRONG if name not in found])}
    return found


def test_sound_is_right_in_every_way(caught: frozenset[str]) -> None:
    assert SOUND not in caught


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_in_a_way_is_caught_there_and_right_about_a_whole_batch(
    name: str, caught: frozenset[str]
) -> None:
    assert name in caught
    asked = call(LABELS)
    if asked.loss in MUTANTS[name].losses:
        whole = Call(asked.loss, asked.inputs, asked.options, asked.dtype, "eager", asked.differentiate)
        found, right = adapter(name).evaluate(whole), Sound().evaluate(whole)
        assert found.value.storage.tobytes() == right.value.storage.tobytes()
        assert found.gradients["logits"].storage.tobytes() == right.gradients["logits"].storage.tobytes()
