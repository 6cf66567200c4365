"""What is remembered of the right steps changes no answer of a known-bad implementation."""

from __future__ import annotations

import numpy as np
import pytest

from harness.core.arrays import Array
from harness.core.call import Call
from harness.core.outcomes import Outcome, Returned
from harness.execution.worker import evaluate
from harness.mistakes import MUTANTS
from harness.mistakes.answers import MANY, answered
from harness.mistakes.sound import Sound

NUMBERS = np.random.default_rng(0)


def call(loss: str, rows: int, classes: int, options: dict[str, object]) -> Call:
    name = "probabilities" if loss == "categorical_cross_entropy" else "logits"
    scores = NUMBERS.normal(size=(rows, classes))
    scores = np.exp(scores) / np.exp(scores).sum(axis=-1, keepdims=True) if name == "probabilities" else scores
    inputs = {name: Array.of(scores, "float32"), "targets": Array.of(NUMBERS.integers(0, classes, rows), "int64")}
    return Call(loss, inputs, {"reduction": "mean", **options}, "float32", differentiate=(name,))


CALLS = {
    "few": call("softmax_cross_entropy", 3, 4, {"label_smoothing": 0.1, "ignore_index": 2}),
    "many": call("softmax_cross_entropy", 40, 2 * MANY // 40, {"z_loss": 0.01}),
    "probabilities": call("categorical_cross_entropy", 5, 3, {"class_weights": Array.of([1.0, 0.5, 2.0], "float32")}),
}


def bits(outcome: Outcome) -> object:
    """What of an outcome is judged."""
    if not isinstance(outcome, Returned):
        return type(outcome), getattr(outcome, "message", "")
    arrays = {"": outcome.value, **outcome.gradients}
    return {name: (a.dtype, a.shape, np.ascontiguousarray(a.storage).tobytes()) for name, a in arrays.items()}


@pytest.mark.parametrize("name", CALLS)
def test_a_known_bad_implementation_answers_the_same_whatever_is_remembered(name: str) -> None:
    asked = CALLS[name]
    known, right = answered(asked), bits(evaluate(Sound(), asked))
    assert known is not None
    changing = 0
    for mutant in MUTANTS.values():
        if asked.loss in mutant.losses and mutant.kind != "conduct":
            bad, fresh = known.with_steps(mutant.steps), bits(evaluate(mutant.factory(), asked))
            assert fresh == (right if bad is None else bits(evaluate(bad, asked))), mutant.name
            changing += bad is not None
    assert 50 < changing < len([m for m in MUTANTS.values() if asked.loss in m.losses])


def test_a_mistake_in_a_step_that_is_not_taken_is_no_mistake_about_the_call() -> None:
    plain = answered(call("softmax_cross_entropy", 3, 4, {}))
    assert plain is not None
    assert plain.with_steps(MUTANTS["smoothing-over-others.softmax_cross_entropy"].steps) is not None
    assert plain.with_steps(MUTANTS["focal-weight-of-p.binary_focal"].steps) is None
