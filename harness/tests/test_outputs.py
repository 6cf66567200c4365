"""What a call returns beside its value: judged like it, refused where nothing is returned."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.adapters.base import Answer, Array, Call, Description
from harness.adapters.functions import torch_function
from harness.core.cell import Cell
from harness.core.outputs import OUTPUTS, call_of
from harness.judgement.truth import TruthTable
from harness.mistakes import BESIDE, MUTANTS, adapter
from harness.mistakes.kill_matrix import killed_by
from harness.mistakes.sound import Sound
from harness.runs.plan import Scope, questions
from harness.suite.calls import call_of as call_of_case
from harness.suite.selection import load_selection

CASES = load_selection(["options/*-returns-*"]).cases
WRONG = [name for name, mutant in MUTANTS.items() if mutant.kind == BESIDE]
LOGITS = [[1.0, 2.0, 3.0], [0.0, -1.0, 0.5], [4.0, 0.0, -2.0]]


def call(output: str, labels: list[int], **options: Any) -> Call:
    inputs = {"logits": Array.of(LOGITS, "float64"), "targets": Array.of(labels, "int64")}
    given = {"reduction": "mean", "z_loss": 0.25, "ignore_index": -1, **options}
    return Call("softmax_cross_entropy", inputs, given, "float64", outputs=(output,))


@given(st.lists(st.integers(-1, 2), min_size=3, max_size=3), st.sampled_from(["none", "sum", "mean"]))
def test_the_z_loss_is_the_share_that_it_has_in_the_value(labels: list[int], reduction: str) -> None:
    asked = call("z_loss", labels, reduction=reduction)
    bare = {name: value for name, value in asked.options.items() if name != "z_loss"}
    of = [TruthTable(replace(asked, options=o, outputs=())).under().targets["value"].hi for o in (asked.options, bare)]
    found = TruthTable(asked).under().targets["z_loss"].hi
    np.testing.assert_allclose(found, of[0] - of[1], rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_sound_is_right_about_them(case: Any) -> None:
    assert "sound" not in killed_by(case, [])
    asked = call_of_case(case, case.dtypes[0])
    assert set(Sound(losses=(case.loss,)).evaluate(asked).outputs) == set(case.outputs)


@pytest.fixture(scope="module")
def caught() -> frozenset[str]:
    """Who is caught by any of the cases, each of which is evaluated once."""
    return frozenset(name for case in CASES for name in killed_by(case, WRONG))


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_about_an_output_alone_is_caught_and_right_about_the_value(
    name: str, caught: frozenset[str]
) -> None:
    assert name in caught
    asked = call("rows", [0, -1, 2])
    if asked.loss in MUTANTS[name].losses:
        found, right = adapter(name).evaluate(asked), Sound().evaluate(asked)
        assert found.value.storage.tobytes() == right.value.storage.tobytes()


@pytest.mark.parametrize("output", OUTPUTS)
def test_who_returns_no_such_thing_refuses_the_call(output: str) -> None:
    case = next(case for case in CASES if output in case.outputs)
    found = list(questions([case], "theirs", Description("1", (case.loss,)), Scope()))
    assert [cell.explanation for cell in found if isinstance(cell, Cell)] == [f"returns no {output}"] * len(found)


def test_a_function_returns_them_behind_the_value() -> None:
    import torch

    def loss(logits: Any, targets: Any, z: float) -> Any:
        """Of every row, so that the mean is written behind it, as is that of the z-loss."""
        lse = torch.logsumexp(logits, -1)
        rows = lse - logits.gather(-1, targets[:, None])[:, 0] + z * lse**2
        return rows, z * lse**2, lse

    connected = torch_function(
        loss,
        loss="softmax_cross_entropy",
        options={"z_loss": "z"},
        targets="labels",
        rows=True,
        outputs=("z_loss", "log_sum_exp"),
    )
    assert connected.describe().outputs == ("z_loss", "log_sum_exp")
    for output in ("z_loss", "log_sum_exp"):
        asked = call(output, [0, 1, 2])
        asked = replace(asked, options={"reduction": "mean", "z_loss": 0.25})
        answer: Answer = connected.evaluate(asked)
        truth = TruthTable(asked).under()
        np.testing.assert_allclose(answer.value.to_float64(), truth.targets["value"].hi, rtol=1e-14)
        np.testing.assert_allclose(answer.outputs[output].to_float64(), truth.targets[output].hi, rtol=1e-14)


@pytest.mark.parametrize(
    ("output", "options"), [("z_loss", {"z_loss": None}), ("entropy", {"softcap": 2.0}), ("rows", {"reduction": None})]
)
def test_a_call_that_has_no_such_output_says_so(output: str, options: dict[str, Any]) -> None:
    asked = call(output, [0, 1, 2], **options)
    left = {name: value for name, value in asked.options.items() if value is not None}
    with pytest.raises(ValueError, match=f"no output {output}"):
        call_of(replace(asked, options=left), output)
