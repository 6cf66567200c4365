"""The derivative of the value along a vector: its truth, how it travels, and who computes it rightly."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import xent
from harness.adapters.base import Answer, Call
from harness.adapters.numpy import NumPy
from harness.core.arrays import Array
from harness.core.case import ExpectTruth
from harness.core.outcomes import Raised, Returned
from harness.core.rows import rows_of, upstreams
from harness.execution import protocol
from harness.execution.worker import evaluate
from harness.judgement.directional import along
from harness.judgement.ledger import Ledger
from harness.judgement.truth import DIRECTIONAL, HESSIAN_VECTOR, Truth, TruthTable, aspects
from harness.judgement.verdict import Subject, judge
from harness.mistakes.sound import Sound
from harness.suite.loading import load_text
from harness.tests.own_process import evaluate_in_process

ENTROPY = "- {id: edges/a, title: t, why: w, loss: entropy, inputs: {probabilities: [[0.5, 0.5]]}"
NUMBERS = st.floats(-1e200, 1e200)
VECTOR = hnp.arrays(np.float64, 3, elements=NUMBERS)


def call(loss: str, inputs: dict[str, object], vector: object, **options: object) -> Call:
    made = {name: Array.of(np.asarray(values), None) for name, values in inputs.items()}
    first = next(name for name in made if name != "targets")
    return Call(loss, made, options, "float64", differentiate=(first,), vector=Array.of(np.asarray(vector)))


LOGITS, DIRECTION = [[1.0, 2.0, 3.0], [0.5, 0.0, -1.0]], [[1.0, -2.0, 0.5], [2.0, 0.5, 1.0]]
MEAN = call("softmax_cross_entropy", {"logits": LOGITS, "targets": [0, 2]}, DIRECTION, reduction="mean")
CALLS = {
    "mean": MEAN,
    "none": call("softmax_cross_entropy", {"logits": LOGITS, "targets": [0, 2]}, DIRECTION, reduction="none"),
    "softmax": call("softmax", {"logits": LOGITS}, DIRECTION, axis=-1),
    "columns": call("softmax", {"logits": LOGITS}, DIRECTION, axis=0),
    "binary": call(
        "binary_cross_entropy_with_logits", {"logits": [1.0, -2.0], "targets": [1.0, 0.25]}, [1, 3], reduction="none"
    ),
    "kl": call(
        "kl_divergence",
        {"targets": [[0.5, 0.5]], "log_probabilities": [[-1.0, -0.5]]},
        [[1.0, -2.0]],
        reduction="batchmean",
    ),
}


def truth_of(asked: Call) -> Truth:
    return TruthTable(asked).under()


@given(VECTOR, VECTOR)
def test_the_product_is_exact_and_rounded_once(gradient: np.ndarray, vector: np.ndarray) -> None:
    low = gradient * 2.0**-54
    hi, lo = along(gradient, low, vector)
    terms = zip(gradient.tolist(), low.tolist(), vector.tolist(), strict=True)
    exact = sum((Fraction(g) + Fraction(s)) * Fraction(v) for g, s, v in terms)
    try:
        assert hi == float(exact)
        assert lo == float(exact - Fraction(hi))
    except OverflowError:
        assert hi == (np.inf if exact > 0 else -np.inf)


def test_an_infinite_slope_counts_for_nothing_in_a_direction_that_does_not_move_it() -> None:
    slopes, zeros = np.array([np.inf, 2.0]), np.zeros(2)
    assert along(slopes, zeros, np.array([0.0, 3.0])) == (6.0, 0.0)
    assert along(slopes, zeros, np.array([-1.0, 3.0])) == (-np.inf, 0.0)
    assert np.isnan(along(np.array([np.nan, 2.0]), zeros, np.array([0.0, 3.0]))[0])


@pytest.mark.parametrize("name", CALLS)
def test_it_is_the_slope_of_the_value(name: str) -> None:
    asked = CALLS[name]
    first, vector = asked.differentiate[0], asked.vector
    assert vector is not None
    step = 1e-6

    def value(distance: float) -> np.ndarray:
        moved = asked.inputs[first].to_float64() + distance * vector.to_float64()
        inputs = {**asked.inputs, first: Array.of(moved)}
        table = TruthTable(Call(asked.loss, inputs, asked.options, "float64"))
        return np.asarray(table.under().targets["value"].hi)

    found = truth_of(asked).targets[DIRECTIONAL]
    assert found.hi.shape == value(0).shape
    np.testing.assert_allclose(found.hi, (value(step) - value(-step)) / (2 * step), rtol=1e-7, atol=1e-9)


def test_a_row_of_nan_leaves_the_other_rows_alone() -> None:
    holed = call("softmax_cross_entropy", {"logits": [[np.inf, 0.0], [1.0, 2.0]], "targets": [0, 1]}, [[1, 1], [1, 3]])
    unreduced = Call(
        holed.loss, holed.inputs, {"reduction": "none"}, "float64", "eager", ("logits",), None, holed.vector
    )
    found = truth_of(unreduced).targets[DIRECTIONAL].hi
    assert np.isnan(found[0])
    assert np.isfinite(found[1])


def test_rows_and_the_cotangents_of_classes() -> None:
    logits = np.arange(6.0).reshape(2, 3)
    assert rows_of(logits, (), 0).tolist() == [0, 1, 2, 3, 4, 5]
    assert rows_of(logits, (3,), 0).tolist() == [[0, 3], [1, 4], [2, 5]]
    assert rows_of(logits, (2, 3), 0).shape == (2, 3, 1)
    assert [upstream.tolist() for _, upstream in upstreams((2, 3), 0)] == [
        [[1, 1, 1], [0, 0, 0]],
        [[0, 0, 0], [1, 1, 1]],
    ]


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("adapter", [NumPy(), Sound()], ids=["numpy", "sound"])
def test_what_computes_the_gradient_rightly_has_it(name: str, adapter: NumPy | Sound) -> None:
    answer = adapter.evaluate(CALLS[name])
    assert answer.directional is not None
    np.testing.assert_allclose(answer.directional.to_float64(), truth_of(CALLS[name]).targets[DIRECTIONAL].hi, 1e-12)


def test_a_vector_asks_for_it_of_every_loss_and_for_the_second_derivative_of_some() -> None:
    cases, problems = load_text(f"{ENTROPY}, vector: [[1, -1]]}}\n", "edges/f.yaml", "edges")
    assert problems == []
    assert list(aspects(cases[0])) == ["value", "gradient", DIRECTIONAL]
    assert list(aspects(MEAN)) == ["value", "gradient", DIRECTIONAL, HESSIAN_VECTOR]


def judged(outcome: Returned) -> dict[str, str]:
    table = TruthTable(MEAN)
    subject = Subject("a/case", "it", "1.0", "eager", "float64", ExpectTruth(), MEAN.differentiate, False, table)
    return {cell.aspect: cell.verdict for cell in judge(subject, outcome, Ledger())}


def test_it_travels_through_the_worker_and_is_judged_by_itself() -> None:
    returned = evaluate(Sound(), MEAN)
    assert isinstance(returned, Returned)
    read = protocol.answer_from_wire({**protocol.outcome_to_wire(returned), "id": 1}, 1)
    assert isinstance(read, Returned)
    assert read.directional is not None
    assert judged(read)[DIRECTIONAL] == "agrees"
    zero = Returned(read.value, "f", read.gradients, directional=Array.of(np.zeros(())))
    assert judged(zero) == {
        "value": "agrees",
        "gradient": "agrees",
        DIRECTIONAL: "disagrees",
        HESSIAN_VECTOR: "unsupported",
    }


class Backwards:
    """It has no rule for forward mode."""

    def evaluate(self, asked: Call) -> Answer:
        right = Sound().evaluate(asked)
        return Answer(right.value, "f", right.gradients, directional_error=TypeError("reverse mode only"))

    describe = Sound.describe


def test_what_raises_forwards_only_is_right_backwards() -> None:
    returned = evaluate(Backwards(), MEAN)
    assert isinstance(returned, Returned)
    assert returned.directional_error == Raised("builtins.TypeError", "reverse mode only")
    assert judged(returned)[DIRECTIONAL] == "disagrees"
    assert judged(returned)["gradient"] == "agrees"


def test_assert_close_judges_what_it_is_given() -> None:
    inputs: dict[str, Any] = {"logits": np.asarray(LOGITS), "targets": [0, 2], "vector": np.asarray(DIRECTION)}
    right = float(truth_of(MEAN).targets[DIRECTIONAL].hi)
    value = truth_of(MEAN).targets["value"].hi
    xent.assert_close(value, loss="softmax_cross_entropy", directional=right, **inputs)
    with pytest.raises(AssertionError, match="directional"):
        xent.assert_close(value, loss="softmax_cross_entropy", directional=-right, **inputs)
    assert xent.tolerance("softmax_cross_entropy", of=DIRECTIONAL, **inputs).allowed.shape == ()


@pytest.mark.parametrize(
    ("adapter", "environment"),
    [
        ("harness.adapters.torch:Torch", {}),
        ("harness.adapters.tensorflow:TensorFlow", {}),
        ("harness.adapters.jax:Jax", {"JAX_ENABLE_X64": "1"}),
        ("harness.adapters.optax:Optax", {"JAX_ENABLE_X64": "1"}),
    ],
    ids=["torch", "tensorflow", "jax", "optax"],
)
def test_frameworks_answer_in_forward_mode(adapter: str, environment: dict[str, str]) -> None:
    pytest.importorskip(adapter.split(":")[0].rsplit(".", 1)[1])
    chosen = (
        {name: CALLS[name] for name in ("softmax", "columns")} if adapter.endswith("Jax") else {"none": CALLS["none"]}
    )
    for name, answer in evaluate_in_process(adapter, chosen, environment).items():
        assert isinstance(answer, Answer), answer
        assert answer.directional is not None
        np.testing.assert_allclose(
            answer.directional.to_float64(), truth_of(CALLS[name]).targets[DIRECTIONAL].hi, rtol=1e-12
        )


def test_a_vector_beyond_the_format_is_infinite_and_no_error() -> None:
    zero = np.zeros(2)
    assert along(np.array([1.0, 2.0]), zero, np.array([np.inf, 1.0])) == (np.inf, 0.0)
    assert np.isnan(along(np.array([1.0, 2.0]), zero, np.array([np.inf, -np.inf]))[0])
