"""The blocked linear layer gives what the exact reference gives, and leaves to it what it does not cover."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import reference
from reference import blocked_linear
from reference.blocked_linear import evaluate_linear_blocked

ALL = ("hidden", "weight", "bias")


def inputs_of(rows: int, depth: int, classes: int, dtype: str = "float64", seed: int = 1) -> dict[str, Any]:
    generator = np.random.default_rng(seed)
    return {
        "hidden": generator.normal(size=(rows, depth)).astype(dtype),
        "weight": generator.normal(size=(depth, classes)).astype(dtype),
        "bias": generator.normal(size=classes).astype(dtype),
        "targets": generator.integers(0, classes, rows),
    }


@given(
    st.integers(1, 6),
    st.integers(1, 5),
    st.integers(1, 7),
    st.sampled_from(["none", "sum", "mean"]),
    st.integers(0, 99),
)
def test_the_value_and_all_gradients_agree_with_the_exact_reference(
    rows: int, depth: int, classes: int, reduction: str, seed: int
) -> None:
    inputs = inputs_of(rows, depth, classes, seed=seed)
    cotangent = np.arange(1.0, rows + 1) if reduction == "none" else None
    found = evaluate_linear_blocked(inputs, {"reduction": reduction}, differentiate=ALL, cotangent=cotangent)
    exact = reference.evaluate("linear_cross_entropy", inputs, {"reduction": reduction}, cotangent=cotangent)
    assert found is not None
    np.testing.assert_allclose(found.value, exact.value.hi, rtol=1e-13, atol=1e-13)
    for name in ALL:
        np.testing.assert_allclose(found.gradients[name], exact.gradients[name].hi, rtol=1e-12, atol=1e-12)


def test_how_many_rows_are_computed_at_once_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = inputs_of(10, 3, 4)
    one = evaluate_linear_blocked(inputs, {"reduction": "mean"}, differentiate=ALL)
    monkeypatch.setattr(blocked_linear, "LOGIT_BYTES", 3 * 4 * 8)
    many = evaluate_linear_blocked(inputs, {"reduction": "mean"}, differentiate=ALL)
    assert one is not None
    assert many is not None
    np.testing.assert_allclose(one.value, many.value, rtol=1e-15)
    for name in ALL:
        np.testing.assert_allclose(one.gradients[name], many.gradients[name], rtol=1e-14, atol=1e-15)


def test_without_a_bias_and_with_leading_axes_the_shapes_are_those_of_the_inputs() -> None:
    inputs = {k: v for k, v in inputs_of(6, 3, 4, "float32").items() if k != "bias"}
    folded = {**inputs, "hidden": inputs["hidden"].reshape(2, 3, 3), "targets": inputs["targets"].reshape(2, 3)}
    found = evaluate_linear_blocked(folded, {"reduction": "none"}, differentiate=("hidden",))
    assert found is not None
    assert found.value.shape == (2, 3)
    assert found.value.dtype == np.float32
    assert {name: gradient.shape for name, gradient in found.gradients.items()} == {"hidden": (2, 3, 3)}


INPUTS = inputs_of(3, 2, 4)


@pytest.mark.parametrize(
    ("changed", "options"),
    [
        ({}, {"reduction": "mean", "label_smoothing": 0.1}),
        ({}, {"reduction": "mean", "denominator": "weights"}),
        ({}, {"reduction": "batchmean"}),
        ({"hidden": INPUTS["hidden"].astype(np.float16)}, {"reduction": "mean"}),
        ({"weight": INPUTS["weight"].astype(np.float32)}, {"reduction": "mean"}),
        ({"weight": INPUTS["weight"][:1]}, {"reduction": "mean"}),
        ({"weight": INPUTS["weight"] * np.inf}, {"reduction": "mean"}),
        ({"bias": INPUTS["bias"][:1]}, {"reduction": "mean"}),
        ({"targets": np.array([0, 1, 4])}, {"reduction": "mean"}),
        ({"targets": np.eye(3, 4)}, {"reduction": "mean"}),
        ({"hidden": np.empty((0, 2)), "targets": np.empty(0, np.int64)}, {"reduction": "mean"}),
    ],
)
def test_what_is_not_plain_is_left_to_the_other_way(changed: dict[str, Any], options: dict[str, Any]) -> None:
    assert evaluate_linear_blocked({**INPUTS, **changed}, options, differentiate=ALL) is None


def test_the_gradient_of_a_bias_that_is_not_there_is_left_to_the_other_way() -> None:
    inputs = {name: array for name, array in INPUTS.items() if name != "bias"}
    assert evaluate_linear_blocked(inputs, {"reduction": "mean"}, differentiate=ALL) is None
    assert evaluate_linear_blocked(inputs, {"reduction": "mean"}, differentiate=("hidden", "weight")) is not None
