"""The optax adapter calls the loss a user would, with the reductions a user would write, and attests both."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

from harness.adapters.base import Answer, Call
from harness.tests.made_calls import make_call
from harness.tests.own_process import Unanswered, evaluate_in_process

pytestmark = pytest.mark.skipif(find_spec("optax") is None, reason="optax is not installed")

ROW = [[1.0, 2.0, 3.0]]
TWO = [[1.0, 2.0, 3.0], [3.0, 1.0, 2.0]]
MASKED = [[0.0, -math.inf, 1.0]]
CUBE = np.moveaxis(np.array([TWO, TWO[::-1]]), -1, 1)


def softmax(logits: Any, targets: Any, options: dict[str, Any] | None = None, **how: Any) -> Call:
    made = {"mode": "jit", "differentiate": ("logits",), **how}
    return make_call("softmax_cross_entropy", {"logits": logits, "targets": targets}, options, **made)


def binary(logits: Any, targets: Any, options: dict[str, Any] | None = None, loss: str = "binary_focal") -> Call:
    return make_call(loss, {"logits": logits, "targets": targets}, options, mode="jit", differentiate=("logits",))


def kl(log_p: Any, targets: Any, **options: Any) -> Call:
    inputs = {"log_probabilities": log_p, "targets": targets}
    return make_call("kl_divergence", inputs, options, mode="jit", differentiate=("log_probabilities",))


CALLS: Mapping[str, Call] = {
    "labels": softmax(ROW, [0]),
    "labels eager": softmax(ROW, [0], mode="eager"),
    "labels cotangent": softmax(TWO, [0, 1], {"reduction": "none"}, cotangent=[2.0, -1.0]),
    "labels sum": softmax(TWO, [0, 1], {"reduction": "sum"}),
    "soft": softmax(ROW, [[0.2, 0.3, 0.5]], differentiate=("logits", "targets")),
    "integer one-hot": softmax(ROW, [[1, 0, 0]]),
    "smoothed labels": softmax(ROW, [0], {"label_smoothing": 0.1}),
    "ignored": softmax([[math.nan, 0.0, 0.0], TWO[1]], [-100, 0], {"ignore_index": -100}),
    "ignored count": softmax(TWO, [-100, 0], {"ignore_index": -100, "denominator": "count"}),
    "all ignored": softmax(TWO, [1, 1], {"ignore_index": 1}),
    "axis 1": softmax(CUBE, [[0, 1], [2, 0]], {"axis": 1}),
    "masked label": softmax(MASKED, [0]),
    "masked one-hot": softmax(MASKED, [[1.0, 0.0, 0.0]]),
    "minus one": softmax(ROW, [-1]),
    "three": softmax(ROW, [3]),
    "float label": softmax(ROW, [1.0]),
    "float labels": softmax(TWO, [1.0, 2.0], {"reduction": "none"}, differentiate=()),
    "float labels mapped": softmax(TWO, [1.0, 2.0], {"reduction": "none"}, mode="vmap", differentiate=()),
    "mapped": softmax(
        TWO, [0, 1], {"reduction": "none"}, mode="vmap", cotangent=[2.0, -1.0], vector=[[1.0, -2.0, 0.5]] * 2
    ),
    "exported": softmax(
        TWO, [0, 1], {"reduction": "none"}, mode="export", cotangent=[2.0, -1.0], vector=[[1.0, -2.0, 0.5]] * 2
    ),
    "not mapped": softmax(TWO, [0, 1], {"reduction": "none"}, cotangent=[2.0, -1.0], vector=[[1.0, -2.0, 0.5]] * 2),
    "mean mapped": softmax(TWO, [0, 1], mode="vmap"),
    "boolean label": softmax(ROW, [True]),
    "bad axis": softmax(ROW, [0], {"axis": 2}),
    "weighted": softmax(ROW, [0], {"class_weights": [1.0, 2.0, 3.0]}),
    "bfloat16": softmax(ROW, [0], dtype="bfloat16"),
    "twice": softmax(ROW, [0], {"reduction": "none"}, vector=[[1.0, -2.0, 0.5]]),
    "twice eager": softmax(ROW, [0], {"reduction": "none"}, vector=[[1.0, -2.0, 0.5]], mode="eager"),
    "twice soft": softmax(TWO, [[2.0, 0.0, 0.0]] * 2, {"reduction": "sum"}, vector=[[1.0, -2.0, 0.5]] * 2),
    "twice cotangent": softmax(TWO, [0, 1], {"reduction": "none"}, vector=[[1.0, -2.0, 0.5]] * 2, cotangent=[2.0, 0.0]),
    "twice too narrow": softmax(ROW, [0], vector=[[1.0, 2.0]]),
    "binary": binary([10.0, -10.0], [1.0, 0.0], loss="binary_cross_entropy_with_logits"),
    "binary infinite": binary([math.inf], [1.0], loss="binary_cross_entropy_with_logits"),
    "binary weighted": binary([1.0], [1.0], {"pos_weight": 2.0}, "binary_cross_entropy_with_logits"),
    "focal zero": binary([1.0, -2.0], [1.0, 0.0], {"gamma": 0.0}),
    "focal alpha": binary([1.0, -2.0], [1.0, 0.0], {"gamma": 2.0, "alpha": 0.25}),
    "kl batchmean": kl([[-1.0, -2.0]], [[0.5, 0.5]], reduction="batchmean"),
    "kl zero target": kl([[-1.0, -2.0]], [[1.0, 0.0]], reduction="sum"),
    "kl log target": kl([[-1.0, -2.0]], [[0.0, -1.0]], reduction="sum", log_target=True),
    "kl mean": kl([[-1.0, -2.0], [-1.0, -2.0]], [[0.5, 0.5], [1.0, 0.0]]),
}
SAFE = {name: replace(CALLS[name], mode="safe") for name in ("masked one-hot", "labels", "soft")}


@pytest.fixture(scope="module")
def answers() -> Mapping[str, Answer | Unanswered]:
    return evaluate_in_process("harness.adapters.optax:Optax", CALLS, {"JAX_ENABLE_X64": "1"})


@pytest.fixture(scope="module")
def safe() -> Mapping[str, Answer | Unanswered]:
    return evaluate_in_process("harness.adapters.optax:Optax", SAFE, {"JAX_ENABLE_X64": "1"})


def answered(answers: Mapping[str, Answer | Unanswered], name: str) -> Answer:
    answer = answers[name]
    assert isinstance(answer, Answer), answer
    return answer


LABELS = "optax.losses.softmax_cross_entropy_with_integer_labels"
SOFT = "optax.losses.softmax_cross_entropy"


@pytest.mark.parametrize(
    ("name", "function", "value", "gradient"),
    [
        ("labels", LABELS, 2.4076059644443801, [[-0.90996943, 0.24472847, 0.66524096]]),
        ("labels eager", LABELS, 2.4076059644443801, [[-0.90996943, 0.24472847, 0.66524096]]),
        ("labels sum", LABELS, 4.81521192888876, None),
        ("soft", SOFT, 1.10760596444438, [[-0.10996943, -0.05527153, 0.16524096]]),
        ("integer one-hot", SOFT, 2.4076059644443801, None),
        ("smoothed labels", SOFT, 2.3076059644443805, None),
        ("ignored", LABELS, 0.4076059644443801, [[0.0, 0.0, 0.0], [-0.33475904, 0.09003057, 0.24472847]]),
        ("ignored count", LABELS, 0.4076059644443801 / 2, None),
        ("all ignored", LABELS, math.nan, [[0.0] * 3] * 2),
        ("axis 1", LABELS, (2.4076059644 + 2.4076059644 + 1.4076059644 + 2.4076059644) / 4, None),
        ("masked label", LABELS, 1.3132616875182228, [[-0.73105858, 0.0, 0.73105858]]),
        ("masked one-hot", SOFT, math.nan, [[-0.73105858, 0.0, 0.73105858]]),
        ("minus one", LABELS, 0.4076059644443801, None),
        ("three", LABELS, math.nan, [[0.09003057, 0.24472847, 0.66524096]]),
        ("binary", "optax.losses.sigmoid_binary_cross_entropy", 4.5398899216870535e-05, None),
        ("binary infinite", "optax.losses.sigmoid_binary_cross_entropy", math.nan, [0.0]),
        ("focal zero", "optax.losses.sigmoid_focal_loss", (0.31326168751822286 + 0.1269280110429726) / 2, None),
        ("focal alpha", "optax.losses.sigmoid_focal_loss", 0.0035085932517735573, None),
        ("kl batchmean", "optax.losses.kl_divergence", 1.5 + math.log(0.5), [[-0.5, -0.5]]),
        ("kl zero target", "optax.losses.kl_divergence", 1.0, [[-1.0, 0.0]]),
        ("kl mean", "optax.losses.kl_divergence", (1.5 + math.log(0.5)) / 2 + 0.5, [[-0.25, -0.25], [-0.5, 0.0]]),
        ("kl log target", "optax.losses.kl_divergence_with_log_targets", 1 + math.exp(-1), None),
    ],
)
def test_value_gradient_and_function(
    answers: Mapping[str, Any], name: str, function: str, value: float, gradient: Any
) -> None:
    answer = answered(answers, name)
    assert answer.function == function
    assert float(answer.value.to_float64()) == pytest.approx(value, rel=1e-9, nan_ok=True)
    if gradient is not None:
        (found,) = (g for n, g in answer.gradients.items() if n != "targets")
        np.testing.assert_allclose(found.to_float64(), gradient, rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("how", ["mapped", "exported"])
def test_a_loss_mapped_over_the_batch_or_exported_is_that_of_the_batch(answers: Mapping[str, Any], how: str) -> None:
    mapped, whole = answered(answers, how), answered(answers, "not mapped")
    for got, right in (
        (mapped.value, whole.value),
        (mapped.gradients["logits"], whole.gradients["logits"]),
        (mapped.directional, whole.directional),
        (mapped.hessian_vector, whole.hessian_vector),
    ):
        assert got is not None
        assert right is not None
        np.testing.assert_allclose(got.to_float64(), right.to_float64(), rtol=1e-12, atol=1e-15)


def test_a_label_of_a_row_that_is_no_integer_is_multiplied_with_every_logarithm(answers: Mapping[str, Any]) -> None:
    assert isinstance(answers["float labels"], Unanswered)
    found = answered(answers, "float labels mapped").value.to_float64()
    assert found == pytest.approx(np.array([1.0, 2.0]) * (2.4076059644 + 1.4076059644 + 0.4076059644))


def test_a_mean_is_not_mapped_over_the_batch(answers: Mapping[str, Any]) -> None:
    refused = answers["mean mapped"]
    assert isinstance(refused, Unanswered)
    assert "a mean needs all" in str(refused)


def test_each_sample_gets_its_own_cotangent(answers: Mapping[str, Any]) -> None:
    gradient = answered(answers, "labels cotangent").gradients["logits"].to_float64()
    p = np.exp(TWO) / np.exp(TWO).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(gradient, (p - [[1, 0, 0], [0, 1, 0]]) * [[2.0], [-1.0]], rtol=1e-12)


def test_soft_targets_have_a_gradient_too(answers: Mapping[str, Any]) -> None:
    gradient = answered(answers, "soft").gradients["targets"].to_float64()
    np.testing.assert_allclose(gradient, [[2.40760596, 1.40760596, 0.40760596]], rtol=1e-7)


def test_what_stands_before_and_behind_the_loss_is_attested(answers: Mapping[str, Any]) -> None:
    assert answered(answers, "smoothed labels").computed_with == {
        "integer labels": "jax.nn.one_hot",
        "label_smoothing": "optax.losses.smooth_labels",
    }
    assert "where" in answered(answers, "ignored").computed_with["ignore_index"]


def test_bfloat16_stays_bfloat16(answers: Mapping[str, Any]) -> None:
    answer = answered(answers, "bfloat16")
    assert (answer.value.dtype, answer.gradients["logits"].dtype) == ("bfloat16", "bfloat16")
    assert float(answer.value.to_float64()) == pytest.approx(2.4076, rel=8e-3)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("weighted", "optax.losses.softmax_cross_entropy_with_integer_labels has no class_weights"),
        ("binary weighted", "optax.losses.sigmoid_binary_cross_entropy has no pos_weight"),
    ],
)
def test_what_optax_lacks_is_unsupported(answers: Mapping[str, Any], name: str, reason: str) -> None:
    assert isinstance(answers[name], Unanswered)
    assert answers[name].type == "Unsupported"
    assert reason in answers[name].message


def test_a_float_label_is_not_touched_on_the_way_and_broadcasts_as_a_distribution(answers: Mapping[str, Any]) -> None:
    answer = answered(answers, "float label")
    assert answer.function == SOFT
    assert float(answer.value.to_float64()) == pytest.approx(2.4076059644 + 1.4076059644 + 0.4076059644)


@pytest.mark.parametrize(("name", "error"), [("boolean label", "TypeError"), ("bad axis", "ValueError")])
def test_what_optax_refuses_is_its_own_error(answers: Mapping[str, Any], name: str, error: str) -> None:
    assert isinstance(answers[name], Unanswered)
    assert answers[name].type == error


def test_safe_softmax_cross_entropy_counts_zero_times_infinity_as_zero(safe: Mapping[str, Any]) -> None:
    answer = answered(safe, "masked one-hot")
    assert answer.function == "optax.losses.safe_softmax_cross_entropy"
    assert float(answer.value.to_float64()) == pytest.approx(1.3132616875182228, rel=1e-12)
    assert float(answered(safe, "soft").value.to_float64()) == pytest.approx(1.10760596444438, rel=1e-12)
    assert safe["labels"] == Unanswered(
        "Unsupported", "optax.losses.safe_softmax_cross_entropy takes distributions, no integer labels"
    )


@pytest.mark.parametrize(
    ("name", "factor"), [("twice", 1.0), ("twice eager", 1.0), ("twice soft", 2.0), ("twice cotangent", 2.0)]
)
def test_forward_over_reverse_differentiates_twice_along_a_vector(
    answers: Mapping[str, Any], name: str, factor: float
) -> None:
    answer = answered(answers, name)
    assert answer.hessian_error is None
    assert answer.hessian_vector is not None
    product = answer.hessian_vector.to_float64()
    # p (v − p·v) for the logits 1, 2, 3.
    np.testing.assert_allclose(
        product[0], factor * np.array([0.0960451458329, -0.473107638535, 0.377062492702]), rtol=1e-7
    )
    if name == "twice cotangent":
        assert product[1].tolist() == [0.0, 0.0, 0.0]
    assert answer.gradients["logits"].shape == product.shape
    assert answered(answers, "labels").hessian_vector is None


def test_a_second_derivative_that_fails_leaves_value_and_gradient(answers: Mapping[str, Any]) -> None:
    answer = answered(answers, "twice too narrow")
    assert float(answer.value.to_float64()) == pytest.approx(2.4076059644443801)
    assert answer.gradients["logits"].shape == (1, 3)
    assert answer.hessian_error is not None
