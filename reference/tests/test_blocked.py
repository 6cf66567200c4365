"""The blocked formulas give what the others give, and leave to them what they do not cover."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import reference
from reference import blocked
from reference.blocked import evaluate_blocked

MEAN = {"reduction": "mean"}
EPS = {"float32": 2.0**-23, "float64": 2.0**-52}


@given(st.data())
def test_rows_agree_with_the_exact_reference(data: st.DataObject) -> None:
    dtype = data.draw(st.sampled_from(["float32", "float64"]))
    shape = (data.draw(st.integers(1, 6)), data.draw(st.integers(1, 9)))
    values = data.draw(arrays(np.float32, shape, elements=st.floats(-200, 200, width=32)))
    labels = data.draw(arrays(np.int64, shape[:1], elements=st.integers(0, shape[1] - 1)))
    reduction = data.draw(st.sampled_from(["none", "sum", "mean"]))
    inputs = {"logits": values.astype(dtype), "targets": labels}
    found = evaluate_blocked("softmax_cross_entropy", inputs, {"reduction": reduction}, gradient=True)
    exact = reference.evaluate("softmax_cross_entropy", inputs, {"reduction": reduction})
    assert found is not None
    assert found.gradient is not None
    assert found.value.dtype == found.gradient.dtype == dtype
    # Rounding x − M moves the exponential by up to |x − M| eps.
    scale = 8 * EPS[dtype] * (1 + 400 / 50) * max(1, shape[0])
    np.testing.assert_allclose(found.value, exact.value.hi, rtol=scale, atol=scale)
    np.testing.assert_allclose(found.gradient, exact.gradients["logits"].hi, rtol=60 * scale, atol=scale)


@given(st.data())
def test_binary_terms_agree_with_the_exact_reference(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 30))
    z = data.draw(arrays(np.float32, count, elements=st.floats(-80, 80, width=32)))
    y = data.draw(arrays(np.float32, count, elements=st.floats(0, 1, width=32)))
    inputs = {"logits": z, "targets": y}
    loss = "binary_cross_entropy_with_logits"
    found = evaluate_blocked(loss, inputs, {"reduction": "none"}, gradient=True)
    exact = reference.evaluate(loss, inputs, {"reduction": "none"}, differentiate=("logits",))
    assert found is not None
    np.testing.assert_allclose(found.value, exact.value.hi, rtol=1e-6, atol=1e-30)
    assert found.gradient is not None
    np.testing.assert_allclose(found.gradient, exact.gradients["logits"].hi, rtol=1e-5, atol=2.0**-22)


def test_a_tiny_loss_keeps_its_digits() -> None:
    logits = np.array([[20.0, 0.0]], dtype=np.float32)
    found = evaluate_blocked("softmax_cross_entropy", {"logits": logits, "targets": np.array([0])}, MEAN, gradient=True)
    assert found is not None
    assert float(found.value) == pytest.approx(2.061153620314381e-9, rel=1e-6)
    assert found.gradient is not None
    np.testing.assert_allclose(found.gradient, [[-2.0611536e-9, 2.0611536e-9]], rtol=1e-6)


def test_many_blocks_are_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    logits = np.random.default_rng(1).normal(size=(50, 7))
    inputs = {"logits": logits, "targets": np.arange(50) % 7}
    one = evaluate_blocked("softmax_cross_entropy", inputs, MEAN, gradient=True, cotangent=2.0)
    monkeypatch.setattr(blocked, "BLOCK_BYTES", 3 * 7 * 8)
    many = evaluate_blocked("softmax_cross_entropy", inputs, MEAN, gradient=True, cotangent=2.0)
    assert one is not None
    assert many is not None
    np.testing.assert_array_equal(one.value, many.value)
    np.testing.assert_array_equal(one.gradient, many.gradient)


def test_rows_of_negative_numbers_have_their_largest_found() -> None:
    logits = np.array([[-5.0, -1.0, -3.0], [2.0, -1.0, 7.0], [-0.0, -1.0, -2.0]], dtype=np.float32)
    np.testing.assert_array_equal(blocked._largest(logits), [-1.0, 7.0, 0.0])


@pytest.mark.parametrize("loss", ["softmax", "log_softmax"])
def test_activations_agree(loss: str) -> None:
    logits = np.random.default_rng(2).normal(size=(5, 11)).astype(np.float32)
    found = evaluate_blocked(loss, {"logits": logits}, {}, gradient=False)
    assert found is not None
    np.testing.assert_allclose(found.value, reference.evaluate(loss, {"logits": logits}).value.hi, rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "options"),
    [
        ({"logits": np.array([[np.nan, 1.0]])}, MEAN),
        ({"logits": np.array([[np.inf, 1.0]])}, MEAN),
        ({"logits": np.array([[-np.inf, -np.inf]])}, MEAN),
        ({"logits": np.array([[1.0, 2.0]], dtype=np.float16)}, MEAN),
        ({"logits": np.zeros((0, 2)), "targets": np.zeros(0, dtype=np.int64)}, MEAN),
        ({"targets": np.array([2])}, MEAN),
        ({"targets": np.array([[0.5, 0.5]])}, MEAN),
        ({}, {**MEAN, "label_smoothing": 0.1}),
        ({}, {"reduction": "batchmean"}),
        ({}, {**MEAN, "axis": 0}),
    ],
)
def test_what_is_not_plain_is_left_to_the_others(change: dict[str, Any], options: dict[str, Any]) -> None:
    inputs = {"logits": np.array([[1.0, 2.0]]), "targets": np.array([0]), **change}
    assert evaluate_blocked("softmax_cross_entropy", inputs, options, gradient=True) is None
