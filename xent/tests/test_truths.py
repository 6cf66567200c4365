"""The truth of a call is the reference's, for the bits that were given."""

from __future__ import annotations

import decimal
from typing import Any

import numpy as np
import pytest

import reference
import xent


def test_the_truth_is_that_of_the_reference() -> None:
    inputs: dict[str, Any] = {
        "logits": [[0.5, -1.0, 2.0], [0.0, 3.0, 0.25]],
        "targets": [[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]],
    }
    options: dict[str, Any] = {"class_weights": [1.0, 2.0, 0.5], "label_smoothing": 0.125, "reduction": "sum"}
    mine = xent.truth("softmax_cross_entropy", **inputs, **options, vector=np.ones((2, 3)))
    theirs = reference.evaluate("softmax_cross_entropy", inputs, options, vector=np.ones((2, 3)))
    pairs = [(mine.value, theirs.value), *((mine.gradients[n], g) for n, g in theirs.gradients.items())]
    assert mine.hessian_vector is not None
    assert theirs.hessian_vector is not None
    assert set(mine.gradients) == {"logits", "targets"}
    for a, b in [*pairs, (mine.hessian_vector, theirs.hessian_vector)]:
        np.testing.assert_array_equal(a.hi, b.hi)
        np.testing.assert_array_equal(a.lo, b.lo)


def test_digits_go_beyond_float64() -> None:
    digits = xent.truth("softmax_cross_entropy", logits=[[0.0, 0.0]], targets=[0]).value.digits
    with decimal.localcontext(prec=20):
        assert decimal.Decimal(digits) == decimal.Decimal(2).ln()


def test_digits_have_the_shape_of_the_result() -> None:
    gradient = xent.truth("softmax", logits=[[0.0, 0.0]], cotangent=[[1, 0]]).gradients["logits"]
    assert gradient.digits == [["0.25", "-0.25"]]
    assert xent.truth("softmax", logits=[np.nan, np.inf]).value.digits == ["nan", "nan"]


def test_numbers_are_rounded_to_the_format_and_arrays_are_not() -> None:
    exact = {0.1: 0.1, np.float32(0.1): float(np.float32(0.1))}
    for given, meant in exact.items():
        got = xent.truth("entropy", probabilities=np.asarray([given]), reduction="sum")
        assert float(got.value) == float(reference.evaluate("entropy", {"probabilities": [meant]}).value)
    rounded = xent.truth("entropy", probabilities=[0.1], dtype="bfloat16")
    assert float(rounded.value) == float(reference.evaluate("entropy", {"probabilities": [0.10009765625]}).value)


def test_a_convention_has_the_constants_of_the_format() -> None:
    call: dict[str, Any] = {"probabilities": np.array([[1.0, 0.0]], np.float32), "targets": [0]}
    got = xent.truth("categorical_cross_entropy", **call, convention="clip(1e-7)")
    assert float(got.value) == -np.log1p(-(2.0**-23))  # 1 − 1e-7 is 1 − 2^-23 in float32


def test_numpys_own_numbers_and_tensors_are_options_too() -> None:
    torch = pytest.importorskip("torch")
    call: dict[str, Any] = {"logits": [[1.0, 2.0]], "targets": [0]}
    plain = xent.truth("softmax_cross_entropy", **call, label_smoothing=0.5, class_weights=[0.5, 2.0])
    held = xent.truth(
        "softmax_cross_entropy",
        **call,
        label_smoothing=np.float32(0.5),
        class_weights=torch.tensor([0.5, 2.0], dtype=torch.bfloat16),
        ignore_index=np.int64(-1),
    )
    assert float(plain.value) == float(held.value)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ({"loss": "softmax_entropy", "logits": [[1.0]]}, "not known"),
        ({"loss": "softmax", "logit": [[1.0]]}, "'logit' is not known"),
        ({"loss": "softmax", "logits": [[1.0]], "temperature": 2.0}, "'temperature' is not known"),
        ({"loss": "softmax_cross_entropy", "logits": [[1.0, 2.0]], "targets": [2]}, "from 0 to 1"),
        ({"loss": "softmax", "logits": [[1.0]], "dtype": "float8"}, "float8"),
        ({"loss": "softmax", "logits": [[1.0]], "convention": "clamp(1)"}, "clamp"),
    ],
)
def test_what_is_wrong_is_named(call: dict[str, object], words: str) -> None:
    loss = str(call.pop("loss"))
    with pytest.raises(ValueError, match=words.replace("(", r"\(")):
        xent.truth(loss, **call)  # type: ignore[arg-type]
