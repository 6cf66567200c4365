"""scikit-learn's log_loss and SciPy's functions, each under the convention it documents; values only."""

from __future__ import annotations

import math
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

from harness.adapters.base import Answer, Array, Unsupported
from harness.tests.made_calls import make_call

ABSENT = [name for name in ("sklearn", "scipy") if find_spec(name) is None]
pytestmark = pytest.mark.skipif(bool(ABSENT), reason=f"not installed: {', '.join(ABSENT)}")

P = [[0.2, 0.3, 0.5], [0.3, 0.3, 0.4]]


def log_loss(
    probabilities: Any, targets: Any, loss: str = "categorical_cross_entropy", dtype: str = "float64", **options: Any
) -> Answer:
    inputs = {"probabilities": probabilities, "targets": targets}
    from harness.adapters.sklearn import ScikitLearn  # here: collecting tests imports no framework

    return ScikitLearn().evaluate(make_call(loss, inputs, options, dtype=dtype))


def scipy(loss: str, dtype: str = "float64", options: dict[str, Any] | None = None, **inputs: Any) -> Answer:
    from harness.adapters.scipy import SciPy

    return SciPy().evaluate(make_call(loss, inputs, options, dtype=dtype))


def number(answer: Answer) -> float:
    return float(answer.value.to_float64())


def test_log_loss_of_labels_and_of_indicator_rows() -> None:
    expected = -(math.log(0.2) + math.log(0.4)) / 2
    for targets in ([0, 2], [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]], [[1, 0, 0], [0, 0, 1]]):
        answer = log_loss(P, targets)
        assert answer.function == "sklearn.metrics.log_loss"
        assert number(answer) == pytest.approx(expected, rel=1e-15)
    assert number(log_loss(P, [0, 2], reduction="sum")) == pytest.approx(2 * expected, rel=1e-15)


def test_a_class_missing_from_the_batch_is_still_a_class() -> None:
    assert number(log_loss(P, [0, 0])) == pytest.approx(-(math.log(0.2) + math.log(0.3)) / 2, rel=1e-15)


@pytest.mark.parametrize(("dtype", "capped"), [("float64", 36.0436533891), ("float32", 15.94238472), ("float16", 6.93)])
def test_the_clip_is_the_eps_of_the_dtype_and_declared(dtype: str, capped: float) -> None:
    answer = log_loss([0.0], [1.0], "binary_cross_entropy", dtype)
    assert number(answer) == pytest.approx(capped, rel=1e-3 if dtype == "float16" else 1e-7)
    assert answer.convention is not None
    assert math.exp(-capped) == pytest.approx(answer.convention["clip"], rel=1e-2)


def test_the_answer_is_a_python_float_whatever_the_dtype() -> None:
    answer = log_loss(P, [0, 2], dtype="float32")
    assert answer.value.dtype == "float64"
    assert answer.convention is not None
    assert answer.convention["result_dtype"] == "float64"


def test_weighted_means_divide_by_the_weights_and_say_so() -> None:
    answer = log_loss(P, [0, 2], sample_weights=[0.0, 3.0])
    assert number(answer) == pytest.approx(-math.log(0.4), rel=1e-15)
    assert answer.convention is not None
    assert answer.convention["denominator"] == "weights"
    as_asked = log_loss(P, [0, 2], sample_weights=[0.0, 3.0], denominator="weights").convention
    assert as_asked is not None
    assert "denominator" not in as_asked
    summed = log_loss(P, [0, 2], sample_weights=[1.0, 3.0], reduction="sum")
    assert number(summed) == pytest.approx(-math.log(0.2) - 3 * math.log(0.4), rel=1e-15)


def test_rows_that_do_not_sum_to_one_are_warned_about() -> None:
    with pytest.warns(UserWarning, match="sum to one"):
        answer = log_loss([[0.2, 0.3, 0.1]], [0])
    assert answer.convention is not None
    expected = math.log(0.6 / 0.2) if "renormalize" in answer.convention else -math.log(0.2)
    assert number(answer) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize(
    ("probabilities", "targets", "message"),
    [
        (P, [0, 3], "not belonging"),
        (P, [-1, 0], "not belonging"),
        (P, [0], "inconsistent numbers"),
        ([[1.2, -0.2]], [0], "greater than 1"),
        ([[math.nan, 0.5]], [0], "NaN"),
        (P, [[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]], "not supported"),
    ],
)
def test_what_log_loss_refuses_is_its_own_error(probabilities: Any, targets: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        log_loss(probabilities, targets)


@pytest.mark.parametrize(
    ("probabilities", "options", "reason"),
    [
        (P, {"reduction": "none"}, "one number"),
        (P, {"class_weights": [1.0, 2.0, 3.0]}, "sklearn.metrics.log_loss has no class_weights"),
        ([P], {}, "shape"),
    ],
)
def test_what_log_loss_lacks_is_unsupported(probabilities: Any, options: dict[str, Any], reason: str) -> None:
    with pytest.raises(Unsupported, match=reason):
        log_loss(probabilities, [0, 1], **options)


def test_scipy_softmax_and_log_softmax() -> None:
    answer = scipy("softmax", logits=[[1.0, 2.0, 3.0]])
    assert answer.function == "scipy.special.softmax"
    np.testing.assert_allclose(answer.value.to_float64(), [[0.09003057317, 0.24472847105, 0.66524095577]], rtol=1e-9)
    logs = scipy("log_softmax", options={"axis": 0}, logits=[[0.0, 1.0], [math.log(3), 1.0]])
    np.testing.assert_allclose(logs.value.to_float64()[:, 0], np.log([0.25, 0.75]), rtol=1e-14)


def test_scipy_entropy_renormalises_and_declares_it() -> None:
    answer = scipy("entropy", options={"base": 2.0}, probabilities=[[0.5, 0.25], [1.0, 0.0]])
    third = -(2 / 3 * math.log2(2 / 3) + 1 / 3 * math.log2(1 / 3))
    assert number(answer) == pytest.approx(third / 2, rel=1e-14)
    assert answer.function == "scipy.stats.entropy"
    assert answer.convention == {"renormalize": True}


def test_scipy_cross_entropy_counts_zero_times_log_zero_as_zero() -> None:
    answer = scipy("cross_entropy", probabilities=[[0.5, 0.5], [1.0, 0.0]], targets=[[0.5, 0.5], [1.0, 0.0]])
    assert number(answer) == pytest.approx(math.log(2) / 2, rel=1e-15)
    assert answer.function == "scipy.special.xlogy"


def test_float16_is_promoted_as_numpy_resolves_it_and_declared() -> None:
    half = [[0.5, 0.5]]
    for answer in (
        scipy("entropy", "float16", probabilities=half),
        scipy("cross_entropy", "float16", probabilities=half, targets=half),
    ):
        assert answer.convention is not None
        assert answer.convention["result_dtype"] == answer.value.dtype != "float16"


def test_what_scipy_lacks_is_unsupported() -> None:
    with pytest.raises(Unsupported, match=r"scipy\.special\.xlogy has no base"):
        scipy("cross_entropy", options={"base": 2}, probabilities=[[1.0]], targets=[[1.0]])
    with pytest.raises(Unsupported, match="nll_loss"):
        scipy("nll_loss", log_probabilities=[[0.0]], targets=[0])


def test_neither_has_gradients() -> None:
    from harness.adapters.scipy import SciPy
    from harness.adapters.sklearn import ScikitLearn

    assert not ScikitLearn().describe().gradients
    assert not SciPy().describe().gradients


def test_the_divergence_of_scipy_is_of_the_probabilities_themselves() -> None:
    from harness.adapters.scipy import SciPy

    inputs = {"targets": [[0.5, 0.25, 0.25]], "log_probabilities": [[-1.0, -1.25, -1.0]]}
    answer = SciPy().evaluate(make_call("kl_divergence", inputs, {"reduction": "none"}))
    right = np.sum(np.array(inputs["targets"]) * (np.log(inputs["targets"]) - inputs["log_probabilities"]), axis=-1)
    np.testing.assert_allclose(answer.value.to_float64(), right, rtol=1e-14)
    far = make_call(
        "kl_divergence", {"targets": [[0.5, 0.5]], "log_probabilities": [[-1e4, 0.0]]}, {"reduction": "none"}
    )
    assert SciPy().evaluate(far).value.to_float64().tolist() == [np.inf]


def test_log_loss_sorts_the_labels_it_is_told_and_not_the_columns() -> None:
    from harness.adapters.sklearn import ScikitLearn

    inputs = {"probabilities": [[0.75, 0.125, 0.125], [0.0625, 0.0625, 0.875]], "targets": [0, 2]}
    with pytest.warns(UserWarning, match="ordered lexicographically"):
        answer = ScikitLearn().evaluate(make_call("categorical_cross_entropy", inputs, mode="labels-backwards"))
    assert math.isclose(number(answer), -(math.log(0.125) + math.log(0.0625)) / 2, rel_tol=1e-12)


@pytest.mark.parametrize(
    ("mode", "function", "right"),
    [
        ("kl_div", "scipy.special.kl_div", math.log(0.5 / 0.25) / 2 + math.log(0.5 / 1.75) / 2 + 1),
        ("stats", "scipy.stats.entropy", math.log(0.5 / 0.125) / 2 + math.log(0.5 / 0.875) / 2),
    ],
)
def test_other_functions_of_scipy_treat_sums_of_two_in_their_own_way(mode: str, function: str, right: float) -> None:
    from harness.adapters.scipy import SciPy

    inputs = {"targets": [[0.5, 0.5]], "log_probabilities": np.log([[0.25, 1.75]])}
    answer = SciPy().evaluate(make_call("kl_divergence", inputs, {"reduction": "none"}, mode=mode))
    assert answer.function == function
    np.testing.assert_allclose(answer.value.to_float64(), [right], rtol=1e-12)


def test_a_mask_of_an_array_is_handed_over() -> None:
    """What is masked counts all the same in today's versions, where NumPy's own sum leaves it out."""
    masked: dict[str, Any] = {"mode": "masked-array"}
    inputs = {"probabilities": P, "targets": np.array([0, -1])}
    from harness.adapters.sklearn import ScikitLearn

    answer = ScikitLearn().evaluate(make_call("categorical_cross_entropy", inputs, {"ignore_index": -1}, **masked))
    assert number(answer) == pytest.approx(-(math.log(0.2) + math.log(0.3)) / 2)
    with pytest.raises(Unsupported, match="no row is masked"):
        ScikitLearn().evaluate(
            make_call("categorical_cross_entropy", {**inputs, "targets": np.array([0, 1])}, {}, **masked)
        )

    from harness.adapters.scipy import SciPy

    logits, mask = {"logits": [[1.0, 2.0, 4.0]]}, {"class_mask": Array.of(np.array([True, False, True]))}
    found = SciPy().evaluate(make_call("softmax", logits, mask, **masked)).value.to_float64()
    assert found.shape == (1, 3)
    with pytest.raises(Unsupported, match="no class is masked"):
        SciPy().evaluate(make_call("softmax", logits, {}, **masked))
    with pytest.raises(Unsupported, match="class_mask"):
        SciPy().evaluate(make_call("softmax", logits, mask))
