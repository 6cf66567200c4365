"""The terms of an error scale add up to it: what a report shows as a budget is the budget."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import reference
from harness.judgement.tolerance import error_scales

_LOGITS = np.array([[0.5, -1.0, 2.0], [3.0, 0.0, -40.0]])
_P = np.array([[0.2, 0.5, 0.3], [0.01, 0.9, 0.09]])
_SOFT = np.array([[0.7, 0.1, 0.2], [0.0, 1.0, 0.0]])
_LABELS = np.array([2, 0])
_PROBLEMS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "softmax_cross_entropy": ({"logits": _LOGITS, "targets": _LABELS}, {"label_smoothing": 0.1}, "logits"),
    "log_softmax": ({"logits": _LOGITS}, {}, "logits"),
    "softmax": ({"logits": _LOGITS}, {}, "logits"),
    "categorical_cross_entropy": ({"probabilities": _P, "targets": _LABELS}, {"base": 2}, "probabilities"),
    "cross_entropy": ({"targets": _SOFT, "probabilities": _P}, {}, "probabilities"),
    "entropy": ({"probabilities": _P}, {"base": 2}, "probabilities"),
    "nll_loss": ({"log_probabilities": np.log(_P), "targets": _LABELS}, {}, "log_probabilities"),
    "kl_divergence": ({"targets": _SOFT, "log_probabilities": np.log(_P)}, {}, "log_probabilities"),
    "binary_cross_entropy": ({"probabilities": _P, "targets": _SOFT}, {}, "probabilities"),
    "binary_cross_entropy_with_logits": ({"logits": _LOGITS, "targets": _SOFT}, {"pos_weight": 3.0}, "logits"),
}


@given(
    loss=st.sampled_from(sorted(_PROBLEMS)),
    reduction=st.sampled_from(["none", "sum", "mean"]),
    axis=st.sampled_from([-1, 1]),
)
def test_terms_add_up(loss: str, reduction: str, axis: int) -> None:
    inputs, options, name = _PROBLEMS[loss]
    chosen = {**options} if loss in ("softmax", "log_softmax") else {**options, "reduction": reduction}
    if not loss.startswith("binary"):
        chosen["axis"] = axis
    gradients = {name: np.asarray(reference.evaluate(loss, inputs, chosen, differentiate=[name]).gradients[name])}
    found = error_scales(loss, inputs, chosen, gradients, None)
    for aspect, error_scale in {"value": found.value, name: found.gradients[name]}.items():
        total = sum(np.broadcast_to(term, error_scale.shape) for term in found.terms[aspect].values())
        np.testing.assert_allclose(total, error_scale, rtol=1e-12)


@pytest.mark.parametrize("clamp", [None, 1e-12])
def test_a_clamped_gradient_has_no_terms(clamp: float | None) -> None:
    inputs, options, name = _PROBLEMS["binary_cross_entropy"]
    convention = None if clamp is None else {"gradient_clamp": clamp}
    found = error_scales("binary_cross_entropy", inputs, {**options, "reduction": "mean"}, {name: _P}, None, convention)
    assert (name in found.terms) == (clamp is None)


def test_the_error_scale_of_a_nearly_certain_class_is_small_but_not_zero() -> None:
    """(1 − p)^γ times what rounding moves the logarithm by; 1 − p is e^−39, not what rounding leaves of it."""
    inputs = {"logits": np.array([[1.0, 40.0]]), "targets": np.array([[0.0, 1.0]])}
    options = {"reduction": "none", "gamma": 0.5}
    loss = np.asarray(reference.evaluate("categorical_focal", inputs, options).value)
    error_scale = error_scales("categorical_focal", inputs, options, {}, None).value
    assert 0 < loss[0] < 1e-25
    assert error_scale[0] == pytest.approx((1 + np.log(2)) * np.exp(-39 / 2))
