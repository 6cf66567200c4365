"""What a user of NumPy would write is right wherever it is offered, and is timed beside the others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.adapters.base import Unsupported
from harness.adapters.numpy import NumPy
from harness.adapters.numpy_by_hand import NumPyByHand
from harness.core.call import Call
from harness.speed.entrants import timed_by_default
from harness.speed.tasks import lacking, tasks_of
from harness.speed.workloads import load_workloads
from harness.suite.calls import call_of
from harness.tests.made_calls import make_call

LOSSES = (*NumPyByHand().describe().losses, "pixels")


def drawn(loss: str, rows: int, classes: int, seed: int) -> Call:
    random = np.random.default_rng(seed)
    logits = 5 * random.normal(size=(rows, classes))
    labels = random.integers(0, classes, rows)
    mean: dict[str, Any] = {"reduction": "mean"}
    if loss == "log_softmax":
        return make_call(loss, {"logits": logits})
    if loss == "binary_cross_entropy_with_logits":
        targets = random.uniform(size=logits.shape)
        return make_call(loss, {"logits": logits, "targets": targets}, mean, differentiate=("logits",))
    if loss == "pixels":
        images = 5 * random.normal(size=(2, classes, rows, 3))
        pixels = {"logits": images, "targets": random.integers(0, classes, (2, rows, 3))}
        return make_call("softmax_cross_entropy", pixels, {**mean, "axis": 1}, differentiate=("logits",))
    if loss == "linear_cross_entropy":
        inputs = {"hidden": random.normal(size=(rows, 4)), "weight": random.normal(size=(4, classes))}
        return make_call(loss, {**inputs, "targets": labels}, mean, differentiate=("hidden", "weight"))
    return make_call(loss, {"logits": logits, "targets": labels}, mean, differentiate=("logits",))


@given(st.sampled_from(LOSSES), st.integers(1, 5), st.integers(1, 6), st.integers(0, 10**6))
def test_it_is_right_wherever_it_is_offered(loss: str, rows: int, classes: int, seed: int) -> None:
    call = drawn(loss, rows, classes, seed)
    by_hand, right = NumPyByHand().evaluate(call), NumPy().evaluate(call)
    np.testing.assert_allclose(by_hand.value.to_float64(), right.value.to_float64(), rtol=1e-12, atol=1e-14)
    assert by_hand.gradients.keys() == right.gradients.keys() == set(call.differentiate)
    for name, gradient in right.gradients.items():
        np.testing.assert_allclose(by_hand.gradients[name].to_float64(), gradient.to_float64(), rtol=1e-12, atol=1e-14)


LOGITS = {"logits": [[1.0, 2.0, 3.0]], "targets": [0]}


@pytest.mark.parametrize(
    ("inputs", "options", "says"),
    [
        (LOGITS, {"reduction": "sum"}, "the reduction mean only"),
        (LOGITS, {"reduction": "mean", "label_smoothing": 0.1}, "has no label_smoothing"),
        (LOGITS, {"reduction": "mean", "axis": 0}, "the classes on axis 1"),
        ({**LOGITS, "targets": [[0.0, 0.5, 0.5]]}, {"reduction": "mean"}, "takes labels"),
    ],
)
def test_it_does_one_thing(inputs: dict[str, Any], options: dict[str, Any], says: str) -> None:
    with pytest.raises(Unsupported, match=says):
        NumPyByHand().evaluate(make_call("softmax_cross_entropy", inputs, options))


def test_a_bench_has_it_beside_the_others() -> None:
    assert "numpy-by-hand" in timed_by_default(complete=False)


def test_it_offers_every_workload_so_that_every_time_has_a_ratio_to_it() -> None:
    by_hand = NumPyByHand()
    for task in tasks_of(load_workloads()):
        assert not lacking(by_hand.describe(), task)
        by_hand.evaluate(call_of(task.workload.case, task.dtype))  # would be refused by `Unsupported`
