"""The two ONNX runners on graphs of one node: same graphs, same numbers, each with its own errors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx", reason="ONNX is not installed")
pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")

from harness.adapters.base import Adapter, Answer, Unsupported
from harness.adapters.onnx_graphs import prepare, to_model
from harness.adapters.onnx_reference import OnnxReference
from harness.adapters.onnxruntime import OnnxRuntime
from harness.tests.made_calls import make_call

TWO = [[1.0, 2.0, 3.0], [3.0, 1.0, 2.0]]
WEIGHTS = [1.0, 3.0, 2.0]
CUBE = np.moveaxis(np.array([TWO, TWO[::-1]]), -1, 1)
NAMES = {OnnxReference: "onnx.reference.ReferenceEvaluator", OnnxRuntime: "onnxruntime.InferenceSession"}


@pytest.fixture(scope="module", params=[OnnxReference, OnnxRuntime])
def runner(request: pytest.FixtureRequest) -> Adapter:
    made: Adapter = request.param()
    return made


def ask(
    runner: Adapter, loss: str, options: dict[str, Any] | None = None, dtype: str = "float64", **inputs: Any
) -> Answer:
    return runner.evaluate(make_call(loss, inputs, options, dtype=dtype))


# The reference evaluator divides 0 by 0 in NumPy where everything is ignored, which NumPy warns about.
@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
@pytest.mark.parametrize(
    ("options", "targets", "value"),
    [
        ({}, [0, 1], 2.4076059644443801),
        ({"reduction": "sum"}, [0, 1], 4.8152119288887602),
        ({"reduction": "none"}, [0, 1], [2.4076059644443801, 2.4076059644443801]),
        ({"class_weights": WEIGHTS}, [2, 1], (2 * 0.4076059644 + 3 * 2.4076059644) / 5),
        ({"ignore_index": 1}, [1, 0], 0.4076059644443801),
        ({"ignore_index": -100}, [-100, 0], 0.4076059644443801),
        ({"ignore_index": 1}, [1, 1], math.nan),
        ({"axis": 1}, [0, 1], 2.4076059644443801),
    ],
)
def test_softmax_cross_entropy_loss(runner: Adapter, options: dict[str, Any], targets: Any, value: Any) -> None:
    answer = ask(runner, "softmax_cross_entropy", options, logits=TWO, targets=targets)
    np.testing.assert_allclose(answer.value.to_float64(), value, rtol=1e-9)
    assert answer.function == f"{NAMES[type(runner)]}(SoftmaxCrossEntropyLoss)"
    assert answer.convention is None


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_a_model_for_any_size_compares_no_sizes(rows: int) -> None:
    runtime = OnnxRuntime()

    def answers(labels: list[int], mode: str) -> Any:
        inputs = {"logits": (TWO + TWO)[:rows], "targets": labels}
        return runtime.evaluate(make_call("softmax_cross_entropy", inputs, {"reduction": "none"}, mode=mode)).value

    right = answers([0] * rows, "eager").to_float64()
    np.testing.assert_array_equal(answers([0] * rows, "dynamic").to_float64(), right)
    if rows > 1:  # the rows beyond the labels are left out
        with pytest.raises(Exception, match="dimension value mismatch"):
            answers([0], "eager")
        np.testing.assert_array_equal(answers([0], "dynamic").to_float64(), right[:1])


def test_classes_are_on_axis_1_of_any_rank(runner: Adapter) -> None:
    targets = [[0, 1], [2, 0]]
    answer = ask(runner, "softmax_cross_entropy", {"axis": 1}, logits=CUBE, targets=targets)
    assert float(answer.value.to_float64()) == pytest.approx((3 * 2.4076059644 + 1.4076059644) / 4, rel=1e-9)
    with pytest.raises(Unsupported, match="axis 1"):
        ask(runner, "softmax_cross_entropy", logits=CUBE, targets=targets)


def test_negative_log_likelihood_loss(runner: Adapter) -> None:
    answer = ask(
        runner, "nll_loss", {"class_weights": WEIGHTS}, log_probabilities=[[-1.0, -2.0, -4.0]] * 2, targets=[0, 1]
    )
    assert float(answer.value.to_float64()) == pytest.approx((1 * 1 + 3 * 2) / 4, rel=1e-15)
    assert "NegativeLogLikelihoodLoss" in answer.function


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_softmaxes_in_every_dtype(runner: Adapter, dtype: str) -> None:
    tolerance = {"float64": 1e-14, "float32": 1e-6, "float16": 2e-3}[dtype]
    p = ask(runner, "softmax", dtype=dtype, logits=TWO).value
    log_p = ask(runner, "log_softmax", {"axis": 0}, dtype, logits=TWO).value
    assert p.dtype == log_p.dtype == dtype
    np.testing.assert_allclose(p.to_float64()[0], [0.0900305732, 0.2447284711, 0.6652409558], rtol=tolerance + 1e-9)
    np.testing.assert_allclose(np.exp(log_p.to_float64()).sum(axis=0), 1.0, rtol=tolerance)


def test_bfloat16_runs_in_the_reference_evaluator_alone() -> None:
    answer = ask(OnnxReference(), "softmax_cross_entropy", dtype="bfloat16", logits=TWO, targets=[0, 1])
    assert answer.value.dtype == "bfloat16"
    assert float(answer.value.to_float64()) == pytest.approx(2.4076, rel=8e-3)
    assert "bfloat16" not in OnnxRuntime().describe().dtypes
    with pytest.raises(Unsupported, match="bfloat16"):
        ask(OnnxReference(), "nll_loss", dtype="bfloat16", log_probabilities=TWO, targets=[0, 1])


def test_another_denominator_than_the_operators_own_is_declared(runner: Adapter) -> None:
    options = {"class_weights": WEIGHTS, "denominator": "count"}
    answer = ask(runner, "softmax_cross_entropy", options, logits=TWO, targets=[2, 1])
    assert answer.convention == {"denominator": "weights"}
    assert float(answer.value.to_float64()) == pytest.approx((2 * 0.4076059644 + 3 * 2.4076059644) / 5, rel=1e-9)


@pytest.mark.parametrize(
    ("inputs", "options"),
    [
        ({"logits": TWO, "targets": [3, 0]}, {}),
        ({"logits": TWO, "targets": [-4, 0]}, {}),
        ({"logits": TWO, "targets": [0, 1, 2]}, {}),
        ({"logits": TWO, "targets": np.array([0, 1], dtype=np.uint8)}, {}),
    ],
    ids=["label too large", "label too small", "labels too many", "labels of eight bits"],
)
def test_bad_input_raises_the_runners_own_error(runner: Adapter, inputs: Any, options: dict[str, Any]) -> None:
    with pytest.raises(Exception, match=r".") as caught:
        ask(runner, "softmax_cross_entropy", options, **inputs)
    assert caught.type is not Unsupported


def test_minus_one_silently_means_the_last_class(runner: Adapter) -> None:
    answer = ask(runner, "softmax_cross_entropy", logits=TWO, targets=[-1, 0])
    assert float(answer.value.to_float64()) == pytest.approx(0.4076059644, rel=1e-9)


@pytest.mark.parametrize(
    ("loss", "inputs", "options", "reason"),
    [
        ("softmax_cross_entropy", {"logits": TWO, "targets": TWO}, {}, "integer labels"),
        ("softmax_cross_entropy", {"logits": TWO, "targets": [0, 1]}, {"label_smoothing": 0.1}, "label_smoothing"),
        ("softmax_cross_entropy", {"logits": TWO, "targets": [0, 1]}, {"sample_weights": [1.0, 2.0]}, "sample_weights"),
        ("kl_divergence", {"log_probabilities": TWO, "targets": TWO}, {}, "kl_divergence"),
    ],
)
def test_what_onnx_lacks_is_unsupported(
    runner: Adapter, loss: str, inputs: Any, options: dict[str, Any], reason: str
) -> None:
    with pytest.raises(Unsupported, match=reason):
        ask(runner, loss, options, **inputs)


def test_a_graph_is_one_node_and_equal_calls_share_it() -> None:
    first, second = (
        prepare(make_call("softmax_cross_entropy", {"logits": np.full((2, 3), x), "targets": [0, 1]}))
        for x in (0.0, 1.0)
    )
    other = prepare(make_call("softmax_cross_entropy", {"logits": np.zeros((2, 4)), "targets": [0, 1]}))
    assert first.graph == second.graph != other.graph
    assert [node.op_type for node in to_model(first.graph).graph.node] == ["SoftmaxCrossEntropyLoss"]
