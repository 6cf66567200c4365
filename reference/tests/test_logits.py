"""What is done to logits before a loss: scale, cap and mask, in that order; the z-loss; a denominator handed in."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference import evaluate
from reference.doubledouble import DoubleDouble

X = np.array([[1.0, 2.0, 4.0], [0.5, -3.0, -1.0]])


def cross_entropy(logits: Any, labels: Any, **options: Any) -> Any:
    return evaluate("softmax_cross_entropy", {"logits": logits, "targets": labels}, {"reduction": "none", **options})


@given(
    st.lists(st.floats(-50, 50), min_size=3, max_size=3),
    st.sampled_from([float("nan"), float("inf"), 1e300, -5.0]),
    st.floats(0, 1),
)
def test_a_class_that_does_not_count_might_as_well_not_be_there(
    row: list[float], held: float, smoothing: float
) -> None:
    with_it = cross_entropy([[*row, held]], [1], class_mask=[1, 1, 1, 0], label_smoothing=smoothing, z_loss=0.5)
    without = cross_entropy([row], [1], label_smoothing=smoothing, z_loss=0.5)
    np.testing.assert_array_equal(with_it.value.hi, without.value.hi)
    np.testing.assert_array_equal(with_it.gradients["logits"].hi[:, :3], without.gradients["logits"].hi)
    assert with_it.gradients["logits"].hi[0, 3] == 0.0


def test_a_mask_of_logits_has_its_classes_along_the_axis() -> None:
    mask = np.array([[1, 0, 1], [0, 1, 1]])
    last = evaluate("softmax", {"logits": X}, {"class_mask": mask}).value.hi
    first = evaluate("softmax", {"logits": X.T}, {"class_mask": mask.T, "axis": 0}).value.hi
    np.testing.assert_array_equal(last, first.T)
    assert (last == 0.0).tolist() == (mask == 0).tolist()


def test_a_mask_comes_after_the_cap() -> None:
    assert evaluate("softmax", {"logits": [1.0, 2.0]}, {"softcap": 1.0, "class_mask": [1, 0]}).value.hi.tolist() == [
        1,
        0,
    ]


def test_the_scale_comes_before_the_cap() -> None:
    capped = cross_entropy(X, [0, 1], logit_scale=0.5, softcap=2.0).value.hi
    np.testing.assert_array_equal(capped, cross_entropy(0.5 * X, [0, 1], softcap=2.0).value.hi)


def test_an_infinite_logit_is_at_the_cap() -> None:
    seen = cross_entropy([[np.inf, -np.inf]], [1], softcap=3.0)
    assert float(seen.value.hi[0]) == pytest.approx(6.0 + np.log1p(np.exp(-6.0)))
    assert seen.gradients["logits"].hi.tolist() == [[0.0, 0.0]]


def test_what_is_left_of_the_gradient_under_a_cap_is_exact() -> None:
    got = cross_entropy([[300.0, 0.0]], [1], softcap=10.0).gradients["logits"].hi[0, 0]
    with mpmath.workdps(60):
        z = 10 * mpmath.tanh(30)
        truth = mpmath.sech(30) ** 2 / (1 + mpmath.exp(-z))
    assert float(truth) == got


def test_the_z_loss_has_the_weight_of_its_row_and_no_class() -> None:
    weighted = {"sample_weights": [3.0, 0.0], "class_weights": [2.0, 1.0, 1.0]}
    added = cross_entropy(X, [0, 1], z_loss=0.5, **weighted).value.hi - cross_entropy(X, [0, 1], **weighted).value.hi
    np.testing.assert_allclose(added, [0.5 * 3.0 * np.log(np.exp(X[0]).sum()) ** 2, 0.0], rtol=1e-15)


def test_a_mean_divides_by_the_number_handed_in() -> None:
    mean = cross_entropy(X, [0, 1], reduction="mean", denominator=8, class_weights=[1.0, 2.0, 1.0])
    whole = cross_entropy(X, [0, 1], reduction="sum", class_weights=[1.0, 2.0, 1.0])
    assert float(mean.value) == float(whole.value) / 8


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"softcap": 0.0}, "softcap = 0.0: expected a finite number greater than 0"),
        ({"logit_scale": np.inf}, "logit_scale = inf: expected a finite number"),
        ({"z_loss": -1.0}, "z_loss = -1.0: expected a finite number of at least 0"),
        ({"class_mask": [1, 1]}, "class_mask has shape"),
        ({"class_mask": [1, 1, 2]}, "class_mask: expected truth values"),
        ({"reduction": "mean", "denominator": -2}, "denominator = -2: expected a finite number greater than 0"),
    ],
)
def test_an_option_out_of_its_domain_is_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cross_entropy(X, [0, 1], **options)


@given(st.floats(-745, 700).filter(lambda x: x == 0 or abs(x) > 1e-300))
def test_expm1_keeps_its_digits(x: float) -> None:
    got = DoubleDouble.of([x]).expm1()
    with mpmath.workdps(60):
        truth = mpmath.expm1(mpmath.mpf(x))
        value = (mpmath.mpf(float(got.hi[0])) + mpmath.mpf(float(got.lo[0]))) * mpmath.mpf(2) ** int(got.exponent[0])
        assert abs(value - truth) <= abs(truth) * mpmath.mpf(2) ** -95
