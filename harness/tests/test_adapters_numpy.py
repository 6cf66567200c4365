"""The NumPy adapter evaluates the reference's formulas in the dtype of the call, value and gradient."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.adapters.base import Unsupported
from harness.adapters.numpy import NumPy
from harness.tests.made_calls import make_call

ROW = {"logits": [[1.0, 2.0, 3.0]], "targets": [0]}


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-15), ("float32", 3e-7), ("float16", 2e-3)])
def test_softmax_cross_entropy_in_every_dtype_numpy_has(dtype: str, tolerance: float) -> None:
    answer = NumPy().evaluate(make_call("softmax_cross_entropy", ROW, dtype=dtype, differentiate=("logits",)))
    assert answer.value.dtype == answer.gradients["logits"].dtype == dtype
    assert float(answer.value.to_float64()) == pytest.approx(2.4076059644443801, rel=tolerance)
    expected = [[-0.90996942682962, 0.24472847105479764, 0.6652409557748219]]
    np.testing.assert_allclose(answer.gradients["logits"].to_float64(), expected, rtol=tolerance)


def test_a_confident_prediction_keeps_its_loss_in_float32() -> None:
    call = make_call("softmax_cross_entropy", {"logits": [[17.0, 0.0]], "targets": [0]}, dtype="float32")
    assert float(NumPy().evaluate(call).value.to_float64()) == pytest.approx(math.exp(-17), rel=1e-6)


def test_options_and_cotangents_reach_the_formula() -> None:
    inputs = {"logits": [[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]], "targets": [0, 1]}
    weighted = make_call("softmax_cross_entropy", inputs, {"class_weights": [0.0, 3.0, 1.0]})
    assert float(NumPy().evaluate(weighted).value.to_float64()) == pytest.approx(1.4076059644443801, rel=1e-14)
    scaled = make_call(
        "softmax_cross_entropy", inputs, {"reduction": "none"}, differentiate=("logits",), cotangent=[2.0, 0.0]
    )
    gradient = NumPy().evaluate(scaled).gradients["logits"].to_float64()
    np.testing.assert_allclose(gradient[0], [-1.81993885, 0.48945694, 1.33048191], rtol=1e-8)
    assert not gradient[1].any()


def test_integer_targets_have_no_gradient() -> None:
    call = make_call("softmax_cross_entropy", ROW, differentiate=("logits", "targets"))
    assert set(NumPy().evaluate(call).gradients) == {"logits"}


def test_bad_labels_are_refused_with_the_hint() -> None:
    with pytest.raises(ValueError, match="expected a label from 0 to 2"):
        NumPy().evaluate(make_call("softmax_cross_entropy", {**ROW, "targets": [3]}))


def test_an_unknown_loss_and_bfloat16_are_not_offered() -> None:
    with pytest.raises(Unsupported, match="hinge"):
        NumPy().evaluate(make_call("hinge", ROW))
    assert "bfloat16" not in NumPy().describe().dtypes
